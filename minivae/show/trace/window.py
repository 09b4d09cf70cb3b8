"""One place of a convolution: what its window sees, the kernel, and the sum.

Of a convolution it is the place, of example 0, whose result is the largest; of a transposed one the
pixel of which the largest patch is made.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .record import Record


@dataclass(frozen=True)
class Window:
    """A window on an image.

    Attributes
    ----------
    place : (int, int)
        Row and column among all windows.
    first : (int, int)
        Row and column of the image where it begins; padding lies before 0.
    image : numpy.ndarray, (H, W)
        The image that it lies on, of one channel.
    patch, kernel : numpy.ndarray, (kh, kw)
        What it sees of that channel (of a transposed convolution: what is laid there), and the
        weights.
    channel, output : int
        The channel of the image, and the other end of these weights.
    back : bool
        Whether it is that of a transposed convolution.
    value : float
        Of a convolution the result at the place; of a transposed one the pixel there.
    bias : float
        The bias that is in the value, 0 of a transposed one.
    others : float
        What the other channels add to it; of a transposed one, to the patch's sum.
    """

    place: tuple[int, int]
    first: tuple[int, int]
    image: np.ndarray
    patch: np.ndarray
    kernel: np.ndarray
    channel: int
    output: int
    back: bool
    value: float
    bias: float
    others: float


def window_of(record: Record) -> Window | None:
    """The window of a record that is a convolution's forward pass; None of any other."""
    kinds = {"conv2d.forward": False, "conv_transpose2d.forward": True}
    if record.operation not in kinds or not record["x"].size:
        return None
    back = kinds[record.operation]
    x, W, y = (record[name] for name in ("x", "W", "y"))
    large, small = (y, x) if back else (x, y)
    u, v, c = np.unravel_index(np.abs(small[0]).argmax(), small.shape[1:])
    (down, across), ((top, _), (left, _)) = record.options["stride"], record.options["padding"]
    first = (int(u) * down - top, int(v) * across - left)
    W = W[..., c]  # of both kinds (kh, kw, channels of the large image)
    seen = _cut(large[0], first, W.shape[:2])
    patch = small[0, u, v, c] * W if back else seen
    sums = (patch if back else patch * W).sum(axis=(0, 1))
    channel = int(np.abs(sums).argmax())
    return Window(
        place=(int(u), int(v)),
        first=first,
        image=large[0, ..., channel],
        patch=patch[..., channel],
        kernel=W[..., channel],
        channel=channel,
        output=int(c),
        back=back,
        value=float(small[0, u, v, c]),
        bias=0.0 if back else float(record["b"][c]),
        others=float(sums.sum() - sums[channel]),
    )


def _cut(image: np.ndarray, first: tuple[int, int], size: tuple[int, ...]) -> np.ndarray:
    """What a window sees of an image (H, W, C), with 0 for what lies outside."""
    seen = np.zeros((*size, image.shape[2]), image.dtype)
    for i, j in np.ndindex(size):
        r, q = first[0] + i, first[1] + j
        if 0 <= r < image.shape[0] and 0 <= q < image.shape[1]:
            seen[i, j] = image[r, q]
    return seen


def told(window: Window, number: Callable[[float], str]) -> str:
    """What is multiplied and added up, in a sentence; `number` writes a number."""
    (u, v), k, o = window.place, window.channel, window.output
    if window.back:
        return (
            f"x[0, {u}, {v}, {o}] = {number(window.value)} times W[:, :, {k}, {o}] is laid on the "
            f"window of y[0, :, :, {k}]; where windows overlap, what they lay there is added up."
        )
    parts = [f"{number(float((window.patch * window.kernel).sum()))} from these products"]
    parts += [f"{number(window.others)} from the other channels"] * bool(window.others)
    parts.append(f"the bias {number(window.bias)}")
    return f"y[0, {u}, {v}, {o}] = {number(window.value)}: {', '.join(parts)}."


def padded(window: Window) -> tuple[np.ndarray, tuple[int, int]]:
    """The image with as many zeros around it as the window needs; where the window begins on it."""
    sides = [
        (max(0, -start), max(0, start + k - n))
        for start, k, n in zip(window.first, window.kernel.shape, window.image.shape, strict=True)
    ]
    top, left = (start + before for start, (before, _) in zip(window.first, sides, strict=True))
    return np.pad(window.image, sides), (top, left)
