"""The commands that generate: conditional training, sample, evaluate --quality, augment."""

import json
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

from minivae import data as datasets
from minivae.cli.main import main
from minivae.models import ConditionalVAE
from minivae.train.runs import open_run
from minivae.uses.experiments import augment as experiment
from minivae.uses.quality.measures import nearest


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIVAE_DATA", raising=False)


def call(*words):
    """Run the command in this process; return its exit code."""
    try:
        return main([str(word) for word in words])
    except SystemExit as exit:
        return exit.code


def train(out, *words, data="digits8", pictures=False):
    sizes = ("--hidden", 16, "--latent", 3, "--batch", 32, "--epochs", 2, "--quiet")
    with mock.patch("minivae.cli.pictures.draw", return_value=[]):
        return call("train", data, *sizes, *words, "--out", out)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conditional") / "run"
    words = ("--hidden", 16, "--latent", 2, "--epochs", 2, "--quiet", "--out", folder)
    assert call("train", "digits8", "--conditional", *words) == 0
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "run"
    assert train(folder) == 0
    return folder


# --- train and what reads a run ------------------------------------------------------------------


def test_train_conditional_leaves_a_run_like_any_other(conditional):
    run = open_run(conditional)
    assert type(run.training.model) is ConditionalVAE
    assert run.training.model.labels == tuple("0123456789")
    names = {path.name for path in conditional.iterdir()}
    assert names == {"checkpoint.npz", "config.json", "metrics.csv", "curves.png", "latent.png"} | {
        "reconstructions.png",
        "samples.png",
    }
    config = json.loads((conditional / "config.json").read_text())
    assert config["options"]["model"] == "cvae"
    assert config["model"]["labels"] == list("0123456789")


def test_model_cvae_is_the_same(conditional):
    words = ("--hidden", 16, "--latent", 2, "--epochs", 2, "--quiet", "--out", "same")
    with mock.patch("minivae.cli.pictures.draw", return_value=[]):
        assert call("train", "digits8", "--model", "cvae", *words) == 0
    one, other = (open_run(folder).training.model for folder in (conditional, "same"))
    np.testing.assert_array_equal(one.params.theta, other.params.theta)


def test_a_resumed_conditional_run_is_the_uninterrupted_one():
    assert train("whole", "--conditional", "--epochs", 3) == 0
    assert train("parts", "--conditional", "--epochs", 1) == 0
    with mock.patch("minivae.cli.pictures.draw", return_value=[]):
        assert call("train", "--resume", "parts", "--epochs", 3, "--quiet") == 0
    one, other = (open_run(folder).training.model for folder in ("whole", "parts"))
    np.testing.assert_array_equal(one.params.theta, other.params.theta)


def test_evaluate_repeats_the_last_validation(conditional, capsys):
    assert call("evaluate", conditional, "--importance-samples", 20, "--json") == 0
    numbers = json.loads(capsys.readouterr().out)
    record = open_run(conditional).training.history[-1]
    assert numbers["nll"] == pytest.approx(record["val_nll"], rel=1e-12)
    # The validation adds nll and KL in float32 first, example by example.
    assert numbers["elbo"] == pytest.approx(-record["val_loss"], rel=1e-7)
    assert numbers["log_likelihood"] > numbers["elbo"]


def test_reconstruct_shows_pixels_without_labels(conditional):
    assert call("reconstruct", conditional, "--n", 7, "--out", "r.npz") == 0
    arrays = np.load("r.npz")
    assert arrays["original"].shape == arrays["reconstruction"].shape == (7, 8, 8)


def test_labels_are_matched_by_their_names(conditional, capsys):
    digits = datasets.load("digits8")
    rows = np.flatnonzero(np.isin(digits.y_test, [3, 7]))
    x = (digits.x_test[rows] * 16).round().astype("u1").reshape(-1, 8, 8)
    names = digits.y_test[rows].astype(str)
    np.savez("two.npz", x=x, y=names, x_test=x, y_test=names)  # its classes are 0 and 1
    np.savez("numbered.npz", x=x, y=digits.y_test[rows], x_test=x, y_test=digits.y_test[rows])
    found = []
    for file in ("two.npz", "numbered.npz"):
        assert call("evaluate", conditional, "--data", file, "--json") == 0
        found.append(json.loads(capsys.readouterr().out)["elbo"])
    assert found[0] == found[1]


# --- sample --------------------------------------------------------------------------------------


def test_sample_a_chosen_class(conditional):
    assert call("sample", conditional, "--label", 7, "--n", 5, "--out", "x.npz") == 0
    arrays = np.load("x.npz")
    np.testing.assert_array_equal(arrays["y"], [7] * 5)
    model = open_run(conditional).training.model
    expected = model.sample(5, np.random.default_rng(0), label="7").reshape(5, 8, 8)
    np.testing.assert_array_equal(arrays["x"], expected)
    assert call("sample", conditional, "--n", 12, "--out", "all.npz") == 0
    np.testing.assert_array_equal(np.load("all.npz")["y"], np.arange(12) % 10)


def test_samples_in_a_folder_are_a_data_set(conditional, capsys):
    assert call("sample", conditional, "--n", 20, "--out", "drawn") == 0
    assert call("sample", conditional, "--n", 20, "--out", "x.npz") == 0
    assert capsys.readouterr().out == "drawn\nx.npz\n"
    x, y = np.load("x.npz")["x"], np.load("x.npz")["y"]
    for i in range(20):
        with Image.open(f"drawn/{y[i]}/{i:04}.png") as image:
            assert image.mode == "L"
            np.testing.assert_allclose(np.asarray(image) / 255, x[i], atol=0.5 / 255 + 1e-6)
    data = datasets.load("drawn")
    assert data.labels == tuple("0123456789")
    assert data.shape == (8, 8)


def test_samples_of_an_unconditional_model_lie_side_by_side(plain):
    assert call("sample", plain, "--n", 3, "--temperature", 0.5, "--out", "drawn") == 0
    assert sorted(path.name for path in Path("drawn").iterdir()) == [
        "0000.png",
        "0001.png",
        "0002.png",
    ]


def test_a_folder_that_cannot_be_written_leaves_nothing(plain, monkeypatch, capsys):
    calls = []

    def full(self, path):
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device", str(path))
        path.write_bytes(b"")

    monkeypatch.setattr(Image.Image, "save", full)
    assert call("sample", plain, "--out", "drawn") == 2
    assert "No space left" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


def test_nearest_training_examples_are_found(plain, capsys):
    assert call("sample", plain, "--n", 6, "--nearest", "--out", "x.npz") == 0
    told = capsys.readouterr().err
    arrays = np.load("x.npz")
    x_train = datasets.load("digits8").x_train
    found, distance = nearest(arrays["x"].reshape(6, 64), x_train)
    np.testing.assert_array_equal(arrays["nearest"].reshape(6, 64), x_train[found])
    np.testing.assert_allclose(arrays["distance"], distance)
    assert f"{np.median(distance):.2f}" in told
    assert "200 test examples" in told
    assert call("sample", plain, "--n", 6, "--nearest", "--out", "x.png") == 0
    assert imread("x.png").max() > 0.5


def test_a_gan_has_nearest_examples_too(capsys):
    few = ("--hidden", 8, "--latent", 2, "--epochs", 1)
    assert call("train", "digits8", "--model", "gan", *few, "--out", "gan") == 0
    assert call("sample", "gan", "--n", 3, "--nearest", "--out", "x.npz") == 0
    told = capsys.readouterr().err
    assert "3 samples" in told
    assert "reconstructions" not in told


def test_samples_of_named_classes_carry_the_names():
    digits = datasets.load("digits8")
    rows = np.flatnonzero(np.isin(digits.y_train, [1, 2]))
    names = np.array(["", "10", "2"])[digits.y_train[rows]]
    np.savez("named.npz", x=digits.x_train[rows].reshape(-1, 8, 8), y=names)
    few = ("--conditional", "--hidden", 8, "--latent", 2, "--epochs", 1)
    assert call("train", "named.npz", *few, "--out", "named") == 0
    assert call("sample", "named", "--label", 10, "--n", 2, "--out", "ten.npz") == 0
    np.testing.assert_array_equal(np.load("ten.npz")["y"], ["10", "10"])


# --- evaluate ------------------------------------------------------------------------------------


def test_evaluate_says_which_dimensions_are_used(plain, capsys):
    assert call("evaluate", plain, "--json") == 0
    numbers = json.loads(capsys.readouterr().out)
    run = open_run(plain)
    rows, _, _ = run.test_rows(run.load_data())
    variance = run.codes(rows).astype("f8").var(axis=0)
    np.testing.assert_allclose(numbers["mu_variance_per_dim"], variance, rtol=1e-6)
    assert numbers["active_units"] == (variance > 0.01).sum()
    assert call("evaluate", plain) == 0
    out = capsys.readouterr().out
    assert "active units: " in out
    assert "one constant picture" in " ".join(out.split())


def test_evaluate_quality(conditional, capsys):
    assert call("evaluate", conditional, "--quality", "--json") == 0
    found = json.loads(capsys.readouterr().out)["quality"]
    assert found["test_examples"] == 297
    accuracy = found["classifier_accuracy"]
    assert 0.85 < accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert found["training_examples"]["frechet"] < found["samples"]["frechet"]
    assert found["training_examples"]["recall"] > found["samples"]["recall"]
    assert 0 <= found["as_asked"] <= 1
    assert call("evaluate", conditional, "--quality", "--json") == 0
    assert json.loads(capsys.readouterr().out)["quality"] == found
    assert call("evaluate", conditional, "--quality", "--limit", 100) == 0
    out = capsys.readouterr().out
    assert "beside 100 test examples" in out
    assert f"{accuracy['value']:.1%} of test examples right" in out


# --- augment -------------------------------------------------------------------------------------

FEW = ("--per-class", 6, "--epochs", 1, "--hidden", 8, "--latent", 2)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("prior", {"prior": 60}),
        ("posterior", {"posterior": 60}),
        ("both", {"prior": 30, "posterior": 30}),
    ],
)
def test_augment_writes_labelled_examples(how, expected, capsys):
    assert call("augment", "digits8", *FEW, "--how", how, "--out", "more.npz") == 0
    assert capsys.readouterr().out == "more.npz\n"
    arrays = np.load("more.npz")
    assert arrays["x"].shape == (60, 8, 8)
    np.testing.assert_array_equal(np.bincount(arrays["y"]), [6] * 10)
    names, counts = np.unique(arrays["how"], return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == expected
    assert "10 classes" in repr(datasets.load("more.npz"))
    assert call("augment", "digits8", *FEW, "--how", how, "--out", "again.npz") == 0
    assert Path("again.npz").read_bytes() == Path("more.npz").read_bytes()
    assert call("augment", "digits8", *FEW, "--how", how, "--seed", 1, "--out", "o.npz") == 0
    assert np.abs(np.load("o.npz")["x"] - arrays["x"]).max() > 0.01


def test_augment_with_real_keeps_the_test_set_real():
    assert call("augment", "digits8", *FEW, "--with-real", "--out", "all.npz") == 0
    data, digits = datasets.load("all.npz"), datasets.load("digits8")
    np.testing.assert_array_equal(data.x_train[:1500], digits.x_train)
    np.testing.assert_array_equal(data.y_train[:1500], digits.y_train)
    np.testing.assert_array_equal(np.bincount(data.y_train[1500:]), [6] * 10)
    np.testing.assert_array_equal(data.x_test, digits.x_test)
    np.testing.assert_array_equal(data.y_test, digits.y_test)


def test_augment_from_a_run(conditional):
    assert call("augment", "--run", conditional, "--per-class", 3, "--out", "more.npz") == 0
    assert np.load("more.npz")["x"].shape == (30, 8, 8)


def test_augment_a_table_of_named_classes():
    rng = np.random.default_rng(0)
    np.savez("t.npz", x=rng.random((40, 5)), y=np.array(["ant", "bee"] * 20))
    assert call("augment", "t.npz", *FEW, "--with-real", "--out", "more.npz") == 0
    data = datasets.load("more.npz")
    assert data.labels == ("ant", "bee")
    assert data.x_train.shape == (36 + 12, 5)


@pytest.mark.slow
def test_the_experiment_from_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(experiment, "PER_CLASS", (5,))
    monkeypatch.setattr(experiment, "UPDATES", 10)
    monkeypatch.setattr(experiment, "GENERATOR_UPDATES", 10)
    assert call("augment", "--experiment", "--seeds", 2, "--out", "made") == 0
    assert {path.name for path in Path("made").iterdir()} == {
        "augment.csv",
        "augment-differences.csv",
        "augment.png",
    }
    out = capsys.readouterr().out
    assert "Test accuracy in percent" in out
    assert out.endswith("made\n")

    def fails(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "draw", fails)
    assert call("augment", "--experiment", "--seeds", 2, "--out", "other") == 130
    assert [path.name for path in Path().iterdir()] == ["made"]


# --- bad input -----------------------------------------------------------------------------------


def refused(capsys, *words):
    """Run a command that is refused; return its one sentence."""
    before = sorted(Path().rglob("*"))
    assert call(*words) == 2
    err = capsys.readouterr().err
    message = err.splitlines()[-1]
    assert message.startswith("minivae: ")
    assert message.endswith(".")
    assert "Traceback" not in err
    assert sorted(Path().rglob("*")) == before, "something was left behind"
    return message


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--label", "7"], "trained without labels"),
        (["--out", "x.tiff"], "folder of pictures"),
        (["--out", "nowhere/x.png"], "there is no folder nowhere"),
        (["--out", "folder", "--nearest"], "--nearest has no place"),
    ],
)
def test_sample_refuses(plain, words, expected, capsys):
    assert expected in refused(capsys, "sample", plain, *words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sample", "RUN", "--label", "11"], "no class 11"),
        (["sample", "RUN", "--label", "cat"], "choose one of: 0, 1"),
        (["evaluate", "RUN", "--data", "unlabelled.npy"], "has no labels"),
        (["evaluate", "RUN", "--data", "strangers.npz"], "examples of class 'cat'"),
        (["reconstruct", "RUN", "--data", "one.png"], "names none"),
        (["augment", "--run", "RUN", "digits8", "--out", "x.png"], "must end in .npz"),
        (["augment", "--out", "x.npz"], "there are no data"),
        (["augment", "unlabelled.npy", "--out", "x.npz"], "no labels"),
        (["augment", "gap.npz", "--out", "x.npz"], "class '1' has no training example"),
        (["augment", "mismatch.npz", "--out", "x.npz"], "one label for each of the 40"),
        (["augment", "digits8", "--out", "nowhere/x.npz"], "no folder nowhere"),
        (["augment", "digits8", "--per-class", "0", "--out", "x.npz"], "at least 1"),
        (["augment", "digits8", "--out", "gap.npz"], "exists already"),
        (["augment", "--run", "RUN", "mnist5k", "--out", "x.npz"], "shape (28, 28)"),
        (["augment", "range.npz", "--out", "x.npz"], "values in [0, 1]"),
        (["augment", "--experiment", "--seeds", "1", "--out", "f"], "at least 2"),
        (["augment", "--experiment", "digits8", "--out", "f"], "has its own data"),
        (["train", "unlabelled.npy", "--conditional"], "no labels"),
        (["train", "gap.npz", "--conditional"], "class '1' has no training example"),
        (["train", "digits8", "--conditional", "--model", "vae"], "two models were given"),
        (["train", "digits8", "--conditional", "--limit", "8"], "no training example"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(conditional, words, expected, capsys):
    x = np.random.default_rng(0).random((40, 8, 8))
    np.save("unlabelled.npy", x)
    np.savez("strangers.npz", x=x, y=np.array(["7", "cat"] * 20))
    np.savez("gap.npz", x=x, y=np.arange(40) % 2 * 2)
    np.savez("mismatch.npz", x=x, y=np.arange(39) % 2)
    np.savez("range.npz", x=5 * x, y=np.arange(40) % 2)
    Image.fromarray((x[0] * 255).astype("u1")).save("one.png")
    words = [str(conditional) if word == "RUN" else word for word in words]
    assert expected in refused(capsys, *words)


def test_augment_refuses_a_run_without_labels(plain, capsys):
    assert "trained without labels" in refused(
        capsys, "augment", "--run", str(plain), "--out", "x.npz"
    )
