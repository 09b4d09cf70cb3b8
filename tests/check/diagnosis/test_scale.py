"""Mistakes that are named without knowing the function, by experiment, or in a whole VAE."""

import time

import numpy as np
import pytest

from minivae.check import check_gradients

RNG = np.random.default_rng(11)
N = RNG.standard_normal


def mish(x):
    return x * np.tanh(np.log1p(np.exp(x)))


def mish_slope(x):
    return np.imag(mish(x + 1e-30j)) / 1e-30


def keys(report, name):
    return [diagnosis.key for diagnosis in report[name].diagnoses]


X = N((3, 5))
ENTRYWISE = {
    "sign": lambda dout, x: -dout * mish_slope(x),
    "factor": lambda dout, x: 2 * dout * mish_slope(x),
    "batch": lambda dout, x: dout * mish_slope(x) / 3,
    "dims": lambda dout, x: dout * mish_slope(x) / 5,
    "zero": lambda dout, x: 0 * dout,
    "derivative_missing": lambda dout, x: dout,
    "no_upstream": lambda dout, x: mish_slope(x),
    "permuted": lambda dout, x: (dout * mish_slope(x))[::-1].copy(),
    "unknown": lambda dout, x: dout * np.cos(3 * mish_slope(x) + x) ** 3,
}


@pytest.mark.parametrize("key", ENTRYWISE)
def test_function_that_is_not_known(key):
    report = check_gradients(lambda x: (mish(x), x), ENTRYWISE[key], {"x": X}, name="mish")
    if key == "batch":  # an activation may come last in a course that puts its mean's 1/m there
        assert report.verdict == "right, but"
        assert "the number of examples" in str(report)
    else:
        assert key in keys(report, "x")[:2]


def test_unknown_says_where():
    report = check_gradients(lambda x: (mish(x), x), ENTRYWISE["unknown"], {"x": X}, name="mish")
    assert "cause unknown" in str(report)
    row = (np.arange(3) != 1)[:, None]
    report = check_gradients(
        lambda x: (mish(x), x), lambda dout, x: dout * mish_slope(x) * row, {"x": X}, name="mish"
    )
    assert "row 1 (5 of 15 entries)" in report["x"].diagnoses[0].text


def bilinear(a, b, W):
    return np.einsum("ni,ij,nj->n", a, W, b), (a, b, W)


def bilinear_gradients(dout, cache):
    a, b, W = cache
    return {
        "a": dout[:, None] * (b @ W.T),
        "b": dout[:, None] * (a @ W),
        "W": np.einsum("n,ni,nj->ij", dout, a, b),
    }


BILINEAR = {
    ("a", "swapped"): lambda g: g["b"],
    ("W", "transpose"): lambda g: g["W"].T,
    ("W", "mean_for_sum"): lambda g: g["W"] / 5,
    ("W", "permuted"): lambda g: np.roll(g["W"], 1, axis=1),
}


@pytest.mark.parametrize(("name", "key"), BILINEAR)
def test_several_arguments(name, key):
    def backward(dout, cache):
        gradients = bilinear_gradients(dout, cache)
        return {**gradients, name: BILINEAR[name, key](gradients)}

    inputs = {"a": N((5, 3)), "b": N((5, 3)), "W": N((3, 3))}
    report = check_gradients(bilinear, backward, inputs, strict=True)
    assert key in keys(report, name)[:2]
    assert all(array.verdict == "right" for array in report.arrays if array.name != name)


def test_missing_sum():
    def forward(x, c):
        return mish(x) * c, (x, c)

    def backward(dout, cache):
        x, c = cache
        return dout * mish_slope(x) * c, dout * mish(x)

    report = check_gradients(forward, backward, {"x": X, "c": N(5)})
    assert keys(report, "c") == ["no_sum"]
    assert "axis 0, the batch" in report["c"].diagnoses[0].text


def test_skip_connection_is_overwritten():
    def forward(x, W):
        return x + np.sin(x @ W), (x, W)

    def backward(dout, cache):
        x, W = cache
        d = dout * np.cos(x @ W)
        return d @ W.T, x.T @ d

    report = check_gradients(forward, backward, {"x": X, "W": N((5, 5))})
    assert keys(report, "x")[0] == "overwritten_branch"


def test_one_of_two_outputs_sends_nothing_back():
    def forward(h, A, C):
        return (np.sin(h @ A), np.sin(h @ C)), (h, A, C)

    def backward(dout, cache):
        h, A, C = cache
        one, two = dout[0] * np.cos(h @ A), dout[1] * np.cos(h @ C)
        return two @ C.T, h.T @ one, h.T @ two

    report = check_gradients(forward, backward, {"h": X, "A": N((5, 2)), "C": N((5, 2))})
    assert "overwritten_branch" in keys(report, "h")[:2]
    assert "h @ A" in report["h"].diagnoses[0].text


def test_values_at_zero_hide_nothing():
    """At logvar = 0 the variance and the standard deviation are the same number."""

    def forward(mu, logvar, eps):
        return mu + np.exp(0.5 * logvar) * eps, (logvar, eps)

    def backward(dz, cache):
        logvar, eps = cache
        return dz, dz * np.exp(logvar) * eps

    inputs = {"mu": N((3, 2)), "logvar": np.zeros((3, 2)), "eps": N((3, 2))}
    report = check_gradients(forward, backward, inputs)
    assert keys(report, "logvar")[0] in ("variance_for_std", "sigma_head")
    assert "factor" not in keys(report, "logvar")[:1]


def test_noise_of_the_backward_pass():
    def forward(mu, logvar, eps):
        return mu + np.exp(0.5 * logvar) * eps, logvar

    def global_noise(dz, logvar):
        return dz, 0.5 * dz * np.exp(0.5 * logvar) * np.random.randn(*dz.shape)  # noqa: NPY002

    def seeded_noise(dz, logvar):
        eps = np.random.default_rng(4).standard_normal(dz.shape)
        return dz, 0.5 * dz * np.exp(0.5 * logvar) * eps

    inputs = {"mu": N((3, 2)), "logvar": N((3, 2)), "eps": N((3, 2))}
    for backward in (global_noise, seeded_noise):
        report = check_gradients(forward, backward, inputs)
        assert report["mu"].verdict == "right"
        assert keys(report, "logvar") == ["noise_redrawn"]


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def vae(mistake="", *, drawn=False):
    """A VAE as one function of its weights, as the public NumPy ones are written."""

    def forward(x, W1, b1, Wmu, bmu, Wlogvar, blogvar, W2, b2, W3, b3, eps=None):
        h = np.tanh(x @ W1 + b1)
        mu, logvar = h @ Wmu + bmu, h @ Wlogvar + blogvar
        kept = eps
        if drawn:
            kept = eps = np.random.randn(*mu.shape)  # noqa: NPY002
            if mistake == "drawn twice":
                eps = np.random.randn(*mu.shape)  # noqa: NPY002
        z = mu + np.exp(0.5 * logvar) * eps
        g = np.maximum(z @ W2 + b2, 0)
        p = sigmoid(g @ W3 + b3)
        nll = -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p))
        kl = 0.5 * np.sum(mu**2 + np.exp(logvar) - logvar - 1)
        return (nll + 0.7 * kl) / len(x), (x, Wmu, Wlogvar, W2, W3, h, mu, logvar, kept, z, g, p)

    def backward(dloss, cache):
        x, Wmu, Wlogvar, W2, W3, h, mu, logvar, eps, z, g, p = cache
        B, kl = len(x), 0.7 * dloss / len(x)
        d = dloss * (p - x) / B
        if mistake == "derivative_twice":
            d = d * p * (1 - p)
        dg = d @ W3.T * (1 if mistake == "derivative_missing" else g > 0)
        dz = dg @ W2.T
        if mistake == "noise_redrawn":
            eps = np.random.default_rng(3).standard_normal(eps.shape)
        half = 1.0 if mistake == "factor" else 0.5
        one = 0.0 if mistake == "minus_one" else 1.0
        times = {"kl_missing": 0.0, "kl_twice": 2.0, "beta": 1 / 0.7}.get(mistake, 1.0)
        dmu = dz + times * kl * mu
        dlogvar = half * dz * np.exp(0.5 * logvar) * eps
        dlogvar = dlogvar + times * 0.5 * kl * (np.exp(logvar) - one)
        dh = dlogvar @ Wlogvar.T
        if mistake != "overwritten_branch":
            dh = dh + dmu @ Wmu.T
        da = dh * (1 - h * h)
        return {
            "W1": x.T @ da, "b1": da.sum(0), "Wmu": h.T @ dmu, "bmu": dmu.sum(0),
            "Wlogvar": h.T @ dlogvar, "blogvar": dlogvar.sum(0),
            "W2": z.T @ dg, "b2": dg.sum(0), "W3": g.T @ d, "b3": d.sum(0),
        }  # fmt: skip

    rng = np.random.default_rng(21)
    B, D, H, Z = 4, 7, 6, 3
    shapes = {
        "x": (B, D), "W1": (D, H), "b1": (H,), "Wmu": (H, Z), "bmu": (Z,), "Wlogvar": (H, Z),
        "blogvar": (Z,), "W2": (Z, H), "b2": (H,), "W3": (H, D), "b3": (D,),
    }  # fmt: skip
    inputs = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    inputs["x"] = 1.0 * (inputs["x"] > 0)
    if not drawn:
        inputs["eps"] = rng.standard_normal((B, Z))
    return forward, backward, inputs


ENCODER = {"W1", "b1", "Wlogvar", "blogvar"}


def test_noise_drawn_twice_is_named_from_the_gradients_of_the_weights():
    report = check_gradients(*vae("drawn twice", drawn=True), name="vae")
    wrong = {array.name for array in report.arrays if array.verdict == "wrong"}
    assert wrong == ENCODER
    assert all(keys(report, name) == ["noise_redrawn"] for name in wrong)
    assert "Draw the noise once" in report["Wlogvar"].diagnoses[0].text


def test_vae_is_right_when_the_noise_is_drawn_once():
    report = check_gradients(*vae(drawn=True), name="vae")
    assert all(array.verdict == "right" for array in report.arrays)
    assert check_gradients(*vae(), name="vae").passed


@pytest.mark.parametrize(
    "mistake",
    [
        "factor", "minus_one", "kl_missing", "kl_twice", "beta",
        "overwritten_branch", "derivative_twice", "derivative_missing",
    ],
)  # fmt: skip
def test_mistake_in_a_whole_vae(mistake):
    start = time.perf_counter()
    report = check_gradients(*vae(mistake), name="vae")
    assert time.perf_counter() - start < 20
    wrong = [array.name for array in report.arrays if array.verdict == "wrong"]
    assert wrong
    for name in wrong:
        assert mistake in keys(report, name)[:2], (name, keys(report, name))


def test_nothing_is_said_about_a_right_gradient():
    report = check_gradients(lambda x: (mish(x), x), lambda d, x: d * mish_slope(x), {"x": X})
    assert report.passed
    assert report["x"].diagnoses == []


def test_nan_and_nothing():
    def with_nan(dout, x):
        gradient = dout * mish_slope(x)
        gradient[1, 2] = np.nan
        return gradient

    report = check_gradients(lambda x: (mish(x), x), with_nan, {"x": X})
    text = report["x"].diagnoses[0].text
    assert text.startswith("1 of 15 entries are NaN or infinite, the first at [1, 2]")


def test_float32_is_diagnosed_in_float64():
    def forward(x):
        return np.tanh(x), np.tanh(x)

    report = check_gradients(forward, lambda dout, y: dout, {"x": X}, dtype="float32")
    assert keys(report, "x")[0] == "derivative_missing"
    assert report.tolerance == 2e-3
