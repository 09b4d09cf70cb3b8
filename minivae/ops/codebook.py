r"""A codebook: each vector is replaced by the nearest of K vectors, which are learned.

Shapes: vectors $z$ and their codes $e$ (B, P, D), for P places in each example; codebook $E$
(K, D); numbers $k$ (B, P) of the codes.

$$ k_{np} = \arg\min_j \|z_{np} - E_j\|^2
          = \arg\max_j \; z_{np} \cdot E_j - \tfrac12 \|E_j\|^2 \tag{1} $$
$$ e_{np} = E_{k_{np}} \tag{2} $$

The two in (1) differ by $\|z\|^2 / 2$, which is the same for all $j$. The products of long vectors
that lie close together lose the digits that tell them apart, so both are taken from the mean of
the codebook, which moves no distance.

**Backwards.** A code gets the sum of what arrives wherever it stands, and $z$ gets nothing: $k$ is
constant but for its jumps. What $z$ is to learn comes by another way (`straight_through.py`).

$$ dE_j = \sum_{np} [k_{np} = j] \, de_{np} \tag{3} $$

**By moving averages** the codebook needs no gradient: each code follows the mean of the vectors
that it stands for, as in k-means. With the count $n_j$ of these and their sum $s_j$ in one step,
both averages start at 0, and dividing by $1 - \gamma^t$ takes the zeros out of them again, as Adam
does:

$$ N_j \leftarrow \gamma N_j + (1 - \gamma) n_j, \quad m_j \leftarrow \gamma m_j + (1 - \gamma) s_j,
   \quad \hat N = \frac{N}{1 - \gamma^t}, \quad \hat m = \frac{m}{1 - \gamma^t} \tag{4} $$
$$ E_j = \hat m_j / \tilde N_j, \quad
   \tilde N_j = \frac{\hat N_j + \epsilon}{\sum_i \hat N_i + K \epsilon} \sum_i \hat N_i \tag{5} $$

$\tilde N$ keeps the quotient of two vanishing numbers finite. It serves the division alone: written
back into $N$, it would add $\epsilon$ in each step. A code that stood for nothing stays where it
is; with $\gamma = 0$ this is one step of Lloyd's algorithm.

**A dead code** is nearest to nothing and stays so. One whose $\hat N_j$ is below a share of the
mean count is put on a vector of the batch, which the noise chooses, and starts as if it had had the
mean count.

Source: van den Oord, Vinyals and Kavukcuoglu (2017), section 3 and appendix A.1; re-seeding:
Zeghidour et al. (2021), section III.C.
"""

import math
from typing import Any

import numpy as np

from ..engine import SIZES, Array, Case, Indices, Layer, array_module, door, kernel, loop, together
from ..errors import OptionError, ShapeError

EPSILON = 1e-5
"""Of (5), in vectors."""

ENOUGH = 10
"""Steps after which a count may say that a code is dead."""


@door
def forward(z: Array, E: Array) -> tuple[Array, tuple]:
    """Return the codes e (B, P, D) nearest to z (B, P, D), from the codebook E (K, D)."""
    xp = array_module(z, E)
    mean = E.mean(axis=0)
    centred = E - mean
    rows = (z - mean).reshape(-1, z.shape[-1])
    scores = rows @ centred.T - 0.5 * (centred * centred).sum(axis=1)
    k = xp.asarray(scores.argmax(axis=-1), "int64").reshape(z.shape[:-1])  # (1)
    return E[k], (k, E)  # (2)


@door
def backward(de: Array, k: Indices, E: Array) -> Array:
    """Gradient dE (K, D) from de (B, P, D) and the numbers k (B, P) of the codes."""
    xp = array_module(de)
    hot = (k.reshape(-1, 1) == xp.arange(len(E))).astype(de.dtype)
    return hot.T @ de.reshape(-1, de.shape[-1])  # (3)


# The kernel of the backward function adds each vector to its code, and makes no table of both.
# Backward alone at 128 x 49 x 16 with 128 codes, float32, reference / kernel: 38.


@loop
def _add(de, k, dE):  # noqa: ANN001, ANN202
    for i in range(k.size):
        row, code = de[i], dE[k[i]]
        for d in range(row.size):
            code[d] += row[d]  # (3)


@kernel("numba", of=backward)
def backward_numba(de: Array, k: Indices, E: Array) -> Array:
    """Kernel of `backward`."""
    (de,) = together(de=de)
    if de.shape != (*k.shape, E.shape[1]) or de.dtype != E.dtype:
        raise ShapeError(
            f"de is {de.dtype} of shape {de.shape}, but with numbers of shape {k.shape} and E "
            f"{E.dtype} of shape {E.shape} it must be {E.dtype} of shape {(*k.shape, E.shape[1])}."
        )
    dE = np.zeros(E.shape, de.dtype)
    _add(de.reshape(-1, E.shape[1]), np.ascontiguousarray(k).reshape(-1), dE)
    return dE


class Codebook(Layer):
    r"""Layer that replaces vectors by codes, and sees to it that the codes are used.

    Parameters
    ----------
    codes : int
        K.
    width : int
        D.
    averaged : bool
        Let the codes follow moving averages, (4) and (5); else they are parameters, for a loss.
    decay : float
        $\gamma$, in [0, 1); the counts are averaged with it in either case.
    least : float
        Share of the mean count below which a code is dead; 0 for none.
    rng : numpy.random.Generator
        Draws the first codes; see `start` for better ones.
    dtype, backend
        As for every layer.
    """

    def __init__(
        self,
        codes: int,
        width: int,
        *,
        averaged: bool = False,
        decay: float = 0.99,
        least: float = 0.0,
        rng: np.random.Generator,
        **where: Any,
    ) -> None:
        if min(codes, width) < 1 or not 0 <= decay < 1 or not 0 <= least < 1:
            raise OptionError(
                f"{codes} codes of {width} numbers, a decay of {decay} and a least share of {least}"
                " were given; there is at least 1 of each, and the decay and the share are in "
                "[0, 1)."
            )
        own: dict[str, tuple[int, ...]] = {"E": (codes, width)}
        carried: dict[str, tuple[int, ...]] = {
            "N": (codes,),
            "seen": (codes,),
            "steps": (1,),
            "reseeded": (1,),
        }
        carried |= {"m": (codes, width), **own} if averaged else {}
        super().__init__({} if averaged else own, carried=carried, **where)
        self.averaged, self.decay, self.least = averaged, decay, least
        first = rng.standard_normal((codes, width)) / math.sqrt(width)
        self.E[...] = self.backend.asarray(first, self.params.dtype)

    @property
    def E(self) -> Array:
        """The codebook (K, D)."""
        return self.params.carried_of("E") if self.averaged else self.params["E"]

    def forward(self, z: Array) -> Array:
        """Return the nearest codes (B, P, D) of z (B, P, D)."""
        self.expect("z", z, ("B", "P", self.E.shape[1]))
        e, self.cache = self.call(forward, z, self.E)
        return e

    def backward(self, de: Array) -> tuple[()]:
        """Overwrite the gradient of the codebook, if it is a parameter; z has none."""
        k, E = self.saved()
        self.expect("de", de, (*k.shape, E.shape[1]))
        if not self.averaged:
            self.params.set_grads(E=self.call(backward, de, k, E))
        return ()

    @property
    def numbers(self) -> Array:
        """Numbers k (B, P) of the codes of the last forward pass."""
        return self.saved()[0]

    @property
    def started(self) -> bool:
        """Whether a step has been carried on; reads the device."""
        return bool(self.params.carried_of("steps")[0] > 0)

    def start(self, z: Array) -> None:
        """Put the codes on vectors of z (B, P, D), evenly spread.

        Raises
        ------
        OptionError
            If there are fewer vectors than codes.
        """
        z = self.params.training.others.rows(z, "a codebook")
        rows, K = z.reshape(-1, z.shape[-1]), len(self.E)
        if len(rows) < K:
            raise OptionError(
                f"a codebook of {K} codes was to start from {len(rows)} vectors, "
                f"{z.shape[1]} of each of {len(z)} examples; give fewer codes (--codes), or a "
                "larger batch (--batch)."
            )
        self.E[...] = rows[self.backend.asarray(np.arange(K) * len(rows) // K)]

    def carry(self, z: Array, u: Array) -> None:
        """Carry on averages and counts after a step: (4), (5), and dead codes by noise u (K,).

        z (B, P, D) are the vectors of the last forward pass; u is uniform on [0, 1).
        """
        xp, of, (k, E) = self.backend.xp, self.params.carried_of, self.saved()
        others = self.params.training.others
        if others.several:  # the counts are those of the vectors of all of the batch
            z, k = (others.rows(array, "a codebook") for array in (z, k))
        rows = z.reshape(-1, z.shape[-1])
        ones = xp.ones((*k.shape, 1), z.dtype)
        count = self.call(backward, ones, k, E[:, :1])[:, 0]
        N, steps = of("N"), of("steps")
        steps += 1
        N[...] = self.decay * N + (1 - self.decay) * count  # (4)
        of("seen")[...] += count
        share = 1 - self.decay**steps
        counted = N / share
        total = counted.sum()
        if self.averaged:
            m, sums = of("m"), self.call(backward, z, k, E)
            m[...] = self.decay * m + (1 - self.decay) * sums  # (4)
            smooth = (counted + EPSILON) / (total + len(E) * EPSILON) * total
            mean = m / share / smooth[:, None]
            E[...] = xp.where(counted[:, None] > 0, mean, E)  # (5)
        if self.least:
            usual = total / len(E)
            dead = (counted < self.least * usual) & (steps >= ENOUGH)
            chosen = rows[xp.asarray(u * len(rows), "int64") % len(rows)]
            E[...] = xp.where(dead[:, None], chosen, E)
            N[...] = xp.where(dead, usual * share, N)
            of("reseeded")[...] += dead.sum()
            if self.averaged:
                of("m")[...] = xp.where(dead[:, None], (usual * share) * chosen, of("m"))

    def of_epoch(self) -> dict[str, float]:
        """Perplexity of the codes since the last call, and how many were re-seeded; begins anew."""
        seen, reseeded = self.params.carried_of("seen"), self.params.carried_of("reseeded")
        found = {
            "perplexity": perplexity(self.backend.to_host(seen)),
            "reseeded": float(self.backend.to_host(reseeded)[0]),
        }
        seen[...] = 0
        reseeded[...] = 0
        return found

    def __repr__(self) -> str:
        return f"Codebook({self.E.shape[0]} x {self.E.shape[1]})"


def perplexity(counts: np.ndarray) -> float:
    """Number of codes that would have this entropy if all were used alike, from counts (K,)."""
    p = counts[counts > 0] / max(1, counts.sum())
    return float(np.exp(-(p * np.log(p)).sum()))


CASES = [
    Case(
        "codebook",
        forward,
        backward,
        vary={"E": ("K", "D")},
        fixed={"z": ("B", "Z", "D")},
        analytic=False,
        output=("B", "Z", "D"),
        layer=lambda **how: Codebook(SIZES["K"], SIZES["D"], rng=np.random.default_rng(0), **how),
    ),
]
