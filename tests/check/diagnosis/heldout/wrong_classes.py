"""Softmax and cross-entropy of classes, with one mistake each."""

# Students unpack more than they use.

import numpy as np

from .corpus import normal, wrong


def softmax(z, axis=-1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def labelled(rng):
    return {"scores": rng.standard_normal((5, 4)), "y": rng.integers(0, 4, 5)}


def cross_entropy(scores, y):
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -log_p[np.arange(len(y)), y].mean()


def _target(scores, y):
    onehot = np.zeros_like(scores)
    onehot[np.arange(len(y)), y] = 1
    return onehot


@wrong("sign", cross_entropy, labelled, wrt="scores")
def target_minus_softmax(scores, y):
    return (_target(scores, y) - softmax(scores)) / len(y)


@wrong("wrong_axis", cross_entropy, labelled, wrt="scores")
def softmax_down_the_batch(scores, y):
    return (softmax(scores, axis=0) - _target(scores, y)) / len(y)


@wrong("dims", cross_entropy, labelled, wrt="scores")
def divided_by_the_classes_too(scores, y):
    return (softmax(scores) - _target(scores, y)) / scores.size


@wrong("derivative_twice", cross_entropy, labelled, wrt="scores")
def softmax_jacobian_on_top(scores, y):
    p = softmax(scores)
    g = (p - _target(scores, y)) / len(y)
    return p * (g - np.sum(g * p, axis=1, keepdims=True))


@wrong("missing_term", cross_entropy, labelled, wrt="scores")
def target_not_subtracted(scores, y):
    return softmax(scores) / len(y)


@wrong("batch", cross_entropy, labelled, wrt="scores")
def not_averaged(scores, y):
    d = softmax(scores)
    for n, label in enumerate(y):
        d[n, label] -= 1
    return d


def softmax_forward(z):
    p = softmax(z) if not np.iscomplexobj(z) else np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    return p, p


@wrong("missing_term", softmax_forward, normal(z=(3, 5)))
def softmax_diagonal_only(dp, p):
    return dp * p * (1 - p)


@wrong("wrong_axis", softmax_forward, normal(z=(4, 3)))
def softmax_inner_sum_down_the_batch(dp, p):
    return p * (dp - (dp * p).sum(axis=0))


@wrong("missing_term", softmax_forward, normal(z=(2, 6)))
def softmax_inner_sum_forgotten(dp, p):
    return p * dp
