"""Which gradient belongs to which argument: from names, then shapes, then order.

A tuple of gradients is in the order of the arguments. Where it is shorter than they are, or does
not fit, the names in the return statement and the shapes tell which arguments were left out.
"""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .names import DATA, PREDICTIONS, WITHOUT_GRADIENT, gradient_names, plain

MOST = 5000
"""Choices of arguments that are compared."""


def returned_names(function: Callable | None) -> list[list[str]]:
    """Names in each part of what a function returns last, as its source says; empty if unknown."""
    if function is None:
        return []
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except Exception:  # no source, or none that stands alone
        return []
    returns = [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Return) and node.value is not None
    ]
    if not returns:
        return []
    _, value = max(returns, key=lambda pair: pair[0])
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    return [
        [
            node.id if isinstance(node, ast.Name) else node.attr
            for node in ast.walk(part)
            if isinstance(node, ast.Name | ast.Attribute)
        ]
        for part in parts
    ]


def kind_of_return(names: list[list[str]]) -> str:
    """Whether a function returns "gradients" beside something, "several" things, or one: ""."""
    if len(names) < 2:
        return ""
    parts = [word.lower() for words in names for word in words]
    likely = any("grad" in word or re.match(r"d[a-z_]", word) for word in parts if word != "data")
    return "gradients" if likely else "several"


def owners(
    parts: Sequence[Any],
    shapes: dict[str, tuple[int, ...] | None],
    likely: Sequence[list[str]],
    names: Sequence[list[str]],
) -> list[str]:
    """Arguments that the gradients of a tuple belong to.

    Parameters
    ----------
    parts : sequence
        The gradients.
    shapes : dict of str to tuple of int
        Arguments in order, and their shapes; None for a container of arrays.
    likely : sequence of list of str
        Choices of arguments to prefer, the best first, where names and shapes do not tell.
    names : sequence of list of str
        Names that stand in each part of the return statement, as far as it is known.
    """
    every = list(shapes)
    kept = [n for n in every if plain(n) not in WITHOUT_GRADIENT]
    among = kept if len(parts) <= len(kept) else every
    hints = [_hint(words, among) for words in names] if len(names) == len(parts) else []
    hints = hints or [None] * len(parts)
    fits = [[_fits(part, shapes[n]) for n in every] for part in parts]
    if len(parts) >= len(every):
        named = [n for n in hints if n is not None]
        turned = len(set(named)) == len(every) == len(parts)
        in_order = all(fits[i][i] for i in range(len(every)))
        by_name = turned and all(fits[i][every.index(n)] for i, n in enumerate(named))
        return named if by_name and not in_order else every
    choices = itertools.islice(itertools.combinations(range(len(every)), len(parts)), MOST)

    def worth(choice: tuple[int, ...]) -> tuple:
        chosen = [every[i] for i in choice]
        named = sum(h == n for h, n in zip(hints, chosen, strict=True))
        shaped = sum(fits[part][i] for part, i in enumerate(choice))
        place = next((k for k, o in enumerate(likely) if o[: len(parts)] == chosen), len(likely))
        whole = place < len(likely) and len(likely[place]) == len(parts) and shaped > 0
        return -named, not whole, -shaped, place, choice

    return [every[i] for i in min(choices, key=worth)]


def without_data(names: Sequence[str]) -> list[list[str]]:
    """Choices of arguments that leave out what is data, the likeliest first."""
    kept = [n for n in names if plain(n) not in WITHOUT_GRADIENT]
    compared = any(plain(n) in PREDICTIONS for n in kept)
    left = [n for n in kept if not (compared and plain(n) in DATA)]
    return [left, kept] if len(left) < len(kept) else [kept]


def _hint(words: list[str], order: list[str]) -> str | None:
    """The one argument whose gradient is named among the words; None if there is not just one."""
    forms = {form.lower(): n for n in reversed(order) for form in gradient_names(n)}
    found = {forms[word.lower()] for word in words if word.lower() in forms}
    return found.pop() if len(found) == 1 else None


def _fits(part: Any, shape: tuple[int, ...] | None) -> bool:
    if shape is None or isinstance(part, dict | list | tuple):
        return shape is None and isinstance(part, dict | list | tuple)
    return part is None or np.shape(part) == shape
