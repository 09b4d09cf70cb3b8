"""Activations and other functions that work entry by entry."""

import math
from collections.abc import Callable

import numpy as np

from ....engine.backend import erf
from ..operations.known import Known, Mutant, Values, mutants, sigmoid

Function = Callable[[np.ndarray], np.ndarray]


def _softplus(x: np.ndarray) -> np.ndarray:
    positive = np.real(x) > 0
    return np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))


def _Phi(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + erf(np.asarray(x) / math.sqrt(2)))


def _phi(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _tanh_gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _tanh_gelu_slope(x: np.ndarray) -> np.ndarray:
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)


def _entrywise(
    name: str, f: Function, slope: Function, right: str, *extra: tuple[str, str, Function]
) -> Known:
    """A function f(x) with its slope; `extra` are wrong slopes (key, text, slope)."""
    mend = f"write d{{x}} = {{g}} * {right}"
    rows: list[tuple[str, str, Function]] = [
        (
            "derivative_missing",
            f"the derivative of {name} is missing",
            np.ones_like,
        ),
        (
            "derivative_twice",
            f"the derivative of {name} is multiplied in twice; once is right",
            lambda x: slope(x) ** 2,
        ),
        (
            "at_output",
            f"the derivative of {name} is taken at the output y instead of the input (the output "
            f"stands where the formula has the input, or {name} is applied once more)",
            lambda x: slope(f(x)),
        ),
        (
            "wrong_mask",
            f"the mask of a relu stands where the derivative of {name} belongs",
            lambda x: 1.0 * (f(x) > 0),
        ),
        *extra,
    ]
    wrong: list[Mutant] = []
    for key, text, wrong_slope in rows:
        wrong += mutants("x", (key, text, lambda dy, v, s=wrong_slope: dy * s(v.x)))
    wrong += mutants(
        "x",
        (
            "no_upstream",
            f"{name} of the upstream gradient is no derivative",
            lambda dy, v: f(dy),
        ),
        ("swapped", "{x} stands where the upstream gradient belongs",
         lambda dy, v: v.x * slope(v.x)),
        ("swapped", "the output y stands where the upstream gradient belongs",
         lambda dy, v: f(v.x) * slope(v.x)),
        (
            "at_output",
            f"the derivative of {name} is taken at the upstream gradient instead of {{x}}",
            lambda dy, v: dy * slope(dy),
        ),
    )  # fmt: skip
    gradients = {"x": lambda dy, v: dy * slope(v.x)}
    return Known(
        name,
        name,
        {"x": ("*",)},
        lambda v: f(v.x),
        gradients,
        tuple(wrong),
        draw=_away_from_zero,
        mends={"x": mend},
    )


def _away_from_zero(v: Values, rng: np.random.Generator) -> None:
    v.x = np.where(np.abs(v.x) < 0.1, np.where(v.x < 0, -0.3, 0.3), v.x)


def _positive(v: Values, rng: np.random.Generator) -> None:
    v.x = np.abs(v.x) + 0.3


def _in_positive_domain(known: Known) -> Known:
    return Known(
        known.name,
        known.title,
        known.roles,
        known.forward,
        known.gradients,
        tuple(m for m in known.mutants if "upstream" not in m.text),
        draw=_positive,
    )


def _s(x: np.ndarray) -> np.ndarray:
    return sigmoid(x)


_TANH = [
    ("at_output", "1 - {x}**2 is meant for the output, y = tanh({x})", lambda x: 1 - x**2),
    ("missing_term", "the square is missing from 1 - y**2", lambda x: 1 - np.tanh(x)),
    ("sign", "a plus stands for the minus in 1 - y**2", lambda x: 1 + np.tanh(x) ** 2),
    ("missing_term", "the 1 is missing from 1 - y**2", lambda x: -(np.tanh(x) ** 2)),
    ("approximation", "this is the derivative of the sigmoid's formula, y (1 - y), at y = "
     "tanh({x})",
     lambda x: np.tanh(x) * (1 - np.tanh(x))),
    ("missing_term", "the square root of the derivative is returned: 1 - y**2 is not sqrt(1 - "
     "y**2)",
     lambda x: np.sqrt(1 - np.tanh(x) ** 2)),
]  # fmt: skip
_SIGMOID = [
    ("at_output", "{x} (1 - {x}) is meant for the output, y = sigmoid({x})", lambda x: x * (1 - x)),
    ("missing_term", "the factor 1 - y is missing", _s),
    ("missing_term", "the factor y is missing", lambda x: 1 - _s(x)),
    ("sign", "a plus stands for the minus in y (1 - y)", lambda x: _s(x) * (1 + _s(x))),
    ("approximation", "this is the derivative of tanh, 1 - y**2", lambda x: 1 - _s(x) ** 2),
    ("missing_term", "y**2 is not y (1 - y)", lambda x: _s(x) ** 2),
    ("missing_term", "the factor e^-x is missing from e^-x / (1 + e^-x)^2", lambda x: _s(x) ** 2),
]  # fmt: skip
_RELU = [
    ("wrong_mask", "the mask is turned round: it lets through where {x} < 0", lambda x: x < 0),
    ("sign", "where {x} < 0 the gradient is turned round instead of stopped", np.sign),
    ("extra_term", "{x} itself stands where its mask belongs", lambda x: np.maximum(x, 0)),
    ("wrong_mask", "the mask is taken at 1 instead of 0", lambda x: x > 1),
]  # fmt: skip
_SOFTPLUS = [
    ("derivative_twice", "the derivative of softplus is the sigmoid; this is the derivative of "
     "the sigmoid, differentiated once too often",
     lambda x: _s(x) * (1 - _s(x))),
    ("sign", "the sigmoid is taken of -{x}", lambda x: _s(-x)),
    ("approximation", "softplus is no relu: its derivative is no mask", lambda x: x > 0),
    ("missing_term", "e^x without the division by 1 + e^x", np.exp),
    ("missing_term", "the e^x of the chain rule is missing from e^x / (1 + e^x)",
     lambda x: 1 / (1 + np.exp(x))),
]  # fmt: skip
_SILU = [
    ("missing_term", "a term of the product rule is missing, x times the derivative of the sigmoid",
     _s),
    ("missing_term", "a term of the product rule is missing, the sigmoid times 1",
     lambda x: x * _s(x) * (1 - _s(x))),
    ("missing_term", "the x is missing in the second term of the product rule",
     lambda x: _s(x) + _s(x) * (1 - _s(x))),
    ("sign", "the second term of the product rule has the wrong sign",
     lambda x: _s(x) - x * _s(x) * (1 - _s(x))),
    ("derivative_missing", "the derivative of the sigmoid is only the sigmoid in the second term",
     lambda x: _s(x) + x * _s(x)),
    ("missing_term", "the factor of the sigmoid is missing from the second term",
     lambda x: _s(x) + x * (1 - _s(x))),
    ("derivative_missing", "the product rule is not applied: only the derivative of the sigmoid "
     "is there",
     lambda x: _s(x) * (1 - _s(x))),
]  # fmt: skip
_GELU = [
    ("missing_term", "a term of the product rule is missing, x times the density phi(x)", _Phi),
    ("missing_term", "a term of the product rule is missing, Phi(x) times 1",
     lambda x: x * _phi(x)),
    ("missing_term", "the x is missing in the second term of the product rule",
     lambda x: _Phi(x) + _phi(x)),
    ("sign", "the second term of the product rule has the wrong sign",
     lambda x: _Phi(x) - x * _phi(x)),
    ("missing_term", "the 1 / sqrt(2 pi) of the density phi is missing",
     lambda x: _Phi(x) + x * np.exp(-0.5 * x * x)),
    ("factor", "the 1/2 in the exponent of the density phi(x) = exp(-x**2 / 2) / sqrt(2 pi) is "
     "missing",
     lambda x: _Phi(x) + x * np.exp(-x * x) / math.sqrt(2 * math.pi)),
    ("approximation", "this is the derivative of the tanh approximation of GELU, but the forward "
     "pass computes the exact one; use one of them in both",
     _tanh_gelu_slope),
    ("approximation", "this is the derivative of the sigmoid approximation x sigmoid(1.702 x), "
     "but the forward pass computes the exact GELU",
     lambda x: _s(1.702 * x) + 1.702 * x * _s(1.702 * x) * (1 - _s(1.702 * x))),
]  # fmt: skip
_TANH_GELU = [
    ("approximation", "this is the derivative of the exact GELU, but the forward pass computes "
     "the tanh approximation; use one of them in both",
     lambda x: _Phi(x) + x * _phi(x)),
    ("missing_term", "a term of the product rule is missing, x times the derivative of the tanh",
     lambda x: _tanh_gelu(x) / np.where(x == 0, 1, x)),
]  # fmt: skip
_ELU = [
    ("derivative_missing", "where {x} < 0 the slope is exp({x}), not 1", np.ones_like),
    ("approximation", "where {x} < 0 the slope is exp({x}), not 0", lambda x: x > 0),
    ("at_output", "where {x} < 0 the slope is y + 1 = exp({x}), not y",
     lambda x: np.where(x > 0, 1, np.expm1(x))),
]  # fmt: skip


def _leaky_slope(v: Values, left: float, right: float) -> np.ndarray:
    return np.where(v.x > 0, right, left)


_LEAKY_MEND = "write d{x} = {g} * np.where({x} > 0, 1, slope)"
LEAKY = Known(
    "leaky relu",
    "leaky relu",
    {"x": ("*",)},
    lambda v: np.where(v.x > 0, v.x, v.slope * v.x),
    {"x": lambda dy, v: dy * _leaky_slope(v, v.slope, 1)},
    mutants(
        "x",
        ("missing_term", "where {x} < 0 the slope is not 0",
         lambda dy, v: dy * _leaky_slope(v, 0, 1)),
        ("derivative_missing", "the derivative of leaky relu is missing", lambda dy, v: dy),
        ("wrong_mask", "the slopes of the two sides are exchanged",
         lambda dy, v: dy * _leaky_slope(v, 1, v.slope)),
        ("derivative_twice", "the slope is multiplied in twice",
         lambda dy, v: dy * _leaky_slope(v, v.slope**2, 1)),
        ("wrong_mask", "the mask is taken from the upstream gradient, not from {x}",
         lambda dy, v: dy * np.where(dy > 0, 1, v.slope)),
        ("no_upstream", "dout is not multiplied in where {x} < 0",
         lambda dy, v: np.where(v.x > 0, dy, v.slope)),
        ("extra_term", "where {x} < 0 the slope is multiplied by {x}",
         lambda dy, v: dy * np.where(v.x > 0, 1, v.slope * v.x)),
        ("factor", "the slope is applied on both sides", lambda dy, v: dy * v.slope),
        ("sign", "where {x} < 0 the sign is flipped",
         lambda dy, v: dy * _leaky_slope(v, -v.slope, 1)),
    ),
    options={"slope": (0.2, 0.01)},
    draw=_away_from_zero,
    guess=lambda v, y: {"slope": float(np.median((y / v.x)[v.x < 0])) if (v.x < 0).any() else 0.0},
    mends={"x": _LEAKY_MEND},
)  # fmt: skip

_relu = _entrywise("relu", lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0), "({x} > 0)", *_RELU)
RELU = Known(
    _relu.name,
    _relu.title,
    _relu.roles,
    _relu.forward,
    _relu.gradients,
    tuple(m for m in _relu.mutants if m.key not in ("derivative_twice", "at_output"))
    + mutants(
        "x",
        ("wrong_mask", "the mask is taken from the upstream gradient; it belongs to the input",
         lambda dy, v: dy * (dy > 0)),
        ("wrong_mask", "the upstream gradient is masked by its own sign too; that is guided "
         "backpropagation, not the gradient",
         lambda dy, v: dy * (dy > 0) * (v.x > 0)),
    ),
    draw=_away_from_zero,
)  # fmt: skip

KNOWN = [
    RELU,
    LEAKY,
    _entrywise("tanh", np.tanh, lambda x: 1 - np.tanh(x) ** 2, "(1 - np.tanh({x})**2)", *_TANH),
    _entrywise("sigmoid", _s, lambda x: _s(x) * (1 - _s(x)), "y * (1 - y), y = sigmoid({x})",
               *_SIGMOID),
    _entrywise("softplus", _softplus, _s, "sigmoid({x})", *_SOFTPLUS),
    _entrywise("silu", lambda x: x * _s(x), lambda x: _s(x) * (1 + x * (1 - _s(x))),
               "(s + {x} * s * (1 - s)), s = sigmoid({x})", *_SILU),
    _entrywise("gelu", lambda x: x * _Phi(x), lambda x: _Phi(x) + x * _phi(x),
               "(Phi({x}) + {x} * phi({x}))", *_GELU),
    _entrywise("gelu (tanh approximation)", _tanh_gelu, _tanh_gelu_slope,
               "the derivative of the tanh formula", *_TANH_GELU),
    _entrywise("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
               lambda x: np.exp(np.minimum(x, 0)), "np.where({x} > 0, 1, np.exp({x}))", *_ELU[1:]),
    _entrywise("exp", np.exp, np.exp, "np.exp({x})"),
    _in_positive_domain(_entrywise("log", np.log, lambda x: 1 / x, "1 / {x}")),
    _in_positive_domain(
        _entrywise("sqrt", np.sqrt, lambda x: 0.5 / np.sqrt(x), "0.5 / np.sqrt({x})")),
    _entrywise("the square", np.square, lambda x: 2 * x, "2 * {x}",
               ("factor", "the factor 2 is missing: x**2 has the derivative 2 x", lambda x: x)),
]  # fmt: skip
"""Functions that work entry by entry."""
