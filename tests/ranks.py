"""Five steps of every model that there is, by as many processes as start this; see its test."""

import sys
from pathlib import Path

import numpy as np

from minivae.errors import OptionError
from minivae.models import MODELS
from minivae.train.loop import fit
from minivae.train.optim.adam import Adam
from minivae.train.optim.sgd import SGD
from minivae.train.settings import Settings, Training

BATCH, ROWS = 6, 26
"""Rows in a step and in all: four steps, and one of two rows."""

SHAPED = {"n_pixels": (4, 4), "channels": (2, 3), "kernel": 3, "stride": 2}


def cases():
    """Name, class and options of each small model that the checks are made on, and more."""
    for kind, model in MODELS.items():
        for i, example in enumerate(model.examples):
            yield f"{kind}-{i}", model, {}, example
            if "free_bits" in model.options and not example:
                yield f"{kind}-{i}-free-bits", model, {"free_bits": 0.05}, example
            for norm in ("batch", "layer"):
                conv = {**SHAPED, "network": "conv", "norm": norm}
                yield f"{kind}-{i}-conv-{norm}", model, conv, example


def make(model, options, example, backend="numpy", shards=None, batch=BATCH):
    """A run of five steps in float64, and its data."""
    rng = np.random.default_rng(3)
    made = model.example(rng, backend=backend, **{**example, **options})
    x = made.draw_rows(np.random.default_rng(4), ROWS)
    settings = Settings(epochs=1, batch=batch, shards=shards)
    # A bias before a batch norm has the gradient 0, and Adam divides the rounding by its own size.
    rule = SGD if options.get("norm") == "batch" else Adam
    return Training(made, rule(0.01), rng, settings), x


def outcome(model, options, example, crew, **how):
    """Weights, carried numbers and record after five steps; or the sentence of a refusal."""
    training, x = make(model, options, example, **how)
    try:
        fit(
            training,
            x,
            x[:7] if len(training.model.players()) == 1 else None,
            progress=False,
            crew=crew,
        )
    except OptionError as error:
        return str(error)
    params, record = training.model.params, training.history[-1]
    to_host = params.backend.to_host
    numbers = [float(record[name]) for name in sorted(record)]
    return np.concatenate([to_host(params.theta), to_host(params.carried), numbers])


def walk(crew, **how):
    """Outcome of each case."""
    return {name: outcome(*case, crew, **how) for name, *case in cases()}


if __name__ == "__main__":
    from minivae.train.launch import join

    crew = join()
    with np.errstate(all="ignore"):
        found = walk(crew)
        found |= {f"{name} shards": o for name, o in walk(crew, shards=3).items()}
    for name, mine in found.items():
        bits = crew.every(mine if isinstance(mine, str) else mine.tobytes())
        assert len(set(bits)) == 1, f"{name}: the processes have come apart"
    if crew.leads:
        np.savez(Path(sys.argv[1]), **found)
