"""Any network: layers of one's own as encoder and decoder, networks by name, data of a shape."""

import json
from pathlib import Path

import numpy as np
import pytest

from arrays import assert_array_equal, here, there
from minivae import Adam, Settings, Training, load_checkpoint, save_checkpoint
from minivae.check import assert_gradients
from minivae.cli.main import main
from minivae.engine.layer import Layer, Reshape, Sequential
from minivae.errors import CheckpointError, OptionError, ShapeError
from minivae.models import GAN, MODELS, NETWORKS, VAE, Autoencoder, ConditionalVAE
from minivae.models.network import Network
from minivae.models.registry import Option
from minivae.ops import Activation, Clamp, Dense, Dropout, Linear
from minivae.train.evaluate import evaluate
from minivae.train.loop import fit
from minivae.train.runs import open_run

SHAPE = (2, 3, 2)
D, H, Z = 12, 5, 2


def rng(seed=0):
    return np.random.default_rng(seed)


class Scale(Layer):
    """A factor for each entry of an example of any shape: y = s x."""

    def __init__(self, *shape, **where):
        super().__init__({"s": shape}, **where)
        self.params["s"][...] = 1.5

    def forward(self, x):
        self.expect("x", x, ("B", *self.params["s"].shape))
        self.cache = (x,)
        return x * self.params["s"]

    def backward(self, dy):
        (x,) = self.saved()
        self.params.set_grads(s=(dy * x).sum(axis=0))
        return dy * self.params["s"]


class Pool(Layer):
    """Mean over the first axis of an example; it does not say what shape that gives."""

    def forward(self, x):
        self.cache = (x.shape,)
        return x.mean(axis=1)

    def backward(self, dy):
        (shape,) = self.saved()
        return self.backend.xp.broadcast_to(dy[:, None] / shape[1], shape)


def own(n_in=D, n_latent=Z, n_out=D, shape=None, **where):
    """An encoder's trunk and a decoder, made of layers."""
    where = {"dtype": "float64"} | where
    first = [Scale(*shape, **where), Reshape(-1, **where)] if shape else []
    last = [Reshape(*shape, **where), Scale(*shape, **where)] if shape else []
    trunk = Sequential(*first, Dense(n_in, H, "tanh", rng=rng(1), **where))
    hidden = Dense(n_latent, H, "tanh", rng=rng(2), **where)
    decoder = Sequential(hidden, Linear(H, n_out, rng=rng(3), **where), *last)
    return {"encoder": trunk, "decoder": decoder, "latent": Z, "rng": rng(4), **where}


def data(model, n=4):
    generator = rng(5)
    x = model.prepare(there(model.draw_rows(generator, n)))
    return x, model.draw_noise(generator, n)


# ---- layers of one's own ----


@pytest.mark.parametrize("kind", [VAE, Autoencoder, GAN])
def test_an_mlp_of_ones_own_is_the_mlp(kind, each_backend):
    named = kind(D, (H,), Z, activation="tanh", rng=rng(), dtype="float64")
    made = kind(D, **own())
    assert made.params.theta.size == named.params.theta.size
    made.params.load(here(named.params.theta))
    a, b = (model.step(*data(model)) for model in (named, made))
    assert_array_equal(a.loss, b.loss)
    assert_array_equal(made.params.grad, named.params.grad)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (VAE, {}),
        (VAE, {"samples": 3}),
        (VAE, {"likelihood": "gaussian_shared"}),
        (Autoencoder, {}),
        (GAN, {}),
    ],
)
def test_gradients_through_layers_of_a_shape(kind, options):
    model = kind(SHAPE, **own(shape=SHAPE), **options)
    model.params.theta[...] += 0.3 * rng().standard_normal(model.params.theta.shape)
    assert model.encoder.params.theta.size > D
    if len(model.players()) == 1:
        assert_gradients(model, tolerance=1e-7)
    else:
        model.step(*data(model))
        assert (model.params.grad != 0).mean() > 0.9


def test_labels_come_beside_the_rows():
    n, labels = D + 3, ("a", "b", "c")
    model = ConditionalVAE(SHAPE, labels=labels, **own(n_in=n, n_latent=Z + 3))
    assert_gradients(model, tolerance=1e-7)
    before = here(own(n_in=n)["encoder"].params.theta)
    np.testing.assert_array_equal(model.halves.own["encoder"].params.theta, before)


def test_several_numbers_for_a_value_lie_in_its_last_axis():
    for shape, seen in (((2, 3), (2, 3, 4)), ((2, 3, 2), (2, 3, 8)), ((5,), (20,))):
        width = int(np.prod(shape))
        trunk = Scale(*seen, dtype="float64")
        how = own(n_out=4 * width) | {"encoder": trunk, "likelihood": "categorical"}
        model = VAE(shape, **how, likelihood_options={"levels": 4})
        assert model.data_shape == seen
        assert_gradients(model, tolerance=1e-7)


def test_one_half_of_ones_own():
    how = own(shape=SHAPE)
    for half, parts in (("encoder", 5), ("decoder", 5)):
        model = VAE(SHAPE, (H,), Z, **{half: how[half]}, rng=rng(), dtype="float64")
        model.step(*data(model))
        assert half in model.config
        assert len(list(model.params)) >= parts
        how = own(shape=SHAPE)
    assert "encoder" not in model.config


def test_a_layer_need_not_say_what_shape_it_gives():
    model = VAE(SHAPE, **own() | {"encoder": Pool(dtype="float64")})
    assert model.encoder.heads.n_in == 3 * 2
    assert_gradients(model, tolerance=1e-7)


def test_it_trains_and_is_evaluated_and_sampled(each_backend):
    model = VAE(SHAPE, **own(shape=SHAPE, dtype="float32"))
    x = rng(6).random((40, *SHAPE)).astype("float32")
    training = Training(model, Adam(0.02), rng(7), Settings(epochs=5, batch=10))
    fit(training, x, x[:10], progress=False)
    losses = [record["val_loss"] for record in training.history]
    assert losses == sorted(losses, reverse=True)
    assert evaluate(model, x, rng=rng())["elbo"] < 0
    assert model.sample(3, rng()).shape == (3, D)
    assert model.reconstruct(model.prepare(x[:2])).shape == (2, D)
    assert "VAE(12-own-2, bernoulli" in repr(model)


def test_the_output_starts_at_the_mean_if_there_is_a_bias(refuses):
    mean = np.linspace(-1, 1, D)
    model = VAE(D, **own(), likelihood="gaussian")
    model.start_at(mean)
    np.testing.assert_allclose(model.decoder[-1].params["b"], mean)
    with refuses(OptionError, "12 numbers", "--bias-from-data"):
        VAE(SHAPE, **own(shape=SHAPE), likelihood="gaussian").start_at(mean)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"encoder": np.tanh}, OptionError, ("encoder=", "give a Layer")),
        ({"decoder": Activation("tanh")}, OptionError, ("decoder", "float32", "float64")),
        ({"encoder": Sequential(Dropout(0.5, dtype="float64"))}, OptionError, ("takes noise",)),
        ({"decoder": Linear(Z, 5, rng=rng(), dtype="float64")}, ShapeError, ("gives 5", "12")),
        ({"decoder": Linear(3, D, rng=rng(), dtype="float64")}, ShapeError, ("(1, 2)",)),
        ({"network": "cnn"}, OptionError, ("'cnn'", "mlp")),
        ({"width": 3}, OptionError, ("width", "'mlp'", "hidden, activation")),
    ],
)
def test_what_cannot_be_half_of_a_model_is_refused(refuses, change, error, words):
    with refuses(error, *words):
        VAE(D, **own() | change)


def test_a_network_that_mixes_examples_is_refused(refuses):
    class Whole(Layer):
        def forward(self, x):
            return x.reshape(-1)

    with refuses(ShapeError, "(12,)", "one example"):
        VAE(D, **own() | {"encoder": Whole(dtype="float64")})
    one = Clamp(-1, 1, dtype="float64")
    with refuses(OptionError, "already part"):
        VAE(
            D,
            **own() | {"encoder": (same := Scale(D, dtype="float64")), "decoder": own()["decoder"]},
        )
        VAE(D, **own() | {"encoder": same, "decoder": one})


# ---- data of a shape ----


def test_data_come_in_their_shape_or_in_rows(refuses):
    x = rng().random((5, *SHAPE))
    model = VAE(SHAPE, (H,), Z, rng=rng())
    assert (model.n_pixels, model.shape) == (D, SHAPE)
    np.testing.assert_array_equal(model.prepare(x), model.prepare(x.reshape(5, D)))
    for wrong in (x[0], x.reshape(5, 3, 2, 2), x.reshape(5, D)[:, 1:]):
        with refuses(ShapeError, str(wrong.shape), "(N, 12) or (N, 2, 3, 2)"):
            model.prepare(wrong)
    with refuses(ShapeError, "(5, 2, 3, 2)", "(N, 12);"):
        VAE(D, (H,), Z, rng=rng()).prepare(x)


@pytest.mark.parametrize("kind", [VAE, Autoencoder, GAN])
def test_a_shape_changes_nothing_else(kind):
    flat, shaped = (kind(n, (H,), Z, rng=rng()) for n in (D, SHAPE))
    assert flat.params.theta.tobytes() == shaped.params.theta.tobytes()
    x = rng(1).random((20, D)).astype("float32")
    for model, given in ((flat, x), (shaped, x.reshape(20, *SHAPE))):
        fit(Training(model, Adam(), rng(), Settings(epochs=2, batch=6)), given, progress=False)
    assert flat.params.theta.tobytes() == shaped.params.theta.tobytes()
    assert (flat.config.pop("n_pixels"), shaped.config["n_pixels"]) == (D, [2, 3, 2])
    assert {**shaped.config, "n_pixels": D} == flat.config


@pytest.mark.parametrize("wrong", [0, (2, 0), (2, -1), (), 2.5, "a"])
def test_no_shape_is_refused(refuses, wrong):
    with refuses(OptionError, "n_pixels"):
        VAE(wrong, rng=rng())


# ---- checkpoints ----


def trained(epochs=2, **change):
    model = VAE(SHAPE, **own(shape=SHAPE, dtype="float32") | change)
    x = rng(6).random((20, D)).astype("float32")
    training = Training(model, Adam(0.01), rng(8), Settings(epochs=epochs, batch=6))
    return fit(training, x, progress=False), x


def test_a_checkpoint_loads_into_the_model_that_is_passed(tmp_path, refuses):
    half, x = trained()
    save_checkpoint(tmp_path / "a.npz", half)
    with refuses(CheckpointError, "the encoder is made of layers", "model=model"):
        load_checkpoint(tmp_path / "a.npz")
    fresh = VAE(SHAPE, **own(shape=SHAPE, dtype="float32"))
    again, _ = load_checkpoint(tmp_path / "a.npz", model=fresh)
    assert again.model is fresh
    again.settings = Settings(epochs=4, batch=6)
    fit(again, x, progress=False)
    whole, _ = trained(4)
    assert again.history == whole.history
    assert fresh.params.theta.tobytes() == whole.model.params.theta.tobytes()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: VAE(SHAPE, **own(shape=SHAPE)), ("dtype = 'float32'", "'float64'")),
        (lambda: VAE(SHAPE, (H,), Z, rng=rng()), ("hidden = None", "[5]")),
        (
            lambda: VAE(SHAPE, **own(shape=SHAPE, dtype="float32"), free_bits=1),
            ("free_bits = 0.0", "1.0"),
        ),
        (lambda: Autoencoder(SHAPE, **own(shape=SHAPE, dtype="float32")), ("kind = 'vae'",)),
    ],
)
def test_another_model_is_refused(tmp_path, refuses, make, words):
    save_checkpoint(tmp_path / "a.npz", trained()[0])
    other = make()
    before = other.params.theta.copy()
    with refuses(CheckpointError, "a.npz", *words):
        load_checkpoint(tmp_path / "a.npz", model=other)
    np.testing.assert_array_equal(other.params.theta, before)


def test_a_kind_that_nobody_has_defined_is_named(tmp_path, refuses):
    named = Training(VAE(D, (H,), Z, rng=rng()), Adam(), rng(), Settings())
    named.model.kind = "nobody"
    save_checkpoint(tmp_path / "a.npz", named)
    with refuses(CheckpointError, "'nobody'", "import the file"):
        load_checkpoint(tmp_path / "a.npz")


# ---- a network by its name ----


@pytest.fixture
def toynet(tmp_path, monkeypatch):
    """A network that takes data in their shape, known as "toynet" for one test."""
    monkeypatch.chdir(tmp_path)
    known = dict(NETWORKS)

    class ToyNet(Network):
        name = "toynet"
        shaped = True
        options = {  # noqa: RUF012
            "fans": Option(int, (6, 4), "widths", many=True),
            "gate": Option(str, "tanh", "which gate", choices=("tanh", "sigmoid")),
            "activation": NETWORKS["mlp"].options["activation"],
        }

        def trunk(self, shape, *, rng, **where):
            scale = Scale(*shape, **where)
            first, *_ = self.fans
            n = int(np.prod(shape))
            return [
                scale,
                Reshape(-1, **where),
                Dense(n, first, self.gate, rng=rng, **where),
                Reshape(1, first, **where),
            ]

        def decoder(self, n_in, shape, n_out, *, rng, **where):
            return Sequential(
                Dense(n_in, self.fans[-1], self.activation, rng=rng, **where),
                Linear(self.fans[-1], n_out, rng=rng, **where),
                Reshape(*shape, -1, **where),
            )

    yield ToyNet
    NETWORKS.clear()
    NETWORKS.update(known)


def call(*words):
    try:
        return main([str(word) for word in words])
    except SystemExit as exit:
        return exit.code


TRAIN = ("train", "digits8", "--limit", 100, "--batch", 32, "--network", "toynet", "--quiet")


def test_a_named_network_is_one_class(toynet):
    model = VAE(SHAPE, latent=Z, network="toynet", fans=[3], rng=rng(), dtype="float64")
    model.params.theta[...] += 0.3 * rng().standard_normal(model.params.theta.shape)
    assert_gradients(model, tolerance=1e-7)
    assert model.hidden == ()
    config = json.loads(json.dumps(model.config))
    own_options = {"network": "toynet", "fans": [3], "gate": "tanh", "activation": "relu"}
    assert {name: config[name] for name in own_options} == own_options
    assert config["n_pixels"] == list(SHAPE)
    assert "hidden" not in config
    again = MODELS[config.pop("kind")](**config, rng=rng(9))
    assert again.config == model.config
    assert repr(model).startswith("VAE(12-toynet-2, bernoulli")


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
def test_the_command_trains_every_model_on_it(toynet, kind):
    words = ("--model", kind, "--latent", 2, "--fans", "5,3", "--gate", "sigmoid")
    of = ("train", "names", *TRAIN[2:]) if MODELS[kind].sequential else TRAIN
    assert call(*of, *words, "--epochs", 1, "--out", "half") == 0
    assert call("train", "--resume", "half", "--epochs", 3, "--quiet") == 0
    assert call(*of, *words, "--epochs", 3, "--out", "whole") == 0
    a, b = (open_run(name).training for name in ("half", "whole"))
    assert a.model.params.theta.tobytes() == b.model.params.theta.tobytes()
    assert a.model.halves.network.fans == (5, 3)
    config = json.loads(Path("half/config.json").read_text())
    assert config["options"]["network"] == config["model"]["network"] == "toynet"
    assert config["options"]["fans"] == config["model"]["fans"] == [5, 3]
    assert "hidden" not in config["options"]
    assert call("sample", "half", "--n", 3, "--out", "x.npz") == 0


def test_its_options_are_flags_of_the_command(toynet, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert call("train", "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "--network {mlp,conv,toynet} what encoder and decoder are made of (default: mlp)" in told
    assert "--fans [N ...] widths (default: 6 4)" in told
    assert call(*TRAIN, "--fans", 5, 3, "--epochs", 1, "--out", "a") == 0
    assert open_run("a").training.model.halves.network.fans == (5, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--hidden 3", "the network toynet has no such option, so it does not take --hidden"),
        ("--hidden 3", "or use --network mlp"),
        ("--gate relu", "invalid choice: 'relu'"),
        ("--fans 3,x", "'x' is no whole number"),
    ],
)
def test_what_the_network_does_not_take_is_refused(toynet, words, message, capsys):
    assert call(*TRAIN, *words.split()) == 2
    assert message in capsys.readouterr().err


def test_the_mlp_takes_none_of_anothers_options(toynet, capsys):
    assert call("train", "digits8", "--fans", 3) == 2
    err = capsys.readouterr().err
    assert "the network mlp has no such option, so it does not take --fans" in err
    assert "or use --network toynet" in err


def test_a_resumed_run_keeps_its_network(toynet, capsys):
    assert call(*TRAIN, "--epochs", 1, "--out", "a") == 0
    assert call("train", "--resume", "a", "--network", "mlp", "--epochs", 2) == 2
    assert "a was trained with toynet" in capsys.readouterr().err
