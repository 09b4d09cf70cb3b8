"""The picture of `minivae explore` for codes of categories: what each category of a variable does.

Between two categories there is nothing, so there are no paths; but all that one variable can say
fits into a row.
"""

from collections.abc import Iterator

import numpy as np

from ..data import Pixels
from ..data.batches import by_rows
from ..train.evaluate import evaluate
from ..train.runs import Run
from ..uses.explore.pictures import strips

ROWS, COLUMNS = 12, 16
"""Variables and categories that are drawn at most: of the largest KL, and the most frequent."""


def categories(run: Run, x: np.ndarray | Pixels, start: int, part: str) -> Iterator:
    """One variable of the code of example `start` of x changed at a time, to each category."""
    model = run.training.model
    codes = by_rows(model.backend, lambda rows: model.codes(model.prepare(rows)), x)
    kl = evaluate(model, x, rng=np.random.default_rng(0))["kl_per_dim"]
    variables = np.argsort(-kl, kind="stable")[:ROWS]
    images, own = [], codes[start]
    for z in variables:
        frequency = np.bincount(codes[:, z], minlength=model.levels)
        shown = np.sort(np.argsort(-frequency, kind="stable")[:COLUMNS])
        changed = np.tile(own, (len(shown), 1))
        changed[:, z] = shown
        decoded = by_rows(model.backend, model.decode_codes, model.backend.asarray(changed))
        images.append(np.concatenate([run.pixels(x[start : start + 1]), decoded]))
    all_shown = model.levels <= COLUMNS
    columns = [*map(str, range(model.levels))] if all_shown else [""] * COLUMNS
    what = "each category" if all_shown else f"its {COLUMNS} most frequent categories"
    yield (
        "categories.png",
        strips(
            np.stack(images),
            run.shape,
            rows=[f"variable {z + 1}   {kl[z]:.2f}" for z in variables],
            columns=["given", *columns],
            limits=run.limits,
            title=f"Code of {part} example {start}, one variable (its KL in nats) set to {what}",
        ),
    )
