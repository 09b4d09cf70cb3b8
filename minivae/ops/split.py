r"""Split: one array is cut into two that lie side by side, and their gradients are joined again.

The first $a$ columns of $x$ go one way, the others another:

$$ l_{nj} = x_{nj}, \quad j < a \tag{1} $$
$$ r_{nj} = x_{n, a + j} \tag{2} $$

Each entry of $x$ is one entry of $l$ or of $r$ and acts through nothing else. So its gradient is
that entry's, and lies where the entry came from:

$$ dx = (dl \;\; dr) \tag{3} $$

An encoder computes both its heads so: one product with the weights of both gives them side by side,
which is faster than two. In its backward pass the product of (3) with the transposed weights is
$dl \, W_l^\top + dr \, W_r^\top$: the sum of what the two heads send back to the layer that feeds
both, as `ops/fork.py` asks for.
"""

from ..engine import Array, Case, array_module
from ..engine.door import door
from ..engine.kinds import Count


@door
def forward(x: Array, at: Count) -> tuple[tuple[Array, Array], tuple]:
    """Cut x (..., D) into its first `at` columns and the rest, both views."""
    return (x[..., :at], x[..., at:]), ()  # (1), (2)


@door
def backward(dleft: Array, dright: Array) -> Array:
    """Gradient dx (..., D) from those of the two parts, dleft (..., L) and dright (..., R)."""
    xp = array_module(dleft, dright)
    return xp.concatenate([dleft, dright], axis=-1)  # (3)


def _swapped(x: Array, at: Count) -> tuple[Array, tuple]:
    """Both parts as the one output that a case has, the right one first, so that order counts."""
    (left, right), _ = forward(x, at)
    return array_module(x).concatenate([right, left], axis=-1), (right,)


def _swapped_back(dy: Array, right: Array) -> Array:
    width = right.shape[-1]
    return backward(dy[..., width:], dy[..., :width])


CASES = [
    Case(
        "split",
        _swapped,
        _swapped_back,
        vary={"x": ("B", "D")},
        options={"at": 2},
        output=("B", "D"),
        layer=None,  # an encoder and a likelihood run it by themselves
    ),
]
