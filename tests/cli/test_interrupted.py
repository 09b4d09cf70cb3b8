"""Ctrl-C, SIGTERM and a kill at any moment: a command has written all of its output, or nothing.

The suite tries each command twice; `python tests/cli/test_interrupted.py 20` tries each 20 times.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

RUN = "import sys; from minivae.cli.main import main; sys.exit(main(sys.argv[1:]))"
SMALL = "--data digits8 --limit 60 --hidden 6 --latent 2 --epochs 2 --binarize none --quiet"

COMMANDS = {
    "train": f"train {SMALL} --out out",
    "sample": "sample RUN --n 4 --out out.png",
    "reconstruct": "reconstruct RUN --n 4 --out out.png",
    "explore": "explore RUN --out out",
    "page": "explore RUN --html out.html",
    "fit": "anomaly fit digits8 --out out.npz --epochs 2 --hidden 6 --quiet",
    "score": "anomaly score RUN digits8 --out out.csv --quiet",
    "step": "step --out out.html",
    "read": "read --out out",
    "bench": "bench --batch 3 --hidden 4 --latent 2 --seconds 0.01",
    "exercises": "exercises new out",
    "solved": "exercises solutions out --gradescope",
}


def start(words, folder, program=RUN):
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def whole(run, name, place):
    """The command's words, how long it takes, and all that it writes; None if it is not there."""
    words = [str(run) if word == "RUN" else word for word in COMMANDS[name].split()]
    folder = Path(place) / f"{name}-whole"
    folder.mkdir()
    began = time.perf_counter()
    process = start(words, folder)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return words, time.perf_counter() - began, listing(folder)


def interrupt(words, number, delay, folder, expected, growing):
    """Interrupt a command after a while; return what is wrong with what it left."""
    folder.mkdir()
    process = start(words, folder)
    time.sleep(delay)
    process.send_signal(number)
    _, err = process.communicate()
    left = listing(folder)
    if number == signal.SIGKILL:  # nobody clears up; but what has its name is whole
        temporary = [name for name in left if ".tmp" in name or name.startswith("tmp/")]
        left = [name for name in left if not name.startswith(tuple(temporary or ["/"]))]
    if any(".tmp" in name or name.startswith("tmp/") for name in left):
        return f"temporary files: {left}"
    if left not in (expected, ["tmp"]) and not growing:
        return f"half of it: {left}"
    if "Traceback" in err and "minivae/cli" in err and not growing:
        return err[-500:]
    # Before Python's own handlers are there, the system or Python ends the process.
    if process.returncode not in (0, 128 + number, -number, 1):
        return f"exit code {process.returncode}"
    return ""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    process = start([*COMMANDS["train"].split()], folder)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return folder / "out"


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_writes_all_or_nothing(name, run, tmp_path):
    words, seconds, expected = whole(run, name, tmp_path)
    chance = random.Random(name)
    for number in (signal.SIGINT, signal.SIGTERM):
        delay = chance.uniform(0.5, 1.05) * seconds
        # A training leaves the folder of its last whole epoch, and says how to go on.
        growing = name in ("train", "fit")
        folder = tmp_path / f"{name}-{number.name}"
        wrong = interrupt(words, number, delay, folder, expected, growing)
        assert not wrong, f"{number.name} after {delay:.2f} of {seconds:.2f} s: {wrong}"


if __name__ == "__main__":
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as place:
        first = Path(place) / "first"
        first.mkdir()
        assert start(COMMANDS["train"].split(), first).wait() == 0
        for name in sys.argv[2:] or COMMANDS:
            words, seconds, expected = whole(first / "out", name, place)
            failed = dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGKILL), 0)
            for i in range(tries):
                number = list(failed)[i % 3]
                delay = random.uniform(0.3, 1.05) * seconds
                folder = Path(place) / f"{name}-{i}"
                growing = name in ("train", "fit")
                wrong = interrupt(words, number, delay, folder, expected, growing)
                failed[number] += bool(wrong)
                if wrong:
                    print(f"{name}, {number.name} after {delay:.2f} of {seconds:.2f} s: {wrong}")
            for i, number in enumerate(failed):
                n = len(range(i, tries, 3))
                print(f"{number.name} to `{name}` | {n} | {failed[number]}", flush=True)
