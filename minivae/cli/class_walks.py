"""The picture of `minivae explore` for a model that is given the class: analogies.

What a latent says beside the class is the rest: slant, stroke, size. So the code of one example,
decoded with every class in turn, should be as many examples of one hand.
"""

from collections.abc import Iterator

import numpy as np

from ..data import Pixels
from ..models.rows import encode
from ..train.runs import Run
from ..uses.explore.pictures import strips

ROWS, COLUMNS = 10, 16
"""Examples and classes that are drawn at most."""


def analogies(run: Run, x: np.ndarray | Pixels, starts: list[int], part: str) -> Iterator:
    """Decode the code of each of the examples `starts` of x, rows with labels, with every class."""
    model = run.training.model
    given = x[starts]
    z = model.backend.asarray(encode(model, given)[0], model.params.dtype)
    images = [run.pixels(given)]
    shown = model.labels[:COLUMNS]
    for c in range(len(shown)):
        y = model.backend.xp.zeros((len(z), len(model.labels)), z.dtype)
        y[:, c] = 1
        images.append(model.backend.to_host(model.decode(z, y)))
    yield (
        "analogies.png",
        strips(
            np.stack(images, axis=1),
            run.shape,
            columns=["given", *shown],
            limits=run.limits,
            title=f"Codes of {part} examples (left), decoded with every class",
        ),
    )


def one_of_each(y: np.ndarray | None, n: int) -> list[int]:
    """Numbers of the first example of each class, or of the first of all n without classes."""
    firsts = range(n) if y is None else np.sort(np.unique(y, return_index=True)[1])
    return [int(number) for number in firsts[:ROWS]]
