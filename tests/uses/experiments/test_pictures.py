"""`digits` and `autoencoder` on 8 x 8 digits: what they measure, write and say."""

import numpy as np
import pytest
from matplotlib.image import imread

from minivae import data as datasets
from minivae.uses.experiments import autoencoder, digits
from minivae.uses.quality.judge import Judge

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def eight():
    data = datasets.load("digits8", limit=400)
    return data, Judge.train(data, hidden=(32, 16), epochs=5)


@pytest.fixture
def small(monkeypatch, eight):
    """Trainings of 1 epoch on small digits, in the place of the real ones."""
    data, judge = eight
    for module in (digits, autoencoder):
        monkeypatch.setattr(module.datasets, "load", lambda name: data)
        monkeypatch.setattr(module.Judge, "train", classmethod(lambda cls, given: judge))
        monkeypatch.setitem(module.measure.__kwdefaults__, "epochs", 1)
        monkeypatch.setitem(module.measure.__kwdefaults__, "hidden", (16,))


@pytest.mark.parametrize("module", [digits, autoencoder])
def test_a_small_run_writes_what_it_says_and_repeats(module, small, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    summary = module.run(tmp_path / "a", seeds=2, progress=False)
    assert module.run(tmp_path / "b", seeds=2, progress=False) == summary
    written = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert set(written) == {*summary["pictures"], f"{module.NAME}.csv"}
    for name in summary["pictures"]:
        assert imread(tmp_path / "a" / name).shape[1] > 700
    for _, header, table in summary["tables"]:
        assert {len(row) for row in table} == {len(header)}
    assert "confirmed" in summary["text"]
    assert "right on" in summary["text"]


def test_the_edges_of_a_checkerboard_a_bar_and_a_plain():
    board = np.indices((8, 8)).sum(axis=0) % 2
    # 112 pairs of neighbours, each of which differs by 1; ink 32, counted twice.
    assert digits.edges(board.reshape(1, -1), (8, 8)) == pytest.approx(112 / 64)
    bar = np.zeros((8, 8))
    bar[:, 3:5] = 1
    assert digits.edges(bar.reshape(1, -1), (8, 8)) == pytest.approx(16 / 32)
    assert digits.edges(np.ones((2, 64)), (8, 8)) == 0
    # Blurring takes edges away, and darkening does not.
    blurred = (np.roll(bar, 1, axis=1) + bar + np.roll(bar, -1, axis=1)) / 3
    assert digits.edges(blurred.reshape(1, -1), (8, 8)) < 0.5
    assert digits.edges(0.5 * bar.reshape(1, -1), (8, 8)) == pytest.approx(0.5)


def test_the_text_about_digits_follows_the_numbers(eight):
    def records(vae, gan, conv=0.0):
        found = []
        shifts = {"VAE": vae, "GAN": gan, digits.CONVOLUTIONS: conv}
        for name, shift in (shifts | {digits.REAL: 0.0, "test digits": 0.0}).items():
            for seed in range(1 if name == "test digits" else 3):
                value = 0.5 + shift + 0.01 * seed * (1 + 5 * shift)
                record = dict.fromkeys(("frechet", "precision", "recall", "edges"), value)
                found.append({"model": name, "seed": seed, **record, "classes": 10})
        return found

    said = digits.text(records(0.0, 0.2), eight[1])
    assert "sharper: confirmed" in said
    assert "more diverse: refuted" in said
    assert "more stable over seeds: confirmed" in said
    assert "The VAE has the smaller Fréchet distance" in said
    assert "edges are nearer to those of real digits: confirmed" in said
    assert "digits are more diverse: refuted" in said.split("With convolutions")[-1]
    said = digits.text(records(0.2, 0.0), eight[1])
    assert "sharper: refuted" in said
    assert "more diverse: confirmed" in said


def test_ways_between_codes_begin_and_end_at_codes():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((50, 3))
    ways = autoencoder.between(z, rng)
    assert ways.shape == (autoencoder.STEPS, 50, 3)
    np.testing.assert_array_equal(ways[0], z)
    np.testing.assert_array_equal(np.sort(ways[-1], axis=0), np.sort(z, axis=0))
    np.testing.assert_allclose(ways[4], (ways[0] + ways[-1]) / 2, rtol=1e-12)


def test_fitted_codes_have_the_moments_of_the_codes():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((500, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]]) + [3.0, -1.0]
    drawn = autoencoder.fitted(z, 100_000, rng)
    np.testing.assert_allclose(drawn.mean(axis=0), z.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(z.T), rtol=0.03)


def test_far_is_what_five_percent_of_the_training_digits_are(eight):
    data, judge = eight
    limit = autoencoder.far_limit(data, judge)
    x = judge.classifier.embed(data.x_train)
    near = np.sqrt(((x[:, None] - judge.classifier.embed(data.x_test)) ** 2).sum(-1)).min(axis=1)
    assert np.mean(near > limit) == pytest.approx(0.05, abs=0.005)
