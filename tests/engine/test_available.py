"""What cannot fit into memory is refused before it is made, in a sentence with sizes."""

import math

import numpy as np
import pytest

from minivae.data.alphabet import PADDING
from minivae.engine import available
from minivae.engine.params import Params
from minivae.errors import OutOfMemoryError
from minivae.models import MODELS, VAE
from minivae.ops import Conv2d
from minivae.train.optim import OPTIMIZERS

GB = 10**9


@pytest.fixture
def files(monkeypatch):
    """The system's files about memory, as a dict from path to text."""
    made = {}
    monkeypatch.setattr(available, "_text", lambda path: made.get(str(path), ""))
    return made


def test_the_least_of_what_is_said_counts(files):
    assert available.free_memory() == math.inf
    files["/proc/meminfo"] = "MemTotal:  9 kB\nMemAvailable:  8000000 kB\n"
    assert available.free_memory() == 8_000_000 * 1024
    files["/proc/self/cgroup"] = "4:memory:/a/b\n0::/job/step\n"
    root = str(available.GROUPS)
    files[f"{root}/job/memory.max"], files[f"{root}/job/memory.current"] = (
        "3000000000",
        "2000000000",
    )
    files[f"{root}/job/memory.stat"] = "anon 7\ninactive_file 500000000\n"
    files[f"{root}/job/step/memory.max"] = "max\n"
    assert available.free_memory() == 1_500_000_000
    old = f"{root}/memory/a/b/memory."
    files[f"{old}limit_in_bytes"], files[f"{old}usage_in_bytes"] = "400000000", "500000000"
    assert available.free_memory() == 0


def test_cores_that_a_quota_leaves(files, monkeypatch):
    monkeypatch.setattr(available.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert available.free_cores() == 8
    files["/proc/self/cgroup"] = "4:cpu,cpuacct:/a\n0::/job\n"
    root = str(available.GROUPS)
    files[f"{root}/cpu.max"], files[f"{root}/job/cpu.max"] = "max 100000\n", "250000 100000\n"
    assert available.free_cores() == 2
    files[f"{root}/cpu,cpuacct/a/cpu.cfs_quota_us"] = "50000\n"
    files[f"{root}/cpu,cpuacct/a/cpu.cfs_period_us"] = "100000\n"
    assert available.free_cores() == 1
    files[f"{root}/cpu,cpuacct/a/cpu.cfs_quota_us"] = "-1\n"
    assert available.free_cores() == 2


def test_here_it_is_some_number_of_bytes():
    assert available.free_memory() > available.SMALL


@pytest.mark.parametrize(
    ("n", "words"),
    [(12, "12 bytes"), (3_210_000_000, "3.21 GB"), (123_456, "123 kB"), (5e15, "5,000 TB")],
)
def test_bytes_in_words(n, words):
    assert available.in_words(n) == words


@pytest.fixture
def little(monkeypatch):
    monkeypatch.setattr(available, "free_memory", lambda: 1 * GB)


def test_parameters_that_cannot_fit(little):
    with pytest.raises(OutOfMemoryError, match=r"W is 100,000 x 20,000\) would take 32 GB .* 1 GB"):
        Params({"W": (100_000, 20_000), "b": (20_000,)}, backend="numpy")
    Params({"W": (1000, 1000)}, backend="numpy")
    with pytest.raises(OutOfMemoryError, match="785,000,000,000,000,000 parameters"):
        VAE(784, hidden=(10**15,), rng=np.random.default_rng(0))
    with pytest.raises(OutOfMemoryError, match="3 x 3 x 9,000 x 9,000"):
        Conv2d(9000, 9000, 3, rng=np.random.default_rng(0))


@pytest.mark.parametrize("kind", MODELS)
def test_models_that_cannot_fit(kind, little):
    labels = {"labels": ["a", "b"]} if "condition" in MODELS[kind].can else {}
    labels |= {"alphabet": (PADDING, "a", "b")} if MODELS[kind].sequential else {}
    with pytest.raises(OutOfMemoryError, match="choose fewer or smaller layers"):
        MODELS[kind](10, hidden=(20_000, 20_000), rng=np.random.default_rng(0), **labels)


def test_moments_that_cannot_fit(monkeypatch):
    params = Params({"W": (3000, 3000)}, backend="numpy")
    monkeypatch.setattr(available, "free_memory", lambda: 70_000_000)
    before = params.theta.copy()
    with pytest.raises(OutOfMemoryError, match="m, v of Adam for 9,000,000 parameters"):
        OPTIMIZERS["adam"]().step(params)
    np.testing.assert_array_equal(params.theta, before)
