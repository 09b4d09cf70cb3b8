"""Known operations: what the doctor compares a wrong gradient with.

A known operation is written once more here, independent of `minivae.ops` and as plainly as
possible: its forward values, by which it is recognised in somebody else's code, its right
gradients, and its *mutants*, the wrong gradients that people write. Every function takes `v`, in
which the arrays lie under the names of their roles, and `dy`, the upstream gradient of the forward
value.

Texts hold the names of roles in braces, `{logvar}`; the doctor puts in what the arguments are
called in the code that it looks at, and for `{g}` what stands for the upstream gradient there.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace as Values
from typing import Any

import numpy as np

from ....engine.case import SIZES

Gradient = Callable[[Any, Values], np.ndarray]


@dataclass(frozen=True)
class Mutant:
    """A wrong gradient, and what to say about it.

    Attributes
    ----------
    key : str
        One of `minivae.check.mistakes.MISTAKES`.
    of : str
        Role of the argument whose gradient it is.
    text : str
        What is wrong and how to mend it.
    gradient : callable
        `gradient(dy, v)`, the wrong gradient.
    term : int
        Which of the operation's values the text is about, where it has several.
    """

    key: str
    of: str
    text: str
    gradient: Gradient
    term: int = 0


@dataclass(frozen=True)
class Known:
    """A known operation.

    Attributes
    ----------
    name : str
        Short name.
    title : str
        What it is, in words and a formula.
    roles : dict of str to tuple of str
        Role of each array -> letters of its axes; `*` is any number of axes.
    forward : callable
        `forward(v)`: the value, not yet summed over anything that courses sum over or not; or a
        tuple of values, whose weighted sum the operation is.
    gradients : dict of str to callable
        Role -> right gradient `gradient(dy, v)`; with a tuple of values, dy is a tuple too.
    mutants : tuple of Mutant
        Wrong gradients.
    options : dict of str to tuple
        Numbers that are not arrays -> the values to try where they are not passed by name.
    draw : callable, optional
        `draw(v, rng)` brings normal draws into the operation's domain, for tests.
    special_of : str
        Name of the simpler operation whose values it has at many points; not sought beside it.
    hidden : str
        Role of noise that the function may draw itself instead of taking it.
    guess : callable, optional
        `guess(v, output)` finds options from the values of the function at hand.
    network : object, optional
        The whole VAE behind it, see `vae.py`.
    sizes : dict of str to int
        Axis sizes for tests, where the usual ones are not possible.
    """

    name: str
    title: str
    roles: dict[str, tuple[str, ...]]
    forward: Callable[[Values], Any]
    gradients: dict[str, Gradient]
    mutants: tuple[Mutant, ...] = ()
    options: dict[str, tuple] = field(default_factory=dict)
    draw: Callable[[Values, np.random.Generator], None] | None = None
    hidden: str = ""
    special_of: str = ""
    guess: Callable[[Values, np.ndarray], dict[str, float]] | None = None
    network: Any = None
    sizes: dict[str, int] = field(default_factory=dict)

    def example(self, rng: np.random.Generator, sizes: dict[str, int] | None = None) -> Values:
        """Arrays for every role, and the first value of every option."""
        sizes = {**SIZES, "*": (3, 5), "H": 5, "W": 7, "C": 3, **self.sizes, **(sizes or {})}
        v = Values(**{option: values[0] for option, values in self.options.items()})
        for role, axes in self.roles.items():
            shape: list[int] = []
            for letter in axes:
                size = sizes[letter]
                shape += list(size) if isinstance(size, tuple) else [size]
            setattr(v, role, rng.standard_normal(shape))
        if self.draw is not None:
            self.draw(v, rng)
        return v


def mutants(of: str, *rows: tuple[str, str, Gradient]) -> tuple[Mutant, ...]:
    """Mutants of one gradient, from rows (key, text, gradient)."""
    return tuple(Mutant(key, of, text, gradient) for key, text, gradient in rows)


def bind_axes(
    roles: dict[str, tuple[str, ...]], shapes: dict[str, tuple[int, ...]]
) -> dict[str, Any] | None:
    """Sizes of the letters that make the shapes fit the axes; None if there are none."""
    bound: dict[str, Any] = {"1": 1}
    for role, axes in roles.items():
        shape = shapes[role]
        if "*" in axes:
            before, after = axes.index("*"), len(axes) - axes.index("*") - 1
            if len(shape) < before + after:
                return None
            middle = shape[before : len(shape) - after]
            if bound.setdefault("*", middle) != middle:
                return None
            pairs: Iterable = [
                *zip(axes[:before], shape[:before], strict=True),
                *zip(axes[before + 1 :], shape[len(shape) - after :], strict=True),
            ]
        elif len(axes) != len(shape):
            return None
        else:
            pairs = zip(axes, shape, strict=True)
        for letter, size in pairs:
            if bound.setdefault(letter, size) != size:
                return None
    return bound


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow, for complex x too."""
    positive = np.real(x) > 0
    e = np.exp(np.where(positive, -x, x))
    return np.where(positive, 1, e) / (1 + e)


def softmax(x: np.ndarray, axis: int | tuple[int, ...] = -1) -> np.ndarray:
    """exp(x), normalised along an axis."""
    e = np.exp(x - np.real(x).max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels (B,), or what is one-hot already, as rows of zeros with a one."""
    labels = np.asarray(labels)
    return np.eye(classes)[labels.astype(int)] if labels.ndim == 1 else labels


def only(position: int) -> Callable[[np.ndarray], np.ndarray]:
    """Keep one row of an array and set the others to zero."""

    def keep(array: np.ndarray) -> np.ndarray:
        kept = np.zeros_like(array)
        kept[position] = array[position]
        return kept

    return keep


ONLY_LAST = (
    "only the last example is in it: in a loop over the batch, `=` overwrites what the examples "
    "before have given; start at zeros and write `+=`"
)


def join(*groups: Sequence[Mutant]) -> tuple[Mutant, ...]:
    """One tuple of several."""
    return tuple(mutant for group in groups for mutant in group)
