"""Densities of real data: Gaussians whose variance is learned, and the continuous Bernoulli."""

import numpy as np

from ..operations.known import Known, Values, mutants, sigmoid

_AXES = ("*",)


def _unit(v: Values, rng: np.random.Generator) -> None:
    v.target = rng.random(v.target.shape)


_GM = "write d{mean} = {g} * ({mean} - {target}) / exp({logvar})"
_GV = "write d{logvar} = {g} * 0.5 * (1 - ({target} - {mean})**2 / exp({logvar}))"


def _q(v: Values) -> np.ndarray:
    return (v.target - v.mean) ** 2 * np.exp(-v.logvar)


def _gaussian_mean() -> tuple:
    return mutants(
        "mean",
        ("missing_term", "the division by the variance is missing",
         lambda dy, v: dy * (v.mean - v.target)),
        ("variance_for_std", "it is divided by the standard deviation, not the variance",
         lambda dy, v: dy * (v.mean - v.target) * np.exp(-0.5 * v.logvar)),
        ("sign", "the exponent has the wrong sign, it is multiplied by the variance",
         lambda dy, v: dy * (v.mean - v.target) * np.exp(v.logvar)),
        ("sign", "the difference is turned round",
         lambda dy, v: dy * (v.target - v.mean) * np.exp(-v.logvar)),
        ("factor", "the 2 of the square and the 1/2 cancel",
         lambda dy, v: 2 * dy * (v.mean - v.target) * np.exp(-v.logvar)),
        ("sigma_head", "{logvar} is treated as log sigma",
         lambda dy, v: dy * (v.mean - v.target) * np.exp(-2 * v.logvar)),
    )  # fmt: skip


GAUSSIAN = Known(
    "gaussian nll",
    "the negative log density of {target} under N({mean}, exp({logvar}))",
    {"mean": _AXES, "logvar": _AXES, "target": _AXES},
    lambda v: 0.5 * (_q(v) + v.logvar),
    {
        "mean": lambda dy, v: dy * (v.mean - v.target) * np.exp(-v.logvar),
        "logvar": lambda dy, v: 0.5 * dy * (1 - _q(v)),
        "target": lambda dy, v: -dy * (v.mean - v.target) * np.exp(-v.logvar),
    },
    _gaussian_mean()
    + mutants(
        "logvar",
        ("factor", "the factor 1/2 is missing", lambda dy, v: dy * (1 - _q(v))),
        ("missing_term", "the 1, the derivative of {logvar} itself, is missing",
         lambda dy, v: -0.5 * dy * _q(v)),
        ("missing_term", "the term of the squared error is missing",
         lambda dy, v: 0.5 * dy * np.ones_like(v.logvar)),
        ("sign", "the sign of the square is wrong, 1 + ...", lambda dy, v: 0.5 * dy * (1 + _q(v))),
        ("sign", "the exponent has the wrong sign, the square is multiplied by the variance",
         lambda dy, v: 0.5 * dy * (1 - (v.target - v.mean) ** 2 * np.exp(v.logvar))),
        ("missing_term", "the square is not divided by the variance",
         lambda dy, v: 0.5 * dy * (1 - (v.target - v.mean) ** 2)),
        ("variance_for_std", "the square is divided by the standard deviation, not the variance",
         lambda dy, v: 0.5 * dy * (1 - (v.target - v.mean) ** 2 * np.exp(-0.5 * v.logvar))),
        ("missing_term", "the square of the error is missing, it stands there plain",
         lambda dy, v: 0.5 * dy * (1 - (v.target - v.mean) * np.exp(-v.logvar))),
        ("sigma_head", "{logvar} is treated as log sigma",
         lambda dy, v: dy * (1 - (v.target - v.mean) ** 2 * np.exp(-2 * v.logvar))),
        ("factor", "the 1/2 stands at the 1 only", lambda dy, v: dy * (0.5 - _q(v))),
        ("factor", "the 1/2 stands at the square only", lambda dy, v: dy * (1 - 0.5 * _q(v))),
    ),
    mends={"mean": _GM, "logvar": _GV},
)  # fmt: skip

_SV = " {logvar} is one number that every entry uses, so its gradient is the sum of all"


def _shared_full(dy: np.ndarray, v: Values) -> np.ndarray:
    return 0.5 * dy * (1 - _q(v))


GAUSSIAN_SHARED = Known(
    "gaussian nll, one variance",
    "the negative log density of {target} under N({mean}, exp({logvar})), one {logvar} for all",
    {"mean": _AXES, "logvar": ("1",), "target": _AXES},
    lambda v: 0.5 * (_q(v) + v.logvar + 0 * v.mean),
    {
        "mean": lambda dy, v: dy * (v.mean - v.target) * np.exp(-v.logvar),
        "logvar": lambda dy, v: _shared_full(dy, v).sum().reshape(1),
    },
    _gaussian_mean()
    + mutants(
        "logvar",
        ("no_sum", "the sum over all entries is missing:" + _SV, _shared_full),
        ("no_sum", "the sum over the dimensions is missing:" + _SV,
         lambda dy, v: _shared_full(dy, v).sum(axis=0)),
        ("no_sum", "the sum over the batch is missing:" + _SV,
         lambda dy, v: _shared_full(dy, v).sum(axis=-1)),
        ("mean_for_sum", "a mean stands where the sum belongs:" + _SV,
         lambda dy, v: _shared_full(dy, v).mean().reshape(1)),
        ("mean_for_sum", "a mean over the batch stands where the sum belongs:" + _SV,
         lambda dy, v: _shared_full(dy, v).sum().reshape(1) / len(v.mean)),
        ("dims", "a mean over the dimensions stands where the sum belongs:" + _SV,
         lambda dy, v: _shared_full(dy, v).sum().reshape(1) / v.mean.shape[-1]),
        ("factor", "the factor 1/2 is missing",
         lambda dy, v: 2 * _shared_full(dy, v).sum().reshape(1)),
        ("missing_term", "the 1, the derivative of {logvar} itself, is missing",
         lambda dy, v: (-0.5 * dy * _q(v)).sum().reshape(1)),
        ("missing_term", "the 1 is counted once, but it stands at every entry",
         lambda dy, v: (-0.5 * dy * _q(v)).sum().reshape(1) + 0.5 * dy.flat[0]),
        ("missing_term", "the 1 is counted once an example, but it stands at every entry",
         lambda dy, v: (-0.5 * dy * _q(v)).sum().reshape(1) + 0.5 * dy[..., 0].sum()),
        ("sign", "the sign of the square is wrong, 1 + ...",
         lambda dy, v: (0.5 * dy * (1 + _q(v))).sum().reshape(1)),
        ("missing_term", "the square is not divided by the variance",
         lambda dy, v: (0.5 * dy * (1 - (v.target - v.mean) ** 2)).sum().reshape(1)),
    ),
    mends={"mean": _GM, "logvar": _GV},
)  # fmt: skip


def _nice(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a is so near 0 that a series is needed, and a with those places set to 1."""
    near = np.abs(a) < 0.05
    return near, np.where(near, 1.0, a)


def _cb_norm(a: np.ndarray) -> np.ndarray:
    near, b = _nice(a)
    big = np.where(np.real(b) > 0, b, 0)
    far = big + np.log((1 - np.exp(-np.where(np.real(b) > 0, b, -b))) / np.where(
        np.real(b) > 0, b, -b))  # fmt: skip
    return np.where(near, a / 2 + a**2 / 24 - a**4 / 2880, far)


def _cb_mean(a: np.ndarray) -> np.ndarray:
    near, b = _nice(a)
    return np.where(near, 0.5 + a / 12 - a**3 / 720, 1 / (1 - np.exp(-b)) - 1 / b)


_CB = "write d{logits} = {g} * (1 / (1 - np.exp(-{logits})) - 1 / {logits} - {target})"
CONTINUOUS_BERNOULLI = Known(
    "continuous bernoulli",
    "the negative log density of {target} under the continuous Bernoulli with the logits {logits}",
    {"logits": _AXES, "target": _AXES},
    lambda v: _cb_norm(v.logits) - v.target * v.logits,
    {"logits": lambda dy, v: dy * (_cb_mean(v.logits) - v.target)},
    mutants(
        "logits",
        ("missing_term", "the normaliser is forgotten, this is the gradient of the ordinary "
         "Bernoulli",
         lambda dy, v: dy * (sigmoid(v.logits) - v.target)),
        ("missing_term", "-1 / {logits} is missing from the mean",
         lambda dy, v: dy * (1 / (1 - np.exp(-v.logits)) - v.target)),
        ("sign", "the exponent has the wrong sign",
         lambda dy, v: dy * (1 / (1 - np.exp(v.logits)) - 1 / v.logits - v.target)),
        ("sign", "the sign of 1 / {logits} is wrong",
         lambda dy, v: dy * (1 / (1 - np.exp(-v.logits)) + 1 / v.logits - v.target)),
        ("missing_term", "the {target} is not subtracted", lambda dy, v: dy * _cb_mean(v.logits)),
    ),
    draw=_unit,
    mends={"logits": _CB},
)  # fmt: skip

KNOWN = [GAUSSIAN, GAUSSIAN_SHARED, CONTINUOUS_BERNOULLI]
