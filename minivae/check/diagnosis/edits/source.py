"""The text of one function, and where its expressions stand: an edit puts other text in a place."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

ATOMS = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant, ast.List)
"""Expressions that need no brackets as operands."""


@dataclass(frozen=True, eq=False)
class Unit:
    """A right side, an entry of a tuple on one, or a condition: what is computed in one go.

    Attributes
    ----------
    node : ast.expr
        The expression.
    target : str
        The expression that it is assigned to; empty if there is none.
    returned : bool
        Whether it is returned.
    """

    node: ast.expr
    target: str = ""
    returned: bool = False


@dataclass(frozen=True, eq=False)
class Place:
    """A place for other text.

    Attributes
    ----------
    node : ast.AST
        The statement, expression or slice that stands there.
    statement : ast.stmt
        The statement that it belongs to.
    unit : Unit, optional
        The unit that it is a part of, or is.
    term : bool
        Whether something may be multiplied or added here: a whole unit, a term, an argument.
    factor : bool
        Whether it is a factor, or an exponent's base, to which something may be added.
    """

    node: ast.AST
    statement: ast.stmt
    unit: Unit | None = None
    term: bool = False
    factor: bool = False

    @property
    def target(self) -> str:
        """What the expression is assigned to, where it is all that is assigned."""
        return self.unit.target if self.unit is not None and self.whole else ""

    @property
    def is_statement(self) -> bool:
        """Whether it is all of a statement, whose value is not used."""
        return isinstance(self.statement, ast.Expr) and self.statement.value is self.node

    @property
    def whole(self) -> bool:
        """Whether it is all of its unit."""
        return self.unit is not None and self.unit.node is self.node


class Source:
    """A function's text as bytes, by whose offsets Python counts columns, and its tree."""

    def __init__(self, text: str) -> None:
        tree = ast.parse(text).body[0]
        if not isinstance(tree, ast.FunctionDef):
            raise ValueError("this is no function")
        self.tree, self.text = tree, text.encode()
        lengths = [len(line) for line in self.text.splitlines(keepends=True)]
        self.starts = [sum(lengths[:i]) for i in range(len(lengths) + 1)]

    def span(self, node: Any) -> tuple[int, int]:
        """Where the text of a node begins and ends."""
        begin = self.starts[node.lineno - 1] + node.col_offset
        return begin, self.starts[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: ast.AST) -> str:
        """The text of a node."""
        begin, end = self.span(node)
        return self.text[begin:end].decode()

    def operand(self, node: ast.AST, *, dotted: bool = False) -> str:
        """The text of a node as an operand of a sum or product, or before a dot."""
        power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not dotted
        return self.of(node) if isinstance(node, ATOMS) or power else f"({self.of(node)})"

    def changed(self, edits: list[tuple[ast.AST, str]]) -> str:
        """The whole text with other text in some places."""
        text = self.text
        for node, new in sorted(edits, key=lambda edit: -self.span(edit[0])[0]):
            begin, end = self.span(node)
            text = text[:begin] + new.encode() + text[end:]
        return text.decode()

    def shown(self, place: Place, new: str) -> tuple[str, str]:
        """The line of a place as it stands there, and as it is to be, without needless brackets."""
        if new[:1] == "(" and isinstance(place.node, ast.expr):
            bare, kept = (self.changed([(place.node, n)]) for n in (new[1:-1], new))
            new = new[1:-1] if _same(bare, kept) else new
        begin, end = self.span(place.node)
        left = self.text.rfind(b"\n", 0, begin) + 1
        right = self.text.find(b"\n", end)
        right = len(self.text) if right < 0 else right
        last = self.span(place.statement)[1]
        right = last if end <= last < right else right  # no comment
        before, after = self.text[left:begin].decode(), self.text[end:right].decode()
        return _one_line(before + self.of(place.node) + after), _one_line(before + new + after)

    @cached_property
    def loops(self) -> bool:
        """Whether a line may run before one that stands above it."""
        return any(isinstance(node, ast.For) for node in ast.walk(self.tree))

    @cached_property
    def assigned(self) -> set[str]:
        """What is assigned to."""
        return {place.unit.target for place in self.places if place.unit is not None}

    @cached_property
    def places(self) -> list[Place]:
        """All places in the body, but for assertions, and for loops that may go on for ever."""
        return [place for statement in self.tree.body for place in _in_statement(statement)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _same(one: str, other: str) -> bool:
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except SyntaxError:
        return False


def _in_statement(statement: ast.stmt) -> Iterator[Place]:
    if isinstance(statement, ast.While | ast.FunctionDef | ast.ClassDef | ast.Assert):
        return
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    target = targets[0] if len(targets) == 1 else None
    for name, value in ast.iter_fields(statement):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.stmt):
                yield from _in_statement(part)
            elif isinstance(part, ast.expr) and name in ("targets", "target"):
                yield from _in_expression(part, statement, None, reading=False)
            elif isinstance(part, ast.expr):
                units = list(_units(part, target, isinstance(statement, ast.Return)))
                if isinstance(statement, ast.Assign | ast.AugAssign | ast.Return):
                    yield Place(statement, statement, units[0] if len(units) == 1 else None)
                for unit in units:
                    yield from _in_expression(unit.node, statement, unit, term=True)


def _units(value: ast.expr, target: ast.expr | None, returned: bool) -> Iterator[Unit]:
    """The entries of a tuple or dict, and what they are assigned to; else the whole."""
    parts = value.values if isinstance(value, ast.Dict) else getattr(value, "elts", None)
    if parts is None or isinstance(value, ast.Set):
        yield Unit(value, "" if target is None else ast.unparse(target), returned)
        return
    targets = getattr(target, "elts", [])
    paired = len(targets) == len(parts)
    for i, part in enumerate(parts):
        yield from _units(part, targets[i] if paired else None, returned)


def _in_expression(
    node: ast.AST,
    statement: ast.stmt,
    unit: Unit | None,
    *,
    reading: bool = True,
    term: bool = False,
    factor: bool = False,
) -> Iterator[Place]:
    """A node and all below it; of what is assigned to, only the indices."""
    if isinstance(node, ast.Lambda | ast.JoinedStr | ast.Starred):
        return
    if reading and hasattr(node, "lineno"):
        yield Place(node, statement, unit, term, factor)
    for name, value in ast.iter_fields(node):
        for part in value if isinstance(value, list) else [value]:
            below = part.value if isinstance(part, ast.keyword) else part
            if isinstance(below, ast.expr | ast.Slice):
                sums = isinstance(node, ast.BinOp) and isinstance(
                    node.op, ast.Add | ast.Sub | ast.MatMult
                )
                argument = isinstance(node, ast.Call) and name == "args"
                yield from _in_expression(
                    below,
                    statement,
                    unit,
                    reading=reading or name == "slice",
                    term=sums or argument,
                    factor=isinstance(node, ast.BinOp) and not sums,
                )
