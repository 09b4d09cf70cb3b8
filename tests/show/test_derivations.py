"""The docstrings' equations and the lines that cite them belong together."""

import importlib
import inspect

import pytest

from minivae import ops
from minivae.show import derivations

OPERATIONS = [module.__name__ for module in ops.registry.modules_in("minivae.ops")]
MODULES = [importlib.import_module(name) for name in sorted({*OPERATIONS, *derivations.modules()})]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_each_equation_is_cited_and_each_citation_exists(module):
    assert derivations.breaches(module.__doc__, inspect.getsource(module)) == []


def test_the_derivations_are_found():
    found = derivations.modules()
    assert {
        "minivae.ops.linear",
        "minivae.ops.negative_elbo",
        "minivae.train.optim.optimizer",
    } <= set(found)
    assert sum(len(derivations.equations(module.__doc__)) for module in MODULES) > 50
    assert found[:2] == ["minivae.ops.linear", "minivae.ops.activations.relu"]
    assert {module.__name__ for module in ops.MODULES} <= set(found)


def test_the_order_names_operations_and_what_is_not_in_it_comes_after_them(monkeypatch):
    found = derivations.modules()
    known = [name for name in OPERATIONS if name in found]
    assert {f"minivae.ops.{name}" for name in derivations.ORDER} <= set(known)
    monkeypatch.setattr(derivations, "ORDER", derivations.ORDER[1:])
    found = derivations.modules.__wrapped__()
    assert found.index("minivae.ops.linear") >= len(derivations.ORDER)
    assert not found[len(known)].startswith("minivae.ops.")


DOCSTRING = r"As in (1), $x$: $$ y = x \tag{1} $$ and $$ z = 2 y \tag{2} $$ (see 2014)"
CODE = "y = x  # (1)\nz = 2 * y  # (2), not '# (3)'\n"


def test_equations_and_citations():
    assert derivations.equations(DOCSTRING) == {1: "y = x", 2: "z = 2 y"}
    assert derivations.citations(CODE) == {1: [1], 2: [2, 3]}
    assert derivations.citations("text = '# (4)'\n") == {}


@pytest.mark.parametrize(
    ("docstring", "code", "phrase"),
    [
        (DOCSTRING, "y = x  # (1)\n", "no line cites equation (2)"),
        (DOCSTRING, CODE, "line 2 cites equation (3), which is not there"),
        (DOCSTRING + " by (7)", CODE, "the text speaks of equation (7), which is not there"),
        (r"$$ a \tag{2} $$ $$ b \tag{1} $$", "# (1), (2)\n", "numbered 2, 1, not from 1 on"),
        (r"$$ a \tag{1} $$ $$ b \tag{1} $$", "# (1)\n", "numbered 1, 1, not from 1 on"),
    ],
)
def test_a_breach_is_named(docstring, code, phrase):
    assert any(phrase in breach for breach in derivations.breaches(docstring, code))
