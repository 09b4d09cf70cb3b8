r"""Fork: what feeds several branches receives the sum of what they send back.

One array $x$ is used in $n$ places, and each use is a branch of its own:

$$ y_k = x, \quad k = 1 \dots n \tag{1} $$

A small change of $x$ changes all the copies at once, and each of them changes the loss, so

$$ \delta L = \sum_k dy_k \, \delta y_k = \Big( \sum_k dy_k \Big) \, \delta x $$

holds entry by entry, and what stands before $\delta x$ is the gradient:

$$ dx = \sum_k dy_k \tag{2} $$

The mistake of the field is made here: a branch is forgotten, or its gradient overwrites that of
the branch before. What is left is the gradient of *another* loss, so the training runs, falls, and
ends in the wrong place.

The forward pass computes nothing, so a model takes $x$ wherever it needs it; only the sum of the
backward pass is a call.
"""

from ..engine import Array, Case, array_module, door
from ..engine.kinds import Count


@door
def forward(x: Array, n: Count) -> tuple[Array, tuple]:
    """Give x (B, ...) to n branches: y (B, n, ...), a view, which holds each row n times."""
    xp = array_module(x)
    return xp.broadcast_to(x[:, None], (len(x), n, *x.shape[1:])), ()  # (1)


@door
def backward(dy: Array) -> Array:
    """Gradient dx (B, ...) from what n branches send back, dy (B, n, ...)."""
    return dy.sum(axis=1)  # (2)


@door
def backward_two(dy_1: Array, dy_2: Array) -> Array:
    """Gradient dx of what feeds two branches, in the shape of both, dy_1 and dy_2: their sum."""
    return dy_1 + dy_2  # (2)


CASES = [
    Case(
        "fork",
        forward,
        backward,
        vary={"x": ("B", "D")},
        options={"n": 2},
        output=("B", "2", "D"),
        layer=None,  # the sum is a call of whoever forks
    ),
]
