r"""Which latent dimensions a VAE uses, and what to say of those that it does not.

**Active units** (Burda et al. 2016, section 5.1): dimension $j$ says something about the data if
its posterior mean differs from example to example, that is, if over the data

$$ \mathrm{Var}_x \big( E_{q(z_j \mid x)}[z_j] \big) > 0.01 \tag{1} $$

**Collapsed** dimensions have a KL of about 0 as well: their posterior is the prior, whatever x is.
A dimension may also be inactive and yet cost nats: then its posterior is the same for all x, but
not the prior.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...engine.door import door
from ...errors import ShapeError

THRESHOLD = 0.01
"""Variance of the posterior mean (1), and nats of KL, up to which a dimension counts as unused."""
FEW = 10
"""Below that many examples nothing is said about a variance over them."""


@door
@dataclass(frozen=True)
class Usage:
    """What each latent dimension does.

    Attributes
    ----------
    kl : numpy.ndarray, (Z,)
        Mean KL from the prior, nats.
    variance : numpy.ndarray, (Z,)
        Variance of the posterior mean over the data.
    examples : int
        How many data there were.
    """

    kl: np.ndarray
    variance: np.ndarray
    examples: int

    @property
    def active(self) -> np.ndarray:
        """Whether each dimension is active (Z,)."""
        return self.variance > THRESHOLD  # (1)

    def report(self) -> str:
        """Say in words how much of the latent space is used, and what could be done."""
        if self.examples < FEW:
            return (
                f"{self.examples} example{'s are' if self.examples > 1 else ' is'} too few to tell "
                "whether the posterior is the same for all."
            )
        Z, active = len(self.kl), self.active
        collapsed = ~active & (self.kl <= THRESHOLD)
        constant = ~active & ~collapsed
        if active.all():
            many = "its one latent dimension" if Z == 1 else f"all {Z} latent dimensions"
            return f"No posterior collapse: the model uses {many}."
        sentences = []
        if collapsed.any():
            where = _listed(collapsed, Z)
            sentences.append(
                f"{where} collapsed: there q(z|x) is the prior whatever x is, so the decoder "
                "gets noise from it and has learned to ignore it."
            )
        if constant.any():
            where = _listed(constant, Z)
            sentences.append(
                f"{where} a posterior that is not the prior but the same for all x: it costs "
                f"{self.kl[constant].sum():.2f} nats and says nothing about the data."
            )
        if not active.any():
            sentences.append("The decoder works without z, and every sample looks alike.")
        else:
            sentences.append(
                f"That is usual: {active.sum()} dimension{'s pay' if active.sum() > 1 else ' pays'}"
                " for their KL under this loss, and a VAE switches off what does not."
            )
        return " ".join(sentences)


@door
def usage(mu: np.ndarray, kl_per_dim: np.ndarray) -> Usage:
    """Judge the latent dimensions by posterior means (N, Z) and the mean KL of each (Z,).

    Raises
    ------
    ShapeError
        If their shapes do not fit together.
    """
    if mu.ndim != 2 or mu.shape[1:] != kl_per_dim.shape or len(mu) < 1:
        raise ShapeError(
            f"posterior means of shape {mu.shape} and KLs of shape {kl_per_dim.shape} were given; "
            "give (N, Z) and (Z,)."
        )
    variance = mu.astype("float64").var(axis=0)
    return Usage(np.asarray(kl_per_dim, "float64"), variance, len(mu))


def _listed(which: np.ndarray, of: int) -> str:
    """Name dimensions, counted from 1, and put "has" or "have" behind."""
    numbers: Sequence[int] = (1 + np.flatnonzero(which)).tolist()
    if len(numbers) == of:
        return f"All {of} latent dimensions have" if of > 1 else "The one latent dimension has"
    names = ", ".join(map(str, numbers))
    verb = "dimension has" if len(numbers) == 1 else "dimensions have"
    return f"{len(numbers)} of {of} latent {verb.split()[0]} ({names}) {verb.split()[1]}"
