"""The convolutional network: sizes, layers, the same step in PyTorch, and what it refuses."""

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae import Adam, Settings, Training
from minivae.check import assert_gradients
from minivae.cli.main import main
from minivae.engine.layer import Reshape, Sequential
from minivae.errors import OptionError, ShapeError
from minivae.models import GAN, VAE, Autoencoder, ConditionalVAE
from minivae.models.conv import Conv
from minivae.models.halves import Apart
from minivae.models.planes import Planes
from minivae.ops import BatchNorm, Conv2d, ConvTranspose2d, LayerNorm
from minivae.train.evaluate import evaluate
from minivae.train.loop import fit
from minivae.train.runs import open_run

on_each_backend = pytest.mark.usefixtures("each_backend")


def rng(seed=0):
    return np.random.default_rng(seed)


def vae(shape=(7, 6, 2), kind=VAE, latent=3, **options):
    small = {"channels": (4, 3), "kernel": 3, "hidden": (5,), "activation": "tanh"}
    return kind(
        shape, latent=latent, network="conv", rng=rng(), **{"dtype": "float64", **small, **options}
    )


def layers(net, kind):
    return [layer for layer in net.layers if type(layer) is kind]


# ---- sizes ----


@pytest.mark.parametrize(
    ("shape", "options", "sizes", "channels"),
    [
        ((28, 28, 1), {}, [(28, 28), (14, 14), (7, 7)], (32, 64)),
        ((8, 8, 1), {}, [(8, 8), (4, 4)], (32,)),
        ((64, 48, 3), {}, [(64, 48), (32, 24), (16, 12), (8, 6)], (32, 64, 128)),
        ((256, 256, 3), {"kernel": 5}, None, (32, 64, 128, 256, 256, 256)),
        ((9, 5, 1), {"channels": (2, 3)}, [(9, 5), (5, 3), (3, 2)], (2, 3)),
        ((9, 5, 1), {"channels": (2,), "stride": 3}, [(9, 5), (3, 2)], (2,)),
        ((9, 9, 1), {"stride": 1}, [(9, 9), (9, 9)], (32,)),
    ],
)
def test_sizes_and_the_usual_channels(shape, options, sizes, channels):
    network = Conv(**options)
    found = network.sizes(shape)
    assert network.channels == channels
    assert sizes is None or found == sizes


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(5, 7), (8, 6, 3)])
def test_every_size_comes_back_to_itself(shape, kernel, stride):
    model = vae(shape, kernel=kernel, stride=stride)
    D = int(np.prod(shape))
    assert model.decoder(there(np.zeros((2, 3)))).shape == (2, D)
    ups = layers(model.decoder, ConvTranspose2d)
    image = (2, *Conv(channels=(4, 3), kernel=kernel, stride=stride).sizes((*shape, 1)[:3])[-1], 3)
    for up in ups:
        image = up.output_shape(image)
    assert image == (2, *(*shape, 1)[:3])


def test_the_default_of_digits_is_that_of_the_benchmark():
    model = VAE((28, 28), latent=16, network="conv", rng=rng())
    assert model.params.theta.size == 1_688_289
    assert repr(model).startswith("VAE(784-conv32-conv64-256-16, relu, bernoulli, 1,688,289")
    first, second = layers(model.encoder.trunk, Conv2d)
    assert (first.c_in, first.c_out, second.c_out) == (1, 32, 64)
    assert first.sides((28, 28)) == second.sides((14, 14)) == ((1, 1), (1, 1))


# ---- norms ----


@pytest.mark.parametrize(("norm", "kind"), [("batch", BatchNorm), ("layer", LayerNorm)])
def test_a_norm_stands_between_but_not_where_data_come_in_or_are_given(norm, kind):
    model = vae(norm=norm)
    trunk, decoder = (
        [type(layer) for layer in net] for net in (model.encoder.trunk, model.decoder)
    )
    assert trunk[1:5] == [Conv2d, trunk[2], Conv2d, kind]
    assert decoder.count(kind) == 2
    assert decoder[-2:] == [ConvTranspose2d, Reshape]
    # A batch norm takes away a bias before it.
    convs = [*layers(model.encoder.trunk, Conv2d), *layers(model.decoder, ConvTranspose2d)]
    kept = ["b" in layer.params.shapes for layer in convs]
    assert kept == [True, norm == "layer", norm == "layer", True]


def test_running_moments_move_in_steps_alone_and_make_evaluation_another_function():
    model = vae(norm="batch", dtype="float32")
    x = rng(1).random((40, 84)).astype("float32")
    data, noise = model.prepare(there(x)), model.draw_noise(rng(2), 40)
    start = here(model.params.carried).copy()
    evaluate(model, x, rng=rng())
    model.reconstruct(data)
    assert_array_equal(model.params.carried, start)
    terms = model.step(data, noise)
    assert (here(model.params.carried) != start).any()
    moved = here(model.params.carried).copy()
    again = model.forward(data, noise)
    assert abs(float(again.loss) - float(terms.loss)) > 1e-3
    # In evaluation an example does not depend on those beside it.
    alone = model.forward(data[:1], noise[:1])
    assert_allclose(alone.nll, here(again.nll)[:1], rtol=1e-5)
    assert_array_equal(model.params.carried, moved)


def test_a_batch_of_one_that_is_one_number_for_each_channel_is_refused(refuses):
    model = vae((2, 2), channels=(3, 4), kernel=2, norm="batch", stride=1)
    x = model.prepare(there(np.zeros((1, 4))))
    model.step(x, model.draw_noise(rng(), 1))  # it has several pixels
    model = vae((4, 4), channels=(3, 4), kernel=2, norm="batch")
    x = model.prepare(there(np.zeros((1, 16))))
    with refuses(ShapeError, "(1, 1, 1, 4)", "two examples or more"):
        model.step(x, model.draw_noise(rng(), 1))


# ---- the same step in PyTorch ----


@pytest.mark.oracle
@on_each_backend
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("shape", [(8, 8), (7, 5, 3)])
def test_a_step_is_pytorchs(norm, shape):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    model = vae(shape, norm=norm, activation="relu", latent=2)
    model.params.theta[...] += there(0.2 * rng(3).standard_normal(model.params.theta.shape))
    D = int(np.prod(shape))
    x, eps = rng(1).random((6, D)), rng(2).standard_normal((6, 2))
    terms = model.step(model.prepare(there(x)), there(eps))
    theirs = {
        name: torch.tensor(here(model.params[name]), requires_grad=True) for name in model.params
    }

    def run(prefix, net, h):
        for i, layer in enumerate(net):
            p = {n: theirs[f"{prefix}.{i}.{n}"] for n in layer.params.shapes}
            kind = type(layer).__name__
            if kind in ("Linear", "Dense"):
                h = h @ p["W"] + p["b"]
                h = F.relu(h) if kind == "Dense" else h
            elif kind == "Reshape":
                h = h.reshape(len(h), *layer.shape)
            elif kind == "Activation":
                h = F.relu(h)
            elif kind == "BatchNorm":
                h = F.batch_norm(
                    h.movedim(-1, 1), None, None, p["gain"], p["bias"], training=True
                ).movedim(1, -1)
            elif kind == "LayerNorm":
                h = F.layer_norm(h, h.shape[-1:], p["gain"], p["bias"])
            else:
                image, W = h.permute(0, 3, 1, 2), p["W"].permute(3, 2, 0, 1)
                if kind == "Conv2d":
                    (top, bottom), (left, right) = layer.sides(h.shape[1:3])
                    h = F.conv2d(F.pad(image, (left, right, top, bottom)), W, p.get("b"), 2)
                else:
                    (top, bottom), (left, right) = layer.padding
                    y = F.conv_transpose2d(image, W, p.get("b"), 2)
                    h = y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]
                h = h.permute(0, 2, 3, 1)
        return h

    h = run("encoder.trunk", model.encoder.trunk, torch.tensor(x))
    heads = h @ theirs["encoder.heads.W"] + theirs["encoder.heads.b"]
    mu, logvar = heads[:, :2], heads[:, 2:]
    z = mu + torch.exp(logvar / 2) * torch.tensor(eps)
    logits = run("decoder", model.decoder, z)
    nll = F.binary_cross_entropy_with_logits(logits, torch.tensor(x), reduction="none").sum(1)
    kl = 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum(1)
    loss = (nll + kl).mean()
    loss.backward()
    assert_allclose(terms.loss, loss.item(), rtol=1e-12)
    for name in model.params:
        assert_allclose(
            model.params.grad_of(name), theirs[name].grad.numpy(), rtol=1e-9, atol=1e-12
        )


# ---- what comes beside an image, and several numbers for a pixel ----


def test_labels_are_planes():
    planes = Planes((2, 3, 1), 2, dtype="float64")
    x = rng().random((4, 8))
    y = planes(x)
    assert y.shape == planes.output_shape(x.shape) == (4, 2, 3, 3)
    np.testing.assert_array_equal(y[..., 0].reshape(4, 6), x[:, :6])
    np.testing.assert_array_equal(y[:, 1, 2, 1:], x[:, 6:])
    g = rng(1).standard_normal(y.shape)
    np.testing.assert_allclose((g * y).sum(), (planes.backward(g) * x).sum(), rtol=1e-12)


def test_a_label_of_a_conditional_model_moves_everything():
    model = vae((6, 5), ConditionalVAE, labels=("a", "b", "c"))
    assert type(model.encoder.trunk[0]) is Planes
    assert layers(model.encoder.trunk, Conv2d)[0].c_in == 1 + 3
    assert_gradients(model, tolerance=1e-7)
    x = rng(1).random((1, 30))
    codes = [
        here(model.encode(model.prepare(there(np.concatenate([x, np.eye(3)[None, k]], axis=1))))[0])
        for k in range(3)
    ]
    assert abs(codes[0] - codes[1]).max() > 1e-3
    # The decoder's weights of the label are drawn from N(0, 1), those of z by Glorot.
    wide = vae((6, 5), ConditionalVAE, labels=tuple("abcdefghij"), hidden=(400,))
    W = here(wide.decoder[0].params["W"])
    assert W[3:].std() == pytest.approx(1, rel=0.05)
    assert W[:3].std() < 0.2


@pytest.mark.parametrize(
    ("likelihood", "options"),
    [("categorical", {"levels": 3}), ("gaussian_learned", {}), ("gaussian_shared", {})],
)
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 2)])
def test_each_number_belongs_to_its_pixel(likelihood, options, shape):
    """The last convolution's bias alone: each kind of number is then the same at every pixel."""
    model = vae(shape, likelihood=likelihood, likelihood_options=options)
    assert_gradients(model, tolerance=1e-6)
    last = layers(
        model.decoder if type(model.decoder[0]) is not Sequential else model.decoder[0],
        ConvTranspose2d,
    )[-1]
    last.params["W"][...] = 0
    last.params["b"][...] = np.arange(last.c_out)
    out = here(model.decoder(there(np.ones((1, 3)))))[0]
    D, C = int(np.prod(shape)), shape[2] if len(shape) == 3 else 1
    if likelihood == "categorical":
        expected = np.tile(np.arange(3 * C).reshape(C, 3), (D // C, 1)).ravel()
    elif likelihood == "gaussian_learned":
        pairs = np.tile(np.arange(2 * C).reshape(C, 2), (D // C, 1))
        expected = np.concatenate([pairs[:, 0], pairs[:, 1]])
    else:
        expected = np.tile(np.arange(C), D // C)
    np.testing.assert_array_equal(out, expected)


def test_apart_is_a_permutation_and_its_own_adjoint():
    layer, x = Apart(2, dtype="float64"), np.arange(12.0).reshape(2, 6)
    assert layer(x)[0].tolist() == [0, 2, 4, 1, 3, 5]
    np.testing.assert_array_equal(layer.backward(layer(x)), x)


def test_the_data_get_no_gradient(monkeypatch):
    """What goes back stops at the first layer that has something to learn."""
    model = vae()
    x = model.prepare(there(rng(1).random((3, 84))))
    first = layers(model.encoder.trunk, Conv2d)[0]
    monkeypatch.setattr(first, "backward", lambda dy: pytest.fail("dx of the data was asked for"))
    model.step(x, model.draw_noise(rng(2), 3))
    assert abs(here(first.params.grad_of("W"))).max() > 0


# ---- it learns ----


@pytest.mark.parametrize("kind", [VAE, Autoencoder, GAN])
def test_it_learns_bars(kind):
    """Pictures of one bright row, 6 kinds of them: the loss falls to less than half."""
    row = rng(5).integers(0, 6, 240)
    x = np.zeros((240, 6, 6), "float32")
    x[np.arange(240), row] = 1
    options = {"channels": (8, 8), "hidden": (16,), "dtype": "float32", "norm": "batch"}
    model = vae((6, 6), kind, **options)
    training = Training(model, Adam(0.01), rng(6), Settings(epochs=12, batch=24))
    fit(training, x, progress=False)
    if kind is GAN:
        assert np.isfinite(training.history[-1]["g_loss"])
    else:
        assert training.history[-1]["nll"] < 0.5 * training.history[0]["nll"]


# ---- what does not fit ----


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernel": 1}, ("kernel of 1", "stride of 2", "seen by none")),
        ({"kernel": 0}, ("kernel=0", "at least 1")),
        ({"stride": 0}, ("stride=0", "at least 1")),
        ({"channels": (3, 0)}, ("channels=(3, 0)",)),
        ({"hidden": (-1,)}, ("hidden=(-1,)",)),
        ({"kernel": (3, 4)}, ("kernel=(3, 4)", "one number")),
        ({"leak": 1}, ("leak=1", "[0, 1)")),
        ({"norm": "group"}, ("norm='group'", "none, batch, layer")),
        ({"width": 3}, ("width", "channels, kernel, stride, norm, leak, hidden, activation")),
    ],
)
def test_options_are_checked(refuses, options, words):
    with refuses(OptionError, *words):
        vae(**options)


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        (84, {}, ("(84,)", "(H, W)", "--network mlp")),
        ((2, 3, 4, 5), {}, ("(2, 3, 4, 5)", "(H, W, C)")),
        ((7, 6), {"channels": (2,) * 5}, ("convolution 4 of 5", "7 x 6, 4 x 3, 2 x 2, 1 x 1")),
        ((7, 6), {"kernel": 15}, ("convolution 1 of 2", "kernel of 15", "7 x 6")),
        ((9, 2), {"stride": 3}, ("convolution 1 of 2", "stride of 3", "9 x 2")),
    ],
)
def test_images_that_do_not_fit_are_refused_with_their_sizes(refuses, shape, options, words):
    for kind in (VAE, Autoencoder, GAN):
        with refuses(ShapeError, *words):
            vae(shape, kind, **options)


def test_other_channels_are_refused(refuses):
    model = vae((7, 6, 3))
    for wrong in ((4, 7, 6), (4, 7, 6, 1), (4, 42)):
        with refuses(ShapeError, str(wrong), "(N, 126) or (N, 7, 6, 3)"):
            model.prepare(there(np.zeros(wrong)))


def test_the_output_of_a_convolution_has_no_bias_for_each_pixel(refuses):
    with refuses(OptionError, "no bias", "--bias-from-data"):
        vae((7, 6)).start_at(np.full(42, 0.5))


# ---- by the command ----


def call(*words):
    try:
        return main([str(word) for word in words])
    except SystemExit as exit:
        return exit.code


def test_a_table_is_refused_in_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(30)))
    assert call("train", "table.csv", "--network", "conv") == 2
    err = capsys.readouterr().err
    assert "data of shape (2,) were given, but the network 'conv' takes images" in err
    assert call("train", "digits8", "--network", "conv", "--channels", "2,2,2,2,2") == 2
    assert "8 x 8, 4 x 4, 2 x 2, 1 x 1" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "table.csv"]


@pytest.mark.slow
def test_colour_pictures_of_odd_sizes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("colours.npy", rng().integers(0, 256, (400, 9, 7, 3), "uint8"))
    words = "train colours.npy --network conv --channels 4,5 --norm batch --latent 2 --hidden 8"
    assert call(*words.split(), "--epochs", 1, "--batch", 40, "--out", "run") == 0
    run = open_run("run")
    assert run.training.model.shape == (9, 7, 3)
    assert "9 x 7 x 3" in capsys.readouterr().out
    for words in (
        "sample run --n 4 --out s.png",
        "reconstruct run --out r.png",
        "evaluate run",
        "explore run --out e",
        "explore run --html page.html",
        "anomaly score run colours.npy --out a.csv --map a.png",
    ):
        assert call(*words.split()) == 0, words


def test_what_is_chosen_by_the_data_is_recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = "train digits8 --network conv --latent 2 --hidden 8 --limit 40 --epochs 1 --out run"
    assert call(*words.split()) == 0
    model = open_run("run").training.model
    assert model.config["channels"] == [32]
    assert model.config["n_pixels"] == [8, 8]
    assert call("train", "--resume", "run", "--epochs", 2) == 0


def test_a_conditional_run_makes_new_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = "train digits8 --conditional --network conv --channels 4 --norm batch --hidden 8"
    assert call(*words.split(), "--limit", 100, "--epochs", 2, "--latent", 2, "--out", "run") == 0
    assert call("sample", "run", "--label", 7, "--n", 5, "--out", "sevens.png") == 0
    assert call("augment", "--run", "run", "--per-class", 3, "--out", "more.npz") == 0
    assert np.load("more.npz")["x"].shape == (30, 8, 8)
