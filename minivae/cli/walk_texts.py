"""Walks of `minivae explore` through the latent space of sequences: lines of text, no pictures."""

from collections.abc import Iterator

import numpy as np

from ..models.rows import means
from ..train.runs import Run


def spelled(run: Run, z: np.ndarray) -> list[str]:
    """What the decoder makes of latents z (N, Z), each symbol the likeliest."""
    model = run.training.model
    symbols = model.symbols(model.backend.asarray(z, model.params.dtype))
    return run.texts(model.backend.to_host(symbols))


def interpolation(
    run: Run, pairs: list[tuple[np.ndarray, np.ndarray]], steps: int
) -> Iterator[tuple[str, bytes]]:
    """Straight ways between pairs of data, a line each: given, decoded ..., given."""
    to_host = run.training.model.backend.to_host
    t, lines = np.linspace(0, 1, steps)[:, None], []
    for ends in pairs:
        a, b = to_host(means(run.training.model, np.stack(ends)))
        given = run.texts(np.stack(ends))
        lines.append("\t".join([given[0], *spelled(run, (1 - t) * a + t * b), given[1]]))
    yield "interpolation.txt", ("\n".join(lines) + "\n").encode()


def traversals(run: Run, x: np.ndarray, start: int, far: float) -> Iterator[tuple[str, bytes]]:
    """One latent dimension changed at a time, from -far to far, from example `start` of x."""
    z = run.training.model.backend.to_host(means(run.training.model, x[start : start + 1]))
    lines = ["\t".join(["", *(f"{v:.1f}" for v in np.linspace(-far, far, 11))])]
    for k in range(z.shape[1]):
        walk = z.repeat(11, axis=0)
        walk[:, k] = np.linspace(-far, far, 11)
        lines.append("\t".join([f"z_{k + 1}", *spelled(run, walk)]))
    yield "traversals.txt", ("\n".join(lines) + "\n").encode()
