r"""How far a code has come apart, exactly: sums over all of a data set whose factors are known.

The code of the data set is the mixture of all N posteriors, $q(z) = \frac1N \sum_m q(z \mid x_m)$.
With one sample $z_n$ of each posterior, and every sum over $m$ taken in full,

$$ I(x; z) = \frac1N \sum_n \left( \ln q(z_n \mid x_n) - \ln q(z_n) \right) \tag{1} $$
$$ TC = \frac1N \sum_n \Big( \ln q(z_n) - \sum_d \ln q(z_{nd}) \Big) \tag{2} $$
$$ \sum_d KL(q(z_d) \| p(z_d)) = \frac1N \sum_n \sum_d \left( \ln q(z_{nd}) - \ln p(z_{nd}) \right)
   \tag{3} $$

Only the noise of the samples is left, and N of them are many. What a dimension tells about a factor
$f$, whose values are equally frequent, is the same with the mixture of those examples that share
the value $f_n$ of example $n$:

$$ I(z_d; f) = \frac1N \sum_n \left( \ln q(z_{nd} \mid f_n) - \ln q(z_{nd}) \right) \tag{4} $$

The **mutual information gap** (Chen et al. 2018, equation 6) is how much more the dimension that
tells most about a factor tells than the second, as a share of the factor's entropy, on the average
over the factors:

$$ MIG = \frac1F \sum_f \frac{I(z_{d_1}; f) - I(z_{d_2}; f)}{H(f)} \tag{5} $$

It is 1 if each factor has a dimension of its own that says it all, and 0 if none has, or if two
say the same.
"""

import math
from dataclasses import dataclass

import numpy as np

from ...engine.door import door
from ...errors import OptionError
from ...ops import logmeanexp
from ...ops.likelihoods.base import LN_2PI

AT_ONCE = 3_000_000
"""Numbers of an array that is held at once."""


@dataclass(frozen=True)
class Apart:
    """What the sums give, in nats.

    Attributes
    ----------
    information, total_correlation, from_prior : float
        (1), (2) and (3); together they are the mean KL.
    of_factors : numpy.ndarray, (Z, F)
        (4).
    gap : float
        (5), a number in [0, 1], up to the noise of the samples.
    """

    information: float
    total_correlation: float
    from_prior: float
    of_factors: np.ndarray
    gap: float


@door
def apart(
    mu: np.ndarray, logvar: np.ndarray, factors: np.ndarray, *, rng: np.random.Generator
) -> Apart:
    """Measure the code of a data set: mu (N, Z), logvar (N, Z), factors (N, F).

    Parameters
    ----------
    mu, logvar : numpy.ndarray, (N, Z)
        Posterior of each example.
    factors : numpy.ndarray of int, (N, F)
        Value of each factor, a whole number from 0; each value equally often.
    rng : numpy.random.Generator
        Draws one sample of each posterior.

    Raises
    ------
    ShapeError
        If the three do not belong to the same examples.
    OptionError
        If a factor has one value alone, or some of its values more often than others.
    """
    N, Z = mu.shape
    if factors.shape[1] == 0:
        raise OptionError("no factor was given; give at least one column.")
    groups = [np.unique(f, return_inverse=True, return_counts=True) for f in factors.T]
    for number, (values, _, counts) in enumerate(groups):
        if len(values) < 2 or counts.min() != counts.max():
            raise OptionError(
                f"factor {number} has the values {values.tolist()[:8]}, {counts.tolist()[:8]} "
                "times each; a factor has at least two, each equally often."
            )
    mu, logvar = mu.astype("float64"), logvar.astype("float64")
    eps = rng.standard_normal(mu.shape)
    z = mu + np.exp(logvar / 2) * eps
    log_each, log_all = np.empty((N, Z)), np.empty(N)
    given = np.empty((len(groups), N, Z))
    # Which examples share a value: a column for each value of each factor, in turn.
    shared = np.concatenate([np.eye(len(v))[index] / c for v, index, c in groups], axis=1)
    first = np.cumsum([0, *(len(values) for values, _, _ in groups)])
    rows = max(1, AT_ONCE // N)
    for start in range(0, N, rows):
        part = slice(start, start + rows)
        joint = np.zeros((len(z[part]), N))
        for d in range(Z):
            square = (z[part, d, None] - mu[:, d]) ** 2 * np.exp(-logvar[:, d])
            L = -0.5 * (square + logvar[:, d] + LN_2PI)
            joint += L
            top = L.max(axis=1, keepdims=True)
            e = np.exp(L - top)
            log_each[part, d] = top[:, 0] + np.log(e.mean(axis=1))
            means = e @ shared
            for f, (_, index, _) in enumerate(groups):
                own = means[np.arange(len(means)), first[f] + index[part]]
                given[f, part, d] = top[:, 0] + np.log(np.maximum(own, 1e-300))
        log_all[part], _ = logmeanexp.forward(joint)
    log_q = -0.5 * (eps**2 + logvar + LN_2PI).sum(axis=1)
    log_prior = -0.5 * (z**2 + LN_2PI)
    of_factors = (given - log_each).mean(axis=1).T  # (4)
    best = np.sort(of_factors, axis=0)
    second = best[-2] if Z > 1 else 0.0
    entropies = np.array([math.log(len(values)) for values, _, _ in groups])
    return Apart(
        information=float((log_q - log_all).mean()),  # (1)
        total_correlation=float((log_all - log_each.sum(axis=1)).mean()),  # (2)
        from_prior=float((log_each - log_prior).sum(axis=1).mean()),  # (3)
        of_factors=of_factors,
        gap=float(((best[-1] - second) / entropies).mean()),  # (5)
    )
