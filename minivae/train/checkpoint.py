"""Checkpoints: a `Training` as one `.npz` file, without pickle.

The file is written beside its final name and then renamed, so at every moment there is either the
old checkpoint or the new one, never half of one. It holds

    theta, best_theta      the parameters (P,)
    carried, best_carried  numbers that a step carries on, if the model has some (C,)
    optimizer.m, ...       the optimizer's moments (P,)
    history.loss, ...      the numbers of each epoch (E,); of an older version under "history"
    meta                   JSON: format version, configuration of model, optimizer and settings,
                           state of the random generator, step count, and what the caller adds
                           under "extra"
"""

import json
from dataclasses import asdict
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.backend import Backend, get_backend
from ..engine.door import door
from ..errors import CheckpointError, MinivaeError, ShapeError
from ..files import open_file, write_atomically
from ..models import MODELS
from ..models.base import Model
from .optim import OPTIMIZERS
from .settings import Settings, Training

FORMAT = "minivae checkpoint"
VERSION = 4
READ = (2, 3, 4)
"""Format versions that are read; those before 4 hold the whole history in `meta`."""
HISTORY = "history."
RNG = "PCG64"
"""The bit generator of `numpy.random.default_rng`, whose state is a few whole numbers."""


@door
def save_checkpoint(path: str | Path, training: Training, extra: dict | None = None) -> None:
    """Write a run, as it is after an epoch.

    Parameters
    ----------
    path : str or Path
        The `.npz` file; replaced as a whole if it exists.
    training : Training
        The run.
    extra : dict, optional
        JSON types that the caller wants back.

    Raises
    ------
    CheckpointError
        If the file cannot be written, or the run holds what a checkpoint cannot; then an older
        file of that name is unchanged.
    """
    model, optimizer = training.model, training.optimizer
    rng_state = training.rng.bit_generator.state
    if rng_state["bit_generator"] != RNG:
        raise CheckpointError(
            f"the run's random generator is a {rng_state['bit_generator']}, but a checkpoint holds "
            f"a {RNG}; make it with `numpy.random.default_rng(seed)`."
        )
    to_host = model.backend.to_host
    columns = _columns(training.history)
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "model": model.config,
        "optimizer": optimizer.config,
        "t": optimizer.t,
        "settings": asdict(training.settings),
        "rng": rng_state,
        "history": [] if columns else training.history,
        "extra": extra or {},
    }
    arrays: dict[str, Any] = {
        f"optimizer.{name}": to_host(array) for name, array in optimizer.state.items()
    }
    arrays |= columns
    arrays["theta"] = to_host(model.params.theta)
    if training.best_theta is not None:
        arrays["best_theta"] = training.best_theta
    if model.params.carried.size:
        arrays["carried"] = to_host(model.params.carried)
    if training.best_carried is not None:
        arrays["best_carried"] = training.best_carried
    try:
        arrays["meta"] = np.array(json.dumps(meta))
        write_atomically(Path(path), lambda file: np.savez(file, **arrays))
    except TypeError as error:
        raise CheckpointError(
            f"{path} was not written, since the run or `extra` holds what JSON does not ({error}); "
            "use plain numbers, strings, lists and dicts with string keys."
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror}); "
            "choose a folder that exists and has room for it."
        ) from error


@door
def load_checkpoint(
    path: str | Path, backend: str | Backend = "auto", *, model: Model | None = None
) -> tuple[Training, dict[str, Any]]:
    """Read a run back.

    Parameters
    ----------
    path : str or Path
        What `save_checkpoint` wrote, or the folder that holds it as `checkpoint.npz`.
    backend : str or Backend
        Where the model shall compute.
    model : Model, optional
        The model to load into, built as the saved one was. One whose networks are layers of one's
        own needs it, for a checkpoint holds their numbers and not their code.

    Returns
    -------
    training : Training
        The run; `fit` goes on with it.
    extra : dict
        What was given to `save_checkpoint`.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, foreign, or of another format version, or the model
        cannot be built from it, or is not the one that was saved.
    BackendError
        If the backend is not there.
    """
    path, backend = Path(path), get_backend(backend)
    if path.is_dir():
        path = path / "checkpoint.npz"
    meta, arrays = _read(path)
    try:
        model = _build(meta["model"], backend) if model is None else _same(meta["model"], model)
        params = model.params
        # Without any, an empty array: then a model that needs some is refused.
        params.load(arrays["theta"], arrays.get("carried", np.zeros(0)))
        best = {"theta": arrays.get("best_theta"), "carried": arrays.get("best_carried")}
        for name, array in best.items():
            shape = getattr(params, name).shape
            if array is not None and array.shape != shape:
                raise ShapeError(f"best_{name} has shape {array.shape}, but {name} {shape}.")
        optimizer_config = dict(meta["optimizer"])
        optimizer = OPTIMIZERS[optimizer_config.pop("kind")](**optimizer_config)
        moments = {
            name.removeprefix("optimizer."): array
            for name, array in arrays.items()
            if name.startswith("optimizer.")
        }
        optimizer.load_state(meta["t"], moments, model.params)
        rng = np.random.default_rng()
        rng.bit_generator.state = meta["rng"]
        history = [*_records(arrays), *meta["history"]]
        needed = {"epoch", "beta", "loss", *model.terms}
        for record in history:  # damage shall show here, not in the next epoch
            numbers = needed | {name for name in record if name.startswith("val_")}
            if not (needed <= record.keys() and all(isinstance(record[n], Real) for n in numbers)):
                raise ValueError(f"an epoch's record without {', '.join(sorted(needed))}")
        training = Training(
            model=model,
            optimizer=optimizer,
            rng=rng,
            settings=Settings(**meta["settings"]),
            history=history,
            best_theta=best["theta"],
            best_carried=best["carried"],
        )
        return training, meta["extra"]
    except MinivaeError as error:
        raise CheckpointError(f"{path} does not fit together: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        why = str(error).partition(". ")[0]  # without Python's guess of what was meant
        raise CheckpointError(
            f"{path} is a minivae checkpoint whose contents are damaged ({type(error).__name__}: "
            f"{why}); use another checkpoint or train again."
        ) from error


def _columns(history: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The numbers of each epoch, one array for each name, which is quick to write after years too.

    None for a history that is not of that form, such as one with a word in it.
    """
    names = history[0].keys() if history else ()
    if any(record.keys() != names for record in history):
        return {}
    columns = {HISTORY + name: [record[name] for record in history] for name in names}
    if not all(type(value) in (int, float) for column in columns.values() for value in column):
        return {}
    return {name: np.array(column) for name, column in columns.items()}


def _records(arrays: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """The history that `_columns` was made from."""
    columns = {
        name.removeprefix(HISTORY): array.tolist()
        for name, array in arrays.items()
        if name.startswith(HISTORY)
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _build(config: dict[str, Any], backend: Backend) -> Model:
    """Build the model of a configuration."""
    config = dict(config)
    kind = config.pop("kind")
    if isinstance(kind, str) and kind not in MODELS:
        raise CheckpointError(
            f"the model is of the kind {kind!r}, which nobody has defined; import the file that "
            "defines it."
        )
    if own := [half for half in ("encoder", "decoder") if half in config]:
        raise CheckpointError(
            f"the {own[0]} is made of layers that a checkpoint cannot build; build the model as it "
            "was, and pass it: load_checkpoint(path, model=model)."
        )
    return MODELS[kind](**config, rng=np.random.default_rng(0), backend=backend)


def _same(config: dict[str, Any], model: Model) -> Model:
    """Return the model if it is one of this configuration."""
    for name, value in {**dict.fromkeys(model.config), **config}.items():
        if model.config.get(name) != value:
            raise CheckpointError(
                f"the saved model has {name} = {value!r}, but the given one "
                f"{model.config.get(name)!r}; build it as it was."
            )
    return model


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the arrays and the JSON record, or say in one sentence why not."""
    try:
        # Opened here, since np.load leaves a file open that it cannot make out.
        with open_file(path) as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} does not exist; give the checkpoint.npz of a run, or its folder."
        ) from None
    except Exception as error:  # a damaged file may fail anywhere in zipfile, zlib or NumPy
        problem = getattr(error, "strerror", None) or type(error).__name__
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint: it is truncated, damaged or no .npz file "
            f"({problem}); use another checkpoint or train again."
        ) from error
    meta: dict[str, Any] = {}
    try:
        meta = json.loads(str(arrays.pop("meta")))
        foreign = meta["format"] != FORMAT
    except (KeyError, TypeError, ValueError):
        foreign = True
    if foreign:
        raise CheckpointError(f"{path} is an .npz file, but not one that minivae wrote.")
    if meta.get("version") not in READ:
        raise CheckpointError(
            f"{path} has checkpoint format {meta.get('version')}, but this minivae reads formats "
            f"{READ[0]} to {READ[-1]}; use the version of minivae that wrote it."
        )
    return meta, arrays
