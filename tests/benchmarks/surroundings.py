"""Steps with as many threads as there are, beside one thread, where cores are scarce.

    python tests/benchmarks/surroundings.py

On all cores, beside one other program that computes, two trainings at once, bound to one core, and,
where this user may make a control group (Linux, as root), under a quota of one and of one and a
half cores. The team must not be slower than one thread by more than a tenth. Then what a process
uses that stays open after a training: it must be asleep within 50 ms, and use less than 1 % of a
core. On a busy machine measure again.
"""

import contextlib
import os
import statistics
import subprocess
import sys
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
BUSY = "while True: pass"

STEPS = """
import time
import numpy as np
from minivae.models import VAE
rng = np.random.default_rng(0)
model = VAE(784, (400,), 20, rng=rng, backend="numba")
x = (rng.random((128, 784)) < 0.5).astype("float32")
eps = rng.standard_normal((128, 20)).astype("float32")
for _ in range(50):
    model.step(x, eps)
began = time.perf_counter()
for _ in range(200):
    model.step(x, eps)
print((time.perf_counter() - began) / 200 * 1e3)
"""

ASLEEP = """
used, since = time.process_time(), time.perf_counter()
time.sleep(0.05)
soon = time.process_time()
time.sleep(10)
print(1e3 * (soon - used), 100 * (time.process_time() - soon) / 10)
"""


def start(threads, prepare, code=STEPS):
    """Start a process of its own that `prepare` is called in first."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", code]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, preexec_fn=prepare
    )


def milliseconds(threads, prepare, at_once=1):
    """Of a step, in so many processes at once; their mean."""
    running = [start(threads, prepare) for _ in range(at_once)]
    told = [process.communicate()[0] for process in running]
    return sum(map(float, told)) / at_once


@contextlib.contextmanager
def beside_another():
    """Give nothing to prepare, while another program computes on any core that it gets."""
    other = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield None
    finally:
        other.kill()
        other.wait()


@contextlib.contextmanager
def quota(cores):
    """Give what puts a process into a control group that may use so many cores."""
    old = (GROUPS / "cpu").is_dir()
    group = (GROUPS / "cpu" if old else GROUPS) / f"minivae-{os.getpid()}"
    group.mkdir()
    try:
        if old:
            (group / "cpu.cfs_quota_us").write_text(str(round(cores * 100_000)))
        else:
            (group / "cpu.max").write_text(f"{round(cores * 100_000)} 100000")
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        group.rmdir()


def main():
    """Measure, the two taking turns, and print a table."""
    one_core = contextlib.nullcontext(lambda: os.sched_setaffinity(0, {0}))
    places = {"all cores": contextlib.nullcontext(None), "beside another": beside_another()}
    places |= {"two at once": contextlib.nullcontext(None), "one core": one_core}
    places |= {f"a quota of {cores} cores": quota(cores) for cores in (1, 1.5)}
    threads, slow = max(2, len(os.sched_getaffinity(0))), False
    print(f"ms a step, 784-400-20, batch 128; load {os.getloadavg()[0]:.1f}")
    for name, place in places.items():
        at_once = 2 if name == "two at once" else 1
        try:
            with place as prepare:
                pairs = [
                    [milliseconds(n, prepare, at_once) for n in (1, threads)] for _ in range(3)
                ]
        except (OSError, ValueError) as error:
            print(f"{name:22} cannot be had here: {error}")
            continue
        alone, team = map(statistics.median, zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        slow |= ratio > 1.1
        print(f"{name:22} one thread {alone:6.2f}, {threads} threads {team:6.2f}: {ratio:.2f}")
    told = start(threads, None, STEPS + ASLEEP).communicate()[0].split()[1:]
    soon, later = map(float, told)
    slow |= later >= 1
    print(f"after a training       {soon:.1f} ms of a core in the first 50, then {later:.2f} %")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
