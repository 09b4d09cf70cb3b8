"""What one expression may have been meant to be: the changes that are tried.

Each is one slip of the kind that people make: another operator, sign, factor, name, axis, index;
a term or a factor that is missing or too much; `=` for `+=`; a sum for a mean. The likeliest come
first, and of a name only those are tried in its place that have a shape which fits.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .missing import Others, Scope, longer, put, sums
from .places import Place, places_of

OPERATORS: dict[type, list[type]] = {
    ast.Add: [ast.Sub, ast.Mult],
    ast.Sub: [ast.Add, ast.Mult],
    ast.Mult: [ast.Div, ast.MatMult, ast.Add],
    ast.Div: [ast.Mult],
    ast.MatMult: [ast.Mult],
    ast.Pow: [ast.Mult],
}
COMPARISONS: dict[type, list[type]] = {
    ast.Gt: [ast.GtE, ast.Lt, ast.LtE],
    ast.GtE: [ast.Gt, ast.LtE, ast.Lt],
    ast.Lt: [ast.LtE, ast.Gt, ast.GtE],
    ast.LtE: [ast.Lt, ast.GtE, ast.Gt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
}
TWINS = [
    ["sum", "mean", "max"],
    ["zeros_like", "ones_like"],
    ["maximum", "minimum"],
    ["argmax", "argmin"],
    ["exp", "log", "tanh", "sqrt", "square", "sign", "abs"],
    ["sin", "cos"],
    ["dot", "outer", "multiply"],
    ["add", "subtract", "multiply"],
]
"""Functions that stand in each other's place."""
KINDS = {("mean", "sum"): "mean_for_sum", ("sum", "mean"): "sum_for_mean"}
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "argmax", "argmin", "var", "std", "norm")
AXES: list[Any] = [0, 1, -1, None, (0, 1), 2, (0, 2, 3), (0, 1, 2)]


@dataclass(frozen=True)
class Change:
    """One expression, and another in its place.

    Attributes
    ----------
    kind : str
        What kind of slip it mends, see `words.WORDS`.
    tier : int
        How early it is tried; 0 is the likeliest.
    place, new : Place, ast.AST
        Where the expression stands, and what is put there.
    """

    kind: str
    tier: int
    place: Place
    new: ast.AST


def changes(function: ast.FunctionDef, scope: Scope) -> list[Change]:
    """All changes of one function, the likeliest first; of equally likely ones, from its end."""
    found: list[Change] = []
    for place in places_of(function):
        node = place.node
        if isinstance(node, ast.stmt):
            found += _of_statement(place, node)
        elif isinstance(node, ast.expr):
            written = (place.whole and place.target) or ast.unparse(node)
            shape = scope.get(written, (None, False))[0]
            found += [Change(k, t, place, n) for k, t, n in _others(node, scope)]
            if place.term:
                found += [Change(k, t, place, n) for k, t, n in longer(node, scope, shape)]
            elif place.factor:
                found += [Change(k, t, place, n) for k, t, n in sums(node, scope, shape, 3)]
    order = {id(change): i for i, change in enumerate(found)}
    return sorted(found, key=lambda c: (c.tier, -c.place.line, order[id(c)]))


def _of_statement(place: Place, node: ast.stmt) -> Iterator[Change]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        if not isinstance(target, ast.Tuple):
            yield Change("adds_up", 0, place, ast.AugAssign(target, ast.Add(), node.value))
        if isinstance(target, ast.Subscript):
            yield Change("repeated", 0, place, _add_at(target, node.value))
    elif isinstance(node, ast.AugAssign):
        yield Change("overwrites", 0, place, ast.Assign([node.target], node.value))
        if isinstance(node.target, ast.Subscript) and isinstance(node.op, ast.Add):
            yield Change("repeated", 0, place, _add_at(node.target, node.value))
        for op in (ast.Sub, ast.Add, ast.Mult):
            if not isinstance(node.op, op):
                yield Change("operator", 0, place, ast.AugAssign(node.target, op(), node.value))
        yield Change("too_much", 1, place, ast.Pass())


def _add_at(target: ast.Subscript, value: ast.expr) -> ast.stmt:
    call = ast.parse("np.add.at(a, i, v)").body[0]
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    array = copy.deepcopy(target.value)
    array.ctx = ast.Load()  # type: ignore[attr-defined]
    call.value.args = [array, target.slice, value]
    return call


def _others(node: ast.expr, scope: Scope) -> Others:
    """What may stand in the place of an expression."""
    if isinstance(node, ast.BinOp):
        for op in OPERATORS.get(type(node.op), []):
            yield "operator", 0, ast.BinOp(node.left, op(), node.right)
        if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult):
            yield "order", 0, ast.BinOp(node.right, node.op, node.left)
        kind = "term" if isinstance(node.op, ast.Add | ast.Sub) else "factor"
        yield f"{kind}_too_much", 1, node.left
        right = ast.UnaryOp(ast.USub(), node.right) if isinstance(node.op, ast.Sub) else node.right
        yield f"{kind}_too_much", 1, right
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", 0, node.operand
    elif isinstance(node, ast.UnaryOp):
        yield "condition", 0, node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for op in COMPARISONS.get(type(node.ops[0]), []):
            yield "comparison", 0, ast.Compare(node.left, [op()], node.comparators)
    elif isinstance(node, ast.Constant):
        yield from _numbers(node, scope)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transposed", 0, node.value
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Slice):
        yield from _slices(node)
    yield from _names(node, scope)


def _numbers(node: ast.Constant, scope: Scope) -> Others:
    value = node.value
    if isinstance(value, bool):
        yield "constant", 0, ast.Constant(not value)
    elif isinstance(value, int | float):
        found = [value + 1, value - 1, 2 * value, value / 2, -value, value**2, 0.5]
        seen = [value]
        for other in found:
            other = int(other) if isinstance(value, int) and other == int(other) else other
            if other not in seen:
                seen.append(other)
                yield "constant", 0, _signed(other)
        for name, (shape, _) in scope.items():
            if shape:
                v = ast.parse(name, mode="eval").body
                yield "no_term", 2, ast.BinOp(node, ast.Sub(), v)
                yield "no_term", 3, ast.BinOp(node, ast.Sub(), put("v**2", v))
                yield "no_term", 3, ast.BinOp(node, ast.Add(), v)


def _signed(value: float) -> ast.expr:
    number = ast.Constant(abs(value))
    return ast.UnaryOp(ast.USub(), number) if value < 0 else number


def _slices(node: ast.Slice) -> Others:
    for name in ("lower", "upper"):
        bound = getattr(node, name)
        if bound is None:
            values: list[ast.expr | None] = [
                ast.Constant(1),
                ast.UnaryOp(ast.USub(), ast.Constant(1)),
            ]
        else:
            one = ast.Constant(1)
            values = [ast.BinOp(bound, ast.Add(), one), ast.BinOp(bound, ast.Sub(), one), None]
        for value in values:
            other = copy.copy(node)
            setattr(other, name, value)
            yield "index", 1, other  # type: ignore[misc]


def _calls(node: ast.Call) -> Others:
    name = _called(node)
    function = node.func
    for twins in TWINS:
        if name not in twins:
            continue
        for other in twins:
            if other != name:
                new = copy.copy(node)
                new.func = (
                    ast.Attribute(function.value, other, ast.Load())
                    if isinstance(function, ast.Attribute)
                    else ast.Name(other, ast.Load())
                )
                yield KINDS.get((name, other), "function"), 0, new
    if name in REDUCTIONS:
        yield from _axes(node)
    if name in ("transpose", "swapaxes"):
        yield from _orders(node)
    if len(node.args) == 2 and not node.keywords:
        yield "order", 0, ast.Call(node.func, node.args[::-1], [])
        if name in ("dot", "matmul"):
            a, b = node.args
            for args in ([_t(a), b], [a, _t(b)]):
                yield "not_transposed", 0, ast.Call(node.func, args, [])
    if name == "where" and len(node.args) == 3:
        yield "order", 0, ast.Call(node.func, [node.args[0], node.args[2], node.args[1]], [])
    if name in ("range", "reversed") and len(node.args) == 1:
        inner = node.args[0]
        other = (
            inner if name == "reversed" else ast.Call(ast.Name("reversed", ast.Load()), [node], [])
        )
        yield "direction", 1, other
    if len(node.args) == 1 and name not in ("range", "len", "int", "float"):
        yield "call_too_much", 1, node.args[0]
    elif isinstance(function, ast.Attribute) and not _is_module(function.value):
        yield "call_too_much", 1, function.value


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "numpy", "xp", "cp", "math")


def _axes(node: ast.Call) -> Others:
    """Other axes, and `keepdims`."""
    where = 1 if isinstance(node.func, ast.Attribute) and _is_module(node.func.value) else 0
    rest = [k for k in node.keywords if k.arg != "axis"]
    own = [k.value for k in node.keywords if k.arg == "axis"] or node.args[where : where + 1]
    written = ast.unparse(own[0]) if own else "None"
    for axis in AXES:
        if repr(axis) == written:
            continue
        new = copy.copy(node)
        new.args = node.args[:where]
        value = ast.parse(repr(axis), mode="eval").body
        new.keywords = ([] if axis is None else [ast.keyword("axis", value)]) + rest
        yield "axis", 0, new
    new = copy.copy(node)
    kept = [k for k in node.keywords if k.arg == "keepdims"]
    new.keywords = [k for k in node.keywords if k.arg != "keepdims"]
    if not kept:
        new.keywords = [*new.keywords, ast.keyword("keepdims", ast.Constant(True))]
    yield "keepdims", 0, new


def _orders(node: ast.Call) -> Others:
    """Two axes of a transposition exchanged."""
    axes, inside = node.args, False
    if len(axes) == 1 and isinstance(axes[0], ast.Tuple):
        axes, inside = axes[0].elts, True
    for i in range(len(axes)):
        for j in range(i + 1, len(axes)):
            other = list(axes)
            other[i], other[j] = other[j], other[i]
            args: list[ast.expr] = [ast.Tuple(other, ast.Load())] if inside else other
            yield "axis", 0, ast.Call(node.func, args, node.keywords)


def _t(node: ast.expr) -> ast.expr:
    return ast.Attribute(node, "T", ast.Load())


def _names(node: ast.expr, scope: Scope) -> Others:
    """Another name that is at hand; and the transpose, or the neighbour, of this one."""
    if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return
    written = ast.unparse(node)
    known = scope.get(written)
    if known is None:
        return
    shape, whole = known
    if len(shape) == 2:
        yield "not_transposed", 0, _t(node)
    if shape:
        yield "power", 1, ast.BinOp(node, ast.Pow(), ast.Constant(2))
    if whole:
        for op in (ast.Sub(), ast.Add()):
            yield "index", 1, ast.BinOp(node, op, ast.Constant(1))
    for other, (its, _) in scope.items():
        if other == written:
            continue
        expression = ast.parse(other, mode="eval").body
        if its == shape:
            yield "name", 1, expression
        elif len(shape) == 2 and its == shape[::-1]:
            yield "name", 2, _t(expression)
        else:
            yield "name", 3, expression
