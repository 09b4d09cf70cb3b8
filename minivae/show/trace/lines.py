"""Lines of code: the body of a function, the statement at a line, the names of results."""

import ast
import functools
import inspect
import linecache
import textwrap
from collections.abc import Callable, Iterator


@functools.cache
def _definition(function: Callable) -> tuple[ast.FunctionDef | None, list[str], int]:
    """Syntax tree of a function, its lines, and the number of the first; None without a source."""
    try:
        lines, start = inspect.getsourcelines(function)
        return ast.parse(_dedented(lines)).body[0], lines, start
    except (OSError, TypeError, SyntaxError):  # typed at a prompt, compiled, or a lambda in a call
        return None, [], 0


def body(function: Callable) -> tuple[str, str, int]:
    """Lines of a function without its signature and docstring, its file, and their first line."""
    function = inspect.unwrap(function)
    definition, lines, start = _definition(function)
    if not isinstance(definition, ast.FunctionDef):
        return "", "", 0
    statements = definition.body
    if len(statements) > 1 and ast.get_docstring(definition) is not None:
        statements = statements[1:]
    first, last = statements[0].lineno - 1, statements[-1].end_lineno
    return _dedented(lines[first:last]), inspect.getsourcefile(function) or "", start + first


def _dedented(lines: list[str]) -> str:
    return textwrap.dedent("".join(lines)).rstrip()


@functools.cache
def _statements(file: str) -> list[ast.stmt]:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]


def statement_at(file: str, line: int) -> ast.stmt | None:
    """The innermost statement that covers a line."""
    around = [node for node in _statements(file) if node.lineno <= line <= node.end_lineno]
    # The walk goes from the outside in, so of two on one line the later is the inner one.
    return min(reversed(around), key=lambda node: node.end_lineno - node.lineno, default=None)


def targets(statement: ast.stmt | None) -> list[str]:
    """Names that a statement assigns to, in order: `dx, dW, db = ...`, `(left, right), _ = ...`."""
    if not isinstance(statement, ast.Assign):
        return []
    return list(_names(statement.targets[0]))


def _names(target: ast.expr) -> Iterator[str]:
    for element in target.elts if isinstance(target, ast.Tuple) else [target]:
        if isinstance(element, ast.Tuple):
            yield from _names(element)
        elif isinstance(element, ast.Name):
            yield element.id


def returned(function: Callable) -> list[str]:
    """Names that a function returns at its end, in order; "" for what has none."""
    definition, _, _ = _definition(function)
    last = definition.body[-1] if isinstance(definition, ast.FunctionDef) else None
    if not isinstance(last, ast.Return) or last.value is None:
        return []
    elements = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
    return [node.id if isinstance(node, ast.Name) else "" for node in elements]
