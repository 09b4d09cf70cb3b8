"""Case: what a check needs to know to probe one operation.

A gradient check is only as good as the point it is made at. At sizes that are all equal, a
transposed product goes unseen; at `logvar = 0`, variance and standard deviation are the same
number; at a batch of one, a forgotten sum over the batch changes nothing. So a case names each
axis by its letter, the letters of one operation have different primes as their sizes, and values
are drawn at random, away from kinks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import OptionError
from .backend import float_dtype
from .door import door
from .kinds import Whole
from .layer import Layer

SIZES = {
    **{"B": 3, "I": 5, "O": 7, "D": 11, "Z": 2, "K": 13, "L": 17, "1": 1, "2": 2},
    **{"H": 19, "W": 23, "C": 2, "T": 29, "V": 31},
}
"""Letter of an axis -> default size: batch, in, out, data, latent, samples, levels; height (or
hidden), width, channels, time, vocabulary. Each is a prime of its own, but for the channels, of
which there are few, so that an image is no larger than a check can take."""


def undeclared(**how: Any) -> Layer:
    """Stand in for the layer of a case that names none."""
    raise OptionError("this case names no layer; give it layer=lambda **how: ..., or layer=None.")


@door
@dataclass(frozen=True)
class Case:
    """An operation and how to draw arguments for it.

    Attributes
    ----------
    name : str
        Name of the operation.
    forward, backward : callable
        The reference pair: `forward(**arguments, **options) -> (y, cache)` and
        `backward(dy, *cache) -> gradients`, one for each name in `vary`, in that order.
    vary : dict of str to tuple of str
        Arguments that have a gradient, with the letters of their axes.
    fixed : dict of str to tuple of str
        Arguments that have none: data, noise, masks.
    options : dict
        Further keyword arguments of `forward` that are no arrays.
    prepare : callable, optional
        `prepare(arguments, rng) -> arguments`: bring the normal draws into the operation's domain.
    analytic : bool
        Whether `forward` takes complex arguments and is analytic, so that the complex step applies.
    output : tuple of str
        Letters of the axes of y; () if it is a number.
    layer : callable, optional
        `layer(dtype=..., backend=...)`: the operation's layer, for the default sizes; None if it
        has none on purpose.
    pack : callable, optional
        `pack(arrays) -> arrays`: bring arguments, or the gradients of some of them, into the form
        in which the layer takes and gives them, by name. Without it they are taken as they are.
    sizes : dict of str to int
        Sizes of axes where they are not those of `SIZES`: of an image that is smaller, and of what
        follows from it, as the number of windows does from height, kernel and stride.
    """

    name: str
    forward: Callable[..., tuple[Any, tuple]]
    backward: Callable[..., Any]
    vary: Mapping[str, tuple[str, ...]]
    fixed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[dict, np.random.Generator], dict] | None = None
    analytic: bool = True
    output: tuple[str, ...] | None = None
    layer: Callable[..., Layer] | None = undeclared
    pack: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)

    def draw(
        self,
        rng: np.random.Generator,
        sizes: dict[str, Whole] | None = None,
        dtype: Any = "float64",
    ) -> dict[str, np.ndarray]:
        """Draw all array arguments at random, for `forward(**arguments, **case.options)`."""
        dtype = float_dtype(dtype)
        sizes = {**SIZES, **self.sizes, **(sizes or {})}
        arguments = {
            name: rng.standard_normal([sizes[letter] for letter in axes])
            for name, axes in {**self.vary, **self.fixed}.items()
        }
        if self.prepare is not None:
            arguments = self.prepare(arguments, rng)
        return {name: np.asarray(value, dtype) for name, value in arguments.items()}

    def gradients(self, dy: Any, cache: tuple) -> dict[str, Any]:
        """Run `backward` and name what it returns."""
        returned = self.backward(dy, *cache)
        if len(self.vary) == 1:
            returned = (returned,)
        return dict(zip(self.vary, returned, strict=True))

    def of_layer(self, arrays: dict[str, Any], layer: Layer) -> list[Any]:
        """Return arguments, or gradients, as the layer takes them: without its parameters."""
        packed = arrays if self.pack is None else self.pack(arrays)
        return [array for name, array in packed.items() if name not in layer.params]


@door
def away_from(*kinks: float, margin: float = 0.1) -> Callable[[dict, np.random.Generator], dict]:
    """Make a `prepare` that moves every number at least `margin` away from each kink."""

    def prepare(arguments: dict, rng: np.random.Generator) -> dict:
        moved = {}
        for name, value in arguments.items():
            for kink in kinks:
                near = np.abs(value - kink) < margin
                value = np.where(near, kink + np.where(value < kink, -1, 1) * 2 * margin, value)
            moved[name] = value
        return moved

    return prepare
