r"""Adam and AdamW: each entry has a step of its own, by the size that its gradient has had.

With gradient $g$, learning rate $\eta$, step $t = 1, 2, \dots$:

**Adam** (Kingma and Ba 2015, algorithm 1). Running means of the gradient and of its square start at
zero, so they are too small at first, by the factors $1 - \beta_1^t$ and $1 - \beta_2^t$; dividing
by these corrects the bias:

$$ m \leftarrow \beta_1 m + (1 - \beta_1) g \tag{1} $$
$$ v \leftarrow \beta_2 v + (1 - \beta_2) g^2 \tag{2} $$
$$ \theta \leftarrow \theta
   - \eta \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} \tag{3} $$

**AdamW** (Loshchilov and Hutter 2019): before (3), the weights shrink by a factor of their own,
which Adam's scaling does not touch:

$$ \theta \leftarrow (1 - \eta \lambda) \, \theta \tag{4} $$
"""

import math
from typing import Any

from ...engine.backend import Array, array_module, kernel
from ...engine.cpu.loop import loop
from ...engine.cpu.team import COSTLY, in_parts
from ...engine.door import door
from ...engine.gpu.kernels import Elementwise
from ...engine.params import Params
from ...errors import OptionError
from .guard import HEALTHY, _in_place
from .optimizer import Optimizer


def adam(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Update theta, m and v (P,) in place; t counts from 1."""
    xp = array_module(theta, grad)
    m[...] = beta1 * m + (1 - beta1) * grad  # (1)
    v[...] = beta2 * v + (1 - beta2) * grad * grad  # (2)
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    if weight_decay:
        theta *= 1 - lr * weight_decay  # (4)
    theta -= lr * m_hat / (xp.sqrt(v_hat) + eps)  # (3)


# The kernel: one pass over the flat arrays, which is about as long as memory takes to deliver
# them. The corrections of the bias are the same for all entries, so they are numbers outside. With
# 627,200 numbers, float32, reference / kernel: 22 (the reference makes ten temporary arrays of that
# size).


@loop
def _adam(theta, grad, m, v, beta1, rest1, beta2, rest2, rate, per_root, eps, shrink):  # noqa: ANN001, ANN202
    for i in range(theta.size):
        g = grad[i]
        m[i] = beta1 * m[i] + rest1 * g  # (1)
        v[i] = beta2 * v[i] + rest2 * g * g  # (2)
        theta[i] = shrink * theta[i] - rate * m[i] / (math.sqrt(v[i]) * per_root + eps)  # (3), (4)


@kernel("numba", of=adam)
def adam_numba(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Kernel of `adam`."""
    _in_place(theta=theta, grad=grad, m=m, v=v)
    rate, per_root = lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    shrink = 1 - lr * weight_decay
    numbers = (beta1, 1 - beta1, beta2, 1 - beta2, rate, per_root, eps, shrink)
    in_parts(_adam, (theta, grad, m, v), *map(theta.dtype.type, numbers), least=COSTLY)


_ADAM_CUDA = Elementwise(
    "adam",
    "T beta1, T rest1, T beta2, T rest2, T rate, T per_root, T eps, T shrink, "
    "float64 health, float64 factor",
    "T theta, T grad, T m, T v",
    """
    if (health >= 0) {
        if (factor < 1) grad *= T(factor);
        m = beta1 * m + rest1 * grad;  // (1)
        v = beta2 * v + rest2 * grad * grad;  // (2)
        theta = shrink * theta - rate * m / (sqrt(v) * per_root + eps);  // (3), (4)
    }
    """,
)


@kernel("cuda", of=adam)
def adam_cuda(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    guard: tuple = HEALTHY,
) -> None:
    """Kernel of `adam`."""
    rate, per_root = lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    numbers = (beta1, 1 - beta1, beta2, 1 - beta2, rate, per_root, eps, 1 - lr * weight_decay)
    _ADAM_CUDA(*numbers, *guard, theta, grad, m, v)


@door
class Adam(Optimizer):
    """Adam, equations (1) to (3)."""

    kind = "adam"
    squares = True
    moments = ("m", "v")
    hyperparameters: tuple[str, ...] = ("lr", "beta1", "beta2", "eps", "clip_norm")
    weight_decay = 0.0

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(lr, clip_norm)
        if not (0 <= beta1 < 1 and 0 <= beta2 < 1 and eps > 0):
            raise OptionError(
                f"beta1={beta1}, beta2={beta2}, eps={eps} were given, "
                "but both betas must be in [0, 1) and eps above 0."
            )
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def update(self, params: Params) -> None:
        """Apply (1) to (3), and (4) if there is a weight decay."""
        params.backend.call(
            adam,
            params.theta,
            params.grad,
            **self.state,
            t=self.t,
            lr=self.rate,
            beta1=self.beta1,
            beta2=self.beta2,
            eps=self.eps,
            weight_decay=self.weight_decay,
            out=self.extras,
        )


@door
class AdamW(Adam):
    """Adam with decoupled weight decay, equation (4)."""

    kind = "adamw"
    hyperparameters = (*Adam.hyperparameters, "weight_decay")

    def __init__(self, lr: float = 1e-3, weight_decay: float = 0.01, **options: Any) -> None:
        super().__init__(lr, **options)
        if not weight_decay >= 0:
            raise OptionError(f"weight_decay={weight_decay} was given, but it must be 0 or more.")
        self.weight_decay = weight_decay
