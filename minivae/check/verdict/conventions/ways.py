"""Other ways to call backward than its names say, and whether it reads what it is given."""

import dis
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .calling import LABELS, Call, Parameters, is_cache
from .names import plain, upstreams_among


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
