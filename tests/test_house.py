"""The rules of the house: rooms, floors, no circle, no long file, and nobody asks for a name.

Each rule fails with sentences that name file and line.
"""

import ast
import re
import subprocess
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from itertools import pairwise
from pathlib import Path

import pytest

from minivae import MOVED
from minivae.models import MODELS

ROOT = Path(__file__).parents[1]
FLOORS = "errors interrupts files engine ops data models train check show course uses cli".split()  # noqa: SIM905
"""Rooms, from the ground up: each imports only those before it."""

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "minivae").rglob("*.py"))
}
"""Name of each module -> its file."""

BESIDE = {"__init__.py", "__main__.py", "py.typed", "tutorial.mplstyle"}
"""What lies at the root of the package besides the rooms."""

TOP = {"pyproject.toml", "README.md", "LICENSE", "minivae", "tutorials", "tests"}
"""What lies at the top of the repository, besides names that begin with a dot."""

BARRED = {"check": ("data", "train", "uses")}
"""Rooms that a room must not import, though they are below it: a check trains nothing."""

LONG = {
    "minivae/ops/conv2d.py": "one operation on two devices, and a layer with all its paddings",
    "minivae/ops/gru.py": "one operation in three forms, each a loop through time and its reverse",
    "minivae/uses/experiments/autoencoder.py": "an experiment is one file, tables and pictures too",
}
"""Modules over 300 lines, each with its reason."""

HARD = ("minivae/engine/cpu", "minivae/check/diagnosis", "minivae/course/grading")
"""Rooms with a page that a newcomer reads before touching them."""

NEVER = re.compile(r"\b(never|nothing|no|nowhere|nobody|neither)\b", re.IGNORECASE)
SENTENCE = re.compile(r"[.?!](?=\s|$)")
LINK = re.compile(r"\]\([^)]*\)")
FILE = re.compile(r"`([\w./-]+\.(?:py|js|css|html))`")
MODULE = re.compile(r"`minivae\.(\w+)")
PLACE = re.compile(r"\b(?:minivae|tests|tutorials|\.github|\.ci)/[\w./-]*\w")


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


def test_no_room_imports_what_is_barred_to_it():
    over = [
        f"{where(name, line)} imports {module}, but {room(name)} imports none of {barred}"
        for name in FILES
        for barred in [BARRED.get(room(name), ())]
        for line, module in imports(name)
        if room(module) in barred
    ]
    assert not over, "\n".join(over)


def test_the_root_holds_the_rooms_and_little_else():
    wanted = BESIDE | {
        f"{name}.py" if name in ("errors", "interrupts", "files") else name for name in FLOORS
    }
    there = {path.name for path in (ROOT / "minivae").iterdir()} - {"__pycache__"}
    wrong = [f"minivae/{name}:1 belongs into a room" for name in sorted(there - wanted)]
    wrong += [f"minivae/{name} is missing" for name in sorted(wanted - there)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no working copy of Git's")
def test_the_top_holds_nothing_else():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    there = {path.split("/")[0] for path in listed}
    wrong = [f"{name}:1 is at the top" for name in sorted(there - TOP) if name[0] != "."]
    assert not wrong, "\n".join(wrong)


def test_no_module_is_long_without_a_reason():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in FILES.values()
    }
    wrong = [
        f"{path}:{n} is beyond line 300; divide it, or give a reason in LONG"
        for path, n in lengths.items()
        if n > 300 and path not in LONG
    ]
    wrong += [
        f"{path} has {lengths.get(path, 0)} lines; take it out of LONG"
        for path in LONG
        if lengths.get(path, 0) <= 300
    ]
    assert not wrong, "\n".join(wrong)


def test_every_folder_says_what_lives_in_it_and_what_never_does():
    wrong = []
    for path in (path for path in FILES.values() if path.name == "__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        at = f"{path.relative_to(ROOT)}:1"
        if len(SENTENCE.findall(text)) < 2:
            wrong.append(f"{at} has a docstring of less than two sentences")
        elif not NEVER.search(text) and room(package_of(path)):
            wrong.append(f'{at} does not say what never lives there ("Nothing here ...")')
    assert not wrong, "\n".join(wrong)


def package_of(path):
    return ".".join(path.parent.relative_to(ROOT).parts)


@pytest.mark.parametrize("folder", HARD)
def test_the_hard_rooms_have_a_page(folder):
    page = ROOT / folder / "README.md"
    assert page.is_file(), f"{folder}/README.md is missing: what must one know to work there?"


KEPT = [
    path.relative_to(ROOT).as_posix()
    for top in ("minivae", "tests", "tutorials")
    for path in sorted((ROOT / top).rglob("*"))
    if path.is_file() and "__pycache__" not in path.parts
]
"""Every file below the top."""

PAGES = [path for path in KEPT if path.endswith(".md") and "katex" not in path]


def test_a_file_that_code_names_is_there():
    """It lies beside the one that names it, elsewhere in its room, or is named with a folder."""
    wrong = []
    for path in [*FILES.values(), *(ROOT / page for page in PAGES if page[:7] == "minivae")]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            at = f"{path.relative_to(ROOT)}:{number}"
            old = MODULE.findall(line) if path.parent.name != "minivae" else []
            wrong += [
                f"{at} names `minivae.{name}`, which has moved" for name in old if name in MOVED
            ]
            for name in FILE.findall(line):
                ends = [kept for kept in KEPT if f"/{kept}".endswith(f"/{name}")]
                own = [kept for kept in ends if kept.split("/")[:2] == at.split("/")[:2]]
                ends = own if own or "/" not in name else ends
                if not (path.parent / name).exists() and len(ends) != 1:
                    what = f"could be any of {', '.join(ends)}" if ends else "is not there"
                    wrong.append(f"{at} names `{name}`, which {what}")
    assert not wrong, "\n".join(wrong)


def test_a_place_that_a_page_names_is_there():
    wrong = []
    for page in [ROOT / "README.md", *(ROOT / ".github").glob("*.md"), *map(ROOT.joinpath, PAGES)]:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            at = f"{page.relative_to(ROOT)}:{number}"
            links = re.findall(r"\]\(([^)#:]+)\)", line)
            wrong += [f"{at} links to {t}" for t in links if not (page.parent / t).exists()]
            named = [p for p in PLACE.findall(LINK.sub("]", line)) if "NAME" not in p]
            wrong += [f"{at} names {p}" for p in named if not (ROOT / p).exists()]
    assert not wrong, "these are not there:\n" + "\n".join(wrong)


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
