"""Which exercises there are, and what a check needs to know of each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...engine.door import door
from ...errors import OptionError
from ..grading.inputs import SIZES, parse_spec, size_of
from ..grading.rubric import Exercise

SOLUTIONS = Path(__file__).parent / "solutions"


@door
@dataclass(frozen=True)
class Task(Exercise):
    """An exercise that is there to be handed out: its forward pass is given, in a solved file.

    `NAME_backward` is to be written. What a rubric says of it are the fields of `Exercise`.
    """

    @property
    def file(self) -> str:
        """Name of the file that holds it."""
        return f"{self.name}.py"

    @property
    def source(self) -> str:
        """The solved file with its marks."""
        return (SOLUTIONS / self.file).read_text(encoding="utf-8")

    @property
    def headline(self) -> str:
        """First line of the task."""
        return self.source.split('"""')[1].splitlines()[0]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an argument in the example."""
        if name not in self.inputs:
            known = ", ".join(self.inputs)
            raise OptionError(f"no argument is called {name!r}; there are: {known}.")
        return tuple(size_of(axis, self.sizes) for axis in self.inputs[name].axes)

    def example_lines(self) -> list[str]:
        """Python lines that draw the arguments into a dict, for an `rng` that exists."""
        lines = []
        for name, spec in self.inputs.items():
            draw = "random" if spec.kind == "unit" else "standard_normal"
            lines.append(f'    "{name}": rng.{draw}({self.shape(name)}),')
        return ["{", *lines, "}"]

    @property
    def numbers(self) -> int:
        """How many derivatives a check compares."""
        return sum(math.prod(self.shape(name)) for name in self.wrt)


def _task(
    name: str,
    points: int,
    inputs: dict[str, str],
    fixed: tuple[str, ...] = (),
    kind: str = "",
    sizes: dict[str, int] | None = None,
) -> Task:
    """A task with its inputs as a rubric writes them, and sizes of axes that are unusual."""
    return Task(
        name,
        points,
        kind=kind,
        inputs={argument: parse_spec(text) for argument, text in inputs.items()},
        fixed=fixed,
        sizes={**SIZES, **(sizes or {})},
    )


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
_NORM = {"x": "B D", "gamma": "D", "beta": "D"}
_IMAGE, _SMALL_IMAGE = {"B": 2, "H": 7, "W": 6, "O": 3}, {"B": 2, "H": 3, "W": 4, "O": 3}
_GAUSSIAN = {"mu": "B Z", "logvar": "B Z"}

EXERCISES = (
    _task("linear", 4, {"x": "B I", "W": "I O", "b": "O"}, kind="linear"),
    _task("silu", 2, {"x": "B I"}, kind="silu"),
    _task("bce", 3, {"logits": "B D", "x": "B D unit"}, ("x",), kind="bernoulli"),
    _task("kl", 3, _GAUSSIAN, kind="kl"),
    _task("reparameterize", 4, {**_GAUSSIAN, "eps": "B Z"}, ("eps",), kind="reparameterize"),
    _task("batch_norm", 6, _NORM),
    _task("layer_norm", 6, _NORM),
    _task("conv2d", 8, {"x": "B H W C", "W": "3 3 C O", "b": "O"}, sizes=_IMAGE),
    _task("conv_transpose2d", 8, {"x": "B H W C", "W": "3 3 O C", "b": "O"}, sizes=_SMALL_IMAGE),
    _task("vae", 12, _VAE, ("x", "eps"), sizes={"H": 7, "G": 5}),
    _task("iwae", 8, _IWAE, ("x", "eps"), sizes={"K": 5}),
)
"""All exercises, the easier ones first."""


@door
def choose(names: Sequence[str] | None = None) -> tuple[Task, ...]:
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
