r"""How anomalous an example is to a VAE of normal data, and which of its values are.

With K samples $z_k$ from $q(z \mid x)$ and the log-weights $w_k$ of `ops/log_weights.py`, each
example gets five scores, in nats, higher for what is more anomalous:

$$ \text{reconstruction} = -\frac1K \sum_k \ln p(x \mid z_k) \tag{1} $$
$$ \text{kl} = KL(q(z \mid x) \,\|\, p(z)) \tag{2} $$
$$ \text{neg\_elbo} = \text{reconstruction} + \text{kl} \tag{3} $$
$$ \text{neg\_log\_px} = -\ln \frac1K \sum_k e^{w_k} \;\xrightarrow{K \to \infty}\; -\ln p(x)
   \tag{4} $$
$$ \text{deviance} = \text{reconstruction} + \frac1K \sum_k \ln p(x \mid \text{mean} = x, z_k)
   \tag{5} $$

The noise $\epsilon$ (K, Z) is an argument, and the same for every example. So the score of an
example depends on nothing but the example: not on its place in a file, nor on its company.

Even a perfect reconstruction has an nll, and (5) leaves it out. For binary pixels it is 0; a grey
pixel $x$ under a Bernoulli costs its entropy $-x \ln x - (1 - x) \ln (1 - x)$, whatever the model
has learned, so (1), (3) and (4) call grey images improbable for being grey. For a Gaussian (5) is
the squared error in units of the variance, halved.

A likelihood's nll is a sum over the dimensions of the data. Applied to one dimension at a time, the
same operation gives the parts of (5), so the pixels of a map add up to the score; the KL belongs to
the example as a whole and has no map:

$$ \text{part}_d = -\frac1K \sum_k \left( \ln p(x_d \mid z_k) -
   \ln p(x_d \mid \text{mean} = x_d, z_k) \right) \ge 0 \tag{6} $$

Sources: (3) Kingma and Welling (2014), (4) Burda et al. (2016), equation 8; the reconstruction as a
score, An and Cho (2015); (5), doubled, Nelder and Wedderburn (1972).
"""

import numpy as np

from ...data.batches import by_rows
from ...data.pixels import Pixels
from ...engine.backend import Array
from ...engine.door import door
from ...engine.kinds import Count
from ...models import VAE
from ...ops import KL, Likelihood, LogMeanExp, Reparameterize, log_weights

SCORES = {
    "neg_elbo": "minus the ELBO: reconstruction + KL",
    "reconstruction": "the reconstruction alone: -ln p(x|z)",
    "kl": "the KL alone: how far q(z|x) is from the prior",
    "neg_log_px": "minus ln p(x), by importance sampling",
    "deviance": "the reconstruction, less what a perfect one would cost",
}
"""The scores, and what each is."""


@door
def score(
    model: VAE, x: np.ndarray | Pixels, eps: np.ndarray, *, progress: bool = False
) -> dict[str, np.ndarray]:
    """Scores of examples under a model.

    Parameters
    ----------
    model : VAE
        The model.
    x : numpy.ndarray or Pixels, (N, n_pixels)
        Examples, as the model takes them.
    eps : numpy.ndarray, (K, Z)
        Standard normal noise, the same for every example.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict of str to numpy.ndarray, (N,), float64
        For each of `SCORES`; infinite where float32 overflows.
    """
    options = {"dtype": model.params.dtype, "backend": model.backend}
    reparameterize, logmeanexp = Reparameterize(**options), LogMeanExp(**options)
    kl_layer, likelihood = KL(**options), model.likelihood
    xp, to_host = model.backend.xp, model.backend.to_host
    eps = model.backend.asarray(eps, model.params.dtype)
    K, Z = eps.shape

    def of(part: np.ndarray) -> tuple[np.ndarray, ...]:
        data = model.prepare(part)
        B = len(data)
        noise = xp.ascontiguousarray(xp.broadcast_to(eps, (B, K, Z)))
        mu, logvar = model.encode(data)
        z = reparameterize.forward(mu[:, None], logvar[:, None], noise)
        out = model.decoder.forward(z.reshape(B * K, Z)).reshape(B, K, -1)
        nll = likelihood.forward(out, data[:, None])
        w, _ = model.backend.call(log_weights.forward, nll, z, logvar, noise)
        perfect = likelihood.perfect(out, data[:, None])
        least = to_host(likelihood.forward(perfect, data[:, None])).mean(axis=1, dtype="float64")
        reconstruction = to_host(nll).mean(axis=1, dtype="float64")  # (1)
        kl = to_host(kl_layer.forward(mu, logvar)).sum(axis=1, dtype="float64")  # (2)
        bound = to_host(logmeanexp.forward(w)).astype("float64")  # (4)
        return reconstruction + kl, reconstruction, kl, -bound, reconstruction - least  # (3), (5)

    title = "score" if progress else ""
    with np.errstate(all="ignore"):
        found = by_rows(model.backend, of, x, rows=max(1, 5000 // K), title=title)
    model.forget()
    finite = (np.where(np.isnan(values), np.inf, values) for values in found)
    return dict(zip(SCORES, finite, strict=True))


@door
def nll_of_each(likelihood: Likelihood, out: Array, x: Array) -> Array:
    """Negative log-likelihood (B, D) of each value, from what the likelihood's `forward` takes."""
    return likelihood.forward(*likelihood.values_apart(out, x)).reshape(len(x), -1)


@door
def explain(
    model: VAE, x: np.ndarray | Pixels, eps: np.ndarray, rows: Count = 500
) -> tuple[np.ndarray, np.ndarray]:
    """Parts of the deviance, and the reconstruction that they are measured from.

    Parameters
    ----------
    model : VAE
        The model.
    x : numpy.ndarray or Pixels, (N, n_pixels)
        Examples, as the model takes them.
    eps : numpy.ndarray, (K, Z)
        The noise of the score.
    rows : int
        Examples at once; changes time and memory only.

    Returns
    -------
    parts : numpy.ndarray, (N, n_pixels)
        Nats; their sum over an example is its deviance.
    rebuilt : numpy.ndarray, (N, n_pixels)
        Mean of the data under the decoder, averaged over the noise.
    """
    options = {"dtype": model.params.dtype, "backend": model.backend}
    reparameterize, to_host = Reparameterize(**options), model.backend.to_host
    xp = model.backend.xp
    eps = model.backend.asarray(eps, model.params.dtype)

    def of(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        data = model.prepare(part)
        parts, rebuilt = np.zeros((2, len(data), model.n_pixels))
        mu, logvar = model.encode(data)
        for e in eps:
            noise = xp.ascontiguousarray(xp.broadcast_to(e, (len(data), len(e))))
            out = model.decoder.forward(reparameterize.forward(mu, logvar, noise))
            perfect = model.likelihood.perfect(out[:, None], data[:, None])[:, 0]
            nll = nll_of_each(model.likelihood, out, data)
            least = nll_of_each(model.likelihood, perfect, data)
            parts += to_host(nll - least) / len(eps)  # (6)
            rebuilt += to_host(model.likelihood.mean(out)) / len(eps)
        return parts, rebuilt

    with np.errstate(all="ignore"):
        parts, rebuilt = by_rows(model.backend, of, x, rows=rows)
    model.forget()
    return np.where(np.isnan(parts), np.inf, parts), rebuilt
