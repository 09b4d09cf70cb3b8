"""An expression with one more factor, term, sum or derivative: what may be missing.

In the forms, x is the expression and v an array that is at hand.
"""

import ast
from collections.abc import Iterator

from .source import Place, Source

Shape = tuple[int, ...]
Scope = dict[str, tuple[Shape, bool]]
"""Expression -> shape of the array or number, and whether it is a whole number."""
Others = Iterator[tuple[str, int, str]]
"""Kind, tier and text; see `candidates.Change`."""

ALONE = [
    ("no_sign", 2, "-{x}"),
    ("no_factor", 2, "2 * {x}"),
    ("no_factor", 2, "0.5 * {x}"),
    ("no_factor", 3, "{x} * (1 - {x})"),
    ("no_sum", 3, "np.sum({x}, axis=0)"),
    ("no_sum", 3, "np.sum({x}, axis=-1)"),
    ("no_sum", 3, "np.sum({x}, axis=0, keepdims=True)"),
    ("no_sum", 3, "np.sum({x}, axis=-1, keepdims=True)"),
    ("statistic", 3, "{x} - np.mean({x}, axis=0)"),
    ("statistic", 3, "{x} - np.mean({x}, axis=-1, keepdims=True)"),
]
"""Forms without another array."""
SIZES = [
    ("no_divisor", 3, "{x} / {v}.shape[0]"),
    ("no_factor", 4, "{x} * {v}.shape[0]"),
    ("no_divisor", 4, "{x} / np.sqrt({v}.shape[-1])"),
]
"""Forms with the size of another array."""
TERMS = [("no_term", 0, "{x} - 1"), ("no_term", 0, "1 - {x}"), ("no_term", 1, "{x} + 1")]
BESIDE = [("no_term", 0, "{x} + {v}"), ("no_term", 0, "{x} - {v}")]
"""Forms with one more term; the second, with an array of the same shape."""
FACTORS = [
    ("no_factor", 2, "{x} * (1 - {v}**2)"),
    ("no_factor", 2, "{x} * {v} * (1 - {v})"),
    ("no_factor", 3, "{x} * (1 - {v})"),
    ("no_factor", 2, "{x} * ({v} > 0)"),
    ("no_divisor", 3, "{x} / {v}"),
    ("no_factor", 3, "2 * {x} * {v}"),
    ("no_factor", 4, "{x} * {v}**2"),
    ("no_factor", 4, "{x} * np.exp({v})"),
    ("no_divisor", 4, "{x} / {v}.size"),
    ("no_factor", 4, "{x} / (1 + np.exp(-{v}))"),
    ("no_factor", 4, "{x} * (1 - np.tanh({v})**2)"),
]
"""Forms with one more factor, which has a shape that spreads to that of x."""
ALIKE = [
    ("jacobian", 3, "{x} - np.sum({x} * {v}, axis=-1, keepdims=True)"),
    ("jacobian", 3, "{v} * ({x} - np.sum({x} * {v}, axis=-1, keepdims=True))"),
    ("statistic", 3, "{x} - {v} * np.sum({x} * {v}, axis=-1, keepdims=True)"),
    ("statistic", 3, "{x} - {v} * np.mean({x} * {v}, axis=-1, keepdims=True)"),
    ("statistic", 3, "{x} - {v} * np.mean({x} * {v}, axis=0)"),
    (
        "statistic",
        4,
        "{x} - {x}.mean(-1, keepdims=True) - {v} * ({x} * {v}).mean(-1, keepdims=True)",
    ),
    ("statistic", 4, "{x} - {x}.mean(axis=0) - {v} * ({x} * {v}).mean(axis=0)"),
]
"""Derivatives of a softmax, of a norm and of mean and variance, v of the same shape as x."""


def bigger(source: Source, place: Place, shape: Shape | None, scope: Scope) -> Others:
    """What stands at a place, with one more of something."""
    node = place.node
    if isinstance(node, ast.Constant | ast.Tuple) or not (place.term or place.factor):
        return
    returned = isinstance(place.statement, ast.Return) and place.whole
    late = int(returned and source.of(node) in source.assigned)  # better where it is computed
    for other in scope if returned and not late else ():
        yield "name", 3, other
    x = source.operand(node)
    shape = _shape(source, place, scope) if shape is None else shape

    def put(forms: list[tuple[str, int, str]], tier: int = 0, v: str = "") -> Others:
        for kind, later, form in forms:
            yield kind, tier + later + late, f"({form.format(x=x, v=v)})"

    if place.factor:
        yield from put(TERMS, 3)
        for other, (its, _) in scope.items():
            if its and shape in (None, its) and other != x:
                yield from put(BESIDE, 3, other)
        return
    yield from put(ALONE)
    yield from put(TERMS, 2)
    sizes: set[int] = set()
    for other, (its, whole) in scope.items():
        if whole or its == ():
            yield from put([("no_divisor", 2, "{x} / {v}")], 0, other)
        elif its and other.isidentifier() and its[0] not in sizes:
            sizes.add(its[0])
            yield from put(SIZES, 0, other)
        if shape is not None and not _spreads(its, shape):
            continue
        yield from put([("no_factor", 2, "{x} * {v}")], 0, other)
        if its:
            yield from put(FACTORS, 0, other)
            if shape in (None, its) and other != x:
                yield from put(BESIDE, 2, other)
            if shape == its and len(its) > 1:
                yield from put(ALIKE, 0, other)
    for product in _products(scope, shape) if shape else ():
        yield from put([("no_term", 4, "{x} + {v}")], 0, product)
    if place.whole and shape and not isinstance(node, ast.Name):
        for made in _made(scope, shape):
            yield "other", 4, made
            yield "no_term", 4, f"{x} + {made}"


def _shape(source: Source, place: Place, scope: Scope) -> Shape | None:
    """The shape of what stands at a place, or that of what it goes into; None if unknown."""
    for written in (place.target, source.of(place.node), place.unit.target if place.unit else ""):
        if written in scope:
            return scope[written][0]
    return None


def _products(scope: Scope, shape: Shape) -> Iterator[str]:
    """Products of two names that have a shape."""
    names = [(n, its) for n, (its, _) in scope.items() if its and _spreads(its, shape)]
    for i, (a, a_shape) in enumerate(names):
        for b, b_shape in names[i:]:
            if shape in (a_shape, b_shape):
                yield f"{a} * {b}"


def _made(scope: Scope, shape: Shape) -> Iterator[str]:
    """Sums and matrix products of what is at hand that have a shape."""
    names = [(n, its) for n, (its, _) in scope.items() if its]
    for a, a_shape in names:
        if a_shape[1:] == shape:
            yield f"{a}.sum(axis=0)"
        for b, b_shape in names if len(a_shape) == len(shape) == 2 else ():
            if len(b_shape) == 2:
                if a_shape[0] == b_shape[0] and (a_shape[1], b_shape[1]) == shape:
                    yield f"{a}.T @ {b}"
                if a_shape[1] == b_shape[1] and (a_shape[0], b_shape[0]) == shape:
                    yield f"{a} @ {b}.T"


def _spreads(small: Shape, shape: Shape) -> bool:
    """Whether an array of one shape multiplies one of the other without enlarging it."""
    if len(small) > len(shape):
        return False
    return all(s in (1, t) for s, t in zip(small[::-1], shape[::-1], strict=False))
