"""How a training step's time falls with the number of threads that share it."""

from collections.abc import Callable, Sequence

import numpy as np

from ..engine.cpu.blas import Blas
from ..engine.door import door
from ..engine.kinds import Count, Positive
from ..errors import OptionError
from ..models import VAE
from ..train.optim.adam import Adam
from .bench import Row, one_step, take_turns


@door
def curve(
    threads: Sequence[Count],
    *,
    hidden: tuple[int, ...],
    latent: int,
    batch: Count,
    pixels: Count = 784,
    budget: Positive = 1.0,
) -> Row:
    """Measure a training step of a VAE with each number of threads, all taking turns.

    Parameters
    ----------
    threads : sequence of int
        How many threads; a team has no more than there are cores for.
    hidden : tuple of int
        Hidden widths of the encoder, the decoder's in reverse.
    latent, batch, pixels : int
        Z, B and D.
    budget : float
        Seconds for each.

    Returns
    -------
    Row
        With a form for each number of threads. No pixel is 0, so all products are full ones.

    Raises
    ------
    OptionError
        If no number is given, or no threads share a step here.
    BackendError
        If Numba is not installed.
    """
    blas = Blas.find()
    if blas is None or len(threads) == 0:
        raise OptionError(
            f"a step with {list(threads)} threads was to be measured; give numbers of threads, "
            "where NumPy computes with the OpenBLAS that its wheels bring."
        )
    rng, before = np.random.default_rng(0), blas.get_threads()
    data = rng.random((8192, pixels), dtype="float32") + np.float32(1e-3)

    def with_threads(n: int) -> Callable[[], None]:
        model = VAE(pixels, hidden, latent, rng=rng, backend="numba")
        step = one_step(model, Adam(), data, batch)

        def run() -> None:
            blas.set_threads(n)
            step()

        return run

    try:
        return take_turns("threads", {str(n): with_threads(n) for n in threads}, budget)
    finally:
        blas.set_threads(before)
