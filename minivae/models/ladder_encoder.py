"""What leads up and down a ladder VAE: heads for each layer of latents, and priors between them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..engine.backend import Array
from ..engine.layer import Layer, Sequential
from ..engine.params import Params
from ..ops import Dense, fork
from .gaussian_encoder import GaussianEncoder


class LadderEncoder(Layer):
    """Upwards: what each layer has seen of x (B, D), as a mean and a log-variance."""

    def __init__(
        self,
        trunk: Sequence[Layer],
        widths: Sequence[int],
        latents: Sequence[int],
        activation: str,
        *,
        logvar_range: tuple[float, float],
        rng: np.random.Generator,
        **where: Any,
    ) -> None:
        super().__init__(**where)
        self.trunk = Sequential(*trunk) if len(trunk) else None
        self.up = [Dense(a, b, activation, rng=rng, **where) for a, b in pairwise(widths)]
        how: dict[str, Any] = {"logvar_range": logvar_range, "rng": rng, **where}
        self.heads = [
            GaussianEncoder([], width, latent, **how)
            for width, latent in zip(widths, latents, strict=True)
        ]
        self.params = _joined({"trunk": self.trunk, "up": self.up, "heads": self.heads})

    def forward(self, x: Array) -> list[tuple[Array, Array]]:
        """Return mu and logvar (B, Z_i) of every layer, from the bottom up."""
        h = self.trunk.forward(x) if self.trunk else x
        found = [self.heads[0].forward(h)]
        for up, heads in zip(self.up, self.heads[1:], strict=True):
            h = up.forward(h)
            found.append(heads.forward(h))
        return found

    def backward_params(self, gradients: Sequence[tuple[Array, Array]]) -> None:
        """Overwrite the gradients, given dmu and dlogvar (B, Z_i) of every layer."""
        dh = self.heads[-1].backward(*gradients[-1])
        for i in reversed(range(len(self.up))):
            # h feeds its own heads and the next layer, so its gradient is the sum.
            dh = self.call(
                fork.backward_two, self.up[i].backward(dh), self.heads[i].backward(*gradients[i])
            )
        if self.trunk:
            self.trunk.backward_params(dh)


class Priors(Layer):
    """Downwards: the prior of each layer but the top one, from the sample above it."""

    def __init__(self, latents: Sequence[int], width: int, activation: str, **how: Any) -> None:
        super().__init__(dtype=how["dtype"], backend=how["backend"])
        where = {name: how[name] for name in ("rng", "dtype", "backend")}
        self.nets = [
            GaussianEncoder([Dense(above, width, activation, **where)], width, below, **how)
            for below, above in pairwise(latents)
        ]
        self.params = _joined({"nets": self.nets})


def _joined(parts: dict[str, Any]) -> Params:
    """Parameters of layers and of lists of layers in one flat pair; None has none."""
    found: dict[str, Params] = {}
    for name, part in parts.items():
        several = (
            {f"{name}.{i}": each for i, each in enumerate(part)}
            if isinstance(part, list)
            else {name: part}
        )
        found |= {key: layer.params for key, layer in several.items() if layer is not None}
    return Params.join(found)
