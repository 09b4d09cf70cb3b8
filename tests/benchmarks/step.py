"""The training step of minivae beside those of PyTorch and JAX.

    python tests/benchmarks/step.py --all
    python tests/benchmarks/step.py --model mlp --batch 128 --contenders products,minivae,jax
    python tests/benchmarks/step.py --model iwae --batch 20 --samples 50 --same-noise

float32, Adam, the same first weights and minibatches for all; see `bursts.py` for the protocol.
Needs `pip install torch jax optax` for the contenders; those that are not installed are left out.
Digits are measured, four fifths of whose pixels are 0, and with `--data dense` images that have no
zeros: what is 0 is not multiplied (`minivae/engine/cpu/sparse.py`), and no other contender uses it.
With --same-noise the losses must agree up to rounding, which shows that all do the same work.
"""

import argparse
import importlib.util
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from convolutions import CONTENDERS as CONVOLUTIONS
from convolutions import ConvProblem

from bursts import compare, pin, processor, serve, versions
from contenders import CONTENDERS, NEEDS, Setting
from problems import DATA, Problem, problem

CONVOLUTIONAL = {
    ("conv", 128, 1, 2): (1.15, 3.0, 1.3),
    ("conv", 32, 1, 2): (1.20, 3.5, 1.5),
    ("conv", 128, 1, 1): (1.15, 3.0, 1.3),
}
BARS = {
    "dense": {
        ("mlp", 128, 1, 2): (1.20, 1.3, 1.6),
        ("mlp", 32, 1, 2): (1.40, 1.15, 1.5),
        ("mlp", 1024, 1, 2): (1.13, 1.03, 1.2),
        ("iwae", 20, 1, 2): (2.0, 1.25, 2.0),
        ("iwae", 20, 50, 2): (1.35, 1.05, 1.25),
        ("mlp", 128, 1, 1): (1.15, 1.15, 1.3),
        **CONVOLUTIONAL,
    },
    "digits": {
        ("mlp", 128, 1, 2): (1.05, 1.4, 1.8),
        ("mlp", 32, 1, 2): (1.30, 1.25, 1.6),
        ("mlp", 1024, 1, 2): (0.95, 1.2, 1.4),
        ("iwae", 20, 1, 2): (2.0, 1.25, 2.0),
        ("iwae", 20, 50, 2): (1.35, 1.05, 1.25),
        ("mlp", 128, 1, 1): (0.98, 1.3, 1.5),
        **CONVOLUTIONAL,
    },
}
"""By the kind of data: model, batch, samples, threads: at most so many times all its products, at
least so many times as fast as JAX, and as the best of PyTorch."""


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--all", action="store_true", help="all rows that have a bar")
    parser.add_argument("--model", choices=("mlp", "iwae", "conv"), default="mlp")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--samples", type=int, default=1, help="K, of iwae")
    parser.add_argument("--data", choices=(*DATA, "both"), default="both", help="of mlp and iwae")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--burst", type=int, default=20)
    parser.add_argument("--contenders", metavar="A,B,...", help="all by default")
    parser.add_argument("--backend", default="numba", help="of the contender minivae")
    parser.add_argument("--same-noise", action="store_true", help="compare losses, not times")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.worker:
        pin(options.threads)
        p = problem_of(options.model, options.batch, options.samples, options.data)
        setting = Setting(options.threads, options.backend, options.same_noise)
        serve(lambda: contenders_of(options.model)[options.worker](p, setting))
        return 0
    known = contenders_of(options.model)
    names = options.contenders.split(",") if options.contenders else []
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"no contender is called {unknown[0]}; there are: {', '.join(known)}")
    numbers = (options.batch, options.samples, options.threads, options.burst)
    if min(numbers) < 1 or options.steps < 2:
        parser.error("--steps must be at least 2, and the other numbers at least 1")
    machine = f"{processor()}, {os.cpu_count()} cores, float32, {versions()}"
    print(machine)
    rows = [(options.model, options.batch, options.samples, options.threads)]
    kinds = DATA if options.data == "both" else (options.data,)
    results = [
        measure(*row, kind, names or list(contenders_of(row[0])), options)
        for row in (BARS["dense"] if options.all else rows)
        for kind in (("digits",) if row[0] == "conv" else kinds)
    ]
    if options.json:
        found = {"machine": machine, "rows": results}
        Path(options.json).write_text(json.dumps(found, indent=2) + "\n")
    return 0


def problem_of(model: str, batch: int, samples: int, data: str) -> Problem | ConvProblem:
    """A model, a batch size and a kind of data."""
    if model == "conv":
        return ConvProblem(batch)
    return problem(model, batch, samples, data)


def contenders_of(model: str) -> dict[str, Any]:
    """Who computes a model."""
    return CONVOLUTIONS if model == "conv" else CONTENDERS


def measure(
    model: str, batch: int, samples: int, threads: int, data: str, names: list[str], options: Any
) -> dict[str, Any]:
    """Measure one row and print its table."""
    print(f"\n{problem_of(model, batch, samples, data)}, {threads} thread{'s' * (threads > 1)}")
    needs = {name: NEEDS.get(name.partition("-")[0], ()) for name in names}
    installed = {name for name in names if all(map(importlib.util.find_spec, needs[name]))}
    arguments = ["--model", model, "--batch", str(batch), "--samples", str(samples)]
    arguments += ["--threads", str(threads), "--backend", options.backend, "--data", data]
    arguments += ["--same-noise"] * options.same_noise
    me = [sys.executable, str(Path(__file__).resolve()), *arguments]
    commands = {name: [*me, "--worker", name] for name in names if name in installed}
    workers = compare(commands, steps=options.steps, burst=options.burst, threads=threads)
    medians = {name: statistics.median(w.ms) for name, w in workers.items() if w.ms}
    floor, own = medians.get("products"), medians.get("minivae")
    print(
        f"{'ms a step':<19}{'median':>9}{'quartiles':>17}{'/ products':>12}{'/ minivae':>11}  loss"
    )
    for name in names:
        if name not in installed:
            print(f"{name:<19}{'not installed':>13}")
            continue
        worker = workers[name]
        if worker.error:
            print(f"{name:<19}failed: {worker.error}")
            continue
        low, median, high = statistics.quantiles(worker.ms, n=4)
        text = f"{name:<19}{median:>9.3f}{low:>9.3f}-{high:<7.3f}"
        text += f"{median / floor:>12.2f}" if floor else " " * 12
        text += f"{median / own:>11.2f}" if own else " " * 11
        loss = "" if name == "products" else f"  {worker.losses[-1]:.2f}"
        print(text + loss + ("  noisy" if worker.noisy else ""), flush=True)
    if options.same_noise:
        agreement(workers)
    else:
        judge(BARS[data].get((model, batch, samples, threads)), medians)
    row = {"model": model, "batch": batch, "samples": samples, "threads": threads, "data": data}
    row |= {"backend": options.backend, "same_noise": options.same_noise, "median_ms": medians}
    return {
        **row,
        "quartiles_ms": {n: statistics.quantiles(w.ms, n=4) for n, w in workers.items() if w.ms},
        "losses": {name: worker.losses for name, worker in workers.items()},
        "noisy": [name for name, worker in workers.items() if worker.noisy],
        "errors": {name: worker.error for name, worker in workers.items() if worker.error},
    }


def agreement(workers: dict[str, Any]) -> None:
    """Print how far apart the losses are that all have with the same noise."""
    trained = [w for name, w in workers.items() if name != "products" and not w.error]
    for what, losses in (
        ("first step", [worker.first_loss for worker in trained]),
        ("last burst", [worker.losses[-1] for worker in trained]),
    ):
        if len(losses) > 1:
            print(f"  losses of the {what} differ by {max(losses) / min(losses) - 1:.1e} at most")


def judge(bars: tuple[float, ...] | None, medians: dict[str, float]) -> None:
    """Print each bar of a row beside what was reached."""
    torch = min((ms for name, ms in medians.items() if name.startswith("torch")), default=None)
    peers = (medians.get("products"), medians.get("jax"), torch)
    if bars is None or "minivae" not in medians:
        return
    own = medians["minivae"]
    names = ("times the products, at most", "times as fast as JAX", "times as fast as PyTorch")
    for i, (bar, peer, what) in enumerate(zip(bars, peers, names, strict=True)):
        if peer is None:
            continue
        ratio = own / peer if i == 0 else peer / own
        reached = ratio <= bar if i == 0 else ratio >= bar
        print(f"  {'reached' if reached else 'missed '} {bar:.2f} {what}: {ratio:.2f}")


if __name__ == "__main__":
    sys.exit(main())
