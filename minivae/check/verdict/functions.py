"""Plain functions, as courses write them, brought into the form of a subject."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import OptionError
from .draws import find_generators
from .frozen import frozen_randomness
from .subject import Arrays, Subject, as_list, as_tuple

CACHE_NAMES = ("cache", "caches", "ctx", "saved", "memory", "mem", "state", "stash", "c", "tmp")
"""Names of an argument that takes a cache as a whole, also when that is a tuple of one."""


def from_functions(
    forward: Callable,
    backward: Callable | None,
    inputs: dict[str, Any],
    wrt: Sequence[str] | None,
    name: str,
) -> Subject:
    """Subject of plain functions, as courses write them.

    Four forms are understood: `forward(...) -> (out, cache)` with `backward(dout, cache)`, or, if
    the cache is a tuple and backward takes so many arguments more, with `backward(dout, *cache)`;
    `forward(...) -> out` with `backward(dout, ...)`, which takes the arguments again; a loss
    `forward(...) -> number` with `backward(...) -> gradients` of the same arguments; and, without
    `backward`, a function that returns `(loss, gradients)`. The backward pass of a loss may leave
    out its upstream gradient, which is 1: `backward(cache)`.
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

    generators = find_generators(*(f for f in (forward, backward) if f is not None))
    with frozen_randomness(0, generators.found):
        first = run({n: a.copy() for n, a in arguments.items()})
    is_pair = isinstance(first, tuple) and len(first) == 2 and backward is not None
    if is_pair and _is_number(first[0]) and _parameters(backward) == list(inputs):
        is_pair = False
    spread = is_pair and _takes_spread(backward, first[1])
    upstream_name = None if isinstance(first, tuple) else _upstream_name(backward, inputs)
    scalar = not (is_pair or upstream_name) or _is_number(first[0] if is_pair else first)

    def run_forward(values: Arrays) -> tuple[list[np.ndarray], Any]:
        returned = run(values)
        if is_pair:
            return as_list(returned[0]), returned[1]
        if upstream_name:
            return as_list(returned), values
        if backward is None:
            return [np.asarray(returned[0])], returned[1]
        loss = returned[0] if isinstance(returned, tuple) else returned
        return [np.asarray(loss)], values

    def run_backward(upstream: list[np.ndarray], cache: Any) -> dict[str, Any]:
        dout = upstream[0] if len(upstream) == 1 else tuple(upstream)
        dout = float(dout) if _is_number(dout) else dout
        if is_pair and scalar and len(_parameters(backward)) == 1:
            returned = backward(cache)
        elif spread:
            returned = backward(dout, *cache)
        elif is_pair:
            returned = backward(dout, cache)
        elif upstream_name:
            again = {n: cache[n] if n in cache else options[n] for n in inputs}
            returned = backward(**again, **{upstream_name: dout})
        elif backward is None:
            returned = cache
        else:
            returned = backward(**{n: cache[n] if n in cache else options[n] for n in inputs})
        return name_gradients(returned, list(wrt or arguments))

    with frozen_randomness(0, generators.found):
        outputs, cache = run_forward({n: a.copy() for n, a in arguments.items()})
        gradients = run_backward([np.ones_like(y) for y in outputs], cache)
    vary = tuple(wrt) if wrt else tuple(n for n in arguments if n in gradients)
    if not vary:
        raise OptionError(
            f"{name} returned gradients called {', '.join(gradients)}, but its array arguments are "
            f"{', '.join(arguments)}; name a gradient `d` and the argument's name, or pass `wrt`."
        )
    return Subject(
        name,
        arguments,
        vary,
        run_forward,
        run_backward,
        scalar=scalar,
        notes=_not_checked(arguments, vary, gradients),
        options=options,
        generators=generators,
    )


def _not_checked(arguments: Arrays, vary: Sequence[str], gradients: dict[str, Any]) -> list[str]:
    """What the reader must know: which arguments and which gradients were left out."""
    notes = []
    if without := [n for n in arguments if n not in vary and n not in gradients]:
        notes.append(f"no gradient was returned for {', '.join(without)}, so none was checked")
    if strangers := [n for n in gradients if n not in arguments]:
        notes.append(
            f"a gradient called {', '.join(strangers)} was returned, but no array argument is "
            "called so; it was not checked"
        )
    return notes


def _takes_spread(backward: Callable, cache: Any) -> bool:
    """Whether a backward pass takes the parts of the cache as arguments of their own."""
    names = _parameters(backward)
    if not isinstance(cache, tuple) or len(names) != len(cache) + 1:
        return False
    return len(cache) > 1 or names[1] not in CACHE_NAMES


def _is_number(value: Any) -> bool:
    return not isinstance(value, tuple | list) and np.ndim(value) == 0


def _parameters(function: Callable | None) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _upstream_name(backward: Callable | None, inputs: dict[str, Any]) -> str | None:
    """What a backward pass calls its upstream gradient, if it takes all the inputs besides."""
    names = _parameters(backward)
    others = [n for n in names if n not in inputs]
    return others[0] if len(others) == 1 and len(names) == len(inputs) + 1 else None


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
