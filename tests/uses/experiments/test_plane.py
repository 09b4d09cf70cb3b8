"""Small runs of `modes` and `stability`: what they write, that seeds repeat them, what they say."""

import math

import numpy as np
import pytest
from matplotlib.image import imread

from minivae.errors import NonFiniteError
from minivae.uses.experiments import modes, stability
from minivae.uses.experiments.mixtures import ring

pytestmark = pytest.mark.slow


@pytest.fixture
def small(monkeypatch):
    """Trainings of 2 epochs on 300 points."""
    for module, name, value in (
        (modes.measure, "epochs", 2),
        (modes.measure, "points", 300),
        (stability.measure, "epochs", 10),
        (stability.measure, "points", 300),
        (stability.measure, "rates", (1e-3, 1e-2)),
    ):
        monkeypatch.setitem(module.__kwdefaults__, name, value)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("module", [modes, stability])
def test_a_small_run_writes_what_it_says_and_repeats(module, small, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    summary = module.run(tmp_path / "a", seeds=2, progress=False)
    assert module.run(tmp_path / "b", seeds=2, progress=False) == summary
    written = files(tmp_path / "a")
    assert written == files(tmp_path / "b")
    assert set(summary["pictures"]) == {name for name in written if name.endswith(".png")}
    for name in summary["pictures"]:
        assert imread(tmp_path / "a" / name).shape[1] > 700
    for title, header, table in summary["tables"]:
        assert title
        assert {len(row) for row in table} == {len(header)}
    assert "confirmed" in summary["text"]


def test_modes_has_a_row_for_each_model_and_seed(small):
    found, pictured = modes.measure([ring()], 3, progress=False)
    assert [(r["seed"], r["model"]) for r in found] == [
        (seed, model) for seed in range(3) for model in ("VAE", "VAE, means", "GAN")
    ]
    assert {x.shape for x in pictured.values()} == {(2500, 2)}
    counts = [r["modes"] for r in found if r["model"] == "GAN"]
    _, _, table = modes.table(ring(), found)
    (row,) = [row for row in table if row[0] == "GAN"]
    assert row[1] == f"{np.mean(counts):.1f} ± {np.std(counts, ddof=1):.1f}"


def test_the_ring_is_learned_in_a_few_seconds():
    x = ring().draw(2000, np.random.default_rng(0))
    model = modes.learn("vae", x, lr=3e-3, epochs=100, seed=0)
    found, quality = ring().coverage(modes.host_samples(model, 2500, 0, draw=True))
    assert found >= 6
    assert quality > 0.02


def record(model, lr, seed, count, quality=0.5):
    r = {"model": model, "lr": lr, "seed": seed, "modes": count}
    return {**r, "quality": quality, "distance": 0.1}


def records(vae, gan):
    """Records at two rates and two seeds, from modes[rate][seed] of either model."""
    found = []
    for name, counts in (("VAE", vae), ("VAE, no warm-up", vae), ("GAN", gan)):
        for lr, row in zip((1e-3, 1e-2), counts, strict=True):
            found += [record(name, lr, seed, c) for seed, c in enumerate(row)]
    return found


def test_spreads_are_standard_deviations():
    found = records([[8, 8], [8, 8]], [[2, 4], [7, 7]])
    assert stability.spreads(found, "VAE", "modes") == (0, 0)
    over_seeds, over_rates = stability.spreads(found, "GAN", "modes")
    assert over_seeds == pytest.approx(math.sqrt((2 + 0) / 2))
    assert over_rates == pytest.approx(np.std([3, 7], ddof=1))


def test_the_text_follows_the_numbers():
    claim = "The VAE is the more stable in modes covered over seeds"
    steady, shaky = [[8, 8], [8, 8]], [[2, 6], [3, 8]]
    assert f"{claim}: confirmed" in stability.text(records(steady, shaky))
    assert f"{claim}: refuted" in stability.text(records(shaky, steady))
    assert f"{claim}: not confirmed" in stability.text(records(shaky, shaky))
    assert "VAE 4 of 4" in stability.text(records(steady, shaky))
    assert "one seed" in stability.text([r for r in records(steady, shaky) if r["seed"] == 0])


def test_a_training_that_ends_in_nan_covers_nothing(small, monkeypatch):
    def fail(*_, **options):
        raise NonFiniteError("the loss is nan.")

    monkeypatch.setattr(stability, "learn", fail)
    found, course = stability.measure(ring(), 1, progress=False)
    assert {(r["modes"], r["quality"]) for r in found} == {(0, 0.0)}
    assert all(math.isnan(r["distance"]) for r in found)
    assert course == []
