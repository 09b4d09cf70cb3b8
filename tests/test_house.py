"""The rules of the house: rooms, floors, no circle, no long file, and nobody asks for a name.

Each rule fails with sentences that name file and line.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from itertools import pairwise
from pathlib import Path

from minivae.models import MODELS

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


def questions(name):
    """(line, text) for each place that asks which model it has, instead of what it can."""
    kinds, classes = set(MODELS), {model.__name__ for model in MODELS.values()} | {"Classifier"}
    text = FILES[name].read_text(encoding="utf-8")

    def named(node):
        """Whether a model's class, or its kind as a text, is in an expression."""
        return any(
            (isinstance(n, ast.Name) and n.id in classes)
            or (isinstance(n, ast.Attribute) and n.attr in classes)
            or (isinstance(n, ast.Constant) and n.value in kinds)
            for n in ast.walk(node)
        )

    def of_a_model(node):
        """Whether an expression is `....model.kind`, `model.kind` or `...["model"]`."""
        owner = ast.unparse(node.value) if isinstance(node, ast.Attribute) else ""
        return (getattr(node, "attr", "") == "kind" and owner.endswith("model")) or (
            isinstance(node, ast.Subscript) and ast.unparse(node.slice) == "'model'"
        )

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            asks = named(node.args[1])
        elif isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            # Compared with another text than a kind, ["model"] is the name in a record.
            text_alone = any(isinstance(n, ast.Constant) for n in sides)
            asks = any(map(named, sides)) or (any(map(of_a_model, sides)) and not text_alone)
        elif isinstance(node, ast.Match):
            asks = any(named(case.pattern) for case in node.cases)
        else:
            continue
        if asks:
            yield node.lineno, ast.get_source_segment(text, node).partition("\n")[0]


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


def test_nobody_outside_of_models_asks_which_model_it_has():
    asked = [
        f"{where(name, line)} asks which model it has; ask it what it can: {text}"
        for name in FILES
        if room(name) != "models"
        for line, text in questions(name)
    ]
    assert not asked, "\n".join(asked)


def test_a_question_is_seen(tmp_path, monkeypatch):
    lines = [
        "isinstance(model, VAE)",
        "isinstance(model, (int, models.GAN))",
        "type(model) is Autoencoder",
        "kind in ('gan', 'cvae')",
        "model.kind == other",
        "options['model'] != kind",
        "isinstance(model, Model)",
        "schedule.kind == 'linear'",
        "record['model'] == 'test digits'",
    ]
    file = tmp_path / "asks.py"
    file.write_text("\n".join(lines))
    monkeypatch.setitem(FILES, "asks", file)
    assert [line for line, _ in questions("asks")] == [1, 2, 3, 4, 5, 6]
