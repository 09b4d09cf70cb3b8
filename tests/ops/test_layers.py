"""Every layer is its pair with memory and a guarded door; what the likelihoods add to that."""

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.errors import BackendError, DataError, DtypeError, OptionError, ShapeError, StateError
from minivae.ops import (
    ACTIVATIONS,
    CASES,
    KL,
    LIKELIHOODS,
    Activation,
    Bernoulli,
    Categorical,
    Clamp,
    Dense,
    Dropout,
    Gaussian,
    GaussianLearned,
    GaussianShared,
    KLBetween,
    Linear,
    LogMeanExp,
    Reparameterize,
    find_case,
)

pytestmark = pytest.mark.usefixtures("each_backend")


def rng(seed=1):
    return np.random.default_rng(seed)


LAYERS = {
    "linear": lambda dtype: Linear(5, 7, rng=rng(), dtype=dtype),
    "dense_relu": lambda dtype: Dense(5, 7, "relu", rng=rng(), dtype=dtype),
    "dense_tanh": lambda dtype: Dense(5, 7, "tanh", rng=rng(), dtype=dtype),
    **{
        name: lambda dtype, name=name: Activation(name, dtype=dtype, **find_case(name).options)
        for name in ACTIVATIONS
    },
    "clamp": lambda dtype: Clamp(-0.8, 0.5, dtype=dtype),
    "reparameterize": lambda dtype: Reparameterize(dtype=dtype),
    "kl": lambda dtype: KL(dtype=dtype),
    "kl_between": lambda dtype: KLBetween(dtype=dtype),
    "bernoulli": lambda dtype: Bernoulli(dtype=dtype),
    "gaussian": lambda dtype: Gaussian(0.6, dtype=dtype),
    "gaussian_shared": lambda dtype: GaussianShared(dtype=dtype),
    "gaussian_learned": lambda dtype: GaussianLearned(dtype=dtype),
    "categorical": lambda dtype: Categorical(17, dtype=dtype),
    "logmeanexp": lambda dtype: LogMeanExp(dtype=dtype),
    "dropout": lambda dtype: Dropout(0.7, dtype=dtype),
}
ELEMENTWISE = {*ACTIVATIONS, "clamp", "dropout"}
WITHOUT_LAYER = {"log_weights", "fork", "split"}

each_layer = pytest.mark.parametrize("name", LAYERS)


def packed(case, arrays, layer):
    """A case's arrays, values or gradients, in the form in which the layer takes them."""
    if case.name == "gaussian_learned":
        out = np.concatenate([arrays["mean"], arrays["logvar"]], axis=1)
        arrays = {"out": out, **{name: arrays[name] for name in arrays if name == "x"}}
    if case.name == "categorical":
        B, D, L = next(iter(arrays.values())).shape
        arrays = {name: array.reshape(B, D * L) for name, array in arrays.items()}
    return [array for name, array in arrays.items() if name not in layer.params]


def build(name, dtype="float64", sizes=None):
    """A layer, its inputs, the pair's output, an upstream gradient, and the pair's gradients."""
    case, layer = find_case(name), LAYERS[name](dtype)
    arguments = case.draw(rng(2), sizes, dtype)
    for parameter in layer.params:
        layer.params[parameter][...] = there(arguments[parameter])
    y, cache = case.forward(**arguments, **case.options)
    dy = rng(3).standard_normal(y.shape).astype(dtype)
    inputs = [there(array) for array in packed(case, arguments, layer)]
    return layer, inputs, y, there(dy), case.gradients(dy, cache)


def test_every_operation_is_covered():
    assert set(LAYERS) == {case.name for case in CASES} - WITHOUT_LAYER
    assert set(LIKELIHOODS) <= set(LAYERS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("B", [3, 1, 0])
@each_layer
def test_layer_equals_its_pair_and_overwrites_gradients(name, B, dtype, each_backend):
    def same(have, want):
        """The reference to the last bit; a kernel to rounding."""
        if each_backend == "numpy":
            assert_array_equal(have, want)
        else:
            tolerance = 50 * np.finfo(dtype).eps
            assert_allclose(have, want, rtol=tolerance, atol=tolerance)

    layer, inputs, y, dy, gradients = build(name, dtype, {"B": B})
    layer.params.grad[...] = np.nan
    for _ in range(2):  # the second time would show what is accumulated
        same(layer(*inputs), y)
        returned = layer.backward(dy)
        returned = returned if isinstance(returned, tuple) else (returned,)
        expected = packed(find_case(name), gradients, layer)
        for have, want in zip(returned, expected, strict=True):
            assert have.dtype == dtype
            assert have.shape == want.shape
            same(have, want)
        for parameter in layer.params:
            same(layer.params.grad_of(parameter), gradients[parameter])


@each_layer
def test_backward_before_forward(name, refuses):
    layer, _, _, dy, _ = build(name)
    with refuses(StateError, type(layer).__name__, "forward"):
        layer.backward(dy)


@each_layer
def test_inputs_are_checked_at_the_door(name, refuses):
    layer, inputs, _, dy, _ = build(name)
    label = type(layer).__name__
    for i, array in enumerate(inputs):

        def forward(other, i=i):
            layer.forward(*inputs[:i], other, *inputs[i + 1 :])

        with refuses(DtypeError, label, "float32", "float64"):
            forward(array.astype("float32"))
        with refuses(DtypeError, label, "int64"):
            forward(array.astype("int64"))
        with refuses(BackendError, "list", label, layer.backend.name):
            forward(array.tolist())
        if i > 0 or name not in ELEMENTWISE:
            with refuses(ShapeError, label, str((*array.shape, 1))):
                forward(array[..., None])
        if len(inputs) > 1:
            with refuses(ShapeError, label, "(3, ", "(2, "):
                forward(array[1:])

    layer.forward(*inputs)
    with refuses(ShapeError, label, str(dy[1:].shape), str(dy.shape)):
        layer.backward(dy[1:])
    with refuses(DtypeError, label, "float32"):
        layer.backward(dy.astype("float32"))


def test_linear_names_the_width_it_expects(refuses):
    layer = Linear(5, 7, rng=rng())
    with refuses(ShapeError, "(3, 4)", "(B, 5)"):
        layer.forward(there(np.zeros((3, 4)), "float32"))
    assert layer.output_shape((3, 5)) == (3, 7)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Linear(0, 3, rng=rng()), "Linear(0, 3)"),
        (lambda: Linear(3, 2, rng=rng(), init="best"), "'best'"),
        (lambda: Activation("swoosh"), "'swoosh'"),
        (lambda: Activation("tanh", slope=0.1), "slope"),
        (lambda: Activation("leaky_relu", steepness=0.1), "steepness"),
        (lambda: Clamp(1, 1), "1 to 1"),
        (lambda: Clamp(float("nan"), 1), "nan"),
        (lambda: Dropout(0), "keep=0"),
        (lambda: Dropout(1.5), "keep=1.5"),
        (lambda: Gaussian(0), "sigma=0"),
        (lambda: Gaussian(float("inf")), "sigma=inf"),
        (lambda: Categorical(1), "levels=1"),
        (lambda: find_case("convolution"), "'convolution'"),
    ],
)
def test_options_are_checked(make, words, refuses):
    with refuses(OptionError, words):
        make()


def test_options_given_as_numpy_numbers_do_not_promote_the_result():
    x = there(np.ones((2, 3)), "float32")
    half = np.float64(0.5)
    assert Dropout(half).forward(x, x).dtype == "float32"
    assert Activation("leaky_relu", slope=half).forward(-x).dtype == "float32"
    assert Clamp(half / 2, half).forward(x).dtype == "float32"
    assert Gaussian(half).forward(x, x).dtype == "float32"


@pytest.mark.parametrize("init", ["glorot", "he", "zeros"])
def test_linear_starts_from_its_initialiser_and_a_zero_bias(init):
    layer = Linear(50, 40, rng=rng(), init=init)
    assert not here(layer.params["b"]).any()
    variance = {"glorot": 2 / 90, "he": 2 / 50, "zeros": 0}[init]
    # 2000 numbers; five standard errors of a normal's variance are 16 %
    assert_allclose(here(layer.params["W"]).var(), variance, rtol=0.16)


# ---- dropout ----


def test_dropout_uses_the_mask_it_is_given():
    layer, x = Dropout(0.5), there(np.arange(1, 7).reshape(2, 3), "float32")
    mask = there([[1, 0, 1], [0, 0, 1]], "float32")
    assert_array_equal(layer.forward(x, mask), [[2, 0, 6], [0, 0, 12]])
    assert_array_equal(layer.backward(x), [[2, 0, 6], [0, 0, 12]])


def test_dropout_without_a_mask_does_nothing():
    layer, x = Dropout(0.5), there(np.ones((2, 3)), "float32")
    layer.forward(x, 0 * x)
    assert_array_equal(layer.forward(x), x)
    assert_array_equal(layer.backward(3 * x), 3 * x)


def test_dropout_keeps_the_share_it_is_asked_to():
    layer = Dropout(0.8)
    mask = here(layer.draw_noise(rng(), (200, 200)))
    assert mask.dtype == "float32"
    assert set(np.unique(mask)) == {0, 1}
    assert abs(mask.mean() - 0.8) < 5 * np.sqrt(0.8 * 0.2 / mask.size)
    assert here(Dropout(1.0).draw_noise(rng(), (200, 200))).all()


# ---- what the likelihoods add ----


def test_widths():
    for kind, data, out in [
        (Bernoulli(), 6, 6),
        (Gaussian(), 6, 6),
        (GaussianShared(), 6, 6),
        (GaussianLearned(), 6, 12),
        (Categorical(4), 24, 24),
    ]:
        assert kind.data_width(6) == data
        assert kind.output_width(6) == out
        assert LIKELIHOODS[kind.name] is type(kind)


def test_notes_say_when_the_bound_is_no_likelihood():
    binary, grey = np.array([[0.0, 1.0]]), np.array([[0.0, 0.5]])
    assert Bernoulli().note(binary) == ""
    assert "not a bound" in Bernoulli().note(grey)
    assert "4 levels" in Categorical(4).note(grey)
    for kind in [Gaussian, GaussianShared, GaussianLearned]:
        assert kind().note(255 * grey) == ""


@pytest.mark.parametrize("bad", [-0.1, 1.5, 255, float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [Bernoulli, Categorical])
def test_data_outside_the_unit_interval_are_refused(kind, bad, refuses):
    x = np.array([[0.0, bad, 1.0]])
    with refuses(DataError, kind.name, "[0, 1]", f"{bad:.4g}"):
        kind().note(x)


def test_categorical_levels():
    layer = Categorical(4, dtype="float64")
    x = np.array([[0, 0.24, 0.25, 0.5, 0.99, 1]])
    one_hot = layer.encode_data(x)
    assert one_hot.shape == (1, 24)
    assert one_hot.reshape(6, 4).argmax(axis=1).tolist() == [0, 0, 1, 2, 3, 3]
    assert one_hot.sum() == 6
    assert layer.encode_data(np.zeros((0, 6))).shape == (0, 24)
    # Logits that are sure of a level: the mean is that level's grey value, l / (L - 1).
    assert_allclose(layer.mean(there(1e3 * one_hot)), [[0, 0, 1 / 3, 2 / 3, 1, 1]])
    assert_allclose(layer.draw(there(1e3 * one_hot), rng()), [[0, 0, 1 / 3, 2 / 3, 1, 1]])


def test_categorical_refuses_a_width_that_is_no_multiple_of_its_levels(refuses):
    layer, x = Categorical(4), there(np.zeros((2, 9)), "float32")
    with refuses(ShapeError, "9", "4 levels"):
        layer.forward(x, x)


def test_draws_have_the_dtype_of_the_layer_and_follow_the_seed():
    for name, kind in LIKELIHOODS.items():
        layer = kind()
        out = there(rng().standard_normal((3, layer.output_width(5))), "float32")
        x = layer.draw(out, rng(4))
        assert x.shape == layer.mean(out).shape == (3, 5), name
        assert x.dtype == layer.mean(out).dtype == "float32", name
        assert_array_equal(layer.draw(out, rng(4)), x)
        assert here(layer.draw(out, rng(5)) != x).any(), name
