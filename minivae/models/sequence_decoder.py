r"""Decoders of sequences: all steps at once from the code, or one after the other.

**At once** (`mlp`, `conv`): the code gives the logits of all T steps, and given it the steps are
independent. Such a decoder cannot ignore the code: it has no other way to say anything.

**One after the other** (`RecurrentDecoder`): the symbol of each step is given those before it, by
the state of a GRU. With $k_t$ the symbol of step $t$, $E$ a table of rows, and $k_0 = 0$,

$$ h_0 = \tanh(z W_0 + b_0), \quad x_t = (E_{k_{t-1}}, z), \quad h_t = \text{GRU}(x_t, h_{t-1}),
   \quad a_t = h_t W_a + b_a \tag{1} $$

In a step of training the symbols before are those of the datum (teacher forcing), so all $x_t$ are
known beforehand: the target shifted by one step. Not shifted, each step would be shown what it has
to say, and the loss would go to 0. A decoder that hears so much can do without the code.

$z$ acts in every step and in $h_0$, so its gradient is a sum over these branches:

$$ dz = \sum_t dx^z_t + (dh_0 \odot (1 - h_0^2)) W_0^\top \tag{2} $$

Source: Bowman, Vilnis, Vinyals, Dai, Jozefowicz and Bengio (2016), section 2.
"""

from typing import Any

import numpy as np

from ..engine.backend import Array, Indices
from ..engine.kinds import Count
from ..engine.layer import Layer, Reshape, Sequential
from ..engine.params import Params
from ..errors import ShapeError, StateError
from ..ops import GRU, Activation, Conv1d, Dense, Embedding, Linear, fork

WINDOW = 5
"""Steps that a convolution sees."""


class RecurrentDecoder(Layer):
    """Decoder (B, Z) -> logits (B, T V) whose steps are given the symbols before them.

    Parameters
    ----------
    latent : int
        Z.
    steps : int
        T.
    symbols : int
        V, padding not counted.
    embedding : int
        Numbers that stand for a symbol.
    states : int
        H, numbers of the GRU's state.
    rng : numpy.random.Generator
        Draws the weights.
    **where
        `dtype` and `backend`.
    """

    def __init__(
        self,
        latent: Count,
        steps: Count,
        symbols: Count,
        *,
        embedding: Count,
        states: Count,
        rng: np.random.Generator,
        **where: Any,
    ) -> None:
        super().__init__(**where)
        self.start = Dense(latent, states, "tanh", init="glorot", rng=rng, **where)
        self.embedding = Embedding(symbols + 1, embedding, rng=rng, **where)
        self.gru = GRU(embedding + latent, states, rng=rng, **where)
        self.head = Linear(states, symbols, init="glorot", rng=rng, **where)
        parts = ("start", "embedding", "gru", "head")
        self.params = Params.join({name: getattr(self, name).params for name in parts})
        self.latent, self.steps, self.symbols, self.width = latent, steps, symbols, embedding
        self.heard: Indices | None = None

    def given(self, k: Indices) -> None:
        """Set the symbols (B, T) before each step of what will be decoded; 0 for none."""
        self.heard = k

    def forward(self, z: Array) -> Array:
        """Logits (B, T V) for z (B, Z), or for (B K, Z) with K samples of each that was `given`.

        Raises
        ------
        StateError
            If nothing was given.
        """
        self.expect("z", z, ("B", self.latent))
        if self.heard is None:
            raise StateError(
                "RecurrentDecoder.forward was called before `given`; give it the symbols before "
                "each step, or let it find its own by `generate`."
            )
        samples, left = divmod(len(z), max(1, len(self.heard)))
        if left or self.heard.shape[1] != self.steps:
            raise ShapeError(
                f"z has shape {z.shape}, but symbols of shape {self.heard.shape} were given; give "
                f"(B, {self.steps}), one row for each latent."
            )
        k = self.heard if samples == 1 else self.heard.repeat(samples, axis=0)
        h = self.gru.forward(self._inputs(k, z), self.start.forward(z))  # (1)
        self.cache = h.shape
        flat = self.backend.xp.ascontiguousarray(h).reshape(-1, h.shape[2])
        return self.head.forward(flat).reshape(len(z), self.steps * self.symbols)

    def backward(self, dout: Array) -> Array:
        """Overwrite the gradients; return dz (B, Z) from dout (B, T V). Symbols have none."""
        shape = self.saved()
        self.expect("dout", dout, (shape[0], self.steps * self.symbols))
        dh = self.head.backward(dout.reshape(-1, self.symbols)).reshape(shape)
        dx, dh0 = self.gru.backward(dh)
        rows = self.backend.xp.ascontiguousarray(dx[:, :, : self.width])
        self.embedding.backward(rows)
        in_steps = self.call(fork.backward, dx[:, :, self.width :])
        return self.call(fork.backward_two, in_steps, self.start.backward(dh0))  # (2)

    def generate(self, z: Array, u: Array | None = None, deaf: bool = False) -> Array:
        """Logits (B, T, V) for z (B, Z), each step given what the ones before have said.

        Parameters
        ----------
        z : array, (B, Z)
            Codes.
        u : array, (B, T), optional
            Uniform noise that draws each symbol; without it each says its likeliest.
        deaf : bool
            Let no step hear those before.

        Returns
        -------
        logits : array, (B, T, V)
            Their drawn, or likeliest, symbols are what was heard.
        """
        xp, h = self.backend.xp, self.start.forward(z)
        said, found = xp.zeros((len(z), 1), "int64"), []
        for t in range(self.steps):
            h = self.gru.forward(self._inputs(said, z), h)[:, 0]  # (1)
            h = xp.ascontiguousarray(h)
            logits = self.head.forward(h).copy()
            found.append(logits)
            if not deaf:
                said = chosen(xp, logits, None if u is None else u[:, t])[:, None]
        self.cache = None
        return xp.stack(found, axis=1)

    def _inputs(self, k: Indices, z: Array) -> Array:
        """What each step is given (B, t, D + Z): the row of its k (B, t), and the code."""
        xp, rows = self.backend.xp, self.embedding.forward(k)
        code = xp.broadcast_to(z[:, None], (*k.shape, self.latent))
        return xp.concatenate([rows, code], axis=2)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From (B, Z) to (B, T V)."""
        return (shape[0], self.steps * self.symbols)

    def __repr__(self) -> str:
        return f"RecurrentDecoder({self.latent}, {self.steps} steps of {self.symbols} symbols)"


def chosen(xp: Any, logits: Array, u: Array | None = None) -> Indices:
    """Symbols (B,), from 1, of logits (B, V): the likeliest, or where the sum passes u (B,)."""
    if u is None:
        return logits.argmax(axis=-1) + 1
    e = xp.exp(logits - logits.max(axis=-1, keepdims=True))
    reached = e.cumsum(axis=-1)
    return (reached[:, :-1] < u[:, None] * reached[:, -1:]).sum(axis=-1) + 1


def before(k: Indices, keep: Array | None = None) -> Indices:
    """Symbols (B, T) before each step of k (B, T), 0 before the first, and where not `keep`."""
    shifted = k * 0
    shifted[:, 1:] = k[:, :-1]
    return shifted if keep is None else shifted * keep


def convolutional(
    latent: Count, steps: Count, symbols: Count, *, channels: Count, activation: str, **how: Any
) -> Sequential:
    """Decoder (B, Z) -> logits (B, T V) of two convolutions, all steps at once.

    Parameters
    ----------
    latent, steps, symbols : int
        Z, T and V.
    channels : int
        Of both convolutions.
    activation : str
        Between the layers.
    **how
        `rng`, `dtype` and `backend`.
    """
    where = {name: value for name, value in how.items() if name != "rng"}
    return Sequential(
        Dense(latent, steps * channels, activation, init="glorot", **how),
        Reshape(steps, channels, **where),
        Conv1d(channels, channels, WINDOW, padding="same", **how),
        Activation(activation, **where),
        Conv1d(channels, symbols, WINDOW, padding="same", **how),
        Reshape(steps * symbols, **where),
    )
