r"""What looks at a gradient before it is used: its norm, and whether it is finite.

On a device nobody waits to hear of it, so the kernels of the rules look at two numbers themselves.
`health`: 0 or more is the square of the gradient's norm; below 0, minus the number of the step
whose gradient was refused, and so is every update from there on (`Optimizer.settle` says so).
`factor` is what the gradient is multiplied by where its norm $\|g\|$ exceeds the limit $c$:

$$ \text{factor} = \min(1, c / \|g\|) \tag{1} $$
"""

import math

import numpy as np

from ...engine.backend import Array, array_module, kernel
from ...engine.cpu.loop import loop, together
from ...engine.cpu.team import COSTLY, sum_in_parts
from ...engine.gpu.kernels import Elementwise, Reduction
from ...engine.params import Params
from ...errors import NonFiniteError, ShapeError


def _in_place(**arrays: Array) -> None:
    """Refuse arrays that a kernel cannot change in place."""
    for name, array in arrays.items():
        if array.ndim != 1 or not array.flags.c_contiguous:
            raise ShapeError(
                f"{name} has shape {array.shape} and strides {array.strides}, but an optimizer "
                "changes flat arrays (P,) in place; give those of `Params`."
            )
    together(**arrays)


def sum_of_squares(grad: Array) -> Array:
    """Square of the norm of the gradient (P,), for (1)."""
    xp = array_module(grad)
    return xp.vdot(grad, grad)


@loop(reorder=True)
def _sum_of_squares(grad, total):  # noqa: ANN001, ANN202
    one = grad.dtype.type(0)
    for i in range(grad.size):
        one += grad[i] * grad[i]
    total[0] = one


@kernel("numba", of=sum_of_squares)
def sum_of_squares_numba(grad: Array) -> Array:
    """Kernel of `sum_of_squares`."""
    _in_place(grad=grad)
    total = np.empty((), grad.dtype)
    sum_in_parts(_sum_of_squares, (grad,), total, least=COSTLY)
    return total


_SQUARE_CUDA = Reduction(
    "squared_norm", "T grad", "float64 square", "double(grad) * double(grad)", "square = a"
)


_GUARD_CUDA = Elementwise(
    "guard",
    "float64 square, float64 limit, float64 clip_norm, float64 t",
    "float64 health, float64 factor",
    """
    bool clipped = square > clip_norm * clip_norm && isfinite(square);
    factor = clipped ? clip_norm / sqrt(square) : 1;  // (1)
    if (health >= 0) health = clipped || square <= limit ? square : -t;
    """,  # (1)
)


HEALTHY = (0.0, 1.0)
"""Health and factor of a gradient that nobody has looked at."""


def check_finite(params: Params) -> float:
    """Return the norm of the gradient; refuse one that holds NaN or infinity.

    Raises
    ------
    NonFiniteError
        Naming the first parameter whose gradient is not finite.
    """
    xp = params.backend.xp
    with np.errstate(over="ignore"):
        norm = math.sqrt(float(params.backend.call(sum_of_squares, params.grad)))
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
