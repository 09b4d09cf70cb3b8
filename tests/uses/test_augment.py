"""Augmentation: what is drawn from where, pictures moved about, and the experiment."""

import csv

import numpy as np
import pytest
from scipy import ndimage

from minivae.data import load
from minivae.errors import DataError, OptionError, ShapeError
from minivae.uses.augment import from_posterior, from_prior, in_turn, jitter, train_generator
from minivae.uses.experiments import augment as experiment
from minivae.uses.statistics import mean_interval


@pytest.fixture(scope="module")
def digits():
    return load("digits8")


@pytest.fixture(scope="module")
def model(digits):
    how = {"hidden": (48,), "latent": 4, "epochs": 20, "batch": 50}
    return train_generator(digits.pixels_train, digits.y_train, digits.labels, **how)


def test_a_posterior_sample_lies_nearer_to_its_example_than_a_prior_sample(digits, model):
    x, y = digits.x_test, digits.y_test
    rng = np.random.default_rng(0)

    def away(new):
        return np.sqrt(((new - x) ** 2).sum(axis=1)).mean()

    around = [away(from_posterior(model, x, y, rng, temperature=t)) for t in (0.0, 1.0)]
    assert around[0] < around[1] < away(from_prior(model, y, rng))


def test_at_temperature_0_a_posterior_sample_is_the_reconstruction(digits, model):
    x, y = digits.x_test[:7], digits.y_test[:7]
    new = from_posterior(model, x, y, np.random.default_rng(0), temperature=0)
    rows = model.prepare(np.concatenate([x, np.eye(10, dtype="float32")[y]], axis=1))
    np.testing.assert_allclose(new, model.reconstruct(rows), rtol=1e-5, atol=1e-6)


def test_samples_have_the_class_that_was_asked_for(digits, model):
    means = np.array([digits.x_train[digits.y_train == k].mean(axis=0) for k in range(10)])
    y = np.arange(300) % 10
    for new in (
        from_prior(model, y, np.random.default_rng(1), temperature=0.7),
        from_posterior(model, *same_classes(digits, y), np.random.default_rng(1)),
    ):
        nearest = ((new[:, None] - means) ** 2).sum(-1).argmin(axis=1)
        assert (nearest == y).mean() > 0.75


def same_classes(digits, y):
    rows = [np.flatnonzero(digits.y_train == k)[i // 10] for i, k in enumerate(y)]
    return digits.x_train[rows], y


def test_a_seed_repeats_and_another_does_not(digits, model):
    how = {"hidden": (48,), "latent": 4, "epochs": 20, "batch": 50}
    again = train_generator(digits.pixels_train, digits.y_train, digits.labels, **how)
    np.testing.assert_array_equal(again.params.theta, model.params.theta)
    y = np.arange(10)
    one, same, other = (from_prior(model, y, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_examples_take_turns():
    y = np.array([1, 0, 1, 1, 0])
    np.testing.assert_array_equal(in_turn(y, 4, 2), [1, 4, 1, 4, 0, 2, 3, 0])


@pytest.mark.parametrize("shape", [(8, 8), (5, 7)])
def test_jitter_is_scipys_affine_transformation(shape):
    H, W = shape
    x = np.random.default_rng(0).random((6, H * W))
    moved = jitter(x, shape, np.random.default_rng(1), shift=2.5, degrees=40)
    rng = np.random.default_rng(1)
    angle = np.radians(rng.uniform(-40, 40, (6, 1)))[:, 0]
    down, right = rng.uniform(-2.5, 2.5, (2, 6, 1))[..., 0]
    middle = np.array([(H - 1) / 2, (W - 1) / 2])
    for n in range(6):
        c, s = np.cos(angle[n]), np.sin(angle[n])
        turn = np.array([[c, -s], [s, c]])
        offset = middle - turn @ middle - [down[n], right[n]]
        expected = ndimage.affine_transform(
            x[n].reshape(shape), turn, offset, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(moved[n], expected.reshape(-1), rtol=0, atol=1e-12)
    assert np.abs(moved - x).max() > 0.3


def test_jitter_of_nothing_changes_nothing(digits):
    x = digits.x_test[:9]
    moved = jitter(x, (8, 8), np.random.default_rng(0), shift=0, degrees=0)
    np.testing.assert_array_equal(moved, x)
    assert moved.dtype == x.dtype


def test_what_cannot_be_augmented_is_refused(refuses, digits, model):
    rng = np.random.default_rng(0)
    with refuses(ShapeError, "(8, 8, 3)"):
        jitter(np.zeros((2, 192)), (8, 8, 3), rng)
    with refuses(OptionError, "temperature=-1"):
        from_prior(model, np.arange(3), rng, temperature=-1)
    with refuses(DataError, "class 2 has no example"):
        in_turn(np.array([0, 1]), 3, 3)
    with refuses(DataError, "label 11"):
        from_posterior(model, digits.x_test[:1], np.array([11]), rng)
    with refuses(DataError, "range from"):
        train_generator(digits.x_train * 3 - 1, digits.y_train, digits.labels)
    with refuses(DataError, "one whole number for each"):
        train_generator(digits.x_train, digits.y_train[:-1], digits.labels)


# --- the experiment ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The experiment in small, twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "PER_CLASS", (5, 8))
        patch.setattr(experiment, "UPDATES", 20)
        patch.setattr(experiment, "GENERATOR_UPDATES", 20)
        made = []
        for i in range(2):
            folder = tmp_path_factory.mktemp(f"experiment-{i}")
            made.append((folder, experiment.run(folder, seeds=2, progress=False)))
    return made


def read(path):
    with open(path) as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_experiment_leaves_its_numbers_and_a_picture(small):
    folder, summary = small[0]
    assert summary["pictures"] == ["augment.png"]
    assert (folder / "augment.png").read_bytes().startswith(b"\x89PNG")
    records = read(folder / "augment.csv")
    assert len(records) == 2 * 2 * len(experiment.WAYS)
    assert all(0 <= float(r["recognised"]) <= 1 for r in records)
    assert all(0.1 < float(r["accuracy"]) < 0.95 for r in records)
    for _, header, rows in summary["tables"]:
        assert len(header) == 3
        assert all(len(row) == 3 for row in rows)


def test_the_differences_are_those_of_the_records(small):
    folder, _ = small[0]
    records, differences = read(folder / "augment.csv"), read(folder / "augment-differences.csv")
    assert len(differences) == 2 * (4 + 3)
    for row in differences:
        a, b = (
            np.array(
                [
                    100 * float(r["accuracy"])
                    for r in records
                    if (r["per_class"], r["way"]) == (row["per_class"], row[side])
                ]
            )
            for side in ("way", "minus")
        )
        expected = mean_interval(a - b)
        assert float(row["points"]) == pytest.approx((a - b).mean(), abs=1e-9)
        ends = (float(row["low"]), float(row["high"]))
        assert ends == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_experiment_repeats_byte_for_byte(small):
    (one, summary), (other, again) = small
    assert summary == again
    for name in ("augment.csv", "augment-differences.csv", "augment.png"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_the_words_follow_from_the_numbers():
    rows = [
        {"per_class": 5, "way": "jitter", "minus": "duplicates", "points": 2, "low": 1, "high": 3},
        {"per_class": 5, "way": "prior", "minus": "duplicates", "points": 1, "low": -1, "high": 3},
        {"per_class": 5, "way": "posterior", "minus": "duplicates", "points": -2, "low": -3}
        | {"high": -1},
        {"per_class": 5, "way": "prior", "minus": "none", "points": 9, "low": 8, "high": 10},
    ]
    text = experiment.report(rows)
    assert "Jitter helped with 5 (+2.0) digits a class." in text
    assert "prior samples made no difference that can be told from chance with 5 (+1.0)" in text
    assert "posterior samples did harm with 5 (-2.0)" in text
    assert "9.0" not in text


def test_the_experiment_refuses_one_repetition_at_once(tmp_path, refuses):
    with refuses(OptionError, "seeds=1"):
        experiment.run(tmp_path, seeds=1)
    assert not list(tmp_path.iterdir())
