"""Detectors: fitted to normal data, saved, read again, and asked about other data."""

import numpy as np
import pytest

from minivae import Adam, Settings, Training, save_checkpoint
from minivae.data import load
from minivae.data.examples import read
from minivae.errors import CheckpointError, DataError, OptionError, ShapeError
from minivae.models import VAE
from minivae.uses.anomaly import detector as anomaly
from minivae.uses.anomaly.rates import auroc, split, threshold
from minivae.uses.anomaly.scores import SCORES, explain, score
from minivae.uses.statistics import proportion_interval

SMALL = {"hidden": [16], "latent": 3, "epochs": 2, "samples": 8}


@pytest.fixture(scope="module")
def detector():
    """Fitted to digits without ones; no test changes it."""
    return anomaly.fit("digits8", without=["1"], **SMALL)


@pytest.fixture
def tables(tmp_path):
    """A CSV file of normal rows, and a function that writes others."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((300, 2))
    x = z @ rng.standard_normal((2, 3)) * [1, 100, 0.01] + [5, 0, 1]
    x += 0.1 * rng.standard_normal(x.shape) * [1, 100, 0.01]

    def write(name, columns, x, kinds=None):
        rows = [",".join(columns) + (",kind" if kinds else "")]
        for i, row in enumerate(x):
            rows.append(",".join(map(repr, row.tolist())) + (f",{kinds[i]}" if kinds else ""))
        (tmp_path / name).write_text("\n".join(rows))
        return tmp_path / name

    return write("normal.csv", ["a", "b", "c"], x), x, write


def test_the_thresholds_come_from_rows_that_nothing_else_has_seen(detector):
    examples, classes = read("digits8", "train").only([], ["1"])
    rng = np.random.default_rng(0)
    first, second, rest = split(len(examples), 0.2, 0.95, rng)
    assert detector.data["normal"] == classes == list("023456789")
    assert detector.data["n_train"] == len(rest)
    scores = score(detector.model, examples.x[:], detector.noise)
    for name, alarm in detector.alarms.items():
        assert alarm.threshold == pytest.approx(threshold(scores[name][first], 0.95), rel=1e-5)
        false = (scores[name][second] > alarm.threshold).sum()
        assert (alarm.false_alarms, alarm.n_checked) == (false, len(second))
        assert alarm.n_threshold == len(first)
        assert alarm.rate == false / len(second)
        assert alarm.interval == proportion_interval(false, len(second))


def test_the_scores_of_a_source_are_those_of_its_rows(detector):
    x = load("digits8").x_test
    scores = detector.score("digits8")
    assert list(scores) == list(SCORES)
    for name, values in score(detector.model, x, detector.noise).items():
        np.testing.assert_array_equal(scores[name], values)
        np.testing.assert_allclose(detector.score(x.reshape(-1, 8, 8))[name], values, rtol=1e-5)


def test_the_same_seed_makes_the_same_detector(detector):
    again, other = (anomaly.fit("digits8", without=[1], seed=s, **SMALL) for s in (0, 1))
    assert again.model.params.theta.tobytes() == detector.model.params.theta.tobytes()
    assert again.alarms == detector.alarms
    assert other.alarms["kl"].threshold != detector.alarms["kl"].threshold


def test_a_file_gives_the_detector_back(detector, tmp_path):
    detector.save(tmp_path / "d.npz")
    again = anomaly.load(tmp_path / "d.npz")
    assert (again.data, again.alarms, again.form) == (detector.data, detector.alarms, None)
    for name, values in again.score("digits8").items():
        np.testing.assert_array_equal(values, detector.score("digits8")[name])
    assert [path.name for path in tmp_path.iterdir()] == ["d.npz"]


def test_a_table_is_standardised_and_its_columns_are_known_by_name(tables, tmp_path):
    path, x, write = tables
    detector = anomaly.fit(path, **SMALL)
    _, _, rest = split(300, 0.2, 0.95, np.random.default_rng(0))
    np.testing.assert_allclose(detector.form.mean, x[rest].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(detector.form.sd, x[rest].std(axis=0), rtol=1e-12)
    detector.save(tmp_path / "d.npz")
    again = anomaly.load(tmp_path / "d.npz")
    assert again.form == detector.form
    mixed = np.c_[x[:, 2], np.arange(300), x[:, 0], x[:, 1]]
    other = write("mixed.csv", ["c", "number", "a", "b"], mixed)
    scores = again.score(other)
    for name, values in detector.score(path).items():
        np.testing.assert_array_equal(scores[name], values)
        np.testing.assert_allclose(again.score(x)[name], values, rtol=1e-4)  # x is float32 here
    assert scores["neg_elbo"].max() < again.score(x * 3)["neg_elbo"].max()


def test_a_detector_finds_what_breaks_a_relation(tables):
    # Each column stays in its range; only the relation between them is broken.
    path, x, _ = tables
    detector = anomaly.fit(path, hidden=[32], latent=2, epochs=100)
    rng = np.random.default_rng(1)
    shuffled = np.column_stack([rng.permutation(column) for column in x.T])
    broken, whole = (detector.score(rows)["neg_log_px"] for rows in (shuffled, x))
    assert auroc(broken, whole) > 0.65
    distance = [((detector.form.apply(rows)) ** 2).sum(axis=1) for rows in (shuffled, x)]
    assert auroc(*distance) < 0.6


def test_grey_pictures_are_judged_by_the_deviance_and_the_map_shows_where():
    # Smooth grey pictures whose brightness varies: -ELBO is the brightness, the deviance is not.
    rng = np.random.default_rng(0)
    slope = np.linspace(0, 1, 10)
    brightness = rng.random((400, 1, 1))
    x = (brightness * slope[:, None] * slope).astype("f4")
    detector = anomaly.fit(x[:300], hidden=[32], latent=2, epochs=60, batch=8, samples=8)
    odd = x[300:].copy()
    odd[:, 2:4, 1:3] = 0.9
    assert auroc(detector.score(odd)["deviance"], detector.score(x[300:])["deviance"]) > 0.99
    assert auroc(detector.score(odd)["neg_elbo"], detector.score(x[300:])["neg_elbo"]) < 0.9
    parts, rebuilt = explain(detector.model, odd.reshape(100, -1), detector.noise)
    parts = parts.reshape(odd.shape)
    assert parts[:, 2:4, 1:3].sum() > 0.85 * parts.sum()
    assert np.abs(rebuilt.reshape(odd.shape) - x[300:])[:, 2:4, 1:3].mean() < 0.1


def test_arrays_are_tables_too():
    x = np.random.default_rng(0).standard_normal((200, 3))
    detector = anomaly.fit(x, **SMALL)
    assert detector.form.columns == ("0", "1", "2")
    assert detector.score(x)["kl"].shape == (200,)
    assert not detector.data["note"]


def test_it_is_said_why_a_score_is_no_likelihood(detector):
    assert "grey pixels under a Bernoulli" in detector.data["note"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"quantile": 1.0}, OptionError, ["quantile=1.0"]),
        ({"quantile": 0.999}, DataError, ["needs 999"]),
        ({"samples": 0}, OptionError, ["samples=0"]),
        ({"held_out": 1.0}, OptionError, ["held_out=1.0"]),
        ({"without": ["11"]}, OptionError, ["no class '11'"]),
        ({"likelihood": "gauss"}, OptionError, ["likelihood='gauss'"]),
        ({"latent": 0}, OptionError, ["latent"]),
        ({"epochs": 0}, OptionError, ["epochs=0"]),
    ],
)
def test_options_are_refused(options, error, words, refuses):
    with refuses(error, *words):
        anomaly.fit("digits8", **options)


def test_tables_are_refused(tables, refuses):
    path, x, write = tables
    with refuses(OptionError, "standardised", "gaussian_shared"):
        anomaly.fit(path, likelihood="bernoulli")
    with refuses(DataError, "'d' is 4 in all 240 rows"):
        anomaly.fit(write("constant.csv", ["a", "d"], np.c_[x[:, 0], np.full(300, 4.0)]))
    with refuses(DataError, "needs 19", "give 190 examples"):
        anomaly.fit(x[:50])
    detector = anomaly.fit(path, **SMALL)
    with refuses(DataError, "lacks the column 'c'"):
        detector.score(write("less.csv", ["a", "b"], x[:, :2]))
    with refuses(ShapeError, "(2,)", "(3,)", "normal.csv"):
        detector.score(x[:, :2])


def test_images_of_another_size_are_refused(detector, refuses):
    with refuses(ShapeError, "(28, 28)", "(8, 8)", "digits8"):
        detector.score("mnist5k")
    with refuses(DataError, "[0, 1]"):
        detector.score(np.full((2, 8, 8), 3.0))


def test_files_that_are_no_detector_are_refused(detector, tmp_path, refuses):
    with refuses(CheckpointError, "does not exist"):
        anomaly.load(tmp_path / "none.npz")
    rng = np.random.default_rng(0)
    training = Training(VAE(4, (), 2, rng=rng), Adam(), rng, Settings())
    save_checkpoint(tmp_path / "run.npz", training)
    with refuses(CheckpointError, "not of a detector", "minivae anomaly fit"):
        anomaly.load(tmp_path / "run.npz")
    save_checkpoint(tmp_path / "cut.npz", training, {"anomaly": {"scale": None}})
    with refuses(CheckpointError, "damaged"):
        anomaly.load(tmp_path / "cut.npz")
