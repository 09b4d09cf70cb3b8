r"""A prior over grids of codes: what comes next, given what came before.

The places of a grid (h, w) are read row by row. With masked convolutions (`ops/masked_conv2d.py`)
the logits $a_p$ of a place are a function of the codes before it alone, so

$$ \ln p(k) = \sum_p \ln p(k_p \mid k_1 \dots k_{p-1}), \quad
   p(k_p = j \mid \dots) = \text{softmax}(a_p)_j \tag{1} $$

is a distribution over all grids. To the logits each place adds a bias of its own (P, K): without
convolutions that is all there is, the codes are independent of each other, and the best that can be
had is the sum of their entropies.

**Drawing** goes place by place, each by the largest of logits and Gumbel noise.
"""

from typing import Any

import numpy as np

from ..data.batches import by_rows
from ..engine.backend import Array, Indices
from ..engine.layer import Layer, Sequential
from ..engine.params import Params
from ..ops import Activation, Conv2d, MaskedConv2d
from ..ops.codebook import perplexity
from ..ops.likelihoods import categorical


class PlaceBias(Layer):
    """A bias b (P, K) of each place's logits."""

    def forward(self, logits: Array) -> Array:
        """Return logits (B, P, K) + b."""
        self.cache = ()
        return logits + self.params["b"]

    def backward(self, dlogits: Array) -> Array:
        """Overwrite the gradient of b; return dlogits (B, P, K)."""
        self.saved()
        self.params.set_grads(b=dlogits.sum(axis=0))
        return dlogits

    def __repr__(self) -> str:
        return "PlaceBias({}, {})".format(*self.params.shapes["b"])


class CodePrior(Layer):
    """Autoregressive distribution of grids of codes.

    Parameters
    ----------
    grid : (int, int)
        Its rows and columns; P = h w places.
    codes : int
        K.
    width : int
        Channels of the masked convolutions; 0 for none, which makes the places independent.
    layers : int
        How many of them there are, at least 1. Each sees one row further up, and one column further
        to either side.
    rng, dtype, backend
        As for every layer with weights.
    """

    past_the_door = Layer.past_the_door | {"nll", "one_hot"}

    def __init__(
        self,
        grid: tuple[int, int],
        codes: int,
        width: int,
        layers: int = 2,
        *,
        rng: np.random.Generator,
        **where: Any,
    ) -> None:
        P = grid[0] * grid[1]
        super().__init__(**where)
        self.grid, self.K, self.P = grid, codes, P
        self.bias, self.net = PlaceBias({"b": (P, codes)}, **where), None
        self.params, how = self.bias.params, {"rng": rng, **where}
        if width:
            # The first alone must not see its own place: what comes after sees what it has made.
            made: list[Layer] = [MaskedConv2d(codes, width, 3, strict=True, **how)]
            for _ in range(layers - 1):
                made.append(Activation("relu", **where))
                made.append(MaskedConv2d(width, width, 3, strict=False, **how))
            made.append(Activation("relu", **where))
            made.append(Conv2d(width, codes, 1, bias=False, init="zeros", **how))
            self.net = Sequential(*made)
            self.params = Params.join({"net": self.net.params, "place": self.bias.params})

    def one_hot(self, codes: Indices) -> Array:
        """Codes (B, P), as (B, h, w, K)."""
        hot = codes[..., None] == self.backend.xp.arange(self.K)
        return hot.astype(self.params.dtype).reshape(len(codes), *self.grid, self.K)

    def forward(self, hot: Array) -> Array:
        """Logits (B, P, K) of every place of one-hot codes (B, h, w, K)."""
        self.expect("hot", hot, ("B", *self.grid, self.K))
        shape = (len(hot), self.P, self.K)
        if self.net is None:
            return self.bias.forward(self.backend.xp.zeros(shape, hot.dtype))
        return self.bias.forward(self.net.forward(hot).reshape(shape))

    def nll(self, codes: Indices) -> Array:
        """Return -ln p of each place's code (B, P), in nats, for codes (B, P)."""
        hot = self.one_hot(codes)
        rows = self.forward(hot).reshape(-1, 1, self.K)
        nll, self.cache = self.call(categorical.forward, rows, hot.reshape(rows.shape))  # (1)
        return nll.reshape(codes.shape)

    def backward(self, dnll: Array) -> tuple[()]:
        """Overwrite the gradients; dnll (B, P). The codes are data and get none."""
        dlogits = self.call(categorical.backward, dnll.reshape(-1), *self.saved())
        dlogits = dlogits.reshape(len(dnll), self.P, self.K)
        dlogits = self.bias.backward(dlogits)
        if self.net is not None:
            self.net.backward_params(dlogits.reshape(len(dnll), *self.grid, self.K))
        return ()

    def costs(self, codes: np.ndarray) -> dict[str, float]:
        """Say what host codes (N, P) cost, and what they would without the places before them."""
        nll = by_rows(self.backend, self.nll, self.backend.asarray(codes))
        counts = np.stack([np.bincount(place, minlength=self.K) for place in codes.T])
        return {
            "perplexity of the codes": perplexity(counts.sum(axis=0)),
            "nats per code under the prior": float(nll.mean()),
            "nats per code of independent places": float(np.log([*map(perplexity, counts)]).mean()),
        }

    def draw(self, gumbel: Array, temperature: float) -> Indices:
        """Draw codes (n, P) by Gumbel noise (n, P, K), place by place.

        The noise is scaled by the temperature: 0 takes the likeliest code everywhere.
        """
        xp = self.backend.xp
        codes = xp.zeros(gumbel.shape[:2], "int64")
        for p in range(self.P):
            logits = self.forward(self.one_hot(codes))[:, p]
            codes[:, p] = (logits + float(temperature) * gumbel[:, p]).argmax(axis=-1)
        return codes

    def __repr__(self) -> str:
        return f"CodePrior({self.grid[0]} x {self.grid[1]} of {self.K} codes)"
