"""Other ways to call backward than its names say, and what it returns of what it is given."""

import dis
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .calling import LABELS, Call, Parameters, is_cache
from .names import plain, upstreams_among
from .values import Unreadable, times


def other_ways(
    call: Call, parameters: Parameters, upstream: list[Any], kept: Any
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Other ways to call backward, where names do not tell: what each parameter may be.

    `backward(delta, h, h_prev_l, h_prev_t)` of a recurrent cell gets the output, then the arguments
    again; `backward(dvalues, y_true)` of a loss gets the predictions, which it may have `kept`; and
    `grad(x)` gets what `fn(z)` got, though the output may do at first. Who tries them must have
    other evidence, such as a gradient that agrees. An upstream gradient that has such a name is
    none only in a loss: a derivative entry by entry does not take one and ignore it.
    """
    names = [n for n, required in parameters if required and not n.startswith("*")]
    pool = [*call.passed.values(), call.outputs, *([call.cache] if call.cached else [])]
    pool += [] if kept is None or kept is call.outputs else [kept]
    leads: list[str | None] = [*upstreams_among(names)]
    labelled = any(plain(n) in LABELS for n in names)
    of_loss = all(np.size(dy) == 1 or (np.ndim(dy) == 1 and labelled) for dy in upstream)
    if of_loss or not (leads or any(is_cache(n) for n in names)):
        leads.append(None)
    leads += [n for n in names if n not in leads]
    dy = tuple(upstream) if len(upstream) > 1 else upstream[0]
    for lead in leads:
        rest = [n for n in names if n != lead]
        for values in itertools.permutations(pool, len(rest)):
            named = dict(zip(rest, values, strict=True))
            yield (named if lead is None else {**named, lead: dy}), lead is not None


def is_read(function: Callable, name: str) -> bool:
    """Whether a function reads its argument; True where there is no bytecode."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None or name in code.co_cellvars:
        return True
    loads = [step.argval for step in dis.get_instructions(code) if "LOAD" in step.opname]
    return any(name in (read if isinstance(read, tuple) else (read,)) for read in loads)


def as_derivative(returned: Any, upstream: list[Any], ignored: bool) -> Any:
    """What a backward pass without an upstream gradient returns, times it.

    Parameters
    ----------
    returned : object
        The gradients of a loss, or a derivative, entry by entry.
    upstream : list
        The upstream gradients.
    ignored : bool
        Whether it takes one thing, and does not read it: that was meant for dy.
    """
    if all(np.size(dy) == 1 for dy in upstream):
        return times(returned, sum(float(np.sum(dy)) for dy in upstream))
    dy = upstream[0]
    if type(returned) in (int, float) and len(upstream) == 1:  # of the identity: 1
        returned = np.full_like(dy, returned)
    if isinstance(returned, np.ndarray) and len(upstream) == 1 and not ignored:
        if returned.shape == dy.shape:
            return dy * returned
        if dy.ndim == 1 and returned.shape[:1] == dy.shape:  # of a loss for each example
            return dy.reshape(-1, *[1] * (returned.ndim - 1)) * returned
    raise Unreadable(
        "backward takes no upstream gradient, and what it returns is no derivative of the output, "
        "entry by entry; let it take the upstream gradient, as in backward(dout, cache)"
    )
