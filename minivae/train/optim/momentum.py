r"""Gradient descent with momentum: against a sum of gradients in which older ones fade.

With gradient $g$ and learning rate $\eta$ (Polyak 1964; in the form of Sutskever et al. 2013, with
$\eta$ outside):

$$ v \leftarrow \rho v + g \tag{1} $$
$$ \theta \leftarrow \theta - \eta v \tag{2} $$
"""

from ...engine.backend import Array, kernel
from ...engine.cpu.loop import loop
from ...engine.cpu.team import in_parts
from ...engine.door import door
from ...engine.gpu.kernels import Elementwise
from ...engine.params import Params
from ...errors import OptionError
from .guard import HEALTHY, _in_place
from .optimizer import Optimizer


def momentum(theta: Array, grad: Array, v: Array, lr: float, rho: float) -> None:
    """Update theta and v (P,) in place."""
    v[...] = rho * v + grad  # (1)
    theta -= lr * v  # (2)


# The kernel: one pass. With 627,200 numbers, float32, reference / kernel: 2.3.


@loop
def _momentum(theta, grad, v, lr, rho):  # noqa: ANN001, ANN202
    for i in range(theta.size):
        v[i] = rho * v[i] + grad[i]  # (1)
        theta[i] -= lr * v[i]  # (2)


@kernel("numba", of=momentum)
def momentum_numba(theta: Array, grad: Array, v: Array, lr: float, rho: float) -> None:
    """Kernel of `momentum`."""
    _in_place(theta=theta, grad=grad, v=v)
    in_parts(_momentum, (theta, grad, v), theta.dtype.type(lr), theta.dtype.type(rho))


_MOMENTUM_CUDA = Elementwise(
    "momentum",
    "T lr, T rho, float64 health, float64 factor",
    "T theta, T grad, T v",
    """
    if (health >= 0) {
        if (factor < 1) grad *= T(factor);
        v = rho * v + grad;  // (1)
        theta -= lr * v;  // (2)
    }
    """,
)


@kernel("cuda", of=momentum)
def momentum_cuda(
    theta: Array, grad: Array, v: Array, lr: float, rho: float, guard: tuple = HEALTHY
) -> None:
    """Kernel of `momentum`."""
    _MOMENTUM_CUDA(lr, rho, *guard, theta, grad, v)


@door
class Momentum(Optimizer):
    """Gradient descent with momentum, equations (1) and (2); `rho` in [0, 1)."""

    kind = "momentum"
    moments = ("v",)
    hyperparameters = ("lr", "rho", "clip_norm")

    def __init__(self, lr: float, rho: float = 0.9, clip_norm: float | None = None) -> None:
        super().__init__(lr, clip_norm)
        if not 0 <= rho < 1:
            raise OptionError(f"rho={rho} was given, but momentum must be in [0, 1).")
        self.rho = rho

    def update(self, params: Params) -> None:
        """Apply (1) and (2)."""
        theta, grad = params.theta, params.grad
        numbers = {"lr": self.rate, "rho": self.rho}
        params.backend.call(momentum, theta, grad, **self.state, **numbers, out=self.extras)
