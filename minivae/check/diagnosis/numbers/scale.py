"""Fingerprints of mistakes that need no knowledge of the function.

Each compares the gradient that was returned with the numerical one: a constant ratio, the same
numbers in other places, a sum that is missing, the gradient of something else.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...verdict.conventions.names import is_data, is_noise
from ..evidence import Evidence, misfit
from ..finding import Arrays, Finding


@dataclass(frozen=True)
class Factor:
    """A factor by which gradients are wrong: its size at each probe, and what it is."""

    key: str
    words: str
    sizes: tuple[float, ...]


def batch_axis_size(evidence: Evidence) -> int:
    """The size of the batch, as the shapes suggest."""
    probe = evidence.probes[0]
    if probe.outputs[0].ndim:
        return probe.outputs[0].shape[0]
    data = [x for n, x in probe.arguments.items() if x.ndim >= 2 and (is_data(n) or is_noise(n))]
    firsts = [x.shape[0] for x in data or probe.arguments.values() if x.ndim >= 2]
    firsts += [np.shape(v)[0] for v in evidence.subject.options.values() if np.ndim(v) >= 1]
    if not firsts:
        firsts = [x.shape[0] for x in probe.arguments.values() if x.ndim] or [1]
    return max(firsts, key=lambda size: (firsts.count(size), -firsts.index(size)))


def axis_words(evidence: Evidence) -> dict[int, str]:
    """Sizes of axes, and where they are from; the same size may be several axes'."""
    B = batch_axis_size(evidence)
    words: dict[int, list[str]] = {}
    if B > 1:
        words[B] = ["the batch size B"]
    arrays = dict(evidence.probes[0].arguments)
    arrays |= {n: v for n, v in evidence.subject.options.items() if isinstance(v, np.ndarray)}
    if evidence.probes[0].outputs[0].ndim:
        arrays["the output"] = evidence.probes[0].outputs[0]
    for name, x in arrays.items():
        for axis, size in enumerate(x.shape):
            if size < 2 or (size == B and axis == 0):
                continue
            found = words.setdefault(size, [])
            if len(found) < 2:
                found.append(f"axis {axis} of {name}")
    return {size: " or ".join(found) for size, found in words.items()}


def known_factors(evidence: Evidence) -> list[Factor]:
    """Factors that have a name, the commonest first."""
    n = len(evidence.probes)
    plain = [
        ("sign", "the sign is flipped: multiply by -1", -1.0),
        ("factor", "it is twice too large: a factor 1/2 is missing", 2.0),
        ("factor", "it is half as large as it should be: a factor 2 is missing, or a 1/2 too much",
         0.5),
    ]  # fmt: skip
    factors = [Factor(key, words, (value,) * n) for key, words, value in plain]
    B = batch_axis_size(evidence)
    words = axis_words(evidence)
    for size, what in words.items():
        if size != B:
            factors += _dims(size, what, n)
            continue
        small = f"it is {B} times too small, {what}"
        rows = [
            ("batch", f"it is {B} times too large, {what}: the 1/B of the batch mean is missing",
             float(B)),
            ("batch", f"{small}: the 1/B of the batch mean is applied twice", 1 / B),
            ("mean_for_sum", f"{small}: a mean over the batch stands where the sum belongs", 1 / B),
            ("batch", f"it is {B * B} times too small, the square of {what}: the 1/B is applied "
             "two times too often", 1 / B**2),
        ]  # fmt: skip
        factors += [Factor(key, text, (value,) * n) for key, text, value in rows]
        if " or " in what:
            factors += _dims(size, what.split(" or ", 1)[1], n)
    for one, two in itertools.combinations(words, 2):
        product = one * two
        what = f"the product of {one} ({words[one]}) and {two} ({words[two]})"
        key = "dims"
        factors.append(Factor(key, f"it is {product} times too large, {what}", (product,) * n))
        factors.append(
            Factor(
                key,
                f"it is {product} times too small, {what}: a mean stands where a sum belongs",
                (1 / product,) * n,
            )
        )
    factors.append(Factor("factor", "it is four times too large", (4.0,) * n))
    factors.append(Factor("factor", "it is a quarter of what it should be", (0.25,) * n))
    return factors


def _dims(size: int, what: str, n: int) -> list[Factor]:
    return [
        Factor(
            "dims",
            f"it is {size} times too large, the size of {what}: a sum stands where a mean belongs",
            (float(size),) * n,
        ),
        Factor(
            "dims",
            f"it is {size} times too small, the size of {what}: a mean stands where a sum belongs",
            (1 / size,) * n,
        ),
    ]


def scale_findings(yours: Arrays, true: Arrays, evidence: Evidence) -> Iterator[Finding]:
    """Zero, NaN, sign, and constant factors with their names."""
    if all(not np.any(a) for a in yours):
        yield Finding(
            "zero",
            "only zeros come back: the gradient is not propagated, is masked out, or is "
            "overwritten on the way",
            0.0,
        )
        return
    ratio = _ratio(yours, true)
    factors = known_factors(evidence)
    for factor in factors:
        if abs(ratio - factor.sizes[0]) > 1e-3 * abs(factor.sizes[0]):
            continue
        predicted = [s * n for s, n in zip(factor.sizes, true, strict=True)]
        key, size = factor.key, round(1 / factor.sizes[0])
        fit = misfit(predicted, yours)
        if key == "dims" and size not in yours[0].shape and size in axis_words(evidence):
            yield Finding("mean_for_sum", factor.words, fit)  # over an axis that the array has not
        yield Finding(key, factor.words, fit)
    n, rest = divmod(evidence.probes[0].outputs[0].size, yours[0].size)
    if n > 1 and not rest and abs(ratio * n - 1) < 1e-3:
        words = f"it is {n} times too small: a mean over {n} places stands where the sum belongs"
        yield Finding("mean_for_sum", words, misfit([g / n for g in true], yours))
    if abs(ratio) > 1e-12:
        predicted = [ratio * n for n in true]
        yield Finding(
            "factor",
            f"it is the right gradient times {ratio:.5g}: a constant factor",
            misfit(predicted, yours),
            3,
        )


def _ratio(yours: Arrays, true: Arrays) -> float:
    top = bottom = 0.0
    for a, n in zip(yours, true, strict=True):
        if a.shape != n.shape:
            return 0.0
        known = np.isfinite(n) & np.isfinite(a)
        top += float(np.sum(a[known] * n[known]))
        bottom += float(np.sum(n[known] ** 2))
    return top / bottom if bottom else 0.0


def swap_findings(name: str, yours: Arrays, evidence: Evidence) -> Iterator[Finding]:
    """The gradient of another argument, or something that is no gradient."""
    shape = yours[0].shape
    passed_on = False
    for i in range(len(evidence.probes[0].upstream)):
        ups = [probe.upstream[i] for probe in evidence.probes]
        if ups[0].shape == shape and not evidence.subject.scalar:
            fit = misfit(ups, yours)
            passed_on = passed_on or fit < 1e-9
            text = "the upstream gradient is passed on as it is, without the function's own "
            yield Finding("derivative_missing", text + "derivative", fit, 2)
    for other in evidence.subject.vary:
        if other != name and evidence.subject.arguments[other].shape == shape:
            yield Finding(
                "swapped",
                f"this is the gradient of {other}: the two are returned in the wrong order, or the "
                "wrong variable was used",
                misfit(evidence.true(other), yours),
                3 if passed_on else 1,
            )
    for other in evidence.subject.arguments:
        arrays = [probe.arguments[other] for probe in evidence.probes]
        if arrays[0].shape == shape:
            yield Finding(
                "swapped", f"this is {other} itself, not a gradient", misfit(arrays, yours), 2
            )
    outputs = [probe.outputs[0] for probe in evidence.probes]
    if outputs[0].shape == shape and outputs[0].ndim:
        yield Finding(
            "swapped", "this is the output itself, not a gradient", misfit(outputs, yours), 2
        )
