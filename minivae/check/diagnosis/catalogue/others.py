"""Dropout, clamp, and the losses of GANs and of the vector-quantised VAE."""

import numpy as np

from ..operations.known import Known, Values, mutants, sigmoid

_AXES = ("*",)
_D = "write d{x} = {g} * {mask} / keep, with the mask of the forward pass"
DROPOUT = Known(
    "dropout",
    "dropout of {x} with a mask",
    {"x": _AXES, "mask": _AXES},
    lambda v: v.x * v.mask / v.keep,
    {"x": lambda dy, v: dy * v.mask / v.keep},
    mutants(
        "x",
        ("factor", "the 1 / keep is missing: " + _D, lambda dy, v: dy * v.mask),
        ("missing_term", "the 1 / keep is missing: " + _D, lambda dy, v: dy * v.mask),
        ("factor", "it is multiplied by keep instead of divided: " + _D,
         lambda dy, v: dy * v.mask * v.keep),
        ("factor", "keep is divided out twice: " + _D, lambda dy, v: dy * v.mask / v.keep**2),
        ("wrong_mask", "the mask is missing: " + _D, lambda dy, v: dy / v.keep),
        ("derivative_missing", "the mask is missing, and the 1 / keep: " + _D, lambda dy, v: dy),
        ("wrong_mask", "the mask is missing, and the 1 / keep: " + _D, lambda dy, v: dy),
        ("wrong_mask", "the mask is turned round: " + _D,
         lambda dy, v: dy * (v.mask == 0) / v.keep),
        ("wrong_mask", "the mask is taken from {x} > 0, as for a relu: " + _D,
         lambda dy, v: dy * (v.x > 0) / v.keep),
        ("factor", "it is divided by 1 - keep: " + _D,
         lambda dy, v: dy * v.mask / (1 - v.keep + (v.keep == 1))),
        ("extra_term", "{x} is multiplied in: " + _D, lambda dy, v: dy * v.x * v.mask / v.keep),
        ("no_upstream", "dout is not in it: " + _D, lambda dy, v: v.mask / v.keep),
    ),
    options={"keep": (0.7, 0.5, 0.8, 0.9, 0.6, 0.75, 0.4, 0.3, 0.2, 1.0)},
    draw=lambda v, rng: setattr(v, "mask", 1.0 * (v.mask > 0)),
    hidden="mask",
    guess=lambda v, y: {"keep": _ratio(v.x, y)},
)  # fmt: skip


def _ratio(x: np.ndarray, y: np.ndarray) -> float:
    """X / y where y is not 0."""
    kept = (y != 0) & (x != 0)
    return float(np.median(x[kept] / y[kept])) if kept.any() else 1.0


_C = "write d{x} = {g} * ((low < {x}) & ({x} < high))"


def _inside(v: Values) -> np.ndarray:
    return (v.low < v.x) & (v.x < v.high)


def _clamp_point(v: Values, rng: np.random.Generator) -> None:
    v.x = 0.97 * v.x
    v.x.flat[0], v.x.flat[1] = v.low - 0.4, v.high + 0.3


CLAMP = Known(
    "clamp",
    "{x} clamped to [low, high]",
    {"x": _AXES},
    lambda v: np.clip(v.x, v.low, v.high),
    {"x": lambda dy, v: dy * _inside(v)},
    mutants(
        "x",
        ("logvar_clamp", "the gradient passes outside the range too, where the clamp holds the "
         "value fixed: " + _C, lambda dy, v: dy),
        ("logvar_clamp", "the gradient passes below the range too: " + _C,
         lambda dy, v: dy * (v.x < v.high)),
        ("logvar_clamp", "the gradient passes above the range too: " + _C,
         lambda dy, v: dy * (v.x > v.low)),
        ("logvar_clamp", "the mask is turned round, it passes outside the range only: " + _C,
         lambda dy, v: dy * ~_inside(v)),
        ("wrong_mask", "the mask is taken from the upstream gradient: " + _C,
         lambda dy, v: dy * ((v.low < dy) & (dy < v.high))),
        ("wrong_mask", "the upstream gradient is clamped instead of masked: " + _C,
         lambda dy, v: np.clip(dy, v.low, v.high)),
        ("wrong_mask", "the mask is {x} > 0: " + _C, lambda dy, v: dy * (v.x > 0)),
        ("no_upstream", "dout is not in it: " + _C, lambda dy, v: 1.0 * _inside(v)),
        ("extra_term", "{x} is multiplied in: " + _C, lambda dy, v: dy * v.x * _inside(v)),
    ),
    options={"low": (-0.8,), "high": (0.5,)},
    draw=_clamp_point,
    guess=lambda v, y: {"low": float(y.min()), "high": float(y.max())},
)  # fmt: skip


def _softplus(x: np.ndarray) -> np.ndarray:
    positive = np.real(x) > 0
    return np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))


_R = "the loss of the real ones is softplus(-{real}); write d{real} = {g} * (sigmoid({real}) - 1)"
_K = "the loss of the fakes is softplus({fake}); write d{fake} = {g} * sigmoid({fake})"


def _gan_mutants(role: str, right: object, turned: object, mend: str) -> tuple:
    return mutants(
        role,
        ("swapped", "real and fake are exchanged: " + mend, lambda dy, v: dy * turned(v)),
        ("missing_term", "the label, 1 or 0, is not subtracted: "
         + mend, lambda dy, v: dy * turned(v)),
        ("sign", "the sign is flipped: " + mend, lambda dy, v: -dy * right(v)),
        ("derivative_twice", "the derivative of the sigmoid is multiplied in once more: " + mend,
         lambda dy, v: dy * right(v) * _ss(getattr(v, role))),
        ("derivative_missing", "this is the gradient of the probability: " + mend,
         lambda dy, v: dy * right(v) / _ss(getattr(v, role))),
    )  # fmt: skip


def _ss(x: np.ndarray) -> np.ndarray:
    return sigmoid(x) * (1 - sigmoid(x))


DISCRIMINATOR = Known(
    "discriminator's loss",
    "the discriminator's loss, softplus(-{real}) + softplus({fake})",
    {"real": ("N", "*"), "fake": ("M", "*")},
    lambda v: (_softplus(-v.real), _softplus(v.fake)),
    {
        "real": lambda dy, v: dy[0] * (sigmoid(v.real) - 1),
        "fake": lambda dy, v: dy[1] * sigmoid(v.fake),
    },
    tuple(
        type(m)(m.key, m.of, m.text, lambda dy, v, m=m: m.gradient(dy[m.of == "fake"], v))
        for m in _gan_mutants("real", lambda v: sigmoid(v.real) - 1, lambda v: sigmoid(v.real), _R)
        + _gan_mutants("fake", lambda v: sigmoid(v.fake), lambda v: sigmoid(v.fake) - 1, _K)
    ),
    sizes={"N": 5, "M": 3, "*": ()},
)

_GN = "write d{fake} = {g} * (sigmoid({fake}) - 1)"
GENERATOR = Known(
    "generator's non-saturating loss",
    "the generator's loss -log sigmoid({fake}) = softplus(-{fake})",
    {"fake": _AXES},
    lambda v: _softplus(-v.fake),
    {"fake": lambda dy, v: dy * (sigmoid(v.fake) - 1)},
    mutants(
        "fake",
        ("approximation", "this is the gradient of the saturating loss log(1 - sigmoid({fake})): "
         + _GN, lambda dy, v: -dy * sigmoid(v.fake)),
        ("swapped", "this is the gradient of the discriminator's loss of the fakes: " + _GN,
         lambda dy, v: dy * sigmoid(v.fake)),
        ("sign", "the sign is flipped: " + _GN, lambda dy, v: dy * (1 - sigmoid(v.fake))),
        ("derivative_twice", "the derivative of the sigmoid is multiplied in once more: " + _GN,
         lambda dy, v: dy * (sigmoid(v.fake) - 1) * _ss(v.fake)),
        ("derivative_missing", "this is the gradient of the probability, -1 / sigmoid: " + _GN,
         lambda dy, v: -dy / sigmoid(v.fake)),
        ("no_upstream", "dout is not in it: " + _GN, lambda dy, v: sigmoid(v.fake) - 1),
    ),
    sizes={"*": (7,)},
)  # fmt: skip

KNOWN = [DROPOUT, CLAMP, DISCRIMINATOR, GENERATOR]
