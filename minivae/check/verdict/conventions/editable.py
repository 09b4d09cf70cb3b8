"""The functions that a pair runs, as source that can be changed for a trial.

The doctor asks which change of a student's own text makes the gradient right. It reads the text
here, and what arrays are at hand in it; it sends a function's text back with one expression
changed, which runs in the place of the function for the time of a trial.
"""

import ast
import contextlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

import numpy as np

MOST = 12
"""Functions that are looked at."""


class Editable:
    """Functions that a pair runs: backward first, then forward, then what these call.

    Parameters
    ----------
    pair : Pair
        Called once by `describe`.
    translate : callable, optional
        Changes the parsed text before it runs, as that of the whole file was changed.
    """

    def __init__(self, pair: Any, translate: Callable[[ast.Module], Any] | None = None) -> None:
        self.translate = translate or (lambda tree: None)
        self.functions = functions_of(pair)
        self.codes = [function.__code__ for function in self.functions]
        self.texts = [_source(function) for function in self.functions]

    def describe(self, run: Callable[[], Any]) -> list[dict[str, Any]]:
        """Line, text and scope of each function.

        Parameters
        ----------
        run : callable
            Calls forward and backward.

        Returns
        -------
        list of dict
            `scope` holds the expressions of arrays and numbers in it, `x`, `self.x`, `cache['x']`,
            with their shapes, and whether it is a whole number.
        """
        scopes = observed(self.codes, run)
        return [
            {
                "line": code.co_firstlineno,
                "text": text,
                "scope": scopes.get(code, {}),
            }
            for code, text in zip(self.codes, self.texts, strict=True)
        ]

    @contextlib.contextmanager
    def exchanged(self, index: int, text: str) -> Iterator[None]:
        """Within this block, let a function run this text."""
        function, own = self.functions[index], self.codes[index]
        function.__code__ = compiled(function, text, own, self.translate)
        try:
            yield
        finally:
            function.__code__ = own


def functions_of(pair: Any) -> list[FunctionType]:
    """The functions that a pair runs, as far as they stand in the same file."""
    start = [f for f in (pair.run_back, pair.run) if f is not None]
    found = [inspect.unwrap(getattr(f, "__func__", f)) for f in start]
    found = [f for f in found if isinstance(f, FunctionType)]
    if not found:
        return []
    home = found[0].__module__
    owners = [] if pair.instance is None else [pair.instance, *vars(pair.instance).values()]
    owners = [type(owner) for owner in owners if type(owner).__module__ == home]
    for function in found:  # grows meanwhile
        for name in function.__code__.co_names:
            called = [function.__globals__.get(name), *(getattr(o, name, None) for o in owners)]
            found += [
                f
                for f in called
                if isinstance(f, FunctionType) and f.__module__ == home and f not in found
            ]
        if len(found) >= MOST:
            break
    return found[:MOST]


def _source(function: FunctionType) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return ""


def observed(codes: list[CodeType], run: Callable[[], Any]) -> dict[CodeType, dict[str, Any]]:
    """Arrays and numbers in each function when it returned first, by the expression for them."""
    wanted, scopes = set(codes), {}

    def look(frame: Any, event: str, argument: Any) -> None:
        if event == "return" and frame.f_code in wanted and frame.f_code not in scopes:
            scopes[frame.f_code] = scope_of(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        run()
    finally:
        sys.setprofile(before)
    return scopes


def scope_of(names: dict[str, Any]) -> dict[str, list]:
    """Expression -> [shape, whole number] of what is an array or a number."""
    found: dict[str, list] = {}
    for name, value in names.items():
        if not name.startswith(("_", ".")):
            _look_at(name, value, found)
        inside = vars(value) if name == "self" and hasattr(value, "__dict__") else {}
        for key, part in inside.items():
            _look_at(f"self.{key}", part, found)
    return found


def _look_at(expression: str, value: Any, found: dict[str, list]) -> None:
    if isinstance(value, dict) and expression.count("[") == 0:
        for key, part in list(value.items())[:20]:
            if isinstance(key, str):
                _look_at(f"{expression}[{key!r}]", part, found)
    elif isinstance(value, np.ndarray):
        found[expression] = [list(value.shape), False]
    elif isinstance(value, int | float | np.generic) and not isinstance(value, bool):
        found[expression] = [[], isinstance(value, int | np.integer)]


def compiled(
    function: FunctionType, text: str, own: CodeType, translate: Callable[[ast.Module], Any]
) -> CodeType:
    """Code of a function's changed text, which fits into the function.

    It is compiled inside a class, where the function is a method (`super()`, `self.__x`), and
    inside a function that has the outer names that it uses.

    Raises
    ------
    SyntaxError, ValueError
        If the text is no such function.
    """
    tree = ast.parse(text)
    translate(tree)
    node = tree.body[0]
    if not isinstance(node, ast.FunctionDef):
        raise ValueError("this is no function")
    node.decorator_list = []
    ast.increment_lineno(node, own.co_firstlineno - 1)
    inner: ast.stmt = node
    owner = function.__qualname__.rpartition(".")[0].rpartition(".")[2]
    if owner and owner != "<locals>":
        inner = ast.ClassDef(owner, bases=[], keywords=[], body=[node], decorator_list=[])
    outer = [name for name in own.co_freevars if name != "__class__"]
    body: list[ast.stmt] = [
        *(ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None)) for name in outer),
        inner,
    ]
    nothing = ast.arguments([], [], None, [], [], None, [])
    shell = ast.FunctionDef("_", nothing, body, decorator_list=[])
    module = ast.fix_missing_locations(ast.Module([shell], []))
    return _find(compile(module, own.co_filename, "exec"), node.name)


def _find(code: CodeType, name: str) -> CodeType:
    """The code of that name, in the first code inside, in the first inside that, and so on."""
    parts = [part for part in code.co_consts if isinstance(part, CodeType)]
    if not parts:
        raise ValueError("it was not compiled")
    own = [part for part in parts if part.co_name == name]
    return own[0] if own else _find(parts[0], name)
