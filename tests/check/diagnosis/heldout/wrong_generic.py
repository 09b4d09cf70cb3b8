"""Functions that no library knows, with one mistake each."""

# Students unpack more than they use.

import numpy as np

from .corpus import normal, wrong


def wave(x, w):
    return x**2 * np.sin(w), (x, w)


WAVE = normal(x=(4, 3), w=(4, 3))


@wrong("sign", wave, WAVE, kind="generic")
def wave_cosine_sign(dy, cache):
    x, w = cache
    return 2 * x * np.sin(w) * dy, -dy * x**2 * np.cos(w)


@wrong("factor", wave, WAVE, kind="generic")
def wave_without_the_two(dy, cache):
    x, w = cache
    return x * np.sin(w) * dy, dy * x**2 * np.cos(w)


@wrong("swapped", wave, WAVE, kind="generic")
def wave_other_order(dy, cache):
    x, w = cache
    return dy * x**2 * np.cos(w), 2 * x * np.sin(w) * dy


@wrong("no_upstream", wave, WAVE, kind="generic")
def wave_alone(dy, cache):
    x, w = cache
    return 2 * x * np.sin(w), dy * x**2 * np.cos(w)


def bilinear(u, A, v):
    """One number for each row: u A v."""
    return np.einsum("bi,ij,bj->b", u, A, v), (u, A, v)


BILINEAR = normal(u=(5, 3), A=(3, 3), v=(5, 3))


@wrong("transpose", bilinear, BILINEAR, kind="generic")
def form_transposed(dy, cache):
    u, A, v = cache
    return dy[:, None] * (v @ A), (u * dy[:, None]).T @ v, dy[:, None] * (u @ A)


@wrong("transpose", bilinear, normal(u=(4, 2), A=(2, 5), v=(4, 5)), kind="generic")
def matrix_of_the_form_transposed(dy, cache):
    u, A, v = cache
    return dy[:, None] * (v @ A.T), np.einsum("b,bj,bi->ji", dy, v, u), dy[:, None] * (u @ A)


@wrong("zero", bilinear, BILINEAR, kind="generic")
def second_vector_forgotten(dy, cache):
    u, A, v = cache
    return dy[:, None] * (v @ A.T), (u * dy[:, None]).T @ v, np.zeros_like(v)


def running_sum(x):
    return np.cumsum(x, axis=1), None


@wrong("permuted wrong_axis", running_sum, normal(x=(3, 6)), kind="generic")
def running_sum_forwards(dy, cache):
    """The right sums, but not turned round again at the end."""
    return np.cumsum(dy[:, ::-1], axis=1)


@wrong("missing_term no_sum derivative_missing", running_sum, normal(x=(4, 5)), kind="generic")
def running_sum_without_the_later_ones(dy, cache):
    return dy.copy()


def outer(a, b):
    return np.outer(a, b), (a, b)


@wrong("mean_for_sum dims", outer, normal(a=(4,), b=(7,)), kind="generic")
def outer_averaged(dM, cache):
    a, b = cache
    return (dM * b).mean(axis=1), a @ dM


@wrong("no_sum", outer, normal(a=(5,), b=(3,)), kind="generic")
def outer_not_summed(dM, cache):
    a, b = cache
    return dM * b, dM.T @ a


def scale_rows(x, s):
    return x * s[:, None] + x**3, (x, s)


@wrong("missing_term", scale_rows, normal(x=(4, 5), s=(4,)), kind="generic")
def cube_forgotten(g, cache):
    x, s = cache
    return g * s[:, None], (g * x).sum(1)


@wrong("some_entries", scale_rows, normal(x=(6, 4), s=(6,)), kind="generic")
def last_rows_forgotten(g, cache):
    x, s = cache
    dx = g * s[:, None] + 3 * g * x**2
    dx[-2:] = 0
    return dx, (g * x).sum(1)


def quadratic(x, Q):
    return 0.5 * np.sum((x @ Q) * x)


@wrong("missing_term transpose", quadratic, normal(x=(3, 4), Q=(4, 4)), wrt="x", kind="generic")
def symmetric_by_assumption(x, Q):
    return x @ Q


@wrong("factor", quadratic, normal(x=(3, 4), Q=(4, 4)), wrt="x", kind="generic")
def quadratic_twice(x, Q):
    return x @ Q + x @ Q.T


def mean_square_distance(p, q):
    return np.sum((p[:, None] - q[None]) ** 2) / (len(p) * len(q))


@wrong("no_sum", mean_square_distance, normal(p=(4, 2), q=(3, 2)), kind="generic")
def pairs_not_summed(p, q):
    d = 2 * (p[:, None] - q[None]) / (len(p) * len(q))
    return d, -d.sum(0)


@wrong("sign", mean_square_distance, normal(p=(4, 2), q=(3, 2)), kind="generic")
def both_attracted_alike(p, q):
    d = 2 * (p[:, None] - q[None]) / (len(p) * len(q))
    return d.sum(1), d.sum(0)


def ratio(a, b):
    return a / (1 + b**2), (a, b)


@wrong("missing_term derivative_missing", ratio, normal(a=(5,), b=(5,)), kind="generic")
def quotient_rule_without_inner_derivative(g, cache):
    a, b = cache
    return g / (1 + b**2), -g * a / (1 + b**2) ** 2


@wrong("permuted", ratio, normal(a=(4, 3), b=(4, 3)), kind="generic")
def quotient_rows_upside_down(g, cache):
    a, b = cache
    da = g / (1 + b**2)
    return da[::-1].copy(), -2 * b * g * a / (1 + b**2) ** 2


@wrong("missing_term", ratio, normal(a=(4, 3), b=(4, 3)), kind="generic")
def quotient_with_a_constant_too_much(g, cache):
    a, b = cache
    return g / (1 + b**2) + g, -2 * b * g * a / (1 + b**2) ** 2
