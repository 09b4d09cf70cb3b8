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
        ("factor", "the 1 / keep is missing", lambda dy, v: dy * v.mask),
        ("missing_term", "the 1 / keep is missing", lambda dy, v: dy * v.mask),
        ("factor", "it is multiplied by keep instead of divided",
         lambda dy, v: dy * v.mask * v.keep),
        ("factor", "keep is divided out twice", lambda dy, v: dy * v.mask / v.keep**2),
        ("wrong_mask", "the mask is missing", lambda dy, v: dy / v.keep),
        ("derivative_missing", "the mask is missing, and the 1 / keep", lambda dy, v: dy),
        ("wrong_mask", "the mask is missing, and the 1 / keep", lambda dy, v: dy),
        ("wrong_mask", "the mask is turned round", lambda dy, v: dy * (v.mask == 0) / v.keep),
        ("wrong_mask", "the mask is taken from {x} > 0, as for a relu",
         lambda dy, v: dy * (v.x > 0) / v.keep),
        ("factor", "it is divided by 1 - keep",
         lambda dy, v: dy * v.mask / (1 - v.keep + (v.keep == 1))),
        ("extra_term", "{x} is multiplied in", lambda dy, v: dy * v.x * v.mask / v.keep),
    ),
    options={"keep": (0.7, 0.5, 0.8, 0.9, 0.6, 0.75, 0.4, 0.3, 0.2, 1.0)},
    draw=lambda v, rng: setattr(v, "mask", 1.0 * (v.mask > 0)),
    hidden="mask",
    guess=lambda v, y: {"keep": _ratio(v.x, y)},
    mends={"x": _D},
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
         "value fixed",
         lambda dy, v: dy),
        ("logvar_clamp", "the gradient passes below the range too",
         lambda dy, v: dy * (v.x < v.high)),
        ("logvar_clamp", "the gradient passes above the range too",
         lambda dy, v: dy * (v.x > v.low)),
        ("logvar_clamp", "the mask is turned round, it passes outside the range only",
         lambda dy, v: dy * ~_inside(v)),
        ("wrong_mask", "the mask is taken from the upstream gradient",
         lambda dy, v: dy * ((v.low < dy) & (dy < v.high))),
        ("wrong_mask", "the upstream gradient is clamped instead of masked",
         lambda dy, v: np.clip(dy, v.low, v.high)),
        ("wrong_mask", "the mask is {x} > 0", lambda dy, v: dy * (v.x > 0)),
        ("extra_term", "{x} is multiplied in", lambda dy, v: dy * v.x * _inside(v)),
    ),
    options={"low": (-0.8,), "high": (0.5,)},
    draw=_clamp_point,
    guess=lambda v, y: {"low": float(y.min()), "high": float(y.max())},
    mends={"x": _C},
)  # fmt: skip


def _softplus(x: np.ndarray) -> np.ndarray:
    positive = np.real(x) > 0
    return np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))


_R = "the loss of the real ones is softplus(-{real}); write d{real} = {g} * (sigmoid({real}) - 1)"
_K = "the loss of the fakes is softplus({fake}); write d{fake} = {g} * sigmoid({fake})"


def _gan_mutants(role: str, right: object, turned: object, mend: str) -> tuple:
    return mutants(
        role,
        ("swapped", "real and fake are exchanged", lambda dy, v: dy * turned(v)),
        ("missing_term", "the label, 1 or 0, is not subtracted", lambda dy, v: dy * turned(v)),
        ("sign", "the sign is flipped", lambda dy, v: -dy * right(v)),
        ("derivative_twice", "the derivative of the sigmoid is multiplied in once more",
         lambda dy, v: dy * right(v) * _ss(getattr(v, role))),
        ("derivative_missing", "this is the gradient of the probability",
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
    mends={"real": _R, "fake": _K},
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
        ("approximation", "this is the gradient of the saturating loss log(1 - sigmoid({fake}))",
         lambda dy, v: -dy * sigmoid(v.fake)),
        ("swapped", "this is the gradient of the discriminator's loss of the fakes",
         lambda dy, v: dy * sigmoid(v.fake)),
        ("sign", "the sign is flipped", lambda dy, v: dy * (1 - sigmoid(v.fake))),
        ("derivative_twice", "the derivative of the sigmoid is multiplied in once more",
         lambda dy, v: dy * (sigmoid(v.fake) - 1) * _ss(v.fake)),
        ("derivative_missing", "this is the gradient of the probability, -1 / sigmoid",
         lambda dy, v: -dy / sigmoid(v.fake)),
    ),
    sizes={"*": (7,)},
    mends={"fake": _GN},
)  # fmt: skip

KNOWN = [DROPOUT, CLAMP, DISCRIMINATOR, GENERATOR]
