"""The encoder of a flow VAE: heads for a Gaussian, and a context for each of the flow's steps."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..engine.backend import Array
from ..engine.layer import Layer, Sequential
from ..engine.params import Params
from ..ops import Activation, GatedStep, Linear, MaskedLinear, Planar, fork, split
from ..ops.masked_linear import autoregressive_mask
from .gaussian_encoder import GaussianEncoder

LN_E_1 = float(np.log(np.e - 1))
"""w u of a planar step that moves nothing: its softplus is 1."""


class PlanarStep(Layer):
    """A planar step whose u, w and b are the context, in this order."""

    def __init__(self, latent: int, number: int, hidden: Sequence[int], **how: Any) -> None:
        self.latent, self.n_context = latent, 2 * latent + 1
        rng = how.pop("rng")
        super().__init__(**how)
        self.step = Planar(**how)
        w = rng.standard_normal(latent)
        w /= np.sqrt(w @ w)
        self.start = np.concatenate([LN_E_1 * w, w, [0.0]])
        """The context at which the step is the identity."""

    def forward(self, z: Array, c: Array) -> tuple[Array, Array]:
        """Return the moved sample (B, Z) and the log-determinant (B,) of z (B, Z), c (B, C)."""
        (u, rest), _ = self.call(split.forward, c, self.latent)
        (w, b), _ = self.call(split.forward, rest, self.latent)
        self.cache = ()
        return self.step.forward(z, u, w, b[:, 0])

    def backward(self, dmoved: Array, dlogdet: Array) -> tuple[Array, Array]:
        """Return dz (B, Z) and dc (B, C)."""
        self.saved()
        dz, du, dw, db = self.step.backward(dmoved, dlogdet)
        return dz, self.call(split.backward, self.call(split.backward, du, dw), db[:, None])


class AutoregressiveStep(Layer):
    """A gated step whose m and s come from what lies before each dimension, and the context.

    Every second step has the dimensions in the reverse order: it is the degrees that turn.
    """

    def __init__(self, latent: int, number: int, hidden: Sequence[int], **how: Any) -> None:
        self.latent = latent
        order = np.arange(1, latent + 1)[:: 1 if number % 2 == 0 else -1]
        degrees = [order, *(1 + np.arange(width) % max(1, latent - 1) for width in hidden)]
        masks = [autoregressive_mask(a, b, strict=False) for a, b in pairwise(degrees)]
        last = autoregressive_mask(degrees[-1], np.tile(order, 2), strict=True)
        layers = [MaskedLinear(mask, **how) for mask in masks]
        layers.append(MaskedLinear(last, init="zeros", **how))
        layers[-1].params["b"][latent:] = 2  # the gate begins open
        how.pop("rng")
        super().__init__(**how)
        self.layers = layers
        self.between = [Activation("elu", **how) for _ in masks]
        self.step = GatedStep(**how)
        self.n_context = layers[0].n_out
        self.start = np.zeros(self.n_context)
        """The context that changes nothing."""
        self.params = Params.join({str(i): layer.params for i, layer in enumerate(layers)})

    def forward(self, z: Array, c: Array) -> tuple[Array, Array]:
        """Return the moved sample (B, Z) and the log-determinant (B,) of z (B, Z), c (B, C)."""
        h = self.layers[0].forward(z) + c
        for activation, layer in zip(self.between, self.layers[1:], strict=True):
            h = layer.forward(activation.forward(h))
        (m, s), _ = self.call(split.forward, h, self.latent)
        self.cache = ()
        return self.step.forward(z, m, s)

    def backward(self, dmoved: Array, dlogdet: Array) -> tuple[Array, Array]:
        """Overwrite the gradients; return dz (B, Z) and dc (B, C)."""
        self.saved()
        dz_kept, dm, ds = self.step.backward(dmoved, dlogdet)
        dh = self.call(split.backward, dm, ds)
        for activation, layer in zip(self.between[::-1], self.layers[:0:-1], strict=True):
            dh = activation.backward(layer.backward(dh))
        # z feeds the gate and the network, so its gradient is the sum.
        return self.call(fork.backward_two, dz_kept, self.layers[0].backward(dh)), dh


STEPS = {"planar": PlanarStep, "autoregressive": AutoregressiveStep}
"""Kinds of steps, by what the user calls them."""


class Flow(Layer):
    """Steps one after the other; each has a share of the context's columns."""

    def __init__(self, steps: Sequence[Layer], **how: Any) -> None:
        super().__init__(**how)
        self.steps: list[Any] = list(steps)
        self.start = np.concatenate([step.start for step in self.steps])
        self.params = Params.join({str(i): step.params for i, step in enumerate(self.steps)})

    def forward(self, z: Array, c: Array) -> tuple[Array, Array]:
        """Return z_K (B, Z) and the sum of the log-determinants (B,) of z_0 (B, Z), c (B, C)."""
        total = self.backend.xp.zeros(len(z), z.dtype)
        for step in self.steps:
            (own, c), _ = self.call(split.forward, c, step.n_context)
            z, logdet = step.forward(z, own)
            total = total + logdet
        self.cache = ()
        return z, total

    def backward(self, dz: Array, dlogdet: Array) -> tuple[Array, Array]:
        """Overwrite the gradients; return dz_0 (B, Z) and dc (B, C)."""
        self.saved()
        parts = []
        for step in reversed(self.steps):
            dz, dc = step.backward(dz, dlogdet)
            parts.append(dc)
        return dz, self.backend.xp.concatenate(parts[::-1], axis=1)


class FlowEncoder(Layer):
    """From x (B, D) to mu and logvar (B, Z) of z_0 and the context c (B, C); it holds the flow."""

    def __init__(
        self, trunk: Sequence[Layer], n_features: int, latent: int, flow: Flow, **how: Any
    ) -> None:
        of_layer = {name: how[name] for name in ("dtype", "backend")}
        super().__init__(**of_layer)
        self.trunk = Sequential(*trunk) if len(trunk) else None
        self.gaussian = GaussianEncoder([], n_features, latent, **how)
        rng = how["rng"]
        self.contexts = Linear(n_features, len(flow.start), rng=rng, init="zeros", **of_layer)
        self.contexts.params["b"][...] = self.backend.asarray(flow.start, self.params.dtype)
        self.flow = flow
        parts: dict[str, Any] = {"trunk": self.trunk, "gaussian": self.gaussian}
        parts |= {"contexts": self.contexts, "flow": flow}
        self.params = Params.join({n: part.params for n, part in parts.items() if part is not None})

    def forward(self, x: Array) -> tuple[Array, Array, Array]:
        """Return mu, logvar (B, Z) and c (B, C) of x (B, D)."""
        h = self.trunk.forward(x) if self.trunk else x
        return *self.gaussian.forward(h), self.contexts.forward(h)

    def backward_params(self, dmu: Array, dlogvar: Array, dc: Array) -> None:
        """Overwrite the gradients of all but the flow's own; x is data and gets none."""
        # h feeds the heads and the contexts, so its gradient is the sum.
        dh_heads, dh_contexts = self.gaussian.backward(dmu, dlogvar), self.contexts.backward(dc)
        if self.trunk:
            self.trunk.backward_params(self.call(fork.backward_two, dh_heads, dh_contexts))
