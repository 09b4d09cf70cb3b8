r"""Embedding: each symbol of a sequence is replaced by its row of a table, which is learned.

Shapes: numbers $k$ (B, T) of symbols, table $E$ (V, D), result $y$ (B, T, D).

$$ y_{ntd} = E_{k_{nt}, d} \tag{1} $$

It is `linear.py` on one-hot rows $x_{ntv} = [k_{nt} = v]$, without the multiplications by 0.

**Backwards.** A number of a symbol has no slope, so $k$ gets no gradient. The row of a symbol acts
wherever the symbol stands, and what comes back from these places is **added**: written there
instead, all but the last of them would be lost. A symbol that does not occur gets 0.

$$ dE_v = \sum_{nt} [k_{nt} = v] \, dy_{nt} \tag{2} $$

Source: Bengio, Ducharme, Vincent and Jauvin (2003), section 2.
"""

import numpy as np

from ..engine import Array, Backend, Case, Indices, Layer, array_module, door, kernel
from ..errors import DtypeError, OptionError, ShapeError
from . import codebook


@door
def forward(E: Array, k: Indices) -> tuple[Array, tuple]:
    """Rows y (B, T, D) of the table E (V, D) for the symbols k (B, T)."""
    return E[k], (k, E)  # (1)


@door
def backward(dy: Array, k: Indices, E: Array) -> Array:
    """Gradient dE (V, D) from dy (B, T, D) and the symbols k (B, T)."""
    xp = array_module(dy)
    hot = (k.reshape(-1, 1) == xp.arange(len(E))).astype(dy.dtype)
    return hot.T @ dy.reshape(-1, dy.shape[-1])  # (2)


# The kernel adds each row of dy to that of its symbol, and makes no one-hot rows; it is the
# codebook's. Backward alone at 128 x 12 x 32 with 28 symbols, float32, reference / kernel: 3.


@kernel("numba", of=backward)
def backward_numba(dy: Array, k: Indices, E: Array) -> Array:
    """Kernel of `backward`."""
    return codebook.backward_numba(dy, k, E)  # (2)


class Embedding(Layer):
    """Table `E` (symbols, width) of rows that stand for symbols.

    Parameters
    ----------
    symbols : int
        V, how many there are.
    width : int
        D, numbers in a row.
    rng : numpy.random.Generator
        Draws the table, from N(0, 1) / sqrt(D): each row has a length of about 1.
    dtype : {"float32", "float64"}
        dtype of the table and of the output.
    backend : str or Backend
        Where the layer computes.
    """

    def __init__(
        self,
        symbols: int,
        width: int,
        *,
        rng: np.random.Generator,
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        if min(symbols, width) < 1:
            raise OptionError(
                f"Embedding({symbols}, {width}) was asked for, but there is at least 1 symbol, and "
                "1 number in its row."
            )
        super().__init__({"E": (symbols, width)}, dtype=dtype, backend=backend)
        first = rng.standard_normal((symbols, width)) / np.sqrt(width)
        self.params["E"][...] = self.backend.asarray(first, self.params.dtype)
        self.symbols, self.width = int(symbols), int(width)

    def forward(self, k: Indices) -> Array:
        """Return the rows (B, T, width) of the symbols k (B, T), whole numbers below `symbols`.

        On a device the numbers are not looked at, since nothing of it is read in a step.
        """
        if getattr(getattr(k, "dtype", None), "kind", "") not in "iu":
            raise DtypeError(
                f"the symbols are {getattr(k, 'dtype', type(k).__name__)}, but Embedding takes "
                "whole numbers; convert them with `.astype('int64')`."
            )
        if k.ndim != 2:
            raise ShapeError(
                f"the symbols have shape {k.shape}, but Embedding expects (B, T); reshape them."
            )
        if isinstance(k, np.ndarray) and k.size and not (k.min() >= 0 and k.max() < self.symbols):
            raise ShapeError(
                f"the symbols range from {k.min()} to {k.max()}, but Embedding has rows for 0 to "
                f"{self.symbols - 1}; give numbers of these."
            )
        y, self.cache = self.call(forward, self.params["E"], k)
        return y

    def backward(self, dy: Array) -> tuple[()]:
        """Overwrite the gradient of the table for dy (B, T, width); symbols have none."""
        k, E = self.saved()
        self.expect("dy", dy, (*k.shape, self.width))
        self.params.set_grads(E=self.call(backward, dy, k, E))
        return ()

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From (B, T) to (B, T, width)."""
        return (*shape, self.width)

    def __repr__(self) -> str:
        return f"Embedding({self.symbols} x {self.width})"


def _numbered(E: Array, k: Array) -> tuple[Array, tuple]:
    """The operation for a case, whose arguments are all of one dtype."""
    xp = array_module(E)
    return forward(E, xp.asarray(k.real if hasattr(k, "real") else k, "int64"))


def _some_repeated(arguments: dict, rng: np.random.Generator) -> dict:
    """Symbols some of which occur several times, and one not at all."""
    E, k = arguments["E"], arguments["k"]
    return {**arguments, "k": rng.integers(max(1, len(E) - 1), size=k.shape)}


CASES = [
    Case(
        "embedding",
        _numbered,
        backward,
        vary={"E": ("V", "D")},
        fixed={"k": ("B", "T")},
        prepare=_some_repeated,
        output=("B", "T", "D"),
        layer=None,  # its numbers are no floats
        sizes={"V": 5, "T": 13, "D": 2},
    ),
]
