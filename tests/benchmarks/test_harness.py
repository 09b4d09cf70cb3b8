"""The harness itself: what it compares is the same model, and what fails says so."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = str(Path(__file__).parent)


@pytest.fixture
def harness(monkeypatch):
    """The harness's modules, found as its scripts find them."""
    monkeypatch.syspath_prepend(FOLDER)
    names = ("problems", "contenders", "convolutions", "bursts")
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        del sys.modules[name]


@pytest.mark.parametrize("model", ["mlp", "iwae"])
def test_contenders_start_from_the_same_weights_and_see_the_same_data(harness, model):
    p = harness["problems"].problem(model, 8, 3)
    contenders, setting = harness["contenders"].CONTENDERS, harness["contenders"].Setting(1)
    ours, reference = (contenders[name](p, setting) for name in ("minivae", "minivae-numpy"))
    losses = [(float(ours()), float(reference())) for _ in range(5)]
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-4)
    assert losses[-1][1] < losses[0][1]


@pytest.mark.oracle
@pytest.mark.parametrize("model", ["mlp", "iwae"])
def test_pytorch_computes_the_same_model(harness, model):
    pytest.importorskip("torch")
    p = harness["problems"].problem(model, 64, 5)
    contenders = harness["contenders"].CONTENDERS
    setting = harness["contenders"].Setting(1, same_noise=True)
    ours, theirs = (contenders[name](p, setting) for name in ("minivae", "torch"))
    for _ in range(5):
        assert float(ours()) == pytest.approx(float(theirs()), rel=1e-4)


def test_the_convolutions_are_the_same_model_for_all(harness):
    pytest.importorskip("torch")
    convolutions, setting = (harness[name] for name in ("convolutions", "contenders"))
    p, setting = convolutions.ConvProblem(8), setting.Setting(1, same_noise=True)
    made = {
        name: convolutions.CONTENDERS[name](p, setting)
        for name in ("minivae", "minivae-numpy", "torch", "torch-last")
    }
    for _ in range(3):
        losses = {name: float(step()) for name, step in made.items()}
        assert max(losses.values()) == pytest.approx(min(losses.values()), rel=1e-4), losses
    assert convolutions.products(p, setting)() == 0


def test_workers_take_turns_and_a_failure_is_told(harness):
    step = str(Path(FOLDER) / "step.py")
    arguments = ["--model", "mlp", "--batch", "4", "--threads", "1"]
    commands = {
        "minivae-numpy": [sys.executable, step, *arguments, "--worker", "minivae-numpy"],
        "broken": [sys.executable, "-c", "raise ValueError('no such luck')"],
        "unknown": [sys.executable, step, *arguments, "--worker", "nobody"],
    }
    workers = harness["bursts"].compare(commands, steps=4, burst=2, threads=1)
    assert len(workers["minivae-numpy"].ms) >= 4
    assert np.isfinite(workers["minivae-numpy"].losses).all()
    told = "it ended with exit status 1: ValueError: no such luck"
    assert workers["broken"].error == told
    assert workers["unknown"].error == "KeyError: 'nobody'"


@pytest.mark.parametrize("model", ["mlp", "iwae"])
def test_on_a_gpu_the_same_model_is_measured(harness, cuda_backend, model):
    p = harness["problems"].problem(model, 8, 3)
    minivae = harness["contenders"].CONTENDERS["minivae"]
    setting = harness["contenders"].Setting
    losses = [
        [float(step()) for _ in range(5)]
        for step in (minivae(p, setting(1, name, same_noise=True)) for name in ("cuda", "numpy"))
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_without_a_gpu_nothing_is_measured(harness, monkeypatch, capsys):
    from minivae.engine import backend

    monkeypatch.delitem(backend._BACKENDS, "cuda", raising=False)
    monkeypatch.setitem(sys.modules, "cupy", None)
    device = importlib.import_module("device")
    assert device.main(["--bursts", "2"]) == 2
    told = capsys.readouterr().out
    assert told.startswith("nothing was measured: the backend 'cuda' needs CuPy")
    assert told.count("\n") == 1
