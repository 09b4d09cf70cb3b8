"""Samples of a Gaussian that gradients can pass through, for three kinds of head."""

import numpy as np

from ..operations.known import Known, Values, mutants

_AXES = ("*",)

_M = "z = {mu} + ... has the derivative 1; write d{mu} = {g}"
_MU = mutants(
    "mu",
    ("noise_gradient", "the noise is multiplied in", lambda dy, v: dy * v.eps),
    ("variance_for_std", "the standard deviation is multiplied in", lambda dy, v: dy * _scale(v)),
    ("extra_term", "the derivative of the scale is multiplied in",
     lambda dy, v: dy * _scale(v) * v.eps),
)  # fmt: skip


def _scale(v: Values) -> np.ndarray:
    if hasattr(v, "logvar"):
        return np.exp(0.5 * v.logvar)
    return np.exp(v.logsigma) if hasattr(v, "logsigma") else v.sigma


_LV = (
    "z = {mu} + exp({logvar}/2) {eps} has the derivative 1/2 exp({logvar}/2) {eps}; write "
    "d{logvar} = 0.5 * {g} * np.exp(0.5 * {logvar}) * {eps}"
)


def _s(v: Values) -> np.ndarray:
    return np.exp(0.5 * v.logvar)


REPARAMETERIZE = Known(
    "reparameterize",
    "the reparameterization z = {mu} + exp({logvar}/2) {eps}",
    {"mu": _AXES, "logvar": _AXES, "eps": _AXES},
    lambda v: v.mu + _s(v) * v.eps,
    {
        "mu": lambda dy, v: dy,
        "logvar": lambda dy, v: 0.5 * dy * _s(v) * v.eps,
        "eps": lambda dy, v: dy * _s(v),
    },
    _MU
    + mutants(
        "logvar",
        ("factor", "the factor 1/2 of {logvar} is missing", lambda dy, v: dy * _s(v) * v.eps),
        ("factor", "the factor 1/2 is missing in the exponent",
         lambda dy, v: 0.5 * dy * np.exp(v.logvar) * v.eps),
        ("variance_for_std", "the variance exp({logvar}) stands where the standard deviation "
         "exp({logvar}/2) belongs",
         lambda dy, v: 0.5 * dy * np.exp(v.logvar) * v.eps),
        ("variance_for_std", "the variance exp({logvar}) stands where the standard deviation "
         "belongs, and the factor 1/2 is missing",
         lambda dy, v: dy * np.exp(v.logvar) * v.eps),
        ("noise_missing", "the noise is missing", lambda dy, v: 0.5 * dy * _s(v)),
        ("noise_missing", "the noise is missing, and so is the factor 1/2",
         lambda dy, v: dy * _s(v)),
        ("noise_gradient", "this is the gradient of the noise {eps}, which needs none",
         lambda dy, v: dy * _s(v)),
        ("sigma_head", "{logvar} is treated as sigma itself, whose derivative would be {eps}",
         lambda dy, v: dy * v.eps),
        ("sigma_head", "{logvar} is treated as log sigma, whose derivative would be exp({logvar}) "
         "{eps}",
         lambda dy, v: dy * np.exp(v.logvar) * v.eps),
        ("derivative_missing", "the derivative of exp is missing, exp({logvar}/2) itself",
         lambda dy, v: 0.5 * dy * v.eps),
        ("derivative_missing", "the derivative of exp({logvar}/2) {eps} is missing",
         lambda dy, v: dy),
        ("derivative_missing", "only the 1/2 of the derivative is there", lambda dy, v: 0.5 * dy),
        ("extra_term", "z stands where z - {mu} = exp({logvar}/2) {eps} belongs",
         lambda dy, v: 0.5 * dy * (v.mu + _s(v) * v.eps)),
        ("derivative_twice", "the noise is multiplied in twice",
         lambda dy, v: 0.5 * dy * _s(v) * v.eps**2),
        ("sign", "the sign of the exponent is flipped, exp(-{logvar}/2)",
         lambda dy, v: 0.5 * dy * np.exp(-0.5 * v.logvar) * v.eps),
        ("noise_gradient", "the noise is subtracted from dout or added to it instead of multiplied",
         lambda dy, v: 0.5 * dy * _s(v) + v.eps),
    ),
    hidden="eps",
    mends={"mu": _M, "logvar": _LV},
)  # fmt: skip

_SG = "z = {mu} + {sigma} {eps} has the derivative {eps}; write d{sigma} = {g} * {eps}"
SIGMA = Known(
    "reparameterize, sigma head",
    "the reparameterization z = {mu} + {sigma} {eps}",
    {"mu": _AXES, "sigma": _AXES, "eps": _AXES},
    lambda v: v.mu + v.sigma * v.eps,
    {
        "mu": lambda dy, v: dy,
        "sigma": lambda dy, v: dy * v.eps,
        "eps": lambda dy, v: dy * v.sigma,
    },
    _MU
    + mutants(
        "sigma",
        ("sigma_head", "{sigma} is treated as the log of the variance, but here it is sigma itself",
         lambda dy, v: 0.5 * dy * np.exp(0.5 * v.sigma) * v.eps),
        ("sigma_head", "{sigma} is treated as the log of the variance, but here it is sigma itself",
         lambda dy, v: 0.5 * dy * v.sigma * v.eps),
        ("sigma_head", "{sigma} is treated as log sigma, but here it is sigma itself",
         lambda dy, v: dy * v.sigma * v.eps),
        ("noise_missing", "the noise is missing", lambda dy, v: dy),
        ("noise_gradient", "this is the gradient of the noise {eps}, which needs none",
         lambda dy, v: dy * v.sigma),
        ("variance_for_std", "the derivative of the variance, 2 {sigma}, is multiplied in",
         lambda dy, v: 2 * dy * v.sigma * v.eps),
        ("variance_for_std", "{sigma} is treated as a variance, whose root is the standard "
         "deviation",
         lambda dy, v: 0.5 * dy * v.eps / np.sqrt(np.abs(v.sigma))),
    ),
    draw=lambda v, rng: setattr(v, "sigma", np.abs(v.sigma) + 0.3),
    hidden="eps",
    mends={"mu": _M, "sigma": _SG},
)  # fmt: skip

_LS = (
    "z = {mu} + exp({logsigma}) {eps} has the derivative exp({logsigma}) {eps}; write "
    "d{logsigma} = {g} * np.exp({logsigma}) * {eps}"
)
LOGSIGMA = Known(
    "reparameterize, log sigma head",
    "the reparameterization z = {mu} + exp({logsigma}) {eps}",
    {"mu": _AXES, "logsigma": _AXES, "eps": _AXES},
    lambda v: v.mu + np.exp(v.logsigma) * v.eps,
    {
        "mu": lambda dy, v: dy,
        "logsigma": lambda dy, v: dy * np.exp(v.logsigma) * v.eps,
        "eps": lambda dy, v: dy * np.exp(v.logsigma),
    },
    _MU
    + mutants(
        "logsigma",
        ("sigma_head", "{logsigma} is treated as the log of the variance, but here it is log sigma",
         lambda dy, v: 0.5 * dy * np.exp(0.5 * v.logsigma) * v.eps),
        ("factor", "there is a 1/2 in it, which belongs to the log of a variance",
         lambda dy, v: 0.5 * dy * np.exp(v.logsigma) * v.eps),
        ("sigma_head", "there is a 1/2 in it, which belongs to the log of a variance",
         lambda dy, v: 0.5 * dy * np.exp(v.logsigma) * v.eps),
        ("sigma_head", "{logsigma} is treated as sigma itself, whose derivative would be {eps}",
         lambda dy, v: dy * v.eps),
        ("derivative_missing", "the derivative of exp, exp({logsigma}), is missing",
         lambda dy, v: dy * v.eps),
        ("noise_missing", "the noise is missing", lambda dy, v: dy * np.exp(v.logsigma)),
        ("noise_gradient", "this is the gradient of the noise {eps}, which needs none",
         lambda dy, v: dy * np.exp(v.logsigma)),
        ("variance_for_std", "the variance exp(2 {logsigma}) stands where the standard deviation "
         "belongs",
         lambda dy, v: dy * np.exp(2 * v.logsigma) * v.eps),
        ("variance_for_std", "the derivative of the variance, 2 exp(2 {logsigma}), stands where "
         "that of the standard deviation belongs",
         lambda dy, v: 2 * dy * np.exp(2 * v.logsigma) * v.eps),
    ),
    hidden="eps",
    mends={"mu": _M, "logsigma": _LS},
)  # fmt: skip

KNOWN = [REPARAMETERIZE, SIGMA, LOGSIGMA]
