"""The training loop: minibatches, a step, a record of each epoch, a checkpoint after it.

`Training` is everything that a run is at the end of an epoch, and what a checkpoint holds: model,
optimizer, random generator, settings, history. All randomness of an epoch (order of the data,
binarization, latent noise) comes from that one generator, so a run that is resumed after any epoch
goes on as if it had never stopped, bit for bit.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..data.batches import batches
from ..data.minibatch import gather
from ..data.pixels import Pixels
from ..engine.available import memory_in_a_sentence
from ..engine.backend import Array, kernel
from ..engine.cpu.workspace import empty
from ..engine.door import door
from ..engine.gpu.kernels import Elementwise
from ..errors import DataError, NonFiniteError, OptionError
from .evaluate import evaluate
from .parallel import Crew
from .prepare import as_rows, prepare_data
from .settings import STREAMS, Training


def tally(loss: Array, *terms_and_totals: Array) -> None:
    """Add a step's loss () times its examples, and the sum of each of its terms, to totals ().

    Parameters
    ----------
    loss : array, ()
        Batch mean.
    *terms_and_totals : array
        The model's terms, (B,) or (B, ...), then as many totals () and one more: the loss's, which
        is the first of them.
    """
    n = len(terms_and_totals) // 2
    terms, totals = terms_and_totals[:n], terms_and_totals[n:]
    of_step = (loss * len(terms[0]), *(term.sum() for term in terms))
    for total, number in zip(totals, of_step, strict=True):
        total += number


_TALLY_CUDA = Elementwise(
    "tally",
    "T loss, T term1, T term2, float64 batch",
    "float64 total_loss, float64 total1, float64 total2",
    """
    total_loss += loss * batch;
    total1 += term1;
    total2 += term2;
    """,
)


@kernel("cuda", of=tally)
def tally_cuda(loss: Array, *terms_and_totals: Array) -> None:
    """Kernel of `tally`, for two terms: three launches instead of seven."""
    if len(terms_and_totals) != 5:
        return tally(loss, *terms_and_totals)
    first, second, *totals = terms_and_totals
    _TALLY_CUDA(loss, first.sum(), second.sum(), len(first), *totals)


@memory_in_a_sentence(
    "use a smaller batch or model, or fewer data; the weights are those of the last whole update"
)
@door
def fit(
    training: Training,
    x: np.ndarray | Pixels,
    x_val: np.ndarray | Pixels | None = None,
    *,
    after_step: Callable[[Training, Any], None] | None = None,
    after_epoch: Callable[[Training], Any] | None = None,
    progress: bool = True,
    crew: Crew | None = None,
) -> Training:
    """Train until the epochs are done or patience runs out.

    Parameters
    ----------
    training : Training
        The run; changed in place. One that has a history goes on after its last epoch.
    x : numpy.ndarray or Pixels, (N, n_pixels) or (N, *shape)
        Training data. Those of `Pixels` become float32 minibatch by minibatch.
    x_val : numpy.ndarray or Pixels, (M, n_pixels) or (M, *shape), optional
        Data for validation.
    after_step : callable, optional
        Called with `training` and the step's terms after each update; they are the backend's
        arrays, which the next step may write over.
    after_epoch : callable, optional
        Called with `training` after each epoch; the place to save a checkpoint. The training ends
        there if it returns True.
    progress : bool
        Show a progress bar.
    crew : Crew, optional
        The processes that train together, each of which calls this with the same data.

    Returns
    -------
    Training
        The same object.

    Raises
    ------
    OptionError
        If there is a patience, but a model under which held-out data have no loss; if processes
        would not make the same run.
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
    from ..engine.progress import bar as tqdm

    if len(x) == 0:
        raise DataError("fit was given 0 training examples; give at least one.")
    model, optimizer, rng, settings = (
        training.model,
        training.optimizer,
        training.rng,
        training.settings,
    )
    # Of several players each has its own loss, and none says how well the data are modelled.
    judged = len(model.players()) == 1
    if settings.patience and not judged:
        raise OptionError(
            f"patience={settings.patience} was given, but under {model.title} held-out data "
            "have no loss to wait for; leave it out, and choose the epochs."
        )
    x, x_val = as_rows(x), None if x_val is None else as_rows(x_val)
    given: tuple[Any, ...] = (x, x_val)
    for data in given:
        if data is not None:
            model.likelihood.note(data)  # refuses what is outside the domain
    x = prepare_data(x, settings, "train")
    x_val = None if x_val is None else prepare_data(x_val, settings, "val")
    backend = model.backend
    pixels, divisor = (x.bytes, x.divisor) if isinstance(x, Pixels) else (x, 1)
    crew = Crew() if crew is None else crew
    crew.expect_alike(training, pixels)
    pixels = backend.asarray(pixels)  # on a device, all of them once
    steps = math.ceil(len(x) / settings.batch)
    beta_at, lr_at = settings.beta_at(steps), settings.lr_at(steps)
    names = ("loss", *model.terms)
    for epoch in range(len(training.history), settings.epochs):
        if training.stopped:
            break
        crew.align(training)
        order = backend.asarray(rng.permutation(len(x)))
        sums = [
            {name: backend.xp.zeros((), "float64") for name in names}
            for _ in crew.parts_of(crew.rank)
        ]

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

                def fetch(part: slice, order: Array = order[rows], u: Array | None = u) -> Array:
                    u = None if u is None else u[part]
                    return model.prepare(backend.call(gather, pixels, order[part], divisor, u))

                count = rows.stop - rows.start
                found = crew.step(model, fetch, noise, beta_at(step), count)
                optimizer.step(model.params, lr_at(step))
            # Sums stay on the device, in float64; they are read once an epoch.
            for (terms, weighing), totals in zip(found, sums, strict=True):
                if weighing:
                    terms_of_step = (getattr(terms, name) for name in names)
                    backend.call(tally, *terms_of_step, *totals.values())
            if after_step is not None:
                after_step(training, found[0][0])

        optimizer.settle(model.params)
        record = {"epoch": epoch + 1, "beta": beta_at(epoch * steps + steps - 1)}
        if lr_at.varies:
            record["lr"] = optimizer.rate
        record |= {name: total / len(x) for name, total in crew.sums(sums).items()}
        record |= model.of_epoch()
        if x_val is not None and judged:
            record |= validate(training, x_val, crew)
        record = crew.agreed(record)  # so that all stop, or none does
        for name, what in (("loss", "training"), ("val_loss", "validation")):
            if not math.isfinite(record.get(name, 0.0)):
                raise NonFiniteError(
                    f"the {what} loss is {record[name]} after epoch {epoch + 1}; lower the "
                    "learning rate, or resume from the last checkpoint with another one."
                )
        carried = model.params.carried
        flat = (model.params.theta, carried) if carried.size else (model.params.theta,)
        if not all(bool(backend.xp.isfinite(array).all()) for array in flat):
            raise NonFiniteError(
                f"the weights are not finite after epoch {epoch + 1}; lower the learning rate, or "
                "resume from the last checkpoint with another one."
            )
        training.history.append(record)
        if settings.patience and training.best_epoch == epoch:
            training.keep_best()
        if crew.agreed(after_epoch is not None and after_epoch(training) is True):
            break
    if training.stopped and training.best_theta is not None:
        model.params.load(training.best_theta, training.best_carried)
    return training


@door
def validate(
    training: Training, x_val: np.ndarray | Pixels, crew: Crew | None = None
) -> dict[str, float]:
    """Validation terms of the run's model, with noise that is the same every time.

    Parameters
    ----------
    training : Training
        The run.
    x_val : numpy.ndarray or Pixels, (M, n_pixels) or (M, *shape)
        Data for validation.
    crew : Crew, optional
        Processes that evaluate a part of the data each.
    """
    rng = np.random.default_rng([training.settings.seed, STREAMS["noise"]])
    model = training.model
    numbers = evaluate(model, x_val, rng=rng, crew=crew)
    loss = model.held_out_loss(numbers)
    return {"val_loss": loss} | {f"val_{name}": numbers[name] for name in model.terms}
