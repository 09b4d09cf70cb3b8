r"""Images and numbers beside them: each number becomes a plane, one more channel of the image.

A row (B, H W C + K) is an image $x$ and K numbers $t$, such as a one-hot label. As an image
(B, H, W, C + K) it holds each number at every pixel, so that a convolution sees it wherever its
window lies: of a one-hot label it adds up the weights of the label's plane, as if that sum were a
bias of the class.

$$ y_{nrq,c} = x_{nrqc} \quad (c < C), \qquad y_{nrq,C+k} = t_{nk} \tag{1} $$

**Backwards**, a number gets the sum over the pixels at which it stands:

$$ dx_{nrqc} = dy_{nrqc}, \quad dt_{nk} = \sum_{r, q} dy_{nrq,C+k} \tag{2} $$
"""

import math
from typing import Any

from ..engine.backend import Array
from ..engine.layer import Layer


class Planes(Layer):
    """From rows (B, H W C + K) to images (B, H, W, C + K).

    Parameters
    ----------
    shape : tuple of int
        (H, W, C).
    given : int
        K.
    dtype, backend
        As for every layer.
    """

    def __init__(self, shape: tuple[int, ...], given: int, **where: Any) -> None:
        super().__init__(**where)
        self.shape, self.given = shape, given

    def forward(self, x: Array) -> Array:
        """Return rows x (B, H W C + K) as images (B, H, W, C + K)."""
        n = math.prod(self.shape)
        self.expect("x", x, ("B", n + self.given))
        self.cache, xp = (), self.backend.xp
        spread = xp.broadcast_to(x[:, None, None, n:], (len(x), *self.shape[:2], self.given))
        return xp.concatenate([x[:, :n].reshape(len(x), *self.shape), spread], axis=3)  # (1)

    def backward(self, dy: Array) -> Array:
        """Return dx (B, H W C + K)."""
        self.saved()
        channels = self.shape[2]
        image, planes = dy[..., :channels], dy[..., channels:]
        numbers = planes.sum(axis=(1, 2))
        return self.backend.xp.concatenate([image.reshape(len(dy), -1), numbers], axis=1)  # (2)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From a shape (B, K) of rows to (B, H, W, C)."""
        return (shape[0], *self.shape[:2], self.shape[2] + self.given)

    def __repr__(self) -> str:
        return f"Planes({self.shape}, {self.given})"
