"""Linear layers, in the layouts that courses use."""

from collections.abc import Callable

import numpy as np

from ..operations.known import Known, Mutant, Values, mutants


def _linear(
    name: str,
    formula: tuple[str, str, str, str],
    axes: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...] | None],
    rows: Callable,
    weights: Callable,
) -> Known:
    """A layout of y = x W + b.

    `rows` takes x or y, as they are laid out, to (B, width) or, with `like`, back; `weights` takes
    W to (I, O) and back. `formula` says y, dx, dW, db in that layout.
    """
    y_text, dx_text, dw_text, db_text = formula
    x_axes, w_axes, b_axes = axes
    has_bias = b_axes is not None

    def x2(v: Values) -> np.ndarray:
        return rows(v.x)

    def b_like(row: np.ndarray, v: Values) -> np.ndarray:
        return row.reshape(v.b.shape)

    def forward(v: Values) -> np.ndarray:
        y = x2(v) @ weights(v.W)
        y = y + v.b.reshape(1, -1) if has_bias else y
        return y.T if name.startswith("columns") else y

    def out(dy: np.ndarray) -> np.ndarray:
        return dy.T if name.startswith("columns") else dy

    gradients = {
        "x": lambda dy, v: rows(out(dy) @ weights(v.W).T, v.x),
        "W": lambda dy, v: weights(x2(v).T @ out(dy)),
    }
    mends = {
        "x": f"as y = {y_text}, it is d{{x}} = {dx_text}",
        "W": f"{{W}} is used by every example, so its gradient is the sum, d{{W}} = {dw_text}",
    }
    wrong: tuple[Mutant, ...] = mutants(
        "x",
        ("transpose", "the product is with the wrong side of {W}",
         lambda dy, v: rows(out(dy) @ weights(v.W), v.x)),
        ("derivative_missing", "dout is passed on as it is, without the weights",
         lambda dy, v: rows(out(dy), v.x)),
    ) + mutants(
        "W",
        ("transpose", "the product is transposed", lambda dy, v: weights(x2(v).T @ out(dy)).T),
    )  # fmt: skip
    roles = {"x": x_axes, "W": w_axes}
    if b_axes is not None:
        roles["b"] = b_axes
        gradients["b"] = lambda dy, v: b_like(out(dy).sum(axis=0), v)
        mends["b"] = (
            f"{{b}} is added to every example, so its gradient is the sum: d{{b}} = {db_text}"
        )
        wrong += mutants(
            "b",
            ("no_sum", "the sum over the batch is missing", lambda dy, v: dy),
            ("wrong_axis", "the sum runs over the wrong axis", lambda dy, v: out(dy).sum(axis=1)),
            ("wrong_axis", "the sum runs over everything",
             lambda dy, v: np.full(v.b.shape, dy.sum())),
            ("wrong_axis", "the sum runs over everything", lambda dy, v: dy.sum()),
            ("no_upstream", "1 is not the gradient of a bias, dout is still to be multiplied in",
             lambda dy, v: np.ones(v.b.shape)),
        )  # fmt: skip
    batch = 1 if name.startswith("columns") else 0
    return Known(
        name,
        f"a linear layer, y = {y_text}",
        roles,
        forward,
        gradients,
        wrong,
        mends=mends,
        batch=batch,
        sizes={"*": (3, 2), "I": 6} if "*" in x_axes else {},
    )


def _as_is(array: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    return array


def _flat(array: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    return array.reshape(len(array), -1) if like is None else array.reshape(like.shape)


def _turned(array: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    return array.T


_ROWS = ("{x} {W} + {b}", "{g} @ {W}.T", "{x}.T @ {g}", "{g}.sum(axis=0)")
_ROWS0 = ("{x} {W}", "{g} @ {W}.T", "{x}.T @ {g}", "")
_TORCH = ("{x} {W}.T + {b}", "{g} @ {W}", "{g}.T @ {x}", "{g}.sum(axis=0)")
_TORCH0 = ("{x} {W}.T", "{g} @ {W}", "{g}.T @ {x}", "")
_COLS = ("{W} {x} + {b}", "{W}.T @ {g}", "{g} @ {x}.T", "{g}.sum(axis=1, keepdims=True)")
_COLS0 = ("{W} {x}", "{W}.T @ {g}", "{g} @ {x}.T", "")
_FLAT = (
    "{x}.reshape(B, -1) {W} + {b}",
    "({g} @ {W}.T).reshape({x}.shape)",
    "{x}.reshape(B, -1).T @ {g}",
    "{g}.sum(axis=0)",
)
_X, _W, _B = ("B", "I"), ("I", "O"), ("O",)
_WT, _XT = ("O", "I"), ("I", "B")

KNOWN = [
    _linear("linear", _ROWS, (_X, _W, _B), _as_is, _as_is),
    _linear("linear, b as a row", _ROWS, (_X, _W, ("1", "O")), _as_is, _as_is),
    _linear("linear, W as (out, in)", _TORCH, (_X, _WT, _B), _as_is, _turned),
    _linear("columns", _COLS, (_XT, _WT, ("O", "1")), _turned, _turned),
    _linear("columns, b flat", _COLS, (_XT, _WT, _B), _turned, _turned),
    _linear("linear without bias", _ROWS0, (_X, _W, None), _as_is, _as_is),
    _linear("linear without bias, W as (out, in)", _TORCH0, (_X, _WT, None), _as_is, _turned),
    _linear("columns without bias", _COLS0, (_XT, _WT, None), _turned, _turned),
    _linear("linear of images", _FLAT, (("B", "*"), ("I", "O"), ("O",)), _flat, _as_is),
]
