"""Right code: samples, KLs, bounds, and whole small VAEs."""

# Students unpack more than they use.

import numpy as np

from .corpus import normal, right


def sample(mu, logvar, eps):
    std = np.exp(0.5 * logvar)
    return mu + std * eps, (std, eps)


HEADS = normal(mu=(4, 3), logvar=(4, 3), eps=(4, 3))


@right(sample, HEADS)
def sample_two_gradients(dz, cache):
    std, eps = cache
    return dz, 0.5 * dz * std * eps


@right(sample, HEADS)
def sample_three_gradients(dz, cache):
    std, eps = cache
    return {"dmu": dz, "dlogvar": 0.5 * dz * std * eps, "deps": dz * std}


@right(sample, normal(mu=(1, 2), logvar=(1, 2), eps=(1, 2)), dtype="float32")
def sample_float32(dz, cache):
    std, eps = cache
    return dz.copy(), dz * (eps * std) / 2


def frozen_noise(rng):
    """All the noise is zero: the sample does not depend on logvar here."""
    return {n: rng.standard_normal((3, 2)) for n in ("mu", "logvar")} | {"eps": np.zeros((3, 2))}


@right(sample, frozen_noise)
def sample_without_noise(dz, cache):
    std, eps = cache
    return dz, 0.5 * dz * std * eps


@right(
    sample,
    lambda rng: {
        "mu": rng.standard_normal((3, 2)),
        "logvar": rng.uniform(-30, 10, (3, 2)),
        "eps": rng.standard_normal((3, 2)),
    },
)
def sample_of_extreme_variances(dz, cache):
    std, eps = cache
    return dz, 0.5 * dz * std * eps


def sample_sigma(mu, sigma, eps):
    """The head is the deviation itself."""
    return mu + sigma * eps, eps


@right(sample_sigma, normal(mu=(3, 4), sigma=(3, 4), eps=(3, 4)))
def sample_sigma_head(dz, eps):
    return dz, dz * eps


def sample_log_sigma(m, log_sigma, noise):
    s = np.exp(log_sigma)
    return m + s * noise, s * noise


@right(sample_log_sigma, normal(m=(3, 3), log_sigma=(3, 3), noise=(3, 3)))
def sample_log_sigma_head(dz, scaled):
    return dz, dz * scaled


def sample_many(mu, logvar, eps):
    return mu[:, None] + np.exp(logvar / 2)[:, None] * eps, (logvar, eps)


@right(sample_many, normal(mu=(2, 3), logvar=(2, 3), eps=(2, 5, 3)))
def sample_many_summed(dz, cache):
    logvar, eps = cache
    return dz.sum(axis=1), 0.5 * np.exp(logvar / 2) * np.einsum("bkz,bkz->bz", dz, eps)


def kl(mu, logvar):
    return 0.5 * (mu**2 + np.expm1(logvar) - logvar), (mu, logvar)


def kl_sum(mu, logvar):
    return -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))


def kl_mean(mu, logvar):
    return kl_sum(mu, logvar) / len(mu)


LATENT = normal(mu=(5, 2), logvar=(5, 2))


@right(kl, LATENT)
def kl_per_dimension(dkl, cache):
    mu, logvar = cache
    return dkl * mu, 0.5 * dkl * np.expm1(logvar)


@right(kl_sum, LATENT)
def kl_summed(mu, logvar):
    return mu, 0.5 * (np.exp(logvar) - 1)


@right(kl_mean, LATENT)
def kl_averaged(mu, logvar):
    return {"mu": mu / len(mu), "logvar": (np.exp(logvar) - 1) / (2 * len(mu))}


@right(kl_mean, lambda rng: {"mu": np.zeros((3, 2)), "logvar": np.zeros((3, 2))})
def kl_at_the_prior(mu, logvar):
    return mu / len(mu), 0.5 * np.expm1(logvar) / len(mu)


@right(kl_mean, lambda rng: {n: 1e-6 * rng.standard_normal((3, 2)) for n in ("mu", "logvar")})
def kl_near_the_prior(mu, logvar):
    return mu / len(mu), 0.5 * np.expm1(logvar) / len(mu)


@right(kl_mean, LATENT, dtype="float32")
def kl_float32(mu, logvar):
    return mu / len(mu), (np.exp(logvar) - 1) / (2 * len(mu))


@right(None, normal(mu=(6,), logvar=(6,)))
def kl_of_one_vector(mu, logvar):
    v = np.exp(logvar)
    return 0.5 * np.sum(mu**2 + v - logvar - 1), (mu, 0.5 * (v - 1))


def kl_sigma(mu, sigma):
    return np.sum(0.5 * (mu**2 + sigma**2 - 1) - np.log(sigma))


@right(kl_sigma, lambda rng: {"mu": rng.standard_normal(4), "sigma": rng.uniform(0.3, 2, 4)})
def kl_of_a_sigma_head(mu, sigma):
    return mu, sigma - 1 / sigma


def kl_between(m1, v1, m2, v2):
    return 0.5 * np.sum(v2 - v1 + (np.exp(v1) + (m1 - m2) ** 2) / np.exp(v2) - 1)


@right(kl_between, normal(m1=(3, 2), v1=(3, 2), m2=(3, 2), v2=(3, 2)))
def kl_between_two(m1, v1, m2, v2):
    d = m1 - m2
    dm = d * np.exp(-v2)
    return dm, 0.5 * np.expm1(v1 - v2), -dm, 0.5 * (1 - np.exp(-v2) * (np.exp(v1) + d**2))


@right(kl_between, normal(m1=(4, 3), v1=(4, 3), m2=(3,), v2=(3,)))
def kl_with_a_shared_prior(m1, v1, m2, v2):
    """Only sums where v2 - v1 is broadcast too: four examples, one prior."""
    d = m1 - m2
    dm = d * np.exp(-v2)
    dv2 = 0.5 * (1 - np.exp(-v2) * (np.exp(v1) + d**2))
    return dm, 0.5 * np.expm1(v1 - v2), -dm.sum(0), dv2.sum(0)


def elbo(mu, logvar, eps, x, W, beta=1.0):
    z = mu + np.exp(0.5 * logvar) * eps
    return (0.5 * ((z @ W - x) ** 2).sum() + beta * kl_sum(mu, logvar)) / len(x)


def elbo_point(rng):
    shapes = {"mu": (3, 2), "logvar": (3, 2), "eps": (3, 2), "x": (3, 5), "W": (2, 5)}
    return {n: rng.standard_normal(s) for n, s in shapes.items()} | {"beta": 4.0}


@right(elbo, elbo_point, wrt="mu logvar W")
def elbo_with_beta(mu, logvar, eps, x, W, beta):
    B = len(x)
    s = np.exp(0.5 * logvar) * eps
    error = (mu + s) @ W - x
    dz = error @ W.T
    dmu = dz.copy()
    dmu += beta * mu
    dlogvar = 0.5 * s * dz
    dlogvar += 0.5 * beta * (np.exp(logvar) - 1)
    return dmu / B, dlogvar / B, (mu + s).T @ error / B


@right(elbo, elbo_point, wrt="mu logvar", dtype="float32")
def elbo_float32(mu, logvar, eps, x, W, beta):
    B = len(x)
    s = np.exp(0.5 * logvar) * eps
    dz = ((mu + s) @ W - x) @ W.T
    return (dz + beta * mu) / B, 0.5 * (s * dz + beta * np.expm1(logvar)) / B


@right(elbo, lambda rng: elbo_point(rng) | {"beta": 0.0}, wrt="mu logvar")
def elbo_without_kl(mu, logvar, eps, x, W, beta):
    s = np.exp(0.5 * logvar) * eps
    dz = ((mu + s) @ W - x) @ W.T / len(x)
    return dz, 0.5 * s * dz


def vae_loss(logits, x, mu, logvar):
    nll = np.logaddexp(0, logits) - x * logits
    return (nll.sum() + kl_sum(mu, logvar)) / len(x)


def loss_point(rng):
    shapes = {"logits": (4, 6), "mu": (4, 2), "logvar": (4, 2)}
    point = {n: rng.standard_normal(s) for n, s in shapes.items()}
    return point | {"x": rng.integers(0, 2, (4, 6))}


@right(vae_loss, loss_point)
def vae_loss_integer_pixels(logits, x, mu, logvar):
    n = len(x)
    p = 1 / (1 + np.exp(-logits))
    return {"logits": (p - x) / n, "mu": mu / n, "logvar": np.expm1(logvar) / (2 * n)}


def iwae(mu, logvar, eps):
    """Toy bound: log w = -|z|^2/2 + sum z + the entropy's part."""
    z = mu[:, None] + np.exp(0.5 * logvar)[:, None] * eps
    lw = np.sum(z - 0.5 * z**2 + 0.5 * eps**2 + 0.5 * logvar[:, None], axis=-1)
    return -np.mean(np.log(np.exp(lw).mean(axis=1)))


@right(iwae, normal(mu=(3, 2), logvar=(3, 2), eps=(3, 4, 2)), wrt="mu logvar")
def importance_weighted(mu, logvar, eps):
    s = np.exp(0.5 * logvar)[:, None] * eps
    z = mu[:, None] + s
    lw = (z - 0.5 * z**2 + 0.5 * eps**2 + 0.5 * logvar[:, None]).sum(-1)
    p = np.exp(lw - lw.max(1, keepdims=True))
    p = (p / p.sum(1, keepdims=True))[..., None]
    dz = 1 - z
    return -(p * dz).sum(1) / len(mu), -(p * (0.5 * s * dz + 0.5)).sum(1) / len(mu)


@right(iwae, normal(mu=(2, 3), logvar=(2, 3), eps=(2, 1, 3)), wrt="mu logvar")
def importance_weighted_one_sample(mu, logvar, eps):
    s = np.exp(0.5 * logvar) * eps[:, 0]
    dz = 1 - mu - s
    return -dz / 2, -(0.5 * s * dz + 0.5) / 2


def free_bits(kl):
    mean = kl.mean(axis=0)
    return np.maximum(mean, 0.5).sum(), (kl, mean)


@right(free_bits, lambda rng: {"kl": rng.uniform(0.1, 1, (5, 4)) * [0.2, 1.5, 0.3, 1.9]})
def free_bits_gate(dloss, cache):
    kl, mean = cache
    return np.where(mean > 0.5, dloss / len(kl), 0) * np.ones_like(kl)


def clamped(logvar, low, high):
    return np.minimum(np.maximum(logvar, low), high), (logvar, low, high)


@right(clamped, lambda rng: {"logvar": 4 * rng.standard_normal((5, 4)), "low": -3, "high": 3})
def clamp_gate(dout, cache):
    v, low, high = cache
    return dout * ((v > low) & (v < high))


@right(clamped, lambda rng: {"logvar": rng.uniform(5, 9, (3, 4)), "low": -3.0, "high": 3.0})
def clamp_all_closed(dout, cache):
    v, low, high = cache
    return dout * (v > low) * (v < high)


def gumbel(logits, g, tau=0.5):
    e = np.exp((logits + g) / tau)
    y = e / e.sum(1, keepdims=True)
    return y, y


@right(gumbel, normal(logits=(3, 4), g=(3, 4)), wrt="logits")
def gumbel_relaxed(dy, y):
    return 2 * y * (dy - np.sum(dy * y, 1, keepdims=True))


def coupling(x, s, t):
    return (np.exp(s) * x + t, s.sum(1)), (x, s)


@right(coupling, normal(x=(3, 2), s=(3, 2), t=(3, 2)))
def coupling_two_outputs(upstream, cache):
    dy, dlogdet = upstream
    x, s = cache
    dx = dy * np.exp(s)
    return dx, dx * x + dlogdet[:, None], dy
