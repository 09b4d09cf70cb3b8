"""Softmax and its relatives: log-softmax, log-sum-exp, Gumbel-softmax."""

import numpy as np

from ..operations.known import Known, Values, mutants, softmax

_AXES = ("*", "K")


def _jacobian(p: np.ndarray, dy: np.ndarray, axis: int = -1) -> np.ndarray:
    return p * (dy - (dy * p).sum(axis=axis, keepdims=True))


_S = "write d{x} = p * ({g} - ({g} * p).sum(axis=-1, keepdims=True)), p = softmax({x})"
SOFTMAX = Known(
    "softmax",
    "the softmax of {x} over the last axis",
    {"x": _AXES},
    lambda v: softmax(v.x),
    {"x": lambda dy, v: _jacobian(softmax(v.x), dy)},
    mutants(
        "x",
        ("missing_term", "only the diagonal p (1 - p) of the softmax's derivative is there; every "
         "output depends on every input",
         lambda dy, v: dy * softmax(v.x) * (1 - softmax(v.x))),
        ("missing_term", "the sum over the other classes is missing",
         lambda dy, v: dy * softmax(v.x)),
        ("wrong_axis", "the sum runs over the batch instead of the classes",
         lambda dy, v: _jacobian(softmax(v.x), dy, 0)),
        ("wrong_axis", "the sum runs over everything",
         lambda dy, v: softmax(v.x) * (dy - (dy * softmax(v.x)).sum())),
        ("wrong_axis", "the softmax is taken over the wrong axis",
         lambda dy, v: _jacobian(softmax(v.x, 0), dy, 0)),
        ("mean_for_sum", "a mean stands where the sum over the classes belongs",
         lambda dy, v: softmax(v.x) * (dy - (dy * softmax(v.x)).mean(axis=-1, keepdims=True))),
        ("sign", "a plus stands for the minus",
         lambda dy, v: softmax(v.x) * (dy + (dy * softmax(v.x)).sum(axis=-1, keepdims=True))),
        ("missing_term", "p is missing inside the sum",
         lambda dy, v: softmax(v.x) * (dy - dy.sum(axis=-1, keepdims=True))),
        ("missing_term", "p is missing before the bracket",
         lambda dy, v: dy - (dy * softmax(v.x)).sum(axis=-1, keepdims=True)),
        ("derivative_missing", "the derivative of the softmax is missing", lambda dy, v: dy),
        ("derivative_twice", "the derivative of the softmax is applied twice",
         lambda dy, v: _jacobian(softmax(v.x), _jacobian(softmax(v.x), dy))),
        ("at_output", "the softmax is taken of the output once more",
         lambda dy, v: _jacobian(softmax(softmax(v.x)), dy)),
        ("derivative_twice", "p is multiplied in twice",
         lambda dy, v: softmax(v.x) * _jacobian(softmax(v.x), dy)),
        ("no_upstream", "dout is not in it", lambda dy, v: softmax(v.x) * (1 - softmax(v.x))),
    ),
    mends={"x": _S},
)  # fmt: skip

_L = "write d{x} = {g} - softmax({x}) * {g}.sum(axis=-1, keepdims=True)"


def _logsumexp(x: np.ndarray) -> np.ndarray:
    m = np.real(x).max(axis=-1, keepdims=True)
    return (m + np.log(np.exp(x - m).sum(axis=-1, keepdims=True)))[..., 0]


LOG_SOFTMAX = Known(
    "log-softmax",
    "the log-softmax of {x} over the last axis",
    {"x": _AXES},
    lambda v: v.x - _logsumexp(v.x)[..., None],
    {"x": lambda dy, v: dy - softmax(v.x) * dy.sum(axis=-1, keepdims=True)},
    mutants(
        "x",
        ("missing_term", "the normaliser's part is missing", lambda dy, v: dy),
        ("missing_term", "the sum of dout is missing", lambda dy, v: dy * (1 - softmax(v.x))),
        ("missing_term", "the sum of dout is missing", lambda dy, v: dy - softmax(v.x)),
        ("wrong_axis", "the sum runs over the batch instead of the classes",
         lambda dy, v: dy - softmax(v.x) * dy.sum(axis=0, keepdims=True)),
        ("missing_term", "the softmax is missing",
         lambda dy, v: dy - dy.sum(axis=-1, keepdims=True)),
        ("mean_for_sum", "a mean stands where the sum over the classes belongs",
         lambda dy, v: dy - softmax(v.x) * dy.mean(axis=-1, keepdims=True)),
        ("derivative_twice", "this is the derivative of the softmax, not of its logarithm",
         lambda dy, v: _jacobian(softmax(v.x), dy)),
        ("sign", "a plus stands for the minus",
         lambda dy, v: dy + softmax(v.x) * dy.sum(axis=-1, keepdims=True)),
    ),
    mends={"x": _L},
)  # fmt: skip

_W = "the derivative is the softmax; write d{w} = {g} * softmax({w})"
LOGMEANEXP = Known(
    "log-mean-exp",
    "the logarithm of the mean (or sum) of exp({w}) over the last axis",
    {"w": _AXES},
    lambda v: _logsumexp(v.w),
    {"w": lambda dy, v: dy[..., None] * softmax(v.w)},
    mutants(
        "w",
        ("weights", "all weights are equal, 1/K: this is the gradient of the mean of {w} (the "
         "ELBO), not of the logarithm of the mean of exp({w})",
         lambda dy, v: dy[..., None] * np.ones_like(v.w) / v.w.shape[-1]),
        ("derivative_missing", "the weights are missing",
         lambda dy, v: dy[..., None] * np.ones_like(v.w)),
        ("weights", "the softmax is taken of -{w}, so the worst sample gets most weight",
         lambda dy, v: dy[..., None] * softmax(-v.w)),
        ("wrong_axis", "the weights are normalised over the batch instead of the samples",
         lambda dy, v: dy[..., None] * softmax(v.w, 0)),
        ("wrong_axis", "the weights are normalised over everything",
         lambda dy, v: dy[..., None] * softmax(v.w, tuple(range(v.w.ndim)))),
        ("missing_term", "the weights are not normalised",
         lambda dy, v: dy[..., None] * np.exp(v.w)),
        ("missing_term", "the weights are not normalised, only shifted by the largest",
         lambda dy, v: dy[..., None] * np.exp(v.w - v.w.max(axis=-1, keepdims=True))),
        ("weights", "the derivative of the weights is in it",
         lambda dy, v: dy[..., None] * softmax(v.w) * (1 - softmax(v.w))),
        ("weights", "the weights are differentiated too, as in the sum of weight times {w}",
         lambda dy, v: dy[..., None] * (softmax(v.w) + _jacobian(softmax(v.w), v.w))),
        ("weights", "the squares of the weights stand there",
         lambda dy, v: dy[..., None] * softmax(v.w) ** 2),
        ("weights", "only the largest weight has a gradient",
         lambda dy, v: dy[..., None] * (v.w == v.w.max(axis=-1, keepdims=True))),
    ),
    mends={"w": _W},
)  # fmt: skip

_G = (
    "write d{logits} = p * ({g} - ({g} * p).sum(axis=-1, keepdims=True)) / {tau}, "
    "p = softmax(({logits} + {g0}) / {tau})"
).replace("{g0}", "gumbel noise")


def _gumbel(v: Values) -> np.ndarray:
    return softmax((v.logits + v.g) / v.tau)


GUMBEL = Known(
    "gumbel-softmax",
    "the Gumbel-softmax sample of {logits}",
    {"logits": _AXES, "g": _AXES},
    _gumbel,
    {
        "logits": lambda dy, v: _jacobian(_gumbel(v), dy) / v.tau,
        "g": lambda dy, v: _jacobian(_gumbel(v), dy) / v.tau,
    },
    mutants(
        "logits",
        ("missing_term", "the 1 / tau of the inner derivative is missing",
         lambda dy, v: _jacobian(_gumbel(v), dy)),
        ("factor", "the 1 / tau of the inner derivative is missing",
         lambda dy, v: _jacobian(_gumbel(v), dy)),
        ("factor", "it is multiplied by tau instead of divided",
         lambda dy, v: _jacobian(_gumbel(v), dy) * v.tau),
        ("noise_missing", "the noise is missing, the softmax is that of the logits alone",
         lambda dy, v: _jacobian(softmax(v.logits / v.tau), dy) / v.tau),
        ("noise_missing", "the noise is missing, and the temperature too",
         lambda dy, v: _jacobian(softmax(v.logits), dy)),
        ("missing_term", "the temperature is missing inside the softmax",
         lambda dy, v: _jacobian(softmax(v.logits + v.g), dy) / v.tau),
        ("missing_term", "only the diagonal p (1 - p) of the softmax's derivative is there",
         lambda dy, v: dy * _gumbel(v) * (1 - _gumbel(v)) / v.tau),
        ("missing_term", "the sum over the other classes is missing",
         lambda dy, v: dy * _gumbel(v) / v.tau),
        ("wrong_axis", "the sum runs over the wrong axis",
         lambda dy, v: _jacobian(_gumbel(v), dy, 0) / v.tau),
        ("derivative_missing", "the derivative of the softmax is missing (that is the "
         "straight-through estimator, not the gradient of this sample)",
         lambda dy, v: dy),
        ("derivative_missing", "the derivative of the softmax is missing",
         lambda dy, v: dy / v.tau),
        ("no_upstream", "dout is not in it", lambda dy, v: _gumbel(v) * (1 - _gumbel(v)) / v.tau),
    ),
    options={"tau": (0.7, 1.0, 0.5, 2.0, 0.1, 0.8, 0.3, 0.9)},
    mends={"logits": _G},
)  # fmt: skip

KNOWN = [SOFTMAX, LOG_SOFTMAX, LOGMEANEXP, GUMBEL]
