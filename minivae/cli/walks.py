"""The pictures and films of `minivae explore`: which data they start from, and what they show."""

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..data import Dataset, Pixels
from ..errors import OptionError
from ..files import first_free, new_folder, whole_folder
from ..models.base import Model
from ..show import plots
from ..train.runs import Run
from ..uses.explore import paths as explore
from ..uses.explore.pictures import film, plane, strips
from . import category_walks, class_walks, pictures, sequences, walk_rows, walk_texts
from .outputs import check_shape

WALKS = ("interpolation", "traversals", "manifold", "arithmetic", "latents")
KINDS = (*WALKS, "categories", "analogies")
"""What there is to draw, in the order in which it is drawn."""

FAR = 3.0
"""Standard deviations to either side that a traversal goes."""

MOST = 60
"""Latent dimensions that are drawn at most: the most used ones."""

FRAMES = 40
"""Frames of a film."""


def draw(run: Run, options: argparse.Namespace) -> list[Path]:
    """Draw what the options ask for into a new folder, which appears when it is complete.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OptionError
        If the folder exists already, or there is nothing to draw.
    """
    from ..engine.progress import bar as tqdm

    check_model(run.training.model, paths=bool(options.morph))
    out = options.out
    folder = first_free(run.folder, "explore") if out is None else new_folder(out)
    steps = options.steps or 11
    if options.morph:
        x = np.concatenate([walk_rows.picture(run, path) for path in options.morph])
        parts = [lambda: interpolation(run, [(x[0], x[1])], steps)]
    else:
        parts = _chosen(run, options, steps)
    with whole_folder(folder) as new:
        for part in tqdm(parts, desc="drawing", disable=not options.voice.progress, leave=False):
            for name, drawn in part():
                if isinstance(drawn, bytes):
                    (new / name).write_bytes(drawn)
                else:
                    plots.save(drawn, new / name)
    return sorted(folder.iterdir())


def check_model(model: Model, *, paths: bool = False) -> None:
    """Refuse a model that has no latent space, and paths where there are none.

    Raises
    ------
    OptionError
        If it cannot encode; or if paths are asked for, and its codes are categories, or it decodes
        a class beside the latent.
    """
    why = ""
    if "categories" in model.can:
        if paths:
            raise OptionError(
                f"a model of kind {model.kind!r} has codes of categories, and there is no way from "
                "one category to another; leave out --morph, or explore a VAE."
            )
    elif "encode" not in model.can:
        why = "has no encoder"
    elif "condition" in model.can and paths:
        why = "is given a class beside each latent"
    if why:
        raise OptionError(
            f"a model of kind {model.kind!r} {why}, so there is no walk through its latent space "
            "alone; explore a VAE or an autoencoder."
        )


def kinds_of(model: Model) -> tuple[tuple[str, ...], str]:
    """Kinds of pictures that suit the codes of a model, and why the others do not."""
    if "condition" in model.can:
        return ("analogies",), "the model is given a class beside each latent"
    if "categories" in model.can:
        return ("categories",), "the codes are categories, between which there is nothing"
    return WALKS, "the codes are no categories, and go with no class"


def interpolation(run: Run, pairs: list[tuple[np.ndarray, np.ndarray]], steps: int) -> Iterator:
    """Straight and spherical paths between pairs of data; in the film, there and back."""
    model = run.training.model
    # In one dimension two latents of different sign are opposite, and there is no arc.
    paths = ["linear"] if model.latent == 1 else list(explore.PATHS)

    def images(path: str, a: np.ndarray, b: np.ndarray, n: int) -> np.ndarray:
        return explore.interpolate(model, a, b, n, path)

    rows = [
        np.concatenate([a[None], images(path, a, b, steps), b[None]])
        for a, b in pairs
        for path in paths
    ]
    t = [f"{s:.2g}" for s in np.linspace(0, 1, steps)]
    title = "From one image to another: straight and spherical paths through the latent space"
    yield (
        "interpolation.png",
        strips(
            np.stack(rows),
            run.shape,
            rows=paths * len(pairs),
            columns=["given", *t, "given"],
            group=len(paths),
            limits=run.limits,
            title=title,
        ),
    )
    n = FRAMES // 2
    there_and_back = [0] * 4 + list(range(n)) + [n - 1] * 4 + list(reversed(range(n)))
    columns = []
    for a, b in pairs:
        still = [np.tile(x, (len(there_and_back), 1)) for x in (a, b)]
        moving = [images(path, a, b, n)[there_and_back] for path in paths]
        columns += [still[0], *moving, still[1]]
    names = ["from", *paths, "to"] * len(pairs)
    how = {"columns": 2 + len(paths), "limits": run.limits, "title": "From one image to another"}
    how["size"] = 210 if len(pairs) == 1 else 126
    yield "interpolation.gif", film(np.stack(columns, axis=1), run.shape, names=names, **how)


def traversals(run: Run, x: np.ndarray | Pixels, start: int, part: str) -> Iterator:
    """One latent dimension changed at a time, the most used first, from example `start` of x."""
    model = run.training.model
    used = explore.relevance(model, x)
    dims = np.argsort(-used)[:MOST]
    z = explore.means(model, x[start : start + 1])[0]
    centre, scale = np.zeros(model.latent), np.ones(model.latent)
    if "prior" not in run.can:  # then what is far is what is far for the codes
        codes = run.codes(x)
        centre, scale = codes.mean(axis=0), codes.std(axis=0)

    def walks(deviations: np.ndarray) -> np.ndarray:
        each = [explore.traverse(model, z, centre[k] + scale[k] * deviations, [k]) for k in dims]
        return np.concatenate(each)

    deviations = np.linspace(-FAR, FAR, 11)
    of = "KL in nats" if "bound" in run.can else "variance"
    names = [f"$z_{{{k + 1}}}$   {used[k]:.2f}" for k in dims]
    given = run.pixels(x[start : start + 1])[None].repeat(len(dims), axis=0)
    whose = f"{part} example {start}"
    title = f"From the code of {whose} (left), in standard deviations; of each dimension its {of}"
    yield (
        "traversals.png",
        strips(
            np.concatenate([given, walks(deviations)], axis=1),
            run.shape,
            rows=names,
            columns=["given", *(f"{v:.1f}" for v in deviations)],
            limits=run.limits,
            title=title,
        ),
    )
    swing = FAR * np.sin(2 * math.pi * np.arange(FRAMES) / FRAMES)
    frames = walks(swing).transpose(1, 0, 2)
    captions = [f": {v:+.1f} standard deviations" for v in swing]
    columns = math.ceil(math.sqrt(len(dims)))
    title = f"From the code of {whose}: each latent dimension, and its {of}"
    how = {"names": names, "captions": captions, "columns": columns, "limits": run.limits}
    yield "traversals.gif", film(frames, run.shape, title=title, **how)


def manifold(run: Run) -> Iterator:
    """What the decoder makes of a two-dimensional prior."""
    yield "manifold.png", pictures.manifold(run)


def arithmetic(
    run: Run, having: np.ndarray | Pixels, lacking: np.ndarray | Pixels, names: tuple[str, str]
) -> Iterator:
    """Images without an attribute, and the same with ever more of it."""
    model = run.training.model
    d = explore.attribute(model, having, lacking)
    xp = model.backend.xp

    def changed(x: np.ndarray, strengths: np.ndarray) -> np.ndarray:
        z = explore.means(model, x)
        return explore.decode(model, xp.stack([z + float(s) * d for s in strengths], axis=1))

    strengths = np.linspace(-0.5, 1.5, 9)
    x = pictures.spread(lacking, 6)
    images = np.concatenate([x[:, None], changed(x, strengths)], axis=1)
    columns = ["given", *(f"{s:+.2f}" for s in strengths)]
    title = f"Decoded z + s (mean of {names[0]} - mean of {names[1]}), s above each column"
    how = {"limits": run.limits, "title": title}
    yield "arithmetic.png", strips(images, run.shape, columns=columns, **how)
    x = pictures.spread(lacking, 12)
    swing = 0.75 - 0.75 * np.cos(2 * math.pi * np.arange(FRAMES) / FRAMES)
    frames = changed(x, swing).transpose(1, 0, 2)
    captions = [f", s = {s:.2f}" for s in swing]
    title = f"z + s (mean of {names[0]} - mean of {names[1]})"
    how = {"captions": captions, "columns": 6, "limits": run.limits, "title": title}
    yield "arithmetic.gif", film(frames, run.shape, **how)


def latents(
    run: Run, x: np.ndarray | Pixels, y: np.ndarray | None, data: Dataset, part: str
) -> Iterator:
    """Where data are encoded, each class in its colour."""
    if run.training.model.latent == 2:
        yield "latents.png", pictures.latents(run, x, y, data.labels, part)
        return
    points, _, share = explore.principal_plane(run.codes(x))
    what = run.training.model.codes_are
    title = f"{what} of {len(x)} {part} examples: principal plane of {run.training.model.latent}"
    yield "latents.png", plane(points, share, y, data.labels, title=f"{title} dimensions")


def _chosen(run: Run, options: argparse.Namespace, steps: int) -> list[Callable[[], Iterator]]:
    """The pictures that are asked for; what cannot be drawn is said, or refused if it was named."""
    data = run.load_data(options.data)
    check_shape(run, data.shape, data.name)
    x, y, part = run.test_rows(data)
    latent = run.training.model.latent
    start = walk_rows.checked(options.images, len(x)) if options.images else [0]
    wanted = {
        "interpolation": lambda: interpolation(run, walk_rows.pairs(x, y, options.images), steps),
        "traversals": lambda: traversals(run, x, int(start[0]), part),
        "manifold": lambda: manifold(run),
        "arithmetic": lambda: arithmetic(run, *walk_rows.groups(run, x, y, data, options)),
        "latents": lambda: latents(run, x, y, data, part),
        "categories": lambda: category_walks.categories(run, x, int(start[0]), part),
        "analogies": lambda: class_walks.analogies(
            run, x, start if options.images else class_walks.one_of_each(y, len(x)), part
        ),
    }
    spelled = bool(run.training.model.alphabet)
    if spelled:
        wanted["interpolation"] = lambda: walk_texts.interpolation(
            run, walk_rows.pairs(x, y, options.images), steps
        )
        if sequences.has_files_of_its_own(run):
            wanted["interpolation"] = lambda: sequences.interpolation(
                run, walk_rows.pairs(x, y, options.images), steps
            )
        wanted["traversals"] = lambda: walk_texts.traversals(run, x, int(start[0]), FAR)
    own, why = kinds_of(run.training.model)
    for kind in KINDS:
        if kind not in own:
            del wanted[kind]
            if options.only and kind in options.only:
                raise OptionError(f"{kind} cannot be drawn, since {why}.")
    because: dict[str, str] = {}
    if "prior" not in run.can:
        title = run.training.model.title
        because["manifold"] = f"{title} has no prior to take quantiles of"
    if latent != 2:
        because["manifold"] = f"the model has {latent} latent dimensions, not 2"
    if latent < 2:
        because["latents"] = "the model has 1 latent dimension"
    if not options.having and not options.classes and (y is None or len(np.unique(y)) < 2):
        because["arithmetic"] = "the data have no two classes; give groups by --with and --without"
    if not plots.has_picture(run.shape):
        pictured = f"examples of shape {run.shape} have no picture"
        drawn = {"latents", "interpolation", "traversals"} if spelled else {"latents"}
        because |= {kind: pictured for kind in KINDS if kind not in drawn}
    for kind in filter(wanted.__contains__, because):
        if options.only and kind in options.only:
            raise OptionError(f"{kind} cannot be drawn, since {because[kind]}.")
        if not options.only:
            options.voice.note(f"no {kind}: {because[kind]}")
    wanted = {kind: draw for kind, draw in wanted.items() if kind not in because}
    chosen = [wanted[kind] for kind in wanted if not options.only or kind in options.only]
    if not chosen:
        raise OptionError("there is nothing to draw of this model and these data.")
    return chosen
