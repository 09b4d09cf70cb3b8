"""Small autoencoders and classifiers as a course's notebook has them, with one mistake each."""

# Students unpack more than they use.

import numpy as np

from .corpus import wrong


def autoencoder_point(rng):
    shapes = {"X": (5, 6), "E": (6, 3), "e": (3,), "D": (3, 6), "d": (6,)}
    return {n: 0.7 * rng.standard_normal(s) for n, s in shapes.items()}


def autoencoder(X, E, e, D, d):
    code = np.tanh(X @ E + e)
    return 0.5 * np.sum((code @ D + d - X) ** 2) / X.shape[0]


def _autoencoder_grads(X, E, e, D, d, *, slope=None, scale=1.0, down=None):
    code = np.tanh(X @ E + e)
    delta = scale * (code @ D + d - X) / len(X)
    dcode = delta @ D.T if down is None else down(delta, D)
    dpre = dcode * (1 - code**2) if slope is None else dcode * slope(X @ E + e, code)
    return {
        "E": X.T @ dpre,
        "e": dpre.sum(axis=0),
        "D": code.T @ delta,
        "d": delta.sum(axis=0),
    }


@wrong("factor", autoencoder, autoencoder_point, wrt="E e D d")
def two_of_the_square_kept(X, E, e, D, d):
    return _autoencoder_grads(X, E, e, D, d, scale=2.0)


@wrong("batch", autoencoder, autoencoder_point, wrt="E e D d")
def batch_size_forgotten(X, E, e, D, d):
    return _autoencoder_grads(X, E, e, D, d, scale=len(X))


@wrong("sign", autoencoder, autoencoder_point, wrt="E e D d")
def target_minus_output(X, E, e, D, d):
    return _autoencoder_grads(X, E, e, D, d, scale=-1)


@wrong("derivative_missing", autoencoder, autoencoder_point, wrt="E e D d")
def code_slope_forgotten(X, E, e, D, d):
    return _autoencoder_grads(X, E, e, D, d, slope=lambda pre, code: np.ones_like(code))


@wrong("at_output", autoencoder, autoencoder_point, wrt="E e D d")
def code_slope_at_the_wrong_place(X, E, e, D, d):
    return _autoencoder_grads(X, E, e, D, d, slope=lambda pre, code: 1 - pre**2)


@wrong("derivative_twice", autoencoder, autoencoder_point, wrt="E e D d")
def code_slope_twice(X, E, e, D, d):
    return _autoencoder_grads(X, E, e, D, d, slope=lambda pre, code: (1 - code**2) ** 2)


@wrong("zero", autoencoder, autoencoder_point, wrt="E e D d")
def encoder_not_trained(X, E, e, D, d):
    return _autoencoder_grads(X, E, e, D, d, down=lambda delta, D: 0 * (delta @ D.T))


@wrong("no_sum", autoencoder, autoencoder_point, wrt="E e D d")
def decoder_bias_for_each_example(X, E, e, D, d):
    grads = _autoencoder_grads(X, E, e, D, d)
    grads["d"] = (np.tanh(X @ E + e) @ D + d - X) / len(X)
    return grads


@wrong("transpose", autoencoder, autoencoder_point, wrt="E e D d")
def decoder_weights_on_their_side(X, E, e, D, d):
    grads = _autoencoder_grads(X, E, e, D, d)
    return grads | {"D": grads["D"].T}


@wrong("mean_for_sum batch", autoencoder, autoencoder_point, wrt="E e D d")
def encoder_bias_averaged_again(X, E, e, D, d):
    grads = _autoencoder_grads(X, E, e, D, d)
    return grads | {"e": grads["e"] / len(X)}


def classifier_point(rng):
    shapes = {"x": (6, 3), "W1": (3, 5), "b1": (5,), "W2": (5, 4), "b2": (4,)}
    point = {n: rng.standard_normal(s) for n, s in shapes.items()}
    return point | {"y": rng.integers(0, 4, 6)}


class Classifier:
    """One hidden layer; gradients are kept in a dict, as courses do."""

    def __init__(self, hidden_slope):
        self.hidden_slope = hidden_slope

    def __call__(self, x, W1, b1, W2, b2, y):
        pre = x @ W1 + b1
        h = 1 / (1 + np.exp(-pre))
        scores = h @ W2 + b2
        p = np.exp(scores)
        p = p / p.sum(axis=1, keepdims=True)
        rows = np.arange(len(y))
        loss = -np.log(p[rows, y]).mean()
        d = p.copy()
        d[rows, y] -= 1
        d /= len(y)
        grads = {"W2": h.T @ d, "b2": d.sum(0)}
        d1 = d @ W2.T * self.hidden_slope(pre, h)
        grads.update(W1=x.T @ d1, b1=d1.sum(0))
        return loss, grads


@wrong("derivative_missing", None, classifier_point)
def classifier_without_slope(x, W1, b1, W2, b2, y):
    return Classifier(lambda pre, h: 1.0)(x, W1, b1, W2, b2, y)


@wrong("at_output", None, classifier_point)
def classifier_slope_of_the_input(x, W1, b1, W2, b2, y):
    return Classifier(lambda pre, h: pre * (1 - pre))(x, W1, b1, W2, b2, y)


@wrong("derivative_twice", None, classifier_point)
def classifier_slope_twice(x, W1, b1, W2, b2, y):
    return Classifier(lambda pre, h: (h * (1 - h)) ** 2)(x, W1, b1, W2, b2, y)


@wrong("wrong_mask", None, classifier_point)
def classifier_slope_of_a_relu(x, W1, b1, W2, b2, y):
    return Classifier(lambda pre, h: (pre > 0) * h * (1 - h))(x, W1, b1, W2, b2, y)
