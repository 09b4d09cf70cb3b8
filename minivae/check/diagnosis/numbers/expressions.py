"""Fingerprints by expression: the wrong gradient is the right one times, or plus, something known.

The something is looked for among simple expressions of the arrays at hand: the arguments, the
output, the upstream gradient and the noise.
"""

from collections.abc import Callable, Iterator

import numpy as np

from ..evidence import Evidence, Probe, misfit
from ..finding import Arrays, Finding
from ..operations.known import is_logvar_like, plain_name, sigmoid

Make = Callable[[np.ndarray], np.ndarray]

FORMS: dict[str, Make] = {
    "{}": lambda u: u,
    "{}**2": lambda u: u * u,
    "(1 - {})": lambda u: 1 - u,
    "{} * (1 - {})": lambda u: u * (1 - u),
    "(1 - {}**2)": lambda u: 1 - u * u,
    "(1 + {}**2)": lambda u: 1 + u * u,
    "sigmoid({})": sigmoid,
    "sigmoid'({})": lambda u: sigmoid(u) * (1 - sigmoid(u)),
    "tanh({})": np.tanh,
    "(1 - tanh({})**2)": lambda u: 1 - np.tanh(u) ** 2,
    "exp({})": np.exp,
    "exp({} / 2)": lambda u: np.exp(0.5 * u),
    "exp(-{})": lambda u: np.exp(-u),
    "exp(-{} / 2)": lambda u: np.exp(-0.5 * u),
    "(exp({}) - 1)": np.expm1,
    "(exp({} / 2) - 1)": lambda u: np.expm1(0.5 * u),
    "exp(2 * {})": lambda u: np.exp(2 * u),
    "1 / {}": lambda u: 1 / u,
    "1 / {}**2": lambda u: 1 / u**2,
    "1 / ({} * (1 - {}))": lambda u: 1 / (u * (1 - u)),
    "1 / (1 - {}**2)": lambda u: 1 / (1 - u * u),
    "1 / sigmoid'({})": lambda u: 1 / (sigmoid(u) * (1 - sigmoid(u))),
    "sqrt({})": lambda u: np.sqrt(u),
    "log({})": lambda u: np.log(u),
    "cos({})": np.cos,
    "sin({})": np.sin,
    "({} > 0)": lambda u: 1.0 * (u > 0),
    "({} < 0)": lambda u: 1.0 * (u < 0),
    "sign({})": np.sign,
    "|{}|": np.abs,
}
NOISE_NAMES = ("eps", "noise", "epsilon", "xi", "gumbel")


def _sources(evidence: Evidence, shape: tuple[int, ...]) -> list[tuple[str, list[np.ndarray]]]:
    """Arrays that can stand beside a gradient of that shape, by name, at each probe."""

    def fits(array: np.ndarray) -> bool:
        try:
            return np.broadcast_shapes(array.shape, shape) == shape and array.size > 0
        except ValueError:
            return False

    probes = evidence.probes
    found = [
        (name, [p.arguments[name] for p in probes])
        for name in evidence.subject.arguments
        if fits(probes[0].arguments[name])
    ]
    found += [
        (name, [np.asarray(value, float)] * len(probes))
        for name, value in evidence.subject.options.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and fits(value)
    ]
    for i in range(len(probes[0].outputs)):
        if probes[0].outputs[i].ndim and fits(probes[0].outputs[i]):
            found.append(("y" if i == 0 else f"output {i}", [p.outputs[i] for p in probes]))
    for i, draw in enumerate(probes[0].draws):
        if fits(draw) and all(len(p.draws) > i and p.draws[i].shape == draw.shape for p in probes):
            found.append(("noise" if i == 0 else f"noise {i}", [p.draws[i] for p in probes]))
    return found


def _upstream(probe: Probe, shape: tuple[int, ...]) -> np.ndarray | None:
    """The upstream gradient, in a form that can be multiplied with an array of that shape."""
    dy = probe.upstream[0]
    if dy.ndim == 0:
        return np.broadcast_to(dy, shape)
    while dy.ndim < len(shape) and dy.shape == shape[: dy.ndim]:
        dy = dy[..., None]
        try:
            return np.broadcast_to(dy, shape)
        except ValueError:
            continue
    try:
        return np.broadcast_to(dy, shape)
    except ValueError:
        return None


def _expressions(
    evidence: Evidence, shape: tuple[int, ...]
) -> Iterator[tuple[str, str, str, Arrays]]:
    """(form, source, words, values at each probe); the constant 1 first."""
    yield "1", "", "1", [np.ones(shape)] * len(evidence.probes)
    sources = _sources(evidence, shape)
    ups = [_upstream(p, shape) for p in evidence.probes]
    if all(u is not None for u in ups) and not evidence.subject.scalar:
        sources.append(("dout", ups))
    with np.errstate(all="ignore"):
        for name, arrays in sources:
            for form, make in FORMS.items():
                values = [np.broadcast_to(make(u), shape) for u in arrays]
                if all(np.isfinite(v).all() for v in values) and any(np.any(v) for v in values):
                    yield form, name, form.format(name, name), values


def _fit(base: Arrays, target: Arrays) -> tuple[float, float]:
    """The factor c with target = c * base, and what is left of the target, relative."""
    a, b = [], []
    for t, e in zip(target, base, strict=True):
        known = np.isfinite(t) & np.isfinite(e)
        a.append(t[known])
        b.append(e[known])
    t, e = np.concatenate(a), np.concatenate(b)
    below = float(e @ e)
    if not below or not t.size:
        return 0.0, np.inf
    c = float(e @ t) / below
    return c, float(np.linalg.norm(t - c * e) / max(np.linalg.norm(t), 1e-300))


def _number(c: float) -> str:
    for denominator in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16):
        top = c * denominator
        if abs(top - round(top)) < 1e-6 * max(1, abs(top)) and 0 < abs(round(top)) <= 20:
            return f"{round(top)}" if denominator == 1 else f"{round(top)}/{denominator}"
    return f"{c:.4g}"


def _times(c: float, words: str) -> str:
    if abs(c - 1) < 1e-6:
        return words
    return _number(c) if words == "1" else f"{_number(c)} * {words}"


def _factor_key(form: str, source: str) -> str:
    """What it is called when a gradient is multiplied by an expression too much."""
    noisy = plain_name(source).startswith(NOISE_NAMES)
    if noisy:
        return "noise_missing" if form.startswith("1 /") else "noise_gradient"
    if source == "dout":
        return "no_upstream" if form == "1 / {}" else "extra_term"
    if form in ("({} > 0)", "({} < 0)", "sign({})"):
        return "wrong_mask"
    if is_logvar_like(source) and "exp" in form:
        return "variance_for_std"
    if form.startswith("1 / ("):
        return "derivative_missing"
    if form in ("{} * (1 - {})", "(1 - {}**2)", "sigmoid'({})", "(1 - tanh({})**2)", "sigmoid({})"):
        return "derivative_twice"
    return "missing_term" if form.startswith("1 /") or "(-" in form else "extra_term"


def factor_findings(yours: Arrays, true: Arrays, evidence: Evidence) -> Iterator[Finding]:
    """The right gradient, times an expression."""
    if yours[0].shape != true[0].shape:
        return
    for form, source, words, values in _expressions(evidence, yours[0].shape):
        if form == "1":
            continue
        base = [n * e for n, e in zip(true, values, strict=True)]
        c, left = _fit(base, yours)
        if left < 1e-4:
            key = _factor_key(form, source)
            text = f"it is the right gradient times {_times(c, words)}; that factor is too much"
            yield Finding(key, text, left, 4)


def term_findings(yours: Arrays, true: Arrays, evidence: Evidence) -> Iterator[Finding]:
    """The right gradient, plus an expression, with the upstream gradient or without."""
    if yours[0].shape != true[0].shape:
        return
    shape = yours[0].shape
    rest = [a - n for a, n in zip(yours, true, strict=True)]
    ups = [_upstream(p, shape) for p in evidence.probes]
    with_upstream = all(u is not None for u in ups) and not evidence.subject.scalar
    for form, source, words, values in _expressions(evidence, shape):
        for multiplied in (True, False) if with_upstream else (False,):
            if multiplied and source == "dout":
                continue
            base = [e * u for e, u in zip(values, ups, strict=True)] if multiplied else values
            c, left = _fit(base, rest)
            if left > 1e-4 or abs(c) < 1e-12:
                continue
            what = (f"dout * {words}" if words != "1" else "dout") if multiplied else words
            term = _times(abs(c), what)
            keys = ["extra_term", "missing_term"] if c > 0 else ["missing_term", "extra_term"]
            keys = _kl_keys(form, source, c, evidence) + keys
            if source == "" and form == "1" and any(map(is_logvar_like, [_name(evidence, yours)])):
                keys.insert(0, "minus_one")
            text = f"it differs from the right gradient by {'+' if c > 0 else '-'} {term}: " + (
                f"that term is too much, or - {term} is missing"
                if c > 0
                else f"a term + {term} is missing, or that one is too much"
            )
            if form == "1" and multiplied and abs(c + 1) < 1e-6:
                keys.insert(0, "overwritten_branch")
                text = (
                    "dout itself is missing: where the input is added to the output (a skip "
                    "connection), dout comes back along that branch too, and the two are added"
                )
            for key in keys[:2]:
                yield Finding(key, text, left, 4)


def _name(evidence: Evidence, yours: Arrays) -> str:
    for name, gradient in evidence.probes[0].gradients.items():
        if gradient is yours[0]:
            return name
    return ""


def _kl_keys(form: str, source: str, c: float, evidence: Evidence) -> list[str]:
    """Whether a term is the KL's part of a gradient."""
    plain = plain_name(source)
    is_mu = form == "{}" and ("mu" in plain or "mean" in plain)
    is_logvar = form == "(exp({}) - 1)" and is_logvar_like(source)
    if not (is_mu or is_logvar):
        return []
    return ["kl_twice"] if c > 0 else ["kl_missing"]


def direct_findings(yours: Arrays, evidence: Evidence) -> Iterator[Finding]:
    """What was returned, as an expression by itself: it says what the code computes."""
    shape = yours[0].shape
    ups = [_upstream(p, shape) for p in evidence.probes]
    if evidence.subject.scalar or any(u is None for u in ups):
        return
    for form, source, words, values in _expressions(evidence, shape):
        if form == "1" or source == "dout":
            continue
        c, left = _fit([e * u for e, u in zip(values, ups, strict=True)], yours)
        if left < 1e-6:
            key = "wrong_mask" if form in ("({} > 0)", "({} < 0)") else "derivative_missing"
            if form == "({} > 0)" or key == "derivative_missing":
                text = f"what comes back is dout * {_times(c, words)}; that is not the derivative"
                yield Finding(key, text, left, 5)
    for form, source, words, values in _expressions(evidence, shape):
        if source == "dout" and form == "({} > 0)":
            c, left = _fit([e * u for e, u in zip(values, ups, strict=True)], yours)
            if left < 1e-6:
                yield Finding(
                    "wrong_mask",
                    f"what comes back is dout * {_times(c, words)}: the mask belongs to the input",
                    left,
                    4,
                )


def entrywise_findings(name: str, yours: Arrays, true: Arrays, evidence: Evidence) -> Iterator:
    """For a function that works entry by entry: its derivative at the wrong place, or twice."""
    first = evidence.probes[0]
    if evidence.subject.scalar or first.outputs[0].shape != first.arguments[name].shape:
        return
    if len(first.outputs) > 1 or not first.outputs[0].ndim:
        return
    slopes = []
    for probe in evidence.probes:
        slopes.append(evidence.numerical(name, probe.arguments, [np.ones_like(probe.outputs[0])]))
    products = [p.upstream[0] * s for p, s in zip(evidence.probes, slopes, strict=True)]
    if misfit(products, true) > 1e-6:
        return
    mend = f"the derivative belongs at {name}, once, times dout"
    twice = [p * s for p, s in zip(products, slopes, strict=True)]
    yield Finding("derivative_twice", f"the derivative is multiplied in twice; {mend}", misfit(
        twice, yours))  # fmt: skip
    yield Finding("no_upstream", f"dout is not multiplied in; {mend}", misfit(slopes, yours))
    squared = [p.upstream[0] * q for p, q in zip(evidence.probes, products, strict=True)]
    yield Finding("extra_term", f"dout is multiplied in twice; {mend}", misfit(squared, yours))
    elsewhere = {
        "the output instead of the input": [probe.outputs[0] for probe in evidence.probes],
        f"dout instead of {name}": [probe.upstream[0] for probe in evidence.probes],
    }
    for where, points in elsewhere.items():
        there = []
        for probe, point in zip(evidence.probes, points, strict=True):
            moved = {**probe.arguments, name: point}
            slope = evidence.numerical(name, moved, [np.ones_like(probe.outputs[0])])
            there.append(probe.upstream[0] * slope)
        text = f"the derivative is taken at {where}; {mend}"
        yield Finding("at_output", text, misfit(there, yours))
