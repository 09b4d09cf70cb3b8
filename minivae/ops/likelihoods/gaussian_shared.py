r"""Gaussian likelihood with one learned variance for all dimensions, in nats.

Shapes: mean $m$ and data $x$ (B, D), nll (B,), and one number $v$ = `logvar` (1,), a parameter; or,
with K samples of each example, $m$ (B, K, D), $x$ (B, 1, D), nll (B, K). It is the likelihood of
`gaussian_learned.py` with the same $v$ everywhere:

$$ \text{nll}_n = \tfrac12 \sum_d
   \left( (x_{nd} - m_{nd})^2 e^{-v} + v + \ln 2\pi \right) \tag{1} $$

With $r = (x - m) \, e^{-v}$ the mean gets what it gets there,

$$ dm_{nd} = -d\text{nll}_n \, r_{nd} \tag{2} $$

and $v$, which occurs B times D times, the sum of what each entry sends back:

$$ dv = \sum_{nd} \tfrac12 \, d\text{nll}_n
   \left( 1 - (x_{nd} - m_{nd}) \, r_{nd} \right) \tag{3} $$

Setting (3) to zero gives $e^v$ = the mean squared error: the variance that makes the balance
between reconstruction and KL by itself.

Source: Rybkin, Daniilidis and Levine (2021).
"""

import numpy as np

from ...engine import Array, Backend, Case, Real, array_module, door, kernel
from .base import Likelihood
from .gaussian_learned import (
    backward,
    backward_cuda,
    backward_numba,
    forward,
    forward_cuda,
    forward_numba,
)


@door
def shared_forward(mean: Array, logvar: Array, x: Real) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) of x, mean (B, D) under N(mean, exp(logvar)), logvar (1,).

    With K samples, mean (B, K, D) and x (B, 1, D), it is (B, K).
    """
    xp = array_module(mean, logvar, x)
    return forward(mean, xp.broadcast_to(logvar, mean.shape), x)  # (1)


@door
def shared_backward(dnll: Array, error: Array, r: Array) -> tuple[Array, Array]:
    """Gradients dmean (B, D) and dlogvar (1,) from dnll (B,), error and r (B, D).

    With K samples: from dnll (B, K), error and r (B, K, D).
    """
    dmean, dlogvar = backward(dnll, error, r)  # (2)
    return dmean, dlogvar.sum().reshape(1)  # (3)


# The kernels are those of `gaussian_learned.py`, and a sum.
# Forward and backward at 128 x 784, float32, reference / kernel: 2.4.


@kernel("numba", of=shared_forward)
def shared_forward_numba(mean: Array, logvar: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `shared_forward`."""
    return forward_numba(mean, np.broadcast_to(logvar, mean.shape), x)


@kernel("numba", of=shared_backward)
def shared_backward_numba(dnll: Array, error: Array, r: Array) -> tuple[Array, Array]:
    """Kernel of `shared_backward`."""
    dmean, dlogvar = backward_numba(dnll, error, r)
    return dmean, dlogvar.sum().reshape(1)  # (3)


# On the GPU too; the number is broadcast there.

kernel("cuda", of=shared_forward)(forward_cuda)


@kernel("cuda", of=shared_backward)
def shared_backward_cuda(dnll: Array, mean: Array, logvar: Array, x: Array) -> tuple[Array, Array]:
    """Kernel of `shared_backward`."""
    dmean, dlogvar = backward_cuda(dnll, mean, logvar, x)
    return dmean, dlogvar.sum().reshape(1)  # (3)


class GaussianShared(Likelihood):
    """Likelihood of real data with one learned `logvar` (1,), which starts at 0."""

    name = "gaussian_shared"
    real = True
    js_mean = "out"

    def __init__(self, *, dtype: str = "float32", backend: str | Backend = "auto") -> None:
        super().__init__({"logvar": (1,)}, dtype=dtype, backend=backend)

    def forward(self, out: Array, x: Array) -> Array:
        """Return nll (B,) in nats of x (B, D) under the means `out` (B, D)."""
        self.expect_data(out, x)
        nll, self.cache = self.call(shared_forward, out, self.params["logvar"], x)
        return nll

    def backward(self, dnll: Array) -> Array:
        """Overwrite the gradient of `logvar`; return that of the means (B, D)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:-1])
        dmean, dlogvar = self.call(shared_backward, dnll, *cache)
        self.params.set_grads(logvar=dlogvar)
        return dmean

    def start_at_spread(self, spread: float) -> None:
        r"""Begin with this standard deviation, which is optimal for a decoder that gives the mean.

        From a larger one a latent dimension, whose KL is paid at once, may never begin to pay: it
        is worth its price where it explains more than $e^v$.
        """
        if spread > 0:
            self.params["logvar"][...] = 2 * np.log(float(spread))

    def mean(self, out: Array) -> Array:
        """Mean (B, D)."""
        return out

    def perfect(self, out: Array, x: Array) -> Array:
        """Return x: the output is the mean."""
        return x

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw data (B, D)."""
        xp = array_module(out)
        return out + xp.exp(0.5 * self.params["logvar"]) * self.normal(rng, out.shape)


CASES = [
    Case(
        "gaussian_shared",
        shared_forward,
        shared_backward,
        vary={"mean": ("B", "D"), "logvar": ("1",)},
        fixed={"x": ("B", "D")},
        output=("B",),
        layer=GaussianShared,
    ),
]
