"""The training loop: minibatches, a step, a record of each epoch, a checkpoint after it.

`Training` is everything that a run is at the end of an epoch, and what a checkpoint holds: model,
optimizer, random generator, settings, history. All randomness of an epoch (order of the data,
binarization, latent noise) comes from that one generator, so a run that is resumed after any epoch
goes on as if it had never stopped, bit for bit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np

from .backend import Array, kernel, memory_in_a_sentence
from .cuda import Elementwise
from .data.minibatch import gather
from .data.pixels import Pixels
from .errors import DataError, NonFiniteError, OptionError, StateError
from .evaluation import batches, evaluate
from .models.base import Model
from .objectives import BetaSchedule
from .optim import Optimizer
from .workspace import empty

BINARIZE = ("none", "dynamic", "fixed")

STREAMS = {"train": 1, "val": 2, "noise": 3}
"""What the seed of the settings draws, each in a stream of its own: pixels to train and to validate
on, noise of the validation. To NumPy the seeds s and [s, 0] are the same, hence none is 0."""


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
    """

    epochs: int = 10
    batch: int = 128
    binarize: str = "none"
    beta: float = 1.0
    schedule: str = "constant"
    warmup: float = 5.0
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind, what in (
            ("epochs", Integral, "whole number"),
            ("batch", Integral, "whole number"),
            ("seed", Integral, "whole number"),
            ("patience", Integral | None, "whole number"),
            ("beta", Real, "number"),
            ("warmup", Real, "number"),
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
        if self.seed < 0:
            raise OptionError(f"seed={self.seed} was given, but it must be 0 or more.")
        if not self.warmup < 1e9:
            raise OptionError(f"warmup={self.warmup} epochs were given, but that never ends.")
        self.beta_at(steps_per_epoch=1)

    def beta_at(self, steps_per_epoch: int) -> BetaSchedule:
        """Schedule of beta, its period turned from epochs into steps."""
        period = max(1, round(self.warmup * steps_per_epoch))
        return BetaSchedule(self.beta, self.schedule, period)


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
    best_theta : numpy.ndarray, optional
        Parameters of the epoch with the best validation loss; kept if there is a patience.
    """

    model: Model
    optimizer: Optimizer
    rng: np.random.Generator
    settings: Settings
    history: list[dict[str, Any]] = field(default_factory=list)
    best_theta: np.ndarray | None = None

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


def binarize(x: np.ndarray | Pixels, rng: np.random.Generator) -> np.ndarray | Pixels:
    """Draw binary pixels: each grey value in [0, 1] is the probability of a 1.

    `Pixels` give `Pixels` of zeros and ones. The noise is drawn row by row, so it is the same
    however many rows are drawn at once.
    """
    drawn = np.empty(x.shape, np.uint8 if isinstance(x, Pixels) else x.dtype)
    for rows in batches(len(x), 1000):
        drawn[rows] = rng.random(drawn[rows].shape, dtype=np.float32) < x[rows]
    return Pixels(drawn, 1) if isinstance(x, Pixels) else drawn


def prepare_data(x: np.ndarray | Pixels, settings: Settings, part: str) -> np.ndarray | Pixels:
    """Data of one part, "train" or "val", as they stay for the whole run.

    Only the training data under "dynamic" remain grey; the step draws their pixels. Data to
    validate or test on are binarized once, so that every evaluation sees the same.

    Raises
    ------
    DataError
        If pixels are to be binarized that are not in [0, 1].
    """
    if settings.binarize == "none":
        return x
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise DataError(
            f"the data range from {x.min():.4g} to {x.max():.4g}, but only values in [0, 1] can be "
            "binarized; divide pixels by the largest value that they can have, or binarize none."
        )
    if part == "train" and settings.binarize == "dynamic":
        return x
    return binarize(x, np.random.default_rng([settings.seed, STREAMS[part]]))


def tally(loss: Array, nll: Array, kl: Array, *totals: Array) -> None:
    """Add a step's loss () times its examples, nll (B,) and kl (B, Z) to three totals ()."""
    for total, of_step in zip(totals, (loss * len(nll), nll.sum(), kl.sum()), strict=True):
        total += of_step


_TALLY_CUDA = Elementwise(
    "tally",
    "T loss, T nll, T kl, float64 batch",
    "float64 total_loss, float64 total_nll, float64 total_kl",
    """
    total_loss += loss * batch;
    total_nll += nll;
    total_kl += kl;
    """,
)


@kernel("cuda", of=tally)
def tally_cuda(loss: Array, nll: Array, kl: Array, *totals: Array) -> None:
    """Kernel of `tally`: three launches instead of seven."""
    _TALLY_CUDA(loss, nll.sum(), kl.sum(), len(nll), *totals)


@memory_in_a_sentence(
    "use a smaller batch or model, or fewer data; the weights are those of the last whole update"
)
def fit(
    training: Training,
    x: np.ndarray | Pixels,
    x_val: np.ndarray | Pixels | None = None,
    *,
    after_epoch: Callable[[Training], None] | None = None,
    progress: bool = True,
) -> Training:
    """Train until the epochs are done or patience runs out.

    Parameters
    ----------
    training : Training
        The run; changed in place. One that has a history goes on after its last epoch.
    x : numpy.ndarray or Pixels, (N, n_pixels)
        Training data. Those of `Pixels` become float32 minibatch by minibatch.
    x_val : numpy.ndarray or Pixels, (M, n_pixels), optional
        Data for validation.
    after_epoch : callable, optional
        Called with `training` after each epoch; the place to save a checkpoint.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Training
        The same object.

    Raises
    ------
    DataError
        If there are no training data, or they lie outside the likelihood's domain.
    NonFiniteError
        If the gradient of a step is NaN or infinite; the weights are those before that step.
    OutOfMemoryError
        If the host's memory or the device's is not enough.

    Examples
    --------
    >>> digits = data.load("digits8")
    >>> rng = np.random.default_rng(0)
    >>> model = VAE(64, hidden=(64,), latent=8, rng=rng)
    >>> training = Training(model, Adam(), rng, Settings(epochs=5, binarize="dynamic"))
    >>> fit(training, digits.pixels_train, digits.pixels_test).history[-1]["val_loss"]
    """
    from tqdm.auto import tqdm  # here, since nothing else needs it

    if len(x) == 0:
        raise DataError("fit was given 0 training examples; give at least one.")
    model, optimizer, rng, settings = (
        training.model,
        training.optimizer,
        training.rng,
        training.settings,
    )
    for data in (x, x_val):
        if data is not None:
            model.likelihood.note(data)  # refuses what is outside the domain
    x = prepare_data(x, settings, "train")
    x_val = None if x_val is None else prepare_data(x_val, settings, "val")
    backend = model.backend
    pixels, divisor = (x.bytes, x.divisor) if isinstance(x, Pixels) else (x, 1)
    pixels = backend.asarray(pixels)  # on a device, all of them once
    steps = math.ceil(len(x) / settings.batch)
    beta_at = settings.beta_at(steps)

    for epoch in range(len(training.history), settings.epochs):
        if training.stopped:
            break
        order = backend.asarray(rng.permutation(len(x)))
        sums = {name: backend.xp.zeros((), "float64") for name in ("loss", "nll", "kl")}

        def draw(rows: slice) -> tuple[Array | None, Any]:
            count, u = rows.stop - rows.start, None
            if settings.binarize == "dynamic":
                u = empty((count, *x.shape[1:]), "float32")
                rng.random(out=u, dtype="float32")
                u = backend.asarray(u)
            return u, model.draw_noise(rng, count)

        drawn = backend.ahead(draw, batches(len(x), settings.batch))
        bar = tqdm(
            batches(len(x), settings.batch),
            total=steps,
            desc=f"epoch {epoch + 1}/{settings.epochs}",
            disable=not progress,
            leave=False,
        )
        for step, rows in enumerate(bar, start=epoch * steps):
            with model.workspace:  # memory that each step uses again
                u, noise = next(drawn)
                batch = backend.call(gather, pixels, order[rows], divisor, u)
                terms = model.step(model.prepare(batch), noise, beta_at(step))
                optimizer.step(model.params)
            # Sums stay on the device, in float64; they are read once an epoch.
            backend.call(tally, terms.loss, terms.nll, terms.kl, *sums.values())

        optimizer.settle(model.params)
        record = {"epoch": epoch + 1, "beta": beta_at(epoch * steps + steps - 1)}
        record |= {name: float(total) / len(x) for name, total in sums.items()}
        if x_val is not None:
            record |= validate(training, x_val)
        for name, what in (("loss", "training"), ("val_loss", "validation")):
            if not math.isfinite(record.get(name, 0.0)):
                raise NonFiniteError(
                    f"the {what} loss is {record[name]} after epoch {epoch + 1}; lower the "
                    "learning rate, or resume from the last checkpoint with another one."
                )
        if not bool(backend.xp.isfinite(model.params.theta).all()):
            raise NonFiniteError(
                f"the weights are not finite after epoch {epoch + 1}; lower the learning rate, or "
                "resume from the last checkpoint with another one."
            )
        training.history.append(record)
        if settings.patience and training.best_epoch == epoch:
            training.best_theta = backend.to_host(model.params.theta).copy()
        if after_epoch is not None:
            after_epoch(training)
    if training.stopped and training.best_theta is not None:
        model.params.load(training.best_theta)
    return training


def validate(training: Training, x_val: np.ndarray | Pixels) -> dict[str, float]:
    """Validation terms of the run's model, with noise that is the same every time."""
    rng = np.random.default_rng([training.settings.seed, STREAMS["noise"]])
    numbers = evaluate(training.model, x_val, rng=rng)
    bound = numbers["bound"]
    loss = numbers["nll"] if math.isnan(bound) else -bound
    return {"val_loss": loss, "val_nll": numbers["nll"], "val_kl": numbers["kl"]}
