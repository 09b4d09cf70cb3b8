"""The page `tutorials/own-model.md` runs as it stands: one file of under 100 lines, and no edit."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "tutorials" / "own-model.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
WRONG = """
import mine
from minivae.check import check_gradients
from minivae.engine import Case

half = lambda dy, h, r, gain: (gain * dy / r, (dy * h).sum(axis=0))
axes = {"x": ("B", "D"), "gain": ("D",)}
print(check_gradients(Case("rms_norm", mine.forward, half, vary=axes)))
"""
SAME = """
import numpy as np
from mine import RMSNorm
from minivae.engine.layer import Sequential

rng = np.random.default_rng(0)
x, dy = rng.standard_normal((2, 9, 13)).astype("float32")
there = {}
for backend in ("numpy", "numba"):
    layer = RMSNorm(13, backend=backend)
    y, dx = layer.forward(x), layer.backward(dy)
    there[backend] = [y, dx, layer.params.grad.copy()]
for a, b in zip(*there.values()):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
"""


@pytest.fixture
def run(tmp_path):
    """`run("train", ...)` runs the page's code as a file of that name; it must succeed."""
    (tmp_path / "mine.py").write_text("\n\n".join(BLOCKS))

    def run(*words, code=None):
        what = ["mine.py"] if code is None else ["-c", code]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *what, *map(str, words)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_it_is_under_100_lines():
    lines = [line for block in BLOCKS for line in block.splitlines() if line.strip()]
    assert 50 < len(lines) < 100


def test_the_vae_that_uses_the_layer_learns(run):
    losses = json.loads(run().removeprefix("val loss "))
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 30


def test_the_kernel_is_the_reference_in_the_layer_too(run):
    run(code=SAME)


def test_the_doctor_names_what_is_missing(run):
    out = run(code=WRONG)
    assert "rms_norm: WRONG" in out
    assert re.search(r"dx .*wrong", out)
    assert "is missing" in out


def test_the_commands_take_the_model_as_it_is(run, tmp_path):
    assert "--cost X" in run("train", "--help")
    small = ("--hidden", 8, "--latent", 2, "--limit", 60, "--batch", 20, "--epochs", 2)
    out = run("train", "digits8", "--model", "frugal", "--cost", 0.2, *small, "--out", "a")
    assert "cost of z" in out
    assert "reconstruction, and cost of the codes" in out
    run("train", "--resume", "a", "--epochs", 3, "--quiet")
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    assert config["model"]["kind"] == "frugal"
    assert config["model"]["cost"] == 0.2
    run("sample", "a", "--n", 4, "--out", "x.npz")
    assert np.load(tmp_path / "x.npz")["x"].shape == (4, 8, 8)
    run("reconstruct", "a", "--n", 4)
    assert "cost_of_z" in run("evaluate", "a")
    run("explore", "a", "--out", "walks", "--steps", 2)
    assert run("step", "--model", "frugal", "--all").startswith("A frugal autoencoder of widths")


def test_its_gradient_is_checked_with_all_the_others(run):
    lines = [line for line in run("check").splitlines() if line.startswith("Frugal(")]
    assert len(lines) == 4  # dense, and convolutional without and with normalisation
    assert all(" right " in line for line in lines)
