"""Written last, when the doctor was done, to see how it does on what nobody has looked at."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import numpy as np

from .corpus import normal, wrong


def sigma(t):
    return 1.0 / (1.0 + np.exp(-t))


def timewise(x, U):
    """(B, T, I) times (I, O)."""
    return np.einsum("bti,io->bto", x, U), (x, U)


TIMEWISE = normal(x=(2, 4, 3), U=(3, 5))


@wrong("no_sum some_entries missing_term", timewise, TIMEWISE)
def weights_from_the_last_time_step(g, memo):
    x, U = memo
    return np.einsum("bto,io->bti", g, U), np.einsum("bi,bo->io", x[:, -1], g[:, -1])


@wrong("mean_for_sum dims batch", timewise, TIMEWISE)
def weights_averaged_over_time(g, memo):
    x, U = memo
    return g @ U.T, np.einsum("bti,bto->io", x, g) / x.shape[1]


@wrong("sign", timewise, TIMEWISE)
def weights_negative_over_time(g, memo):
    x, U = memo
    return {"x": g @ U.T, "U": -np.einsum("bti,bto->io", x, g)}


@wrong("transpose", timewise, normal(x=(2, 3, 4), U=(4, 4)))
def timewise_untransposed(g, memo):
    x, U = memo
    return g @ U, np.einsum("bti,bto->io", x, g)


def softsign(v):
    return v / (1 + np.abs(v)), v


@wrong("at_output", softsign, normal(v=(4, 6)))
def softsign_at_its_output(g, v):
    y = v / (1 + np.abs(v))
    return g / (1 + np.abs(y)) ** 2


@wrong("derivative_missing", softsign, normal(v=(3, 7)))
def softsign_passes_everything(g, v):
    return g.copy()


def arctan(v):
    return np.arctan(v), v


@wrong("at_output", arctan, normal(v=(5, 3)))
def arctan_at_its_output(g, v):
    return g / (1 + np.arctan(v) ** 2)


@wrong("no_upstream", arctan, normal(v=(2, 9)))
def arctan_alone(g, v):
    return 1 / (1 + v**2)


def exponential(v):
    out = np.exp(0.7 * v)
    return out, out


@wrong("factor", exponential, normal(v=(4, 4)))
def exponent_forgotten(g, out):
    return g * out


@wrong("derivative_twice", exponential, normal(v=(4, 4)))
def exponential_twice(g, out):
    return g * (0.7 * out) ** 2


def elu(v):
    return np.where(v > 0, v, np.exp(v) - 1), v


@wrong("missing_term", elu, normal(v=(6, 4)))
def elu_without_its_one(g, v):
    return g * np.where(v > 0, 1, np.exp(v) - 1)


@wrong("approximation wrong_mask derivative_missing", elu, normal(v=(6, 4)))
def elu_as_relu(g, v):
    return g * (v > 0)


def hard_tanh(v):
    return np.clip(v, -0.8, 0.8), v


@wrong("derivative_missing wrong_mask logvar_clamp", hard_tanh, normal(v=(7, 5)))
def hard_tanh_always_open(g, v):
    return 1.0 * g


def bce_all(a, t):
    return np.mean(np.logaddexp(0, a) - a * t)


def bce_point(rng):
    return {"a": rng.standard_normal((4, 7)), "t": rng.integers(0, 2, (4, 7)).astype(float)}


@wrong("dims batch", bce_all, bce_point, wrt="a")
def mean_over_everything_forgotten(a, t):
    return sigma(a) - t


@wrong("sign", bce_all, bce_point, wrt="a")
def cross_entropy_upside_down(a, t):
    return -(sigma(a) - t) / a.size


@wrong("derivative_twice", bce_all, bce_point, wrt="a")
def output_slope_again(a, t):
    s = sigma(a)
    delta = (s - t) * s * (1 - s)
    return delta / delta.size


def bce_rows_mean(a, t):
    return np.mean(np.logaddexp(0, a) - a * t, axis=1), (a, t)


@wrong("dims", bce_rows_mean, bce_point, wrt="a")
def pixel_mean_forgotten(g, memo):
    a, t = memo
    return g[:, None] * (sigma(a) - t)


def half_squares(y, t):
    return 0.5 * np.mean(np.sum((y - t) ** 2, axis=-1))


@wrong("factor", half_squares, normal(y=(5, 4), t=(5, 4)), wrt="y")
def half_of_the_loss_overlooked(y, t):
    return 2 * (y - t) / len(y)


@wrong("batch", half_squares, normal(y=(6, 4), t=(6, 4)), wrt="y")
def squares_summed_over_the_batch(y, t):
    return y - t


def gaussian_sigma_point(rng):
    return {
        "m": rng.standard_normal((3, 4)),
        "s": rng.uniform(0.5, 2, (3, 4)),
        "x": rng.standard_normal((3, 4)),
    }


def gaussian_sigma_loss(m, s, x):
    """The deviation itself is the head."""
    return np.sum(np.log(s) + 0.5 * ((x - m) / s) ** 2)


@wrong("sigma_head derivative_missing missing_term", gaussian_sigma_loss, gaussian_sigma_point)
def deviation_head_as_its_logarithm(m, s, x):
    r = (x - m) / s
    return -r / s, 1 - r**2


@wrong("variance_for_std derivative_missing", gaussian_sigma_loss, gaussian_sigma_point)
def mean_by_the_deviation_once(m, s, x):
    r = (x - m) / s
    return -r, (1 - r**2) / s


def laplace(m, x):
    return np.sum(np.abs(x - m) / 0.3) / len(x)


@wrong("factor", laplace, normal(m=(4, 5), x=(4, 5)), wrt="m")
def width_of_laplace_forgotten(m, x):
    return np.sign(m - x) / len(x)


def poisson(a, n):
    return np.sum(np.exp(a) - n * a) / len(a)


def counts(rng):
    return {"a": rng.standard_normal((4, 3)), "n": rng.poisson(2.0, (4, 3)).astype(float)}


@wrong("derivative_missing at_output", poisson, counts, wrt="a")
def rate_not_exponentiated(a, n):
    return (a - n) / len(a)


@wrong("missing_term", poisson, counts, wrt="a")
def counts_forgotten(a, n):
    return np.exp(a) / len(a)


def kl_rows(mean, log_variance):
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)
    return kl.sum(axis=1), {"m": mean, "lv": log_variance}


ROWS = normal(mean=(5, 3), log_variance=(5, 3))


@wrong("no_upstream", kl_rows, ROWS)
def kl_upstream_for_the_mean_only(g, memo):
    return g[:, None] * memo["m"], 0.5 * (np.exp(memo["lv"]) - 1)


@wrong("variance_for_std", kl_rows, ROWS)
def kl_deviation_for_variance(g, memo):
    return g[:, None] * memo["m"], 0.5 * g[:, None] * (np.exp(memo["lv"] / 2) - 1)


@wrong("minus_one", kl_rows, ROWS)
def kl_rows_without_minus_one(g, memo):
    col = g.reshape(-1, 1)
    return {"dmean": col * memo["m"], "dlog_variance": col * np.exp(memo["lv"]) / 2}


@wrong("factor", kl_rows, ROWS)
def kl_half_of_the_mean(g, memo):
    return 0.5 * g[:, None] * memo["m"], 0.5 * g[:, None] * np.expm1(memo["lv"])


def softplus_sample(mu, rho, noise):
    s = np.log(1 + np.exp(rho))
    return mu + s * noise, (rho, noise)


SOFTPLUS = normal(mu=(4, 3), rho=(4, 3), noise=(4, 3))


@wrong("derivative_missing", softplus_sample, SOFTPLUS)
def slope_of_softplus_forgotten(g, memo):
    rho, noise = memo
    return g, g * noise


@wrong("noise_missing", softplus_sample, SOFTPLUS)
def softplus_noise_forgotten(g, memo):
    rho, noise = memo
    return g, g * sigma(rho)


@wrong("noise_redrawn", softplus_sample, SOFTPLUS)
def softplus_noise_again(g, memo):
    rho, noise = memo
    other = np.random.default_rng().normal(size=noise.shape)
    return g, g * sigma(rho) * other


def loss_of_a_step(mu, logvar, eps, y, V, c, kl_weight):
    """Bernoulli decoder with a bias; sums over pixels, mean over the batch."""
    z = mu + eps * np.exp(0.5 * logvar)
    a = z @ V + c
    kl = 0.5 * np.sum(mu**2 + np.exp(logvar) - 1 - logvar)
    return (np.sum(np.log(1 + np.exp(a)) - y * a) + kl_weight * kl) / len(y)


def step_point(rng):
    shapes = {"mu": (5, 2), "logvar": (5, 2), "eps": (5, 2), "V": (2, 6), "c": (6,)}
    point = {n: rng.standard_normal(s) for n, s in shapes.items()}
    return point | {"y": rng.random((5, 6)), "kl_weight": 0.3}


def _step(mu, logvar, eps, y, V, c):
    s = eps * np.exp(0.5 * logvar)
    delta = sigma((mu + s) @ V + c) - y
    return s, mu + s, delta, delta @ V.T


@wrong("beta", loss_of_a_step, step_point, wrt="mu logvar")
def weight_of_the_kl_forgotten(mu, logvar, eps, y, V, c, kl_weight):
    s, z, delta, dz = _step(mu, logvar, eps, y, V, c)
    return (dz + mu) / len(y), (0.5 * s * dz + 0.5 * np.expm1(logvar)) / len(y)


@wrong("kl_missing", loss_of_a_step, step_point, wrt="mu logvar")
def kl_forgotten_for_the_mean(mu, logvar, eps, y, V, c, kl_weight):
    s, z, delta, dz = _step(mu, logvar, eps, y, V, c)
    return dz / len(y), (0.5 * s * dz + kl_weight * 0.5 * np.expm1(logvar)) / len(y)


@wrong("overwritten_branch missing_term", loss_of_a_step, step_point, wrt="mu logvar")
def sample_overwritten_by_the_kl(mu, logvar, eps, y, V, c, kl_weight):
    g_mu, g_logvar = kl_weight * mu, kl_weight * 0.5 * np.expm1(logvar)
    return {"mu": g_mu / len(y), "logvar": g_logvar / len(y)}


@wrong("mean_for_sum batch", loss_of_a_step, step_point, wrt="mu logvar V c")
def decoder_bias_averaged_twice(mu, logvar, eps, y, V, c, kl_weight):
    s, z, delta, dz = _step(mu, logvar, eps, y, V, c)
    B, w = len(y), kl_weight
    dmu, dlogvar = (dz + w * mu) / B, (0.5 * s * dz + w * 0.5 * np.expm1(logvar)) / B
    return dmu, dlogvar, z.T @ delta / B, delta.mean(0) / B


@wrong("derivative_missing", loss_of_a_step, step_point, wrt="V c")
def pixels_not_squashed(mu, logvar, eps, y, V, c, kl_weight):
    z = mu + eps * np.exp(0.5 * logvar)
    delta = (z @ V + c - y) / len(y)
    return z.T @ delta, delta.sum(0)


def column_lse(w):
    return np.log(np.exp(w).sum(axis=0)), w


@wrong("wrong_axis", column_lse, normal(w=(4, 6)))
def weights_along_the_rows(g, w):
    e = np.exp(w)
    return g * e / e.sum(axis=1, keepdims=True)


@wrong("weights", column_lse, normal(w=(5, 3)))
def equal_weights(g, w):
    return np.ones_like(w) * g / len(w)


def rms_norm(x, g):
    r = np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
    return g * x / r, (x, g, r)


RMS = normal(x=(4, 5), g=(5,))


@wrong("constant_stats missing_term", rms_norm, RMS)
def size_held_constant(dy, memo):
    x, g, r = memo
    return dy * g / r, (dy * x / r).sum(0)


@wrong("no_sum", rms_norm, RMS)
def rms_gain_for_each_row(dy, memo):
    x, g, r = memo
    d = dy * g
    return d / r - x * (d * x).mean(-1, keepdims=True) / r**3, dy * x / r


def standardise(x):
    centred = x - x.mean(axis=0)
    return centred / np.sqrt((centred**2).mean(axis=0)), x


@wrong("constant_stats", standardise, normal(x=(7, 3)))
def standardised_with_constants(dy, x):
    return dy / x.std(axis=0)


def pool_max(x):
    b, n = x.shape
    return x.reshape(b, n // 3, 3).max(axis=2), x


@wrong("wrong_mask derivative_missing", pool_max, normal(x=(3, 9)))
def every_entry_is_the_largest(dy, x):
    return np.repeat(dy, 3, axis=1)


def strided_windows(x, k):
    n = (x.shape[1] - len(k)) // 2 + 1
    return np.stack([x[:, 2 * i : 2 * i + len(k)] @ k for i in range(n)], 1), (x, k)


@wrong("overlap", strided_windows, normal(x=(2, 9), k=(3,)))
def overlapping_windows_assigned(dy, memo):
    x, k = memo
    dx, dk = np.zeros_like(x), np.zeros_like(k)
    for i in range(dy.shape[1]):
        dx[:, 2 * i : 2 * i + 3] = np.outer(dy[:, i], k)
        dk += dy[:, i] @ x[:, 2 * i : 2 * i + 3]
    return dx, dk


def bag_of_words(E, words):
    return E[words].mean(axis=1), (E, words)


def bag_point(rng):
    return {"E": rng.standard_normal((6, 3)), "words": rng.integers(0, 6, (4, 5))}


@wrong("dims factor", bag_of_words, bag_point)
def words_not_averaged(dy, memo):
    E, words = memo
    dE = np.zeros_like(E)
    for row, g in zip(words, dy, strict=True):
        for word in row:
            dE[word] += g
    return dE


def attention(A, V):
    return A @ V, (A, V)


@wrong("transpose", attention, normal(A=(4, 4), V=(4, 3)))
def attention_matrix_untransposed(dy, memo):
    A, V = memo
    return dy @ V.T, A @ dy


def two_steps(h, R):
    """A recurrent net of two steps with one matrix."""
    h1 = np.tanh(h @ R)
    return np.tanh(h1 @ R), (h, R, h1)


@wrong("overwritten_branch missing_term", two_steps, normal(h=(3, 4), R=(4, 4)))
def second_step_alone(dy, memo):
    h, R, h1 = memo
    d2 = dy * (1 - np.tanh(h1 @ R) ** 2)
    d1 = d2 @ R.T * (1 - h1**2)
    return d1 @ R.T, h1.T @ d2


def highway(x, t):
    g = sigma(t)
    return g * np.sin(x) + (1 - g) * x, (x, t, g)


@wrong("missing_term overwritten_branch", highway, normal(x=(4, 5), t=(4, 5)))
def carried_part_forgotten(dy, memo):
    x, t, g = memo
    return dy * g * np.cos(x), dy * (np.sin(x) - x) * g * (1 - g)


@wrong("derivative_missing", highway, normal(x=(4, 5), t=(4, 5)))
def gate_slope_forgotten(dy, memo):
    x, t, g = memo
    return dy * (g * np.cos(x) + 1 - g), dy * (np.sin(x) - x)


@wrong("swapped", highway, normal(x=(4, 5), t=(4, 5)))
def highway_order(dy, memo):
    x, t, g = memo
    return dy * (np.sin(x) - x) * g * (1 - g), dy * (g * np.cos(x) + 1 - g)


def trace_product(P, Q):
    return np.trace(P @ Q)


@wrong("transpose", trace_product, normal(P=(4, 4), Q=(4, 4)))
def trace_untransposed(P, Q):
    return Q.copy(), P.T.copy()


def tanh_classifier(x, A, a, C, c, onehot):
    h = np.tanh(x @ A + a)
    s = h @ C + c
    return np.mean(np.log(np.exp(s).sum(1)) - (s * onehot).sum(1))


def tanh_classifier_point(rng):
    shapes = {"x": (6, 3), "A": (3, 4), "a": (4,), "C": (4, 5), "c": (5,)}
    point = {n: rng.standard_normal(s) for n, s in shapes.items()}
    return point | {"onehot": np.eye(5)[rng.integers(0, 5, 6)]}


def _classify(x, A, a, C, c, onehot):
    pre = x @ A + a
    h = np.tanh(pre)
    e = np.exp(h @ C + c)
    return pre, h, (e / e.sum(1, keepdims=True) - onehot) / len(x)


@wrong("at_output", tanh_classifier, tanh_classifier_point, wrt="A a C c")
def hidden_slope_at_the_preactivation(x, A, a, C, c, onehot):
    pre, h, d = _classify(x, A, a, C, c, onehot)
    d1 = d @ C.T * (1 - pre**2)
    return x.T @ d1, d1.sum(0), h.T @ d, d.sum(0)


@wrong("derivative_missing", tanh_classifier, tanh_classifier_point, wrt="A a C c")
def hidden_slope_left_out(x, A, a, C, c, onehot):
    pre, h, d = _classify(x, A, a, C, c, onehot)
    d1 = d @ C.T
    return x.T @ d1, d1.sum(0), h.T @ d, d.sum(0)


@wrong("batch", tanh_classifier, tanh_classifier_point, wrt="A a C c")
def classes_not_averaged_over_the_batch(x, A, a, C, c, onehot):
    pre, h, d = _classify(x, A, a, C, c, onehot)
    d = d * len(x)
    d1 = d @ C.T * (1 - h**2)
    return x.T @ d1, d1.sum(0), h.T @ d, d.sum(0)


@wrong("no_sum", tanh_classifier, tanh_classifier_point, wrt="A a C c")
def hidden_bias_of_each_example(x, A, a, C, c, onehot):
    pre, h, d = _classify(x, A, a, C, c, onehot)
    d1 = d @ C.T * (1 - h**2)
    return x.T @ d1, d1, h.T @ d, d.sum(0)
