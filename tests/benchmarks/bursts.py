"""Timing processes that take turns.

Each contender is a process of its own, for two libraries in one process would share thread pools
and memory. The processes stay alive and step in short bursts, one after the other, so that what
else happens on the machine hits them alike. A burst during which other processes used more than
`FOREIGN` of a core is taken again, until `PATIENCE` times the wanted bursts are spent; then the
fastest of the disturbed bursts count too, and the contender is called noisy.

A worker writes a line of JSON when it is ready, with the loss of its first step. Then it reads
lines: a number n asks for n steps, and it answers with another, their milliseconds and mean loss.
A worker that fails writes a line with the reason.

This module needs the standard library alone, so that `epoch.py` stays small: the peak memory that
the system reports for a process is never below what its parent had when it started it.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

THREAD_VARIABLES = ("OMP", "OPENBLAS", "MKL", "NUMBA")
LEFT_OUT = ("PYTHONDONTWRITEBYTECODE", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Not handed on: no library is kept from writing its cache, and each chooses what suits this
processor; to make OpenBLAS take it for another would slow NumPy's products alone."""
FOREIGN, PATIENCE, WARM_UP = 0.15, 5, 30


def environment(threads: int) -> dict[str, str]:
    """Environment in which every library uses this many threads."""
    counts = {f"{name}_NUM_THREADS": str(threads) for name in THREAD_VARIABLES}
    root = str(Path(__file__).parents[2])
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    return {**kept, **counts, "JAX_PLATFORMS": "cpu", "PYTHONPATH": root}


def pin(threads: int) -> None:
    """Keep this process on that many cores: XLA knows no other limit."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def serve(make: Callable[[], Callable[[], Any]]) -> None:
    """Be a worker: time what `make` returns, a function that takes a step and returns its loss."""
    clock = time.perf_counter
    try:
        step = make()
        first_loss = float(step())
        for _ in range(WARM_UP):
            step()
        print(json.dumps({"first_loss": first_loss}), flush=True)
        for line in sys.stdin:
            ms, losses = [], []
            for _ in range(int(line)):
                started = clock()
                losses.append(step())
                ms.append(1e3 * (clock() - started))
            loss = sum(map(float, losses)) / len(losses)
            print(json.dumps({"ms": ms, "loss": loss}), flush=True)
    except Exception as error:
        said = str(error).strip().splitlines()
        print(json.dumps({"error": ": ".join([type(error).__name__, *said[:1]])}), flush=True)


class Worker:
    """A contender's process.

    Parameters
    ----------
    command : list of str
        What to start.
    threads : int
        Its threads.
    """

    def __init__(self, command: list[str], threads: int) -> None:
        # A pipe that nobody reads would fill up with warnings, and the worker would wait for ever.
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            env=environment(threads),
        )
        self.ms: list[float] = []
        self.spare: list[list[float]] = []
        self.losses: list[float] = []
        self.error = ""
        self.noisy = False
        self.first_loss = self._read().get("first_loss")

    def _read(self) -> dict[str, Any]:
        for line in self.process.stdout:
            if line.startswith("{"):  # and is not what a library prints
                answer = json.loads(line)
                self.error = answer.get("error", "")
                return answer
        code = self.process.wait()
        self.said.seek(0)
        last = (self.said.read().strip().splitlines() or ["without a word"])[-1]
        self.error = f"it ended with exit status {code}: {last}"
        return {}

    def burst(self, steps: int) -> None:
        """Take one burst; two steps before it fill the caches again and are not counted."""
        time.sleep(0.25)  # the threads of the one before keep their cores for up to 0.2 s
        before = busy(), busy(self.process.pid), time.perf_counter()
        with suppress(BrokenPipeError):  # `_read` tells why it is gone
            self.process.stdin.write(f"{steps + 2}\n")
            self.process.stdin.flush()
        answer = self._read()
        if self.error:
            return
        wall = time.perf_counter() - before[2]
        others = (busy() - before[0]) - (busy(self.process.pid) - before[1])
        self.losses.append(answer["loss"])
        if others > FOREIGN * wall + 0.01:
            self.spare.append(answer["ms"][2:])
        else:
            self.ms += answer["ms"][2:]

    def close(self) -> None:
        """End the process; it stops when it has nothing more to read."""
        with suppress(BrokenPipeError):
            self.process.communicate()
        self.said.close()


def busy(pid: int | None = None) -> float:
    """CPU seconds so far of a process, or of the machine; 0 where /proc does not tell."""
    path = Path("/proc/stat" if pid is None else f"/proc/{pid}/stat")
    try:
        text = path.read_text()
    except OSError:
        return 0.0
    if pid is None:
        numbers = [int(word) for word in text.splitlines()[0].split()[1:9]]
        ticks = sum(numbers) - numbers[3] - numbers[4]
    else:
        words = text.rpartition(")")[2].split()
        ticks = int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def compare(commands: dict[str, list[str]], *, steps: int, burst: int, threads: int) -> dict:
    """Run the workers in turns until each has `steps` steps in quiet bursts.

    Returns
    -------
    dict of str to Worker
        With `ms`, `losses`, `error` and `noisy`.
    """
    workers: dict[str, Worker] = {}
    rounds = -(-steps // burst)
    try:
        for name, command in commands.items():
            workers[name] = Worker(command, threads)
        for turn in range(rounds * PATIENCE):
            waiting = [w for w in workers.values() if not w.error and len(w.ms) < steps]
            if not waiting:
                break
            # In the first rounds all step, so that their losses are those of equal step counts.
            for worker in workers.values() if turn < rounds else waiting:
                if not worker.error:
                    worker.burst(burst)
        for worker in workers.values():
            worker.noisy = not worker.error and len(worker.ms) < steps
            for ms in sorted(worker.spare, key=sum):
                if len(worker.ms) < steps:
                    worker.ms += ms
            worker.losses = worker.losses[:rounds]
    finally:
        for worker in workers.values():
            worker.close()
    return workers


def processor() -> str:
    """Name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions() -> str:
    """Versions of what is measured, as far as it is installed."""
    found = [f"Python {platform.python_version()}"]
    for name in ("numpy", "numba", "torch", "jax", "optax"):
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)
