r"""Optimizers on the flat pair: one loop over `theta` and `grad`, whatever the layers.

With gradient $g$ and learning rate $\eta$, step $t = 1, 2, \dots$:

**SGD** $$ \theta \leftarrow \theta - \eta g \tag{1} $$

**Momentum** (Polyak 1964; in the form of Sutskever et al. 2013, with $\eta$ outside):
$$ v \leftarrow \rho v + g \tag{2} $$
$$ \theta \leftarrow \theta - \eta v \tag{3} $$

**Adam** (Kingma and Ba 2015, algorithm 1). Running means of the gradient and of its square start at
zero, so they are too small at first, by the factors $1 - \beta_1^t$ and $1 - \beta_2^t$; dividing
by these corrects the bias:
$$ m \leftarrow \beta_1 m + (1 - \beta_1) g \tag{4} $$
$$ v \leftarrow \beta_2 v + (1 - \beta_2) g^2 \tag{5} $$
$$ \theta \leftarrow \theta
   - \eta \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} \tag{6} $$

**AdamW** (Loshchilov and Hutter 2019): before (6), the weights shrink by a factor of their own,
which Adam's scaling does not touch:
$$ \theta \leftarrow (1 - \eta \lambda) \, \theta \tag{7} $$

**Clipping** by the norm of the whole gradient (Pascanu et al. 2013):
$$ g \leftarrow g \cdot \min(1, c / \|g\|) \tag{8} $$
"""

import math
from numbers import Real
from typing import Any

import numpy as np

from .backend import Array, array_module, kernel
from .cuda import Elementwise, Reduction
from .errors import CheckpointError, NonFiniteError, OptionError, ShapeError
from .loop import loop, together
from .params import Params


def sgd(theta: Array, grad: Array, lr: float) -> None:
    """Update theta (P,) in place."""
    theta -= lr * grad  # (1)


def momentum(theta: Array, grad: Array, v: Array, lr: float, rho: float) -> None:
    """Update theta and v (P,) in place."""
    v[...] = rho * v + grad  # (2)
    theta -= lr * v  # (3)


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
    m[...] = beta1 * m + (1 - beta1) * grad  # (4)
    v[...] = beta2 * v + (1 - beta2) * grad * grad  # (5)
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    if weight_decay:
        theta *= 1 - lr * weight_decay  # (7)
    theta -= lr * m_hat / (xp.sqrt(v_hat) + eps)  # (6)


# The kernels: one pass over the flat arrays, which is about as long as memory takes to deliver
# them. The corrections of the bias are the same for all entries, so they are numbers outside.
# With 627,200 numbers, float32, reference / kernel: sgd 1.8, momentum 2.3, adam 22 (the reference
# makes ten temporary arrays of that size).


@loop
def _sgd(theta, grad, lr):  # noqa: ANN001, ANN202
    for i in range(theta.size):
        theta[i] -= lr * grad[i]  # (1)


@loop
def _momentum(theta, grad, v, lr, rho):  # noqa: ANN001, ANN202
    for i in range(theta.size):
        v[i] = rho * v[i] + grad[i]  # (2)
        theta[i] -= lr * v[i]  # (3)


@loop
def _adam(theta, grad, m, v, beta1, rest1, beta2, rest2, rate, per_root, eps, shrink):  # noqa: ANN001, ANN202
    for i in range(theta.size):
        g = grad[i]
        m[i] = beta1 * m[i] + rest1 * g  # (4)
        v[i] = beta2 * v[i] + rest2 * g * g  # (5)
        theta[i] = shrink * theta[i] - rate * m[i] / (math.sqrt(v[i]) * per_root + eps)  # (6), (7)


def _in_place(**arrays: Array) -> None:
    """Refuse arrays that a kernel cannot change in place."""
    for name, array in arrays.items():
        if array.ndim != 1 or not array.flags.c_contiguous:
            raise ShapeError(
                f"{name} has shape {array.shape} and strides {array.strides}, but an optimizer "
                "changes flat arrays (P,) in place; give those of `Params`."
            )
    together(**arrays)


@kernel("numba", of=sgd)
def sgd_numba(theta: Array, grad: Array, lr: float) -> None:
    """Kernel of `sgd`."""
    _in_place(theta=theta, grad=grad)
    _sgd(theta, grad, theta.dtype.type(lr))


@kernel("numba", of=momentum)
def momentum_numba(theta: Array, grad: Array, v: Array, lr: float, rho: float) -> None:
    """Kernel of `momentum`."""
    _in_place(theta=theta, grad=grad, v=v)
    _momentum(theta, grad, v, theta.dtype.type(lr), theta.dtype.type(rho))


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
    _adam(theta, grad, m, v, *map(theta.dtype.type, numbers))


# On the GPU: one launch for an update, and two before it that decide whether there is to be one.
# The host does not wait to hear of it (`Optimizer.settle`), so the kernels look at `health`
# themselves: 0 or more is the square of the gradient's norm; below 0, minus the number of the step
# whose gradient was refused, and so is every update from there on. `factor` is that of (8).

_SGD_CUDA = Elementwise(
    "sgd",
    "T lr, float64 health, float64 factor",
    "T theta, T grad",
    """
    if (health >= 0) {
        if (factor < 1) grad *= T(factor);  // (8)
        theta -= lr * grad;  // (1)
    }
    """,
)

_MOMENTUM_CUDA = Elementwise(
    "momentum",
    "T lr, T rho, float64 health, float64 factor",
    "T theta, T grad, T v",
    """
    if (health >= 0) {
        if (factor < 1) grad *= T(factor);  // (8)
        v = rho * v + grad;  // (2)
        theta -= lr * v;  // (3)
    }
    """,
)

_ADAM_CUDA = Elementwise(
    "adam",
    "T beta1, T rest1, T beta2, T rest2, T rate, T per_root, T eps, T shrink, "
    "float64 health, float64 factor",
    "T theta, T grad, T m, T v",
    """
    if (health >= 0) {
        if (factor < 1) grad *= T(factor);  // (8)
        m = beta1 * m + rest1 * grad;  // (4)
        v = beta2 * v + rest2 * grad * grad;  // (5)
        theta = shrink * theta - rate * m / (sqrt(v) * per_root + eps);  // (6), (7)
    }
    """,
)

_SQUARE_CUDA = Reduction(
    "squared_norm", "T grad", "float64 square", "double(grad) * double(grad)", "square = a"
)

_GUARD_CUDA = Elementwise(
    "guard",
    "float64 square, float64 limit, float64 clip_norm, float64 t",
    "float64 health, float64 factor",
    """
    bool clipped = square > clip_norm * clip_norm && isfinite(square);
    factor = clipped ? clip_norm / sqrt(square) : 1;  // (8)
    if (health >= 0) health = clipped || square <= limit ? square : -t;
    """,
)

HEALTHY = (0.0, 1.0)
"""Health and factor of a gradient that nobody has looked at."""


@kernel("cuda", of=sgd)
def sgd_cuda(theta: Array, grad: Array, lr: float, guard: tuple = HEALTHY) -> None:
    """Kernel of `sgd`."""
    _SGD_CUDA(lr, *guard, theta, grad)


@kernel("cuda", of=momentum)
def momentum_cuda(
    theta: Array, grad: Array, v: Array, lr: float, rho: float, guard: tuple = HEALTHY
) -> None:
    """Kernel of `momentum`."""
    _MOMENTUM_CUDA(lr, rho, *guard, theta, grad, v)


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


def check_finite(params: Params) -> float:
    """Return the norm of the gradient; refuse one that holds NaN or infinity.

    Raises
    ------
    NonFiniteError
        Naming the first parameter whose gradient is not finite.
    """
    xp = params.backend.xp
    with np.errstate(over="ignore"):
        norm = math.sqrt(abs(float(xp.vdot(params.grad, params.grad))))
    if math.isfinite(norm):
        return norm
    # Either some entry is not finite, or the squares overflowed; then the largest is taken out.
    bad = ~xp.isfinite(params.grad)
    if not bool(bad.any()):
        largest = float(abs(params.grad).max())
        return largest * float(xp.linalg.norm(params.grad / largest))
    index = int(bad.argmax())
    raise NonFiniteError(
        f"the gradient of {params.name_at(index)!r} holds {float(params.grad[index])} "
        f"({int(bad.sum())} of {params.grad.size} entries of the whole gradient are not finite); "
        "the update was refused and the weights are unchanged: lower the learning rate, "
        "clip the gradient's norm, or look for NaN in the data."
    )


class Optimizer:
    """Base: refuse a gradient that is not finite, clip, update.

    Parameters
    ----------
    lr : float
        Learning rate, above 0.
    clip_norm : float, optional
        Largest norm of the whole gradient.
    """

    kind = ""
    """Name of the rule in a configuration."""
    moments: tuple[str, ...] = ()
    """Names of the flat arrays (P,) that the optimizer keeps."""
    squares = False
    """Whether the rule squares the gradient, which may overflow where the gradient does not."""
    hyperparameters: tuple[str, ...] = ("lr", "clip_norm")
    """Names of what the constructor takes."""

    def __init__(self, lr: float, clip_norm: float | None = None) -> None:
        if not (isinstance(lr, Real) and lr > 0 and math.isfinite(lr)):
            raise OptionError(f"lr={lr!r} was given, but a learning rate is a number above 0.")
        if clip_norm is not None and not clip_norm > 0:
            raise OptionError(f"clip_norm={clip_norm} was given, but it must be above 0.")
        self.lr, self.clip_norm = lr, clip_norm
        self.t = 0
        self.state: dict[str, Array] = {}
        self.guard: tuple[Array, Array] | None = None

    @property
    def config(self) -> dict[str, Any]:
        """What builds this optimizer again, as JSON types."""
        return {"kind": self.kind} | {name: getattr(self, name) for name in self.hyperparameters}

    def step(self, params: Params) -> None:
        """Update `params.theta` in place from `params.grad`.

        On a device the step is queued, and nobody waits to hear whether its gradient was finite.
        If it was not, the device refuses this update and all later ones, and `settle` says so.

        Raises
        ------
        NonFiniteError
            If the gradient holds NaN or infinity, or its square would; then nothing is changed.
        """
        if not params.backend.waits:
            self._queue_step(params)
            return
        norm = check_finite(params)
        if self.clip_norm is not None and norm > self.clip_norm:
            params.grad *= self.clip_norm / norm  # (8)
        else:
            self._check_square(norm, params)
        if not self.state:
            self.state = {name: params.backend.xp.zeros_like(params.theta) for name in self.moments}
        self.t += 1
        self.update(params)

    def _check_square(self, norm: float, params: Params) -> None:
        """Refuse a gradient, not clipped, whose square the rule cannot take."""
        if norm > math.sqrt(self._limit(params)):
            raise NonFiniteError(
                f"the norm of the gradient is {norm:.1e}, whose square is too large for "
                f"{params.dtype}; the update was refused and the weights are unchanged: clip the "
                "gradient's norm or lower the learning rate."
            )

    def _limit(self, params: Params) -> float:
        """Largest square of the gradient's norm that the rule takes, if it is not clipped."""
        return float(np.finfo(params.dtype if self.squares else "float64").max)

    def _queue_step(self, params: Params) -> None:
        xp = params.backend.xp
        if self.guard is None:
            self.guard = xp.zeros((), "float64"), xp.ones((), "float64")
        if not self.state:
            self.state = {name: xp.zeros_like(params.theta) for name in self.moments}
        self.t += 1
        clip_norm = math.inf if self.clip_norm is None else self.clip_norm
        square = _SQUARE_CUDA(params.grad)
        _GUARD_CUDA(square, self._limit(params), clip_norm, self.t, *self.guard)
        self.update(params)

    def settle(self, params: Params) -> None:
        """Wait for the device, and learn whether it has refused an update; elsewhere do nothing.

        Raises
        ------
        NonFiniteError
            If the gradient of a step held NaN or infinity, or its square would. The weights are
            those before that step, and `t` counts the steps up to there.
        """
        if self.guard is None:
            return
        health, self.guard = float(self.guard[0]), None
        if health >= 0:
            return
        self.t, refused = int(-health) - 1, self.t
        norm = check_finite(params)  # says more, if the last gradient is bad
        if self.clip_norm is None:
            self._check_square(norm, params)
        raise NonFiniteError(
            f"the gradient of update {self.t + 1} held NaN, infinity or numbers whose squares are "
            f"too large; this update and all up to {refused} were refused and the weights are "
            "unchanged since: lower the learning rate, clip the gradient's norm, or look for NaN "
            "in the data."
        )

    @property
    def extras(self) -> dict[str, Any]:
        """What a kernel of the rule is given beside the arguments of its reference."""
        return {} if self.guard is None else {"guard": self.guard}

    def update(self, params: Params) -> None:
        """Apply the rule; `step` has checked and clipped the gradient."""
        raise TypeError(f"{type(self).__name__} must define update")

    def load_state(self, t: int, state: dict[str, np.ndarray], params: Params) -> None:
        """Take over step count and moments, from the host, of an optimizer of the same kind.

        Raises
        ------
        CheckpointError
            If the moments are not this optimizer's, or have another size than `params`.
        """
        if not (isinstance(t, int) and t >= 0):
            raise CheckpointError(f"t={t!r} was given, but steps are counted from 0.")
        wanted = dict.fromkeys(self.moments, params.theta.shape) if t else {}
        given = {name: array.shape for name, array in state.items()}
        if given != wanted:
            raise CheckpointError(
                f"the optimizer's state holds {given}, but {type(self).__name__} on this model "
                f"needs {wanted}; resume with the optimizer and the widths of the run."
            )
        self.t = t
        self.state = {
            name: params.backend.asarray(array.copy(), params.dtype)
            for name, array in state.items()
        }


class SGD(Optimizer):
    """Plain gradient descent, equation (1)."""

    kind = "sgd"

    def update(self, params: Params) -> None:
        """Apply (1)."""
        params.backend.call(sgd, params.theta, params.grad, lr=self.lr, out=self.extras)


class Momentum(Optimizer):
    """Gradient descent with momentum, equations (2) and (3); `rho` in [0, 1)."""

    kind = "momentum"
    moments = ("v",)
    hyperparameters = ("lr", "rho", "clip_norm")

    def __init__(self, lr: float, rho: float = 0.9, clip_norm: float | None = None) -> None:
        super().__init__(lr, clip_norm)
        if not 0 <= rho < 1:
            raise OptionError(f"rho={rho} was given, but momentum must be in [0, 1).")
        self.rho = rho

    def update(self, params: Params) -> None:
        """Apply (2) and (3)."""
        theta, grad = params.theta, params.grad
        numbers = {"lr": self.lr, "rho": self.rho}
        params.backend.call(momentum, theta, grad, **self.state, **numbers, out=self.extras)


class Adam(Optimizer):
    """Adam, equations (4) to (6)."""

    kind = "adam"
    squares = True
    moments = ("m", "v")
    hyperparameters = ("lr", "beta1", "beta2", "eps", "clip_norm")
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
        """Apply (4) to (6), and (7) if there is a weight decay."""
        params.backend.call(
            adam,
            params.theta,
            params.grad,
            **self.state,
            t=self.t,
            lr=self.lr,
            beta1=self.beta1,
            beta2=self.beta2,
            eps=self.eps,
            weight_decay=self.weight_decay,
            out=self.extras,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay, equation (7)."""

    kind = "adamw"
    hyperparameters = (*Adam.hyperparameters, "weight_decay")

    def __init__(self, lr: float = 1e-3, weight_decay: float = 0.01, **options: float) -> None:
        super().__init__(lr, **options)
        if not weight_decay >= 0:
            raise OptionError(f"weight_decay={weight_decay} was given, but it must be 0 or more.")
        self.weight_decay = weight_decay


OPTIMIZERS: dict[str, type[Optimizer]] = {rule.kind: rule for rule in (SGD, Momentum, Adam, AdamW)}
