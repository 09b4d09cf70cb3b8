r"""Standard normal noise, and Gumbel noise, made from the uniform noise of a host generator.

Two independent uniform numbers $u_1, u_2$ in [0, 1) become two independent normal ones, a random
radius and a random direction in the plane:

$$ r = \sqrt{-2 \ln (1 - u_1)} \tag{1} $$
$$ \varepsilon_1 = r \cos 2 \pi u_2, \quad \varepsilon_2 = r \sin 2 \pi u_2 \tag{2} $$

Why: the density of two standard normal numbers, $e^{-(\varepsilon_1^2 + \varepsilon_2^2) / 2} /
2\pi$, depends on the radius alone, so the direction is uniform; and $P(r > s) = e^{-s^2 / 2}$,
which $1 - u_1$ has to be. As $u_1$ is a multiple of $2^{-24}$ in float32, no number is beyond 5.8
standard deviations.

Why not the generator's own normal numbers: it makes them one at a time, by comparing and drawing
again, in 8 ns each, and with 50 samples an example that is a tenth of a training step. A uniform
number takes 1.3 ns, and (1) and (2) are the same arithmetic for all of them.

**Gumbel noise**, from one uniform number each: with $P(G \le t) = e^{-e^{-t}}$,

$$ g = -\ln(-\ln(1 - u)) \tag{3} $$

where a $u$ of 0, which has no logarithm twice, counts as half of the smallest that is not 0.

Source: Box and Muller (1958); Gumbel (1954).
"""

import math

import numpy as np

from ..errors import ShapeError
from .backend import Array, Backend, array_module, kernel
from .cpu.elementary import log, turn
from .cpu.loop import loop, together
from .cpu.team import COSTLY, in_parts
from .cpu.workspace import empty
from .door import door
from .gpu.kernels import Elementwise


@door
def normal(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype, backend: Backend
) -> Array:
    """Draw standard normal noise: uniform on the host, made normal where it is needed.

    Parameters
    ----------
    rng : numpy.random.Generator
        Gives one uniform number for each normal one, and one more for each row of an odd width:
        pairs lie within a row, so the noise of an example does not depend on how many examples are
        drawn for at once.
    shape : tuple of int, (..., width)
        Shape.
    dtype : {float32, float64}
        dtype of the noise.
    backend : Backend
        Where it is needed.

    Returns
    -------
    array of `shape`
    """
    *rows, width = shape
    pairs = -(-width // 2)
    u = empty((math.prod(rows) * pairs, 2), dtype)
    rng.random(out=u, dtype=dtype)
    noise = backend.call(from_uniform, backend.asarray(u, dtype)).reshape(*rows, 2 * pairs)
    if width == 2 * pairs:
        return noise
    if not backend.shares:
        return backend.xp.ascontiguousarray(noise[..., :width])
    narrow = empty(shape, dtype)
    narrow[...] = noise[..., :width]
    return narrow


@door
def gumbel(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype, backend: Backend
) -> Array:
    """Draw Gumbel noise; parameters as those of `normal`, one uniform number for each."""
    u = empty(shape, dtype)
    rng.random(out=u, dtype=dtype)
    return backend.call(gumbel_from_uniform, backend.asarray(u, dtype))


@door
def gumbel_from_uniform(u: Array) -> Array:
    """Gumbel noise (...) from uniform numbers in [0, 1), u (...)."""
    xp = array_module(u)
    least = 2.0**-25 if u.dtype == np.float32 else 2.0**-54
    return -xp.log(-xp.log1p(-xp.maximum(u, least)))  # (3)


@door
def from_uniform(u: Array) -> Array:
    """Standard normal numbers (n, 2) from uniform ones in [0, 1), u (n, 2)."""
    xp = array_module(u)
    r = xp.sqrt(-2 * xp.log(1 - u[:, 0]))  # (1)
    angle = 2 * math.pi * u[:, 1]
    return xp.stack([r * xp.cos(angle), r * xp.sin(angle)], axis=1)  # (2)


# The kernel: one pass, with the polynomials of `elementary.py`. As cos and sin are wanted for v
# between -1/2 and 1/2, v = u_2 - 1/2, which turns both of their signs.


@loop
def _from_uniform(u):  # noqa: ANN001, ANN202
    one, half, two = u.dtype.type(1), u.dtype.type(0.5), u.dtype.type(2)
    for i in range(u.shape[0]):
        r = math.sqrt(-two * log(one - u[i, 0]))  # (1)
        cos, sin = turn(u[i, 1] - half)
        u[i, 0], u[i, 1] = -r * cos, -r * sin  # (2)


@kernel("numba", of=from_uniform)
def from_uniform_numba(u: Array) -> Array:
    """Kernel of `from_uniform`; the result takes the place of u."""
    if u.ndim != 2 or u.shape[1] != 2:
        raise ShapeError(f"u has shape {u.shape}; give pairs of uniform numbers, (n, 2).")
    (u,) = together(u=u)
    in_parts(_from_uniform, (u,), least=COSTLY)
    return u


# On the GPU: one launch instead of ten.

_FROM_UNIFORM_CUDA = Elementwise(
    "normal",
    "T u1, T u2",
    "T eps1, T eps2",
    """
    T r = sqrt(T(-2) * log(T(1) - u1));  // (1)
    T angle = T(6.283185307179586) * (u2 - T(0.5));
    eps1 = -r * cos(angle);  // (2)
    eps2 = -r * sin(angle);  // (2)
    """,
)


@kernel("cuda", of=from_uniform)
def from_uniform_cuda(u: Array) -> Array:
    """Kernel of `from_uniform`."""
    eps = array_module(u).empty(u.shape, u.dtype)
    _FROM_UNIFORM_CUDA(u[:, 0], u[:, 1], eps[:, 0], eps[:, 1])
    return eps
