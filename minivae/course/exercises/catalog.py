"""Which exercises there are, and what a check needs to know of each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...engine.case import SIZES
from ...errors import OptionError

SOLUTIONS = Path(__file__).parent / "solutions"


@dataclass(frozen=True)
class Exercise:
    """A backward pass to write, `NAME_backward`, for a forward pass that is given.

    Attributes
    ----------
    name : str
        Name of its file and of its functions, `NAME_forward` and `NAME_backward`.
    points : int
        What it is worth.
    inputs : dict of str to str
        Arguments of the forward pass in order -> letters of their axes, and `unit` for values
        between 0 and 1 instead of normal ones.
    fixed : tuple of str
        Arguments without a gradient: data and noise.
    kind : str
        The operation of `minivae.ops` that has the same values, if there is one.
    sizes : dict of str to int
        Sizes of axes where `minivae.engine.case.SIZES` has none, or others are wanted.
    """

    name: str
    points: int
    inputs: dict[str, str]
    fixed: tuple[str, ...] = ()
    kind: str = ""
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Name of the file that holds it."""
        return f"{self.name}.py"

    @property
    def source(self) -> str:
        """The solved file with its marks."""
        return (SOLUTIONS / self.file).read_text(encoding="utf-8")

    @property
    def title(self) -> str:
        """First line of the task."""
        return self.source.split('"""')[1].splitlines()[0]

    @property
    def gradients(self) -> tuple[str, ...]:
        """Arguments that have a gradient."""
        return tuple(name for name in self.inputs if name not in self.fixed)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an argument in the example."""
        sizes = {**SIZES, **self.sizes}
        return tuple(sizes[letter] for letter in self.inputs[name].split() if letter != "unit")

    def example_lines(self) -> list[str]:
        """Python lines that draw the arguments into a dict, for an `rng` that exists."""
        lines = []
        for name, axes in self.inputs.items():
            draw = "random" if axes.endswith("unit") else "standard_normal"
            lines.append(f'    "{name}": rng.{draw}({self.shape(name)}),')
        return ["{", *lines, "}"]

    @property
    def numbers(self) -> int:
        """How many derivatives a check compares."""
        return sum(math.prod(self.shape(name)) for name in self.gradients)


_VAE = {
    "x": "B D unit",
    "eps": "B Z",
    **{"W1": "D H", "b1": "H"},
    **{"Wm": "H Z", "bm": "Z", "Wv": "H Z", "bv": "Z"},
    **{"W2": "Z G", "b2": "G", "W3": "G D", "b3": "D"},
}
_IWAE = {
    **{"x": "B D unit", "eps": "B K Z"},
    **{"mu": "B Z", "logvar": "B Z", "W": "Z D", "b": "D"},
}
_GAUSSIAN = {"mu": "B Z", "logvar": "B Z"}

EXERCISES = (
    Exercise("linear", 4, {"x": "B I", "W": "I O", "b": "O"}, kind="linear"),
    Exercise("silu", 2, {"x": "B I"}, kind="silu"),
    Exercise("bce", 3, {"logits": "B D", "x": "B D unit"}, ("x",), kind="bernoulli"),
    Exercise("kl", 3, _GAUSSIAN, kind="kl"),
    Exercise("reparameterize", 4, {**_GAUSSIAN, "eps": "B Z"}, ("eps",), kind="reparameterize"),
    Exercise("batch_norm", 6, {"x": "B D", "gamma": "D", "beta": "D"}),
    Exercise("vae", 12, _VAE, ("x", "eps"), sizes={"H": 7, "G": 5}),
    Exercise("iwae", 8, _IWAE, ("x", "eps"), sizes={"K": 5}),
)
"""All exercises, the easier ones first."""


def choose(names: Sequence[str] | None = None) -> tuple[Exercise, ...]:
    """Exercises of these names, in the order of `EXERCISES`; all by default.

    Raises
    ------
    OptionError
        If there is none of a name.
    """
    if names is None:
        return EXERCISES
    known = [exercise.name for exercise in EXERCISES]
    for name in names:
        if name not in known:
            raise OptionError(f"there is no exercise {name!r}; choose from: {', '.join(known)}.")
    return tuple(exercise for exercise in EXERCISES if exercise.name in names)
