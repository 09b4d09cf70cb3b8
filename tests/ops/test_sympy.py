"""SymPy derives the formulas of the docstrings; the code gives the same numbers.

Every formula below starts from a density or a definition, never from the formula under test.
Compared at random points in float64, to 1e-12 relative and absolute.
"""

import numpy as np
import pytest
import sympy as sp

from minivae.ops import ACTIVATIONS, kl, logmeanexp, reparameterize
from minivae.ops.likelihoods import bernoulli, categorical, gaussian

mu, logvar, mu_p, logvar_p, x, z, eps, a = sp.symbols("mu v mu_p v_p x z eps a", real=True)
w = sp.symbols("w:4", real=True)


def log_normal(x, mean, logvar):
    """Log density of N(mean, exp(logvar)) at x."""
    return -((x - mean) ** 2) * sp.exp(-logvar) / 2 - logvar / 2 - sp.log(2 * sp.pi) / 2


def values(expression, **arrays):
    """Evaluate an expression at every entry of the arrays."""
    symbols = [sp.Symbol(name, real=True) for name in arrays]
    return sp.lambdify(symbols, expression, "numpy")(*arrays.values())


def draw(*shape):
    return np.random.default_rng(1).standard_normal(shape)


def same(code, derived):
    np.testing.assert_allclose(code, derived, rtol=1e-12, atol=1e-12)


def expectation_under_q(expression):
    """Integrate a polynomial in z against the density of N(mu, exp(logvar))."""
    sigma, t = sp.Symbol("sigma", positive=True), sp.Symbol("t", real=True)
    density = sp.exp(-(t**2) / 2) / sp.sqrt(2 * sp.pi)
    polynomial = sp.expand(expression.subs(z, mu + sigma * t))
    mean = sp.integrate(sp.expand(polynomial * density), (t, -sp.oo, sp.oo))
    return sp.simplify(mean).subs(sigma, sp.exp(logvar / 2))


def test_kl():
    log_ratio = log_normal(z, mu, logvar) - log_normal(z, sp.Integer(0), sp.Integer(0))
    derived = expectation_under_q(log_ratio)
    assert not derived.has(sp.Integral)
    mus, logvars, dkl = draw(3, 4, 5)
    value, cache = kl.forward(mus, logvars)
    same(value, values(derived, mu=mus, v=logvars))
    gradients = kl.backward(dkl, *cache)
    for gradient, symbol in zip(gradients, [mu, logvar], strict=True):
        same(gradient, dkl * values(sp.diff(derived, symbol), mu=mus, v=logvars))


def test_kl_between():
    derived = expectation_under_q(log_normal(z, mu, logvar) - log_normal(z, mu_p, logvar_p))
    assert not derived.has(sp.Integral)
    *arrays, dkl = draw(5, 4, 5)
    at = dict(zip(["mu", "v", "mu_p", "v_p"], arrays, strict=True))
    value, cache = kl.between_forward(*arrays)
    same(value, values(derived, **at))
    gradients = kl.between_backward(dkl, *cache)
    for gradient, symbol in zip(gradients, [mu, logvar, mu_p, logvar_p], strict=True):
        same(gradient, dkl * values(sp.diff(derived, symbol), **at))


def test_gaussian_likelihood():
    nll = -log_normal(x, mu, logvar)
    means, logvars, data = draw(3, 4, 5)
    at, dnll = {"x": data, "mu": means, "v": logvars}, draw(4)
    value, cache = gaussian.forward(means, logvars, data)
    same(value, values(nll, **at).sum(axis=1))
    dmean, dlogvar = gaussian.backward(dnll, *cache)
    same(dmean, dnll[:, None] * values(sp.diff(nll, mu), **at))
    same(dlogvar, dnll[:, None] * values(sp.diff(nll, logvar), **at))

    at["v"] = np.full_like(means, -0.7)
    value, cache = gaussian.shared_forward(means, np.array([-0.7]), data)
    same(value, values(nll, **at).sum(axis=1))
    dmean, dlogvar = gaussian.shared_backward(dnll, *cache)
    same(dmean, dnll[:, None] * values(sp.diff(nll, mu), **at))
    same(dlogvar, [(dnll[:, None] * values(sp.diff(nll, logvar), **at)).sum()])

    value, cache = gaussian.fixed_forward(means, data, float(np.exp(-0.35)))
    same(value, values(nll, **at).sum(axis=1))
    same(gaussian.fixed_backward(dnll, *cache), dmean)


def test_sigmoid_cross_entropy():
    p = 1 / (1 + sp.exp(-a))
    nll = -x * sp.log(p) - (1 - x) * sp.log(1 - p)
    logits, data = draw(2, 4, 5)
    data = 1 / (1 + np.exp(-3 * data))  # grey values too
    dnll = draw(4)
    value, cache = bernoulli.forward(logits, data)
    same(value, values(nll, a=logits, x=data).sum(axis=1))
    derived = values(sp.diff(nll, a), a=logits, x=data)
    same(bernoulli.backward(dnll, *cache), dnll[:, None] * derived)


def test_softmax_cross_entropy():
    logits, dnll = draw(6, 4), draw(6)
    data = np.eye(4)[[0, 1, 2, 3, 1, 2]]
    value, cache = categorical.forward(logits[:, None], data[:, None])
    dlogits = categorical.backward(dnll, *cache)[:, 0]
    for level in range(4):
        nll = -sp.log(sp.exp(w[level]) / sum(map(sp.exp, w)))
        rows = data[:, level] == 1
        at = {symbol.name: logits[rows, i] for i, symbol in enumerate(w)}
        same(value[rows], values(nll, **at))
        for i, symbol in enumerate(w):
            same(dlogits[rows, i], dnll[rows] * values(sp.diff(nll, symbol), **at))


def test_logmeanexp():
    derived = sp.log(sum(map(sp.exp, w)) / 4)
    logs, dy = draw(6, 4), draw(6)
    at = {symbol.name: logs[:, i] for i, symbol in enumerate(w)}
    value, cache = logmeanexp.forward(logs)
    same(value, values(derived, **at))
    dw = logmeanexp.backward(dy, *cache)
    for i, symbol in enumerate(w):
        same(dw[:, i], dy * values(sp.diff(derived, symbol), **at))


def test_reparameterization():
    sample = mu + sp.sqrt(sp.exp(logvar)) * eps
    mus, logvars, noise, dz = draw(4, 4, 5)
    at = {"mu": mus, "v": logvars, "eps": noise}
    value, cache = reparameterize.forward(mus, logvars, noise)
    same(value, values(sample, **at))
    dmu, dlogvar = reparameterize.backward(dz, *cache)
    same(dmu, dz * values(sp.diff(sample, mu), **at))
    same(dlogvar, dz * values(sp.diff(sample, logvar), **at))


SMOOTH = {
    "tanh": sp.sinh(x) / sp.cosh(x),
    "sigmoid": 1 / (1 + sp.exp(-x)),
    "softplus": sp.log(1 + sp.exp(x)),
    "silu": x / (1 + sp.exp(-x)),
    "gelu": x * sp.integrate(sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi), (z, -sp.oo, x)),
}


def test_every_smooth_activation_is_derived():
    assert set(SMOOTH) == set(ACTIVATIONS) - {"relu", "leaky_relu"}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_activations(name):
    forward, backward = ACTIVATIONS[name]
    points, dy = np.linspace(-4, 4, 33), np.linspace(1, 2, 33)
    value, cache = forward(points)
    for code, derived in [
        (value, SMOOTH[name]),
        (backward(dy, *cache) / dy, sp.diff(SMOOTH[name], x)),
    ]:
        exact = [float(derived.subs(x, sp.Float(point, 30)).evalf(20)) for point in points]
        same(code, exact)
