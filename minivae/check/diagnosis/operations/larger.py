"""The same function at other sizes, where mistakes that looked alike can be told apart."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..evidence import Evidence
from .recognise import Match

LARGER = {"B": 5, "Z": 7, "D": 11, "K": 13, "I": 7, "O": 11, "N": 5, "M": 7}


def resized(evidence: Evidence, match: Match) -> Evidence | None:
    """The same function at sizes that are distinct primes, drawn anew; None if it takes no others.

    Where two axes are of the same size, or one has the size 2, mistakes look alike.
    """
    subject, known = evidence.subject, match.known
    if known.network is not None or any(name in match.extra for name in match.names.values()):
        return None
    stars = [
        subject.arguments[name].ndim - len(known.roles[role]) + 1
        for role, name in match.names.items()
        if "*" in known.roles[role]
    ]
    sizes: dict[str, Any] = {k: s for k, s in LARGER.items() if k not in known.sizes}
    if stars and "*" not in known.sizes:
        sizes["*"] = (5, 7, 3, 2)[: stars[0]]
    v = known.example(np.random.default_rng([evidence.seed, 5]), sizes)
    arguments = dict(subject.arguments)
    arguments |= {name: np.array(getattr(v, role), float) for role, name in match.names.items()}
    changed = replace(subject, arguments=arguments)
    try:
        with changed.frozen(evidence.seed), np.errstate(all="ignore"):
            outputs, _ = changed.forward({n: a.copy() for n, a in arguments.items()})
    except Exception:
        return None
    upstream = [
        np.ones(np.shape(y)) if subject.scalar else evidence.rng.standard_normal(np.shape(y))
        for y in outputs
    ]
    larger = Evidence(changed, upstream, evidence.seed, evidence.analytic)
    return larger if larger.probes else None
