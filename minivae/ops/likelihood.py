"""What the likelihoods have in common.

A likelihood is the last operation of a model: how probable are the data, given what the decoder
put out? Its `forward(out, x)` returns the negative
log-likelihood per example, `nll` (B,), in nats and summed over the data dimensions; its
`backward(dnll)` returns the gradient for the decoder's output. The data get no gradient.

    bernoulli         binary data (or grey values in [0, 1], which is then no true likelihood)
    gaussian          real data, one fixed standard deviation
    gaussian_shared   real data, one standard deviation for all dimensions, learned
    gaussian_learned  real data, the decoder gives mean and variance of each dimension
    categorical       grey values cut into levels, one class probability each

The operations themselves are in `bernoulli.py`, `gaussian.py` and `categorical.py`.
"""

import numpy as np

from ..backend import Array
from ..errors import DataError
from ..layer import Layer


class Likelihood(Layer):
    """Base of the likelihoods: sizes, domain, mean and samples beside the operation."""

    name = ""
    """What the user calls it."""

    def data_width(self, n_pixels: int) -> int:
        """Numbers that represent a datum of `n_pixels` values in the model."""
        return n_pixels

    def output_width(self, n_pixels: int) -> int:
        """Numbers that the decoder must give for a datum of `n_pixels` values."""
        return n_pixels

    def encode_data(self, x: np.ndarray) -> np.ndarray:
        """Bring host data (N, D) into the form that the model takes."""
        return x

    def note(self, x: np.ndarray) -> str:
        """Check host data (N, D); return why the bound on them is no likelihood, or "".

        Raises
        ------
        DataError
            If the data lie outside the likelihood's domain.
        """
        return ""

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """Output (P,) of the decoder that stands for this mean of the data (D,)."""
        return mean

    def mean(self, out: Array) -> Array:
        """Mean of the data (B, D) given the decoder's output."""
        raise TypeError(f"{type(self).__name__} must define mean")

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw data (B, D) given the decoder's output, with noise from the host."""
        raise TypeError(f"{type(self).__name__} must define draw")

    def forward(self, out: Array, x: Array) -> Array:
        """Return the negative log-likelihood (B,) in nats."""
        raise TypeError(f"{type(self).__name__} must define forward")

    def uniform(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Uniform noise in [0, 1), drawn on the host."""
        return self.backend.asarray(rng.random(shape), self.params.dtype)

    def normal(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Standard normal noise, drawn on the host."""
        return self.backend.asarray(rng.standard_normal(shape), self.params.dtype)


def require_unit_interval(x: np.ndarray, name: str) -> None:
    """Raise `DataError` unless all of x lies in [0, 1]."""
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise DataError(
            f"the data range from {x.min():.4g} to {x.max():.4g}, but the {name} likelihood takes "
            "values in [0, 1]; divide pixels by the largest value that they can have (255 for 8 "
            "bits), or scale the columns of a table to mean 0 and standard deviation 1 and choose "
            "the likelihood gaussian."
        )
