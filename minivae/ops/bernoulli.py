r"""Bernoulli likelihood from logits: the sigmoid cross-entropy, in nats.

Shapes: logits $a$ and data $x$ (B, D), nll (B,). A pixel is 1 with probability $\sigma(a)$, so

$$ -\ln p(x \mid a) = -x \ln \sigma(a) - (1 - x) \ln (1 - \sigma(a)) $$

With $-\ln \sigma(a) = \ln(1 + e^{-a}) = \ln(1 + e^a) - a$ and $-\ln(1 - \sigma(a)) = \ln(1 + e^a)$
the two logarithms become one softplus, which takes any logit without overflow and needs no small
constant inside a logarithm:

$$ \text{nll}_n = \sum_d \left( \ln(1 + e^{a_{nd}}) - x_{nd} \, a_{nd} \right) \tag{1} $$

The softplus has the derivative $\sigma(a)$, and $x a$ has $x$:

$$ da_{nd} = d\text{nll}_n \left( \sigma(a_{nd}) - x_{nd} \right) \tag{2} $$

The sigmoid's own derivative does not appear: it has cancelled. Multiplying (2) by
$\sigma (1 - \sigma)$ counts it twice.

For $x$ strictly between 0 and 1, (1) is still a loss with its minimum at $\sigma(a) = x$, but not a
likelihood: the density it belongs to does not integrate to one (Loaiza-Ganem and Cunningham 2019).

Source: Kingma and Welling (2014), appendix C.1, written for logits.
"""

import numpy as np

from ..backend import Array
from ..case import Case
from ..init import logit
from .activations import sigmoid_forward, softplus_forward
from .likelihood import Likelihood, require_unit_interval


def forward(logits: Array, x: Array) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) in nats of x (B, D) under logits (B, D)."""
    softplus, _ = softplus_forward(logits)
    nll = (softplus - x * logits).sum(axis=-1)  # (1)
    return nll, (logits, x)


def backward(dnll: Array, logits: Array, x: Array) -> Array:
    """Gradient dlogits (B, D) from dnll (B,)."""
    probability, _ = sigmoid_forward(logits)
    return dnll[:, None] * (probability - x)  # (2)


class Bernoulli(Likelihood):
    """Likelihood of binary data; the decoder's output are the logits."""

    name = "bernoulli"

    def forward(self, out: Array, x: Array) -> Array:
        """Return nll (B,) in nats of x (B, D) under the logits `out` (B, D)."""
        self.expect("out", out, ("B", "D"))
        self.expect("x", x, out.shape)
        nll, self.cache = self.call(forward, out, x)
        return nll

    def backward(self, dnll: Array) -> Array:
        """Return the gradient of the logits (B, D)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:1])
        return self.call(backward, dnll, *cache)

    def note(self, x: np.ndarray) -> str:
        """Check that the data lie in [0, 1]; say so when they are not binary."""
        require_unit_interval(x, self.name)
        if np.all((x == 0) | (x == 1)):
            return ""
        return "grey pixels under a Bernoulli: a loss in nats, not a bound on a likelihood"

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """Logit of the mean (D,)."""
        return logit(mean)

    def mean(self, out: Array) -> Array:
        """Probability of a 1 (B, D)."""
        return sigmoid_forward(out)[0]

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw zeros and ones (B, D)."""
        return (self.uniform(rng, out.shape) < self.mean(out)).astype(out.dtype)


def _binary(arguments: dict, rng: np.random.Generator) -> dict:
    return {**arguments, "x": arguments["x"] > 0}


CASES = [
    Case(
        "bernoulli",
        forward,
        backward,
        vary={"logits": ("B", "D")},
        fixed={"x": ("B", "D")},
        prepare=_binary,
    ),
]
