r"""Initial weights: keep the spread of the signals about the same from layer to layer.

For $y = x W$ with independent entries, $\operatorname{Var}(y) = n_{in} \operatorname{Var}(x)
\operatorname{Var}(W)$ forwards, and $\operatorname{Var}(dx) = n_{out} \operatorname{Var}(dy)
\operatorname{Var}(W)$ backwards. Glorot and Bengio (2010) balance the two, He et al. (2015) count
forwards only and double the variance, since a ReLU sets half of the signal to zero.
"""

from collections.abc import Callable

import numpy as np

from .door import door
from .kinds import Count, Inside

Initialiser = Callable[..., np.ndarray]
"""`initialiser(rng, n_in, n_out, shape)`: weights of that shape, (n_in, n_out) unless it is given.
Each output sums over `n_in` numbers, and each input acts on `n_out`; a convolution says which."""

INITIALISERS: dict[str, Initialiser] = {}
"""Every initialiser, by its name."""


def initialiser(function: Initialiser) -> Initialiser:
    """Enter the decorated function among the initialisers."""
    checked = INITIALISERS[function.__name__] = door(function)
    return checked


@initialiser
def glorot(
    rng: np.random.Generator, n_in: Count, n_out: Count, shape: tuple[int, ...] = ()
) -> np.ndarray:
    r"""Glorot uniform: $W \sim U(-a, a)$, $a = \sqrt{6 / (n_{in} + n_{out})}$.

    For tanh, sigmoid and linear outputs (Glorot and Bengio 2010, equation 16).

    Returns
    -------
    numpy.ndarray, shape or (n_in, n_out), float64
    """
    a = np.sqrt(6 / (n_in + n_out))
    return rng.uniform(-a, a, shape or (n_in, n_out))


@initialiser
def he(
    rng: np.random.Generator, n_in: Count, n_out: Count, shape: tuple[int, ...] = ()
) -> np.ndarray:
    r"""He normal: $W \sim N(0, 2 / n_{in})$.

    For ReLU and its relatives (He et al. 2015, equation 10).

    Returns
    -------
    numpy.ndarray, shape or (n_in, n_out), float64
    """
    return rng.standard_normal(shape or (n_in, n_out)) * np.sqrt(2 / n_in)


@initialiser
def zeros(
    rng: np.random.Generator, n_in: Count, n_out: Count, shape: tuple[int, ...] = ()
) -> np.ndarray:
    """All zeros: the layer starts as its bias alone."""
    return np.zeros(shape or (n_in, n_out))


@door
def logit(p: np.ndarray, clip: Inside = 1e-3) -> np.ndarray:
    r"""Logit $\ln p - \ln(1 - p)$ of probabilities clipped to [clip, 1 - clip].

    As the bias of a Bernoulli decoder's last layer, the logit of the training mean makes the model
    start from the mean image (clipped as in the code of Burda et al. 2016).
    """
    p = np.clip(p, clip, 1 - clip)
    return np.log(p) - np.log1p(-p)
