"""Subject: whatever is to be checked, brought into one form.

A layer, a model, a pair of functions as courses write them, or a loss with its gradient: each
becomes named arrays, a `forward` from them to outputs, and a `backward` to named gradients.
"""

import contextlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ...engine.case import Case
from ...engine.layer import Layer
from ...errors import ShapeError
from ...models.base import Model
from .draws import Generators, find_generators
from .frozen import HELD, frozen_randomness
from .twin import float64_twin

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Manners:
    """How a backward pass was written, as far as the verdict depends on it.

    Attributes
    ----------
    upstream : tuple of (str, bool)
        What it calls the upstream gradients, and whether it must be given them; empty where it
        takes none.
    stopped : str
        A word in the source that says that a gradient is stopped.
    epsilon : float
        The largest of the small constants in the source.
    overlooked : dict of str to tuple of int
        Names and shapes of arrays of an object that change its output, though no gradient was found
        for them.
    lost : tuple of str
        Local names in backward of gradients of these, which it keeps nowhere.
    foreign : bool
        Whether a course's conventions may stand in it.
    single : bool
        Whether its source asks for float32, in the place of which float64 was put.
    """

    upstream: tuple[tuple[str, bool], ...] = (("dout", True),)
    stopped: str = ""
    epsilon: float = 0.0
    overlooked: dict[str, tuple[int, ...]] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    foreign: bool = False
    single: bool = False

    @property
    def name(self) -> str:
        """What the first upstream gradient is called."""
        return self.upstream[0][0].lstrip("*") if self.upstream else ""

    @property
    def optional(self) -> bool:
        """Whether backward may be called without an upstream gradient."""
        return not any(required for _, required in self.upstream)


def manners_of(found: Any) -> Manners:
    """Manners out of what a pair says, which may come from a student's process."""
    found = found if isinstance(found, dict) else {}
    upstream, arrays = found.get("upstream"), found.get("overlooked")
    stopped, epsilon, lost = found.get("stopped"), found.get("epsilon"), found.get("lost")
    return Manners(
        tuple(
            (str(pair[0])[:40], bool(pair[1]))
            for pair in (upstream if isinstance(upstream, list) else ())
            if isinstance(pair, list) and len(pair) == 2
        ),
        str(stopped)[:40] if isinstance(stopped, str) else "",
        float(epsilon) if isinstance(epsilon, float) else 0.0,
        {
            str(pair[0])[:60]: tuple(int(n) for n in pair[1] if isinstance(n, int))
            for pair in (arrays if isinstance(arrays, list) else ())
            if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], list)
        },
        tuple(str(n)[:60] for n in (lost if isinstance(lost, list) else ())),
        foreign=True,
        single=found.get("single") is True,
    )


class Editor(Protocol):
    """The functions of a student's pair, as text that can be changed for a trial."""

    def functions(self, upstream: list[np.ndarray]) -> list[dict[str, Any]]:
        """Line, text, scope and end of each; see `conventions.editable.Editable.describe`."""

    def trial(
        self, index: int, text: str, arguments: Arrays, upstream: list[np.ndarray]
    ) -> tuple[list[np.ndarray], dict[str, Any]]:
        """Outputs and gradients with another text in the place of one function's."""


@dataclass
class Subject:
    """What is checked.

    Attributes
    ----------
    name : str
        What the report calls it.
    arguments : dict of str to numpy.ndarray
        All array inputs and parameters, at the point of the check.
    vary : tuple of str
        Those that have a gradient.
    forward : callable
        `forward(arguments) -> (outputs, cache)`, outputs a list of arrays.
    backward : callable
        `backward(upstream, cache) -> gradients`, upstream a list like outputs, gradients by name.
    analytic : bool
        Whether the complex step may be tried.
    scalar : bool
        Whether the output is a number, such as a loss.
    case : Case, optional
        The operation's case, when it is one of minivae's own.
    notes : list of str
        What the report should say besides.
    options : dict
        What else the functions are given: numbers, integer labels, and what a model holds fixed.
    generators : Generators
        Random generators that the functions keep.
    truth : callable, optional
        The outputs, where somebody knows better than `forward`: a grader's reference, of which the
        numerical gradients are taken then; or a float64 copy of what computes in float32.
    dtype : str, optional
        What the functions compute in, where the caller cannot choose.
    twin : Subject, optional
        The same functions and arguments in float64, where `dtype` is float32.
    record : callable, optional
        `record(arguments)`: the tape of the forward pass, or None, where it runs elsewhere.
    manners : Manners
        How the backward pass was written.
    known : callable, optional
        Gradients for given upstream gradients, of somebody whose word decides: a grader's solution.
    editor : Editor, optional
        What can change the source, to find the line that is wrong.
    """

    name: str
    arguments: Arrays
    vary: tuple[str, ...]
    forward: Callable[[Arrays], tuple[list[np.ndarray], Any]]
    backward: Callable[[list[np.ndarray], Any], dict[str, Any]]
    analytic: bool = True
    scalar: bool = False
    case: Case | None = None
    notes: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    generators: Generators = field(default_factory=Generators)
    truth: Callable[[Arrays], list[np.ndarray]] | None = None
    dtype: str | None = None
    twin: "Subject | None" = None
    record: Callable[[Arrays], Any] | None = None
    manners: Manners = field(default_factory=Manners)
    known: Callable[[list[np.ndarray]], Arrays] | None = None
    editor: Editor | None = None

    def frozen(self, seed: int) -> contextlib.AbstractContextManager[None]:
        """Freeze all randomness that the functions may draw from."""
        return frozen_randomness(seed, self.generators.found)


def from_case(
    case: Case, rng: np.random.Generator, sizes: dict[str, int] | None, dtype: str
) -> Subject:
    """Subject of one of minivae's operations, at a point that its case draws."""

    def forward(arguments: Arrays) -> tuple[list[np.ndarray], Any]:
        y, cache = case.forward(**arguments, **case.options)
        return [np.asarray(y)], cache

    def backward(upstream: list[np.ndarray], cache: Any) -> dict[str, Any]:
        return case.gradients(upstream[0], cache)

    arguments = case.draw(rng, sizes, dtype)
    return Subject(
        case.name,
        arguments,
        tuple(case.vary),
        forward,
        backward,
        case.analytic,
        case=case,
        options=dict(case.options),
        generators=find_generators(case.forward, case.backward),
    )


def from_layer(layer: Layer, inputs: Sequence[np.ndarray], name: str) -> Subject:
    """Subject of a layer: its inputs, as its forward names them, and its parameters."""
    names = list(inspect.signature(layer.forward).parameters)
    if not inputs or len(inputs) > len(names):
        raise ShapeError(
            f"{name} was given {len(inputs)} inputs, but its forward takes {', '.join(names)}; "
            "pass them as `inputs=(x, ...)`."
        )
    names = names[: len(inputs)]
    dtype, here, there = layer.params.dtype, layer.backend.to_host, layer.backend.asarray
    arguments = {
        n: np.asarray(here(array), dtype).astype(float)
        for n, array in zip(names, inputs, strict=True)
    }
    arguments |= {n: here(layer.params[n]).astype(float) for n in layer.params}

    def forward(values: Arrays) -> tuple[list[np.ndarray], Any]:
        for n in layer.params:
            layer.params[n][...] = there(values[n], dtype)
        with layer.params.rehearsal():
            outputs = layer.forward(*(there(values[n].astype(dtype)) for n in names))
        return [np.asarray(here(y)) for y in as_tuple(outputs)], None

    def backward(upstream: list[np.ndarray], cache: Any) -> dict[str, Any]:
        layer.params.grad[...] = np.nan  # so that a gradient that is not written is seen
        returned = as_tuple(layer.backward(*(there(dy.astype(dtype)) for dy in upstream)))
        gradients = {n: here(dx) for n, dx in zip(names, returned, strict=False)}
        return gradients | {n: here(layer.params.grad_of(n)).copy() for n in layer.params}

    outputs, _ = forward(arguments)
    returned = as_tuple(layer.backward(*(there(np.zeros_like(y)) for y in outputs)))
    vary = (*names[: len(returned)], *layer.params)  # the inputs after these are noise
    twin = _twin(layer, lambda twin: from_layer(twin, inputs, name))
    return Subject(
        name,
        arguments,
        vary,
        forward,
        backward,
        analytic=False,
        options={n: v for n, v in vars(layer).items() if isinstance(v, int | float)},
        generators=find_generators(layer.forward, layer.backward),
        truth=None if twin is None else lambda values: twin.forward(values)[0],
        dtype=dtype.name,
        twin=twin,
    )


def from_model(model: Model, x: np.ndarray, noise: np.ndarray | None) -> Subject:
    """Subject of a whole model: its parameters, with the data and the noise held fixed."""
    params, here, there = model.params, model.backend.to_host, model.backend.asarray
    x, noise = (None if a is None else there(here(a), params.dtype) for a in (x, noise))
    held: dict[int, Any] = {}

    def forward(values: Arrays) -> tuple[list[np.ndarray], Any]:
        for n in params:
            params[n][...] = there(values[n], params.dtype)
        with params.rehearsal(held):
            return [np.asarray(here(model.forward(x, noise).loss))], None

    def backward(upstream: list[np.ndarray], cache: Any) -> dict[str, Any]:
        params.grad[...] = np.nan
        model.backward()
        return {n: here(params.grad_of(n)).copy() for n in params}

    arguments = {n: here(params[n]).astype(float) for n in params}
    forward(arguments)
    twin = _twin(model, lambda twin: from_model(twin, x, noise))
    return Subject(
        repr(model),
        arguments,
        tuple(params),
        forward,
        backward,
        analytic=False,
        scalar=True,
        options={n: None if a is None else here(a) for n, a in (("x", x), ("eps", noise))},
        truth=None if twin is None else lambda values: twin.forward(values)[0],
        dtype=params.dtype.name,
        twin=twin,
        manners=Manners(upstream=()),
        notes=[HELD] if held else [],
    )


def _twin(original: Layer | Model, subject_of: Callable[[Any], Subject]) -> Subject | None:
    """Subject of a float64 copy of what computes in float32; None if there is none."""
    if original.params.dtype == np.float64:
        return None
    twin = float64_twin(original)
    return None if twin is None else subject_of(twin)


def as_tuple(value: Any) -> tuple:
    """A tuple as it is, a list as a tuple, anything else as a tuple of one."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def as_list(value: Any) -> list[np.ndarray]:
    """Outputs as a list of arrays."""
    return [np.asarray(part) for part in as_tuple(value)]
