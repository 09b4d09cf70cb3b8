"""The docstrings' equations and the lines that cite them belong together."""

import importlib
import inspect
import io
import pkgutil
import re
import tokenize

import pytest

import minivae.ops

NAMES = sorted(
    f"minivae.ops.{module.name}" for module in pkgutil.iter_modules(minivae.ops.__path__)
)
MODULES = [
    importlib.import_module(name if name in NAMES else f"minivae.{name}")
    for name in [*NAMES, "objectives", "optim", "noise", "elementary", "models.gan"]
]


def equations(module) -> list[int]:
    return [int(n) for n in re.findall(r"\\tag\{(\d+)\}", module.__doc__)]


def citations(module) -> set[int]:
    tokens = tokenize.generate_tokens(io.StringIO(inspect.getsource(module)).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return {int(n) for comment in comments for n in re.findall(r"\((\d+)\)", comment)}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_each_equation_is_cited_and_each_citation_exists(module):
    assert citations(module) == set(equations(module))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_equations_are_numbered_in_order(module):
    numbers = equations(module)
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_derivations_are_found():
    assert sum(len(equations(module)) for module in MODULES) > 50
