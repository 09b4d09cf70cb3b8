r"""Masked linear layer: $y = x \, (W \odot M) + b$, a mask says what each output sees.

Shapes: $x$ (B, I), $W$ and the mask $M$ (I, O), $b$ (O,), $y$ (B, O). $M_{io}$ is 1 where output
$o$ may depend on input $i$, and 0 where it must not:

$$ y_{no} = \sum_i x_{ni} W_{io} M_{io} + b_o \tag{1} $$

It is `linear.py` with $V = W \odot M$ in the place of $W$. So $dV = x^\top dy$, and $W_{io}$ acts
through $V_{io}$ with the factor $M_{io}$. Without the mask in (3) the weights that are switched off
would drift, which nobody sees until something else reads them:

$$ dx = dy \, (W \odot M)^\top \tag{2} $$
$$ dW = (x^\top dy) \odot M, \quad db_o = \sum_n dy_{no} \tag{3} $$

**Which mask makes a network autoregressive** (Germain et al. 2015): every unit has a degree, the
number of the last input that it may see. Of inputs 1, 2, ..., Z the degrees are these numbers. A
unit may see those of its own degree or less; only an output, which must *not* see the input of its
own number, sees those of less alone:

$$ M_{io} = [\text{degree}_i \le \text{degree}_o] \ \text{ within}, \qquad
   M_{io} = [\text{degree}_i < \text{degree}_o] \ \text{ to the outputs} \tag{4} $$

Then output $j$ depends on the inputs before $j$ alone: the Jacobian is strictly triangular.

Source: Germain, Gregor, Murray and Larochelle (2015), section 4.
"""

import numpy as np

from ..engine import INITIALISERS, SIZES, Array, Backend, Case, Layer, door
from ..errors import OptionError


@door
def forward(x: Array, W: Array, b: Array, mask: Array) -> tuple[Array, tuple]:
    """Compute y (B, O) from x (B, I), W (I, O), b (O,) and mask (I, O)."""
    V = W * mask
    return x @ V + b, (x, V, mask)  # (1)


@door
def backward(dy: Array, x: Array, V: Array, mask: Array) -> tuple[Array, Array, Array]:
    """Gradients dx (B, I), dW (I, O), db (O,) from dy (B, O).

    x (B, I), V (I, O), which is W with its mask, and mask (I, O) are those of the forward pass.
    """
    dx = dy @ V.T  # (2)
    dW = (x.T @ dy) * mask
    db = dy.sum(axis=0)  # (3)
    return dx, dW, db


@door
def autoregressive_mask(
    degrees_in: np.ndarray, degrees_out: np.ndarray, *, strict: bool
) -> np.ndarray:
    """Mask (I, O) of zeros and ones from degrees_in (I,) and degrees_out (O,); (4).

    Parameters
    ----------
    degrees_in, degrees_out : numpy.ndarray
        Number of the last input that each unit may see.
    strict : bool
        Whether this leads to the outputs, which must not see the input of their own number.
    """
    given, asked = degrees_in[:, None], degrees_out[None]
    return (given < asked if strict else given <= asked).astype("float64")  # (4)


class MaskedLinear(Layer):
    """Linear layer whose outputs see the inputs that a mask lets them see.

    Parameters
    ----------
    mask : numpy.ndarray, (n_in, n_out)
        Zeros and ones.
    rng : numpy.random.Generator
        Draws the initial `W`; `b` starts at zero.
    init : str
        How `W` is drawn, as for `Linear`.
    dtype : {"float32", "float64"}
        dtype of parameters, inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    def __init__(
        self,
        mask: np.ndarray,
        *,
        rng: np.random.Generator,
        init: str = "glorot",
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        if mask.ndim != 2 or not np.isin(mask, (0, 1)).all():
            raise OptionError(
                f"a mask of shape {mask.shape} was given, but one for a linear layer has the shape "
                "of its weights, (n_in, n_out), and holds zeros and ones; see autoregressive_mask."
            )
        if init not in INITIALISERS:
            raise OptionError(f"init={init!r} was given; choose one of: {', '.join(INITIALISERS)}.")
        n_in, n_out = mask.shape
        super().__init__({"W": (n_in, n_out), "b": (n_out,)}, dtype=dtype, backend=backend)
        self.mask = self.backend.asarray(mask, self.params.dtype)
        self.n_in, self.n_out = n_in, n_out
        weights = INITIALISERS[init](rng, n_in, n_out) * mask
        self.params["W"][...] = self.backend.asarray(weights, self.params.dtype)

    def forward(self, x: Array) -> Array:
        """Return y (B, n_out) for x (B, n_in)."""
        self.expect("x", x, ("B", self.n_in))
        y, self.cache = self.call(forward, x, self.params["W"], self.params["b"], self.mask)
        return y

    def backward(self, dy: Array) -> Array:
        """Overwrite the gradients of `W` and `b`; return dx (B, n_in)."""
        cache = self.saved()
        self.expect("dy", dy, (cache[0].shape[0], self.n_out))
        dx, dW, db = self.call(backward, dy, *cache)
        self.params.set_grads(W=dW, b=db)
        return dx

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From a shape (B, n_in) to (B, n_out)."""
        return (*shape[:-1], self.n_out)

    def __repr__(self) -> str:
        return f"MaskedLinear({self.n_in}, {self.n_out})"


def _mask(n_in: int, n_out: int) -> np.ndarray:
    """A mask for the case: each output sees two inputs of three."""
    return (np.add.outer(np.arange(n_in), np.arange(n_out)) % 3 > 0).astype("float64")


def _with_mask(arguments: dict, rng: np.random.Generator) -> dict:
    return {**arguments, "mask": _mask(*arguments["W"].shape)}


CASES = [
    Case(
        "masked_linear",
        forward,
        backward,
        vary={"x": ("B", "I"), "W": ("I", "O"), "b": ("O",)},
        fixed={"mask": ("I", "O")},
        prepare=_with_mask,
        output=("B", "O"),
        layer=lambda **how: MaskedLinear(
            _mask(SIZES["I"], SIZES["O"]), rng=np.random.default_rng(1), **how
        ),
        pack=lambda arrays: {name: array for name, array in arrays.items() if name != "mask"},
    ),
]
