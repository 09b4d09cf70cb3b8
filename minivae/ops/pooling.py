"""What the two pools have in common: the layer, and which windows they take.

A pool makes one number of what a window sees in a channel; `max_pool2d.py` and `avg_pool2d.py` say
which.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from ..engine import Array, Backend, Layer
from ..errors import OptionError
from .windows import Pair, Sides, check_padding, count, sides_for, times, whole


def places_of(size: Pair, window: Pair, stride: Pair, padding: Sides) -> Pair:
    """Count the windows; each must see a pixel of the image.

    Raises
    ------
    ShapeError, OptionError
        If the window does not fit, or one would see nothing but padding.
    """
    for k, sides in zip(window, padding, strict=True):
        if max(sides) >= k:
            raise OptionError(
                f"padding {padding} was given for windows of {times(window)}, some of which would "
                "see nothing of the image; take less padding than the window is long."
            )
    return count(size, window, stride, padding)


class Pool2d(Layer):
    """Layer that makes one number of each window and channel of images (B, H, W, C).

    Parameters
    ----------
    window : int or (int, int)
        Height and width of the window, in pixels.
    stride : int or (int, int), optional
        Steps in which it moves; its own size without it, so that windows do not overlap.
    padding : int, (int, int), ((int, int), (int, int)), "valid" or "same"
        As `Conv2d`, but what lies outside of the image counts for nothing, not as zeros.
    dtype : {"float32", "float64"}
        dtype of inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    there: ClassVar[Callable]
    back: ClassVar[Callable]
    """The pair."""

    def __init__(
        self,
        window: int | Pair,
        *,
        stride: int | Pair | None = None,
        padding: Any = "valid",
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        self.window = whole("window", window, 1)
        self.stride = self.window if stride is None else whole("stride", stride, 1)
        self.padding = check_padding(padding)
        super().__init__(dtype=dtype, backend=backend)

    def placed(self, size: Pair) -> dict[str, Any]:
        """Options of `forward` for images of that height and width."""
        sides = sides_for(self.padding, size, self.window, self.stride)
        return {"window": self.window, "stride": self.stride, "padding": sides}

    def forward(self, x: Array) -> Array:
        """Pool x (B, H, W, C) -> y (B, h, w, C)."""
        self.expect("x", x, ("B", "H", "W", "C"))
        y, self.cache = self.call(type(self).there, x, **self.placed(x.shape[1:3]))
        self.shape = y.shape
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx (B, H, W, C)."""
        cache = self.saved()
        self.expect("dy", dy, self.shape)
        return self.call(type(self).back, dy, *cache)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From a shape (B, H, W, C) to (B, h, w, C)."""
        size = (shape[1], shape[2])
        return (shape[0], *places_of(size, **self.placed(size)), shape[3])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({times(self.window)}, stride {times(self.stride)})"
