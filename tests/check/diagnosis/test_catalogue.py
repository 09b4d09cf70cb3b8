"""The doctor's library: its gradients are right, and each of its mutants is named when planted."""

import numpy as np
import pytest

from minivae.check import check_gradients
from minivae.check.diagnosis.catalogue import KNOWN
from minivae.check.diagnosis.mistakes import MISTAKES
from minivae.check.diagnosis.operations.known import Known, Mutant, Values, bind_axes

WEIGHTS = (1.0, 0.6)
"""What the values of an operation with two of them are multiplied by."""


def pair(known: Known, mutant: Mutant | None = None):
    """Forward and backward of a known operation as a student would write them."""

    def values(arguments):
        return Values(**{option: tried[0] for option, tried in known.options.items()}, **arguments)

    def terms(v):
        value = known.forward(v)
        return value if isinstance(value, tuple) else (value,)

    def forward(**arguments):
        v = values({**fixed, **arguments})
        found = terms(v)
        if len(found) == 1:
            return found[0], v
        return sum(c * t.sum() for c, t in zip(WEIGHTS, found, strict=True)), v

    def backward(dout, v):
        found = terms(v)
        dy = dout
        if len(found) > 1:
            dy = tuple(np.full(t.shape, c * dout) for c, t in zip(WEIGHTS, found, strict=True))
        gradients = {
            role: np.array(gradient(dy, v), float) for role, gradient in known.gradients.items()
        }
        if mutant is not None:
            gradients[mutant.of] = np.array(mutant.gradient(dy, v), float)
        return gradients

    fixed = {}
    return forward, backward, values, fixed


def inputs_of(known: Known, seed: int) -> dict:
    v = known.example(np.random.default_rng(seed))
    return {role: getattr(v, role) for role in known.roles}


def check(known: Known, mutant: Mutant | None, seed: int):
    forward, backward, _, _ = pair(known, mutant)
    return check_gradients(
        forward,
        backward,
        inputs_of(known, seed),
        wrt=list(known.gradients),
        name=known.name,
        strict=True,
    )


@pytest.mark.parametrize("known", KNOWN, ids=lambda k: k.name)
def test_reference_gradients_are_right(known):
    report = check(known, None, seed=8)
    assert report.passed, str(report)
    assert report.error < 1e-8


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize("known", KNOWN, ids=lambda k: k.name)
def test_every_mutant_is_named(known):
    planted = 0
    for number, mutant in enumerate(known.mutants):
        assert mutant.key in MISTAKES
        try:
            array = check(known, mutant, seed=100 + number)[mutant.of]
        except ValueError:
            continue  # this product cannot be formed unless two axes are of the same size
        if array.verdict == "right":
            continue  # dout is 1 in a loss, eps 0: no mistake at this point
        if not np.isfinite(array.yours).all():
            continue
        planted += 1
        keys = [diagnosis.key for diagnosis in array.diagnoses]
        assert mutant.key in keys[:2], f"{mutant.of}: {mutant.text} -> {keys}"
        assert array.diagnoses[0].residual < 1e-6
    assert planted >= 0.6 * len(known.mutants)


def test_keys_and_texts():
    for known in KNOWN:
        v = known.example(np.random.default_rng(0))
        names = {**dict.fromkeys(known.roles, "name"), **dict.fromkeys(known.options, "option")}
        for mutant in known.mutants:
            assert mutant.key in MISTAKES
            assert mutant.of in known.gradients
            text = mutant.text.format_map({**names, "g": "dout"})
            assert "{" not in text
            assert "__" not in text
        assert set(known.gradients) <= set(known.roles)
        assert np.all(np.isfinite(np.concatenate([np.ravel(t) for t in _terms(known, v)])))


def _terms(known, v):
    value = known.forward(v)
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize(
    ("axes", "shape", "bound"),
    [
        (("B", "I"), (3, 4), {"B": 3, "I": 4}),
        (("B", "*", "C"), (3, 4, 5, 2), {"B": 3, "*": (4, 5), "C": 2}),
        (("*",), (), {"*": ()}),
        (("1",), (2,), None),
        (("B", "B"), (2, 3), None),
        (("B", "*", "C"), (3,), None),
    ],
)
def test_bind_axes(axes, shape, bound):
    found = bind_axes({"x": axes}, {"x": shape})
    assert found == (None if bound is None else {"1": 1, **bound})
