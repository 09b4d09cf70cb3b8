"""The derivative of every step that a tape can hold."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Slope = Callable[[np.ndarray, np.ndarray], np.ndarray]
Values = Sequence[np.ndarray]


def unbroadcast(dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum over the axes along which an array of that shape was repeated."""
    dy = np.asarray(dy)
    if dy.shape == shape:
        return dy
    dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))
    axes = tuple(i for i, size in enumerate(shape) if size == 1 and dy.shape[i] != 1)
    return dy.sum(axis=axes, keepdims=True) if axes else dy


SLOPES: dict[str, Slope] = {
    "negative": lambda x, y: -np.ones_like(x),
    "positive": lambda x, y: np.ones_like(x),
    "exp": lambda x, y: y,
    "exp2": lambda x, y: y * np.log(2),
    "expm1": lambda x, y: y + 1,
    "log": lambda x, y: 1 / x,
    "log2": lambda x, y: 1 / (x * np.log(2)),
    "log10": lambda x, y: 1 / (x * np.log(10)),
    "log1p": lambda x, y: 1 / (1 + x),
    "sqrt": lambda x, y: 0.5 / y,
    "square": lambda x, y: 2 * x,
    "reciprocal": lambda x, y: -y * y,
    "tanh": lambda x, y: 1 - y * y,
    "sinh": lambda x, y: np.cosh(x),
    "cosh": lambda x, y: np.sinh(x),
    "arctan": lambda x, y: 1 / (1 + x * x),
    "arctanh": lambda x, y: 1 / (1 - x * x),
    "arcsinh": lambda x, y: 1 / np.sqrt(1 + x * x),
    "sin": lambda x, y: np.cos(x),
    "cos": lambda x, y: -np.sin(x),
    "absolute": lambda x, y: np.sign(x),
    "expit": lambda x, y: y * (1 - y),
    "erf": lambda x, y: 2 / np.sqrt(np.pi) * np.exp(-x * x),
}
"""Step of one number -> its slope from the input x and the output y."""


def _unary(slope: Slope) -> Callable:
    return lambda dy, slot, values, node: dy * slope(values[0], node.value)


def _power(dy: np.ndarray, slot: int, values: Values, node: Any) -> np.ndarray:
    x, n = values
    if slot == 0:
        return dy * n * x ** (n - 1)
    return dy * node.value * np.log(np.where(x > 0, x, 1))


def _matmul(dy: np.ndarray, slot: int, values: Values, node: Any) -> np.ndarray:
    a, b = values
    a2, b2 = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    dy2 = dy.reshape(np.matmul(a2, b2).shape)
    if slot == 0:
        return unbroadcast(dy2 @ np.swapaxes(b2, -1, -2), a2.shape).reshape(a.shape)
    return unbroadcast(np.swapaxes(a2, -1, -2) @ dy2, b2.shape).reshape(b.shape)


def _sum(dy: np.ndarray, slot: int, values: Values, node: Any) -> np.ndarray:
    axis = node.params["axis"]
    if axis is not None and not node.params["keepdims"]:
        dy = np.expand_dims(dy, axis)
    return np.broadcast_to(dy, np.shape(values[0]))


def _extreme(dy: np.ndarray, slot: int, values: Values, node: Any) -> np.ndarray:
    axis, y = node.params["axis"], node.value
    if axis is not None and not node.params["keepdims"]:
        dy, y = np.expand_dims(dy, axis), np.expand_dims(y, axis)
    return dy * (values[0] == y)


def _getitem(dy: np.ndarray, slot: int, values: Values, node: Any) -> np.ndarray:
    dx = np.zeros(np.shape(values[0]))
    np.add.at(dx, node.params["key"], dy)
    return dx


def _setitem(dy: np.ndarray, slot: int, values: Values, node: Any) -> np.ndarray:
    if slot == 1:
        return dy[node.params["key"]]
    dy = dy.copy()
    dy[node.params["key"]] = 0.0
    return dy


def _concatenate(dy: np.ndarray, slot: int, values: Values, node: Any) -> np.ndarray:
    axis = node.params["axis"]
    ends = np.cumsum([np.shape(v)[axis] for v in values])
    return np.split(dy, ends[:-1], axis=axis)[slot]


def _repeat(dy: np.ndarray, slot: int, values: Values, node: Any) -> np.ndarray:
    axis, n = node.params["axis"], node.params["repeats"]
    shape = np.shape(values[0])
    return dy.reshape(*shape[: axis + 1], n, *shape[axis + 1 :]).sum(axis=axis + 1)


def _einsum(dy: np.ndarray, slot: int, values: Values, node: Any) -> np.ndarray:
    ins, out = node.params["subscripts"].replace(" ", "").split("->")
    parts = ins.split(",")
    others = [p for i, p in enumerate(parts) if i != slot]
    arrays = [v for i, v in enumerate(values) if i != slot]
    target = parts[slot]
    for letter in target:
        if letter not in out and not any(letter in p for p in others):
            # It is summed over and stands nowhere else: every entry gets the same.
            arrays.append(np.ones(np.shape(values[slot])[target.index(letter)]))
            others.append(letter)
    return np.einsum(",".join([out, *others]) + "->" + target, dy, *arrays)


def _times(first: Slope, second: Slope) -> Callable:
    return lambda dy, slot, values, node: dy * (second if slot else first)(*values)


DERIVATIVES: dict[str, Callable[..., np.ndarray]] = {
    **{name: _unary(slope) for name, slope in SLOPES.items()},
    "add": lambda dy, slot, values, node: dy,
    "subtract": lambda dy, slot, values, node: -dy if slot else dy,
    "multiply": _times(lambda a, b: b, lambda a, b: a),
    "divide": _times(lambda a, b: 1 / b, lambda a, b: -a / b**2),
    "maximum": _times(lambda a, b: 1.0 * (a > b), lambda a, b: 1.0 * (b >= a)),
    "minimum": _times(lambda a, b: 1.0 * (a < b), lambda a, b: 1.0 * (b <= a)),
    "logaddexp": _times(lambda a, b: 1 / (1 + np.exp(b - a)), lambda a, b: 1 / (1 + np.exp(a - b))),
    "power": _power,
    "matmul": _matmul,
    "sum": _sum,
    "max": _extreme,
    "min": _extreme,
    "reshape": lambda dy, slot, values, node: np.reshape(dy, np.shape(values[0])),
    "transpose": lambda dy, slot, values, node: np.transpose(dy, np.argsort(node.params["axes"])),
    "broadcast_to": lambda dy, slot, values, node: dy,
    "getitem": _getitem,
    "setitem": _setitem,
    "where": lambda dy, slot, values, node: np.where(node.params["branch"] == slot, dy, 0.0),
    "clip": lambda dy, slot, values, node: (
        dy * ((values[0] > node.params["low"]) & (values[0] < node.params["high"]))
    ),
    "concatenate": _concatenate,
    "repeat": _repeat,
    "einsum": _einsum,
}
"""Step -> `derivative(dy, slot, values, node)`, before sums over repeated axes."""
