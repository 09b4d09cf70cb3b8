r"""The rows of a minibatch: stored pixels become numbers, and grey numbers become binary draws.

Shapes: stored pixels $p$ (N, D), row numbers $r$ (B,), uniform noise $u$ (B, D). The pixels are
8-bit and stand for $p / c$ with one divisor $c$ for all of them (255 for most images); only the
rows of the minibatch are written as floats:

$$ x_{bd} = p_{r_b d} / c \tag{1} $$

Data that are floats already have $c = 1$, and (1) only fetches them.

A grey value $x$ in [0, 1] can be taken as the probability that a binary pixel is 1. As
$P(u < x) = x$ for $u$ uniform in [0, 1), comparing draws it; $x = 0$ is never above $u$ and $x = 1$
always is:

$$ y_{bd} = [u_{bd} < x_{bd}] \tag{2} $$

The data get no gradient, so neither (1) nor (2) has a backward pass.

Source of (2), drawn anew whenever an example is fetched: Burda et al. (2016).
"""

import numpy as np


def gather(
    pixels: np.ndarray, rows: np.ndarray, divisor: float = 1, u: np.ndarray | None = None
) -> np.ndarray:
    """Fetch a minibatch.

    Parameters
    ----------
    pixels : numpy.ndarray, (N, D), uint8 or float
        The stored data.
    rows : numpy.ndarray, (B,), int
        Which of them.
    divisor : float
        What the stored data are divided by.
    u : numpy.ndarray, (B, D), float32, optional
        Uniform noise in [0, 1). With it, binary pixels are drawn from the grey ones.

    Returns
    -------
    numpy.ndarray, (B, D)
        float32 if the pixels are stored in 8 bits, else in their own dtype.
    """
    x = pixels[rows]
    if x.dtype == np.uint8:
        x = x.astype(np.float32)
    x = x / x.dtype.type(divisor)  # (1)
    return x if u is None else (u < x).astype(x.dtype)  # (2)
