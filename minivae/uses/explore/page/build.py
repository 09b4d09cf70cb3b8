"""Packs a run into one HTML file.

The weights are float32. Of four bytes of a weight only those of the exponent repeat themselves, so
the bytes are sorted into four planes before they are deflated (as `zlib`, level 9), and the page
puts them together again. A 784-400-20 VAE takes 2.61 MB of weights, 2.20 MB deflated so (2.41 MB
without the planes), and 2.93 MB in base64, which is how a text file holds them.
"""

import base64
import json
import re
import zlib
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ....check.report.style import colours
from ....data import Pixels
from ....engine.door import door
from ....errors import OptionError, ShapeError
from ....files import new_file, write_atomically
from ....models.base import Model
from ....show.canvas import has_picture
from ....show.plots import CLASS_COLOURS
from ....train.runs import Run
from .. import paths as explore
from .program import functions, program

EXAMPLES, PIXELS = 1000, 800_000
"""Examples that a page holds, and pixels of all of them, at most."""

LIGHT = {
    "faint": "#eceae5",
    "mine": "#c8246b",
    "shadow": "0 1px 2px #0000000d,0 6px 20px #0000000d",
}
DARK = {"faint": "#2b2a27", "mine": "#ff7bb0", "shadow": "none"}
"""Beside the colours of all pages: faint lines, what the reader has drawn, the shadow of a card."""

SCRIPTS = (
    "network.js",
    "layers.js",
    "pictures.js",
    "chart.js",
    "plane.js",
    "sketch.js",
    "sliders.js",
    "words.js",
    "explorer.js",
)
"""In this order: each uses what those before it define."""


@door
def write_page(run: Run, path: str | Path, *, data: str | None = None) -> Path:
    """Write the page of a run.

    Parameters
    ----------
    run : Run
        From `minivae.train.runs.open_run`.
    path : str or Path
        The new file, `.html`.
    data : str, optional
        Name or path of the data to show; those that the run was trained on by default.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OptionError
        If the file exists or has another ending, or the page cannot run the model.
    ShapeError
        If the data have another shape than the run's, or are no pictures.

    Examples
    --------
    >>> write_page(open_run("runs/001-mnist5k-vae"), "page.html")
    """
    path = new_file(path, ".html", ".htm", option="--html")
    examples = run.load_data(data)
    if tuple(examples.shape) != run.shape:
        raise ShapeError(
            f"{examples.name} has examples of shape {tuple(examples.shape)}, but {run.folder} was "
            f"trained on shape {run.shape}; give data of that shape."
        )
    x, y, part = run.test_rows(examples)
    text = page_html(
        run.training.model,
        run.shape,
        x,
        y,
        labels=examples.labels,
        limits=run.limits,
        name=examples.name,
        part=part,
        n_train=run.extra["data"]["n_train"],
    )
    write_atomically(path, lambda file: file.write(text.encode()))
    return path


@door
def page_html(
    model: Model,
    shape: tuple[int, ...],
    x: np.ndarray | Pixels,
    y: np.ndarray | None = None,
    *,
    labels: tuple[str, ...] | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
    name: str = "",
    part: str = "test",
    n_train: int | None = None,
) -> str:
    """The page of a model.

    Parameters
    ----------
    model : Model
        A `VAE` or an `Autoencoder`.
    shape : tuple of int
        Shape of one image: (H, W), or (H, W, 3) for RGB.
    x : numpy.ndarray or Pixels, (N, n_pixels)
        Data to show on the map, of which at most `EXAMPLES` are taken, spread evenly.
    y : numpy.ndarray, (N,), optional
        Class numbers.
    labels : tuple of str, optional
        Names of the classes.
    limits : (float, float)
        Values that are black and white.
    name, part : str
        What the data are called, and which part of them they are, "test" or "training".
    n_train : int, optional
        How many images the model learned from.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    OptionError, ShapeError
        If the page cannot run the model, or the data are no pictures or of another width.
    """
    steps, weights = program(model)
    if not has_picture(shape):
        raise ShapeError(
            f"examples of shape {tuple(shape)} have no picture; a page is made of (H, W) or "
            "(H, W, 3)."
        )
    if model.latent < 2:
        raise OptionError(
            "the model has 1 latent dimension, but a page shows a plane; train one with at least 2."
        )
    n = min(len(x), EXAMPLES, max(1, PIXELS // model.n_pixels))
    chosen = np.arange(n) * len(x) // n
    relevance = explore.relevance(model, x)
    x, y = x[chosen], None if y is None else y[chosen]
    codes = model.backend.to_host(explore.means(model, x))
    _, directions, _ = explore.principal_plane(codes)
    low, high = limits
    pixels = np.clip(np.rint((x - low) * (255 / (high - low))), 0, 255).astype(np.uint8)
    facts: dict[str, Any] = {
        "program": steps,
        "shape": list(shape),
        "limits": [float(low), float(high)],
        "background": _background(x, shape),
        "prior": "prior" in model.can,
        "relevance": relevance.tolist(),
        "directions": directions.tolist(),
        "n": n,
        "name": name,
        "part": part,
        "nTrain": n_train,
        "model": repr(model),
        "classes": classes_of(y, labels),
        "y": None if y is None else np.searchsorted(np.unique(y), y).tolist(),
    }
    return assemble(
        read("template.html"),
        f"Explore {name}" if name else "Explore a latent space",
        read("style.css"),
        facts,
        weights,
        codes,
        pixels,
        "\n".join([functions(model.likelihood), *map(read, SCRIPTS)]),
    )


def assemble(
    template: str,
    title: str,
    style: str,
    facts: dict[str, Any],
    weights: np.ndarray,
    codes: np.ndarray,
    examples: np.ndarray,
    script: str,
) -> str:
    """Put all that a page needs into its template.

    Weights are (P,), codes (N, Z), examples (N, n_pixels) bytes.
    """
    parts = {
        "title": escape(title),
        "style": colours(":root", LIGHT, DARK) + style,
        "facts": json.dumps(facts, allow_nan=False).replace("<", "\\u003c"),
        "weights": pack(weights),
        "codes": pack(codes.astype(np.float32).reshape(-1)),
        "examples": pack(examples.reshape(-1)),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def pack(values: np.ndarray) -> str:
    """Little-endian bytes of a flat array, sorted into planes, deflated, in base64."""
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    planes = np.ascontiguousarray(little).view(np.uint8).reshape(len(values), -1).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def _background(x: np.ndarray, shape: tuple[int, ...]) -> list[float]:
    """The usual value of the pixels at the border, one for each channel."""
    images = x.reshape(len(x), *shape[:2], -1)
    border = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    return np.median(np.concatenate(border, axis=1), axis=(0, 1)).astype(float).tolist()


def classes_of(y: np.ndarray | None, labels: tuple[str, ...] | None) -> list[dict[str, str]]:
    """Names and colours of the classes, in the order of their numbers."""
    numbers = [] if y is None else np.unique(y).tolist()
    named = [labels[k] if labels and 0 <= k < len(labels) else str(k) for k in numbers]
    n = len(named)
    hues = [f"hsl({360 * i // max(n, 1)} 62% 52%)" for i in range(n)]
    colours = CLASS_COLOURS if n <= len(CLASS_COLOURS) else hues
    return [{"name": text, "colour": colours[i]} for i, text in enumerate(named)]


def read(name: str) -> str:
    """A file of this folder."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
