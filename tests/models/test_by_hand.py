"""One training step of a tiny VAE, written out in plain numbers.

The widths are 2 - 3 - 1 - 3 - 2: two pixels, three hidden units (tanh), one latent dimension, one
example. In `by_hand` there is no array, no loop, and no derivative that is not on the page: whoever
follows it with a pocket calculator has trained a VAE for one step.
"""

from math import exp, log, sqrt, tanh

import numpy as np
import pytest

from arrays import assert_allclose, there
from minivae.models import VAE
from minivae.train.optim.adam import Adam

pytestmark = pytest.mark.usefixtures("each_backend")

# The example (two black-or-white pixels), the noise that was drawn, and the weights.
x1, x2 = 1.0, 0.0
eps = 0.8
# Encoder, hidden layer: a_j = x1 W1j + x2 W2j + b_j.
W11, W12, W13 = 0.5, -0.3, 0.2
W21, W22, W23 = 0.1, 0.4, -0.6
b1, b2, b3 = 0.05, -0.1, 0.15
# Encoder, the two heads: mu = h1 m1 + h2 m2 + h3 m3 + bm, and the same with v for logvar.
m1, m2, m3, bm = 0.7, -0.2, 0.3, 0.1
v1, v2, v3, bv = -0.4, 0.6, 0.2, -0.3
# Decoder, hidden layer: c_j = z u_j + d_j.
u1, u2, u3 = 0.9, -0.5, 0.3
d1, d2, d3 = 0.0, 0.2, -0.1
# Decoder, output: logit_o = g1 O1o + g2 O2o + g3 O3o + p_o.
O11, O12 = 0.6, -0.7
O21, O22 = 0.2, 0.5
O31, O32 = -0.4, 0.3
p1, p2 = 0.1, -0.2
beta = 1.5


def by_hand():
    """The loss, and the gradient of each of the 27 weights, by the chain rule."""
    # ---- forward: encoder ----
    h1 = tanh(x1 * W11 + x2 * W21 + b1)
    h2 = tanh(x1 * W12 + x2 * W22 + b2)
    h3 = tanh(x1 * W13 + x2 * W23 + b3)
    mu = h1 * m1 + h2 * m2 + h3 * m3 + bm
    logvar = h1 * v1 + h2 * v2 + h3 * v3 + bv

    # ---- forward: sample ----
    sigma = exp(logvar / 2)
    z = mu + sigma * eps

    # ---- forward: decoder ----
    g1 = tanh(z * u1 + d1)
    g2 = tanh(z * u2 + d2)
    g3 = tanh(z * u3 + d3)
    logit1 = g1 * O11 + g2 * O21 + g3 * O31 + p1
    logit2 = g1 * O12 + g2 * O22 + g3 * O32 + p2

    # ---- forward: loss = cross-entropy + beta KL ----
    y1 = 1 / (1 + exp(-logit1))  # the probability that the first pixel is white
    y2 = 1 / (1 + exp(-logit2))
    nll = -log(y1) - log(1 - y2)  # the first pixel is 1, the second is 0
    kl = (mu * mu + exp(logvar) - 1 - logvar) / 2
    loss = nll + beta * kl

    # ---- backward: likelihood and decoder's output ----
    dlogit1 = y1 - x1
    dlogit2 = y2 - x2
    dO11, dO12 = g1 * dlogit1, g1 * dlogit2
    dO21, dO22 = g2 * dlogit1, g2 * dlogit2
    dO31, dO32 = g3 * dlogit1, g3 * dlogit2
    dp1, dp2 = dlogit1, dlogit2

    # ---- backward: decoder's hidden layer; tanh' = 1 - tanh^2 ----
    dc1 = (dlogit1 * O11 + dlogit2 * O12) * (1 - g1 * g1)
    dc2 = (dlogit1 * O21 + dlogit2 * O22) * (1 - g2 * g2)
    dc3 = (dlogit1 * O31 + dlogit2 * O32) * (1 - g3 * g3)
    du1, du2, du3 = z * dc1, z * dc2, z * dc3
    dd1, dd2, dd3 = dc1, dc2, dc3

    # ---- backward: the two branches, through the sample and through the KL, added ----
    dz = dc1 * u1 + dc2 * u2 + dc3 * u3
    dmu = dz + beta * mu
    dlogvar = dz * eps * sigma / 2 + beta * (exp(logvar) - 1) / 2

    # ---- backward: the two heads ----
    dm1, dm2, dm3, dbm = h1 * dmu, h2 * dmu, h3 * dmu, dmu
    dv1, dv2, dv3, dbv = h1 * dlogvar, h2 * dlogvar, h3 * dlogvar, dlogvar

    # ---- backward: encoder's hidden layer, where the heads are added ----
    da1 = (dmu * m1 + dlogvar * v1) * (1 - h1 * h1)
    da2 = (dmu * m2 + dlogvar * v2) * (1 - h2 * h2)
    da3 = (dmu * m3 + dlogvar * v3) * (1 - h3 * h3)
    dW11, dW12, dW13 = x1 * da1, x1 * da2, x1 * da3
    dW21, dW22, dW23 = x2 * da1, x2 * da2, x2 * da3

    gradient = {
        "encoder.trunk.0.W": [[dW11, dW12, dW13], [dW21, dW22, dW23]],
        "encoder.trunk.0.b": [da1, da2, da3],
        "encoder.heads.W": [[dm1, dv1], [dm2, dv2], [dm3, dv3]],
        "encoder.heads.b": [dbm, dbv],
        "decoder.0.W": [[du1, du2, du3]],
        "decoder.0.b": [dd1, dd2, dd3],
        "decoder.1.W": [[dO11, dO12], [dO21, dO22], [dO31, dO32]],
        "decoder.1.b": [dp1, dp2],
    }
    return loss, nll, kl, gradient


WEIGHTS = {
    "encoder.trunk.0.W": [[W11, W12, W13], [W21, W22, W23]],
    "encoder.trunk.0.b": [b1, b2, b3],
    "encoder.heads.W": [[m1, v1], [m2, v2], [m3, v3]],
    "encoder.heads.b": [bm, bv],
    "decoder.0.W": [[u1, u2, u3]],
    "decoder.0.b": [d1, d2, d3],
    "decoder.1.W": [[O11, O12], [O21, O22], [O31, O32]],
    "decoder.1.b": [p1, p2],
}


@pytest.fixture
def model():
    model = VAE(2, (3,), 1, activation="tanh", rng=np.random.default_rng(0), dtype="float64")
    assert list(model.params) == list(WEIGHTS)
    for name, values in WEIGHTS.items():
        assert model.params[name].shape == np.shape(values)
        model.params[name][...] = there(values)
    return model


def test_loss_and_gradient(model):
    loss, nll, kl, gradient = by_hand()
    terms = model.step(there([[x1, x2]]), there([[eps]]), beta)
    assert float(terms.loss) == pytest.approx(loss, abs=1e-12)
    assert float(terms.nll[0]) == pytest.approx(nll, abs=1e-12)
    assert float(terms.kl[0, 0]) == pytest.approx(kl, abs=1e-12)
    assert float(terms.bound[0]) == pytest.approx(-nll - kl, abs=1e-12)
    for name, expected in gradient.items():
        assert_allclose(model.params.grad_of(name), expected, rtol=0, atol=1e-12, err_msg=name)


def test_an_example_that_occurs_twice_counts_once(model):
    # The loss is a mean over the batch: each copy enters with a half.
    pair, noise = there([[x1, x2], [x1, x2]]), there([[eps], [eps]])
    model.step(pair, noise, beta)
    _, _, _, gradient = by_hand()
    for name, expected in gradient.items():
        assert_allclose(model.params.grad_of(name), expected, rtol=0, atol=1e-12)


def test_the_step_of_adam(model):
    loss, _, _, gradient = by_hand()
    lr, beta1, beta2, small = 0.01, 0.9, 0.999, 1e-8
    model.step(there([[x1, x2]]), there([[eps]]), beta)
    Adam(lr, beta1, beta2, small).step(model.params)

    def updated(weight, g):
        """Adam's first step for one weight: the means start at 0, and t is 1."""
        m = beta1 * 0 + (1 - beta1) * g
        v = beta2 * 0 + (1 - beta2) * g * g
        m_hat = m / (1 - beta1)
        v_hat = v / (1 - beta2)
        return weight - lr * m_hat / (sqrt(v_hat) + small)

    for name, weights in WEIGHTS.items():
        flat_gradient = np.ravel(gradient[name]).tolist()
        expected = [
            updated(weight, g)
            for weight, g in zip(np.ravel(weights).tolist(), flat_gradient, strict=True)
        ]
        assert_allclose(model.params[name].ravel(), expected, rtol=0, atol=1e-12, err_msg=name)

    # And down it goes: the same example, the same noise, a lower loss.
    assert float(model.forward(there([[x1, x2]]), there([[eps]]), beta).loss) < loss


def test_the_numbers_themselves():
    # So that an error in `by_hand` cannot agree with the same one in the model: the loss was worked
    # out with forty digits, and its two derivatives from differences of it.
    loss, nll, kl, gradient = by_hand()
    assert loss == pytest.approx(1.291800324919828, abs=1e-14)
    assert nll == pytest.approx(0.8637371443310157, abs=1e-14)
    assert kl == pytest.approx(0.2853754537258751, abs=1e-14)
    assert gradient["encoder.heads.b"][0] == pytest.approx(0.8330700682130186, abs=1e-14)
    assert gradient["encoder.heads.b"][1] == pytest.approx(-0.3937057125738103, abs=1e-14)
