"""Kinds of mistakes in layers that are no textbook operation: each is named, its right twin passes.

A kind is a function `(mistake) -> (forward, backward, inputs)`; without a mistake it is right.
"""

import numpy as np
import pytest

from minivae.check import check_gradients


def draw(**shapes):
    rng = np.random.default_rng(12)
    return {name: 0.8 * rng.standard_normal(shape) for name, shape in shapes.items()}


def norm_over_features(mistake):
    """Layer norm of (batch, time, features)."""

    def forward(h, g, c):
        centred = h - np.mean(h, axis=2, keepdims=True)
        spread = np.sqrt(np.mean(centred**2, axis=2, keepdims=True) + 1e-4)
        unit = centred / spread
        return unit * g + c, (unit, spread, g)

    def backward(dout, cache):
        unit, spread, g = cache
        d = dout * g
        first, second = d.mean(2, keepdims=True), unit * (d * unit).mean(2, keepdims=True)
        if mistake == "both":
            first, second = 0, 0
        if mistake == "mean":
            first = 0
        if mistake == "variance":
            second = 0
        if mistake == "axis":
            first, second = d.mean(1, keepdims=True), unit * (d * unit).mean(1, keepdims=True)
        return (d - first - second) / spread, (dout * unit).sum((0, 1)), dout.sum((0, 1))

    return forward, backward, draw(h=(2, 3, 4), g=(4,), c=(4,))


def affine_norm_relu(mistake):
    """Affine map, batch norm, relu in one layer."""

    def forward(x, W, scale, shift):
        a = x @ W
        mean, var = a.mean(0), a.var(0)
        root = np.sqrt(var + 1e-5)
        unit = (a - mean) / root
        y = scale * unit + shift
        return y * (y > 0), (x, W, a - mean, root, unit, scale, y > 0)

    def backward(dout, cache):
        x, W, centred, root, unit, scale, mask = cache
        n = len(x)
        dy = dout * mask
        dunit = dy * scale
        axis = None if mistake == "everything" else 0
        dvar = (-0.5 * dunit * centred / root**3).sum(axis)
        dmean = 0 if mistake == "mean" else -(dunit / root).sum(0)
        count = n - 1 if mistake == "count" else n
        da = dunit / root + 2 * dvar * centred / count + dmean / n
        keep = mistake == "keepdims"
        dscale = (dy * unit).sum(0, keepdims=keep)
        return da @ W.T, x.T @ da, dscale, dy.sum(0)

    return forward, backward, draw(x=(6, 3), W=(3, 4), scale=(4,), shift=(4,))


def recurrent(mistake):
    """Columns of states, one for each turn, in a list."""

    def forward(seq, start, U, V):
        states = [start]
        for x in seq:
            states.append(np.tanh(x @ U + states[-1] @ V))
        return np.stack(states[1:]), (seq, states, U, V)

    def backward(dout, cache):
        seq, states, U, V = cache
        dseq, dU, dV = np.zeros_like(seq), np.zeros_like(U), np.zeros_like(V)
        carry = np.zeros_like(states[0])
        for t in range(len(seq))[::-1]:
            d = dout[t] if mistake == "carry" else dout[t] + carry
            if mistake != "slope":
                d = d * (1 - states[t + 1] ** 2)
            dseq[t] = d @ U.T
            dU += seq[t].T @ d
            dV += states[t + 1 if mistake == "state" else t].T @ d
            carry = d @ (V if mistake == "transpose" else V.T)
        return dseq, carry, dU, dV

    return forward, backward, draw(seq=(4, 2, 3), start=(2, 5), U=(3, 5), V=(5, 5))


def table(mistake):
    """Rows of a table, some twice."""
    rows = np.array([[0, 2, 2], [3, 2, 3]])

    def forward(E):
        return 2 * E[rows]

    def backward(E, dout):
        dE = np.zeros_like(E)
        if mistake == "assigned":
            dE[rows] += 2 * dout
        elif mistake == "by rows":
            for i, row in enumerate(rows):
                dE[row] += 2 * dout[i]
        else:
            np.add.at(dE, rows, 2 * dout)
        return dE

    return (lambda E: (forward(E), E)), (lambda dout, E: backward(E, dout)), draw(E=(5, 3))


def unit_rows(mistake):
    """Rows divided by their length, then compared with a prototype."""

    def forward(v, p):
        length = np.sqrt(np.sum(v**2, axis=1, keepdims=True))
        unit = v / length
        return unit @ p, (unit, length, p)

    def backward(dout, cache):
        unit, length, p = cache
        d = dout @ p.T
        along = 0 if mistake == "constant" else unit * (d * unit).sum(1, keepdims=True)
        return (d - along) / length, unit.T @ dout

    return forward, backward, draw(v=(4, 3), p=(3, 2))


def softplus_head(mistake):
    def forward(mean, raw, noise):
        return mean + np.logaddexp(0, raw) * noise, (raw, noise)

    def backward(dz, cache):
        raw, noise = cache
        slope = np.logaddexp(0, raw) if mistake == "as exp" else 1 / (1 + np.exp(-raw))
        return dz, dz * noise * (1 if mistake == "slope" else slope)

    return forward, backward, draw(mean=(4, 3), raw=(4, 3), noise=(4, 3))


def heads_in_one(mistake):
    """Mean and log variance are halves of one product."""

    def forward(h, W, noise):
        out = h @ W
        mu, logvar = np.split(out, 2, axis=1)
        z = mu + np.exp(0.5 * logvar) * noise
        return z, (h, W, logvar, noise)

    def backward(dz, cache):
        h, W, logvar, noise = cache
        halves = [dz, 0.5 * dz * np.exp(0.5 * logvar) * noise]
        if mistake == "exchanged":
            halves = halves[::-1]
        if mistake == "half":
            halves[1] = 2 * halves[1]
        if mistake == "one":
            halves[1] = 0 * halves[1]
        d = np.concatenate(halves, axis=1)
        return d @ W.T, h.T @ d, dz * np.exp(0.5 * logvar)

    return forward, backward, draw(h=(4, 3), W=(3, 4), noise=(4, 2))


def attention(mistake):
    def forward(q, k, v):
        s = q @ k.transpose(0, 2, 1) / 2
        e = np.exp(s - s.max(2, keepdims=True))
        p = e / e.sum(2, keepdims=True)
        return p @ v, (q, k, v, p)

    def backward(dout, cache):
        q, k, v, p = cache
        dp = dout @ v.transpose(0, 2, 1)
        axis = 1 if mistake == "axis" else 2
        ds = p * (dp - (dp * p).sum(axis, keepdims=True))
        if mistake == "jacobian":
            ds = dp
        ds = ds / 2
        return ds @ k, ds.transpose(0, 2, 1) @ q, p.transpose(0, 2, 1) @ dout

    return forward, backward, draw(q=(2, 3, 4), k=(2, 3, 4), v=(2, 3, 5))


def regularised(mistake):
    """Squared errors, their mean, and a penalty."""
    X, target = draw(X=(6, 4), t=(6,)).values()

    def loss(w):
        return np.mean((X @ w - target) ** 2) + 0.3 * np.sum(w**2)

    def gradient(w):
        first = 2 * X.T @ (X @ w - target)
        first = first if mistake == "count" else first / len(X)
        return first + (0.3 if mistake == "two" else 0.6) * w * (mistake != "penalty")

    return loss, gradient, draw(w=(4,))


def hinge(mistake):
    """Every margin that is broken counts against the true class."""
    X, label = draw(X=(7, 3))["X"], np.array([0, 3, 1, 1, 2, 0, 3])

    def loss(W):
        s = X @ W
        m = np.maximum(0, s - s[np.arange(7), label][:, None] + 1)
        m[np.arange(7), label] = 0
        return m.sum() / 7

    def gradient(W):
        s = X @ W
        on = 1.0 * (s - s[np.arange(7), label][:, None] + 1 > 0)
        on[np.arange(7), label] = 0
        on[np.arange(7), label] = -1 if mistake == "once" else -on.sum(1)
        return X.T @ on / 7

    return loss, gradient, draw(W=(3, 4))


def padded(mistake):
    """A mean over the places that are no padding."""
    mask = np.array([[1.0, 1, 1, 0], [1, 1, 0, 0]])

    def forward(h):
        return np.tanh(h) * mask[:, :, None], h

    def backward(dout, h):
        slope = 1 - np.tanh(h) ** 2
        return dout * slope * (1 if mistake == "mask" else mask[:, :, None])

    return forward, backward, draw(h=(2, 4, 3))


CASES = [
    (norm_over_features, "both", "h", "constant_stats"),
    (norm_over_features, "mean", "h", "constant_stats"),
    (norm_over_features, "variance", "h", "constant_stats"),
    (norm_over_features, "axis", "h", "wrong_axis"),
    (affine_norm_relu, "mean", "W", "constant_stats"),
    (affine_norm_relu, "count", "x", "dims"),
    (affine_norm_relu, "everything", "W", "wrong_axis"),
    (affine_norm_relu, "keepdims", "scale", "permuted"),
    (recurrent, "carry", "U", "overwritten_branch"),
    (recurrent, "slope", "seq", "derivative_missing"),
    (recurrent, "transpose", "V", "transpose"),
    (recurrent, "state", "V", "swapped"),
    (table, "assigned", "E", "overlap"),
    (table, "by rows", "E", "overlap"),
    (unit_rows, "constant", "v", "constant_stats"),
    (softplus_head, "as exp", "raw", "approximation"),
    (softplus_head, "slope", "raw", "derivative_missing"),
    (heads_in_one, "exchanged", "W", "swapped"),
    (heads_in_one, "half", "h", "factor"),
    (heads_in_one, "one", "h", "missing_term"),
    (attention, "axis", "q", "wrong_axis"),
    (attention, "jacobian", "k", "derivative_missing"),
    (regularised, "count", "w", "batch"),
    (regularised, "two", "w", "factor"),
    (regularised, "penalty", "w", "missing_term"),
    (hinge, "once", "W", "no_sum"),
    (padded, "mask", "h", "wrong_mask"),
]


@pytest.mark.parametrize("kind", {kind for kind, *_ in CASES}, ids=lambda kind: kind.__name__)
def test_the_right_twin_passes(kind):
    report = check_gradients(*kind(""))
    assert report.passed, str(report)


@pytest.mark.parametrize(("kind", "mistake", "name", "key"), CASES)
def test_the_mistake_is_named(kind, mistake, name, key):
    array = check_gradients(*kind(mistake))[name]
    assert array.verdict == "wrong"
    assert key in [diagnosis.key for diagnosis in array.diagnoses[:2]], str(array.diagnoses)
