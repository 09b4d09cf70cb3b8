"""`minivae bench`: measure the kernels and the training step on this machine."""

import argparse
from pathlib import Path

import numpy as np

from ...engine.backend import get_backend
from ...errors import OptionError
from ..numbers import whole
from ..options import add_shared

EPILOG = """\
examples:
  minivae bench                        784-400-20 at batch 128, and a bar chart
  minivae bench --batch 32 --seconds 1
  OPENBLAS_NUM_THREADS=1 minivae bench steadier: the matrix products on one thread
  mpiexec -n 2 minivae bench --mpi     what several processes would bring, from 2 to 64
  minivae bench --threads 1,2,4        one step with so many threads each, and nothing else
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    count = {"type": whole, "metavar": "N"}
    parser.add_argument("--batch", help="examples in a step (default: 128)", default=128, **count)
    hidden = "widths of the hidden layers (default: 400)"
    parser.add_argument("--hidden", help=hidden, nargs="+", default=[400], **count)
    parser.add_argument("--latent", help="latent dimensions (default: 20)", default=20, **count)
    seconds = "time to spend on each thing that is measured (default: 0.2)"
    parser.add_argument("--seconds", help=seconds, type=float, default=0.2, metavar="X")
    threads = "measure one step with each of these numbers of threads, such as 1,2,4, alone"
    parser.add_argument("--threads", help=threads, type=several, metavar="N,N,...")
    mpi = "measure the call between the processes that were started, and what more would bring"
    parser.add_argument("--mpi", action="store_true", help=mpi)
    out = "a new .png file for the bar chart (default: runs/bench-<number>.png)"
    parser.add_argument("--out", help=out, metavar="FILE")
    add_shared(parser, "quiet", "json")


def run(options: argparse.Namespace) -> int:
    """Measure, print the table, draw the bars."""
    from ...show import bench, canvas

    widths = [options.batch, options.latent, *options.hidden]
    if min(widths) < 1 or not 0 < options.seconds < 3600:
        raise OptionError(
            f"--batch {options.batch}, --hidden {' '.join(map(str, options.hidden))}, --latent "
            f"{options.latent} and --seconds {options.seconds:g} were given; sizes must be at "
            "least 1, and seconds above 0 and below 3600."
        )
    if options.mpi:
        return by_processes(options)
    if options.threads:
        return by_threads(options)
    path, say = output(options.out), options.voice.say
    say(f"float32, batch {options.batch}, NumPy {np.__version__}, {bench.threads()}")
    if get_backend("auto").name == "numpy":
        say("Numba is not installed, so there are no kernels: `pip install numba`")
    sizes = {"B": options.batch, "D": 784, "I": 784, "O": options.hidden[0]}
    sizes |= {"Z": options.latent, "K": 50, "L": 4}
    say(f"\n{'forward and backward, ms':<36}{'reference':>10}{'kernel':>10}{'ratio':>8}")
    rows = bench.operations(sizes, budget=options.seconds)
    for row in rows:
        reference, kernel = row.seconds["reference"], row.seconds.get("kernel")
        text = f"{row.name:<36}{1e3 * reference:>10.3f}"
        say(text if kernel is None else f"{text}{1e3 * kernel:>10.3f}{reference / kernel:>8.2f}")

    step = bench.training_step(
        hidden=tuple(options.hidden),
        latent=options.latent,
        batch=options.batch,
        budget=5 * options.seconds,
    )
    say(f"\n{'one training step, ' + step.name:<46}{'ms':>10}{'ratio':>8}")
    floor = step.seconds["products"]
    for name, seconds in step.seconds.items():
        what = "its matrix products alone" if name == "products" else f"on the backend {name!r}"
        say(f"{what:<46}{1e3 * seconds:>10.3f}{seconds / floor:>8.2f}")
    canvas.save(bench.draw(rows, step), path)
    if step.disturbed:
        options.voice.note(f"busy: {step.disturbed}; close other programs and measure again")
    options.voice.tell(busy=step.disturbed)
    options.voice.tell(operations={row.name: row.seconds for row in rows}, step=step.seconds)
    say()
    options.voice.wrote(path)
    return 0


def several(text: str) -> list[int]:
    """Whole numbers of at least 1 between commas."""
    numbers = [whole(word) for word in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} was given; give numbers of at least 1: 1,2,4")
    return numbers


def by_threads(options: argparse.Namespace) -> int:
    """Measure a step with several numbers of threads, and print the table."""
    from ...engine.available import free_cores
    from ...show.curve import curve

    say = options.voice.say
    sizes = {"hidden": tuple(options.hidden), "latent": options.latent, "batch": options.batch}
    row = curve(options.threads, **sizes, budget=5 * options.seconds)
    say(f"{'threads':>7}{'ms a step':>12}{'times as fast':>16}")
    first = next(iter(row.seconds.values()))
    for threads, seconds in row.seconds.items():
        say(f"{threads:>7}{1e3 * seconds:>12.3f}{first / seconds:>16.2f}")
    cores = free_cores()
    if max(options.threads) > cores:
        options.voice.note(f"cores: this process has {cores}, and no more threads than that share")
    if row.disturbed:
        options.voice.note(f"busy: {row.disturbed}; close other programs and measure again")
    options.voice.tell(busy=row.disturbed, threads=row.seconds)
    return 0


def by_processes(options: argparse.Namespace) -> int:
    """Measure a step and the call between processes, and print what more of them would bring."""
    from ...show.scaling import measure, table
    from ...train.launch import ending_all, join
    from ..failures import said

    crew = join()
    if crew.size == 1:
        raise OptionError(
            "--mpi measures between processes, but this is one alone; start it as several: "
            "mpiexec -n 2 minivae bench --mpi."
        )
    sizes = {"hidden": tuple(options.hidden), "latent": options.latent, "batch": options.batch}
    with ending_all(crew, said):
        found = measure(crew, **sizes, budget=options.seconds)
        if not crew.leads:
            options.json = options.voice.as_json = False
            return 0
    say, rows = options.voice.say, table(found, crew.size, options.batch)
    numbers, step = found["bytes"] // 4, found["step"][options.batch]
    say(f"measured here, {crew.size} processes: a step of {options.batch} {1e3 * step:.3f} ms,")
    say(f"Allreduce of 1 number {1e6 * found['small']:.1f} microseconds,")
    say(f"Allreduce of {numbers:,} float32 {1e3 * found['large']:.3f} ms")
    say("\na model, not a measurement: strong (the same minibatch), weak (as many examples each)")
    titles = {"allreduce": 12, "strong, ms": 12, "times": 8, "weak, ms": 12, "times ": 8}
    say(f"{'processes':>9}" + "".join(f"{title.strip():>{n}}" for title, n in titles.items()))
    for row in rows:
        say(
            f"{row['processes']:>9}{1e3 * row['allreduce']:>12.3f}{1e3 * row['strong']:>12.3f}"
            f"{row['strong_times']:>8.2f}{1e3 * row['weak']:>12.3f}{row['weak_times']:>8.2f}"
        )
    options.voice.tell(processes=crew.size, measured=found, model=rows)
    return 0


def output(out: str | None) -> Path:
    """Where to draw: `out`, or the first free `runs/bench-<number>.png`.

    Raises
    ------
    OptionError
        If `out` exists, or is no PNG.
    """
    from ...files import new_file
    from ...train.runs import place

    return place("bench", ".png") if out is None else new_file(out, ".png")
