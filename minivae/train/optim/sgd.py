r"""Stochastic gradient descent: against the gradient $g$, with the learning rate $\eta$.

$$ \theta \leftarrow \theta - \eta g \tag{1} $$

The gradient of a minibatch is a noisy one of all the data; its noise averages out over the steps.
Source: Robbins and Monro (1951).
"""

from ...engine.backend import Array, kernel
from ...engine.cpu.loop import loop
from ...engine.cpu.team import in_parts
from ...engine.door import door
from ...engine.gpu.kernels import Elementwise
from ...engine.params import Params
from .guard import HEALTHY, _in_place
from .optimizer import Optimizer


def sgd(theta: Array, grad: Array, lr: float) -> None:
    """Update theta (P,) in place."""
    theta -= lr * grad  # (1)


# The kernel: one pass. With 627,200 numbers, float32, reference / kernel: 1.8.


@loop
def _sgd(theta, grad, lr):  # noqa: ANN001, ANN202
    for i in range(theta.size):
        theta[i] -= lr * grad[i]  # (1)


@kernel("numba", of=sgd)
def sgd_numba(theta: Array, grad: Array, lr: float) -> None:
    """Kernel of `sgd`."""
    _in_place(theta=theta, grad=grad)
    in_parts(_sgd, (theta, grad), theta.dtype.type(lr))


_SGD_CUDA = Elementwise(
    "sgd",
    "T lr, float64 health, float64 factor",
    "T theta, T grad",
    """
    if (health >= 0) {
        if (factor < 1) grad *= T(factor);
        theta -= lr * grad;  // (1)
    }
    """,
)


@kernel("cuda", of=sgd)
def sgd_cuda(theta: Array, grad: Array, lr: float, guard: tuple = HEALTHY) -> None:
    """Kernel of `sgd`."""
    _SGD_CUDA(lr, *guard, theta, grad)


@door
class SGD(Optimizer):
    """Plain gradient descent, equation (1)."""

    kind = "sgd"

    def update(self, params: Params) -> None:
        """Apply (1)."""
        params.backend.call(sgd, params.theta, params.grad, lr=self.rate, out=self.extras)
