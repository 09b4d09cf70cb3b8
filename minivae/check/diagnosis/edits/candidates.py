"""What one expression may have been meant to be: the changes that are tried.

Each is one slip of the kind that people make: another operator, sign, factor, name, axis, index;
`=` for `+=`; a sum for a mean. What may be missing stands in `missing`. The likeliest come first,
and of a name only those are tried in its place that have a shape which fits.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .missing import Others, Scope, Shape, bigger
from .source import Place, Source

OPERATORS: dict[type, tuple[str, ...]] = {
    ast.Add: ("-", "*"),
    ast.Sub: ("+", "*"),
    ast.Mult: ("/", "@", "+"),
    ast.Div: ("*",),
    ast.MatMult: ("*",),
    ast.Pow: ("*",),
}
"""What may stand in the place of an operator."""
SIGNS: dict[type, str] = {ast.Sub: "-", ast.Div: "/", ast.MatMult: "@"}
"""Operators whose two sides are not the same."""
COMPARISONS: dict[type, tuple[str, ...]] = {
    ast.Gt: (">=", "<", "<="),
    ast.GtE: (">", "<=", "<"),
    ast.Lt: ("<=", ">", ">="),
    ast.LtE: ("<", ">=", ">"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
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
AXES = ["0", "1", "-1", "None", "(0, 1)", "2", "(0, 2, 3)", "(0, 1, 2)"]
COUNTED = re.compile(r"(?P<a>[\w.]+)\.(size|shape\[-?\d\])|len\((?P<b>[\w.]+)\)")
SIZES = ["{}.shape[0]", "{}.shape[1]", "{}.shape[-1]", "{}.size"]
MODULES = ("np", "numpy", "xp", "cp", "math")


@dataclass(frozen=True, eq=False)
class Change:
    """Other text in the place of an expression.

    Attributes
    ----------
    kind : str
        What kind of slip it mends, see `mistakes.SLIPS`.
    tier : int
        How early it is tried; 0 is the likeliest.
    place : Place
        Where.
    new : str
        What is put there.
    """

    kind: str
    tier: int
    place: Place
    new: str


def changes(source: Source, places: dict[Place, Shape | None], scope: Scope) -> list[Change]:
    """All changes at some places, the likeliest first; of equally likely ones, from the end.

    The shape of what is computed at a place is given where it is known otherwise.
    """
    found: list[Change] = []
    for place, shape in places.items():
        seen = {written := source.of(place.node), f"({written})"}
        for kind, tier, new in _of_place(source, place, shape, scope):
            if new not in seen:
                seen.add(new)
                found.append(Change(kind, tier, place, new))
    return sorted(found, key=lambda change: (change.tier, -source.span(change.place.node)[0]))


def _of_place(source: Source, place: Place, shape: Shape | None, scope: Scope) -> Others:
    node = place.node
    if isinstance(node, ast.stmt):
        yield from _of_statement(source, node)
    elif isinstance(node, ast.Slice):
        yield from _of_slice(source, node)
    elif isinstance(node, ast.expr):
        for kind, tier, new in _of_expression(source, place, node, scope):
            yield kind, tier, f"({new})"
        yield from bigger(source, place, shape, scope)


def _of_statement(source: Source, node: ast.stmt) -> Others:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target, value = node.targets[0], source.of(node.value)
        if not isinstance(target, ast.Tuple):
            yield "adds_up", 0, f"{source.of(target)} += {value}"
        if isinstance(target, ast.Subscript):
            yield "repeated", 0, _add_at(source, target, value)
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        for order in _exchanged([source.of(part) for part in node.value.elts]):
            yield "returned", 1, f"return {order}"
    elif isinstance(node, ast.AugAssign):
        target, value = node.target, source.of(node.value)
        yield "overwrites", 0, f"{source.of(target)} = {value}"
        if isinstance(target, ast.Subscript) and isinstance(node.op, ast.Add):
            yield "repeated", 0, _add_at(source, target, value)
        for op in ("-", "+", "*"):
            yield "operator", 0, f"{source.of(target)} {op}= {value}"
        yield "too_much", 1, "pass"


def _add_at(source: Source, target: ast.Subscript, value: str) -> str:
    return f"np.add.at({source.of(target.value)}, {source.of(target.slice)}, {value})"


def _of_expression(source: Source, place: Place, node: ast.expr, scope: Scope) -> Others:
    """What may stand in the place of an expression."""
    if isinstance(node, ast.BinOp):
        left, right = source.operand(node.left), source.operand(node.right)
        for op in OPERATORS.get(type(node.op), ()):
            if right != "1":
                yield "operator", 0, f"{left} {op} {right}"
        if sign := SIGNS.get(type(node.op)):
            yield "order", 1, f"{right} {sign} {left}"
        if isinstance(node.op, ast.MatMult):
            yield "order", 1, f"{right} @ {source.operand(node.left, dotted=True)}.T"
            yield "order", 1, f"{source.operand(node.right, dotted=True)}.T @ {left}"
        kind = "term" if isinstance(node.op, ast.Add | ast.Sub) else "factor"
        yield f"{kind}_too_much", 1, left
        yield f"{kind}_too_much", 1, f"-{right}" if isinstance(node.op, ast.Sub) else right
    elif isinstance(node, ast.UnaryOp):
        kind = "sign" if isinstance(node.op, ast.USub) else "condition"
        yield kind, 0, source.operand(node.operand)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = source.operand(node.left), source.operand(node.comparators[0])
        for op in COMPARISONS.get(type(node.ops[0]), ()):
            yield "comparison", 0, f"{left} {op} {right}"
    elif isinstance(node, ast.Constant):
        nothing = 1 if place.factor else 0 if place.term else None
        yield from _numbers(node.value, scope, nothing)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transposed", 0, source.of(node.value)
    elif isinstance(node, ast.Call):
        yield from _calls(source, node)
    elif isinstance(node, ast.List):
        for order in _exchanged([source.of(part) for part in node.elts]):
            yield "order", 1, f"[{order}]"
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        yield from _names(source.of(node), scope)
    if counted := COUNTED.fullmatch(source.of(node)):
        for size in SIZES:
            yield "size", 0, size.format(counted["a"] or counted["b"])


def _numbers(value: object, scope: Scope, nothing: int | None) -> Others:
    """Another number, but none that does nothing."""
    if isinstance(value, bool):
        yield "constant", 0, str(not value)
    elif isinstance(value, int | float):
        for other in (value + 1, value - 1, 2 * value, value / 2, -value, value**2, 0.5):
            same = isinstance(value, int) and other == int(other)
            if other != nothing and not (nothing == 0 and other == -value):
                yield "constant", 0, repr(int(other) if same else other)
        for name, (shape, _) in scope.items():
            if shape:
                yield "no_term", 2, f"{value} - {name}"
                yield "no_term", 3, f"{value} - {name}**2"
                yield "no_term", 3, f"{value} + {name}"


def _of_slice(source: Source, node: ast.Slice) -> Others:
    lower, upper, step = (
        "" if part is None else source.of(part) for part in (node.lower, node.upper, node.step)
    )
    step = f":{step}" if step else ""
    lows, highs = [_moved(lower or "0", n) for n in (1, -1)], [_moved(upper, n) for n in (1, -1)]
    for low in [lows[0], *([lows[1], ""] if lower else ["-1"])]:
        yield "index", 1, f"{low}:{upper}{step}"
    for high in [*highs, ""] if upper else ["1", "-1"]:
        yield "index", 1, f"{lower}:{high}{step}"
    for low, high in zip(lows, highs, strict=True) if upper else ():
        yield "index", 1, f"{low}:{high}{step}"


def _moved(bound: str, by: int) -> str:
    """A bound of a slice, moved by 1 or -1; an end at 0 is none."""
    try:
        return str(int(bound) + by) if bound != "-1" or by < 0 else ""
    except ValueError:
        return f"({bound}) {'+' if by > 0 else '-'} 1" if bound else ""


def _calls(source: Source, node: ast.Call) -> Others:
    function = node.func
    name = getattr(function, "attr", getattr(function, "id", ""))
    begin = source.of(node)[: len(source.of(function).encode()) - len(name)]
    arguments = [source.of(a) for a in (*node.args, *(k.value for k in node.keywords))]
    named = [f"{k.arg}=" if k.arg else "**" for k in node.keywords]
    words = [w + a for w, a in zip([""] * len(node.args) + named, arguments, strict=True)]
    for twins in TWINS:
        for other in twins if name in twins else ():
            kind = KINDS.get((name, other), "function")
            yield kind, 0, f"{begin}{other}({', '.join(words)})"
    own = isinstance(function, ast.Attribute) and not _is_module(function.value)
    if name in REDUCTIONS:
        for kind, some in _axes(words, 0 if own else 1):
            yield kind, 0, f"{begin}{name}({', '.join(some)})"
    if name in ("transpose", "swapaxes"):
        for order in _orders(node, words):
            yield "axis", 0, f"{begin}{name}({order})"
    if len(words) == len(node.args) == 2:
        a, b = words
        yield "order", 0, f"{begin}{name}({b}, {a})"
        if name in ("dot", "matmul", "outer"):
            a, b = (source.operand(argument, dotted=True) for argument in node.args)
            yield "not_transposed", 0, f"{begin}{name}({a}.T, {words[1]})"
            yield "not_transposed", 0, f"{begin}{name}({words[0]}, {b}.T)"
    if name == "where" and len(words) == 3:
        yield "order", 0, f"{begin}{name}({words[0]}, {words[2]}, {words[1]})"
    if name == "reversed" or (name == "range" and len(words) == 1):
        yield "direction", 1, words[0] if name == "reversed" else f"reversed({source.of(node)})"
    if len(node.args) == 1 and name not in ("range", "len", "int", "float"):
        yield "call_too_much", 1, words[0]
    elif own and isinstance(function, ast.Attribute):
        yield "call_too_much", 1, source.of(function.value)


def _is_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in MODULES


def _axes(words: list[str], where: int) -> Iterator[tuple[str, list[str]]]:
    """Arguments of a reduction with another axis, and with or without `keepdims`."""
    plain = [w for w in words if "=" not in w]
    rest = [w for w in words if "=" in w and not w.startswith("axis=")]
    axis = [w for w in words if w.startswith("axis=")] or plain[where : where + 1]
    written = axis[0].removeprefix("axis=") if axis else "None"
    kept = [w for w in words if w.startswith("keepdims=")]
    for other in AXES:
        if other != written:
            new = [*plain[:where], *([] if other == "None" else [f"axis={other}"]), *rest]
            yield "axis", new
            if not kept and other != "None":
                yield "axis", [*new, "keepdims=True"]
    yield "keepdims", [w for w in words if w not in kept] + ([] if kept else ["keepdims=True"])


def _orders(node: ast.Call, words: list[str]) -> Iterator[str]:
    """Two axes of a transposition exchanged."""
    axes, form = words, "{}"
    if len(words) == 1 and isinstance(node.args[0], ast.Tuple):
        axes, form = [ast.unparse(axis) for axis in node.args[0].elts], "({})"
    for order in _exchanged(axes):
        yield form.format(order)


def _exchanged(parts: list[str]) -> Iterator[str]:
    """A list with two of its entries exchanged."""
    for i in range(len(parts)):
        for j in range(i + 1, min(len(parts), 8)):
            other = list(parts)
            other[i], other[j] = other[j], other[i]
            yield ", ".join(other)


def _names(written: str, scope: Scope) -> Others:
    """Another name that is at hand; and the transpose, or the neighbour, of this one."""
    if written not in scope:
        return
    shape, whole = scope[written]
    if len(shape) == 2:
        yield "not_transposed", 0, f"{written}.T"
    if shape:
        yield "power", 1, f"{written} ** 2"
    if whole:
        yield "index", 1, f"{written} - 1"
        yield "index", 1, f"{written} + 1"
    for other, (its, _) in scope.items():
        if its == shape:
            yield "name", 1, other
        elif len(shape) == 2 and its == shape[::-1]:
            yield "name", 2, f"{other}.T"
        else:
            yield "name", 3, other
