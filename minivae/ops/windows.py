r"""Windows: how many fit on an image, and what "same" and "valid" stand for.

A window of $k$ pixels moves along an axis of $n$ pixels in steps of $s$. Before the axis lie $a$
zeros and behind it $b$ more, the padding. The window's first pixel is at $0, s, 2s, \dots$, and
its last one must still be on the padded axis: $(m - 1) s + k \le a + n + b$ for the last of $m$.

$$ m = \lfloor (a + n + b - k) / s \rfloor + 1 \tag{1} $$

What is left behind the last window is seen by none. "valid" is no padding at all. "same" means as
many windows as there are steps on the axis, $m = \lceil n / s \rceil$, with as little padding as
that takes; if it is odd, the larger half is behind:

$$ a + b = \max((\lceil n / s \rceil - 1) s + k - n, 0) \tag{2} $$

Going back from $m$ windows to an axis, (1) leaves open how many pixels were seen by none, between
0 and $s - 1$; a transposed convolution is told, by the output padding $e$:

$$ n = (m - 1) s + k - a - b + e \tag{3} $$

There "same" means $n = m s$, which (3) gives with $a + b - e = k - s$.

Source: Dumoulin and Visin (2016), relationships 6 and 14.
"""

from typing import Any

import numpy as np

from ..engine.kinds import Count, Whole
from ..errors import OptionError, ShapeError, shown

Pair = tuple[Count, Count]
"""Along height and along width."""
Zeros = tuple[Whole, Whole]
"""At both ends of one direction, or one for each direction."""
Sides = tuple[Zeros, Zeros]
"""Zeros above and below, and to the left and to the right."""


def count(size: Pair, kernel: Pair, stride: Pair, padding: Sides) -> Pair:
    """Count the windows along height and width of an image of `size`.

    Raises
    ------
    ShapeError
        If the kernel is larger than the padded image.
    """
    padded = [n + sum(sides) for n, sides in zip(size, padding, strict=True)]
    if padded[0] < kernel[0] or padded[1] < kernel[1]:
        with_padding = f", {times(padded)} with its padding," if any(map(sum, padding)) else ""
        raise ShapeError(
            f"a kernel of {times(kernel)} does not fit an image of {times(size)}{with_padding} "
            "and there is no place for it; take a smaller kernel, more padding or larger images."
        )
    down, across = ((n - k) // s + 1 for n, k, s in zip(padded, kernel, stride, strict=True))  # (1)
    return down, across


def pixels(windows: Pair, kernel: Pair, stride: Pair, padding: Sides, extra: Zeros) -> Pair:
    """Size of the image that a transposed convolution makes of so many windows.

    Raises
    ------
    ShapeError
        If the padding takes all of it away.
    """
    down, across = (
        (m - 1) * s + k - sum(sides) + e
        for m, k, s, sides, e in zip(windows, kernel, stride, padding, extra, strict=True)
    )  # (3)
    if min(down, across) < 1:
        raise ShapeError(
            f"{times(windows)} windows of {times(kernel)} with strides {times(stride)} make an "
            f"image of {times((down, across))} when the padding {padding} is cut off; take less "
            "padding or a larger kernel."
        )
    return down, across


def times(sizes: Any) -> str:
    """Write sizes as "28 x 28"."""
    return " x ".join(map(str, sizes))


def whole(name: str, value: Any, least: int) -> Pair:
    """Return an option that is one number for both directions, or two, as two.

    Raises
    ------
    OptionError
        If they are not whole numbers of at least `least`.
    """
    two = value if isinstance(value, tuple | list) else (value, value)
    if len(two) != 2 or not all(_is_whole(n) and n >= least for n in two):
        raise OptionError(
            f"{name}={shown(value)} was given, but it is a whole number of at least {least}, or "
            "one for the height and one for the width."
        )
    return int(two[0]), int(two[1])


def _is_whole(value: Any) -> bool:
    try:
        return not isinstance(value, bool | str | np.ndarray) and int(value) == value
    except (TypeError, ValueError, OverflowError):
        return False


def check_padding(padding: Any) -> "str | Sides":
    """Return "same", or the zeros on the four sides.

    Raises
    ------
    OptionError
        If it is neither "same" nor "valid", nor numbers of at least 0.
    """
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise OptionError(f"padding={padding!r} was given; choose 'same', 'valid' or a number.")
        if padding == "same":
            return "same"
        padding = 0
    if isinstance(padding, tuple | list) and any(isinstance(n, tuple | list) for n in padding):
        if len(padding) != 2:
            raise OptionError(
                f"padding={shown(padding)} was given, but sides are ((top, bottom), (left, right))."
            )
        return whole("padding", padding[0], 0), whole("padding", padding[1], 0)
    down, across = whole("padding", padding, 0)
    return (down, down), (across, across)


def sides_for(padding: "str | Sides", size: Pair, kernel: Pair, stride: Pair) -> Sides:
    """Zeros on the four sides of an image of `size`; "same" depends on it."""
    if not isinstance(padding, str):
        return padding
    down, across = (
        max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel, stride, strict=True)
    )  # (2)
    return _halves(down), _halves(across)


def _halves(zeros: int) -> Zeros:
    return zeros // 2, zeros - zeros // 2
