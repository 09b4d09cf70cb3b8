"""An expression with one more factor, term, sign or sum: what may be missing."""

import ast
from collections.abc import Iterator

Scope = dict[str, tuple[tuple[int, ...], bool]]
"""Expression -> shape of the array or number, and whether it is a whole number."""
Others = Iterator[tuple[str, int, ast.expr]]
"""Kind, tier and expression; see `candidates.Change`."""


def longer(node: ast.expr, scope: Scope, shape: tuple[int, ...] | None) -> Others:
    """An expression with one more factor, term, sign or sum."""
    yield "no_sign", 2, ast.UnaryOp(ast.USub(), node)
    for factor in (2, 0.5):
        yield "no_factor", 3, ast.BinOp(ast.Constant(factor), ast.Mult(), node)
    for axis in ("axis=0", "axis=0, keepdims=True", "axis=1, keepdims=True", "axis=1", "axis=-1"):
        call = ast.parse(f"np.sum(x, {axis})", mode="eval").body
        assert isinstance(call, ast.Call)
        yield "no_sum", 3, ast.Call(call.func, [node], call.keywords)
    sizes: set[str] = set()
    for other, (its, whole) in scope.items():
        v = ast.parse(other, mode="eval").body
        fits = shape is None or _spreads(its, shape)
        if whole or its == ():
            yield "no_divisor", 2, ast.BinOp(node, ast.Div(), v)
        elif its and other.isidentifier() and str(its[0]) not in sizes:
            sizes.add(str(its[0]))
            size = ast.parse(f"{other}.shape[0]", mode="eval").body
            yield "no_divisor", 3, ast.BinOp(node, ast.Div(), size)
            yield "no_factor", 4, ast.BinOp(node, ast.Mult(), size)
        if not fits:
            continue
        yield "no_factor", 2, ast.BinOp(node, ast.Mult(), v)
        if its and shape is not None:
            for form in ("1 - v**2", "v * (1 - v)", "1 - v", "v > 0", "2 * v", "v**2"):
                yield "no_factor", 3, ast.BinOp(node, ast.Mult(), put(form, v))
            yield "no_divisor", 3, ast.BinOp(node, ast.Div(), v)
            yield "no_divisor", 4, ast.BinOp(node, ast.Div(), put("v.size", v))
            yield "no_factor", 4, ast.BinOp(node, ast.Mult(), put("np.exp(v)", v))
    yield from sums(node, scope, shape, 2)
    for term in _products(scope, shape):
        yield "no_term", 4, ast.BinOp(node, ast.Add(), term)


def sums(node: ast.expr, scope: Scope, shape: tuple[int, ...] | None, tier: int) -> Others:
    """An expression with one more term."""
    one = ast.Constant(1)
    yield "no_term", tier, ast.BinOp(node, ast.Sub(), one)
    yield "no_term", tier, ast.BinOp(one, ast.Sub(), node)
    yield "no_term", tier + 1, ast.BinOp(node, ast.Add(), one)
    for other, (its, _) in scope.items():
        if its and shape in (None, its):
            v = ast.parse(other, mode="eval").body
            yield "no_term", tier, ast.BinOp(node, ast.Add(), v)
            yield "no_term", tier, ast.BinOp(node, ast.Sub(), v)


def _products(scope: Scope, shape: tuple[int, ...] | None) -> Iterator[ast.expr]:
    """Products of two names that have a shape."""
    if not shape:
        return
    names = [(n, its) for n, (its, _) in scope.items() if its]
    for i, (a, a_shape) in enumerate(names):
        for b, b_shape in names[i:]:
            if (
                shape in (a_shape, b_shape)
                and _spreads(a_shape, shape)
                and _spreads(b_shape, shape)
            ):
                yield ast.parse(f"{a} * {b}", mode="eval").body


def put(form: str, v: ast.expr) -> ast.expr:
    """The expression `form` with v in the place of the name v."""

    class Put(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return v if node.id == "v" else node

    return Put().visit(ast.parse(form, mode="eval").body)


def _spreads(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array of one shape multiplies one of the other without enlarging it."""
    if len(small) > len(shape):
        return False
    return all(s in (1, t) for s, t in zip(small[::-1], shape[::-1], strict=False))
