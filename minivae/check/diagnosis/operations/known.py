"""Known operations: what the doctor compares a wrong gradient with.

A known operation is written once more here, independent of `minivae.ops` and as plainly as
possible: its forward values, by which it is recognised in somebody else's code, its right
gradients, and its *mutants*, the wrong gradients that people write. Every function takes `v`, in
which the arrays lie under the names of their roles, and `dy`, the upstream gradient of the forward
value.

Texts hold the names of roles in braces, `{logvar}`; the doctor puts in what the arguments are
called in the code that it looks at, and for `{g}` what stands for the upstream gradient there.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
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
    mended : bool
        Whether the text says already what is right.
    """

    key: str
    of: str
    text: str
    gradient: Gradient
    term: int = 0
    mended: bool = False


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
    mends : dict of str to str
        Role -> how its gradient is written: what the texts of its mutants end with. Mutants that
        follow from the right gradient alone are added to those that are listed.
    batch : int
        Axis of the forward value that runs over the examples.
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
    mends: dict[str, str] = field(default_factory=dict)
    batch: int = 0

    def __post_init__(self) -> None:
        every = [*self.mutants, *(m for role in self.mends for m in self._derived(role))]
        object.__setattr__(self, "mutants", tuple(map(self._with_mend, every)))

    def _with_mend(self, mutant: Mutant) -> Mutant:
        mend = self.mends.get(mutant.of)
        if mend is None or mutant.mended:
            return mutant
        return replace(mutant, text=f"{mutant.text}: {mend}", mended=True)

    def _derived(self, role: str) -> tuple[Mutant, ...]:
        """Mutants of the right gradient alone: without dout, and without the sum over examples."""
        right, axis = self.gradients[role], self.batch
        rows: list[tuple[str, str, Gradient]] = [
            ("no_upstream", "dout is not in it", lambda dy, v: _without_dout(right, dy, v)),
        ]
        if not {"B", "*"} & set(self.roles[role]):  # used by every example
            mean = "a mean over the batch stands where the sum belongs"
            rows += [
                ("mean_for_sum", mean, lambda dy, v: right(dy, v) / dy.shape[axis]),
                ("no_sum", ONLY_LAST, lambda dy, v: right(only(-1, axis)(dy), v)),
                ("no_sum", "only the first example is in it",
                 lambda dy, v: right(only(0, axis)(dy), v)),
            ]  # fmt: skip
        return mutants(role, *rows)

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


def _without_dout(right: Gradient, dy: Any, v: Values) -> np.ndarray:
    """The right gradient with ones for dout; a softmax's would be zero, and a loss has no dout."""
    gradient = None if isinstance(dy, tuple) else right(np.ones_like(dy), v)
    if gradient is None or np.abs(gradient).max(initial=0.0) < 1e-12:
        raise ValueError("without dout, this gradient is none")
    return gradient


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


def only(position: int, axis: int = 0) -> Callable[[np.ndarray], np.ndarray]:
    """Keep one row of an array, along an axis, and set the others to zero."""

    def keep(array: np.ndarray) -> np.ndarray:
        kept = np.zeros_like(array)
        np.moveaxis(kept, axis, 0)[position] = np.moveaxis(array, axis, 0)[position]
        return kept

    return keep


ONLY_LAST = (
    "only the last example is in it: in a loop over the batch, `=` overwrites what the examples "
    "before have given; start at zeros and write `+=`"
)
