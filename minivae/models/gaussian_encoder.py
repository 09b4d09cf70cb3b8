"""The encoder of a VAE: a trunk, and two heads that give a Gaussian for each datum."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.backend import Array, Backend
from ..engine.init import glorot
from ..engine.layer import Layer, Sequential
from ..engine.params import Params
from ..ops import Clamp, Linear, split


class GaussianEncoder(Layer):
    """From x (B, D) to the two heads mu and logvar (B, Z), logvar clamped to a stated range.

    Parameters
    ----------
    trunk : sequence of Layer
        From x to the features h (B, F); none at all if x is h.
    n_features : int
        F.
    latent : int
        Z.
    logvar_range : (float, float)
        Range that logvar is clamped to.
    rng : numpy.random.Generator
        Draws the heads' weights.
    dtype, backend
        As for every layer.
    """

    same_calls = True

    def __init__(
        self,
        trunk: Sequence[Layer],
        n_features: int,
        latent: int,
        *,
        logvar_range: tuple[float, float],
        rng: np.random.Generator,
        dtype: str,
        backend: str | Backend,
    ) -> None:
        options: dict[str, Any] = {"dtype": dtype, "backend": backend}
        super().__init__(**options)
        self.trunk = Sequential(*trunk) if len(trunk) else None
        # The two heads lie side by side in one layer: columns 0 to Z-1 are mu, the rest logvar.
        self.heads = Linear(n_features, 2 * latent, rng=rng, init="zeros", **options)
        for head in (slice(0, latent), slice(latent, 2 * latent)):
            weights = glorot(rng, n_features, latent)
            self.heads.params["W"][:, head] = self.backend.asarray(weights, self.params.dtype)
        self.latent = latent
        self.clamp = Clamp(*logvar_range, **options)
        parts = {"trunk": self.trunk, "heads": self.heads}
        self.params = Params.join(
            {name: part.params for name, part in parts.items() if part is not None}
        )

    def forward(self, x: Array) -> tuple[Array, Array]:
        """Return mu and logvar (B, Z) of x (B, D)."""
        h = self.trunk.forward(x) if self.trunk else x
        out = self.heads.forward(h)
        (mu, logvar), _ = self.call(split.forward, out, self.latent)
        return mu, self.clamp.forward(logvar)

    def backward(self, dmu: Array, dlogvar: Array) -> Array:
        """Overwrite the gradients; return dx (B, D)."""
        dh = self.heads.backward(self._side_by_side(dmu, dlogvar))
        return self.trunk.backward(dh) if self.trunk else dh

    def backward_params(self, dmu: Array, dlogvar: Array) -> None:
        """Like `backward`, but x is data and gets no gradient."""
        dheads = self._side_by_side(dmu, dlogvar)
        if self.trunk:
            self.trunk.backward_params(self.heads.backward(dheads))
        else:
            self.heads.backward_params(dheads)

    def _side_by_side(self, dmu: Array, dlogvar: Array) -> Array:
        # h feeds both heads, so its gradient is a sum: the product of this with W' adds it up.
        return self.call(split.backward, dmu, self.clamp.backward(dlogvar))
