"""The pictures of a run: a function each, and `draw`, which makes all that its model has."""

from typing import TYPE_CHECKING

import numpy as np

from minivae import plots
from minivae.data import Dataset, Pixels
from minivae.runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def spread(x: np.ndarray | Pixels, n: int) -> np.ndarray:
    """Return n rows, or all if there are fewer, spread evenly over the data."""
    n = min(n, len(x))
    return x[np.arange(n) * len(x) // n]


def draw(run: Run, data: Dataset) -> list[str]:
    """Draw the pictures of a trained run into its folder; return the files' names.

    Each file is replaced as a whole.
    """
    history, latent = run.training.history, run.training.model.latent
    x, y, part = run.test_rows(data)
    what = f"{data.name} ({part})"
    drawn = {}
    if plots.has_picture(run.shape):
        if not run.is_gan:
            drawn["reconstructions.png"] = reconstructions(run, spread(x, 40), what)
        drawn["samples.png"] = samples(run, sampled(run, 64, seed=run.training.settings.seed))
        if latent == 2 and (run.has_prior or run.is_gan):
            drawn["manifold.png"] = manifold(run)
    if latent == 2 and not run.is_gan:
        drawn["latent.png"] = latents(run, x, y, data.labels, part)
    if history:
        terms = ("loss", "nll", "kl") if run.has_prior else ("nll",)
        terms = ("d_loss", "g_loss") if run.is_gan else terms
        drawn["curves.png"] = plots.curves(history, terms)
    for name, picture in drawn.items():
        plots.save(picture, run.folder / name)
    return list(drawn)


def reconstructions(run: Run, x: np.ndarray, what: str) -> "Axes":
    """Draw examples above their reconstructions."""
    title = f"{len(x)} of {what}, each above its reconstruction"
    return plots.reconstructions(x, run.reconstruct(x), run.shape, limits=run.limits, title=title)


def sampled(
    run: Run, n: int, *, seed: int, temperature: float = 1.0, draw: bool = False
) -> np.ndarray:
    """Decode n draws from the prior to host data (n, n_pixels)."""
    model = run.training.model
    rng = np.random.default_rng(seed)
    x = model.sample(n, rng, temperature=temperature, draw=draw)
    return model.backend.to_host(x)


def samples(run: Run, x: np.ndarray, *, temperature: float = 1.0, draw: bool = False) -> "Axes":
    """Draw samples in a square."""
    what = (
        "Samples from the prior" if run.has_prior else "Decoded noise: an autoencoder has no prior"
    )
    warm = "" if temperature == 1 else f", temperature {temperature:g}"
    title = f"{what}{warm} ({'drawn pixels' if draw else 'means of the pixels'})"
    if run.is_gan:
        title = f"Samples of the generator{warm}"
    return plots.images(x, run.shape, limits=run.limits, title=title)


def manifold(run: Run) -> "Axes":
    """Draw the decoder's image of a two-dimensional latent space."""
    title = "Decoder over the prior's quantiles ($z_1$ to the right, $z_2$ upwards)"
    return plots.manifold(run.training.model, run.shape, limits=run.limits, title=title)


def latents(
    run: Run,
    x: np.ndarray | Pixels,
    y: np.ndarray | None,
    labels: tuple[str, ...] | None,
    part: str,
) -> "Axes":
    """Draw the two-dimensional latents of data."""
    what = "Posterior means" if run.has_prior else "Codes"
    title = f"{what} of {len(x)} {part} examples"
    if run.has_prior:
        title += " (circle: 95 % of the prior)"
    return plots.latent(run.codes(x), y, labels, prior=run.has_prior, title=title)
