"""A full disk, too few open files, too little memory: a sentence, and whole files or none.

The suite starves some commands once of each; `python tests/cli/test_faults.py 20` does 20 times.
"""

import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_interrupted import COMMANDS, listing, start, whole

LIMITS = {
    "a file's size": (resource.RLIMIT_FSIZE, lambda chance: int(10 ** chance.uniform(0, 5))),
    "open files": (resource.RLIMIT_NOFILE, lambda chance: chance.randint(8, 24)),
    "memory": (resource.RLIMIT_AS, lambda chance: int(chance.uniform(0.7, 1.5) * 2**30)),
}
"""What runs out: the system's limit, and how much is left.

With less memory than that, a BLAS that is loaded waits for it for ever, whoever loads it.
"""

ALONE = """
import resource, sys
limit, left = int(sys.argv.pop(1)), int(sys.argv.pop(1))
from minivae.cli.main import main
resource.setrlimit(limit, (left, left))
sys.exit(main(sys.argv[1:]))
"""


GROWING = ("train", "fit")
"""What leaves the folder of its last whole epoch."""


def starve(words, what, left, folder, expected, growing):
    """Run a command with so little left; return what is wrong with how it ended."""
    folder.mkdir()
    process = start([str(LIMITS[what][0]), str(left), *words], folder, ALONE)
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        return "it hangs"
    there = listing(folder)
    if any(".tmp" in name or name.startswith("tmp/") for name in there):
        return f"temporary files: {there}"
    if there not in (expected, ["tmp"]) and not growing:
        return f"half of it: {there}"
    if "Traceback" in err + out:
        return err[-1500:]
    if process.returncode == 0:
        return "" if there == expected else f"exit code 0, with {there}"
    if process.returncode not in (1, 2, 3) or not err.strip():
        return f"exit code {process.returncode}: {err[-500:]}"
    return ""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    process = start(COMMANDS["train"].split(), folder)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return folder / "out"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "sample", "score", "exercises"])
def test_a_starved_command_says_so_and_leaves_nothing_half(name, run, tmp_path):
    words, _, expected = whole(run, name, tmp_path)
    chance = random.Random(name)
    for what, (_, draw) in LIMITS.items():
        left = draw(chance)
        wrong = starve(words, what, left, tmp_path / what, expected, name in GROWING)
        assert not wrong, f"{what}, {left} left: {wrong}"


if __name__ == "__main__":
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as place:
        first = Path(place) / "first"
        first.mkdir()
        assert start(COMMANDS["train"].split(), first).wait() == 0
        for name in sys.argv[2:] or COMMANDS:
            words, _, expected = whole(first / "out", name, place)
            for what, (_, draw) in LIMITS.items():
                failed = 0
                for i in range(tries):
                    left = draw(random)
                    folder = Path(place) / f"{name}-{what}-{i}"
                    wrong = starve(words, what, left, folder, expected, name in GROWING)
                    failed += bool(wrong)
                    if wrong:
                        print(f"{name}, {what}, {left} left: {wrong}")
                print(f"`{name}` short of {what} | {tries} | {failed}", flush=True)
