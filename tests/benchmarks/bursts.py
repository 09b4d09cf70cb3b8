"""Timing processes that take turns.

Each contender is a process of its own, for two libraries in one process would share thread pools
and memory. The processes stay alive and step in short bursts, one after the other, so that what
else happens on the machine hits them alike. A burst during which other processes used more than a
seventh of a core is taken again, until patience ends; then the row is called noisy.

A worker reads lines on standard input: a number n asks for n steps; it answers with a line of JSON,
their milliseconds and the mean loss.
"""

import json
import os
import platform
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

THREAD_VARIABLES = ("OMP", "OPENBLAS", "MKL", "NUMBA")
FOREIGN, PATIENCE, WARM_UP = 0.15, 5, 30


def environment(threads: int) -> dict[str, str]:
    """Environment in which every library uses this many threads."""
    counts = {f"{name}_NUM_THREADS": str(threads) for name in THREAD_VARIABLES}
    root = str(Path(__file__).parents[2])
    return {**os.environ, **counts, "JAX_PLATFORMS": "cpu", "PYTHONPATH": root}


def pin(threads: int) -> None:
    """Keep this process on that many cores: XLA knows no other limit."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def serve(step: Any) -> None:
    """Be a worker."""
    started = time.perf_counter()
    step()
    first = time.perf_counter() - started
    for _ in range(WARM_UP):
        step()
    print(json.dumps({"first_step_s": first}), flush=True)
    clock = time.perf_counter
    for line in sys.stdin:
        ms, losses = [], []
        for _ in range(int(line)):
            started = clock()
            losses.append(step())
            ms.append(1e3 * (clock() - started))
        loss = sum(map(float, losses)) / len(losses)
        print(json.dumps({"ms": ms, "loss": loss}), flush=True)


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
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(threads),
        )
        self.ms: list[float] = []
        self.spare: list[list[float]] = []
        self.losses: list[float] = []
        self.error = ""
        self.noisy = False
        self._read()

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if line.startswith("{"):
            return json.loads(line)
        _, told = self.process.communicate()
        self.error = (told.strip().splitlines() or ["it ended without a word"])[-1]
        return {}

    def burst(self, steps: int) -> None:
        """Take one burst; two steps before it fill the caches again and are not counted."""
        time.sleep(0.02)  # the threads of the one before go to sleep
        before = busy(), busy(self.process.pid), time.perf_counter()
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
        if not self.error:
            self.process.communicate()


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
    workers = {name: Worker(command, threads) for name, command in commands.items()}
    rounds = -(-steps // burst)
    try:
        for turn in range(rounds * PATIENCE):
            waiting = [w for w in workers.values() if not w.error and len(w.ms) < steps]
            if not waiting:
                break
            # In the first rounds all step, so that their losses are those of equal step counts.
            for worker in workers.values() if turn < rounds else waiting:
                if not worker.error:
                    worker.burst(burst)
        for worker in workers.values():
            worker.noisy = len(worker.ms) < steps
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
    for name in ("numpy", "numba", "torch", "jax"):
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)
