"""KL divergence between two Gaussians."""

import numpy as np

from ..operations.known import Known, Values, mutants

_AXES = ("*",)


def _r(v: Values) -> np.ndarray:
    return np.exp(v.logvarq - v.logvarp)


def _d(v: Values) -> np.ndarray:
    return v.muq - v.mup


def _vp(v: Values) -> np.ndarray:
    return np.exp(v.logvarp)


_BQ = "write d{muq} = {g} * ({muq} - {mup}) / exp({logvarp})"
_BP = "write d{mup} = {g} * ({mup} - {muq}) / exp({logvarp})"
_BLQ = "write d{logvarq} = {g} * 0.5 * (np.exp({logvarq} - {logvarp}) - 1)"
_BLP = (
    "write d{logvarp} = {g} * 0.5 * (1 - (np.exp({logvarq}) + ({muq} - {mup})**2) / "
    "np.exp({logvarp}))"
)
KL_BETWEEN = Known(
    "kl between two gaussians",
    "the KL of N({muq}, exp({logvarq})) from N({mup}, exp({logvarp}))",
    {"muq": _AXES, "logvarq": _AXES, "mup": _AXES, "logvarp": _AXES},
    lambda v: 0.5 * (v.logvarp - v.logvarq + _r(v) + _d(v) ** 2 / _vp(v) - 1),
    {
        "muq": lambda dy, v: dy * _d(v) / _vp(v),
        "logvarq": lambda dy, v: 0.5 * dy * (_r(v) - 1),
        "mup": lambda dy, v: -dy * _d(v) / _vp(v),
        "logvarp": lambda dy, v: 0.5 * dy * (1 - _r(v) - _d(v) ** 2 / _vp(v)),
    },
    mutants(
        "muq",
        ("derivative_missing", "the division by the prior's variance is missing",
         lambda dy, v: dy * _d(v)),
        ("kl_reversed", "it is divided by the variance of q instead of p",
         lambda dy, v: dy * _d(v) / np.exp(v.logvarq)),
        ("variance_for_std", "it is divided by the standard deviation, not the variance",
         lambda dy, v: dy * _d(v) / np.sqrt(_vp(v))),
        ("missing_term", "the prior's mean is forgotten", lambda dy, v: dy * v.muq / _vp(v)),
        ("missing_term", "the prior is treated as N(0, 1)", lambda dy, v: dy * v.muq),
    )
    + mutants(
        "mup",
        ("derivative_missing", "the division by the prior's variance is missing",
         lambda dy, v: -dy * _d(v)),
        ("kl_reversed", "it is divided by the variance of q instead of p",
         lambda dy, v: -dy * _d(v) / np.exp(v.logvarq)),
        ("variance_for_std", "it is divided by the standard deviation, not the variance",
         lambda dy, v: -dy * _d(v) / np.sqrt(_vp(v))),
        ("sign", "the sign of the difference is flipped", lambda dy, v: dy * _d(v) / _vp(v)),
    )
    + mutants(
        "logvarq",
        ("minus_one", "the -1 is dropped", lambda dy, v: 0.5 * dy * _r(v)),
        ("missing_term", "the prior is treated as N(0, 1)",
         lambda dy, v: 0.5 * dy * np.expm1(v.logvarq)),
        ("kl_reversed", "the ratio of the variances is turned round",
         lambda dy, v: 0.5 * dy * (1 / _r(v) - 1)),
        ("kl_reversed", "this is the derivative of the KL of p from q",
         lambda dy, v: 0.5 * dy * (1 - (1 / _r(v) + _d(v) ** 2 / np.exp(v.logvarq)))),
        ("variance_for_std", "the ratio of the standard deviations stands where that of the "
         "variances belongs",
         lambda dy, v: 0.5 * dy * (np.sqrt(_r(v)) - 1)),
    )
    + mutants(
        "logvarp",
        ("missing_term", "the term in the means is missing", lambda dy, v: 0.5 * dy * (1 - _r(v))),
        ("missing_term", "the term in the variances is missing",
         lambda dy, v: 0.5 * dy * (1 - _d(v) ** 2 / _vp(v))),
        ("minus_one", "the 1 is dropped", lambda dy, v: -0.5 * dy * (_r(v) + _d(v) ** 2 / _vp(v))),
        ("sign", "the term in the means has the wrong sign",
         lambda dy, v: 0.5 * dy * (1 - _r(v) + _d(v) ** 2 / _vp(v))),
        ("kl_reversed", "the ratio of the variances is turned round",
         lambda dy, v: 0.5 * dy * (1 - 1 / _r(v) - _d(v) ** 2 / _vp(v))),
        ("kl_reversed", "the square is divided by the variance of q",
         lambda dy, v: 0.5 * dy * (1 - _r(v) - _d(v) ** 2 / np.exp(v.logvarq))),
        ("derivative_missing", "the square of the means is not divided by the variance",
         lambda dy, v: 0.5 * dy * (1 - _r(v) - _d(v) ** 2)),
    ),
    mends={"muq": _BQ, "mup": _BP, "logvarq": _BLQ, "logvarp": _BLP},
)  # fmt: skip

KNOWN = [KL_BETWEEN]
