"""A run folder: what a training leaves behind, and how it is found and read again.

    runs/001-mnist5k-vae/
        checkpoint.npz    everything that is needed to go on (`checkpoint.py`)
        config.json       how the run was made, to be read; the checkpoint holds the same
        metrics.csv       the numbers of each epoch
        *.png             pictures, drawn when the training is over

Nothing in these files depends on the clock, so a seed makes them again, byte for byte. Each file is
replaced as a whole, so an interrupted run has the files of its last whole epoch.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import data as datasets
from ..data import Dataset, Pixels
from ..data.alphabet import spelled
from ..data.labelled import labelled, numbers_of
from ..data.tables.form import Form
from ..engine.backend import Backend
from ..engine.door import door
from ..errors import CheckpointError, OptionError
from ..files import first_free, write_atomically
from ..interrupts import held
from ..models.rows import encode, reconstruct
from .checkpoint import load_checkpoint, save_checkpoint
from .kept import damaged, form_of, load_again
from .metrics import metrics
from .prepare import prepare_data
from .settings import Training

RUNS = Path("runs")
"""Where runs are made and looked for, in the working directory."""

CHECKPOINT, CONFIG, METRICS = "checkpoint.npz", "config.json", "metrics.csv"

DATA_KEYS = {"name", "shape", "range", "n_train", "n_test", "sha256"}
"""What `describe` records of the data."""

OPTION_KEYS = {"data", "limit", "backend"}
"""Options that are read back from a run."""


@door
@dataclass
class Run:
    """A training and the folder that it is kept in.

    Attributes
    ----------
    folder : Path
        The run folder.
    training : Training
        Model, optimizer, settings, history.
    extra : dict
        What the checkpoint keeps beside the training, JSON types: `data` (see `describe`),
        `options` (how the run was asked for), `note` (why its loss bounds no likelihood, or "") and
        `changes` (learning rates and the like that were changed on the way).
    saved_epochs : int
        Epochs in the checkpoint on disk.
    """

    folder: Path
    training: Training
    extra: dict[str, Any]
    saved_epochs: int = 0
    _metrics: str = ""
    _written: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.extra["data"]["shape"])

    @property
    def limits(self) -> tuple[float, float]:
        """Values to show as black and white: 0 and 1, or what the training data reach beyond."""
        low, high = self.extra["data"]["range"]
        return min(0.0, low), max(1.0, high)

    @property
    def can(self) -> frozenset[str]:
        """What the model can; see `minivae.models.declare.ABILITIES`."""
        return self.training.model.can

    @property
    def config(self) -> dict[str, Any]:
        """What `config.json` says."""
        from .. import __version__

        model, optimizer = self.training.model, self.training.optimizer
        configs = {"model": model.config, "optimizer": optimizer.config}
        return {"minivae": __version__, **self.extra, **configs}

    def save_config(self) -> None:
        """Write `config.json`."""
        text = json.dumps(self.config, indent=2) + "\n"
        write_atomically(self.folder / CONFIG, lambda file: file.write(text.encode()))

    def save(self) -> None:
        """Write `checkpoint.npz` and `metrics.csv` as the training is now, after an epoch."""
        model, history = self.training.model, self.training.history
        unseen = {name for name in model.terms if name not in model.columns}
        unseen |= {f"val_{name}" for name in unseen} | ({"beta"} & model.refused.keys())
        with held():
            save_checkpoint(self.folder / CHECKPOINT, self.training, self.extra)
            self.saved_epochs = len(history)
            # The text of earlier epochs is at hand, so years of them cost no more than one.
            new = metrics(history, without=unseen, start=self._written)
            self._metrics = self._metrics + new if self._written else new
            self._written = len(history)
            write_atomically(self.folder / METRICS, lambda f: f.write(self._metrics.encode()))

    @property
    def form(self) -> Form | None:
        """Columns and scale of the table that the run was trained on, if it was one."""
        return form_of(self.extra["data"])

    def load_data(self, other: str | Path | None = None, **table: Any) -> Dataset:
        """Load the data that the run was trained on, or others, as its model takes them.

        Parameters
        ----------
        other : str or Path, optional
            A data set's name or a path.
        **table
            What is said of another table, as in `TableOptions`.

        Raises
        ------
        DataError
            If they cannot be loaded, or the run's own are others now.
        """
        if other is not None:
            own = (
                {"label": self.form.options.label} if self.form and "condition" in self.can else {}
            )
            return datasets.load(other, form=self.form, **own | table)
        return load_again(self.extra["options"], self.extra["data"], self.folder)

    def rows(self, data: Dataset) -> tuple[np.ndarray | Pixels, np.ndarray | Pixels | None]:
        """Training rows and test rows, those of a conditional VAE with their labels."""
        if "condition" not in self.can:
            return data.pixels_train, data.pixels_test
        parts: list[Any] = []
        names = self.training.model.labels
        for x, y in ((data.pixels_train, data.y_train), (data.pixels_test, data.y_test)):
            known = None if x is None else labelled(x, numbers_of(data, y, names), len(names))
            parts.append(known)
        model, seed = self.training.model, self.training.settings.seed
        return model.learned_from(parts[0], seed), parts[1]

    def test_rows(self, data: Dataset) -> tuple[np.ndarray | Pixels, np.ndarray | None, str]:
        """Test rows as the model takes them, their classes, and "test".

        They are binarized as the validation data of the training were. Data too few to have a test
        part lend their training part, and the third value is then "training".
        """
        x_train, x = self.rows(data)
        y, part = data.y_test, "test"
        if x is None:
            x, y, part = x_train, data.y_train, "training"
        return prepare_data(x, self.training.settings, "val"), y, part

    def pixels(self, x: np.ndarray) -> np.ndarray:
        """Rows x (N, M) without the labels that a conditional VAE takes beside them."""
        return x[:, : self.training.model.n_pixels]

    def texts(self, symbols: np.ndarray) -> list[str]:
        """Sequences of symbols (N, T) as text, of a model that has an alphabet."""
        return spelled(symbols, self.training.model.alphabet)

    def codes(self, x: np.ndarray | Pixels) -> np.ndarray:
        """Latents (N, Z) of host data x (N, ...): posterior means, or an autoencoder's codes."""
        return encode(self.training.model, x)[0]

    def reconstruct(self, x: np.ndarray | Pixels) -> np.ndarray:
        """Reconstructions (N, n_pixels) of host data x (N, ...)."""
        return reconstruct(self.training.model, x)


@door
def source_of(name_or_path: str) -> str:
    """Name of a data set, or a path that is valid in every working directory."""
    known = name_or_path in datasets.NAMES
    return name_or_path if known else str(Path(name_or_path).expanduser().resolve())


@door
def new_folder(out: str | Path | None, name: str) -> Path:
    """Make the folder of a new run.

    Parameters
    ----------
    out : str or Path, optional
        The folder, if the user wants a certain one.
    name : str
        Without `out`, the folder is `runs/<number>-<name>`.

    Raises
    ------
    OptionError
        If `out` is a file, or a folder that is not empty.
    """
    if out is not None:
        folder = Path(out).expanduser()
        if folder.exists() and not folder.is_dir():
            raise OptionError(f"{folder} is a file; name a folder with --out.")
        if folder.is_dir() and any(folder.iterdir()):
            raise OptionError(
                f"{folder} is not empty; go on with the run in it by --resume {folder}, or name "
                "another folder with --out."
            )
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    name = re.sub(r"\W+", "-", name)
    RUNS.mkdir(exist_ok=True)
    taken = [re.match(r"(\d+)-", entry.name) for entry in RUNS.iterdir()]
    number = max((int(match[1]) for match in taken if match), default=0)
    while True:
        number += 1
        folder = RUNS / f"{number:03}-{name}"
        try:
            folder.mkdir()
        except FileExistsError:  # another training was faster
            continue
        return folder


def place(stem: str, suffix: str = "") -> Path:
    """Where a command writes that is told no place: `runs/<stem>-<number><suffix>`."""
    RUNS.mkdir(exist_ok=True)
    return first_free(RUNS, stem, suffix)


def newest() -> Path:
    """Return the folder under `runs/` whose checkpoint is the newest.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    checkpoints = sorted(RUNS.glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime_ns)
    if not checkpoints:
        raise CheckpointError(
            f"there is no run under {RUNS.resolve()} yet; train one with `minivae train`, or name "
            "the folder of one."
        )
    return checkpoints[-1].parent


@door
def open_run(path: str | Path, backend: str | Backend = "auto") -> Run:
    """Read a run.

    Parameters
    ----------
    path : str or Path
        Its folder or its checkpoint.
    backend : str or Backend
        Where the model shall compute.

    Raises
    ------
    CheckpointError
        If there is no checkpoint, or it is not one of a run.
    """
    path = Path(path).expanduser()
    checkpoint = path / CHECKPOINT if path.is_dir() else path
    training, extra = load_checkpoint(checkpoint, backend)
    data = extra.get("data") if isinstance(extra, dict) else None
    options = extra.get("options") if isinstance(extra, dict) else None
    known = _has(data, DATA_KEYS) and _has(options, OPTION_KEYS)
    if not known or options is None or not isinstance(options["backend"], str):
        raise CheckpointError(
            f"{checkpoint} does not say what data it was trained on, since it was saved by a "
            "program and not by `minivae train`; read it with minivae.load_checkpoint."
        )
    if part := damaged(extra, training.model.n_pixels):
        raise CheckpointError(
            f"{checkpoint} is a minivae checkpoint whose record of its data is damaged ({part}); "
            "use another checkpoint or train again."
        )
    return Run(checkpoint.parent, training, extra, saved_epochs=len(training.history))


def _has(record: Any, keys: set[str]) -> bool:
    return isinstance(record, dict) and record.keys() >= keys
