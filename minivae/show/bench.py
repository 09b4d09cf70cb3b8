"""Measuring: each operation as reference and as kernel, and the training step against its products.

The *products* are the matrix products of a training step alone, the same shapes, into memory that
is there already: what any program that leaves them to NumPy's BLAS must spend. Everything else,
from fetching the minibatch to Adam, is what minivae adds.

All times are medians, in seconds; what is compared takes turns, so that both meet the same machine.
"""

import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..data.minibatch import gather
from ..engine.backend import get_backend, kernels
from ..engine.case import Case
from ..engine.cpu.workspace import Workspace
from ..engine.door import door
from ..engine.kinds import Count, Positive
from ..engine.layer import Sequential
from ..errors import OptionError
from ..models import VAE
from ..ops import CASES, Linear
from ..train.optim.adam import Adam, adam
from ..train.optim.momentum import momentum
from ..train.optim.sgd import sgd
from .canvas import lighten, new_figure
from .plots import COLOURS

TURNS = 5
"""How often each form has its turn."""

STILL = 1.3
"""How much longer a turn may take than another on a machine that does nothing else."""

WHOLE = 0.9
"""Part of a core's time, at least, of a program that never waits on such a machine."""


class Row(NamedTuple):
    """What was measured of one thing.

    Attributes
    ----------
    name : str
        What it is.
    seconds : dict of str to float
        Median of each form, the slowest reference first.
    unsteady : float
        The slowest turn of the steadiest form over its fastest; 1 on a machine that is still.
    share : float
        Seconds of the processor for each second that passed; 1 or more on a machine that is still.
    """

    name: str
    seconds: dict[str, float]
    unsteady: float = 1.0
    share: float = 1.0

    @property
    def disturbed(self) -> str:
        """Why these numbers say more of other programs than of this one; "" if they do not."""
        if self.share < WHOLE:
            return f"this program had {self.share:.0%} of a core's time, others the rest"
        if self.unsteady > STILL:
            return (
                f"the same work took up to {self.unsteady:.1f} times as long from one turn to the "
                "next"
            )
        step, bare = self.seconds.get("numba"), self.seconds.get("products")
        if step and bare and step < 0.95 * bare:
            return f"a step took {step / bare:.2f} times as long as its own products, a part of it"
        return ""


@door
def take_turns(name: str, forms: dict[str, Callable[[], Any]], budget: Positive = 0.2) -> Row:
    """Measure the median seconds of a call of each form.

    Parameters
    ----------
    name : str
        What it is.
    forms : dict of str to callable
        What to call.
    budget : float
        Seconds to spend on each form, about; some calls are made of each in any case.
    """
    if not forms:
        raise OptionError(f"{name!r} has no form to be measured; give one at least.")
    clock = time.perf_counter
    spent: dict[str, list[list[float]]] = {name: [] for name in forms}
    for form in forms.values():
        form()  # compiles, and fills the caches
    start, begun = clock(), time.process_time()
    for _ in range(TURNS):
        for of, form in forms.items():
            # In the first half of a turn the threads of the form before may still be awake.
            half, end = clock() + budget / TURNS / 2, clock() + budget / TURNS
            turn: list[float] = []
            while (now := clock()) < end or not turn:
                form()
                if now >= half:
                    turn.append(clock() - now)
            spent[of].append(turn)
    share = (time.process_time() - begun) / (clock() - start)
    medians = {of: [float(np.median(turn)) for turn in turns] for of, turns in spent.items()}
    unsteady = min(max(turns) / min(turns) for turns in medians.values())
    whole = {of: float(np.median(np.concatenate(turns))) for of, turns in spent.items()}
    return Row(name, whole, unsteady, share)


@door
def operations(
    sizes: dict[str, int], *, dtype: str = "float32", budget: Positive = 0.2
) -> list[Row]:
    """Measure each operation, forward and backward together.

    Parameters
    ----------
    sizes : dict of str to int
        Length of each axis, by its letter: B, D, I, O, Z, K, L.
    dtype : {"float32", "float64"}
        dtype of all arrays.
    budget : float
        Seconds for each form.

    Returns
    -------
    list of Row
        With the forms "reference" and, where there is one, "kernel".
    """
    rng = np.random.default_rng(0)
    compiled = get_backend("auto").name
    known = {reference for name, reference in kernels() if name == compiled}
    rows = []
    for case in CASES:
        arguments = case.draw(rng, sizes, dtype)
        forms = {"reference": _both_passes(case, arguments, "numpy")}
        if {case.forward, case.backward} & known:
            forms["kernel"] = _both_passes(case, arguments, "numba")
        rows.append(take_turns(case.name, forms, budget))
    size = sizes["I"] * sizes["O"] * 2
    flat = {name: rng.random(size).astype(dtype) for name in ("theta", "grad", "m", "v")}
    rules = {
        "sgd": (sgd, ("theta", "grad"), {"lr": 1e-3}),
        "momentum": (momentum, ("theta", "grad", "v"), {"lr": 1e-3, "rho": 0.9}),
        "adam": (
            adam,
            ("theta", "grad", "m", "v"),
            {"t": 9, "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
        ),
    }
    for name, (rule, arrays, options) in rules.items():
        given = [flat[array] for array in arrays]
        forms = {"reference": lambda r=rule, g=given, o=options: r(*g, **o)}
        if rule in known:
            call = get_backend("numba").call
            forms["kernel"] = lambda r=rule, g=given, o=options, c=call: c(r, *g, **o)
        rows.append(take_turns(f"{name}, {size:,} numbers", forms, budget))
    return rows


def _both_passes(case: Case, arguments: dict[str, np.ndarray], backend: str) -> Callable[[], None]:
    """Return a function that runs an operation forward and backward, in memory of its own."""
    call, workspace = get_backend(backend).call, Workspace()
    y, _ = case.forward(**arguments, **case.options)
    dy = np.ones_like(y) if np.ndim(y) else 1.0

    def run() -> None:
        with workspace:
            _, cache = call(case.forward, **arguments, **case.options)
            call(case.backward, dy, *cache)

    return run


@door
def products(model: VAE, batch: Count) -> Callable[[], None]:
    """Return a function that does the matrix products of one training step, and nothing else."""
    dtype = model.params.dtype
    rows = batch * (model.samples or 1)
    trunk = model.encoder.trunk or Sequential(model.encoder.heads)
    heads = [model.encoder.heads] if model.encoder.trunk else []
    layers = [(layer, batch) for layer in [*trunk, *heads]]
    layers += [(layer, rows) for layer in model.decoder]
    forward, backward = [], []
    for i, (layer, n) in enumerate(layers):
        assert isinstance(layer, Linear)
        x, dy = (np.ones((n, width), dtype) for width in (layer.n_in, layer.n_out))
        W = layer.params["W"]
        forward.append((x, W, np.empty_like(dy)))
        backward.append((x.T, dy, np.empty_like(W)))
        if i > 0:  # the input of the first layer is data and gets no gradient
            backward.append((dy, W.T, np.empty_like(x)))
    calls = forward + backward[::-1]

    def run() -> None:
        for a, b, out in calls:
            np.matmul(a, b, out=out)

    return run


@door
def training_step(
    *,
    hidden: tuple[int, ...],
    latent: int,
    batch: Count,
    pixels: Count = 784,
    budget: Positive = 1.0,
) -> Row:
    """Measure a training step of a VAE, from fetching to Adam; no pixel is 0, so nothing is spared.

    Parameters
    ----------
    hidden : tuple of int
        Hidden widths of the encoder, the decoder's in reverse.
    latent, batch, pixels : int
        Z, B and D.
    budget : float
        Seconds for each form.

    Returns
    -------
    Row
        With the forms "numpy", "numba" where it is installed, and "products".
    """
    rng = np.random.default_rng(0)
    data = rng.random((8192, pixels), dtype="float32") + np.float32(1e-3)
    forms: dict[str, Callable[[], None]] = {}
    for backend in dict.fromkeys(("numpy", get_backend("auto").name)):
        model = VAE(pixels, hidden, latent, rng=rng, backend=backend)
        forms[backend] = one_step(model, Adam(), data, batch)
    forms["products"] = products(model, batch)
    widths = "-".join(map(str, (pixels, *hidden, latent)))
    return take_turns(f"VAE {widths}, batch {batch}", forms, budget)


@door
def one_step(model: VAE, optimizer: Adam, data: np.ndarray, batch: Count) -> Callable[[], None]:
    """Return a function that takes a training step on some rows of the data."""
    rng = np.random.default_rng(1)

    def run() -> None:
        with model.workspace:
            rows = rng.integers(0, len(data), batch)
            x = model.backend.call(gather, data, rows)
            model.step(x, model.draw_noise(rng, batch))
            optimizer.step(model.params)

    return run


def threads() -> str:
    """What the environment says about BLAS's threads."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    for name in names:
        if os.environ.get(name):
            return f"{name}={os.environ[name]}"
    return f"BLAS may use all {os.cpu_count()} cores"


@door
def draw(rows: list[Row], step: Row, ax: Any = None) -> Any:
    """Draw the bars: how many times as fast the kernels are, and the parts of a step.

    Parameters
    ----------
    rows : list of Row
        From `operations`.
    step : Row
        From `training_step`.
    ax : pair of matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    """
    compared = [row for row in rows if "kernel" in row.seconds]
    if ax is None:
        ax = new_figure(11, 1.2 + 0.28 * max(9, len(compared))).subplots(1, 2)
    left, right = ax
    gains = [row.seconds["reference"] / row.seconds["kernel"] for row in compared]
    left.barh([row.name for row in compared], gains, color=COLOURS[0])
    left.axvline(1, color="black", linewidth=0.8)
    left.set_xscale("log")
    left.invert_yaxis()
    left.set_xlabel("times as fast as the reference")
    left.set_title(
        "kernels, forward and backward" if compared else "no kernels: NumPy alone", loc="left"
    )
    right.bar(step.seconds.keys(), [1e3 * s for s in step.seconds.values()], color=COLOURS[6])
    right.set_ylabel("ms")
    right.set_title(f"one training step, {step.name}", loc="left")
    for ax in (left, right):
        lighten(ax)
    return left.figure
