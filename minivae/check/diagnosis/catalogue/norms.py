"""Standardised rows, as in batch and layer norm, and rows of length 1."""

from collections.abc import Callable

import numpy as np

from .function import Function, Wrong


def _mean(a: np.ndarray, axis: int = -1) -> np.ndarray:
    return a.mean(axis=axis, keepdims=True)


def _deviation(x: np.ndarray, eps: float) -> np.ndarray:
    return np.sqrt(x.var(axis=-1, keepdims=True) + eps)


def standardised(eps: float) -> Function:
    """(x - mean) / sqrt(var + eps) over the last axis."""

    def hat(x: np.ndarray) -> np.ndarray:
        return (x - _mean(x)) / _deviation(x, eps)

    def row(key: str, text: str, terms: Callable) -> Wrong:
        """A wrong derivative from dy, the standardised x, the deviation, and their number."""
        return Wrong(key, text, lambda dy, x: terms(dy, hat(x), _deviation(x, eps), x.shape[-1]))

    what = "treated as a constant, but it depends on {x}"
    return Function(
        "the standardised rows",
        hat,
        lambda dy, x: (dy - _mean(dy) - hat(x) * _mean(dy * hat(x))) / _deviation(x, eps),
        "write d{x} = ({g} - {g}.mean(axis) - xhat * ({g} * xhat).mean(axis)) / sqrt(var + eps), "
        "with keepdims=True",
        (
            row("constant_stats", "mean and variance are treated as constants, but they depend on "
                "{x}", lambda d, h, s, n: d / s),
            row("constant_stats", f"the variance is {what}", lambda d, h, s, n: (d - _mean(d)) / s),
            row("constant_stats", f"the mean is {what}",
                lambda d, h, s, n: (d - h * _mean(d * h)) / s),
            row("mean_for_sum", "sums stand where means belong",
                lambda d, h, s, n: (d - n * _mean(d) - n * h * _mean(d * h)) / s),
            row("variance_for_std", "it is divided by the variance instead of its root",
                lambda d, h, s, n: (d - _mean(d) - h * _mean(d * h)) / s**2),
            row("wrong_axis", "the means run over the wrong axis",
                lambda d, h, s, n: (d - _mean(d, 0) - h * _mean(d * h, 0)) / s),
            row("dims", "N - 1 stands where N belongs, the number of values that are averaged",
                lambda d, h, s, n: (d - (_mean(d) + h * _mean(d * h)) * n / max(n - 1, 1)) / s),
            row("dims", "N - 1 stands where N belongs in the variance's part, N the number of "
                "values that are averaged",
                lambda d, h, s, n: (d - _mean(d) - h * _mean(d * h) * n / max(n - 1, 1)) / s),
            row("derivative_missing", "only the scale is differentiated", lambda d, h, s, n: d),
        ),
        rows=True,
    )  # fmt: skip


def _length(x: np.ndarray) -> np.ndarray:
    return np.sqrt((x * x).sum(axis=-1, keepdims=True))


def _along(dy: np.ndarray, x: np.ndarray, axis: int = -1) -> np.ndarray:
    """The part of dy along y, the row of length 1."""
    y = x / _length(x)
    return y * (dy * y).sum(axis=axis, keepdims=True)


UNIT = Function(
    "the rows of length 1",
    lambda x: x / _length(x),
    lambda dy, x: (dy - _along(dy, x)) / _length(x),
    "write d{x} = ({g} - y * ({g} * y).sum(axis, keepdims=True)) / norm, y = {x} / norm",
    (
        Wrong("constant_stats", "the norm is treated as a constant, but it depends on {x}",
              lambda dy, x: dy / _length(x)),
        Wrong("missing_term", "{x} is differentiated as if it were the norm: only the derivative "
              "of 1 / norm is there, and that of {x} not", lambda dy, x: -dy * x / _length(x) ** 2),
        Wrong("wrong_axis", "the sum in the norm's part runs over the wrong axis",
              lambda dy, x: (dy - _along(dy, x, 0)) / _length(x)),
    ),
    rows=True,
)  # fmt: skip

FUNCTIONS = [UNIT]
