r"""A model applied to many rows of host data.

**Manifold.** If $u$ is uniform on (0, 1), the normal quantile function $\Phi^{-1}(u)$ is standard
normal. So the latents

$$ z = \left( \Phi^{-1}\!\left(\tfrac{i + 1/2}{n}\right),
              \Phi^{-1}\!\left(\tfrac{j + 1/2}{n}\right) \right), \quad 0 \le i, j < n \tag{1} $$

stand for equal shares of a two-dimensional prior (Kingma and Welling 2014, figure 4).
"""

from statistics import NormalDist
from typing import Annotated

import numpy as np

from ..data.batches import by_rows
from ..data.pixels import Pixels
from ..engine.backend import Array
from ..engine.door import door
from ..engine.kinds import Between
from ..errors import OptionError, ShapeError
from .base import Model

Side = Annotated[int, Between(1, 1000, "[]")]
"""Images along one side of a grid of latents."""


@door
def encode(model: Model, x: np.ndarray | Pixels) -> tuple[np.ndarray, np.ndarray | None]:
    """Posterior means and log-variances (N, Z) of host data x (N, ...); or codes alone."""
    if len(x) == 0:
        raise ShapeError("0 data were given to encode; give at least one.")
    found = by_rows(model.backend, lambda rows: model.encode(model.prepare(rows)), x)
    return found if isinstance(found, tuple) else (found, None)


@door
def reconstruct(model: Model, x: np.ndarray | Pixels) -> np.ndarray:
    """Reconstructions (N, n_pixels) of host data x (N, ...)."""
    return by_rows(model.backend, lambda rows: model.reconstruct(model.prepare(rows)), x)


@door
def means(model: Model, x: np.ndarray | Pixels) -> Array:
    """Latents (N, Z) of host data x (N, ...): posterior means, or an autoencoder's codes."""
    return model.backend.asarray(encode(model, x)[0])


@door
def decode(model: Model, z: Array) -> np.ndarray:
    """Host images (..., n_pixels) of latents z (..., Z)."""
    flat = z.reshape(-1, z.shape[-1])
    return by_rows(model.backend, model.decode, flat).reshape(*z.shape[:-1], -1)


@door
def quantile_grid(n: Side) -> np.ndarray:
    """Latents (n, n, 2) at the prior's quantiles, z_1 rising to the right and z_2 upwards."""
    quantiles = [NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)]  # (1)
    return np.array([[(z1, z2) for z1 in quantiles] for z2 in reversed(quantiles)])


@door
def manifold(model: Model, n: Side = 15) -> np.ndarray:
    """Images (n, n, n_pixels) that the decoder makes of `quantile_grid(n)`.

    Raises
    ------
    OptionError
        If the latent space has not two dimensions.
    """
    if model.latent != 2:
        raise OptionError(
            f"the model has {model.latent} latent dimensions, but a manifold is drawn of 2; train "
            "one with latent=2."
        )
    return decode(model, model.backend.asarray(quantile_grid(n), model.params.dtype))
