"""Batch norm and layer norm, with their scale and shift or without."""

from collections.abc import Callable

import numpy as np

from ..operations.known import Known, Values, mutants


def _parts(v: Values, axis: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The normalised x, and 1 / sqrt(var + eps)."""
    centred = v.x - v.x.mean(axis=axis, keepdims=True)
    inverse = 1 / np.sqrt((centred * centred).mean(axis=axis, keepdims=True) + v.eps0)
    return centred * inverse, inverse


def _norm(
    name: str,
    axes: tuple[str, ...],
    width: tuple[str, ...] | None,
    axis: tuple[int, ...],
    shape: tuple[int, ...],
) -> Known:
    """Normalise over `axis`; `shape` is how gamma and beta stand against x."""
    others = tuple(i for i in range(len(axes)) if shape[i] == 1)
    across = tuple(i for i in range(len(axes)) if i not in axis)
    affine = width is not None

    def mean(a: np.ndarray) -> np.ndarray:
        return a.mean(axis=axis, keepdims=True)

    def hat(v: Values) -> np.ndarray:
        return _parts(v, axis)[0]

    def scale(v: Values) -> np.ndarray:
        return v.gamma.reshape(shape) if affine else 1.0

    def forward(v: Values) -> np.ndarray:
        return hat(v) * scale(v) + (v.beta.reshape(shape) if affine else 0.0)

    def through(dy: np.ndarray, v: Values, terms: Callable, with_gamma: bool = True) -> np.ndarray:
        h, inverse = _parts(v, axis)
        d = dy * scale(v) if with_gamma else dy
        return terms(d, h, inverse)

    def right(d: np.ndarray, h: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        return inverse * (d - mean(d) - h * mean(d * h))

    mend = (
        "write dxhat = {g} * {gamma}; d{x} = (dxhat - dxhat.mean(axis) - xhat * (dxhat * "
        "xhat).mean(axis)) / sqrt(var + eps)"
    )
    if not affine:
        mend = mend.replace(" * {gamma}", "")
    n = "the number of values that are averaged"

    def row(key: str, text: str, terms: Callable) -> tuple:
        return key, text, lambda dy, v: through(dy, v, terms)

    wrong = mutants(
        "x",
        row("constant_stats", "mean and variance are treated as constants, but they depend on {x}",
            lambda d, h, i: i * d),
        row("constant_stats", "the variance is treated as a constant, but it depends on {x}",
            lambda d, h, i: i * (d - mean(d))),
        row("constant_stats", "the mean is treated as a constant, but it depends on {x}",
            lambda d, h, i: i * (d - h * mean(d * h))),
        row("missing_term", "1 / sqrt(var + eps) is missing",
            lambda d, h, i: d - mean(d) - h * mean(d * h)),
        row("mean_for_sum", "sums stand where means belong",
            lambda d, h, i: i * (d - d.size / mean(d).size * (mean(d) + h * mean(d * h)))),
        row("dims", "sums stand where means belong",
            lambda d, h, i: i * (d - d.size / mean(d).size * (mean(d) + h * mean(d * h)))),
        row("sign", "the sign of the variance's part is wrong",
            lambda d, h, i: i * (d - mean(d) + h * mean(d * h))),
        row("sign", "the sign of the mean's part is wrong",
            lambda d, h, i: i * (d + mean(d) - h * mean(d * h))),
        row("missing_term", "xhat is missing before the mean of dxhat * xhat",
            lambda d, h, i: i * (d - mean(d) - mean(d * h))),
        row("missing_term", "xhat is missing inside the mean of dxhat * xhat",
            lambda d, h, i: i * (d - mean(d) - h * mean(d))),
        row("variance_for_std", "it is divided by the variance instead of its root",
            lambda d, h, i: i * right(d, h, i)),
        row("factor", "the 1/2 of the root and the 2 of the square do not cancel",
            lambda d, h, i: i * (d - mean(d) - 0.5 * h * mean(d * h))),
        row("factor", "the 1/2 of the root is missing",
            lambda d, h, i: i * (d - mean(d) - 2 * h * mean(d * h))),
        row("wrong_axis", "the means run over the wrong axis", lambda d, h, i: i * (
            d - d.mean(axis=across, keepdims=True)
            - h * (d * h).mean(axis=across, keepdims=True))),
        row("dims", f"the means are divided by N - 1 instead of N, {n}", lambda d, h, i: i * (
            d - (mean(d) + h * mean(d * h)) * (d.size / mean(d).size)
            / max(d.size / mean(d).size - 1, 1))),
        row("derivative_missing", "only the scale is differentiated", lambda d, h, i: d),
        row("constant_stats", "the gradient of the mean is missing where the variance uses it",
            lambda d, h, i: i * (d - mean(d)) - i * h * mean(d)),
    )  # fmt: skip
    mends = {"x": mend}
    gradients: dict[str, Callable] = {"x": lambda dy, v: through(dy, v, right)}
    roles: dict[str, tuple[str, ...]] = {"x": axes}
    if width is not None:
        wrong += mutants(
            "x",
            ("missing_term", "the scale {gamma} is missing",
             lambda dy, v: through(dy, v, right, with_gamma=False)),
            ("derivative_twice", "the scale {gamma} is multiplied in twice",
             lambda dy, v: scale(v) * through(dy, v, right)),
        )  # fmt: skip
        roles |= {"gamma": width, "beta": width}

        def total(a: np.ndarray, v: Values) -> np.ndarray:
            return a.sum(axis=others).reshape(v.gamma.shape)

        gradients["gamma"] = lambda dy, v: total(dy * hat(v), v)
        gradients["beta"] = lambda dy, v: total(dy, v)
        g_mend = "write d{gamma} = ({g} * xhat).sum over all axes but {gamma}'s own"
        b_mend = "write d{beta} = {g}.sum over all axes but {beta}'s own"
        mends |= {"gamma": g_mend, "beta": b_mend}
        wrong += mutants(
            "gamma",
            ("missing_term", "the normalised xhat is missing", lambda dy, v: total(dy, v)),
            ("at_output", "{x} itself stands where the normalised xhat belongs",
             lambda dy, v: total(dy * v.x, v)),
            ("at_output", "the output stands where the normalised xhat belongs",
             lambda dy, v: total(dy * forward(v), v)),
            ("constant_stats", "{x} is centred, but not divided by the standard deviation",
             lambda dy, v: total(dy * (v.x - mean(v.x)), v)),
            ("no_sum", "the sum is missing", lambda dy, v: dy * hat(v)),
            ("mean_for_sum", "a mean stands where the sum belongs",
             lambda dy, v: total(dy * hat(v), v) * v.gamma.size / dy.size),
            ("wrong_axis", "the sum runs over the wrong axis",
             lambda dy, v: (dy * hat(v)).sum(axis=-1 if 0 in others else 0)),
            ("extra_term", "the scale {gamma} is multiplied in",
             lambda dy, v: total(dy * hat(v), v) * v.gamma),
        ) + mutants(
            "beta",
            ("no_sum", "the sum is missing", lambda dy, v: dy),
            ("mean_for_sum", "a mean stands where the sum belongs",
             lambda dy, v: total(dy, v) * v.gamma.size / dy.size),
            ("wrong_axis", "the sum runs over the wrong axis",
             lambda dy, v: dy.sum(axis=-1 if 0 in others else 0)),
            ("extra_term", "the scale {gamma} is multiplied in",
             lambda dy, v: total(dy, v) * v.gamma),
            ("extra_term", "the normalised xhat is multiplied in",
             lambda dy, v: total(dy * hat(v), v)),
        )  # fmt: skip
    return Known(
        name,
        f"{name} of {{x}}",
        roles,
        forward,
        gradients,
        wrong,
        options={"eps0": (1e-5, 1e-8, 1e-3, 1e-6, 0.0, 1e-7, 1e-4)},
        sizes={"B": 5, "D": 3},
        mends=mends,
    )


_2D, _NHWC, _NCHW = ("B", "D"), ("B", "H", "W", "C"), ("B", "C", "H", "W")
KNOWN = [
    _norm("batch norm", _2D, ("D",), (0,), (1, -1)),
    _norm("batch norm, parameters as rows", _2D, ("1", "D"), (0,), (1, -1)),
    _norm("batch norm without scale", _2D, None, (0,), (1, -1)),
    _norm("layer norm", _2D, ("D",), (1,), (1, -1)),
    _norm("layer norm without scale", _2D, None, (1,), (-1, 1)),
    _norm("batch norm of images, channels last", _NHWC, ("C",), (0, 1, 2), (1, 1, 1, -1)),
    _norm("batch norm of images, channels first", _NCHW, ("C",), (0, 2, 3), (1, -1, 1, 1)),
]
