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
import traceback
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
        self.translate = translate
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
            with their shapes, and whether it is a whole number; `end` is the line on which it
            raised, or 0.
        """
        codes = zip(self.codes, self.texts, strict=True)
        scopes, ends = observed({code: taken_out(text) for code, (_, text) in codes}, run)
        return [
            {"line": line, "text": text, "scope": scopes.get(code, {}), "end": ends.get(code, 0)}
            for code, (line, text) in zip(self.codes, self.texts, strict=True)
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


def _source(function: FunctionType) -> tuple[int, str]:
    """Line and text of a function, without what decorates it."""
    try:
        lines = inspect.getsource(function).splitlines(keepends=True)
    except (OSError, TypeError):
        return 0, ""
    above = 0
    while above < len(lines) - 1 and not lines[above].lstrip().startswith("def "):
        above += 1
    text = textwrap.dedent("".join(lines[above:]))
    return function.__code__.co_firstlineno + above, text


def taken_out(text: str) -> list[str]:
    """What a function takes out of arrays by plain indices, as `h[t]`, and beside that."""
    found = []
    for node in ast.walk(ast.parse(text)) if text else ():
        if isinstance(node, ast.Subscript) and not any(
            isinstance(part, ast.Call | ast.Slice | ast.Lambda | ast.NamedExpr)
            for part in ast.walk(node)
        ):
            found.append(ast.unparse(node))
            if isinstance(node.slice, ast.Name):  # the neighbours, too
                found += [f"{ast.unparse(node.value)}[{node.slice.id} {by} 1]" for by in "+-"]
    return list(dict.fromkeys(found))[:24]


def observed(
    codes: dict[CodeType, list[str]], run: Callable[[], Any]
) -> tuple[dict[CodeType, dict[str, Any]], dict[CodeType, int]]:
    """Arrays and numbers in each function when it returned first, by the expression for them.

    Numbers of the module that one of them uses are among them. And the lines on which they raised.
    The codes come with further expressions.
    """
    scopes: dict[CodeType, dict[str, Any]] = {}
    ends: dict[CodeType, int] = {}
    names = {name for code in codes for name in code.co_names}

    def look(frame: Any, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "return" and code in codes and code not in scopes:
            numbers = {n: frame.f_globals.get(n) for n in names}
            numbers = {n: v for n, v in numbers.items() if isinstance(v, int | float)}
            scopes[code] = scope_of(numbers | frame.f_locals)
            for expression in codes[code]:
                with contextlib.suppress(Exception):
                    value = eval(expression, frame.f_globals, frame.f_locals)
                    scopes[code] = {**scope_of({expression: value}), **scopes[code]}

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        run()
    except Exception as error:
        for frame, line in traceback.walk_tb(error.__traceback__):
            if frame.f_code in codes:
                ends[frame.f_code] = line
    finally:
        sys.setprofile(before)
    return scopes, ends


def scope_of(names: dict[str, Any]) -> dict[str, list]:
    """Expression -> [shape, whole number] of what is an array or a number; each array once."""
    found: dict[str, list] = {}
    seen: set[int] = set()
    every = {n: v for n, v in names.items() if n[0] not in "_."}
    every |= {f"self.{n}": v for n, v in getattr(names.get("self"), "__dict__", {}).items()}
    for name, value in list(every.items()):
        parts = value.items() if isinstance(value, dict) else ()
        parts = enumerate(value) if isinstance(value, tuple | list) else parts
        every |= {f"{name}[{k!r}]": v for k, v in list(parts)[:20] if isinstance(k, str | int)}
    for name, value in every.items():
        if isinstance(value, np.ndarray) and id(value) not in seen:
            seen.add(id(value))
            found[name] = [list(value.shape), False]
        elif isinstance(value, int | float | np.generic) and not isinstance(value, bool):
            found[name] = [[], isinstance(value, int | np.integer)]
    return found


def compiled(
    function: FunctionType,
    text: str,
    own: CodeType,
    translate: Callable[[ast.Module], Any] | None = None,
) -> CodeType:
    """Code of a function's changed text, which fits into the function.

    It is compiled inside a class, where the function is a method (`super()`, `self.__x`), and
    inside a function that has the outer names that it uses.

    Raises
    ------
    SyntaxError, ValueError
        If the text is no such function.
    """
    owner = function.__qualname__.rpartition(".")[0].rpartition(".")[2]
    outer = [name for name in own.co_freevars if name != "__class__"]
    if owner not in ("", "<locals>"):
        text = f"class {owner}:\n{textwrap.indent(text, ' ')}"
    if outer:
        text = f"def _():\n {'='.join(outer)} = 0\n{textwrap.indent(text, ' ')}"
    source: str | ast.Module = text
    if translate is not None:
        source = ast.parse(text)
        translate(source)
    return _find(compile(source, own.co_filename, "exec"), function.__name__)


def _find(code: CodeType, name: str) -> CodeType:
    """The code of that name, in the first code inside, in the first inside that, and so on."""
    parts = [part for part in code.co_consts if isinstance(part, CodeType)]
    if not parts:
        raise ValueError("it was not compiled")
    own = [part for part in parts if part.co_name == name]
    return own[0] if own else _find(parts[0], name)
