"""Experiments: run the function again under other conditions, and see whether the gradient follows.

What a table of formulas cannot tell, an experiment can: whether the gradient depends on the
upstream gradient at all, whether it is right once every random draw gives the same numbers, whether
it is that of another head.
"""

from collections.abc import Callable, Iterator

import numpy as np

from ..verdict.conventions.names import is_noise, is_spread
from ..verdict.draws import watched_draws
from .evidence import Evidence, misfit
from .finding import Arrays, Finding

REDRAWN = (
    "the noise was drawn again for the backward pass (or twice in the forward pass): where every "
    "draw gives the same numbers, this gradient is right. Draw the noise once, use it for z, and "
    "keep it for the backward pass"
)


def upstream_findings(name: str, yours: Arrays, evidence: Evidence) -> Iterator[Finding]:
    """Whether the gradient changes at all when the upstream gradient does."""
    if evidence.subject.scalar or not np.any(yours[0]):
        return
    probe = evidence.probes[0]
    other = [evidence.rng.standard_normal(dy.shape) for dy in probe.upstream]
    again = evidence.probe(probe.arguments, other)
    if again is not None and name in again.gradients:
        same = misfit([again.gradients[name]], [yours[0]])
        if same < 1e-12:
            yield Finding(
                "no_upstream",
                "it does not change when the upstream gradient does: multiply dout in",
                same,
                2,
            )


def noise_findings(name: str, yours: Arrays, evidence: Evidence) -> Iterator[Finding]:
    """Whether the gradient is right once all random draws are the same."""
    subject = evidence.subject
    probe = evidence.probes[0]
    with subject.frozen(evidence.seed), watched_draws(subject.generators) as log:
        _, cache = subject.forward({n: x.copy() for n, x in probe.arguments.items()})
        subject.backward([dy.copy() for dy in probe.upstream], cache)
    if log:
        other = evidence.probe(probe.arguments, probe.upstream, evidence.seed + 1)
        if other is not None and name in other.gradients:
            same_value = misfit(other.outputs, probe.outputs)
            if same_value < 1e-12 < misfit([other.gradients[name]], [yours[0]]):
                yield Finding(
                    "noise_redrawn",
                    "the backward pass draws random numbers of its own, so this gradient is "
                    "another one each time: keep the noise (or the mask) of the forward pass in "
                    "the cache and use that",
                    same_value,
                    0,
                )
    shapes = [drawn.shape for drawn in log]
    if log and (len(set(shapes)) < len(shapes) or len(log) > len(probe.draws)):
        with subject.frozen(evidence.seed), watched_draws(subject.generators, repeat=True):
            _, cache = subject.forward({n: x.copy() for n, x in probe.arguments.items()})
            returned = subject.backward([dy.copy() for dy in probe.upstream], cache)
        gradient = np.asarray(returned[name], float)
        true = evidence.numerical(name, probe.arguments, probe.upstream, repeat=True)
        yield Finding("noise_redrawn", REDRAWN, misfit([true], [gradient]), 0)
    yield from _passed_noise(name, yours, evidence, log)


def _passed_noise(
    name: str, yours: Arrays, evidence: Evidence, log: list[np.ndarray]
) -> Iterator[Finding]:
    """Noise is an argument, but the gradient has other noise in its place.

    If the gradient does not follow when the noise argument changes, although the right one does,
    and is the right one times a ratio that is neither constant nor depends on the other arguments,
    something else was multiplied in: another draw.
    """
    probe = evidence.probes[0]
    names = [
        n
        for n, x in probe.arguments.items()
        if n != name and is_noise(n) and x.shape == yours[0].shape
    ]
    for noise in names[:1]:
        true = evidence.true(name)
        ratios = []
        for p, a, n in zip(evidence.probes, yours, true, strict=True):
            with np.errstate(all="ignore"):
                ratios.append(a / n * p.arguments[noise])
        if len(ratios) < 2 or not all(np.isfinite(r).all() for r in ratios):
            return
        drawn = max(misfit([r], [ratios[0]]) for r in ratios[1:])
        varied = ratios[0].size > 2 and ratios[0].std() > 0.05 * np.abs(ratios[0]).max()
        moved = dict(probe.arguments)
        moved[noise] = evidence.rng.standard_normal(moved[noise].shape)
        again = evidence.probe(moved, probe.upstream)
        if again is None or not varied:
            return
        follows = misfit([again.gradients[name]], [yours[0]])
        if follows < 1e-9:
            yield Finding(
                "noise_redrawn",
                f"the noise was drawn again for the backward pass: this gradient has other noise "
                f"in it than {noise}, and does not change with it; keep {noise} in the cache",
                drawn,
                0,
            )


Head = tuple[str, Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]
HEADS: list[Head] = [
    ("{x} = 2 log(s)", lambda s: 2 * np.log(s), lambda s: 2 / s),
    ("{x} = log(s)", np.log, lambda s: 1 / s),
    ("{x} = 2 s", lambda s: 2 * s, lambda s: 2 * np.ones_like(s)),
    ("{x} = s / 2", lambda s: s / 2, lambda s: 0.5 * np.ones_like(s)),
    ("{x} = exp(s / 2)", lambda s: np.exp(s / 2), lambda s: np.exp(s / 2) / 2),
    ("{x} = exp(s)", np.exp, np.exp),
    ("{x} = sqrt(s)", np.sqrt, lambda s: 0.5 / np.sqrt(s)),
    ("{x} = s**2", np.square, lambda s: 2 * s),
]
"""What a head may be taken for: formula, {x} as a function of s, and its derivative."""
INVERSES: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda x: np.exp(x / 2), np.exp, lambda x: x / 2, lambda x: 2 * x,
    lambda x: 2 * np.log(x), np.log, np.square, np.sqrt,
]  # fmt: skip


def head_findings(name: str, yours: Arrays, evidence: Evidence) -> Iterator[Finding]:
    """Whether a head is taken for something else: a log variance for sigma, or the like.

    Either the whole gradient is that of s, at the s where the head is; or the head itself is put in
    for s.
    """
    if not is_spread(name):
        return
    true = evidence.true(name)
    for (formula, to, slope), back in zip(HEADS, INVERSES, strict=True):
        with np.errstate(all="ignore"):
            found = [
                g * slope(back(p.arguments[name]))
                for g, p in zip(true, evidence.probes, strict=True)
            ]
        formula = formula.format(x=name)
        text = (
            f"this is the derivative with respect to s, where {formula}; times the derivative of s "
            f"it is the gradient of {name}"
        )
        if np.ptp(slope(np.array([0.5, 2.0]))):  # else it is a constant factor
            yield Finding("sigma_head", text, misfit(found, yours), 1)
        found = []
        for p, a in zip(evidence.probes, yours, strict=True):
            s = p.arguments[name]
            with np.errstate(all="ignore"):
                moved = {**p.arguments, name: to(s)}
                if not np.isfinite(moved[name]).any():
                    break
                kept = np.isfinite(moved[name])
                moved[name] = np.where(kept, moved[name], s)
                right = evidence.numerical(name, moved, p.upstream) * slope(s)
            found.append(np.where(kept, right, np.nan))
            if misfit(found[-1:], [a]) > 1e-3:
                break
        if len(found) == len(yours):
            text = (
                f"{name} is taken for something else: this is the gradient of a head s with "
                f"{formula}, with {name} put in for s"
            )
            yield Finding("sigma_head", text, misfit(found, yours), 1)
