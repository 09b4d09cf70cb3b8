"""Softmax, log-softmax and log-sum-exp, over the last axis."""

import numpy as np

from .function import Function, Wrong, jacobian, softmax


def _total(dy: np.ndarray, axis: int | None = -1) -> np.ndarray:
    return dy.sum(axis=axis, keepdims=True)


def _logsumexp(x: np.ndarray) -> np.ndarray:
    m = x.max(axis=-1, keepdims=True)
    return m + np.log(np.exp(x - m).sum(axis=-1, keepdims=True))


SOFTMAX = Function(
    "softmax",
    softmax,
    lambda dy, x: jacobian(softmax(x), dy),
    "write d{x} = p * ({g} - ({g} * p).sum(axis=-1, keepdims=True)), p = softmax({x})",
    (
        Wrong("missing_term", "only the diagonal p (1 - p) of the softmax's derivative is there; "
              "every output depends on every input",
              lambda dy, x: dy * softmax(x) * (1 - softmax(x))),
        Wrong("missing_term", "the sum over the other classes is missing",
              lambda dy, x: dy * softmax(x)),
        Wrong("wrong_axis", "the sum runs over another axis than the classes",
              lambda dy, x: jacobian(softmax(x), dy, 0)),
        Wrong("wrong_axis", "the softmax is taken over the wrong axis",
              lambda dy, x: jacobian(softmax(x, 0), dy, 0)),
        Wrong("derivative_missing", "the derivative of the softmax is missing", lambda dy, x: dy),
        Wrong("derivative_twice", "the derivative of the softmax is applied twice",
              lambda dy, x: jacobian(softmax(x), jacobian(softmax(x), dy))),
        Wrong("at_output", "the softmax is taken of the output once more",
              lambda dy, x: jacobian(softmax(softmax(x)), dy)),
    ),
    rows=True,
)  # fmt: skip

LOG_SOFTMAX = Function(
    "log-softmax",
    lambda x: x - _logsumexp(x),
    lambda dy, x: dy - softmax(x) * _total(dy),
    "write d{x} = {g} - softmax({x}) * {g}.sum(axis=-1, keepdims=True), which is softmax({x}) - "
    "onehot for a cross-entropy",
    (
        Wrong("missing_term", "the normaliser's part is missing", lambda dy, x: dy),
        Wrong("missing_term", "1 is not subtracted at the true class",
              lambda dy, x: -softmax(x) * _total(dy)),
        Wrong("missing_term", "the sum of the upstream gradient is missing",
              lambda dy, x: dy * (1 - softmax(x))),
        Wrong("missing_term", "the sum of the upstream gradient is missing",
              lambda dy, x: dy - softmax(x)),
        Wrong("wrong_axis", "the softmax is taken over the wrong axis",
              lambda dy, x: dy - softmax(x, 0) * _total(dy)),
        Wrong("wrong_axis", "the softmax is taken over all entries at once",
              lambda dy, x: dy - softmax(x, None) * _total(dy)),
        Wrong("missing_term", "the exponentials are not divided by their sum",
              lambda dy, x: dy - np.exp(x) * _total(dy)),
        Wrong("derivative_missing", "this is the gradient of the probabilities, not of {x}",
              lambda dy, x: dy / softmax(x)),
        Wrong("at_output", "the softmax is applied twice",
              lambda dy, x: dy - softmax(softmax(x)) * _total(dy)),
        Wrong("derivative_twice", "this is the derivative of the softmax, not of its logarithm",
              lambda dy, x: jacobian(softmax(x), dy)),
        Wrong("derivative_twice", "the softmax's own derivative is multiplied in once more, but it "
              "has cancelled already",
              lambda dy, x: jacobian(softmax(x), dy - softmax(x) * _total(dy))),
        Wrong("derivative_twice", "p (1 - p) is multiplied in, but it has cancelled already",
              lambda dy, x: (dy - softmax(x) * _total(dy)) * softmax(x) * (1 - softmax(x))),
    ),
    rows=True,
)  # fmt: skip

LOGSUMEXP = Function(
    "log-sum-exp",
    _logsumexp,
    lambda dy, x: dy * softmax(x),
    "the derivative is the softmax; write d{x} = {g} * softmax({x})",
    (
        Wrong("weights", "all weights are equal, 1/K: this is the gradient of the mean of {x} (the "
              "ELBO), not of the logarithm of the mean of exp({x})",
              lambda dy, x: dy * np.ones_like(x) / x.shape[-1]),
        Wrong("weights", "the softmax is taken of -{x}, so the worst sample gets most weight",
              lambda dy, x: dy * softmax(-x)),
        Wrong("wrong_axis", "the weights are normalised over another axis than the samples",
              lambda dy, x: dy * softmax(x, 0)),
        Wrong("wrong_axis", "the weights are normalised over everything",
              lambda dy, x: dy * softmax(x, None)),
        Wrong("missing_term", "the weights are not normalised", lambda dy, x: dy * np.exp(x)),
        Wrong("weights", "the derivative of the weights is in it",
              lambda dy, x: dy * softmax(x) * (1 - softmax(x))),
        Wrong("weights", "the weights are differentiated too, as in the sum of weight times {x}",
              lambda dy, x: dy * (softmax(x) + jacobian(softmax(x), x))),
    ),
    rows=True,
)  # fmt: skip

FUNCTIONS = [SOFTMAX, LOG_SOFTMAX, LOGSUMEXP]
