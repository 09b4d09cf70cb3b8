"""What goes for every model: gradients, copies, checkpoints, two epochs by the command, samples."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from minivae import Adam, Settings, Training, load_checkpoint, save_checkpoint
from minivae.check import check_models
from minivae.cli.main import main
from minivae.errors import OptionError
from minivae.models import MODELS, NETWORKS
from minivae.train.loop import fit
from minivae.train.runs import open_run

pytestmark = pytest.mark.slow

each_kind = pytest.mark.parametrize("kind", MODELS)
each_network = pytest.mark.parametrize("network", NETWORKS)


def examples(kind, **options):
    """Every example of a model on every example of a network."""
    return [
        MODELS[kind].example(
            np.random.default_rng(0), network=name, **sizes, **{**example, **options}
        )
        for example in MODELS[kind].examples
        for name, network in NETWORKS.items()
        for sizes in network.examples
    ]


def step(model):
    """A step on data of the model's own; its loss."""
    rng = np.random.default_rng(1)
    x = model.prepare(model.draw_rows(rng, 4))
    return float(model.step(x, model.draw_noise(rng, 4)).loss)


@each_kind
def test_the_gradient_of_every_player(kind):
    reports = check_models(MODELS[kind], seed=1)  # `check_all` has the first example alone
    assert len(reports) == sum(len(model.players()) for model in examples(kind))
    for report in reports:
        assert report.passed, str(report)
        assert report.error < 1e-8


@each_kind
def test_players_share_out_the_parameters(kind):
    for model in examples(kind):
        sizes = [player.params.theta.size for player in model.players()]
        assert sum(sizes) == model.params.theta.size


@each_kind
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_a_model_of_its_own(kind, duplicate):
    for model in examples(kind):
        other = duplicate(model)
        assert step(other) == step(model)
        theta = model.params.theta.copy()
        Adam(0.1).step(other.params)
        np.testing.assert_array_equal(model.params.theta, theta)


@each_kind
def test_its_configuration_builds_it_again(kind):
    for model in examples(kind, dtype="float32"):
        config = json.loads(json.dumps(model.config))
        assert set(model.options) <= set(config)
        again = MODELS[config.pop("kind")](**config, rng=np.random.default_rng(5))
        assert again.config == model.config
        again.params.load(model.params.theta)
        assert step(again) == step(model)


@each_kind
def test_a_checkpoint_goes_on_bit_for_bit(kind, tmp_path):
    for number, model in enumerate(examples(kind, dtype="float32")):
        path = tmp_path / f"{number}.npz"
        rng = np.random.default_rng(2)
        x = model.draw_rows(rng, 20).astype("float32")
        whole = Training(model, Adam(), rng, Settings(epochs=4, batch=8))

        def save(run, path=path):
            if len(run.history) == 2:
                save_checkpoint(path, run)

        fit(whole, x, after_epoch=save, progress=False)
        half, _ = load_checkpoint(path)
        assert half.model.halves.network.name == model.halves.network.name
        assert type(half.model) is MODELS[kind]
        fit(half, x, progress=False)
        assert half.history == whole.history
        assert list(half.history[0])[2:] == ["loss", *model.terms, *model.per_epoch]
        for name in ("theta", "carried"):
            mine, its = (getattr(training.model.params, name) for training in (half, whole))
            assert mine.tobytes() == its.tobytes()


SMALL = {"mlp": "--hidden 12", "conv": "--channels 3,4 --norm batch --hidden 12"}
"""Options of a small network, by its name."""


def test_every_network_is_walked():
    assert set(SMALL) == set(NETWORKS)
    assert all(network.examples for network in NETWORKS.values())


@each_network
@each_kind
def test_two_epochs_by_the_command_and_what_it_can(kind, network, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sequential = MODELS[kind].sequential
    data, pixels = ("names", 12) if sequential else ("digits8", 64)
    words = f"train {data} --model {kind} --network {network} {SMALL[network]} --latent 2 "
    words += "--limit 100 --epochs 2 --out run"
    if sequential and NETWORKS[network].shaped:  # a sequence is no image
        assert main(words.split()) == 2
        assert "takes images" in capsys.readouterr().err
        assert not Path("run").exists()
        return
    assert main(words.split()) == 0
    run = open_run("run")
    model, can = run.training.model, MODELS[kind].can
    assert len(run.training.history) == 2
    titles = [name.replace("_", " ") for name in model.columns]
    assert "epoch" + "".join(f"{title:>11}" for title in titles) in capsys.readouterr().out
    assert Path("run/samples.png").exists() == ("sample" in can and not sequential)
    assert Path("run/reconstructions.png").exists() == ("reconstruct" in can and not sequential)
    assert Path("run/latent.png").exists() == ("encode" in can)
    assert (main(["sample", "run", "--n", "5", "--out", "x.npz"]) == 0) == ("sample" in can)
    assert (main(["reconstruct", "run", "--out", "r.npz"]) == 0) == ("reconstruct" in can)
    judged = len(model.players()) == 1
    assert (main(["evaluate", "run"]) == 0) == judged
    importance = ["evaluate", "run", "--importance-samples", "2", "--limit", "5"]
    assert (main(importance) == 0) == ("bound" in can)
    if "sample" in can:
        x = np.load("x.npz")["x"].reshape(5, pixels)
        np.testing.assert_array_equal(x, model.sample(5, np.random.default_rng(0)))
    assert main(["step", "--model", kind, "--all"]) == 0


@each_kind
def test_what_it_cannot_is_one_sentence(kind, refuses):
    (model, *_), can = examples(kind), MODELS[kind].can
    x = model.prepare(model.draw_rows(np.random.default_rng(0), 3))
    for ability, method in (
        ("encode", "encode"),
        ("reconstruct", "reconstruct"),
        ("bound", "elbo"),
    ):
        if ability not in can:
            with refuses(OptionError):
                getattr(model, method)(x)
    if "bound" not in can:
        with refuses(OptionError, model.title):
            model.log_weights(x, np.zeros((3, 4, 2)))
