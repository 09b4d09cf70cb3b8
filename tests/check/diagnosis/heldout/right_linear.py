"""Right code: linear layers, in many styles, shapes and sizes."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import numpy as np

from .corpus import normal, right


def affine(x, w, b):
    return x @ w + b, (x, w, b)


@right(affine, normal(x=(4, 6), w=(6, 3), b=(3,)))
def linear_tuple(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


@right(affine, normal(x=(1, 5), w=(5, 2), b=(2,)))
def linear_batch_of_one(dout, cache):
    x, w, b = cache
    return {"dx": dout.dot(w.T), "dw": np.outer(x[0], dout[0]), "db": dout[0]}


@right(affine, normal(x=(4, 4), w=(4, 4), b=(4,)))
def linear_square(dout, cache):
    x, w, _ = cache
    return np.dot(dout, w.transpose()), np.dot(x.transpose(), dout), np.sum(dout, axis=0)


@right(affine, normal(x=(1, 1), w=(1, 1), b=(1,)))
def linear_of_numbers(dout, cache):
    x, w, _ = cache
    return dout * w, dout * x, dout[0]


@right(affine, normal(x=(5, 3), w=(3, 2), b=(2,)), dtype="float32")
def linear_float32_loops(dout, cache):
    x, w, b = cache
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            for o in range(w.shape[1]):
                dx[n, i] += dout[n, o] * w[i, o]
                dw[i, o] += dout[n, o] * x[n, i]
    for row in dout:
        db += row
    return dx, dw, db


@right(affine, normal(x=(6, 2), w=(2, 7), b=(7,)))
def linear_upper_case_dict(dout, cache):
    x, w, _ = cache
    return {"grad_b": np.einsum("no->o", dout), "grad_w": x.T @ dout, "grad_x": dout @ w.T}


def affine_volume(x, w, b):
    """Any number of axes in front: (B, T, D)."""
    return np.tensordot(x, w, axes=1) + b, {"x": x, "w": w}


@right(affine_volume, normal(x=(2, 3, 4), w=(4, 5), b=(5,)))
def linear_three_axes(g, c):
    flat_x, flat_g = c["x"].reshape(-1, 4), g.reshape(-1, 5)
    return g @ c["w"].T, flat_x.T @ flat_g, flat_g.sum(0)


@right(affine_volume, normal(x=(5,), w=(5, 3), b=(3,)))
def linear_one_vector(g, c):
    return c["w"] @ g, np.outer(c["x"], g), g.copy()


def rows_first(inp, weight, bias):
    return inp @ weight.T + bias, (inp, weight)


@right(rows_first, normal(inp=(3, 4), weight=(5, 4), bias=(5,)))
def linear_out_in(grad, cache):
    inp, weight = cache
    return [grad @ weight, grad.T @ inp, grad.sum(0)]


@right(rows_first, normal(inp=(4, 3), weight=(3, 3), bias=(3,)), dtype="float32")
def linear_out_in_square(grad, cache):
    inp, weight = cache
    return grad @ weight, grad.T @ inp, grad.sum(0)


def only_out(x, w):
    return x @ w


@right(only_out, normal(x=(4, 3), w=(3, 5)))
def linear_takes_the_arguments_again(dout, x, w):
    return dout @ w.T, x.T @ dout


@right(only_out, normal(x=(2, 6), w=(6, 2)))
def linear_upstream_last(x, w, dout):
    return dout @ w.T, x.T @ dout


def scaled(factor):
    def at(rng):
        shapes = {"x": (4, 5), "w": (5, 3), "b": (3,)}
        return {n: factor * rng.standard_normal(s) for n, s in shapes.items()}

    return at


@right(affine, scaled(1e-6))
def linear_tiny(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


@right(affine, scaled(1e4))
def linear_large(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


@right(affine, scaled(1e4), dtype="float32")
def linear_large_float32(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


class Dense:
    """Keeps its input, and counts its calls."""

    def __init__(self, w):
        self.w, self.calls = w, 0

    def forward(self, x):
        self.calls += 1
        self.x = x
        return x @ self.w

    def backward(self, dout):
        self.calls += 1
        self.dw = self.x.T @ dout
        return dout @ self.w.T


def dense_object(x, w):
    layer = Dense(w)
    return layer.forward(x), layer


@right(dense_object, normal(x=(3, 4), w=(4, 2)))
def linear_from_an_object(dout, layer):
    dx = layer.backward(dout)
    return dx, layer.dw
