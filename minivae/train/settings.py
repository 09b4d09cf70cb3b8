"""What a training is: its settings, and everything that a run is at the end of an epoch."""

from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..engine.door import door
from ..errors import OptionError, StateError
from ..models.base import AnyModel
from .optim.optimizer import Optimizer
from .schedule import BetaSchedule, LrSchedule

BINARIZE = ("none", "dynamic", "fixed")


STREAMS = {"train": 1, "val": 2, "noise": 3}
"""What the seed of the settings draws, each in a stream of its own: pixels to train and to validate
on, noise of the validation. To NumPy the seeds s and [s, 0] are the same, hence none is 0."""


@door
@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    epochs : int
        Epochs in all, those of an earlier part of the run included.
    batch : int
        Examples in a step; the last step of an epoch may have fewer.
    binarize : {"none", "dynamic", "fixed"}
        Draw binary pixels from the grey ones: not at all, anew whenever an example is fetched
        (as Burda et al. 2016), or once for all.
    beta : float
        Weight of the KL.
    schedule : {"constant", "linear", "cyclical"}
        How beta gets there, see `BetaSchedule`.
    warmup : float
        Period of the schedule, in epochs.
    patience : int, optional
        Stop after this many epochs without a better validation loss, and return to the best.
    seed : int
        Seed of the data's binarization and of the evaluation's noise.
    lr_schedule : {"constant", "linear", "cosine"}
        How the learning rate falls until the last epoch, see `LrSchedule`.
    lr_warmup : float
        Epochs in which it rises from 0 before that.
    shards : int, optional
        Compute each step's gradient in this many parts, added in their order, so that any number of
        processes gives the same bits; see `parallel.py`.
    """

    epochs: int = 10
    batch: int = 128
    binarize: str = "none"
    beta: float = 1.0
    schedule: str = "constant"
    warmup: float = 5.0
    patience: int | None = None
    seed: int = 0
    lr_schedule: str = "constant"
    lr_warmup: float = 0.0
    shards: int | None = None

    def __post_init__(self) -> None:
        for name, kind, what in (
            ("epochs", Integral, "whole number"),
            ("batch", Integral, "whole number"),
            ("seed", Integral, "whole number"),
            ("patience", Integral | None, "whole number"),
            ("shards", Integral | None, "whole number"),
            ("beta", Real, "number"),
            ("warmup", Real, "number"),
            ("lr_warmup", Real, "number"),
        ):
            if not isinstance(getattr(self, name), kind):
                given = f"{name}={getattr(self, name)!r}"
                raise OptionError(f"{given} was given, but it must be a {what}.")
        if self.epochs < 1 or self.batch < 1 or not self.warmup > 0:
            raise OptionError(
                f"epochs={self.epochs}, batch={self.batch}, warmup={self.warmup} were given; "
                "epochs and batch must be at least 1, and warmup above 0."
            )
        if self.binarize not in BINARIZE:
            raise OptionError(
                f"binarize={self.binarize!r} was given; choose one of: {', '.join(BINARIZE)}."
            )
        if self.patience is not None and self.patience < 1:
            raise OptionError(f"patience={self.patience} was given, but it must be at least 1.")
        if self.shards is not None and self.shards < 1:
            raise OptionError(f"shards={self.shards} was given, but it must be at least 1.")
        if self.seed < 0:
            raise OptionError(f"seed={self.seed} was given, but it must be 0 or more.")
        if not self.warmup < 1e9:
            raise OptionError(f"warmup={self.warmup} epochs were given, but that never ends.")
        if not 0 <= self.lr_warmup < 1e9:
            raise OptionError(
                f"lr_warmup={self.lr_warmup} was given, but it counts epochs, 0 or more."
            )
        self.beta_at(steps_per_epoch=1)
        self.lr_at(steps_per_epoch=1)

    def beta_at(self, steps_per_epoch: int) -> BetaSchedule:
        """Schedule of beta, its period turned from epochs into steps."""
        period = max(1, round(self.warmup * steps_per_epoch))
        return BetaSchedule(self.beta, self.schedule, period)

    def lr_at(self, steps_per_epoch: int) -> LrSchedule:
        """Schedule of the learning rate, its epochs turned into steps."""
        warmup = round(self.lr_warmup * steps_per_epoch)
        return LrSchedule(self.lr_schedule, warmup, self.epochs * steps_per_epoch)


@door
@dataclass
class Training:
    """A run at the end of an epoch: what is needed to go on.

    Attributes
    ----------
    model : Model
        What is trained.
    optimizer : Optimizer
        With its moments and step count.
    rng : numpy.random.Generator
        The run's only source of randomness after the first weights.
    settings : Settings
        How to train.
    history : list of dict
        One record for each finished epoch.
    best_theta, best_carried : numpy.ndarray, optional
        Parameters, and the numbers that steps carry on, of the epoch with the best validation loss;
        kept if there is a patience.
    """

    model: AnyModel
    optimizer: Optimizer
    rng: np.random.Generator
    settings: Settings
    history: list[dict[str, Any]] = field(default_factory=list)
    best_theta: np.ndarray | None = None
    best_carried: np.ndarray | None = None

    def keep_best(self) -> None:
        """Keep the weights of now as the best ones."""
        params = self.model.params
        self.best_theta = params.backend.to_host(params.theta).copy()
        if params.carried.size:
            self.best_carried = params.backend.to_host(params.carried).copy()

    @property
    def best_epoch(self) -> int:
        """Index into `history` of the best validation loss (of the training loss, without one)."""
        if not self.history:
            raise StateError("no epoch is finished yet, so none is the best; call fit first.")
        losses = [record.get("val_loss", record["loss"]) for record in self.history]
        return int(np.argmin(losses))

    @property
    def stopped(self) -> bool:
        """Whether patience has run out."""
        patience = self.settings.patience
        return bool(
            patience and self.history and len(self.history) - 1 - self.best_epoch >= patience
        )
