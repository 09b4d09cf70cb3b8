"""What `pytest`, `pytest -m gpu` and MINIVAE_REQUIRE_GPU mean where there is no GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TABLE = "tests/gpu/test_conformance.py"


def run(*options, **environment):
    """Run one row of the conformance table in a process that sees no GPU."""

    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MINIVAE_R", "PYTEST"))}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-n0",
            "-rsE",
            TABLE,
            "-k",
            "none.sum",
            *options,
        ],
        cwd=ROOT,
        env=kept | {"CUDA_VISIBLE_DEVICES": "-1"} | environment,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout


def test_without_the_marker_nothing_is_skipped():
    status, told = run(MINIVAE_REQUIRE_ALL="1")
    assert status == 0, told
    assert "2 passed" in told
    assert "skipped" not in told
    assert "cuda: a stand-in on the CPU" in told


@pytest.mark.parametrize("option", [("-m", "gpu"), ("-m", "gpu and not oracle")])
def test_with_the_marker_the_reason_is_told(option):
    status, told = run(*option)
    assert status == 0, told
    assert "2 skipped" in told
    assert "passed" not in told
    (header,) = (line for line in told.splitlines() if line.startswith("cuda: "))
    reason = header.removeprefix("cuda: ")
    assert told.count(reason) >= 2
    assert reason.endswith(".")


def test_if_a_gpu_is_required_its_absence_is_a_failure():
    for options in (("-m", "gpu"), ()):
        status, told = run(*options, MINIVAE_REQUIRE_GPU="1")
        assert status == 1, told
        assert "MINIVAE_REQUIRE_GPU is set, but the backend 'cuda'" in told
        assert "skipped" not in told
