"""The sums of a VAE: the ELBO with beta and free bits, the importance-weighted bound."""

import numpy as np

from ..operations.known import Known, Values, mutants

_W1 = "-nll stands in the log-weight; write d{nll} = -{g}"
_W2 = "the prior has -z**2 / 2; write d{z} = -{g}[:, :, None] * {z}"
_W3 = (
    "the entropy term logvar / 2 of -log q; write d{logvar} = 0.5 * {g}.sum(axis=1), for every "
    "dimension"
)


def _per(dy: np.ndarray, v: Values, scale: float = 0.5) -> np.ndarray:
    return np.repeat(scale * dy.sum(axis=1)[:, None], v.z.shape[-1], axis=1)


LOG_WEIGHTS = Known(
    "log-weights",
    "the log-weights of the importance-weighted bound",
    {
        "nll": ("B", "K"),
        "z": ("B", "K", "Z"),
        "logvar": ("B", "Z"),
        "eps": ("B", "K", "Z"),
    },
    lambda v: -v.nll + 0.5 * (v.logvar[:, None] + v.eps**2 - v.z**2).sum(axis=-1),
    {
        "nll": lambda dy, v: -dy,
        "z": lambda dy, v: -dy[:, :, None] * v.z,
        "logvar": _per,
    },
    mutants(
        "nll",
        ("sign", "the sign is flipped: " + _W1, lambda dy, v: dy),
        ("no_upstream", "dout is not in it: " + _W1, lambda dy, v: -np.ones_like(dy)),
    )
    + mutants(
        "z",
        ("sign", "the sign is flipped: " + _W2, lambda dy, v: dy[:, :, None] * v.z),
        ("factor", "the 2 of the square and the 1/2 cancel: " + _W2,
         lambda dy, v: -2 * dy[:, :, None] * v.z),
        ("factor", "the 2 of the square cancels the 1/2: " + _W2,
         lambda dy, v: -0.5 * dy[:, :, None] * v.z),
        ("swapped", "the noise stands where {z} belongs: " + _W2,
         lambda dy, v: -dy[:, :, None] * v.eps),
        ("extra_term", "the noise's term is differentiated too: " + _W2,
         lambda dy, v: dy[:, :, None] * (v.eps - v.z)),
        ("extra_term", "{z} of the density of q is differentiated as if the noise depended on it: "
         + _W2, lambda dy, v: dy[:, :, None] * (
             v.eps * np.exp(-0.5 * v.logvar[:, None]) - v.z)),
        ("derivative_missing", "{z}**2 / 2 is not differentiated: " + _W2,
         lambda dy, v: -0.5 * dy[:, :, None] * v.z**2),
        ("no_upstream", "dout is not in it: " + _W2, lambda dy, v: -v.z),
    )
    + mutants(
        "logvar",
        ("entropy_missing", "the entropy term is missing: " + _W3,
         lambda dy, v: np.zeros_like(v.logvar)),
        ("sign", "the sign is flipped: " + _W3, lambda dy, v: -_per(dy, v)),
        ("factor", "the factor 1/2 is missing: " + _W3, lambda dy, v: _per(dy, v, 1.0)),
        ("mean_for_sum", "a mean over the samples stands where the sum belongs: " + _W3,
         lambda dy, v: _per(dy, v) / dy.shape[1]),
        ("dims", "a mean over the samples stands where the sum belongs: " + _W3,
         lambda dy, v: _per(dy, v) / dy.shape[1]),
        ("no_upstream", "dout is not in it: " + _W3, lambda dy, v: np.full(v.logvar.shape, 0.5)),
        ("extra_term", "the noise's square is counted too, but the noise does not depend on "
         "{logvar}: " + _W3,
         lambda dy, v: 0.5 * (dy[:, :, None] * (1 - v.eps**2)).sum(axis=1)),
        ("no_sum", "the sum over the samples is missing, only the first is there: " + _W3,
         lambda dy, v: np.repeat(0.5 * dy[:, :1], v.z.shape[-1], axis=1)),
        ("no_sum", "the sum over the samples is missing, only the last is there: " + _W3,
         lambda dy, v: np.repeat(0.5 * dy[:, -1:], v.z.shape[-1], axis=1)),
        ("dims", "it is divided among the dimensions: " + _W3,
         lambda dy, v: _per(dy, v) / v.z.shape[-1]),
        ("kl_missing", "this is the analytic KL's gradient; the bound has the sampled density "
         "instead: " + _W3,
         lambda dy, v: -0.5 * np.expm1(v.logvar) * dy.sum(axis=1)[:, None]),
    ),
)  # fmt: skip


def _kl_mean(v: Values) -> np.ndarray:
    return v.kl.mean(axis=0)


def _open(v: Values) -> np.ndarray:
    return 1.0 * (_kl_mean(v) > v.lam)


def _broad(row: np.ndarray, v: Values) -> np.ndarray:
    return np.broadcast_to(row, v.kl.shape)


_F = (
    "write d{kl} = {g} * beta / B * (mean KL of the dimension > free bits), and d{nll} = {g} / B, "
    "for every example"
)


def _some_below(v: Values, rng: np.random.Generator) -> None:
    v.kl = np.abs(v.kl) + 0.5
    v.kl[:, 0] *= 0.05
    v.kl[0, 0], v.kl[1, -1] = v.lam + 0.05, 0.5 * v.lam


NEGATIVE_ELBO = Known(
    "negative elbo with free bits",
    "mean({nll}) + beta * sum(max(mean KL, free bits))",
    {"nll": ("B",), "kl": ("B", "Z")},
    lambda v: (v.nll.mean() + v.bet * np.maximum(_kl_mean(v), v.lam).sum())[None],
    {
        "nll": lambda dy, v: np.full(v.nll.shape, dy.sum() / len(v.nll)),
        "kl": lambda dy, v: dy.sum() * v.bet / len(v.kl) * _broad(_open(v), v),
    },
    mutants(
        "nll",
        ("batch", "the 1/B of the batch mean is missing: " + _F,
         lambda dy, v: np.full(v.nll.shape, dy.sum())),
        ("batch", "the 1/B of the batch mean is applied twice: " + _F,
         lambda dy, v: np.full(v.nll.shape, dy.sum() / len(v.nll) ** 2)),
        ("beta", "beta is applied to the reconstruction, it belongs to the KL: " + _F,
         lambda dy, v: np.full(v.nll.shape, v.bet * dy.sum() / len(v.nll))),
        ("derivative_missing", "the losses themselves are returned: " + _F,
         lambda dy, v: dy.sum() * v.nll / len(v.nll)),
        ("no_upstream", "dout is not in it: " + _F,
         lambda dy, v: np.full(v.nll.shape, 1 / len(v.nll))),
    )
    + mutants(
        "kl",
        ("beta", "beta is missing: " + _F,
         lambda dy, v: dy.sum() / len(v.kl) * _broad(_open(v), v)),
        ("beta", "beta is applied twice: " + _F,
         lambda dy, v: dy.sum() * v.bet**2 / len(v.kl) * _broad(_open(v), v)),
        ("beta", "it is divided by beta: " + _F,
         lambda dy, v: dy.sum() / v.bet / len(v.kl) * _broad(_open(v), v)),
        ("batch", "the 1/B of the batch mean is missing: " + _F,
         lambda dy, v: dy.sum() * v.bet * _broad(_open(v), v)),
        ("batch", "the 1/B of the batch mean is applied twice: " + _F,
         lambda dy, v: dy.sum() * v.bet / len(v.kl) ** 2 * _broad(_open(v), v)),
        ("wrong_mask", "the mask of the free bits is missing, the gradient passes where the KL is "
         "below them: " + _F, lambda dy, v: dy.sum() * v.bet / len(v.kl) * np.ones(v.kl.shape)),
        ("wrong_mask", "the mask of the free bits is turned round, as for a minimum: " + _F,
         lambda dy, v: dy.sum() * v.bet / len(v.kl) * _broad(1 - _open(v), v)),
        ("wrong_mask", "the mask of the free bits is taken from each example's KL, but the loss "
         "has the maximum of the batch mean: " + _F,
         lambda dy, v: dy.sum() * v.bet / len(v.kl) * (v.kl > v.lam)),
        ("wrong_mask", "the mask is taken at 0 or from the sum over the dimensions: " + _F,
         lambda dy, v: dy.sum() * v.bet / len(v.kl) * np.ones(v.kl.shape)
         * (_kl_mean(v).sum() > v.lam)),
        ("dims", "it is divided among the dimensions: " + _F,
         lambda dy, v: dy.sum() * v.bet / v.kl.size * _broad(_open(v), v)),
        ("no_upstream", "dout is not in it: " + _F,
         lambda dy, v: v.bet / len(v.kl) * _broad(_open(v), v)),
    ),
    options={"bet": (1.7, 1.0, 0.5, 2.0, 4.0), "lam": (0.3, 0.0, 0.1, 0.5, 1.0, 0.25, 0.2, 0.05)},
    draw=_some_below,
    sizes={"Z": 3},
)  # fmt: skip


def _kls(v: Values) -> np.ndarray:
    return (0.5 * (v.mu**2 + np.expm1(v.logvar) - v.logvar)).mean(axis=0)


def _free(name: str, slope: object, role: str) -> tuple:
    mend = (
        f"a dimension whose mean KL is below the free bits gets no gradient, the others the KL's: "
        f"d{{{role}}} = {{g}} / B * (KL mean over the batch > free bits) * {name}"
    )

    def gate(v: Values, per_example: bool = False, turned: bool = False) -> np.ndarray:
        kl = 0.5 * (v.mu**2 + np.expm1(v.logvar) - v.logvar) if per_example else _kls(v)
        return 1.0 * ((kl > v.lam) != turned)

    return mutants(
        role,
        ("wrong_mask", "the mask of the free bits is missing: " + mend,
         lambda dy, v: dy * slope(v) / len(v.mu)),
        ("wrong_mask", "the mask of the free bits is turned round: " + mend,
         lambda dy, v: dy * slope(v) / len(v.mu) * gate(v, turned=True)),
        ("wrong_mask", "the mask is taken from each example's KL, but the loss has the maximum of "
         "the batch mean: " + mend,
         lambda dy, v: dy * slope(v) / len(v.mu) * gate(v, per_example=True)),
        ("batch", "the 1/B of the batch mean is missing: " + mend,
         lambda dy, v: dy * slope(v) * gate(v)),
    )  # fmt: skip


def _mu(v: Values) -> np.ndarray:
    return v.mu


def _lv(v: Values) -> np.ndarray:
    return 0.5 * np.expm1(v.logvar)


def _small_first(v: Values, rng: np.random.Generator) -> None:
    v.mu[:, 0] *= 0.2
    v.logvar[:, 0] *= 0.2
    v.mu[0, 0] = 1.1


FREE_BITS = Known(
    "kl with free bits",
    "the KL of N({mu}, exp({logvar})) with free bits, max(batch mean, free bits)",
    {"mu": ("B", "Z"), "logvar": ("B", "Z")},
    lambda v: np.maximum(_kls(v), v.lam),
    {
        "mu": lambda dy, v: dy * v.mu / len(v.mu) * (_kls(v) > v.lam),
        "logvar": lambda dy, v: dy * _lv(v) / len(v.mu) * (_kls(v) > v.lam),
    },
    _free("{mu}", _mu, "mu") + _free("(exp({logvar}) - 1) / 2", _lv, "logvar"),
    options={"lam": (0.3, 0.1, 0.5, 1.0, 0.25, 0.2, 0.05)},
    draw=_small_first,
    special_of="kl",
    sizes={"Z": 3},
)

KNOWN = [LOG_WEIGHTS, NEGATIVE_ELBO, FREE_BITS]
