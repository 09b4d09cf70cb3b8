"""Likelihoods and other losses of an output against data, term by term."""

import numpy as np

from ..operations.known import Known, Mutant, Values, mutants, one_hot, sigmoid, softmax

_AXES = ("*",)


def _unit(v: Values, rng: np.random.Generator) -> None:
    v.target = rng.random(v.target.shape)


def _probabilities(v: Values, rng: np.random.Generator) -> None:
    v.p, v.target = sigmoid(v.p), rng.random(v.target.shape)


def _xent(v: Values) -> np.ndarray:
    positive = np.real(v.logits) > 0
    a = v.logits
    softplus = np.where(positive, a, 0) + np.log1p(np.exp(np.where(positive, -a, a)))
    return softplus - v.target * a


_A = "write d{logits} = {g} * (sigmoid({logits}) - {target})"


def _sp(v: Values) -> np.ndarray:
    s = sigmoid(v.logits)
    return s * (1 - s)


BCE_LOGITS = Known(
    "bce from logits",
    "the cross-entropy of {target} under sigmoid({logits})",
    {"logits": _AXES, "target": _AXES},
    _xent,
    {
        "logits": lambda dy, v: dy * (sigmoid(v.logits) - v.target),
        "target": lambda dy, v: -dy * v.logits,
    },
    mutants(
        "logits",
        ("derivative_twice", "the derivative of the sigmoid, s (1 - s), is multiplied in, but it "
         "has cancelled already",
         lambda dy, v: dy * (sigmoid(v.logits) - v.target) * _sp(v)),
        ("derivative_missing", "this is the gradient of the probabilities s, (s - x) / (s (1 - "
         "s)); the derivative of the sigmoid cancels the denominator",
         lambda dy, v: dy * (sigmoid(v.logits) - v.target) / _sp(v)),
        ("derivative_missing", "the sigmoid is missing", lambda dy, v: dy * (v.logits - v.target)),
        ("at_output", "the sigmoid is applied twice",
         lambda dy, v: dy * (sigmoid(sigmoid(v.logits)) - v.target)),
        ("missing_term", "the {target} is not subtracted", lambda dy, v: dy * sigmoid(v.logits)),
        ("missing_term", "the derivative of the softplus, sigmoid({logits}), is missing",
         lambda dy, v: -dy * v.target),
        ("missing_term", "only the part of {target} = 1 is there",
         lambda dy, v: dy * v.target * (sigmoid(v.logits) - 1)),
        ("missing_term", "only the part of {target} = 0 is there",
         lambda dy, v: dy * (1 - v.target) * sigmoid(v.logits)),
        ("approximation", "this is a tanh's or squared error's gradient, not the cross-entropy's",
         lambda dy, v: dy * (np.tanh(v.logits) - v.target)),
        ("derivative_twice", "{logits} (1 - {logits}) is multiplied in",
         lambda dy, v: dy * (sigmoid(v.logits) - v.target) * v.logits * (1 - v.logits)),
        ("sign", "a plus stands for the minus", lambda dy, v: dy * (sigmoid(v.logits) + v.target)),
    ),
    draw=_unit,
    mends={"logits": _A},
)  # fmt: skip

_P = "write d{p} = {g} * ({p} - {target}) / ({p} * (1 - {p}))"


def _bce(v: Values) -> np.ndarray:
    return -(v.target * np.log(v.p + v.eps0) + (1 - v.target) * np.log(1 - v.p + v.eps0))


BCE = Known(
    "bce",
    "the cross-entropy of {target} under the probabilities {p}",
    {"p": _AXES, "target": _AXES},
    _bce,
    {
        "p": lambda dy, v: dy * (-v.target / (v.p + v.eps0) + (1 - v.target) / (1 - v.p + v.eps0)),
        "target": lambda dy, v: dy * (np.log(1 - v.p + v.eps0) - np.log(v.p + v.eps0)),
    },
    (
        *mutants(
            "p",
            ("derivative_twice", "this is the gradient of the logits, in which the derivative of "
             "the sigmoid is in already; if the sigmoid's backward pass follows, it is in twice",
             lambda dy, v: dy * (v.p - v.target)),
            ("derivative_missing", "the denominator {p} (1 - {p}) is missing",
             lambda dy, v: dy * (v.p - v.target)),
            ("missing_term", "the part of {target} = 0 is missing, (1 - {target}) / (1 - {p})",
             lambda dy, v: -dy * v.target / (v.p + v.eps0)),
            ("missing_term", "the part of {target} = 1 is missing, -{target} / {p}",
             lambda dy, v: dy * (1 - v.target) / (1 - v.p + v.eps0)),
            ("sign", "the inner derivative of 1 - {p} is forgotten, a -1",
             lambda dy, v: -dy * (v.target / v.p + (1 - v.target) / (1 - v.p))),
            ("missing_term", "the factor 1 - {p} is missing in the denominator",
             lambda dy, v: dy * (v.p - v.target) / v.p),
            ("missing_term", "the factor {p} is missing in the denominator",
             lambda dy, v: dy * (v.p - v.target) / (1 - v.p)),
            ("derivative_twice", "the gradient is multiplied by {p} (1 - {p}) once too often",
             lambda dy, v: dy * (v.p - v.target) * v.p * (1 - v.p)),
        ),
        Mutant(
            "loss_constant",
            "p",
            "the loss has a small constant inside the logarithm, the gradient has not; best leave "
            "it out of both and compute the loss from logits",
            lambda dy, v: dy * (v.p - v.target) / (v.p * (1 - v.p)),
            mended=True,
        ),
    ),
    options={"eps0": (0.0, 1e-8, 1e-7, 1e-6, 1e-10, 1e-12, 1e-5, 1e-9)},
    draw=_probabilities,
    mends={"p": _P},
)  # fmt: skip

_M = "the square has the derivative 2 ({pred} - {target}), times the 1/2 or 1/N of the loss"
MSE = Known(
    "squared error",
    "the squared error ({pred} - {target})**2",
    {"pred": _AXES, "target": _AXES},
    lambda v: (v.pred - v.target) ** 2,
    {
        "pred": lambda dy, v: 2 * dy * (v.pred - v.target),
        "target": lambda dy, v: 2 * dy * (v.target - v.pred),
    },
    mutants(
        "pred",
        ("factor", "the 2 of the square is missing", lambda dy, v: dy * (v.pred - v.target)),
        ("factor", "a factor 2 too much, the 1/2 of the loss cancels that of the square",
         lambda dy, v: 4 * dy * (v.pred - v.target)),
        ("sign", "{target} - {pred} is turned round", lambda dy, v: 2 * dy * (v.target - v.pred)),
        ("derivative_missing", "the square is not differentiated",
         lambda dy, v: dy * (v.pred - v.target) ** 2),
        ("missing_term", "the {target} is not subtracted", lambda dy, v: 2 * dy * v.pred),
        ("derivative_missing", "this is the gradient of the absolute error",
         lambda dy, v: dy * np.sign(v.pred - v.target)),
        ("derivative_twice", "the derivative of a sigmoid, {pred} (1 - {pred}), is multiplied in",
         lambda dy, v: 2 * dy * (v.pred - v.target) * v.pred * (1 - v.pred)),
    ),
    mends={"pred": _M},
)  # fmt: skip

_CE = "write d{logits} = {g} * (softmax({logits}) - onehot({target}))"


def _ce(v: Values) -> np.ndarray:
    shifted = v.logits - np.real(v.logits).max(axis=-1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -(_hot(v) * logp).sum(axis=-1)


def _hot(v: Values) -> np.ndarray:
    return v.target if v.target.ndim == v.logits.ndim else one_hot(v.target, v.logits.shape[-1])


def _ce_slope(v: Values) -> np.ndarray:
    return softmax(v.logits) - _hot(v)


def _jacobian(p: np.ndarray, u: np.ndarray, axis: int = -1) -> np.ndarray:
    return p * (u - (u * p).sum(axis=axis, keepdims=True))


def _cross_entropy(name: str, axes: tuple[str, ...]) -> Known:
    def row(key: str, text: str, slope: object) -> tuple:
        return key, text, lambda dy, v: dy[..., None] * slope(v)

    def hot_example(v: Values, rng: np.random.Generator) -> None:
        if axes == ("B",):
            v.target = rng.integers(0, v.logits.shape[-1], len(v.logits))
        else:
            v.target = 1.0 * (v.target == v.target.max(axis=-1, keepdims=True))

    return Known(
        name,
        "the cross-entropy of {target} under softmax({logits})",
        {"logits": ("B", "K") if axes == ("B",) else axes, "target": axes},
        _ce,
        {"logits": lambda dy, v: dy[..., None] * _ce_slope(v)},
        mutants(
            "logits",
            row("derivative_twice", "the softmax's own derivative is multiplied in once more, but "
                "it has cancelled already", lambda v: _jacobian(softmax(v.logits), _ce_slope(v))),
            row("derivative_twice", "p (1 - p) is multiplied in, but it has cancelled already",
                lambda v: _ce_slope(v) * softmax(v.logits) * (1 - softmax(v.logits))),
            row("wrong_axis", "the softmax is taken over the wrong axis, the batch",
                lambda v: softmax(v.logits, 0) - _hot(v)),
            row("wrong_axis", "the softmax is taken over all entries at once",
                lambda v: softmax(v.logits, tuple(range(v.logits.ndim))) - _hot(v)),
            row("missing_term", "1 is not subtracted at the true class",
                lambda v: softmax(v.logits)),
            row("missing_term", "the softmax is missing, only the true class is there",
                lambda v: -_hot(v)),
            row("missing_term", "only the true class has a gradient, the others are missing",
                lambda v: _ce_slope(v) * _hot(v)),
            row("missing_term", "the gradient of the true class is missing",
                lambda v: _ce_slope(v) * (1 - _hot(v))),
            row("derivative_missing", "the softmax is missing, the logits stand there themselves",
                lambda v: v.logits - _hot(v)),
            row("missing_term", "the exponentials are not divided by their sum",
                lambda v: np.exp(v.logits) - _hot(v)),
            row("derivative_missing", "this is the gradient of the probabilities, -1 / p",
                lambda v: -_hot(v) / softmax(v.logits)),
            row("approximation", "a sigmoid stands where the softmax belongs",
                lambda v: sigmoid(v.logits) - _hot(v)),
            row("at_output", "the softmax is applied twice",
                lambda v: softmax(softmax(v.logits)) - _hot(v)),
            row("sign", "a plus stands for the minus", lambda v: softmax(v.logits) + _hot(v)),
        ),
        draw=hot_example,
        mends={"logits": _CE},
    )  # fmt: skip


KNOWN = [
    BCE_LOGITS,
    BCE,
    MSE,
    _cross_entropy("softmax cross-entropy, integer labels", ("B",)),
    _cross_entropy("softmax cross-entropy", ("*", "K")),
]
