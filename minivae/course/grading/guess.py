"""What an argument may be, from its name and from what the source says about it.

Nobody knows what `forward(x, W, y)` takes; but courses have habits, and a habit holds for all
arguments at once. A *style* is such a habit: examples in rows or in columns, images with channels
first or last, sequences, one example. For each argument there are candidates, each with a style
and a cost; shapes that a docstring or `N, D = x.shape` tells cost nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ...check.verdict.conventions import names as table
from ...check.verdict.conventions.names import plain
from ...check.verdict.conventions.prepared import LAYERS
from . import layouts
from .inputs import COLUMNS, Spec
from .layouts import AXES, CALLED, NUMBERS, OPTIONS, PREDICTED, STYLES, letter_like, letter_of
from .roles import Names, layer_of, role_among

GATES = {"lstm": "4*H", "gru": "3*H"}
"""What the weights of all gates in one matrix have as columns."""
GIVEN = ("W", "w", "b", "wx", "wh", "wy", "bh", "by", "gamma")
"""Roles of arrays that a constructor may be given."""


@dataclass(frozen=True)
class Candidate:
    """What one argument may be: specs by name, `parameters.W` for an entry of a dict."""

    specs: dict[str, Spec]
    cost: float = 0.0
    style: str = ""


def candidates(name: str, among: Names, *, constructor: bool = False) -> list[Candidate]:
    """What an argument may be, the cheapest first."""
    clue = among.clues.get(name, {})
    found: list[Candidate] = []
    dictionary = _dictionary(name, clue, among)
    if dictionary:
        return dictionary
    if clue.get("words"):
        return [_constant(name, w, i) for i, w in enumerate(dict.fromkeys(clue["words"]))]
    key = plain(name)
    if constructor and clue.get("called"):
        return [_constant(name, None)]  # it is made where it is called, see `conventions.objects`
    if constructor and among.takes_arrays and role_among(name, among, clue) in GIVEN:
        constructor = False
    if constructor and key in table.sure_names("lam") | {"l1", "l2", "reg", "weightdecay"}:
        return [_constant(name, 0.0)]  # a penalty is no part of the output
    if constructor and among.stacked:
        found += [_constant(name, v) for pattern, v in layouts.STACKED if re.search(pattern, key)]
    if found:
        return found
    if constructor:
        found += [_constant(name, None, 0.4)] if LAYERS.match(name) else []  # see `prepared`
        counted = key in CALLED["H"].split() or name.startswith(("n_", "num_"))
        if re.search(r"hiddens?$|layers$|dims$|sizes$|units$|list$", key):
            cost, inside = 0.5 + 2.0 * counted, 0.2 * ("hid" in key)  # of all layers, or inside
            found.append(_constant(name, [5, 4, 7], cost + inside))
            found.append(_constant(name, [4], cost + 0.2 - inside))
        parts = len(clue.get("parts", ()))
        if parts in (2, 3):
            letters = "C Y X" if parts == 3 else "k k" if "shape" not in key else "Y X"
            return [Candidate({name: Spec(kind="size", value=letters)})]
        others = " ".join(n for n, _ in among.parameters)
        pools = "stride" in others and not re.search("channel|filter|in_|out_", others)
        if pools and key in ("kernel", "kernelsize", "size", "stride", "poolsize"):
            return [_constant(name, 2), _constant(name, (2, 2), 0.5)]  # pooling, without overlaps
        if key.endswith("shape"):
            found += [_constant(name, shape, 1.0) for shape in ((5,), (5, 7), (2, 4, 6))]
        sized = list(_sizes(name, key))
        if key in NUMBERS or (counted and not sized):
            found.append(_constant(name, NUMBERS.get(key, 2)))
        found += [replace(c, cost=c.cost + len(found) * (not counted)) for c in sized]
        if found:
            return sorted(found, key=lambda c: c.cost)
    for source, cost in (("doc", 0.0), ("axes", 0.2)):
        if clue.get(source):
            found += _told(name, clue, clue[source], cost, among)
    told = 1.0 if found and not constructor else 0.0
    if constructor and re.search(r"init|fn$|func|activation|optim|regular|name$", key):
        return [_constant(name, None)]
    role = role_among(name, among, clue)
    if key in NUMBERS and (
        role is None or constructor or (key in table.plain(name) and role == "number")
    ):
        found.append(_constant(name, NUMBERS[key], 0.0 if role in (None, "number") else 1.5))
    elif role == "number":
        found.append(_constant(name, 0.1))
    if role not in (None, "number"):
        found += _by_role(name, role, clue, among, told)
    elif not found:
        found += [_constant(name, 2, 1.0)] if clue.get("count") or constructor else []
        found += [] if constructor else _by_role(name, "x", clue, among, 1.0 + told)
        for other in [] if constructor else among.clues.values():  # as its neighbours, perhaps
            axes = other.get("doc") or other.get("axes") or []
            found += _told(name, {}, axes, 0.9, among) if len(axes) == 3 else []
        found.append(_constant(name, 0.7, 2.5))
    found += _as_labels(name, clue) if clue.get("index") else []
    rank = max([clue.get("rank", 0), *(len(clue.get(source, ())) for source in ("doc", "axes"))])
    fits = [
        replace(c, cost=c.cost + 0.7) if 0 < len(c.specs[name].axes) < rank else c for c in found
    ]
    return sorted(fits, key=lambda c: c.cost)


def _constant(name: str, value: Any, cost: float = 0.0) -> Candidate:
    return Candidate({name: Spec(kind="constant", value=value)}, cost)


def _by_role(
    name: str, role: str, clue: dict[str, Any], among: Names, extra: float = 0.0
) -> Iterator[Candidate]:
    kinds = {"sigma": "positive", "p": "unit", "logvar": "normal"}
    shapes = {"logvar": "mu", "logsigma": "mu", "sigma": "mu", "eps": "mu", "z": "mu", "p": "x"}
    axes = AXES[shapes.get(role, role)]
    layered = layer_of(name, among)
    if layered:
        axes = layered
    elif role == "W" and (clue.get("index") or among.looks_up or "embed" in name.lower()):
        axes = AXES["table"]
    elif role == "x" and among.looks_up and not (among.beside or among.numbers_rows):
        yield from _by_role(name, "ids", clue, among, extra)
        extra += 1.0
    gates = next((g for word, g in GATES.items() if word in among.title.lower()), "")
    for style, choices in zip(STYLES, axes.split(";"), strict=False):
        for i, text in enumerate(filter(None, map(str.strip, choices.split("|")))):
            *letters, last = text.split()
            word = last if last[0].islower() and last != "k" else ""
            letters = tuple(letters) if word else (*letters, last)
            kind = "labels" if ":" in word else word or kinds.get(role, "normal")
            spec = Spec(letters, kind, word.partition(":")[2])
            cost = extra + 0.3 * i
            if gates in text and gates:
                cost = extra
            elif gates and role in ("wx", "wh", "bh"):
                cost += 1.0
            yield Candidate({name: spec}, cost, style)
            yield from _other_kinds(name, role, spec, cost, style)
    if role == "x" and not among.images:  # the numbers of words
        for axes, style in ((("B",), "rows"), (("B", "T"), "steps")):
            yield Candidate({name: Spec(axes, "labels", "V")}, extra + 2.0, style)


def _other_kinds(name: str, role: str, spec: Spec, cost: float, style: str) -> Iterator[Candidate]:
    """Labels and one-hot vectors for a target, other ranges for what a logarithm is taken of."""
    if not spec.axes:
        return  # the label of one example
    if role == "labels" and style in ("rows", "columns") and spec.axes == ("B",):
        hot = Spec(("B", "I"), "one_hot") if style == "rows" else Spec(("I", "B"), COLUMNS)
        yield Candidate({name: hot}, cost + 0.6, style)
        yield Candidate({name: Spec(("B",), "labels", "2")}, cost + 0.1, "thin")
    if role == "target":
        hot = COLUMNS if style == "columns" and spec.axes[0] != "1" else "one_hot"
        hot = "binary" if "1" in spec.axes or spec.axes == ("B",) else hot
        named = -0.2 if "hot" in plain(name) else 0.1
        yield Candidate({name: Spec(spec.axes, hot)}, cost + named, style)
        if style in ("rows", "columns") and spec.axes == ("B",):
            for i, below in enumerate("IO"):
                labels = Spec(("B",), "labels", below)
                yield Candidate({name: labels}, cost + 0.1 * i - 0.4, style)
            yield Candidate({name: Spec(("B",), "labels", "2")}, cost - 0.5, "thin")
        if style == "steps" and len(spec.axes) == 3:
            for i, below in enumerate("IKV"):
                labels = Spec(spec.axes[:2], "labels", below)
                yield Candidate({name: labels}, cost + 0.1 * i, style)
    elif role in ("x", "p") and style in ("rows", "columns"):
        for i, kind in enumerate(("unit", "simplex", "positive")):
            if kind != spec.kind:
                yield Candidate({name: Spec(spec.axes, kind)}, cost + 0.8 + 0.4 * i, style)
        for other in (("B", "1"), ("B",)) if style == "rows" else (("1", "B"),):
            yield Candidate({name: Spec(other, spec.kind)}, cost, "thin")
        if role == "p":
            yield Candidate({name: Spec(spec.axes)}, cost + 0.6, style)


def _as_labels(name: str, clue: dict[str, Any]) -> Iterator[Candidate]:
    """An array that another is indexed with holds whole numbers."""
    for i, below in enumerate("IOV"):
        yield Candidate({name: Spec(("B",), "labels", below)}, -0.5 + 0.1 * i, "rows")
    yield Candidate({name: Spec(("B", "T"), "labels", "V")}, 0.2, "steps")


def _sizes(name: str, key: str) -> Iterator[Candidate]:
    """A constructor's sizes."""
    letters = [n for n, names in CALLED.items() if key in names.split()]
    letters = letters or list(letter_like(key))
    for i, letter in enumerate(letters):
        yield Candidate({name: Spec(kind="size", value=letter)}, 0.2 * i)
        if letter == "I":
            yield Candidate({name: Spec(kind="size", value="C")}, 0.0, "images")
            yield Candidate({name: Spec(kind="size", value="C")}, 0.0, "last")


def _told(
    name: str, clue: dict[str, Any], axes: list[str], cost: float, among: Names
) -> Iterator[Candidate]:
    """An argument whose axes are named in the source."""
    if not all(axis.strip("_") for axis in axes):
        return  # a part of it is not named
    letters = tuple(_letter(axis, among.images, among) for axis in axes)
    if letters.count("k") == 1 and len(letters) == 4:  # F filters, and not an f x f kernel
        letters = tuple(
            "F" if n == "k" and a in ("F", "f") else n for n, a in zip(letters, axes, strict=True)
        )
    style = "columns" if len(letters) == 2 and letters[-1] == "B" else ""
    kinds = ["normal"]
    if clue.get("index"):
        kinds = ["labels"]
    elif among.looks_up and not (among.beside or among.numbers_rows):
        kinds = ["labels", "normal"]
    elif table.role_of(name) in ("labels", "target"):
        kinds = (
            ["labels", "normal", "one_hot"] if len(letters) == 1 else ["normal", "one_hot", COLUMNS]
        )
        kinds = ["one_hot"] if "hot" in plain(name) else kinds
        kinds = ["binary"] if "1" in letters else kinds
    elif "p" in (role_among(name, among, clue), table.role_of(name)) or plain(name) in PREDICTED:
        kinds = ["unit", "normal"]
    if table.role_of(name) in ("labels", "target") and "labels" not in kinds:
        kinds = [*kinds, "labels"]
    for i, kind in enumerate(kinds):
        below = ("K", "I", "O", "V") if kind == "labels" else ("",)
        for j, letter in enumerate(below):
            spec = Spec(letters, kind, letter)
            yield Candidate(
                {name: spec}, cost + 0.2 * i + 0.1 * j, "" if len(letters) < 2 else style
            )


def _letter(axis: str, images: bool, among: Names) -> str:
    """The letter of a size that the source names, or of several with a sign between them."""
    if axis.isdigit():
        return axis
    for sign in "+*":
        if sign in axis:
            return sign.join(_letter(part.strip(), images, among) for part in axis.split(sign))
    if match := re.fullmatch(r"([0-9]+) ?([A-Za-z]\w*)", axis):
        return f"{match[1]}*{_letter(match[2], images, among)}"
    known = letter_of(axis, images=images)
    known = known or (letter_like(axis) if axis in among.sized.split() else "")
    return known or among.spare.setdefault(plain(axis), f"~{len(among.spare)}")


def _dictionary(name: str, clue: dict[str, Any], among: Names) -> list[Candidate]:
    """A dict of parameters or of options, with the keys that the source asks for."""
    if re.search(r"_(params?|config|conf|options|opts)$", name) and not clue.get("keys"):
        stride = {"stride": 2} if "pool" in name else {}
        options = {**dict(OPTIONS), **stride}
        return [
            Candidate({f"{name}.{k}": Spec(kind="constant", value=v) for k, v in options.items()})
        ]
    keys = [k for k in clue.get("keys", {}) if k not in clue.get("optional", {})]
    keys += [f"{p}{i}" for i in (1, 2) for p in dict.fromkeys(clue.get("numbered", ()))]
    optional = {k: v for k, v in clue.get("optional", {}).items() if plain(k) in ("mode",)}
    if not keys and "optional" not in clue:
        return []
    pooled = "pool" in "".join(keys)
    inner = Names([(k, True) for k in keys], among.clues)
    inner.spare = among.spare
    both = Names([*inner.parameters, *among.parameters], among.clues, among.spare)
    choices = {}
    for key in keys:
        number = plain(key) in NUMBERS and not any(
            key == f"{p}{i}" for i in (1, 2) for p in ("W", "b")
        )
        value = 2 if pooled and key == "stride" else NUMBERS.get(plain(key))
        choices[key] = [_constant(key, value)] if number else candidates(key, both)
    found = []
    choices = {
        key: [c for c in options if next(iter(c.specs.values())).kind != "constant"] or options
        for key, options in choices.items()
    }
    for i, style in enumerate(("", *STYLES[:2], STYLES[4], STYLES[5])):
        specs: dict[str, Spec] = {}
        for key, options in choices.items():
            best = next((c for c in options if c.style in (style, "")), None)
            if best is None:
                break
            specs[f"{name}.{key}"] = next(iter(best.specs.values()))
        else:
            for key, value in optional.items():
                word = value if value is not None else NUMBERS.get(plain(key))
                specs[f"{name}.{key}"] = Spec(kind="constant", value=word)
            if not specs:
                specs = {name: Spec(kind="constant", value={})}
            found.append(Candidate(specs, 0.3 * i, style))
            if any("O" in spec.axes for spec in specs.values()):  # one output
                single = {
                    n: replace(spec, axes=tuple("1" if a == "O" else a for a in spec.axes))
                    for n, spec in specs.items()
                }
                found.append(Candidate(single, 0.3 * i + 0.4, style))
    return found
