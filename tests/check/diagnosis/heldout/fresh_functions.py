"""Fresh entries: activations, and operations that nobody could know; all wrong."""

import math

import numpy as np

from .fresh_corpus import draw, sigmoid, wrong

X = draw(t=(4, 7))


def swish(t, slope):
    return t * sigmoid(slope * t), (t, slope)


SWISH = draw({"slope": 1.7}, t=(3, 6))


@wrong("missing_term", swish, SWISH)
def swish_gate_only(up, c):
    t, slope = c
    return up * sigmoid(slope * t)


@wrong("at_output", swish, SWISH)
def swish_at_output(up, c):
    t, slope = c
    y = t * sigmoid(slope * t)
    s = sigmoid(slope * y)
    return up * (s + slope * y * s * (1 - s))


def elu(t):
    return np.where(t > 0, t, np.expm1(np.minimum(t, 0))), t


@wrong("wrong_mask", elu, X)
def elu_mask_of_upstream(up, t):
    return up * np.where(up > 0, 1.0, np.exp(np.minimum(t, 0)))


_erf = np.vectorize(math.erf, otypes=[float])


def gelu(t):
    return 0.5 * t * (1 + _erf(t / math.sqrt(2))), t


@wrong("approximation", gelu, X)
def gelu_by_tanh(up, t):
    k = math.sqrt(2 / math.pi)
    inner = np.tanh(k * (t + 0.044715 * t**3))
    slope = 0.5 * (1 + inner) + 0.5 * t * (1 - inner**2) * k * (1 + 3 * 0.044715 * t**2)
    return up * slope


def sharp_softplus(t, k):
    return np.logaddexp(0, k * t) / k, (t, k)


@wrong("factor", sharp_softplus, draw({"k": 3.0}, t=(5, 4)))
def sharp_softplus_inner_factor(up, c):
    t, k = c
    return up * k * sigmoid(k * t)


def mish(t):
    return t * np.tanh(np.log1p(np.exp(t))), t


@wrong("missing_term", mish, X)
def mish_without_first_term(up, t):
    w = np.tanh(np.log1p(np.exp(t)))
    return up * (t * (1 - w * w) * sigmoid(t))


def logistic(t):
    return 0.5 * (1 + np.tanh(0.5 * t)), t


@wrong("derivative_twice", logistic, X)
def logistic_twice(up, t):
    s = sigmoid(t)
    return up * (s - s**2) ** 2


@wrong("at_output", logistic, X)
def logistic_at_output(up, t):
    s = sigmoid(sigmoid(t))
    return up * s * (1 - s)


def hard_tanh(t):
    return np.clip(t, -1, 1), t


@wrong("logvar_clamp wrong_mask derivative_missing", hard_tanh, X)
def hard_tanh_open(up, t):
    return up.copy()


def leaky(t, leak):
    return np.maximum(leak * t, t), (t, leak)


@wrong("some_entries zero missing_term", leaky, draw({"leak": 0.15}, t=(4, 6)))
def leaky_as_relu(up, c):
    return np.heaviside(c[0], 0) * up


def rectify(t):
    return t * (t > 0), t


@wrong("wrong_mask derivative_missing", rectify, X)
def rectify_mask_of_upstream(up, t):
    return np.where(up > 0, up, 0)


def soft(t):
    e = np.exp(t - t.max(0))
    p = e / e.sum(0)
    return p, p


@wrong("wrong_axis", soft, draw(t=(4, 3)))
def soft_inner_sum_over_columns(up, p):
    return p * (up - (up * p).sum(1, keepdims=True))


@wrong("missing_term", soft, draw(t=(4, 3)))
def soft_diagonal_only(up, p):
    return up * p


@wrong("derivative_twice", soft, draw(t=(5, 2)))
def soft_twice(up, p):
    for _ in range(2):
        up = p * (up - (up * p).sum(0))
    return up


def log_soft(t, heat):
    a = t / heat
    a = a - a.max(1, keepdims=True)
    a = a - np.log(np.exp(a).sum(1, keepdims=True))
    return a, (a, heat)


@wrong("factor", log_soft, draw({"heat": 2.5}, t=(3, 5)))
def log_soft_without_heat(up, c):
    return up - np.exp(c[0]) * up.sum(1, keepdims=True)


def gated(a, b):
    return a * sigmoid(b), (a, sigmoid(b))


@wrong("derivative_missing", gated, draw(a=(3, 4), b=(3, 4)))
def gated_open_gate(up, c):
    a, s = c
    return {"a": up * s, "b": up * a}


@wrong("swapped", gated, draw(a=(3, 4), b=(3, 4)))
def gated_swapped(up, c):
    a, s = c
    return {"b": up * s, "a": up * a * s * (1 - s)}


# --- operations of nobody's library


def wave(p):
    return np.sin(3 * p) * p**2, p


@wrong("missing_term", wave, draw(p=(3, 5)))
def wave_one_half(up, p):
    return up * (3 * np.cos(3 * p) * p**2)


@wrong("sign", wave, draw(p=(2, 6)))
def wave_descending(up, p):
    return -up * (3 * np.cos(3 * p) * p**2 + 2 * p * np.sin(3 * p))


def distances(a, b):
    d = a[:, None] - b[None]
    return (d * d).sum(-1), d


@wrong("factor", distances, draw(a=(3, 2), b=(4, 2)))
def distances_without_two(up, d):
    w = up[..., None] * d
    return w.sum(1), -2 * w.sum(0)


@wrong("sign", distances, draw(a=(3, 2), b=(4, 2)))
def distances_second_sign(up, d):
    w = 2 * up[..., None] * d
    return w.sum(1), w.sum(0)


def running_total(s):
    return s.cumsum(1), None


@wrong("transpose permuted", running_total, draw(s=(3, 5)))
def running_total_forwards(up, _):
    return {"s": up.cumsum(1)}


def shift(s):
    return np.roll(s, 1, axis=1), None


@wrong("permuted", shift, draw(s=(3, 5)))
def shift_same_way(up, _):
    return {"s": np.roll(up, 1, axis=1)}


def shares(amount):
    total = np.exp(amount).sum()
    return np.exp(amount) / total, (np.exp(amount), total)


@wrong("constant_stats missing_term", shares, draw(amount=(6,)))
def shares_fixed_total(up, c):
    return {"damount": up * c[0] / c[1]}


def volume(a):
    return np.linalg.slogdet(a)[1], a


@wrong("transpose", volume, draw(a=(4, 4)))
def volume_inverse(up, a):
    return up * np.linalg.inv(a)


def energy(s, a):
    return np.einsum("bi,ij,bj->b", s, a, s), (s, a)


@wrong("missing_term", energy, draw(s=(3, 4), a=(4, 4)))
def energy_one_side(up, c):
    s, a = c
    return {"s": up[:, None] * (s @ a), "a": np.einsum("b,bi,bj->ij", up, s, s)}


def peak(s):
    hi = s.max(axis=1)
    return hi + np.log(np.exp(s - hi[:, None]).sum(1)), s


@wrong("no_upstream", peak, draw(s=(4, 3)))
def peak_alone(up, s):
    e = np.exp(s - s.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def rotate(xy, angle):
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    return xy @ turn.T, turn


@wrong("transpose", rotate, lambda rng: {"xy": rng.standard_normal((5, 2)), "angle": 0.8}, wrt="xy")
def rotate_on(up, turn):
    return up @ turn.T


def interleave(first, second):
    return np.stack([first, second], -1).reshape(len(first), -1), first.shape


@wrong("permuted", interleave, draw(first=(2, 3), second=(2, 3)))
def interleave_as_concatenated(up, shape):
    return np.hsplit(up, 2)
