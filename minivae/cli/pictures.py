"""The pictures of a run: a function each, and `draw`, which makes all that its model has."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Dataset, Pixels
from ..errors import OptionError
from ..show import plots
from ..train.runs import Run
from . import sequences
from .outputs import write_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def spread(x: np.ndarray | Pixels, n: int) -> np.ndarray:
    """Return n rows, or all if there are fewer, spread evenly over the data."""
    n = min(n, len(x))
    return x[np.arange(n) * len(x) // n]


def draw(run: Run, data: Dataset) -> list[str]:
    """Draw the pictures of a trained run into its folder, and spell sequences; return the names.

    Each file is replaced as a whole.
    """
    history, model, can = run.training.history, run.training.model, run.can
    x, y, part = run.test_rows(data)
    what = f"{data.name} ({part})"
    drawn = {}
    if plots.has_picture(run.shape):
        if "reconstruct" in can:
            drawn["reconstructions.png"] = reconstructions(run, spread(x, 40), what)
        n = 8 * classes(run) if 1 < classes(run) < 20 else 64
        if "sample" in can:
            drawn["samples.png"] = samples(run, sampled(run, n, seed=run.training.settings.seed))
        if model.latent == 2 and "prior" in can and not can & {"condition", "categories"}:
            drawn["manifold.png"] = manifold(run)
    texts, files = {}, []
    if model.alphabet:
        few = spread(x, 40)
        texts["reconstructions.txt"] = {"of": few, "rebuilt": run.reconstruct(few)}
        many = sampled(run, 64, seed=run.training.settings.seed, draw=True)
        texts["samples.txt"] = {"x": many}
        if sequences.has_files_of_its_own(run):
            files = sequences.draw(run, many[:12], "samples")
    if model.latent == 2 and "encode" in can:
        drawn["latent.png"] = latents(run, x, y, data.labels, part)
    if history:
        shown = [name for name in model.columns if not name.startswith("val_")]
        drawn["curves.png"] = plots.curves(history, shown)
    for name, picture in drawn.items():
        plots.save(picture, run.folder / name)
    for name, arrays in texts.items():
        write_texts(run.folder / name, run, arrays)
    return [*drawn, *texts, *files]


def reconstructions(run: Run, x: np.ndarray, what: str) -> "Axes":
    """Draw examples above their reconstructions."""
    title = f"{len(x)} of {what}, each above its reconstruction"
    rebuilt, x = run.reconstruct(x), run.pixels(x)
    return plots.reconstructions(x, rebuilt, run.shape, limits=run.limits, title=title)


def classes(run: Run) -> int:
    """Number of the classes that a conditional model knows; 0 of any other."""
    return len(run.training.model.labels) if "condition" in run.can else 0


def sampled(
    run: Run,
    n: int,
    *,
    seed: int,
    temperature: float = 1.0,
    draw: bool = False,
    label: str | None = None,
) -> np.ndarray:
    """Decode n draws from the prior to host data (n, n_pixels).

    Raises
    ------
    OptionError
        If the model makes no samples.
    """
    model = run.training.model
    if "sample" not in run.can:
        raise OptionError(
            f"{run.folder} holds {model.title}, which makes no samples; train a VAE or a GAN."
        )
    rng = np.random.default_rng(seed)
    given = {"label": label} if "condition" in run.can else {}
    x = model.sample(n, rng, temperature=temperature, draw=draw, **given)
    return model.backend.to_host(x)


def samples(
    run: Run,
    x: np.ndarray,
    *,
    temperature: float = 1.0,
    draw: bool = False,
    label: str | None = None,
) -> "Axes":
    """Draw samples in a square, or with a column for each class where the classes take turns."""
    in_turns = label is None and 1 < classes(run) < 20
    columns = min(classes(run), len(x)) if in_turns else None
    title = about_samples(run, temperature=temperature, draw=draw, label=label)
    return plots.images(x, run.shape, limits=run.limits, title=title, columns=columns)


def beside_nearest(run: Run, x: np.ndarray, found: np.ndarray, **how: Any) -> "Axes":
    """Draw samples, each above its nearest training example; `how` as for `samples`."""
    title = f"{about_samples(run, **how)}, each above its nearest training example"
    return plots.reconstructions(x, found, run.shape, limits=run.limits, title=title)


def about_samples(
    run: Run, *, temperature: float = 1.0, draw: bool = False, label: str | None = None
) -> str:
    """Say what samples are."""
    what = run.training.model.samples_are
    if label is not None:
        what += f", class {label}"
    if temperature != 1:
        what += f", temperature {temperature:g}"
    if "draw" in run.can:
        what += f" ({'drawn pixels' if draw else 'means of the pixels'})"
    return what


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
    title = f"{run.training.model.codes_are} of {len(x)} {part} examples"
    if prior := "prior" in run.can:
        title += " (circle: 95 % of the prior)"
    return plots.latent(run.codes(x), y, labels, prior=prior, title=title)
