"""Packs a run on melodies into one HTML file, as `../page/build.py` does for pictures."""

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ....data import Pixels
from ....data.melodies.alphabet import FIRST, HOLD, LOW, is_music
from ....data.melodies.midi import TEMPO
from ....data.melodies.sound import DECAY, FADE, HARMONICS
from ....engine.door import door
from ....errors import OptionError, ShapeError
from ....files import new_file, write_atomically
from ....models.base import Model
from ....models.sequence_decoder import RecurrentDecoder
from ....train.runs import Run
from .. import paths as explore
from ..page.build import assemble, classes_of
from ..page.build import read as read_page
from ..page.program import activations, kept, steps_of

EXAMPLES = 400
"""Melodies that a page holds at most."""

SCRIPTS = ("network.js", "layers.js", "pictures.js", "chart.js", "plane.js")
"""Of the page of pictures; before the page's own."""

OWN = ("decoder.js", "notes.js", "player.js", "listen.js")
"""In this order: each uses what those before it define."""


@door
def write_page(run: Run, path: str | Path, *, data: str | None = None) -> Path:
    """Write the page of a run on melodies.

    Parameters
    ----------
    run : Run
        From `minivae.train.runs.open_run`.
    path : str or Path
        The new file, `.html`.
    data : str, optional
        Name or path of the melodies to show; those that the run was trained on by default.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OptionError
        If the file exists or has another ending, or the page cannot run the model.
    ShapeError
        If the melodies have another length than the run's.

    Examples
    --------
    >>> write_page(open_run("runs/001-melodies-sequence"), "page.html")
    """
    path = new_file(path, ".html", ".htm", option="--html")
    _expect_music(run.training.model)
    examples = run.load_data(data)
    if tuple(examples.shape) != run.shape or not is_music(examples.alphabet):
        raise ShapeError(
            f"{examples.name} has examples of shape {tuple(examples.shape)}, but {run.folder} was "
            f"trained on melodies of {run.shape[0]} steps; give such melodies."
        )
    x, y, part = run.test_rows(examples)
    text = page_html(
        run.training.model,
        x,
        y,
        labels=examples.labels,
        name=examples.name,
        part=part,
        n_train=run.extra["data"]["n_train"],
    )
    write_atomically(path, lambda file: file.write(text.encode()))
    return path


@door
def page_html(
    model: Model,
    x: np.ndarray | Pixels,
    y: np.ndarray | None = None,
    *,
    labels: tuple[str, ...] | None = None,
    name: str = "",
    part: str = "test",
    n_train: int | None = None,
) -> str:
    """The page of a model of melodies.

    Parameters
    ----------
    model : Model
        A `SequenceVAE`.
    x : numpy.ndarray or Pixels, (N, n_pixels)
        Melodies to show on the map, of which at most `EXAMPLES` are taken, spread evenly.
    y : numpy.ndarray, (N,), optional
        Class numbers.
    labels : tuple of str, optional
        Names of the classes.
    name, part : str
        What the data are called, and which part of them they are, "test" or "training".
    n_train : int, optional
        How many melodies the model learned from.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    OptionError
        If the model makes no melodies, or has fewer than two latent dimensions.
    """
    _expect_music(model)
    if model.latent < 2 or len(x) < 2:
        raise OptionError(
            f"the model has {model.latent} latent dimensions and there are {len(x)} melodies, but "
            "a page shows a plane; it takes at least 2 of each."
        )
    steps, weights = program(model)
    chosen = np.arange(min(len(x), EXAMPLES)) * len(x) // min(len(x), EXAMPLES)
    x, y = x[chosen], None if y is None else y[chosen]
    codes = model.backend.to_host(explore.means(model, x))
    _, directions, _ = explore.principal_plane(codes)
    facts: dict[str, Any] = {
        "program": steps,
        "shape": [1, model.n_pixels],
        "limits": [0.0, 255.0],  # the bytes of an example are the numbers of its symbols
        "background": [HOLD],
        "music": {"hold": HOLD, "first": FIRST, "low": LOW, "tempo": TEMPO},
        "sound": {"decay": DECAY, "fade": FADE, "harmonics": HARMONICS},
        "prior": "prior" in model.can,
        "directions": directions.tolist(),
        "n": len(x),
        "name": name,
        "part": part,
        "nTrain": n_train,
        "classes": classes_of(y, labels),
        "y": None if y is None else np.searchsorted(np.unique(y), y).tolist(),
    }
    return assemble(
        _read("template.html"),
        f"Hear {name}" if name else "Hear a latent space",
        read_page("style.css") + _read("style.css"),
        facts,
        weights,
        codes,
        x.astype(np.uint8),
        "\n".join([activations(), *map(read_page, SCRIPTS), *map(_read, OWN)]),
    )


def program(model: Model) -> tuple[dict[str, Any], np.ndarray]:
    """What the page computes, and all weights, as `../page/program.py` has them.

    Returns
    -------
    steps : dict
        `latent`, `symbols` V, and the `decoder`: its steps; or, for one that hears the symbols
        before, `recurrent`: where the parts of (1) in `models/sequence_decoder.py` begin.
    weights : numpy.ndarray, (P,), float32

    Raises
    ------
    OptionError
        If the decoder has a part that the page cannot compute.
    """
    arrays, keep = kept(model)
    decoder: Any = model.decoder
    steps: dict[str, Any] = {"latent": model.latent, "symbols": len(model.alphabet) - 1}
    if isinstance(decoder, RecurrentDecoder):
        states = decoder.gru.params["U"].shape[0]
        steps["recurrent"] = {
            "start": steps_of([decoder.start], (1, model.latent), keep),
            "embedding": keep(decoder.embedding.params["E"]),
            "width": decoder.width,
            "states": states,
            "gru": {name: keep(decoder.gru.params[name]) for name in ("W", "U", "b", "c")},
            "head": steps_of([decoder.head], (1, states), keep),
            "steps": model.n_pixels,
            "deaf": model.deaf,
        }
    else:
        steps["decoder"] = steps_of([decoder], (1, model.latent), keep)
    return steps, np.concatenate(arrays)


def _expect_music(model: Model) -> None:
    """Refuse a model that makes no melodies."""
    if not is_music(model.alphabet):
        raise OptionError(
            f"a page of sequences plays melodies, but {model.title} whose data are none was given; "
            "train one on melodies."
        )


def _read(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
