r"""How good generated data are: Fréchet distance, precision and recall of their features.

Shapes: features of real data (N, F) and of generated data (M, F), from whatever feature space one
trusts; `judge.py` has one. All sums are float64.

**Fréchet distance** (Heusel et al. 2017, equation 6): each set is described by its mean $m$ and its
covariance $C$, and the distance is that of two normal distributions (Dowson and Landau 1982):

$$ d^2 = \|m_1 - m_2\|^2 + \mathrm{tr}(C_1) + \mathrm{tr}(C_2)
       - 2 \, \mathrm{tr} \big( (C_1 C_2)^{1/2} \big) \tag{1} $$

$C_1 C_2$ is not symmetric, but it has the eigenvalues of the symmetric
$C_1^{1/2} C_2 C_1^{1/2}$, none of them negative, and a square root's trace is the sum of the roots:

$$ \mathrm{tr} \big( (C_1 C_2)^{1/2} \big) = \sum_i \sqrt{ \lambda_i } \,, \quad
   \lambda_i \text{ of } C_1^{1/2} C_2 C_1^{1/2} \tag{2} $$

0 is the best. It depends on the numbers N and M (fewer make it larger), so only distances between
sets of one size can be compared, and it is a square: "FID" is this number, not its root.

**Precision and recall** (Kynkäänniemi et al. 2019, equations 1 and 2). The support of a set is
estimated by balls around its points, each reaching to the point's k-th nearest neighbour in the
set. Precision is the share of generated points inside the support of the real ones (do they look
real?), recall the share of real points inside the support of the generated ones (is everything that
is real also generated?):

$$ r_i = \text{distance of } \phi_i \text{ to its } k\text{-th nearest neighbour} \tag{3} $$
$$ f(\phi', \Phi) = 1 \text{ if } \|\phi' - \phi_i\| \le r_i \text{ for some } i,
   \text{ else } 0 \tag{4} $$
"""

from dataclasses import dataclass

import numpy as np

from ...data.batches import batches
from ...data.pixels import Pixels
from ...engine.door import door
from ...errors import DataError, OptionError, ShapeError


@door
@dataclass(frozen=True)
class Quality:
    """The measures of one set of generated features.

    Attributes
    ----------
    frechet : float
        Fréchet distance, squared, in the feature space's units; 0 is the best.
    precision, recall : float
        Shares in [0, 1]; 1 is the best.
    """

    frechet: float
    precision: float
    recall: float


@door
def measure(real: np.ndarray, generated: np.ndarray, k: int = 3) -> Quality:
    """All measures of generated features (M, F) beside real ones (N, F)."""
    precision, recall = precision_recall(real, generated, k)
    return Quality(frechet_distance(real, generated), precision, recall)


@door
def frechet_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """Squared Fréchet distance of the normal distributions fitted to two sets.

    Parameters
    ----------
    real : numpy.ndarray, (N, F)
        Features, N at least 2.
    generated : numpy.ndarray, (M, F)
        Features, M at least 2.
    """
    real, generated = _pair(real, generated, least=2)
    mean1, mean2 = real.mean(axis=0), generated.mean(axis=0)
    cov1, cov2 = np.atleast_2d(np.cov(real.T)), np.atleast_2d(np.cov(generated.T))
    values, vectors = np.linalg.eigh(cov1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    eigenvalues = np.linalg.eigvalsh(root @ cov2 @ root)
    trace = np.sqrt(np.maximum(eigenvalues, 0)).sum()  # (2)
    squared = ((mean1 - mean2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * trace  # (1)
    return float(max(squared, 0.0))  # rounding may leave equal sets a little below 0


@door
def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Precision and recall by k nearest neighbours.

    Parameters
    ----------
    real : numpy.ndarray, (N, F)
        Features, N above k.
    generated : numpy.ndarray, (M, F)
        Features, M above k. The shares of sets of very different sizes mean little.
    k : int
        Which neighbour a ball reaches to; the paper's 3.

    Returns
    -------
    precision, recall : float
    """
    if k < 1:
        raise OptionError(f"k={k} was given, but the nearest neighbours count from 1.")
    real, generated = _pair(real, generated, least=k + 1)
    return float(_inside(generated, real, k).mean()), float(_inside(real, generated, k).mean())


@door
def nearest(x: np.ndarray, among: np.ndarray | Pixels) -> tuple[np.ndarray, np.ndarray]:
    """Nearest row of `among` (M, D) to each row of x (N, D): its number (N,) and distance (N,)."""
    x = np.asarray(x, "float64")
    index, squared = np.zeros(len(x), int), np.full(len(x), np.inf)
    for rows in batches(len(among), 500):
        distances = _squared_distances(x, among[rows])
        closest = distances.argmin(axis=1)
        found = distances[np.arange(len(x)), closest]
        index = np.where(found < squared, rows.start + closest, index)
        squared = np.minimum(found, squared)
    return index, np.sqrt(squared)


def _inside(points: np.ndarray, support: np.ndarray, k: int) -> np.ndarray:
    """Whether each point (M, F) lies in the support that the rows of `support` (N, F) span."""
    squared_radius = np.empty(len(support))
    for rows in batches(len(support), 500):
        squared = _squared_distances(support[rows], support)
        # A point is its own neighbour at distance 0, and that one does not count.
        squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = -1
        squared_radius[rows] = np.partition(squared, k, axis=1)[:, k]  # (3)
    inside = np.empty(len(points), bool)
    for rows in batches(len(points), 500):
        inside[rows] = (_squared_distances(points[rows], support) <= squared_radius).any(1)  # (4)
    return inside


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (N, M) of the rows of a (N, F) to those of b (M, F)."""
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.maximum(squared, 0)


def _pair(real: np.ndarray, generated: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Check both sets, and return them in float64."""
    pair = []
    for x, name in ((real, "real"), (generated, "generated")):
        x = np.asarray(x, "float64")
        if x.ndim != 2 or len(x) < least or x.shape[1] < 1:
            raise ShapeError(
                f"{name} features of shape {x.shape} were given; give at least {least} rows of "
                "shape (N, F)."
            )
        if not np.isfinite(x).all():
            raise DataError(
                f"the {name} features hold NaN or infinite values; leave out those rows."
            )
        pair.append(x)
    if pair[0].shape[1] != pair[1].shape[1]:
        raise ShapeError(
            f"real features of width {pair[0].shape[1]} and generated ones of width "
            f"{pair[1].shape[1]} were given; take both from one feature space."
        )
    return pair[0], pair[1]
