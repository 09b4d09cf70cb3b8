"""The training step of minivae on a GPU beside that of PyTorch on the same one.

    python tests/benchmarks/device.py
    python tests/benchmarks/device.py --model iwae --batch 20 --samples 50 --json figures.json

float32, Adam, the same first weights and minibatches for all; the data lie on the device. Both
queue their work and wait for nothing, so a burst of steps is timed from a quiet device until it is
quiet again; the contenders take turns. With --same-noise the losses must agree up to rounding.
Needs a GPU, CuPy (`pip install -e '.[cuda13]'`) and a PyTorch that was built for CUDA.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from contenders import CONTENDERS, Setting
from minivae.engine.backend import get_backend
from minivae.engine.gpu.device import device_name
from minivae.errors import BackendError
from problems import problem

NAMES = ("minivae", "torch", "torch-fused", "torch-compile-step")


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("mlp", "iwae"), default="mlp")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--samples", type=int, default=1, help="K, of iwae")
    parser.add_argument("--bursts", type=int, default=20)
    parser.add_argument("--burst", type=int, default=100, help="steps in a burst")
    parser.add_argument("--contenders", default=",".join(NAMES), metavar="A,B,...")
    parser.add_argument("--same-noise", action="store_true", help="compare losses, not times")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args(argv)
    names = options.contenders.split(",")
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"no contender is called {unknown[0]}; there are: {', '.join(NAMES)}")
    if min(options.batch, options.samples, options.burst) < 1 or options.bursts < 2:
        parser.error("--bursts must be at least 2, and the other numbers at least 1")
    try:
        backend = get_backend("cuda")
    except BackendError as error:
        print(f"nothing was measured: {error}")
        return 2
    what = problem(options.model, options.batch, options.samples)
    print(f"{device_name(backend)}\n{what}, float32, {options.burst} steps a burst")
    figures = measure(names, what, options, backend)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def measure(names: list[str], p: Any, options: Any, backend: Any) -> dict[str, Any]:
    """Let the contenders take turns; print a line for each, and return the figures."""
    setting = Setting(1, "cuda", options.same_noise, "cuda")
    steps: dict[str, Callable[[], Any]] = {}
    first: dict[str, float] = {}
    for name in names:
        try:
            step = CONTENDERS[name](p, setting)
            first[name] = float(step())
            for _ in range(30):  # compiles, fills the memory pools
                step()
        except (ImportError, RuntimeError, AssertionError) as error:
            print(f"{name:<19}is left out: {str(error).splitlines()[0]}")
            continue
        steps[name] = step
    synchronize = backend.xp.cuda.Device().synchronize
    ms: dict[str, list[float]] = {name: [] for name in steps}
    last: dict[str, float] = {}
    for _ in range(options.bursts):
        for name, step in steps.items():
            synchronize()
            started = time.perf_counter()
            for _ in range(options.burst):
                loss = step()
            synchronize()
            ms[name].append(1e3 * (time.perf_counter() - started) / options.burst)
            last[name] = float(loss)
    own = statistics.median(ms["minivae"]) if "minivae" in ms else None
    print(f"{'ms a step':<19}{'median':>9}{'quartiles':>17}{'/ minivae':>11}{'loss':>10}")
    for name, spent in ms.items():
        low, median, high = statistics.quantiles(spent, n=4)
        ratio = f"{median / own:>11.2f}" if own else " " * 11
        print(f"{name:<19}{median:>9.3f}{low:>9.3f}-{high:<7.3f}{ratio}{last[name]:>10.2f}")
    if options.same_noise and len(first) > 1:
        for what, losses in (("first", first.values()), ("last", last.values())):
            print(
                f"losses of the {what} step differ by {max(losses) / min(losses) - 1:.1e} at most"
            )
    return {
        "device": device_name(backend),
        "problem": str(p),
        "ms": ms,
        "first": first,
        "last": last,
    }


if __name__ == "__main__":
    sys.exit(main())
