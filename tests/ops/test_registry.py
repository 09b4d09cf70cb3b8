"""What an operation's file declares wrongly is refused when the package is imported."""

from dataclasses import replace
from types import ModuleType

import pytest

import oracles
from minivae.engine.case import Case
from minivae.errors import OptionError
from minivae.ops import ACTIVATIONS, CASES, LIKELIHOODS, MODULES, Bernoulli, Likelihood, registry
from minivae.ops.activations.base import Forms, activation

CLAMP = next(case for case in CASES if case.name == "clamp")


def module(name="minivae.ops.mine", **names):
    """A module with these names, its classes as if they had been written in it."""
    made = ModuleType(name)
    for key, value in names.items():
        if isinstance(value, type):
            value.__module__ = name
        setattr(made, key, value)
    return made


def test_the_package_has_found_what_is_there():
    names = {m.__name__.removeprefix("minivae.ops.") for m in MODULES}
    assert {"linear", "kl", "activations.relu", "likelihoods.bernoulli"} <= names
    assert {"relu", "tanh", "gelu"} <= set(ACTIVATIONS)
    assert {"bernoulli", "gaussian", "categorical"} <= set(LIKELIHOODS)
    assert list(LIKELIHOODS) == sorted(LIKELIHOODS)


def test_two_operations_of_one_name(refuses):
    with refuses(OptionError, "'clamp'", "minivae.ops.mine", "minivae.ops.other", "rename"):
        registry.cases_of([module(CASES=[CLAMP]), module("minivae.ops.other", CASES=[CLAMP])])


def test_a_case_without_a_layer(refuses):
    case = Case("mine", len, len, vary={}, output=("B",))
    with refuses(OptionError, "'mine'", "minivae.ops.mine", "no layer", "layer=None"):
        registry.cases_of([module(CASES=[case])])
    assert registry.cases_of([module(CASES=[replace(case, layer=None)])])


def test_a_case_without_an_output(refuses):
    case = Case("mine", len, len, vary={}, layer=None)
    with refuses(OptionError, "'mine'", "minivae.ops.mine", "output"):
        registry.cases_of([module(CASES=[case])])


RELU = {k: v for k, v in ACTIVATIONS["relu"]._asdict().items() if k != "name"}


@pytest.mark.parametrize("form", ["forward", "backward", "scalar", "slope", "cuda", "js"])
def test_an_activation_without_a_form(form, refuses):
    with refuses(OptionError, "'mine'", f"no {form}"):
        activation("mine", **{k: v for k, v in RELU.items() if k != form})
    assert "mine" not in ACTIVATIONS


def test_an_activation_with_an_unknown_form(refuses):
    with refuses(OptionError, "'mine'", "fortran"):
        activation("mine", fortran="MAX(X, 0)", **RELU)


def test_two_activations_of_one_name(refuses):
    with refuses(OptionError, "'relu'", "minivae.ops.activations.relu"):
        activation("relu", **RELU)
    assert isinstance(ACTIVATIONS["relu"], Forms)


def likelihood(**attributes):
    return type("Mine", (Likelihood,), attributes)


def test_a_likelihood_without_a_name(refuses):
    with refuses(OptionError, "Mine", "minivae.ops.mine", "no name"):
        registry.likelihoods_of([module(Mine=likelihood())])


def test_two_likelihoods_of_one_name(refuses):
    bernoulli = next(m for m in MODULES if m.__name__ == Bernoulli.__module__)
    with refuses(OptionError, "Mine", "'bernoulli'", "minivae.ops.likelihoods.bernoulli"):
        registry.likelihoods_of([bernoulli, module(Mine=likelihood(name="bernoulli"))])


def test_a_likelihood_that_does_not_declare_what_it_takes(refuses):
    def takes_width(self, width=1.0, *, dtype="float32", backend="auto"):
        Likelihood.__init__(self, dtype=dtype, backend=backend)

    for declared, words in [
        ({}, ["takes width", "declares none"]),
        ({"width": (1.0, "how wide")}, ["width", "a type"]),
        ({"width": ("float", 1.0, "how wide")}, ["width", "a type"]),
    ]:
        mine = likelihood(name="mine", __init__=takes_width, options=declared)
        with refuses(OptionError, "Mine", *words):
            registry.likelihoods_of([module(Mine=mine)])


def test_what_likelihoods_take_is_collected(refuses):
    one = likelihood(name="one", options={"width": (float, 1.0, "how wide")})
    two = likelihood(name="two", options={"length": (float, 2.0, "how long"), **one.options})
    found = registry.options_of({"one": one, "two": two})
    assert found == {"width": (float, 1.0, "how wide"), "length": (float, 2.0, "how long")}
    other = likelihood(name="other", options={"width": (int, 1, "how many wide")})
    with refuses(OptionError, "width", "int", "float"):
        registry.options_of({"one": one, "other": other})


def test_an_operation_without_a_test_file_or_an_oracle_is_named(monkeypatch, tmp_path):
    mine = module(CASES=[Case("mine", len, len, vary={}, output=(), layer=None)])
    monkeypatch.setattr(oracles, "MODULES", [mine])
    monkeypatch.setattr(oracles, "OPS", tmp_path / "tests" / "ops")
    oracles.OPS.mkdir(parents=True)
    with pytest.raises(AssertionError, match=r"'mine' has no test file .*tests/ops/test_mine.py"):
        oracles.oracle_of.__wrapped__("mine")
    oracles.file_of(mine).write_text("")
    with pytest.raises(AssertionError, match=r"test_mine.py has no oracle; define oracle\(torch"):
        oracles.oracle_of.__wrapped__("mine")
