"""Lines of code: the body of a function, the statement at a line, and the names in it."""

import ast
import functools
import inspect
import linecache
import textwrap
from collections.abc import Callable


@functools.cache
def body(function: Callable) -> tuple[str, str, int]:
    """Lines of a function without its signature and docstring, its file, and their first line."""
    try:
        lines, start = inspect.getsourcelines(function)
        file = inspect.getsourcefile(function) or ""
    except (OSError, TypeError):  # no source: typed at a prompt, or compiled
        return "", "", 0
    definition = ast.parse(textwrap.dedent("".join(lines))).body[0]
    statements = definition.body
    if len(statements) > 1 and ast.get_docstring(definition) is not None:
        statements = statements[1:]
    first, last = statements[0].lineno - 1, statements[-1].end_lineno
    return _dedented(lines[first:last]), file, start + first


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
    return min(around, key=lambda node: node.end_lineno - node.lineno, default=None)


def text_of(file: str, statement: ast.stmt) -> str:
    """The statement's lines, with their comments."""
    lines = linecache.getlines(file)[statement.lineno - 1 : statement.end_lineno]
    return _dedented(lines)


def targets(statement: ast.stmt | None) -> list[str]:
    """Names that a statement assigns to, in order: `dx, dW, db = ...`."""
    if not isinstance(statement, ast.Assign):
        return []
    (target,) = statement.targets[:1]
    elements = target.elts if isinstance(target, ast.Tuple) else [target]
    return [node.id for node in elements if isinstance(node, ast.Name)]


def returned(function: Callable) -> list[str]:
    """Names that a function returns, in order; "" for what has none."""
    code, _, _ = body(function)
    if not code:
        return []
    last = ast.parse(textwrap.indent(code, "")).body[-1] if not _bare(code) else None
    if not isinstance(last, ast.Return) or last.value is None:
        return []
    elements = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
    return [node.id if isinstance(node, ast.Name) else "" for node in elements]


def _bare(code: str) -> bool:
    """Whether the lines cannot be parsed by themselves."""
    try:
        ast.parse(code)
    except SyntaxError:
        return True
    return False


def used(statement: ast.stmt) -> list[str]:
    """Names that a statement reads, each once, in order."""
    nodes = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    names = [node.id for node in nodes if isinstance(node.ctx, ast.Load)]
    return list(dict.fromkeys(names))
