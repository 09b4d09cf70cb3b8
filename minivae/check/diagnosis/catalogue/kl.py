"""KL divergence of a Gaussian from N(0, 1), for three kinds of head."""

import numpy as np

from ..operations.known import Known, Values, mutants

_AXES = ("*",)
_MU = "the KL has mu**2 / 2, whose derivative is mu; write d{mu} = {g} * {mu}"


def _mu_mutants(scale: str) -> tuple:
    def variance(v: Values) -> np.ndarray:
        if scale == "sigma":
            return v.sigma**2
        return np.exp(v.logvar if scale == "logvar" else 2 * v.logsigma)

    return mutants(
        "mu",
        ("factor", "the 1/2 and the 2 of the square cancel", lambda dy, v: 2 * dy * v.mu),
        ("factor", "the 2 of the square is missing, it cancels the 1/2",
         lambda dy, v: 0.5 * dy * v.mu),
        ("derivative_missing", "mu**2 is not differentiated", lambda dy, v: dy * v.mu**2),
        ("derivative_missing", "mu**2 / 2 is not differentiated", lambda dy, v: 0.5 * dy * v.mu**2),
        ("kl_reversed", "the division by the variance belongs to the KL of the prior from q",
         lambda dy, v: dy * v.mu / variance(v)),
        ("extra_term", "the variance is multiplied in", lambda dy, v: dy * v.mu * variance(v)),
    )  # fmt: skip


_LV = (
    "the KL has (exp({logvar}) - {logvar}) / 2, whose derivative is (exp({logvar}) - 1) / 2; write "
    "d{logvar} = {g} * 0.5 * (np.exp({logvar}) - 1)"
)
KL = Known(
    "kl",
    "the KL of N({mu}, exp({logvar})) from N(0, 1)",
    {"mu": _AXES, "logvar": _AXES},
    lambda v: 0.5 * (v.mu**2 + np.exp(v.logvar) - 1 - v.logvar),
    {
        "mu": lambda dy, v: dy * v.mu,
        "logvar": lambda dy, v: 0.5 * dy * np.expm1(v.logvar),
    },
    _mu_mutants("logvar")
    + mutants(
        "logvar",
        ("factor", "the factor 1/2 is missing", lambda dy, v: dy * np.expm1(v.logvar)),
        ("minus_one", "the -1 is dropped from exp({logvar}) - 1",
         lambda dy, v: 0.5 * dy * np.exp(v.logvar)),
        ("minus_one", "the 1/2 stands at the exponential only, not at the -1",
         lambda dy, v: dy * (0.5 * np.exp(v.logvar) - 1)),
        ("factor", "the 1/2 stands at the exponential only, not at the -1",
         lambda dy, v: dy * (0.5 * np.exp(v.logvar) - 1)),
        ("factor", "the 1/2 stands at the -1 only, not at the exponential",
         lambda dy, v: dy * (np.exp(v.logvar) - 0.5)),
        ("sigma_head", "{logvar} is treated as sigma: sigma - 1 / sigma is the derivative with "
         "respect to sigma",
         lambda dy, v: dy * (np.exp(0.5 * v.logvar) - np.exp(-0.5 * v.logvar))),
        ("sigma_head", "{logvar} itself is treated as sigma in {logvar} - 1 / {logvar}",
         lambda dy, v: dy * (v.logvar - 1 / v.logvar)),
        ("sigma_head", "{logvar} is treated as the log of sigma: exp(2 s) - 1 is the derivative "
         "with respect to s = log sigma",
         lambda dy, v: dy * np.expm1(2 * v.logvar)),
        ("sigma_head", "{logvar} is treated as the log of sigma, with exp(2 {logvar})",
         lambda dy, v: 0.5 * dy * np.expm1(2 * v.logvar)),
        ("sigma_head", "{logvar} is treated as the variance itself, with 1 - 1 / {logvar}",
         lambda dy, v: 0.5 * dy * (1 - 1 / v.logvar)),
        ("derivative_missing", "this is the derivative with respect to the variance, 1/2 (1 - 1 / "
         "variance); times the derivative of exp({logvar}) it is right",
         lambda dy, v: 0.5 * dy * (1 - np.exp(-v.logvar))),
        ("variance_for_std", "the standard deviation exp({logvar}/2) stands where the variance "
         "exp({logvar}) belongs",
         lambda dy, v: 0.5 * dy * np.expm1(0.5 * v.logvar)),
        ("variance_for_std", "the standard deviation exp({logvar}/2) stands where the variance "
         "exp({logvar}) belongs, and the factor 1/2 is missing",
         lambda dy, v: dy * np.expm1(0.5 * v.logvar)),
        ("derivative_missing", "exp({logvar}) - {logvar} is not differentiated",
         lambda dy, v: 0.5 * dy * (np.exp(v.logvar) - v.logvar)),
        ("derivative_missing", "exp({logvar}) - 1 - {logvar} is not differentiated",
         lambda dy, v: 0.5 * dy * (np.exp(v.logvar) - 1 - v.logvar)),
        ("missing_term", "the derivative of exp({logvar}) is missing, only the -1 is there",
         lambda dy, v: np.broadcast_to(-0.5 * dy, v.logvar.shape)),
        ("sign", "the sign between the two terms is wrong, exp({logvar}) + 1",
         lambda dy, v: 0.5 * dy * (np.exp(v.logvar) + 1)),
        ("kl_reversed", "this is the KL of the prior from q, the two are swapped",
         lambda dy, v: 0.5 * dy * (1 - (1 + v.mu**2) * np.exp(-v.logvar))),
        ("extra_term", "a term in {mu} is too much, {mu}**2 does not depend on {logvar}",
         lambda dy, v: 0.5 * dy * (v.mu**2 + np.expm1(v.logvar))),
    ),
    mends={"mu": _MU, "logvar": _LV},
)  # fmt: skip

_SG = (
    "the KL has {sigma}**2 / 2 - log({sigma}), whose derivative is {sigma} - 1 / {sigma}; write "
    "d{sigma} = {g} * ({sigma} - 1 / {sigma})"
)
KL_SIGMA = Known(
    "kl, sigma head",
    "the KL of N({mu}, {sigma}**2) from N(0, 1)",
    {"mu": _AXES, "sigma": _AXES},
    lambda v: 0.5 * (v.mu**2 + v.sigma**2 - 1) - np.log(v.sigma),
    {
        "mu": lambda dy, v: dy * v.mu,
        "sigma": lambda dy, v: dy * (v.sigma - 1 / v.sigma),
    },
    _mu_mutants("sigma")
    + mutants(
        "sigma",
        ("missing_term", "the derivative of -log({sigma}) is missing, -1 / {sigma}",
         lambda dy, v: dy * v.sigma),
        ("minus_one", "-1 stands where -1 / {sigma} belongs, the derivative of -log({sigma})",
         lambda dy, v: dy * (v.sigma - 1)),
        ("missing_term", "the derivative of {sigma}**2 / 2 is missing",
         lambda dy, v: -dy / v.sigma),
        ("factor", "the 2 of the square is missing, it cancels the 1/2",
         lambda dy, v: dy * (0.5 * v.sigma - 1 / v.sigma)),
        ("factor", "the 1/2 and the 2 of the square cancel",
         lambda dy, v: dy * (2 * v.sigma - 1 / v.sigma)),
        ("sigma_head", "{sigma} is treated as the log of the variance",
         lambda dy, v: 0.5 * dy * np.expm1(v.sigma)),
        ("sigma_head", "this is the derivative with respect to the log of the variance",
         lambda dy, v: 0.5 * dy * (v.sigma**2 - 1)),
        ("sigma_head", "this is the derivative with respect to log({sigma})",
         lambda dy, v: dy * (v.sigma**2 - 1)),
        ("variance_for_std", "this is the derivative with respect to the variance {sigma}**2, or "
         "takes {sigma} for it",
         lambda dy, v: 0.5 * dy * (1 - 1 / v.sigma**2)),
        ("variance_for_std", "{sigma} is taken for the variance",
         lambda dy, v: 0.5 * dy * (1 - 1 / v.sigma)),
        ("sign", "the sign of 1 / {sigma} is flipped", lambda dy, v: dy * (v.sigma + 1 / v.sigma)),
    ),
    draw=lambda v, rng: setattr(v, "sigma", np.abs(v.sigma) + 0.3),
    mends={"mu": _MU, "sigma": _SG},
)  # fmt: skip

_LS = (
    "the KL has exp(2 {logsigma}) / 2 - {logsigma}, whose derivative is exp(2 {logsigma}) - 1; "
    "write d{logsigma} = {g} * (np.exp(2 * {logsigma}) - 1)"
)
KL_LOGSIGMA = Known(
    "kl, log sigma head",
    "the KL of N({mu}, exp(2 {logsigma})) from N(0, 1)",
    {"mu": _AXES, "logsigma": _AXES},
    lambda v: 0.5 * (v.mu**2 + np.exp(2 * v.logsigma) - 1) - v.logsigma,
    {
        "mu": lambda dy, v: dy * v.mu,
        "logsigma": lambda dy, v: dy * np.expm1(2 * v.logsigma),
    },
    _mu_mutants("logsigma")
    + mutants(
        "logsigma",
        ("minus_one", "the -1 is dropped", lambda dy, v: dy * np.exp(2 * v.logsigma)),
        ("factor", "a factor 1/2 is too much", lambda dy, v: 0.5 * dy * np.expm1(2 * v.logsigma)),
        ("factor", "the 2 of the exponent cancels the 1/2",
         lambda dy, v: dy * (0.5 * np.exp(2 * v.logsigma) - 1)),
        ("sigma_head", "{logsigma} is treated as the log of the variance",
         lambda dy, v: 0.5 * dy * np.expm1(v.logsigma)),
        ("variance_for_std", "the standard deviation stands where the variance belongs",
         lambda dy, v: dy * np.expm1(v.logsigma)),
        ("sigma_head", "this is the derivative with respect to sigma, sigma - 1 / sigma",
         lambda dy, v: dy * (np.exp(v.logsigma) - np.exp(-v.logsigma))),
    ),
    mends={"mu": _MU, "logsigma": _LS},
)  # fmt: skip

KNOWN = [KL, KL_SIGMA, KL_LOGSIGMA]
