"""Right code: losses with their gradients, in many reductions, scales and forms."""

# Students unpack more than they use.

import numpy as np

from .corpus import normal, right


def logistic(t):
    return 0.5 * (1 + np.tanh(0.5 * t))


def images(scale=1.0, shape=(4, 6)):
    def at(rng):
        return {
            "logits": scale * rng.standard_normal(shape),
            "x": rng.integers(0, 2, shape).astype(float),
        }

    return at


def bce(logits, x):
    return np.sum(np.maximum(logits, 0) - logits * x + np.log1p(np.exp(-np.abs(logits))))


def bce_batch(logits, x):
    return bce(logits, x) / len(logits)


def bce_rows(logits, x):
    a = logits
    return (np.logaddexp(0, a) - a * x).sum(axis=1), (logits, x)


@right(bce, images(), wrt="logits")
def bce_sum(logits, x):
    return logistic(logits) - x


@right(bce_batch, images(shape=(5, 3)), wrt="logits")
def bce_batch_mean(logits, x):
    return (logistic(logits) - x) / logits.shape[0]


@right(bce_batch, images(shape=(1, 7)), wrt="logits")
def bce_one_image(logits, x):
    return {"dlogits": (logistic(logits) - x) / 1}


@right(bce, images(1e3), wrt="logits")
def bce_logits_of_a_thousand(logits, x):
    return logistic(logits) - x


@right(bce_batch, images(1e-6), wrt="logits")
def bce_logits_near_zero(logits, x):
    return (logistic(logits) - x) / len(x)


@right(bce_batch, images(), wrt="logits", dtype="float32")
def bce_float32(logits, x):
    return (logistic(logits) - x) / np.float32(len(x))


@right(bce_rows, images(shape=(3, 5)), wrt="logits")
def bce_per_example(dnll, cache):
    logits, x = cache
    return dnll[:, None] * (logistic(logits) - x)


@right(bce_rows, images(shape=(3, 5)), wrt="logits x")
def bce_with_a_gradient_for_the_data(dnll, cache):
    logits, x = cache
    return dnll[:, None] * (logistic(logits) - x), -dnll[:, None] * logits


@right(None, images(shape=(2, 9)), wrt="logits")
def bce_loss_and_gradient(logits, x):
    p = 1 / (1 + np.exp(-logits))
    loss = -np.mean(x * np.log(p) + (1 - x) * np.log(1 - p))
    return loss, (p - x) / x.size


def bce_of_probabilities(p, y):
    eps = 1e-7
    return -np.mean(y * np.log(p + eps) + (1 - y) * np.log(1 - p + eps))


@right(
    bce_of_probabilities,
    lambda rng: {"p": rng.uniform(0.1, 0.9, (3, 4)), "y": rng.random((3, 4))},
    wrt="p",
)
def bce_with_its_epsilon(p, y):
    eps = 1e-7
    return (-y / (p + eps) + (1 - y) / (1 - p + eps)) / p.size


def gaussian(mean, logvar, x):
    return 0.5 * np.sum(np.log(2 * np.pi) + logvar + (x - mean) ** 2 * np.exp(-logvar)) / len(x)


@right(gaussian, normal(mean=(4, 3), logvar=(4, 3), x=(4, 3)))
def gaussian_learned(mean, logvar, x):
    d, w = mean - x, np.exp(-logvar)
    n = len(x)
    return d * w / n, 0.5 * (1 - d**2 * w) / n, -d * w / n


@right(gaussian, normal(mean=(3, 5), logvar=(1,), x=(3, 5)))
def gaussian_mixed_shapes(mean, logvar, x):
    """One shared variance: np.sum over an array that logvar is broadcast into."""
    d, w = mean - x, np.exp(-logvar)
    n = len(x)
    return {
        "mean": d * w / n,
        "logvar": np.sum(0.5 * (1 - d**2 * w), keepdims=True).reshape(1) / n,
        "x": -d * w / n,
    }


def gaussian_fixed(mean, x, sigma=0.3):
    return np.mean(np.sum((x - mean) ** 2, axis=1)) / (2 * sigma**2)


@right(gaussian_fixed, normal(mean=(5, 4), x=(5, 4)))
def gaussian_fixed_sigma(mean, x):
    g = (mean - x) / 0.09 / len(x)
    return g, -g


@right(
    gaussian_fixed,
    lambda rng: {"mean": rng.random((3, 3)), "x": rng.random((3, 3)), "sigma": 1e-3},
    wrt="mean",
)
def gaussian_narrow(mean, x, sigma):
    return (mean - x) / sigma**2 / len(x)


def squares(pred, target):
    return ((pred - target) ** 2).mean()


@right(squares, normal(pred=(4, 3), target=(4, 3)))
def squares_mean(pred, target):
    d = 2 * (pred - target) / pred.size
    return d, -d


@right(squares, lambda rng: {"pred": np.ones((3, 2)), "target": np.ones((3, 2))}, wrt="pred")
def squares_at_the_minimum(pred, target):
    return 2 * (pred - target) / pred.size


@right(squares, normal(pred=(8,), target=(8,)), wrt="pred", dtype="float32")
def squares_float32(pred, target):
    return (pred - target) * (2 / pred.size)


@right(None, normal(pred=(2, 3, 2), target=(2, 3, 2)))
def squares_loss_and_dict(pred, target):
    diff = pred - target
    return 0.5 * np.sum(diff * diff), {"pred": diff, "target": -diff}


def labels(classes, shape):
    def at(rng):
        return {"scores": rng.standard_normal(shape), "y": rng.integers(0, classes, shape[0])}

    return at


def cross_entropy(scores, y):
    z = scores - scores.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y])


@right(cross_entropy, labels(4, (5, 4)), wrt="scores")
def cross_entropy_mean(scores, y):
    p = np.exp(scores - scores.max(1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[range(len(y)), y] -= 1
    return p / len(y)


@right(cross_entropy, labels(3, (1, 3)), wrt="scores")
def cross_entropy_of_one(scores, y):
    p = np.exp(scores) / np.exp(scores).sum()
    p[0, y[0]] -= 1
    return p


@right(cross_entropy, labels(1, (4, 1)), wrt="scores")
def cross_entropy_one_class(scores, y):
    """The true gradient is zero."""
    return np.zeros_like(scores)


def svm(scores, y):
    """Hinge loss with its kinks."""
    correct = scores[np.arange(len(y)), y][:, None]
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(len(y)), y] = 0
    return margins.sum() / len(y), (margins, y)


@right(svm, labels(4, (6, 4)))
def hinge(dloss, cache):
    margins, y = cache
    d = (margins > 0).astype(margins.dtype)
    d[np.arange(len(y)), y] -= d.sum(axis=1)
    return dloss * d / len(y)


@right(None, labels(5, (4, 5)))
def softmax_loss_as_in_courses(scores, y):
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    z = np.sum(np.exp(shifted), axis=1, keepdims=True)
    log_probs = shifted - np.log(z)
    n = scores.shape[0]
    loss = -np.sum(log_probs[np.arange(n), y]) / n
    dx = np.exp(log_probs)
    dx[np.arange(n), y] -= 1
    dx /= n
    return loss, dx


def softmax(z):
    e = np.exp(z)
    p = e / e.sum(axis=-1, keepdims=True)
    return p, p


@right(softmax, normal(z=(4, 5)))
def softmax_compact(dp, p):
    return p * (dp - (dp * p).sum(-1, keepdims=True))


@right(softmax, normal(z=(2, 4)))
def softmax_jacobian_matrices(dp, p):
    out = np.empty_like(p)
    for n in range(len(p)):
        out[n] = (np.diag(p[n]) - np.outer(p[n], p[n])) @ dp[n]
    return out


def softmax_sum(z):
    """Always 1, whatever z is."""
    e = np.exp(z - z.max())
    return (e / e.sum(axis=1, keepdims=True)).sum(axis=1), z


@right(softmax_sum, normal(z=(3, 4)))
def constant_sum_of_probabilities(dout, z):
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    g = np.repeat(dout[:, None], z.shape[1], 1)
    return p * (g - (g * p).sum(1, keepdims=True))


@right(softmax_sum, normal(z=(3, 4)), dtype="float32")
def constant_sum_float32(dout, z):
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    g = np.repeat(dout[:, None], z.shape[1], 1)
    return p * (g - (g * p).sum(1, keepdims=True))


def big_centred_sum(x):
    """Zero on paper: the sum of deviations from the mean, times a large number."""
    return 1e5 * (x - x.mean(axis=1, keepdims=True)).sum(axis=1), x.shape


@right(big_centred_sum, normal(x=(3, 7)), kind="undecidable")
def zero_up_to_rounding(dout, shape):
    g = 1e5 * np.ones(shape) * dout[:, None]
    return g - g.mean(axis=1, keepdims=True)


def logsumexp(w):
    m = w.max(axis=1, keepdims=True)
    return (m + np.log(np.exp(w - m).sum(1, keepdims=True)))[:, 0], w


@right(logsumexp, normal(w=(3, 6)))
def logsumexp_weights(dout, w):
    p = np.exp(w - w.max(1, keepdims=True))
    return dout[:, None] * p / p.sum(1, keepdims=True)


@right(logsumexp, lambda rng: {"w": 1e3 * rng.standard_normal((3, 4))})
def logsumexp_one_weight_wins(dout, w):
    p = np.exp(w - w.max(1, keepdims=True))
    return dout[:, None] * p / p.sum(1, keepdims=True)


@right(logsumexp, normal(w=(4, 1)))
def logsumexp_of_one(dout, w):
    return dout[:, None].copy()


def continuous_bernoulli(a, x):
    return np.log(np.sinh(a / 2) / (a / 2)) + a / 2 - a * x, (a, x)


@right(
    continuous_bernoulli,
    lambda rng: {"a": rng.uniform(0.3, 4, (3, 4)), "x": rng.random((3, 4))},
    wrt="a",
)
def continuous_bernoulli_mean(dout, cache):
    a, x = cache
    return dout * (1 / (1 - np.exp(-a)) - 1 / a - x)


def discriminator(real, fake):
    return np.mean(np.logaddexp(0, -real)) + np.mean(np.logaddexp(0, fake))


@right(discriminator, normal(real=(5, 1), fake=(7, 1)))
def discriminator_both(real, fake):
    return (logistic(real) - 1) / len(real), logistic(fake) / len(fake)


@right(None, normal(z=(5, 2), G=(2, 3), v=(3,)), wrt="G")
def generator_not_saturating(z, G, v):
    score = (z @ G) @ v
    loss = np.log1p(np.exp(-score)).mean()
    d = -1 / (1 + np.exp(score)) / len(z)
    return loss, {"G": z.T @ (d[:, None] * v[None])}


def hidden_precision(pred, target):
    """Computes in single precision inside."""
    diff = pred.astype(np.float32) - target.astype(np.float32)
    return (diff**2).sum(axis=1), diff


@right(hidden_precision, normal(pred=(3, 4), target=(3, 4)), wrt="pred", dtype="float32")
def single_precision_inside(dout, diff):
    return 2 * diff * dout[:, None]
