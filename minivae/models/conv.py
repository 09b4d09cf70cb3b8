r"""Convolutions: the network "conv", for images.

    x (B, H, W, C) --conv--> (B, H/s, W/s, 32) --conv--> (B, H/s^2, W/s^2, 64) --dense--> features
    z (B, Z) --dense--> (B, H/s^2, W/s^2, 64) --transposed--> ... --transposed--> (B, H, W, C)

Each convolution takes the image down by its stride $s$, and each transposed one of the decoder
takes it up again, to the same sizes in the opposite order. The padding is "same": a side of $n$
pixels comes to $\lceil n / s \rceil$, so none is left out, and with the same padding a transposed
convolution makes $n$ of it again (`ops/windows.py`).

Between a convolution and its activation may stand a norm. As Radford, Metz and Chintala (2016,
section 3) found for GANs, none stands where the data come in or where they are given: mean and
variance of the data are to be learned.
"""

from itertools import pairwise
from typing import Any, ClassVar

from ..engine.layer import Layer, Reshape, Sequential
from ..errors import OptionError, ShapeError
from ..ops import Activation, BatchNorm, Conv2d, ConvTranspose2d, LayerNorm, Linear
from ..ops.windows import Pair, sides_for, times, whole
from .mlp import MLP, check_widths, dense_layers
from .network import Network
from .registry import Option

NORMS: dict[str, Any] = {"none": None, "batch": BatchNorm, "layer": LayerNorm}
"""What may stand between a convolution and its activation; both norms are of the channels."""

FIRST, MOST, SMALL = 32, 256, 7
"""Where no channels are given, the first convolution has so many, and each further one twice as
many, but at most so many; they end where the smaller side of the image has so many pixels or
fewer."""


class Conv(Network):
    """Convolutions and dense layers; the decoder's are those of the trunk in reverse."""

    name = "conv"
    shaped = True
    options: ClassVar = {
        "channels": Option(
            int,
            (),
            f"of the convolutions, first to last (default: {FIRST}, {2 * FIRST}, ..., up to {MOST},"
            f" until a side of the image has {SMALL} pixels or fewer)",
            many=True,
        ),
        "kernel": Option(int, 4, "height and width of the convolutions' windows"),
        "stride": Option(int, 2, "steps of the windows, by which each takes the image down"),
        "norm": Option(
            str, "none", "between a convolution and its activation", choices=tuple(NORMS)
        ),
        "leak": Option(
            float, 0.0, "slope, left of 0, of the ReLUs behind the encoder's convolutions"
        ),
        "hidden": Option(int, (256,), "widths of the dense layers behind them", many=True),
        "activation": MLP.options["activation"],
    }
    examples: ClassVar = (
        {"n_pixels": (5, 4, 2), "channels": (3, 2), "kernel": 3},
        {"n_pixels": (6, 5), "channels": (3, 2), "kernel": 2, "norm": "batch", "hidden": (3,)},
        {"n_pixels": (3, 4), "channels": (4, 3), "stride": 1, "norm": "layer", "hidden": ()},
    )

    tiny: ClassVar = {"n_pixels": (4, 4), "channels": (2,), "kernel": 3, "hidden": ()}

    channels: tuple[int, ...]
    kernel: int
    stride: int
    norm: str
    leak: float
    hidden: tuple[int, ...]
    activation: str

    def __init__(self, **given: Any) -> None:
        for name in ("channels", "hidden"):
            if name in given:
                given[name] = check_widths(given[name], name)
        for name in ("kernel", "stride"):
            if name in given:
                if isinstance(given[name], tuple | list):
                    raise OptionError(
                        f"{name}={given[name]} was given; it is one number for both directions."
                    )
                given[name], _ = whole(name, given[name], 1)
        super().__init__(**given)
        if self.kernel < self.stride:
            raise OptionError(
                f"a kernel of {self.kernel} and a stride of {self.stride} were given, and the "
                "pixels between two windows would be seen by none; take a kernel of at least the "
                "stride."
            )
        if not 0 <= self.leak < 1:
            raise OptionError(f"leak={self.leak} was given; it is in [0, 1), and 0.2 is usual.")
        if self.norm not in NORMS:
            raise OptionError(f"norm={self.norm!r} was given; choose one of: {', '.join(NORMS)}.")

    def sizes(self, shape: tuple[int, ...]) -> list[Pair]:
        """Height and width of images (H, W, C) before the first convolution and after each one.

        Sets `channels`, if none were given.

        Raises
        ------
        ShapeError
            If the data are no images, or too small.
        """
        if len(shape) != 3:
            raise ShapeError(
                f"data of shape {shape} were given, but the network 'conv' takes images, (H, W) or "
                "(H, W, C); use the network 'mlp' (--network mlp)."
            )
        found = [(shape[0], shape[1])]
        self.channels = self.channels or self._usual_channels(min(found[0]))
        for i in range(len(self.channels)):
            h, w = found[-1]
            if min(h, w) < self.stride or 2 * min(h, w) < self.kernel:
                raise ShapeError(
                    f"convolution {i + 1} of {len(self.channels)} has a kernel of {self.kernel} "
                    f"and a stride of {self.stride}, which do not fit its image: the sizes are "
                    f"{', '.join(map(times, found))}; give fewer channels, or a smaller kernel and "
                    "stride."
                )
            found.append((-(-h // self.stride), -(-w // self.stride)))
        return found

    def _usual_channels(self, side: int) -> tuple[int, ...]:
        """Channels for images whose smaller side has so many pixels."""
        channels = [FIRST]
        while self.stride > 1 and (side := -(-side // self.stride)) > SMALL:
            channels.append(min(2 * channels[-1], MOST))
        return tuple(channels)

    def trunk(self, shape: tuple[int, ...], **how: Any) -> list[Layer]:
        """Convolutions from (B, H, W, C), then dense layers to the last hidden width."""
        *_, (h, w) = self.sizes(shape)
        where, layers = _without_rng(**how), self._down(shape, **how)
        n = h * w * self.channels[-1]
        dense = dense_layers((n, *self.hidden), self.activation, **how)
        return [*layers, Reshape(n, **where), *dense]

    def _down(self, shape: tuple[int, ...], **how: Any) -> list[Layer]:
        """Convolutions from (B, H, W, C) to the smallest image."""
        where = _without_rng(**how)
        layers: list[Layer] = []
        for c_in, c_out in pairwise((shape[2], *self.channels)):
            norm = self.norm if layers else "none"
            window = {"kernel": self.kernel, "stride": self.stride, "padding": "same"}
            bias = norm != "batch"  # which would take it away
            layers.append(Conv2d(c_in, c_out, **window, bias=bias, **how))
            layers += self._after(c_out, norm, leak=self.leak, **where)
        return layers

    def decoder(self, n_in: int, shape: tuple[int, ...], n_out: int, **how: Any) -> Layer:
        """Dense layers from (B, n_in), then transposed convolutions to (B, n_out)."""
        (h, w), c = self.sizes(shape)[-1], self.channels[-1]
        widths = (n_in, *reversed(self.hidden))
        layers = [
            *dense_layers(widths, self.activation, **how),
            Linear(widths[-1], h * w * c, **how),
            Reshape(h, w, c, **_without_rng(**how)),
        ]
        return Sequential(*layers, *self._up_from(shape, n_out, **how))

    def grid(self, shape: tuple[int, ...]) -> Pair:
        """Rows and columns of the smallest image."""
        return self.sizes(shape)[-1]

    def to_places(self, width: int, shape: tuple[int, ...], **how: Any) -> list[Layer]:
        """Convolutions from (B, H, W, C) to (B, h, w, width); no dense layers."""
        return [*self._down(shape, **how), Conv2d(self.channels[-1], width, 1, **how)]

    def from_places(self, n_in: int, shape: tuple[int, ...], n_out: int, **how: Any) -> Layer:
        """Convolutions from rows (B, h w width) to (B, n_out); no dense layers."""
        h, w = self.sizes(shape)[-1]
        width = n_in // (h * w)
        bias = self.norm != "batch"  # which would take it away
        first = Conv2d(width, self.channels[-1], 3, padding="same", bias=bias, **how)
        layers = [Reshape(h, w, width, **_without_rng(**how)), first]
        return Sequential(*layers, *self._up_from(shape, n_out, **how))

    def _up_from(self, shape: tuple[int, ...], n_out: int, **how: Any) -> list[Layer]:
        """Transposed convolutions from the smallest image to (B, n_out)."""
        sizes, where = self.sizes(shape)[::-1], _without_rng(**how)
        layers: list[Layer] = []
        made = (*reversed(self.channels), n_out // (shape[0] * shape[1]))
        for left, ((c_in, c_out), large) in enumerate(zip(pairwise(made), sizes[1:], strict=True)):
            layers += self._after(c_in, self.norm, **where)
            bias = self.norm != "batch" or left == len(self.channels) - 1
            layers.append(self._up(c_in, c_out, large, bias=bias, **how))
        return [*layers, Reshape(n_out, **where)]

    def _after(self, channels: int, norm: str, *, leak: float = 0.0, **where: Any) -> list[Layer]:
        """What follows a convolution."""
        normed = [] if norm == "none" else [NORMS[norm](channels, **where)]
        if leak and self.activation == "relu":
            return [*normed, Activation("leaky_relu", slope=leak, **where)]
        return [*normed, Activation(self.activation, **where)]

    def _up(self, c_in: int, c_out: int, large: Pair, **how: Any) -> Layer:
        """Transposed convolution to images of that size, from those that a convolution makes."""
        k, s = self.kernel, self.stride
        sides = sides_for("same", large, (k, k), (s, s))
        return ConvTranspose2d(c_in, c_out, k, stride=s, padding=sides, **how)

    def between(self, n_in: int, n_out: int) -> str:
        """Channels, widths, activation and norm."""
        widths = "-".join(map(str, (n_in, *(f"conv{c}" for c in self.channels), *self.hidden)))
        norm = "" if self.norm == "none" else f", {self.norm} norm"
        return f"{widths}-{n_out}, {self.activation}{norm}"


def _without_rng(rng: Any, **where: Any) -> dict[str, Any]:
    """`dtype` and `backend` alone, for layers without weights to draw."""
    return where
