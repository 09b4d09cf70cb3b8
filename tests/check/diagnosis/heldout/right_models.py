"""Right code: whole small VAEs and nets, tied weights, arguments without influence."""

# Students unpack more than they use.

import numpy as np

from .corpus import normal, right
from .right_vae import kl_sum


def vae_point(rng):
    shapes = {"We": (5, 4), "Wm": (4, 2), "Wv": (4, 2), "bv": (2,), "Wd": (2, 5), "eps": (3, 2)}
    return {n: 0.5 * rng.standard_normal(s) for n, s in shapes.items()} | {"x": rng.random((3, 5))}


def vae(x, We, Wm, Wv, bv, Wd, eps):
    B = x.shape[0]
    a = x @ We
    h = np.where(a > 0, a, 0)
    mu, logvar = h @ Wm, h @ Wv + bv
    std = np.exp(logvar / 2)
    z = mu + std * eps
    y = 1 / (1 + np.exp(-z @ Wd))
    loss = -np.sum(x * np.log(y) + (1 - x) * np.log(1 - y)) + kl_sum(mu, logvar)
    dlogits = (y - x) / B
    dz = dlogits @ Wd.T
    dmu = dz + mu / B
    dlogvar = 0.5 * std * eps * dz + 0.5 * (np.exp(logvar) - 1) / B
    dh = dmu @ Wm.T + dlogvar @ Wv.T
    dh = dh * (a > 0)
    grads = {"We": x.T @ dh, "Wm": h.T @ dmu, "Wv": h.T @ dlogvar}
    grads.update(bv=dlogvar.sum(0), Wd=z.T @ dlogits)
    return loss / B, grads


@right(None, vae_point)
def vae_in_one_function(x, We, Wm, Wv, bv, Wd, eps):
    return vae(x, We, Wm, Wv, bv, Wd, eps)


@right(None, vae_point, dtype="float32")
def vae_float32(x, We, Wm, Wv, bv, Wd, eps):
    return vae(x, We, Wm, Wv, bv, Wd, eps)


class Network:
    """A net with its parameters in a dict and its activations in a list."""

    def __init__(self, **parameters):
        self.p, self.seen = parameters, []

    def loss(self, X, T):
        self.seen = [X]
        for i in (1, 2):
            self.seen.append(np.tanh(self.seen[-1] @ self.p[f"W{i}"] + self.p[f"b{i}"]))
        return np.sum((self.seen[-1] - T) ** 2)

    def gradients(self, T):
        delta, grads = 2 * (self.seen[-1] - T), {}
        for i in (2, 1):
            delta = delta * (1 - self.seen[i] ** 2)
            grads[f"W{i}"] = self.seen[i - 1].T @ delta
            grads[f"b{i}"] = delta.sum(0)
            delta = delta @ self.p[f"W{i}"].T
        return grads


NETWORK = normal(X=(4, 3), T=(4, 2), W1=(3, 5), b1=(5,), W2=(5, 2), b2=(2,))


@right(None, NETWORK)
def network_object(X, T, W1, b1, W2, b2):
    network = Network(W1=W1, b1=b1, W2=W2, b2=b2)
    return network.loss(X, T), network.gradients(T)


def tied(x, w):
    h = np.tanh(x @ w)
    return h @ w.T, (x, w, h)


@right(tied, normal(x=(4, 5), w=(5, 3)))
def tied_weights_added(dy, cache):
    x, w, h = cache
    dw = np.zeros_like(w)
    dw += dy.T @ h
    da = dy @ w
    da *= 1 - h**2
    dw += x.T @ da
    return da @ w.T, dw


def unused(x, w, spare):
    return np.sin(x) * w, (x, w, spare)


@right(unused, normal(x=(3, 4), w=(3, 4), spare=(2, 2)))
def argument_without_influence(dy, cache):
    x, w, spare = cache
    return dy * w * np.cos(x), dy * np.sin(x), np.zeros_like(spare)


@right(unused, normal(x=(3, 4), w=(3, 4), spare=(2, 2)), wrt="x w")
def argument_without_gradient(dy, cache):
    x, w, _ = cache
    return dy * w * np.cos(x), dy * np.sin(x)
