"""Calls of a student's pair: what forward returned, and what goes into backward.

Courses write `backward(dout, cache)`, `backward(cache, dout)`, `backward(dout, x, W)`,
`backward(dmu, dlogvar, cache)`, `backward(dout, *cache)`, a gradient function of the loss's own
arguments, a derivative without an upstream gradient, and more. The names and the number of the
parameters tell which it is; where they do not, nothing is called, and the reason is said.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .names import (
    CACHES,
    DATA,
    OUTPUTS,
    SHORT_CACHES,
    WITHOUT_GRADIENT,
    plain,
    sure_names,
    upstreams_among,
)
from .source import taken_apart
from .values import Unreadable, is_number, parts_of, same

Parameters = list[tuple[str, bool]]
"""Names, and whether each is required; `*name` and `**name` take the rest."""
LABELS = sure_names("target", "labels")


@dataclass
class Call:
    """What is remembered of a forward call.

    Attributes
    ----------
    arguments : dict
        Everything at hand by name; forward may have taken a part of it.
    outputs : object
        What forward computed: an array, or a tuple of them.
    cache : object
        What it returned besides.
    cached : bool
        Whether there is a cache, which may be None.
    before : object
        What forward computed, where the outputs are the cost of it.
    passed : dict
        What forward took of the arguments.
    """

    arguments: dict[str, Any]
    outputs: Any
    cache: Any = None
    cached: bool = False
    before: Any = None
    passed: dict[str, Any] = field(default_factory=dict)

    def __deepcopy__(self, memo: dict) -> "Call":
        return self  # whoever wants to see changes copies the cache


def parameters_of(function: Callable | None) -> Parameters:
    """Names of the parameters and whether each is required; empty if they cannot be found.

    Where a constructor takes any names, those of the class that it derives from are among them.
    """
    try:
        found = inspect.signature(function).parameters.values() if function else ()
    except (TypeError, ValueError):
        return []
    stars: dict[Any, str] = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    named = [
        (stars.get(p.kind, "") + p.name, p.default is p.empty and p.kind not in stars)
        for p in found
    ]
    if inspect.isclass(function) and any(n.startswith("**") for n, _ in named):
        written = [c for c in function.__mro__ if "__init__" in vars(c) and c is not object]
        own = {n for n, _ in named}
        for above in written[1:2]:
            named += [p for p in parameters_of(above) if p[0] not in own]
    return named


def _named(parameters: Parameters) -> list[str]:
    return [n for n, _ in parameters if not n.startswith("*")]


def split(result: Any, arguments: dict[str, Any], how: str) -> Call:
    """Outputs and cache of what forward returned, as `how_split` says."""
    if how == "whole":
        return Call(arguments, result)
    if how == "spread":
        return Call(arguments, result[0], result[1:], True)
    return Call(arguments, result[0] if len(result) == 2 else result[:-1], result[-1], True)


def how_split(result: Any, arguments: dict[str, Any], backward: Parameters | None) -> str:
    """Tell outputs and cache apart in what forward returned; `backward` is None without one.

    A second thing is a cache where backward asks for one, takes one upstream gradient only, or
    gets back what went in; and beside a number, which is a loss, anything is.

    Returns
    -------
    {"whole", "pair", "spread"}
        All are outputs, the last is a cache, or all but the first are one.
    """
    if not isinstance(result, tuple) or len(result) < 2:
        return "whole"
    if backward is None:
        return "pair" if len(result) == 2 else "spread"
    names = _named(backward)
    free = [n for n in names if n not in arguments]
    upstreams = len(upstreams_among(free))
    if any(is_cache(n) for n in names) or len(names) < len(backward):
        return "pair"
    if len(result) == 2 and is_number(result[0]) and not is_number(result[1]):
        return "pair"
    if upstreams == 1 and len(names) == len(result) > 2:
        return "spread"
    if [n for n in names[1:] if n not in arguments] and upstreams < len(result):
        return "pair"
    if not isinstance(result[-1], np.ndarray | np.generic | float | int):
        return "pair"
    if any(isinstance(a, np.ndarray) and same(result[-1], a) for a in arguments.values()):
        return "pair"
    return "pair" if len(result) == 2 and upstreams == 1 and len(names) > 1 else "whole"


def fill(
    call: Call, parameters: Parameters, upstream: list[Any], method: bool, derivative: bool
) -> tuple[list[Any], dict[str, Any], bool]:
    """Find what each parameter of backward asks for.

    Parameters
    ----------
    call : Call
        Of forward.
    parameters : list of (str, bool)
        Those of backward.
    upstream : list
        Upstream gradients, one for each output.
    method : bool
        Whether backward is a method, which may find the rest in its object.
    derivative : bool
        Whether it is called as what takes forward's arguments again, perhaps by other names.

    Returns
    -------
    args, named : list, dict
        What to pass by position and by name.
    passed : bool
        Whether the upstream gradient is among them.

    Raises
    ------
    Unreadable
        If a parameter could be anything; an upstream gradient is passed as nothing else.
    """
    names = _named(parameters)
    given = call.arguments
    scalar = all(np.size(dy) == 1 for dy in upstream)
    caches = [n for n in names if is_cache(n) and n not in given]
    needed = {n for n, required in parameters if required}
    free = [n for n in names if n not in caches and n not in given]
    free = [n for n in free if n in needed or upstreams_among([n])]  # no `epsilon=1e-7`
    again = {n: given[n] for n in names if n in given}
    star = len(names) < len(parameters)
    if not parameters:
        return [], {}, False
    one = len(names) == 1
    if not free and not caches and not star and (scalar or not (method and one)):
        return [], again, False  # the arguments again: a loss's gradients, or a derivative
    if derivative and one and free and plain(free[0]) in (*DATA, "z") and len(call.passed) == 1:
        return [], {free[0]: next(iter(call.passed.values()))}, False
    if caches and scalar and not free and not star:  # of a cost, `backward(X, Y, cache)`
        return [], dict.fromkeys(caches, call.cache) | again, False
    if one and scalar and call.cached and not method and not star:
        return [call.cache], {}, False
    labels = [n for n in free if plain(n) in LABELS]
    if labels and (method or len(free) > 1) and not upstreams_among(free) and not scalar:
        raise Unreadable(
            f"backward takes {labels[0]}, as the gradient of a loss does, and forward returns no "
            "loss; let forward take it and return the loss, or backward take the upstream gradient"
        )
    leads = _upstream_parameters(free or names, upstream, bool(caches))
    values = upstream if len(leads) > 1 else [tuple(upstream) if len(upstream) > 1 else upstream[0]]
    named = dict(zip(leads, values, strict=False))
    if caches:
        named |= dict.fromkeys(caches, call.cache) | again
        _leave_out(parameters, named, call)
        return [], named, bool(leads)
    rest = [(n, required) for n, required in parameters if n in names and n not in named]
    if call.cached and _is_spread(call.cache, rest, star):
        if star:
            return [*values, *call.cache], {}, True
        return [], named | {n: c for (n, _), c in zip(rest, call.cache, strict=True)}, True
    if call.cached and len(rest) == 1:
        return [], {**named, rest[0][0]: call.cache}, True
    named |= {n: given[n] for n, _ in rest if n in given}
    named |= {
        n: call.outputs for n, need in rest if need and n not in named and plain(n) in OUTPUTS
    }
    left = [n for n, required in rest if required and n not in named]
    unused = [value for n, value in call.passed.items() if n not in named]
    if len(left) == len(unused):  # the arguments again, under other names
        named |= dict(zip(left, unused, strict=True))
    _leave_out(parameters, named, call)
    return [], named, True


def fill_again(call: Call, parameters: Parameters, returned: Sequence[list[str]]) -> dict[str, Any]:
    """What a backward pass of the cost asks for: arguments, the cache, and forward's output.

    Where forward returns several things, it is the one that is called so in its return statement.
    """
    parts, named = parts_of(call.before), dict[str, Any]()
    known = {words[0]: part for words, part in zip(returned, parts, strict=False) if words}
    for n, required in parameters:
        if n in call.arguments:
            named[n] = call.arguments[n]
        elif is_cache(n):
            named[n] = call.cache
        elif len(parts) > 1 and n in known:
            named[n] = known[n]
        elif required and not n.startswith("*"):
            named[n] = call.before
    return named


def upstreams_taken(backward: Callable | None, own: Iterable[str]) -> int:
    """How many upstream gradients backward takes by name; 0 if it takes all of them as a tuple.

    A cell returns its state and a prediction, `(a_next, y, cache)`, and `backward(da_next, cache)`
    is about the state alone.
    """
    names = [n for n, _ in parameters_of(backward) if n not in own and not n.startswith("*")]
    likely = upstreams_among(names) if len(names) > 1 else []
    apart = taken_apart(backward).intersection(likely) if likely else ()
    return 0 if apart else len(likely)


def is_cache(name: str) -> bool:
    """Whether an argument is called as a cache is: `cache`, `linear_cache`, `ctx`."""
    return plain(name) in CACHES or "cache" in name.lower()


def _upstream_parameters(free: list[str], upstream: list[Any], cached: bool) -> list[str]:
    """Those of backward's parameters that take the upstream gradients; one takes them as a tuple.

    With a cache there may be none: the gradients of a loss.
    """
    likely = upstreams_among(free)
    if 1 < len(upstream) <= len(likely):
        return likely[: len(upstream)]
    if 1 < len(upstream) <= len(free) and cached:
        return free[: len(upstream)]
    if likely and (cached or free[0] == likely[0] or len(likely[0]) > 1):
        return likely[:1]
    if not free or (cached and plain(free[0]) in WITHOUT_GRADIENT):
        return []
    return free[:1]


def _is_spread(cache: Any, rest: Parameters, star: bool) -> bool:
    """Whether backward takes the parts of the cache as arguments of their own."""
    if not isinstance(cache, tuple | list):
        return False
    if star:
        return True
    return len(cache) == len(rest) and (len(rest) > 1 or plain(rest[0][0]) not in SHORT_CACHES)


def _leave_out(parameters: Parameters, named: dict[str, Any], call: Call) -> None:
    """Refuse to guess what a required parameter is."""
    left = [n for n, required in parameters if required and n not in named]
    if left:
        raise Unreadable(without(", ".join(left), call))


def without(left: str, call: Call) -> str:
    """What to say where nobody knows what a parameter of backward is."""
    return (
        f"backward takes {left}, which forward neither takes nor returns; call it as one of "
        f"forward's arguments ({', '.join(call.arguments)}), or put it into the cache"
    )
