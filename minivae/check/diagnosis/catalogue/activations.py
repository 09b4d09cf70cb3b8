"""Activations and other functions that work entry by entry."""

import math
from collections.abc import Callable

import numpy as np

from ....engine.backend import erf
from .function import Function, Wrong, sigmoid

Entrywise = Callable[[np.ndarray], np.ndarray]


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _cdf(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + erf(np.asarray(x) / math.sqrt(2)))


def _density(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _tanh_gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _tanh_gelu_slope(x: np.ndarray) -> np.ndarray:
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)


def _entrywise(
    name: str, f: Entrywise, slope: Entrywise, right: str, extra: list[tuple[str, str, Entrywise]]
) -> Function:
    """A function f(x) with its slope; `extra` are wrong slopes (key, text, slope)."""
    rows: list[tuple[str, str, Entrywise]] = [
        ("derivative_missing", f"the derivative of {name} is missing", np.ones_like),
        ("derivative_twice", f"the derivative of {name} is multiplied in twice; once is right",
         lambda x: slope(x) ** 2),
        ("at_output", f"the derivative of {name} is taken at the output instead of the input",
         lambda x: slope(f(x))),
        ("approximation", f"{name} itself stands where its derivative belongs, as if it were an "
         "exponential", f),
        ("wrong_mask", f"the mask of a relu stands where the derivative of {name} belongs",
         lambda x: 1.0 * (f(x) > 0)),
        *extra,
    ]  # fmt: skip
    wrong = [Wrong(key, text, lambda dy, x, s=s: dy * s(x)) for key, text, s in rows]
    wrong += [
        Wrong("no_upstream", f"{name} of the upstream gradient is no derivative",
              lambda dy, x: f(dy)),
        Wrong("at_output", f"the derivative of {name} is taken at the upstream gradient instead of "
              "{x}", lambda dy, x: dy * slope(dy)),
        Wrong("swapped", "{x} stands where the upstream gradient belongs",
              lambda dy, x: x * slope(x)),
        Wrong("swapped", "the output stands where the upstream gradient belongs",
              lambda dy, x: f(x) * slope(x)),
    ]  # fmt: skip
    mend = f"write d{{x}} = {{g}} * {right}"
    return Function(name, f, lambda dy, x: dy * slope(x), mend, tuple(wrong))


_TANH = [
    ("at_output", "1 - {x}**2 is meant for the output, y = tanh({x})", lambda x: 1 - x**2),
]  # fmt: skip
_SIGMOID = [
    ("at_output", "{x} (1 - {x}) is meant for the output, y = sigmoid({x})", lambda x: x * (1 - x)),
]  # fmt: skip
_SOFTPLUS = [
    ("derivative_twice", "the derivative of softplus is the sigmoid; this is the derivative of "
     "the sigmoid, differentiated once too often",
     lambda x: sigmoid(x) * (1 - sigmoid(x))),
    ("approximation", "softplus is no relu: its derivative is no mask", lambda x: x > 0),
    ("derivative_missing", "{x} itself stands where its sigmoid belongs", lambda x: x),
    ("at_output", "the sigmoid is applied twice", lambda x: sigmoid(sigmoid(x))),
]  # fmt: skip
_SILU = [
    ("missing_term", "a term of the product rule is missing, x times the derivative of the sigmoid",
     sigmoid),
    ("missing_term", "a term of the product rule is missing, the sigmoid times 1",
     lambda x: x * sigmoid(x) * (1 - sigmoid(x))),
    ("derivative_missing", "the product rule is not applied: only the derivative of the sigmoid "
     "is there",
     lambda x: sigmoid(x) * (1 - sigmoid(x))),
]  # fmt: skip
_GELU = [
    ("missing_term", "a term of the product rule is missing, x times the density phi(x)", _cdf),
    ("missing_term", "a term of the product rule is missing, Phi(x) times 1",
     lambda x: x * _density(x)),
    ("approximation", "this is the derivative of the tanh approximation of GELU, but the forward "
     "pass computes the exact one; use one of them in both",
     _tanh_gelu_slope),
    ("approximation", "this is the derivative of the sigmoid approximation x sigmoid(1.702 x), "
     "but the forward pass computes the exact GELU",
     lambda x: sigmoid(1.702 * x) + 1.702 * x * sigmoid(1.702 * x) * (1 - sigmoid(1.702 * x))),
]  # fmt: skip
_TANH_GELU = [
    ("approximation", "this is the derivative of the exact GELU, but the forward pass computes "
     "the tanh approximation; use one of them in both",
     lambda x: _cdf(x) + x * _density(x)),
    ("missing_term", "a term of the product rule is missing, x times the derivative of the tanh",
     lambda x: _tanh_gelu(x) / np.where(x == 0, 1, x)),
]  # fmt: skip
_ELU = [
    ("approximation", "where {x} < 0 the slope is exp({x}), not 0", lambda x: x > 0),
    ("at_output", "where {x} < 0 the slope is y + 1 = exp({x}), not y",
     lambda x: np.where(x > 0, 1, np.expm1(x))),
]  # fmt: skip

FUNCTIONS = [
    _entrywise("tanh", np.tanh, lambda x: 1 - np.tanh(x) ** 2, "(1 - np.tanh({x})**2)", _TANH),
    _entrywise("sigmoid", sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)),
               "y * (1 - y), y = sigmoid({x})", _SIGMOID),
    _entrywise("softplus", _softplus, sigmoid, "sigmoid({x})", _SOFTPLUS),
    _entrywise("silu", lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * sigmoid(-x)),
               "(s + {x} * s * (1 - s)), s = sigmoid({x})", _SILU),
    _entrywise("gelu", lambda x: x * _cdf(x), lambda x: _cdf(x) + x * _density(x),
               "(Phi({x}) + {x} * phi({x}))", _GELU),
    _entrywise("gelu (tanh approximation)", _tanh_gelu, _tanh_gelu_slope,
               "the derivative of the tanh formula", _TANH_GELU),
    _entrywise("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
               lambda x: np.exp(np.minimum(x, 0)), "np.where({x} > 0, 1, np.exp({x}))", _ELU),
]  # fmt: skip
"""Functions that work entry by entry."""
