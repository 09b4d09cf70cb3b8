r"""What several processes would bring: a model of a step's time, from what is measured here.

A step of $n$ processes on a minibatch of $B$ takes as long as one process's on $B/n$ examples, and
the call that adds up the gradient of $M$ bytes. Of the orders in which that can be done, the one
that moves least sends each byte about twice (with a latency of $\alpha$, and $\beta$ seconds a
byte):

$$ T(n) = t(B / n) + 2 \lceil \log_2 n \rceil \alpha + 2 \frac{n - 1}{n} M \beta \tag{1} $$

$t$ is measured at each size. Of the call, two times are measured between the processes that were
started: that of one number gives $\alpha$, that of the whole gradient $\beta$. Between machines
both are others than between two processes of one: measure where it is to run.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..models import VAE
from ..train.optim.adam import Adam
from ..train.parallel import Crew
from .bench import one_step

PROCESSES = (2, 4, 8, 16, 32, 64)
"""Numbers of processes that the model is asked for."""


def allreduce(n: int, size: float, alpha: float, beta: float) -> float:
    """Seconds that the call takes for `size` bytes among n processes, by (1)."""
    return 2 * math.ceil(math.log2(n)) * alpha + 2 * (n - 1) / n * size * beta  # (1)


def constants(n: int, small: float, large: float, size: float) -> tuple[float, float]:
    """Alpha and beta of (1), from the times of one number and of `size` bytes among n."""
    alpha = small / (2 * math.ceil(math.log2(n)))
    return alpha, max(0.0, large - small) / (2 * (n - 1) / n * size)


def measure(
    crew: Crew, *, hidden: tuple[int, ...], latent: int, batch: int, budget: float
) -> dict[str, Any]:
    """Measure the call between the processes of a crew, and a step at each size in the first one.

    Returns
    -------
    dict
        `step`: seconds by the examples in it; `small` and `large`: seconds of the call; `bytes`
        of the gradient. Medians; the others wait while the first one steps.
    """
    rng = np.random.default_rng(0)
    data = rng.random((8192, 784), dtype="float32") + np.float32(1e-3)
    model = VAE(784, hidden, latent, rng=rng)
    found: dict[str, Any] = {"bytes": model.params.grad.nbytes}
    for name, size in (("small", 1), ("large", model.params.grad.size)):
        array = np.zeros(size, model.params.dtype)
        rounds = crew.agreed(_rounds(lambda a=array: crew.add_up(a), budget, 20))
        found[name] = crew.agreed(_median(lambda a=array: crew.add_up(a), rounds))
    sizes = sorted({max(1, batch // n) for n in (1, *PROCESSES)})
    found["step"] = {}
    for size in sizes if crew.leads else ():
        step = one_step(model, Adam(), data, size)
        found["step"][size] = _median(step, _rounds(step, budget, 3))
    crew.every(None)
    return found


def table(found: dict[str, Any], n: int, batch: int) -> list[dict[str, float]]:
    """Rows of both scalings for 1 process and `PROCESSES`, from what n processes measured.

    Strong: the minibatch stays, and each process has a part of it. Weak: each process has as many
    examples as one had alone.
    """
    alpha, beta = constants(n, found["small"], found["large"], found["bytes"])
    alone, rows = found["step"][batch], []
    for k in (1, *PROCESSES):
        call = 0.0 if k == 1 else allreduce(k, found["bytes"], alpha, beta)
        strong, weak = found["step"][max(1, batch // k)] + call, alone + call
        rows.append(
            {
                "processes": k,
                "allreduce": call,
                "strong": strong,
                "strong_times": alone / strong,
                "weak": weak,
                "weak_times": k * alone / weak,
            }
        )
    return rows


def _rounds(function: Callable[[], Any], budget: float, warm: int) -> int:
    """How often a function can be called within a budget of seconds."""
    for _ in range(warm):
        function()
    start = time.perf_counter()
    function()
    return max(5, min(1000, int(budget / max(1e-7, time.perf_counter() - start))))


def _median(function: Callable[[], Any], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))
