"""The rules of the house: rooms, floors, no circle, no long file, and nobody asks for a name.

Each rule fails with sentences that name file and line.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOORS = "errors files engine ops data models train check show course uses cli".split()  # noqa: SIM905
"""Rooms, from the ground up: each imports only those before it."""

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "minivae").rglob("*.py"))
}
"""Name of each module -> its file."""


def imports(name):
    """(line, module of the package) for each import, at the top or inside a function."""
    package = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{source}.{alias.name}" for alias in node.names]
            wanted = [full if full in FILES else source for full in names]
        elif isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        else:
            continue
        yield from ((node.lineno, module) for module in wanted if module in FILES)


def room(name):
    """Room of a module; None for `minivae` itself and `minivae.__main__`."""
    first = name.split(".")[1] if "." in name else ""
    return first if first in FLOORS else None


def where(name, line):
    return f"{FILES[name].relative_to(ROOT)}:{line}"


def test_no_circle():
    graph = {name: {m for _, m in imports(name) if m not in ("minivae", name)} for name in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]
        steps = [
            f"{where(b, line)} imports {a}"
            for a, b in pairwise(circle)
            for line, module in imports(b)
            if module == a
        ]
        raise AssertionError("modules import each other:\n" + "\n".join(steps)) from None


def test_a_room_imports_only_rooms_below_it():
    up = [
        f"{where(name, line)} imports {module}, which is above it"
        for name in FILES
        if room(name)
        for line, module in imports(name)
        if room(module) and FLOORS.index(room(module)) > FLOORS.index(room(name))
    ]
    assert not up, "\n".join(up)
