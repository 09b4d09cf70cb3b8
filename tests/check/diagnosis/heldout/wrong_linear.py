"""Linear layers, and small nets made of them, with one mistake each."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import numpy as np

from .corpus import normal, wrong

POINT = normal(x=(4, 6), w=(6, 3), b=(3,))
SQUARE = normal(x=(5, 4), w=(4, 4), b=(4,))


def affine_forward(x, w, b):
    return x @ w + b, (x, w, b)


def dense(X, W, c):
    return np.einsum("ni,io->no", X, W) + c, {"X": X, "W": W}


DENSE_POINT = normal(X=(7, 2), W=(2, 5), c=(5,))


def fc_forward(inp, weight, bias):
    """Weights stored as (out, in)."""
    return inp @ weight.T + bias, (inp, weight)


FC_POINT = normal(inp=(6, 4), weight=(3, 4), bias=(3,))
FC_SQUARE = normal(inp=(3, 5), weight=(5, 5), bias=(5,))


def looped(x, w, b):
    out = np.zeros((len(x), len(b)), dtype=x.dtype)
    for n in range(len(x)):
        for o in range(len(b)):
            out[n, o] = np.dot(x[n], w[:, o]) + b[o]
    return out, (x, w)


@wrong("no_sum", affine_forward, POINT)
def bias_gets_the_whole_batch(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout


@wrong("mean_for_sum batch", dense, DENSE_POINT)
def bias_mean(dout, cache):
    return {
        "X": np.einsum("no,io->ni", dout, cache["W"]),
        "W": np.einsum("ni,no->io", cache["X"], dout),
        "c": dout.mean(axis=0),
    }


@wrong("batch mean_for_sum", fc_forward, FC_POINT)
def weights_over_the_batch_size(grad, cache):
    inp, weight = cache
    m = inp.shape[0]
    dweight = grad.T @ inp / m
    return grad @ weight, dweight, np.sum(grad, 0)


@wrong("transpose", affine_forward, SQUARE)
def untransposed_weights(dout, cache):
    x, w, _ = cache
    return dout @ w, x.T @ dout, dout.sum(0)


@wrong("transpose", fc_forward, FC_SQUARE)
def transposed_where_it_should_not_be(grad, cache):
    inp, weight = cache
    return grad.dot(weight.T), grad.T.dot(inp), grad.sum(axis=0)


@wrong("transpose", affine_forward, POINT)
def weight_gradient_the_other_way_round(dout, cache):
    x, w, b = cache
    dw = dout.T @ x
    return {"dx": dout @ w.T, "dw": dw, "db": dout.sum(axis=0)}


@wrong("transpose", dense, normal(X=(3, 5), W=(5, 5), c=(5,)))
def einsum_letters_swapped(dout, cache):
    dX = np.einsum("no,io->ni", dout, cache["W"])
    dW = np.einsum("ni,no->oi", cache["X"], dout)
    return {"dX": dX, "dW": dW, "dc": dout.sum(0)}


@wrong("sign", looped, POINT)
def minus_in_front_of_the_input(g, cache):
    x, w = cache
    dx = np.zeros_like(x)
    for n in range(len(x)):
        dx[n] -= w @ g[n]
    return dx, x.T @ g, g.sum(0)


@wrong("batch mean_for_sum", affine_forward, POINT)
def everything_divided_by_the_batch(dout, cache):
    x, w, b = cache
    N = x.shape[0]
    return dout @ w.T / N, x.T @ dout / N, dout.sum(0) / N


@wrong("wrong_axis no_sum", affine_forward, POINT)
def bias_summed_over_features(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=1)


@wrong("wrong_axis", affine_forward, normal(x=(4, 3), w=(3, 4), b=(4,)))
def bias_summed_over_features_where_sizes_agree(dout, cache):
    x, w, b = cache
    return dout.dot(w.T), x.T.dot(dout), np.sum(dout, axis=-1)


@wrong("zero", dense, DENSE_POINT)
def weights_never_filled(dout, cache):
    grads = {k: np.zeros_like(v) for k, v in cache.items()}
    grads["X"] += dout @ cache["W"].T
    grads["c"] = dout.sum(axis=0)
    return grads


@wrong("swapped", fc_forward, normal(inp=(4, 4), weight=(4, 4), bias=(4,)))
def returned_in_another_order(grad, cache):
    inp, weight = cache
    d_inp = grad @ weight
    d_weight = grad.T @ inp
    return d_weight, d_inp, grad.sum(axis=0)


@wrong("no_upstream", affine_forward, POINT)
def input_without_upstream(dout, cache):
    x, w, b = cache
    dx = np.ones_like(dout) @ w.T
    return dx, x.T @ dout, dout.sum(0)


@wrong("no_sum overwritten_branch missing_term", looped, POINT)
def only_the_last_example_counts(g, cache):
    x, w = cache
    dx = np.empty_like(x)
    for n in range(len(x)):
        dx[n] = w @ g[n]
        dw = np.outer(x[n], g[n])
    return dx, dw, g.sum(0)


@wrong("some_entries", looped, POINT)
def last_weight_row_forgotten(g, cache):
    x, w = cache
    dw = np.zeros_like(w)
    for i in range(w.shape[0] - 1):
        dw[i] = (x[:, i : i + 1] * g).sum(0)
    return g @ w.T, dw, g.sum(0)


@wrong("factor", fc_forward, FC_POINT)
def twice_the_weights(grad, cache):
    inp, weight = cache
    return grad @ weight, 2 * grad.T @ inp, grad.sum(0)


@wrong("permuted transpose", affine_forward, POINT)
def reshaped_for_transposed(dout, cache):
    x, w, b = cache
    dx = (w @ dout.T).reshape(x.shape)
    return dx, x.T @ dout, dout.sum(0)


@wrong("some_entries", dense, DENSE_POINT, dtype="float32")
def first_example_of_the_input_left_at_zero(dout, cache):
    dX = np.zeros_like(cache["X"])
    for n in range(1, len(dX)):
        dX[n] = cache["W"] @ dout[n]
    return {"X": dX, "W": cache["X"].T @ dout, "c": dout.sum(0)}


def tied(x, w):
    """Encode with w, decode with its transpose."""
    h = np.tanh(x @ w)
    return h @ w.T, (x, w, h)


@wrong("overwritten_branch missing_term", tied, normal(x=(3, 5), w=(5, 2)))
def tied_weights_assigned_twice(dy, cache):
    x, w, h = cache
    grads = {}
    grads["w"] = dy.T @ h
    da = dy @ w * (1 - h**2)
    grads["w"] = x.T @ da
    grads["x"] = da @ w.T
    return grads


def two_layer(x, W1, b1, W2, b2):
    a = x @ W1 + b1
    h = np.where(a > 0, a, 0 * a)
    return h @ W2 + b2, (x, W1, W2, a, h)


TWO_LAYER = normal(x=(5, 4), W1=(4, 6), b1=(6,), W2=(6, 3), b2=(3,))


def _two_layer_backward(dy, cache, da):
    x, W1, W2, a, h = cache
    return {
        "dx": da @ W1.T,
        "dW1": x.T @ da,
        "db1": da.sum(0),
        "dW2": h.T @ dy,
        "db2": dy.sum(0),
    }


@wrong("derivative_missing wrong_mask", two_layer, TWO_LAYER)
def hidden_relu_forgotten(dy, cache):
    return _two_layer_backward(dy, cache, dy @ cache[2].T)


@wrong("wrong_mask", two_layer, TWO_LAYER)
def hidden_mask_from_the_gradient(dy, cache):
    dh = dy @ cache[2].T
    return _two_layer_backward(dy, cache, dh * (dh > 0))


@wrong("zero", two_layer, TWO_LAYER)
def nothing_below_the_hidden_layer(dy, cache):
    return _two_layer_backward(dy, cache, np.zeros_like(cache[3]))


def sigmoid_net(x, W1, b1, W2, b2):
    h = 1 / (1 + np.exp(-(x @ W1 + b1)))
    y = 1 / (1 + np.exp(-(h @ W2 + b2)))
    return y, {"x": x, "h": h, "y": y, "W1": W1, "W2": W2}


def _sigmoid_net_backward(dy, c, hidden, output):
    d2 = dy * output(c["y"])
    d1 = d2 @ c["W2"].T * hidden(c["h"])
    return (d1 @ c["W1"].T, c["x"].T @ d1, d1.sum(0), c["h"].T @ d2, d2.sum(0))


def _slope(s):
    return s * (1 - s)


@wrong("derivative_twice", sigmoid_net, TWO_LAYER)
def output_sigmoid_twice(dy, c):
    return _sigmoid_net_backward(dy, c, _slope, lambda s: _slope(s) ** 2)


@wrong("derivative_missing", sigmoid_net, TWO_LAYER)
def hidden_sigmoid_missing(dy, c):
    return _sigmoid_net_backward(dy, c, np.ones_like, _slope)


@wrong("at_output", sigmoid_net, TWO_LAYER)
def sigmoid_taken_at_its_output(dy, c):
    def of_input(t):
        s = 1 / (1 + np.exp(-t))
        return s * (1 - s)

    return _sigmoid_net_backward(dy, c, _slope, of_input)


@wrong("no_sum", sigmoid_net, TWO_LAYER)
def first_bias_not_summed(dy, c):
    dx, dW1, _, dW2, db2 = _sigmoid_net_backward(dy, c, _slope, _slope)
    delta = (dy * _slope(c["y"])) @ c["W2"].T * _slope(c["h"])
    return dx, dW1, delta, dW2, db2
