r"""Walks through a latent space: paths between latents, traversals, directions with a meaning.

Shapes: a latent is $z$ (Z,), several are (N, Z). Latents stay on the model's backend; images come
back as host arrays, since they are to be looked at.

**Interpolation.** The straight line

$$ z(t) = (1 - t) \, a + t \, b \tag{1} $$

passes closer to the origin than its ends do, and in many dimensions hardly any prior sample lies
there: the length of a draw from $\mathcal N(0, I)$ is about $\sqrt Z$. The spherical path turns
instead: with $u = a / |a|$, $v = b / |b|$ and the angle $\Omega$ between them,

$$ z(t) = \left( (1 - t) \, |a| + t \, |b| \right)
          \frac{\sin((1 - t) \Omega) \, u + \sin(t \Omega) \, v}{\sin \Omega} \tag{2} $$

The fraction has length 1 for every $t$ (Shoemake 1985), so the length of $z$ goes evenly from
$|a|$ to $|b|$ and never dips.

**Arithmetic.** What the members of one group have and those of another lack is, in the latent
space, a direction: the difference of the groups' mean latents,

$$ d = \frac{1}{|G|} \sum_{x \in G} \mu(x) - \frac{1}{|H|} \sum_{x \in H} \mu(x) \tag{3} $$

and $z + s \, d$ has more of it the larger $s$ is (Larsen et al. 2016, White 2016).

**A plane through many dimensions.** The singular value decomposition of the centred latents,

$$ \bar z = U S V^\top \tag{4} $$

has in the first two rows of $V^\top$ the directions along which they vary most; row k accounts for
the share $S_k^2 / \sum_j S_j^2$ of the variance.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...data.pixels import Pixels
from ...engine.backend import Array, array_module
from ...engine.door import door
from ...errors import DataError, OptionError, ShapeError
from ...models.base import Model
from ...models.rows import decode, encode, means
from ...ops import kl


@door
def linear(a: Array, b: Array, t: Sequence[float]) -> Array:
    """Latents (T, Z) on the straight line from a (Z,) at t = 0 to b (Z,) at t = 1."""
    _same_shape(a, b)
    return array_module(a, b).stack([(1 - s) * a + s * b for s in map(float, t)])  # (1)


@door
def spherical(a: Array, b: Array, t: Sequence[float]) -> Array:
    """Latents (T, Z) on the arc from a (Z,) at t = 0 to b (Z,) at t = 1.

    Where there is no arc, since a and b point the same way or one of them is 0, it is the line.

    Raises
    ------
    OptionError
        If a and b point in opposite directions, for then every arc is as good as another.
    """
    _same_shape(a, b)
    xp = array_module(a, b)
    length_a, length_b = (float(xp.sqrt((z * z).sum())) for z in (a, b))
    if length_a == 0 or length_b == 0:
        return linear(a, b, t)
    u, v = a / length_a, b / length_b
    apart, sum_ = (float(xp.sqrt((w * w).sum())) for w in (u - v, u + v))
    if apart < 1e-6:
        return linear(a, b, t)
    if sum_ < 1e-6:
        raise OptionError(
            "the two latents point in opposite directions, and no arc between them is shorter than "
            "the others; interpolate linearly."
        )
    omega = 2 * math.atan2(apart, sum_)
    path = []
    for s in map(float, t):
        length = (1 - s) * length_a + s * length_b
        from_a, from_b = (math.sin(x * omega) / math.sin(omega) for x in (1 - s, s))
        path.append(length * from_a * u + length * from_b * v)  # (2)
    return xp.stack(path)


PATHS: dict[str, Callable[[Array, Array, Sequence[float]], Array]] = {
    "linear": linear,
    "spherical": spherical,
}


@door
def interpolate(
    model: Model, x_a: np.ndarray, x_b: np.ndarray, n: int = 11, path: str = "linear"
) -> np.ndarray:
    """Decode a path between the latents of two data.

    Parameters
    ----------
    model : Model
        A VAE or an autoencoder.
    x_a, x_b : numpy.ndarray, (n_pixels,)
        Where it begins and ends.
    n : int
        Images on the path, both ends among them.
    path : {"linear", "spherical"}
        Equation (1) or (2).

    Returns
    -------
    numpy.ndarray, (n, n_pixels)

    Raises
    ------
    OptionError
        If n is below 2, or the path unknown, or as `spherical`.
    ShapeError
        If the data have another width than the model's.

    Examples
    --------
    >>> x = data.load("mnist5k").x_test
    >>> morph = explore.interpolate(model, x[0], x[1], path="spherical")
    >>> plots.save(plots.images(morph, (28, 28), columns=11), "morph.png")
    """
    if n < 2 or path not in PATHS:
        raise OptionError(
            f"n={n} and path={path!r} were given; n must be at least 2, and the path one of: "
            f"{', '.join(PATHS)}."
        )
    a, b = means(model, np.stack([x_a, x_b]))
    return decode(model, PATHS[path](a, b, np.linspace(0, 1, n)))


@door
def relevance(model: Model, x: np.ndarray | Pixels) -> np.ndarray:
    """How much each latent dimension is used on host data (N, n_pixels).

    Returns
    -------
    numpy.ndarray, (Z,), float64
        Mean KL from the prior in nats; for an autoencoder, which has none, the codes' variance.
    """
    mu, logvar = encode(model, x)
    if logvar is None:
        return mu.astype("float64").var(axis=0)
    per_dim, _ = kl.forward(mu, logvar)
    return per_dim.astype("float64").mean(axis=0)


@door
def traverse(
    model: Model, z: Array, values: Sequence[float], dims: Sequence[int] | None = None
) -> np.ndarray:
    """Decode one latent with one of its entries changed at a time.

    Parameters
    ----------
    model : Model
        A VAE or an autoencoder.
    z : array, (Z,)
        Where the walks cross, such as a row of `means`.
    values : sequence of float
        What the entry is set to, one image each.
    dims : sequence of int, optional
        The entries to change; all by default.

    Returns
    -------
    numpy.ndarray, (len(dims), len(values), n_pixels)

    Raises
    ------
    OptionError
        If there is no such entry.
    """
    dims = range(z.shape[0]) if dims is None else dims
    if not all(0 <= dim < z.shape[0] for dim in dims):
        raise OptionError(
            f"dims={list(dims)} were given, but the latent has the entries 0 to {z.shape[0] - 1}."
        )
    walks = array_module(z).stack([z] * (len(dims) * len(values)))
    walks = walks.reshape(len(dims), len(values), -1)
    for row, dim in enumerate(dims):
        for column, value in enumerate(values):
            walks[row, column, dim] = float(value)
    return decode(model, walks)


@door
def attribute(model: Model, having: np.ndarray | Pixels, lacking: np.ndarray | Pixels) -> Array:
    """Direction (Z,) from the mean latent of one group of data to that of another.

    Parameters
    ----------
    model : Model
        A VAE or an autoencoder.
    having, lacking : numpy.ndarray or Pixels, (N, n_pixels) and (M, n_pixels)
        Host data with the attribute, and without it.

    Examples
    --------
    >>> smile = explore.attribute(model, x[smiling], x[~smiling])
    >>> z = explore.means(model, x[:8])
    >>> more = explore.decode(model, z + 1.5 * smile)
    """
    return means(model, having).mean(axis=0) - means(model, lacking).mean(axis=0)  # (3)


@door
def principal_plane(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plane in which host latents (N, Z) vary most.

    Returns
    -------
    plane : numpy.ndarray, (N, 2)
        Their coordinates in it, relative to their mean.
    directions : numpy.ndarray, (2, Z)
        Unit vectors that span it; the largest entry of each is positive.
    share : numpy.ndarray, (2,)
        Share of the variance along each.

    Raises
    ------
    ShapeError
        If there are fewer than 2 latents, or fewer than 2 dimensions.
    """
    if z.ndim != 2 or min(z.shape) < 2:
        raise ShapeError(
            f"latents of shape {z.shape} were given, but a plane is laid through at least 2 "
            "latents of at least 2 dimensions."
        )
    if z.dtype.kind != "f" or z.itemsize not in (4, 8) or not np.isfinite(z).all():
        raise DataError(
            f"latents of {z.dtype} were given, or some that are not finite; give finite numbers in "
            "float32 or float64."
        )
    centred = z - z.mean(axis=0)
    _, S, Vt = np.linalg.svd(centred, full_matrices=False)  # (4)
    largest = np.abs(Vt[:2]).argmax(axis=1)
    directions = Vt[:2] * np.sign(Vt[[0, 1], largest])[:, None]
    share = S[:2] ** 2 / max(np.sum(S**2), np.finfo(S.dtype).tiny)
    return centred @ directions.T, directions, share


def _same_shape(a: Array, b: Array) -> None:
    if a.ndim != 1 or a.shape != b.shape:
        raise ShapeError(
            f"latents of shapes {a.shape} and {b.shape} were given, but a path leads from one "
            "latent (Z,) to another."
        )
