"""Subject: whatever is to be checked, brought into one form.

A layer, a model, a pair of functions as courses write them, or a loss with its gradient: each
becomes named arrays, a `forward` from them to outputs, and a `backward` to named gradients. The
engine in `gradients.py` knows subjects only.
"""

import contextlib
import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..case import Case
from ..errors import OptionError, ShapeError
from ..layer import Layer
from ..models.base import Model

Arrays = dict[str, np.ndarray]


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
        Whether the output is a loss, whose upstream gradient is 1.
    case : Case, optional
        The operation's case, when it is one of minivae's own.
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


@contextlib.contextmanager
def frozen_randomness(seed: int) -> Iterator[None]:
    """Give NumPy's and Python's global generators, and unseeded new ones, a fixed seed inside.

    A forward pass that draws its own noise is then the same function each time it is called.
    """
    legacy = np.random  # its global generator is what students' code draws from
    numpy_state, python_state = legacy.get_state(), random.getstate()
    default_rng = np.random.default_rng
    legacy.seed(seed)
    random.seed(seed)
    streams = np.random.SeedSequence(seed)
    np.random.default_rng = lambda given=None: default_rng(
        streams.spawn(1)[0] if given is None else given
    )
    try:
        yield
    finally:
        legacy.set_state(numpy_state)
        random.setstate(python_state)
        np.random.default_rng = default_rng


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
        case.name, arguments, tuple(case.vary), forward, backward, case.analytic, case=case
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
    dtype = layer.params.dtype
    arguments = {n: np.asarray(array, dtype) for n, array in zip(names, inputs, strict=True)}
    arguments |= {n: layer.params[n].copy() for n in layer.params}

    def forward(values: Arrays) -> tuple[list[np.ndarray], Any]:
        for n in layer.params:
            layer.params[n][...] = values[n]
        outputs = layer.forward(*(values[n].astype(dtype) for n in names))
        return as_list(outputs), None

    def backward(upstream: list[np.ndarray], cache: Any) -> dict[str, Any]:
        layer.params.grad[...] = np.nan  # so that a gradient that is not written is seen
        returned = as_tuple(layer.backward(*(dy.astype(dtype) for dy in upstream)))
        gradients = dict(zip(names, returned, strict=False))
        return gradients | {n: layer.params.grad_of(n).copy() for n in layer.params}

    outputs, _ = forward(arguments)
    returned = as_tuple(layer.backward(*(np.zeros_like(y) for y in outputs)))
    vary = (*names[: len(returned)], *layer.params)  # the inputs after these are noise
    return Subject(name, arguments, vary, forward, backward, analytic=False)


def from_model(model: Model, x: np.ndarray, noise: np.ndarray | None) -> Subject:
    """Subject of a whole model: its parameters, with the data and the noise held fixed."""
    params = model.params

    def forward(values: Arrays) -> tuple[list[np.ndarray], Any]:
        for n in params:
            params[n][...] = values[n]
        return [np.asarray(model.forward(x, noise).loss)], None

    def backward(upstream: list[np.ndarray], cache: Any) -> dict[str, Any]:
        params.grad[...] = np.nan
        model.backward()
        return {n: params.grad_of(n).copy() for n in params}

    arguments = {n: params[n].copy() for n in params}
    return Subject(
        repr(model), arguments, tuple(params), forward, backward, analytic=False, scalar=True
    )


def from_functions(
    forward: Callable,
    backward: Callable | None,
    inputs: dict[str, Any],
    wrt: Sequence[str] | None,
    name: str,
) -> Subject:
    """Subject of plain functions, as courses write them.

    Three forms are understood: `forward(...) -> (out, cache)` with `backward(dout, cache)`; a loss
    `forward(...) -> number` with `backward(...) -> gradients` of the same arguments; and, without
    `backward`, a function that returns `(loss, gradients)`.
    """
    arguments = {
        n: np.asarray(v, float) for n, v in inputs.items() if isinstance(v, np.ndarray | list)
    }
    options = {n: v for n, v in inputs.items() if n not in arguments}
    integers = {
        n for n, v in inputs.items() if np.asarray(v).dtype.kind in "iub" and n in arguments
    }
    for n in integers:
        options[n] = np.asarray(inputs[n])
        del arguments[n]
    if not arguments:
        raise OptionError(
            f"no array was given to check {name} at; pass them by name, as "
            "`inputs={'x': x, 'w': w}`."
        )

    def run(values: Arrays) -> Any:
        return forward(**{n: values[n] if n in values else options[n] for n in inputs})

    with frozen_randomness(0):
        first = run({n: a.copy() for n, a in arguments.items()})
    is_pair = isinstance(first, tuple) and len(first) == 2 and backward is not None
    if is_pair and np.ndim(first[0]) == 0 and _takes(backward, inputs):
        is_pair = False
    scalar = not is_pair or np.ndim(first[0]) == 0

    def run_forward(values: Arrays) -> tuple[list[np.ndarray], Any]:
        returned = run(values)
        if is_pair:
            return as_list(returned[0]), returned[1]
        if backward is None:
            return [np.asarray(returned[0])], returned[1]
        loss = returned[0] if isinstance(returned, tuple) else returned
        return [np.asarray(loss)], values

    def run_backward(upstream: list[np.ndarray], cache: Any) -> dict[str, Any]:
        if is_pair:
            dout = upstream[0] if len(upstream) == 1 else tuple(upstream)
            returned = backward(float(dout) if np.ndim(dout) == 0 else dout, cache)
        elif backward is None:
            returned = cache
        else:
            returned = backward(**{n: cache[n] if n in cache else options[n] for n in inputs})
        return name_gradients(returned, list(wrt or arguments))

    with frozen_randomness(0):
        outputs, cache = run_forward({n: a.copy() for n, a in arguments.items()})
        gradients = run_backward([np.ones_like(y) for y in outputs], cache)
    vary = tuple(wrt) if wrt else tuple(n for n in arguments if n in gradients)
    if not vary:
        raise OptionError(
            f"{name} returned gradients called {', '.join(gradients)}, but its array arguments are "
            f"{', '.join(arguments)}; name a gradient `d` and the argument's name, or pass `wrt`."
        )
    return Subject(name, arguments, vary, run_forward, run_backward, scalar=scalar)


def _takes(function: Callable, inputs: dict[str, Any]) -> bool:
    """Whether a gradient function takes the same arguments as its loss."""
    try:
        return list(inspect.signature(function).parameters) == list(inputs)
    except (TypeError, ValueError):
        return False


def name_gradients(returned: Any, order: list[str]) -> dict[str, Any]:
    """Gradients by argument, from a dict (`dW`, `W`, `grad_W`), a tuple in order, or one array."""
    if isinstance(returned, dict):
        names = {}
        for key, value in returned.items():
            plain = str(key)
            for candidate in (plain, plain.removeprefix("d"), plain.removeprefix("grad_")):
                if candidate in order:
                    plain = candidate
                    break
            names[plain] = value
        return names
    return {
        n: value for n, value in zip(order, as_tuple(returned), strict=False) if value is not None
    }


def as_tuple(value: Any) -> tuple:
    """A tuple as it is, a list as a tuple, anything else as a tuple of one."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def as_list(value: Any) -> list[np.ndarray]:
    """Outputs as a list of arrays."""
    return [np.asarray(part) for part in as_tuple(value)]
