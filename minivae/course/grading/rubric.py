"""Rubric: which functions a submission must have, how they are tried, and what they are worth.

A TOML file with a table `[[exercise]]` for each function; `grading/__init__.py` describes the keys.
"""

import json
import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...engine import Case, door
from ...errors import OptionError
from ...files import open_file
from .inputs import NO_GRADIENT, SIZES, Spec, parse_spec
from .told import HINTS

HINT = "mistake"
"""How much is told where the rubric says nothing: what is wrong, and not the answer."""
VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")

KEYS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "points": (int, float),
    "title": str,
    "kind": str,
    "inputs": dict,
    "fixed": list,
    "options": dict,
    "init": dict,
    "sizes": dict,
    "vary_sizes": bool,
    "contract_points": (int, float),
    "forward_points": (int, float),
    "gradients": list,
    "tolerance": (int, float),
    "visibility": str,
    "hint": str,
}
TOP_KEYS: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "solution": str,
    "file": str,
    "packages": list,
    "visibility": str,
    "hint": str,
    "exercise": list,
}
WORDS = {str: "text", dict: "a table", list: "a list", bool: "true or false"}


@door
@dataclass(frozen=True)
class Exercise:
    """One function that is graded; the keys of the rubric."""

    name: str
    points: float = 1.0
    title: str = ""
    kind: str = ""
    inputs: dict[str, Spec] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    init: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=lambda: dict(SIZES))
    vary_sizes: bool = True
    contract_points: float = 0.0
    forward_points: float = 0.0
    gradients: tuple[str, ...] = ()
    tolerance: float | None = None
    visibility: str = "visible"
    hint: str = HINT

    @property
    def case(self) -> Case | None:
        """The operation of minivae that is the truth, if the rubric names one."""
        return find_kind(self.kind) if self.kind else None

    @property
    def wrt(self) -> list[str]:
        """Arguments that must have a gradient, as far as the rubric's inputs say it."""
        return [
            name
            for name, spec in self.inputs.items()
            if name not in self.fixed
            and name.partition(".")[0] not in self.fixed
            and spec.kind not in NO_GRADIENT
            and spec.axes
        ]


@door
@dataclass(frozen=True)
class Rubric:
    """All exercises of a sheet.

    Attributes
    ----------
    exercises : tuple of Exercise
        In the order of the file.
    title : str
        What the sheet is called.
    solution : Path, optional
        A trusted file with the same functions, whose forward passes are the truth.
    file : str
        Name of the file to grade in a submission that has several.
    packages : tuple of str
        Installed packages that a submission may import besides NumPy and SciPy.
    """

    exercises: tuple[Exercise, ...]
    title: str = ""
    solution: Path | None = None
    file: str = ""
    packages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [exercise.name for exercise in self.exercises]
        for name in names:
            if names.count(name) > 1:
                raise OptionError(f"the rubric has two exercises called {name!r}; rename one.")

    @property
    def points(self) -> float:
        """What can be reached in all."""
        return sum(exercise.points for exercise in self.exercises)

    def only(self, name: str) -> "Rubric":
        """The rubric with one exercise alone."""
        chosen = tuple(exercise for exercise in self.exercises if exercise.name == name)
        if not chosen:
            names = ", ".join(exercise.name for exercise in self.exercises)
            raise OptionError(f"the rubric has no exercise {name!r}; it has {names}.")
        return replace(self, exercises=chosen)


def find_kind(name: str) -> Case:
    """Return the operation of that name; raise `OptionError` if there is none."""
    from ... import ops

    cases = {case.name: case for case in ops.CASES}
    if name not in cases:
        raise OptionError(f"no operation is called {name!r}; there are {', '.join(cases)}.")
    return cases[name]


@door
def load_rubric(path: str | Path) -> Rubric:
    """Read a rubric.

    Raises
    ------
    OptionError
        If it cannot be read or a key is wrong, in one sentence that names the file and the key.
    """
    path = Path(path)
    try:
        with open_file(path) as file:
            data = tomllib.load(file)
    except OSError as error:
        raise OptionError(f"{path}: the rubric cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: this is no TOML ({error}).") from None
    return rubric_from_dict(data, path)


@door
def rubric_from_dict(data: dict[str, Any], path: str | Path = "rubric") -> Rubric:
    """Make a rubric from the content of a TOML file; `path` is where files are looked for."""
    path = Path(path)
    _check_keys(data, TOP_KEYS, str(path))
    visibility = _one_of(data.get("visibility", "visible"), VISIBILITIES, f"{path}: visibility")
    hint = _one_of(data.get("hint", HINT), HINTS, f"{path}: hint")
    tables = data.get("exercise", [])
    if not tables or not all(isinstance(table, dict) for table in tables):
        raise OptionError(f"{path}: there is no exercise; add a table [[exercise]] with a name.")
    exercises = tuple(
        _exercise(table, f"{path}: exercise {table.get('name', i)!r}", visibility, hint)
        for i, table in enumerate(tables, 1)
    )
    solution = None
    if "solution" in data:
        solution = path.parent / data["solution"]
        if not solution.is_file():
            raise OptionError(f"{path}: solution: there is no file {data['solution']}.")
    try:
        packages = tuple(map(str, data.get("packages", ())))
        return Rubric(exercises, data.get("title", ""), solution, data.get("file", ""), packages)
    except OptionError as error:
        raise OptionError(f"{path}: name: {error}") from None


def to_toml(rubric: Rubric) -> str:
    """Write a rubric as `load_rubric` reads it; what is as by default is left out."""
    top = {
        "title": rubric.title,
        "solution": rubric.solution.name if rubric.solution else "",
        "file": rubric.file,
        "packages": rubric.packages,
    }
    lines = [f"{key} = {_toml(value)}" for key, value in top.items() if value]
    for exercise in rubric.exercises:
        usual = Exercise("")
        lines += ["", "[[exercise]]"]
        for key in KEYS:
            value = getattr(exercise, key)
            if key == "sizes":
                value = {letter: n for letter, n in value.items() if SIZES.get(letter) != n}
            if key in ("name", "points") or value not in (getattr(usual, key), {}):
                lines.append(f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        bare = re.compile(r"[A-Za-z0-9_-]+")
        names = [key if bare.fullmatch(key) else _toml(key) for key in value]
        entries = zip(names, map(_toml, value.values()), strict=True)
        return "{" + ", ".join(f"{name} = {text}" for name, text in entries) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str | Spec):
        return json.dumps(str(value), ensure_ascii=False)
    return str(value).lower()  # true, false, and numbers as Python writes them


def _exercise(table: dict[str, Any], where: str, visibility: str, hint: str) -> Exercise:
    _check_keys(table, KEYS, where)
    if not table.get("name"):
        raise OptionError(f"{where}: name: it is missing.")
    values = dict(table)
    inputs = {}
    for name, text in table.get("inputs", {}).items():
        if not isinstance(text, str):
            raise OptionError(f"{where}: inputs.{name}: write its axes as text, such as 'B D'.")
        try:
            inputs[name] = parse_spec(text)
        except OptionError as error:
            raise OptionError(f"{where}: inputs.{name}: {error}") from None
    known = {*inputs, *(n.partition(".")[0] for n in inputs)}
    for name in table.get("fixed", []):
        if inputs and name not in known:
            raise OptionError(
                f"{where}: fixed: {name!r} is not among the inputs {', '.join(inputs)}."
            )
    for letter, size in table.get("sizes", {}).items():
        if type(size) is not int or size < 1:
            raise OptionError(f"{where}: sizes.{letter}: {size!r} is no positive whole number.")
    points = float(table.get("points", 1.0))
    contract = float(table.get("contract_points", 0))
    forward = float(table.get("forward_points", 0))
    if not 0 <= points < float("inf"):
        raise OptionError(f"{where}: points: {points:g} is not a number from 0 on.")
    if not 0 <= contract <= points:
        raise OptionError(
            f"{where}: contract_points: {contract:g} is not between 0 and the points, {points:g}."
        )
    if not 0 <= forward <= points - contract:
        raise OptionError(
            f"{where}: forward_points: {forward:g} is not between 0 and what is left of the "
            f"points, {points - contract:g}."
        )
    if "tolerance" in table and not 0 < table["tolerance"] < 1:
        raise OptionError(f"{where}: tolerance: {table['tolerance']} is not between 0 and 1.")
    if "kind" in table:
        try:
            find_kind(table["kind"])
        except OptionError as error:
            raise OptionError(f"{where}: kind: {error}") from None
    values |= {
        "inputs": inputs,
        "fixed": tuple(table.get("fixed", ())),
        "sizes": {**SIZES, **table.get("sizes", {})},
        "points": points,
        "contract_points": contract,
        "forward_points": forward,
        "gradients": tuple(map(str, table.get("gradients", ()))),
        "visibility": _one_of(
            table.get("visibility", visibility), VISIBILITIES, f"{where}: visibility"
        ),
        "hint": _one_of(table.get("hint", hint), HINTS, f"{where}: hint"),
    }
    return Exercise(**values)


def _check_keys(table: dict[str, Any], keys: dict[str, Any], where: str) -> None:
    for key, value in table.items():
        if key not in keys:
            raise OptionError(f"{where}: {key}: there is no such key; there are {', '.join(keys)}.")
        kind = keys[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            wanted = WORDS.get(kind, "a number") if isinstance(kind, type) else "a number"
            raise OptionError(f"{where}: {key}: {value!r} was given, but it must be {wanted}.")


def _one_of(value: str, choices: tuple[str, ...], where: str) -> str:
    if value not in choices:
        raise OptionError(f"{where}: {value!r} is not one of {', '.join(choices)}.")
    return value
