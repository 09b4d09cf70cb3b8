r"""Mixtures of Gaussians in the plane, where one can count which modes a model has learned.

The two mixtures and the three measures are those that the GAN literature has settled on (Metz et
al. 2017; Srivastava et al. 2017; here with the numbers of Lin et al. 2018): 2,500 samples are
drawn from the model;

- a sample is of **high quality** if it lies within 3 standard deviations of a mode's mean;
- a mode is **covered** if at least one high-quality sample is nearest to it.

The distance of a sample is counted in the mode's standard deviation $\sigma$; of a two-dimensional
Gaussian's own samples the share $1 - e^{-9/2} = 0.989$ lies within 3 of them.

Both have a threshold. The **energy distance** (Székely and Rizzo 2013) has none: it is 0 for equal
distributions only, and grows with missing modes as well as with samples between them:

$$ 2 E|X - Y| - E|X - X'| - E|Y - Y'| $$
"""

import math
from dataclasses import dataclass

import numpy as np

SAMPLES = 2500
"""Samples of a model that are counted."""

WITHIN = 3.0
"""Standard deviations within which a sample is of high quality."""

HIGHEST = 1 - math.exp(-(WITHIN**2) / 2)
"""High-quality fraction of the mixture's own samples."""


@dataclass(frozen=True)
class Mixture:
    """Equally likely round Gaussians.

    Attributes
    ----------
    name : str
        What it is called.
    means : numpy.ndarray, (M, 2)
        Centres of the modes.
    sigma : float
        Standard deviation of each mode in each direction.
    published : (float, float)
        Modes covered and high-quality fraction of a plain GAN in table 1 of Lin et al. (2018), mean
        over 10 runs.
    """

    name: str
    means: np.ndarray
    sigma: float
    published: tuple[float, float]

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw n points (n, 2), float32."""
        modes = rng.integers(0, len(self.means), n)
        return (self.means[modes] + self.sigma * rng.standard_normal((n, 2))).astype("float32")

    def coverage(self, x: np.ndarray) -> tuple[int, float]:
        """Count the covered modes, and the fraction of x (N, 2) that is of high quality."""
        distance = np.linalg.norm(x[:, None].astype(float) - self.means, axis=2) / self.sigma
        good = distance.min(axis=1) <= WITHIN
        return len(np.unique(distance.argmin(axis=1)[good])), float(good.mean())


def ring() -> Mixture:
    """Eight modes on a circle of radius 1."""
    angle = 2 * np.pi * np.arange(8) / 8
    means = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Mixture("ring of 8", means, 0.01, (6.3, 0.982))


def grid() -> Mixture:
    """Twenty-five modes on a square lattice, 2 apart."""
    ticks = np.arange(-4.0, 5.0, 2.0)
    means = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    return Mixture("grid of 25", means, 0.05, (17.3, 0.948))


def energy_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Energy distance of two samples (N, D) and (M, D); each mean is over all pairs."""

    def mean_distance(a: np.ndarray, b: np.ndarray) -> float:
        squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
        return float(np.sqrt(np.maximum(squared, 0)).mean())

    x, y = x.astype(float), y.astype(float)
    return 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)
