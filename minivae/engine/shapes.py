"""Shapes as docstrings say them: `x (B, D)`, and whether an array has one.

A letter stands for one size throughout a call, "..." for any axes, "any shape" for all of them, and
the gradient `dW` has the shape of W. Two shapes of one name are two ways of calling: the first
shapes of all names, or the second ones.
"""

import re
from collections.abc import Iterator
from typing import Any

BRACKETS = re.compile(r"\(([^()]*)\)")
AXIS = re.compile(r"[\w']+(?: [\w']+)*|\.\.\.|\*\w+")
NAMES = re.compile(r"((?:\w+(?:, and |, | and ))*\w+) $")
SECTION = re.compile(r"^ *([*\w, ]+) : .*$", re.MULTILINE)
ENTRY_BY_ENTRY = re.compile(r", (any shape|in the shape of)")
"""Where a docstring says so, all arrays have one shape, whichever it is."""


NEVER_NONE = {*"DHWZKLIOhw2", "n_pixels", "n_data"}
"""Axes of which there must be one: a datum without numbers means nothing, a batch of none does."""


def axes_in(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each shape in a text, and where it begins: `(B, D)`, `(B,)`, `(...)`."""
    for found in BRACKETS.finditer(text):
        axes = [axis.strip() for axis in found.group(1).split(",")]
        if axes == [""]:
            yield found.start(), ()  # a number
        if axes[-1] == "" and len(axes) > 1:
            axes = axes[:-1]
        elif len(axes) == 1 and axes != ["..."]:
            continue  # a word in brackets
        if all(map(AXIS.fullmatch, axes)) and axes[0] not in ("int", "float", "str"):
            yield found.start(), tuple("..." if axis[0] == "*" else axis for axis in axes)


def shapes_in(doc: str, names: list[str]) -> dict[str, list[tuple[str, ...]]]:
    """Shapes that a docstring gives to arrays: `x (B, D)`, `x, y : array, (B, D)`, ..."""
    found: dict[str, list[tuple[str, ...]]] = {name: [] for name in names}

    def note(name: str, axes: tuple[str, ...]) -> None:
        for of in (name, name[1:] if name[:1] == "d" else ""):  # dx has the shape of x
            if of in found and axes not in found[of]:
                found[of].append(axes)

    arguments = doc.partition("Returns\n-------")[0]
    for line in SECTION.finditer(arguments):
        names_here = re.findall(r"\w+", line.group(1))
        shapes = [axes for _, axes in axes_in(line.group())]
        if len(names_here) == len(shapes) and ") and (" in line.group():
            for name, axes in zip(names_here, shapes, strict=True):  # x, y : arrays, (N,) and (M,)
                note(name, axes)
            continue
        for name in names_here:
            for axes in shapes:
                note(name, axes)
    prose = re.sub(r"\s+", " ", doc.partition("Parameters\n-------")[0]).replace("`", "")
    for start, axes in axes_in(prose):
        before = NAMES.search(prose[:start][-100:])
        for name in re.findall(r"\w+", before.group(1)) if before else ():
            for each in names if name in ("all", "both") else (name,):
                note(each, axes)
    return found


def binds(axes: tuple[str, ...], shape: tuple[int, ...], sizes: dict[str, Any]) -> bool:
    """Whether a shape has these axes, given the sizes of letters so far, which are added to."""
    if "..." in axes:
        at = axes.index("...")
        before, after = axes[:at], axes[at + 1 :]
        n = len(shape) - len(before) - len(after)
        if n < 0:
            return False
        middle = shape[at : at + n]
        if sizes.setdefault("...", middle) != middle:
            return False
        axes, shape = before + after, shape[:at] + shape[at + n :]
    if len(axes) != len(shape):
        return False
    for axis, size in zip(axes, shape, strict=True):
        if axis.isdecimal():
            if int(axis) != size:
                return False
        elif " " in axis:
            continue  # a product, as f H
        elif sizes.setdefault(axis, size) != size or (size == 0 and axis in NEVER_NONE):
            return False
    return True


def written(axes: tuple[str, ...]) -> str:
    """Axes as text."""
    return ", ".join(axes) + ("," if len(axes) == 1 and axes != ("...",) else "")
