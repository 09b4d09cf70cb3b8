"""Where in a function an expression stands, and how another one is put there."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """A place for one node of a function's tree.

    Attributes
    ----------
    parent, field, index : ast.AST, str, int or None
        The node is `parent.field`, or `parent.field[index]`.
    node : ast.AST
        What stands there.
    line : int
        Line of the statement that it belongs to, from 1, in the function's text.
    statement : ast.stmt
        That statement.
    target : str
        The expression that the statement assigns to; empty if there is none.
    whole : bool
        Whether the node is the whole of what is assigned.
    term : bool
        Whether something may be multiplied or added here: a whole right side, a term, an entry of
        a tuple, an argument.
    factor : bool
        Whether it is a factor, or an exponent's base, to which something may be added.
    """

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    line: int
    statement: ast.stmt
    target: str = ""
    whole: bool = False
    term: bool = False
    factor: bool = False

    @contextmanager
    def holding(self, new: ast.AST) -> Iterator[None]:
        """Within this block, let another node stand here."""
        self._put(new)
        try:
            yield
        finally:
            self._put(self.node)

    def _put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def places_of(function: ast.FunctionDef) -> list[Place]:
    """All places in the body of a function; loops that may go on for ever are left as they are."""
    found: list[Place] = []
    for statement in function.body:
        _of_statement(function, "body", function.body.index(statement), statement, found)
    return found


def _of_statement(
    parent: ast.AST, field: str, index: int, statement: ast.stmt, found: list[Place]
) -> None:
    if isinstance(statement, ast.While | ast.FunctionDef | ast.ClassDef):
        return
    line, target = statement.lineno, _target(statement)
    found.append(Place(parent, field, index, statement, line, statement))
    for name, value in ast.iter_fields(statement):
        for i, part in _parts(value):
            if isinstance(part, ast.stmt):
                assert i is not None
                _of_statement(statement, name, i, part, found)
            elif isinstance(part, ast.expr):
                reading = name not in ("targets", "target")
                whole = name == "value" and not isinstance(part, ast.Tuple)
                where = (statement, name, i, part)
                _of_expression(where, (line, statement, target), whole, reading, found)


def _parts(value: Any) -> list[tuple[int | None, Any]]:
    return list(enumerate(value)) if isinstance(value, list) else [(None, value)]


def _target(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return ast.unparse(statement.targets[0])
    return ast.unparse(statement.target) if isinstance(statement, ast.AugAssign) else ""


def _of_expression(
    where: tuple[ast.AST, str, int | None, ast.expr],
    stands: tuple[int, ast.stmt, str],
    whole: bool,
    reading: bool,
    found: list[Place],
) -> None:
    """A node and all below it; of what is assigned to, only the indices."""
    parent, field, index, node = where
    line, statement, target = stands
    if reading:
        term = whole or _is_term(parent, field)
        plain = not isinstance(node, ast.Constant | ast.Slice | ast.Tuple | ast.Dict)
        factor = isinstance(parent, ast.BinOp) and not term
        place = Place(
            parent,
            field,
            index,
            node,
            line,
            statement,
            target,
            whole,
            term and plain,
            factor and plain,
        )
        found.append(place)
    for name, value in ast.iter_fields(node):
        for i, part in _parts(value):
            if isinstance(part, ast.keyword):
                _of_expression((part, "value", None, part.value), stands, False, reading, found)
            elif isinstance(part, ast.expr):
                below = reading or name == "slice"
                if isinstance(node, ast.Dict) and name == "keys":
                    continue
                _of_expression((node, name, i, part), stands, False, below, found)


def _is_term(parent: ast.AST, field: str) -> bool:
    if isinstance(parent, ast.BinOp):
        return isinstance(parent.op, ast.Add | ast.Sub | ast.MatMult)
    if isinstance(parent, ast.Tuple | ast.List):
        return True
    if isinstance(parent, ast.Dict):
        return field == "values"
    return isinstance(parent, ast.Call) and field == "args"
