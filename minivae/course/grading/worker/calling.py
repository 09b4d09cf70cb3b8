"""Calls of a student's pair: what goes into backward, and what changed in place.

Courses write `backward(dout, cache)`, `backward(cache, dout)`, `backward(dout, x, W)`,
`backward(dmu, dlogvar, cache)`, `backward(dout, *cache)`, a gradient function of the loss's own
arguments, and more; the names and the number of the parameters tell which it is.
"""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Parameters = list[tuple[str, bool]]

CACHES = {"cache", "caches", "ctx", "context", "saved", "memo", "tape"}
OUTPUTS = {"out", "output", "outputs", "y", "a", "s"}


@dataclass
class Call:
    """What is remembered of a forward call."""

    arguments: dict[str, Any]
    before: dict[str, Any]
    outputs: Any
    cache: Any
    cached: bool


def plain(name: str) -> str:
    """The name without case and underscores at its ends."""
    return name.lower().strip("_")


def parameters_of(function: Callable) -> Parameters:
    """Names of the positional parameters and whether each is required; `*name` for the rest."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        (stars.get(p.kind, "") + p.name, p.default is p.empty and p.kind not in stars)
        for p in found
    ]


def split(result: Any, forward: Parameters, backward: Parameters | None) -> tuple[Any, Any, bool]:
    """Outputs, cache, and whether there is one, of what forward returned."""
    if not isinstance(result, tuple) or len(result) < 2:
        return result, None, False
    if backward is not None:
        own = [n for n, _ in forward]
        names = [n for n, _ in backward]
        wants = any(plain(n) in CACHES or n.startswith("*") for n in names)
        wants = wants or len([n for n in names[1:] if n not in own]) > 0
        if not wants and isinstance(result[-1], np.ndarray | np.generic | float | int):
            return result, None, False
    elif len(result) > 2:
        return result[0], result[1:], True
    outputs = result[0] if len(result) == 2 else result[:-1]
    return outputs, result[-1], True


def fill(
    call: Call, parameters: Parameters, upstream: list[Any], method: bool
) -> tuple[list[Any], dict[str, Any]]:
    """Find what each parameter of backward asks for: positional arguments, and those by name."""
    names = [n for n, _ in parameters if not n.startswith("*")]
    star = len(names) < len(parameters)
    dout = upstream[0] if len(upstream) == 1 else tuple(upstream)
    scalar = all(np.ndim(dy) == 0 for dy in upstream)
    if scalar and not method and names and all(n in call.arguments for n in names):
        return [], {n: call.arguments[n] for n in names}  # the gradient function of a loss
    if any(plain(n) in CACHES for n in names):
        return _fill_around_cache(call, names, upstream, dout)
    leads = 0
    while leads < len(names) and names[leads].lower().startswith(("d", "g", "upstream")):
        leads += 1
    spread = len(upstream) > 1 and leads >= len(upstream)
    values = list(upstream) if spread else [dout][: len(parameters)]
    rest = parameters[len(values) :]
    rest = [(n, required) for n, required in rest if not n.startswith("*")]
    many = isinstance(call.cache, tuple | list)
    if call.cached and many and (star or (len(call.cache) == len(rest) and len(rest) > 1)):
        return [*values, *call.cache], {}
    if call.cached and len(rest) == 1:
        return [*values, call.cache], {}
    named = {}
    given = list(call.arguments.values())
    for i, (n, required) in enumerate(rest):
        if n in call.arguments:
            named[n] = call.arguments[n]
        elif required and plain(n) in OUTPUTS:
            named[n] = call.outputs
        elif required and i < len(given):
            named[n] = given[i]
    return values, named


def _fill_around_cache(
    call: Call, names: list[str], upstream: list[Any], dout: Any
) -> tuple[list[Any], dict[str, Any]]:
    """Fill a backward with a parameter that is called cache, at whichever place."""
    free = [n for n in names if plain(n) not in CACHES and n not in call.arguments]
    upstreams = upstream if 1 < len(upstream) <= len(free) else [dout]
    values = dict(zip(free, upstreams, strict=False))
    values |= {n: call.cache for n in names if plain(n) in CACHES}
    return [], values | {n: call.arguments[n] for n in names if n in call.arguments}


def changed(now: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The values that are no longer what they were."""
    return {n: v for n, v in now.items() if not same(v, before[n])}


def try_copy(value: Any) -> Any:
    """A deep copy; None where there can be none."""
    try:
        return copy.deepcopy(value)
    except Exception:
        return None


def same(a: Any, b: Any) -> bool:
    """Whether two nested values hold the same numbers; NaN equals NaN."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        nan = a.dtype.kind in "fc" and b.dtype.kind in "fc"
        return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=nan))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, int | float | complex) and isinstance(b, int | float | complex):
        return a == b or (a != a and b != b)
    return True
