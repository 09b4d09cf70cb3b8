"""What the source of a pair says about its purpose, beyond its numbers.

A gradient that is stopped differs from the slope of the value on purpose, and only words tell; one
that goes straight through a step is seen by the step. And a small constant that keeps a logarithm
finite is left out of many a backward pass.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .double import in_double

STOPPED = re.compile(
    r"\bsg\b|_sg\b|stop_?grad|stops? the gradient|stopped gradient|detach|no_grad", re.IGNORECASE
)
LARGEST_EPSILON = 1e-4
MOST = 40
"""Functions and classes whose source is read."""


@dataclass(frozen=True)
class Purpose:
    """What is said in a source.

    Attributes
    ----------
    stopped : str
        The word that says that a gradient is stopped; empty without one.
    epsilon : float
        The largest of the small positive constants; 0 without one.
    single : bool
        Whether it asks for float32.
    """

    stopped: str = ""
    epsilon: float = 0.0
    single: bool = False


def purpose_of(functions: Iterable[Callable]) -> Purpose:
    """Read the source of functions, of a method's whole class; nothing where there is none.

    What a function is called says nothing. Small constants also stand in what it calls, in the
    layers of its object, and in what these call.
    """
    functions = list(functions)
    text = "\n".join(dict.fromkeys(_source(function) for function in functions))
    called = _called(functions)
    text = re.sub(r"(?m)^(\s*(?:def|class)\s+)\w+", r"\1_", text)
    word = STOPPED.search(text)
    texts = [text, *map(_source, called)]
    constants = [
        value
        for function in functions
        for name, value in getattr(function, "__globals__", {}).items()
        if type(value) is float and re.search(rf"\b{name}\b", text)
    ]
    small = [
        value for t in texts for value in [*constants, *_numbers(t)] if 0 < value <= LARGEST_EPSILON
    ]
    said = word.group().strip("[_ ") if word else ""
    return Purpose(said, max(small, default=0.0), any(map(_is_single, [text, *texts])))


def _source(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    what = function if owner is None or inspect.isclass(owner) else type(owner)
    try:
        return textwrap.dedent(inspect.getsource(what))
    except Exception:  # none that can be read
        return ""


def _called(functions: list[Callable]) -> list[Any]:
    """What functions call, as far as it is written beside them, and the layers of their objects."""
    found: list[Any] = []
    for function in functions:
        owner = getattr(function, "__self__", None)
        parts = list(vars(owner).values()) if hasattr(owner, "__dict__") else []
        inside = [p for part in parts if isinstance(part, list) for p in part]
        inside += [p for part in parts if isinstance(part, dict) for p in part.values()]
        found += [type(p) for p in (*parts, *inside) if hasattr(p, "backward")]
    for one in [*functions, *found]:
        found += _named_in(one)
    for one in list(found):  # one step further
        found += _named_in(one)
    return list(dict.fromkeys(found))[:MOST]


def _named_in(one: Any) -> list[Any]:
    """Functions and classes of the same file, or imported there, that a source calls by name."""
    home = sys.modules.get(getattr(one, "__module__", None) or "")
    space = getattr(one, "__globals__", None) or getattr(home, "__dict__", {})
    names = set(re.findall(r"\b(\w+)\(", _source(one)))
    values = [space.get(name) for name in sorted(names)]
    written = [v for v in values if inspect.isfunction(v) or inspect.isclass(v)]
    return [v for v in written if (v.__module__ or "")[:5] not in ("numpy", "built")]


def _is_single(text: str) -> bool:
    try:
        return in_double(ast.parse(text))
    except (SyntaxError, ValueError):
        return False


def _numbers(text: str) -> Iterable[float]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    return [
        float(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) is float
    ]


def called_in(function: Any) -> set[str]:
    """What a source calls by name."""
    calls = (node for node in _nodes(function) if isinstance(node, ast.Call))
    return {node.func.id for node in calls if isinstance(node.func, ast.Name)}


def taken_apart(function: Any) -> set[str]:
    """What a source takes apart: `a, b = x`, `x["a"]`, or `x[0]` and `x[1]`."""
    found, entries = set(), dict[str, set]()
    for node in _nodes(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple | ast.List):
            found |= {node.value.id} if isinstance(node.value, ast.Name) else set()
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            key = getattr(node.slice, "value", None)
            entries.setdefault(node.value.id, set()).add(str if type(key) is str else repr(key))
    return found | {n for n, keys in entries.items() if str in keys or {"0", "1"} <= keys}


def _nodes(function: Any) -> Iterable[ast.AST]:
    try:
        return ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except Exception:  # none that can be read alone
        return ()
