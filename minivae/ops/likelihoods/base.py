"""What the likelihoods have in common.

A likelihood is the last operation of a model: how probable are the data, given what the decoder
put out? Its `forward(out, x)` returns the negative log-likelihood per example, `nll` (B,), in nats
and summed over the data dimensions; its `backward(dnll)` returns the gradient for the decoder's
output. The data get no gradient.

It also answers every question that somebody else has about it, so that nobody asks which one it is:
what data it takes and how wide they are, what the decoder must give, the mean and samples, a
perfect reconstruction, what the user can set, and how the explorer's page computes the mean.

With K importance samples of each example the decoder's output is (B, K, D) and the data (B, 1, D),
so that they need not be copied K times; nll and dnll are then (B, K).
"""

import math
from typing import Any, ClassVar

import numpy as np

from ...engine import COSTLY, Array, Layer, Loop, empty, in_parts, loop, same_dtype, together
from ...engine.kinds import Rows
from ...errors import DataError, ShapeError, UndefinedError

LN_2PI = math.log(2 * math.pi)


class Likelihood(Layer):
    """Base of the likelihoods: sizes, domain, mean and samples beside the operation."""

    past_the_door = Layer.past_the_door | {"expect_data"}

    name = ""
    """What the user calls it."""

    options: ClassVar[dict[str, tuple[type, Any, str]]] = {}
    """What its constructor takes beside dtype and backend: name -> (type, default, help); each is
    an attribute of that name too."""

    kinds = 1
    """Blocks of one number for each value that the decoder's output (B, kinds D) is made of; where
    it is 1, all numbers of a value lie side by side."""

    binary = False
    """Whether it is a likelihood of zeros and ones alone, so that grey values are to be drawn."""

    symbols = False
    """Whether the data are numbers of symbols, between which there is no mean."""

    real = False
    """Whether the data may be any numbers; else they lie in [0, 1]."""

    mean_by: str | None = None
    """Activation by which a generator without any likelihood gives such data itself, "" for none;
    None if a mean is not all that it takes."""

    js_mean = ""
    """For the explorer's page, the mean of one example as a JavaScript expression of `out`, a
    Float64Array, and the options; "" if the page cannot compute it."""

    js_encode = "x"
    """For the explorer's page, `encode_data` of one example, of `x` and the options."""

    def data_width(self, n_pixels: int) -> int:
        """Numbers that represent a datum of `n_pixels` values in the model."""
        return n_pixels

    def output_width(self, n_pixels: int) -> int:
        """Numbers that the decoder must give for a datum of `n_pixels` values."""
        return n_pixels

    def encode_data(self, x: np.ndarray | Array) -> np.ndarray:
        """Bring host data x (N, D) into the form that the model takes."""
        return x

    def note(self, x: Rows) -> str:
        """Check host data x (N, D); return why the bound on them is no likelihood, or "".

        Raises
        ------
        DataError
            If the data lie outside the likelihood's domain.
        """
        return ""

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """Output (P,) of the decoder that stands for this mean (D,) of the data."""
        return mean

    @classmethod
    def suited(cls, spread: float) -> dict[str, Any]:
        """Options for data that deviate from their mean by `spread`, where none are asked for."""
        return {}

    def constant(self, mean: np.ndarray, spread: float) -> np.ndarray:
        """Output (P,) of a decoder that knows of the data (D,) their mean and `spread` alone."""
        return self.bias_for(mean)

    def start_at_spread(self, spread: float) -> None:
        """Let a learned scale begin for data that deviate from their mean by `spread`."""

    def mean(self, out: Array) -> Array:
        """Mean of the data (B, D) given the decoder's output, out (B, ..., P)."""
        raise UndefinedError(f"{type(self).__name__} must define mean; write it.")

    def perfect(self, out: Array, x: Array) -> Array:
        """The decoder's output if its mean were x itself, for `out` (B, K, P) and x (B, 1, D).

        Returns
        -------
        array, (B, 1, P) or (B, K, P)
            K only where the rest of the output, such as log-variances, depends on the sample.
        """
        raise UndefinedError(f"{type(self).__name__} must define perfect; write it.")

    def values_apart(self, out: Array, x: Array) -> tuple[Array, Array]:
        """Make each value an example of its own, for out (B, P) and x (B, D)."""
        return out.reshape(-1, self.output_width(1)), x.reshape(-1, self.data_width(1))

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw data (B, D) given the decoder's output, out (B, ..., P), with host noise."""
        raise UndefinedError(f"{type(self).__name__} must define draw; write it.")

    def forward(self, out: Array, x: Array) -> Array:
        """Return the negative log-likelihood (B,) in nats; (B, K) with K samples."""
        raise UndefinedError(f"{type(self).__name__} must define forward; write it.")

    def expect_data(self, out: Array, x: Array, widths: int = 1) -> None:
        """Check the decoder's output (B, `widths` D) and x (B, D), or (B, K, ...) and (B, 1, D)."""
        several = getattr(out, "ndim", 2) == getattr(x, "ndim", 2) == 3
        self.expect("out", out, ("B", "K", "D") if several else ("B", "D"))
        lead = (out.shape[0], 1) if several else (out.shape[0],)
        if widths == 1:
            self.expect("x", x, (*lead, out.shape[-1]))
        else:
            self.expect("x", x, (*lead, "D"))
            self.expect("out", out, (*out.shape[:-1], widths * x.shape[-1]))

    def uniform(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Uniform noise in [0, 1), drawn on the host."""
        return self.backend.asarray(rng.random(shape), self.params.dtype)

    def normal(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Standard normal noise, drawn on the host."""
        return self.backend.asarray(rng.standard_normal(shape), self.params.dtype)


def is_binary(x: np.ndarray) -> bool:
    """Whether all of x (N, D) is 0 or 1; looked at in parts, up to the first that is grey."""
    parts = (x[start : start + 1000] for start in range(0, len(x), 1000))
    return all(bool(np.all((part == 0) | (part == 1))) for part in parts)


def require_unit_interval(x: np.ndarray, name: str) -> None:
    """Raise `DataError` unless all of x lies in [0, 1]."""
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise DataError(
            f"the data range from {x.min():.4g} to {x.max():.4g}, but the {name} likelihood takes "
            "values in [0, 1]; divide pixels by the largest value that they can have (255 for 8 "
            "bits), or scale the columns of a table to mean 0 and standard deviation 1 and choose "
            "the likelihood gaussian."
        )


def rows(out: Array, x: Array) -> tuple[Array, Array]:
    """Return out as (B, K, D) and x as (B, D), contiguous, for a kernel.

    Raises
    ------
    ShapeError, DtypeError
        If they are neither both (B, D), nor (B, K, D) and (B, 1, D), of one dtype.
    """
    if out.ndim == 2 and x.shape == out.shape:
        out = out[:, None]
    elif out.ndim != 3 or x.shape != (out.shape[0], 1, out.shape[2]):
        raise ShapeError(
            f"the decoder's output has shape {out.shape} and the data {x.shape}; give (B, D) for "
            "both, or (B, K, D) and (B, 1, D)."
        )
    same_dtype(out=out, x=x)
    (out,), (x,) = together(out=out), together(x=x)
    return out, x.reshape(out.shape[0], out.shape[2])


def rows_of_dnll(dnll: Array, kept: Array) -> Array:
    """Return dnll as one number for each row of what the forward kernel kept.

    Raises
    ------
    ShapeError, DtypeError
        If there is not one number, of one dtype with it, for each row.
    """
    if dnll.shape != kept.shape[:-1]:
        raise ShapeError(
            f"dnll has shape {dnll.shape}, but {kept.shape[:-1]} is expected; one number for each "
            "example, or for each sample of each."
        )
    same_dtype(dnll=dnll, kept=kept)
    return np.ascontiguousarray(dnll).reshape(-1)


def loss_and_residual(f: Loop, out: Array, x: Array) -> tuple[Array, tuple]:
    """Run a loop that computes a loss and, in the same pass, the gradient without dnll.

    Parameters
    ----------
    f : Loop
        `f(out, x, nll, residual)` for (B, K, D), (B, D), (B, K) and (B, K, D).
    out, x : array
        As `rows` takes them.

    Returns
    -------
    nll : array
        One number for each row of `out`.
    cache : tuple
        The residual, in the shape of `out`; for `scaled_rows`.
    """
    per_sample, data = rows(out, x)
    nll, residual = empty(out.shape[:-1], x.dtype), empty(out.shape, x.dtype)
    by_example = nll.reshape(per_sample.shape[:2]), residual.reshape(per_sample.shape)
    in_parts(f, (per_sample, data, *by_example), least=COSTLY)
    return nll, (residual,)


@loop
def _scale_rows(residual, dout, dnll):  # noqa: ANN001, ANN202
    for n in range(dnll.size):
        r, out = residual[n], dout[n]
        for i in range(r.size):
            out[i] = dnll[n] * r[i]


def scaled_rows(dnll: Array, residual: Array) -> Array:
    """Return what a forward kernel kept (..., D), each row times its number in dnll (...)."""
    (residual,) = together(residual=residual)
    dout, width = empty(residual.shape, residual.dtype), residual.shape[-1]
    per_row = rows_of_dnll(dnll, residual)
    by_row = residual.reshape(-1, width), dout.reshape(-1, width)
    in_parts(_scale_rows, (*by_row, per_row))
    return dout
