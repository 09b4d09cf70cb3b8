"""The check itself: how exact the numerical side is, and what it says where it is not."""

from functools import partial

import numpy as np
import pytest

from minivae import ops
from minivae.check import assert_gradients, check_all, check_gradients, table
from minivae.check.verdict.doubts import careful_slope
from minivae.check.verdict.numerical import best_central_slope, complex_slope, numerical_gradient
from minivae.check.verdict.twin import float64_twin
from minivae.engine.layer import Layer, Sequential
from minivae.errors import OptionError, ShapeError
from minivae.models import VAE, Autoencoder

RNG = np.random.default_rng(11)


def normal(**shapes):
    rng = np.random.default_rng(5)
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


# --- numerical derivatives ------------------------------------------------------------------------

SMOOTH = {
    "sum of sines": (lambda x: np.sum(np.sin(x)), np.cos),
    "exponential": (lambda x: np.sum(np.exp(x)), np.exp),
    "cubic": (lambda x: np.sum(x**3), lambda x: 3 * x**2),
    "ratio": (lambda x: np.sum(1 / (1 + x**2)), lambda x: -2 * x / (1 + x**2) ** 2),
    "steep": (lambda x: np.sum(np.tanh(50 * x)), lambda x: 50 * (1 - np.tanh(50 * x) ** 2)),
    "large offset": (lambda x: 1e6 + np.sum(np.sin(x)), np.cos),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_complex_step_is_exact(name):
    f, slope = SMOOTH[name]
    x = np.random.default_rng(1).standard_normal((3, 4))
    found = numerical_gradient(f, x, analytic=True)
    np.testing.assert_allclose(found.values, slope(x), rtol=1e-13, atol=1e-13)
    assert found.evaluations == x.size
    assert found.method == "complex step"


@pytest.mark.parametrize("name", SMOOTH)
def test_central_differences_know_their_error(name):
    f, slope = SMOOTH[name]
    x = np.random.default_rng(2).standard_normal((3, 4))
    found = numerical_gradient(f, x, analytic=False)
    actual = np.abs(found.values - slope(x))
    assert (actual <= 10 * found.errors + 1e-13).all()
    if name not in ("steep", "large offset"):
        assert actual.max() < 1e-10


def test_only_the_entries_that_are_asked_for():
    found = numerical_gradient(
        lambda x: np.sum(x**2), np.arange(6.0), analytic=True, entries=[4, 1]
    )
    np.testing.assert_array_equal(found.known, [False, True, False, False, True, False])
    np.testing.assert_allclose(found.values[[1, 4]], [2, 8], rtol=1e-15)
    assert found.evaluations == 2


@pytest.mark.parametrize("at", [0.0, 1e-9, 3e-6, -7e-5, 4e-4])
def test_a_kink_within_the_step_is_in_the_error(at):
    slope, error, _ = best_central_slope(
        lambda x: float(abs(x[0])), np.array([at]), np.ones(1), abs(at), 1e-9
    )
    assert abs(slope - np.sign(at)) <= 10 * error + 1e-9


def test_slope_along_a_direction():
    x, v = np.array([0.3, -1.2]), np.array([2.0, 1.0])
    expected = 2 * np.cos(0.3) + np.cos(-1.2)
    assert complex_slope(lambda x: np.sum(np.sin(x)), x, v) == pytest.approx(expected, rel=1e-14)
    slope, error, evaluations = careful_slope(lambda x: float(np.sum(np.sin(x))), x, v)
    assert slope == pytest.approx(expected, abs=10 * error)
    assert error < 1e-6
    assert evaluations == 39


# --- what it says ---------------------------------------------------------------------------------


def relu(x):
    return np.maximum(x, 0), x


def relu_backward(dy, x):
    return dy * (x > 0)


def test_kinks_everywhere_are_no_verdict():
    report = check_gradients(relu, relu_backward, {"x": np.zeros((3, 4))})
    assert report.verdict == "not checked"
    assert "12 of 12 entries were left out" in report["x"].reason
    with pytest.raises(AssertionError, match="NOT CHECKED"):
        assert_gradients(relu, relu_backward, {"x": np.zeros((3, 4))})


@pytest.mark.parametrize("at_kink", [0.0, 1.0, 0.5])
def test_some_kinks_are_left_out_whatever_is_returned_there(at_kink):
    x = np.array([[1.5, 0.0, -2.0, 0.7, -0.4]])
    report = check_gradients(relu, lambda dy, x: dy * np.where(x == 0, at_kink, x > 0), {"x": x})
    assert report.verdict == "right"


def test_a_mistake_beside_a_kink_is_found():
    x = np.array([[1.5, 0.0, -2.0, 0.7, -0.4]])
    report = check_gradients(relu, lambda dy, x: dy * np.where(x < 0, 0.5, x > 0), {"x": x})
    assert report.verdict == "wrong"
    assert report["x"].worst in [(0, 2), (0, 4)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("factor", [1.0, 1.01, -1.0])
def test_factor_of_one_percent(dtype, factor):
    report = check_gradients(
        lambda x: (np.tanh(x), np.tanh(x)),
        lambda dy, t: np.asarray(factor * dy * (1 - t**2), dy.dtype),
        normal(x=(4, 5)),
        dtype=dtype,
    )
    assert report.tolerance == {"float64": 1e-6, "float32": 2e-3}[dtype]
    assert report.verdict == ("right" if factor == 1 else "wrong")
    assert report["x"].error == pytest.approx(abs(factor - 1) / max(abs(factor), 1), abs=1e-6)


@pytest.mark.parametrize(("lost", "verdict"), [(1e5, "right"), (1e9, "not checked")])
def test_precision_is_not_called_a_mistake(lost, verdict):
    """In float32, digits are lost in (lost + dx) - lost; what is left is right, or nothing is."""

    def forward(x):
        return x**2, x

    def backward(dy, x):
        return (lost + 2 * dy * x) - lost

    inputs = {"x": 100 * np.random.default_rng(1).standard_normal((3, 4))}
    assert check_gradients(forward, backward, inputs, tolerance=1e-5).passed
    report = check_gradients(forward, backward, inputs, dtype="float32")
    assert report.verdict == verdict
    if verdict == "not checked":
        assert "right in float64" in report["x"].reason
    wrong = check_gradients(forward, lambda dy, x: dy * x, inputs, dtype="float32")
    assert wrong.verdict == "wrong"


def test_an_own_tolerance():
    options = {"inputs": normal(x=(3, 3)), "tolerance": 0.05}
    assert check_gradients(relu, lambda dy, x: 1.04 * dy * (x > 0), **options).passed
    assert not check_gradients(relu, lambda dy, x: 1.08 * dy * (x > 0), **options).passed


def test_upstream_gradients_are_not_the_users_numbers():
    """Inputs of seed 0, checked with seed 0: with dy == x, these would look right."""
    x = np.random.default_rng(0).standard_normal((4, 4))
    assert not check_gradients(relu, lambda dy, x: dy * (dy > 0), {"x": x}, seed=0).passed
    np.random.seed(0)  # noqa: NPY002
    eps = np.random.randn(4, 4)  # noqa: NPY002

    def again(dz, cache):
        return dz * np.random.randn(4, 4)  # noqa: NPY002

    inputs = {"sigma": np.ones((4, 4)), "eps": eps}
    assert not check_gradients(
        lambda sigma, eps: (sigma * eps, None), again, inputs, wrt=["sigma"], seed=0
    ).passed


# --- large arrays ---------------------------------------------------------------------------------


def product(x, w):
    return x * w, (x, w)


def test_of_a_large_array_entries_are_drawn_and_directions_tried():
    inputs = normal(x=(40, 50), w=(50,))
    report = check_gradients(product, lambda dy, c: (dy * c[1], (dy * c[0]).sum(0)), inputs)
    assert report.passed
    assert (report["x"].checked, report["w"].checked) == (150, 50)
    assert report.evaluations == 150 + 4 + 50
    assert np.isfinite(report["x"].numerical).sum() == 150


def test_a_single_wrong_entry_that_was_not_drawn_is_found():
    inputs = normal(x=(40, 50), w=(50,))

    def backward(dy, cache, *, at):
        x, w = cache
        dx = dy * w
        dx[at] *= 1.5
        return dx, (dy * x).sum(0)

    seen = set()
    for at in ((3, 4), (20, 7), (39, 49)):
        report = check_gradients(product, partial(backward, at=at), inputs)
        assert report["x"].verdict == "wrong"
        assert report["w"].verdict == "right"
        seen.add("along a random direction" in report["x"].reason)
    assert True in seen


def test_the_number_of_entries_is_a_choice():
    inputs = normal(x=(5, 6), w=(6,))
    report = check_gradients(
        product, lambda dy, c: (dy * c[1], (dy * c[0]).sum(0)), inputs, max_entries=7
    )
    assert report["x"].checked == 7
    assert report["w"].checked == 6


# --- forms of functions and of gradients ----------------------------------------------------------


def affine(x, w, b):
    return x @ w + b, (x, w)


AFFINE = normal(x=(3, 5), w=(5, 2), b=(2,))


def affine_gradients(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.sum(0)


@pytest.mark.parametrize(
    "form",
    [
        lambda dx, dw, db: (dx, dw, db),
        lambda dx, dw, db: [dx, dw, db],
        lambda dx, dw, db: {"x": dx, "w": dw, "b": db},
        lambda dx, dw, db: {"db": db, "dx": dx, "dw": dw},
        lambda dx, dw, db: {"grad_w": dw, "grad_b": db, "grad_x": dx},
    ],
    ids=["tuple", "list", "names", "d-names", "grad-names"],
)
def test_forms_of_gradients(form):
    report = check_gradients(affine, lambda dy, c: form(*affine_gradients(dy, c)), AFFINE)
    assert report.passed
    assert [array.name for array in report.arrays] == ["x", "w", "b"]


def test_forms_of_losses():
    inputs = normal(p=(3, 4), t=(3, 4))

    def loss(p, t):
        return np.sum((p - t) ** 2)

    def gradients(p, t):
        return 2 * (p - t), 2 * (t - p)

    def both(p, t):
        return loss(p, t), {"p": 2 * (p - t), "t": 2 * (t - p)}

    def pair(p, t):
        return loss(p, t), p - t

    assert check_gradients(loss, gradients, inputs).passed
    assert check_gradients(both, None, inputs).passed
    assert check_gradients(pair, lambda dloss, d: (2 * dloss * d, -2 * dloss * d), inputs).passed
    assert check_gradients(pair, lambda d: (2 * d, -2 * d), inputs).passed
    assert check_gradients(lambda p, t: (loss(p, t), None), gradients, inputs).passed
    report = check_gradients(loss, lambda p, t: 2 * (p - t), inputs)
    assert report.passed
    assert [array.name for array in report.arrays] == ["p"]
    assert report.notes == ["no gradient was returned for t, so none was checked"]


def test_forward_that_returns_its_output_alone():
    def forward(x, w):
        return x @ w

    inputs = normal(x=(3, 4), w=(4, 2))
    assert check_gradients(forward, lambda dout, x, w: (dout @ w.T, x.T @ dout), inputs).passed
    assert check_gradients(forward, lambda x, w, grad: (grad @ w.T, x.T @ grad), inputs).passed
    wrong = check_gradients(forward, lambda dout, x, w: (dout @ w.T, -x.T @ dout), inputs)
    assert [array.verdict for array in wrong.arrays] == ["right", "wrong"]


def test_two_outputs():
    def forward(x, s):
        return (x * np.exp(s), s.sum(axis=1)), (x, s)

    def backward(upstream, cache):
        dy, dlogdet = upstream
        x, s = cache
        return dy * np.exp(s), dy * x * np.exp(s) + dlogdet[:, None]

    assert check_gradients(forward, backward, normal(x=(3, 2), s=(3, 2))).passed


def test_a_gradient_that_belongs_to_nothing_is_mentioned():
    def backward(dy, cache):
        dx, dw, db = affine_gradients(dy, cache)
        return {"x": dx, "w": dw, "bias": db}

    report = check_gradients(affine, backward, AFFINE)
    assert [array.name for array in report.arrays] == ["x", "w"]
    assert any("no gradient was returned for b" in note for note in report.notes)
    assert any("a gradient called bias was returned" in note for note in report.notes)


def test_a_gradient_that_is_missing():
    report = check_gradients(
        affine, lambda dy, c: affine_gradients(dy, c)[:2], AFFINE, wrt=["x", "w", "b"]
    )
    assert report["b"].verdict == "wrong"
    assert report["b"].reason == "no gradient was returned for this argument"


@pytest.mark.parametrize(
    ("gradient", "shape"),
    [
        (lambda dy: dy, (3, 2)),
        (lambda dy: dy.sum(0, keepdims=True), (1, 2)),
        (lambda dy: dy.sum(), ()),
        (lambda dy: dy.sum(1), (3,)),
    ],
)
def test_a_gradient_of_another_shape(gradient, shape):
    def backward(dy, cache):
        return (*affine_gradients(dy, cache)[:2], gradient(dy))

    report = check_gradients(affine, backward, AFFINE)
    assert report["b"].verdict == "wrong"
    assert report["b"].reason == (f"the gradient has shape {shape}, but its argument has {(2,)}")
    assert report["x"].verdict == report["w"].verdict == "right"


@pytest.mark.parametrize(("factor", "verdict"), [(1, "right, but"), (2, "wrong")])
def test_a_single_example_may_come_back_as_a_row(factor, verdict):
    def forward(x, w):
        return x @ w, (x, w)

    def backward(dy, cache):
        x, w = cache
        return factor * dy[None] @ w.T, x[:, None] * dy

    report = check_gradients(forward, backward, normal(x=(3,), w=(3, 2)))
    assert report["x"].verdict == report.verdict == verdict
    if verdict != "wrong":
        assert report["x"].reason == "the right numbers, in the shape (1, 3) instead of (3,)"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite(value):
    def backward(dy, cache):
        dx, dw, db = affine_gradients(dy, cache)
        dw[1, 1] = value
        return dx, dw, db

    report = check_gradients(affine, backward, AFFINE)
    assert report["w"].verdict == "wrong"
    assert report["w"].reason == "the gradient holds NaN or infinity"
    assert report["w"].worst == (1, 1)


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda x: x[::-1],
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x.tolist(),
    ],
    ids=["columns first", "reversed", "strided", "list"],
)
def test_inputs_of_another_layout(change):
    inputs = {**AFFINE, "x": change(AFFINE["x"])}
    before = np.array(inputs["x"])
    assert check_gradients(affine, affine_gradients, inputs).passed
    np.testing.assert_array_equal(inputs["x"], before)


def test_integers_and_numbers_have_no_gradient():
    def forward(table, index, scale):
        return scale * table[index], (table.shape, index, scale)

    def backward(dy, cache):
        shape, index, scale = cache
        assert index.dtype.kind == "i"
        dtable = np.zeros(shape)
        np.add.at(dtable, index, scale * dy)
        return dtable

    inputs = {"table": RNG.standard_normal((4, 2)), "index": np.array([3, 0, 3]), "scale": 0.3}
    report = check_gradients(forward, backward, inputs)
    assert report.passed
    assert [array.name for array in report.arrays] == ["table"]


# --- layers, models, operations -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_layers(dtype):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3, 5))
    stack = Sequential(
        ops.Linear(5, 7, rng=rng, dtype=dtype),
        ops.Activation("tanh", dtype=dtype),
        ops.Linear(7, 2, rng=rng, dtype=dtype),
    )
    report = check_gradients(stack, inputs=(x,))
    assert report.passed
    assert [array.name for array in report.arrays] == ["x", "0.W", "0.b", "2.W", "2.b"]
    assert report.error < {"float64": 1e-9, "float32": 1e-5}[dtype]
    sample = ops.Reparameterize(dtype=dtype)
    mu, logvar, eps = rng.standard_normal((3, 4, 2))
    report = check_gradients(sample, inputs=(mu, logvar, eps))
    assert report.passed
    assert [array.name for array in report.arrays] == ["mu", "logvar"]


class Affine(Layer):
    """A layer as a user writes it, whose backward pass is handed in."""

    def __init__(self, gradients, dtype="float64"):
        super().__init__({"W": (5, 2), "b": (2,)}, dtype=dtype)
        self.params["W"][...] = np.random.default_rng(8).standard_normal((5, 2))
        self.gradients = gradients

    def forward(self, x):
        self.cache = (x,)
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dy):
        (x,) = self.saved()
        self.params.set_grads(**self.gradients(x, dy))
        return dy @ self.params["W"].T


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_layer_of_ones_own(dtype):
    x = np.random.default_rng(4).standard_normal((3, 5))

    def verdicts(gradients):
        layer = Affine(gradients, dtype)
        before = layer.params.theta.copy()
        report = check_gradients(layer, inputs=(x,))
        np.testing.assert_array_equal(layer.params.theta, before)
        return {array.name: array.verdict for array in report.arrays}

    right = {"x": "right", "W": "right", "b": "right"}
    assert verdicts(lambda x, dy: {"W": x.T @ dy, "b": dy.sum(0)}) == right
    assert verdicts(lambda x, dy: {"W": x.T @ dy, "b": dy.mean(0)}) == {**right, "b": "wrong"}
    # The views are filled with NaN before, so that one that is not written is seen.
    assert verdicts(lambda x, dy: {"W": x.T @ dy}) == {**right, "b": "wrong"}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", [VAE, Autoencoder])
def test_models(kind, dtype):
    rng = np.random.default_rng(6)
    model = kind(5, hidden=(4,), latent=2, activation="tanh", rng=rng, dtype=dtype)
    model.params.theta += (0.3 * rng.standard_normal(model.params.theta.shape)).astype(dtype)
    before = model.params.theta.copy()
    report = check_gradients(model)
    assert report.passed, str(report)
    assert report.error < {"float64": 1e-8, "float32": 1e-4}[dtype]
    np.testing.assert_array_equal(model.params.theta, before)
    assert model.params.dtype == np.dtype(dtype)


def test_a_model_that_loses_a_branch(monkeypatch):
    rng = np.random.default_rng(6)
    model = VAE(5, hidden=(4,), latent=2, activation="tanh", rng=rng, dtype="float64")
    model.params.theta += 0.3 * rng.standard_normal(model.params.theta.shape)

    def backward():
        dmu, dlogvar = model.objective.backward()
        model.encoder.backward(dmu, 0 * dlogvar)

    monkeypatch.setattr(model, "backward", backward)
    report = check_gradients(model)
    # The heads lie side by side; what is lost in the half of logvar spoils the whole parameter.
    assert report["encoder.heads.W"].verdict == report["encoder.heads.b"].verdict == "wrong"
    assert report["decoder.0.W"].verdict == report["decoder.1.W"].verdict == "right"


def test_the_float64_twin_is_a_copy_that_gives_the_same():
    rng = np.random.default_rng(6)
    model = VAE(5, hidden=(4,), latent=2, activation="tanh", rng=rng, dtype="float32")
    twin = float64_twin(model)
    assert twin.params.dtype == twin.encoder.params.dtype == np.float64
    assert model.params.dtype == model.params.theta.dtype == np.float32
    x = rng.integers(0, 2, (3, 5)).astype(float)
    eps = rng.standard_normal((3, 2))
    loss = model.forward(x.astype(np.float32), eps.astype(np.float32)).loss
    assert twin.forward(x, eps).loss == pytest.approx(float(loss), rel=1e-5)
    twin.params.theta[...] = 0
    assert not twin.decoder.params["0.W"].any()
    assert model.decoder.params["0.W"].any()
    model.held = open(__file__)  # noqa: SIM115
    assert float64_twin(model) is None
    model.held.close()


@pytest.mark.slow  # every model in small; those `test_every_model` has too
def test_all_of_minivae_is_right():
    reports = check_all(seed=0)
    assert all(report.verdict == "right" for report in reports), table(reports)
    assert max(report.error for report in reports) < 1e-8
    assert table(reports).endswith(f"{len(reports)} of {len(reports)} right")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_operation_by_its_module_or_case(dtype):
    assert check_gradients(ops.linear, dtype=dtype).passed
    assert check_gradients(ops.find_case("kl"), dtype=dtype, sizes={"B": 1, "Z": 7}).passed


# --- reports and refusals -------------------------------------------------------------------------


def test_assert_gradients_is_silent_or_says_it_all():
    assert assert_gradients(affine, affine_gradients, AFFINE) is None
    with pytest.raises(AssertionError) as caught:
        assert_gradients(affine, lambda dy, c: (dy @ c[1].T, c[0].T @ dy, dy.mean(0)), AFFINE)
    text = str(caught.value)
    assert "affine: WRONG" in text
    assert "db" in text
    assert max(map(len, text.splitlines())) <= 100


def test_evaluations_are_counted():
    calls = []

    def forward(x, w, b):
        calls.append(np.iscomplexobj(x) or np.iscomplexobj(w) or np.iscomplexobj(b))
        return affine(x, w, b)

    report = check_gradients(forward, affine_gradients, AFFINE)
    assert report.method == "complex step"
    assert report.evaluations == 15 + 10 + 2
    # Besides those, each array is tried once to see whether the complex step may be used.
    assert sum(calls) == report.evaluations + 3


def test_what_cannot_be_checked_is_refused(refuses):
    with refuses(OptionError, "'lineaer'"):
        check_gradients("lineaer")
    with refuses(OptionError, "int"):
        check_gradients(3)
    with refuses(OptionError, "inputs by name"):
        check_gradients(affine, affine_gradients)
    with refuses(OptionError, "inputs by name"):
        check_gradients(affine, affine_gradients, [np.ones(3)])
    with refuses(OptionError, "no array was given"):
        check_gradients(lambda n: (n, None), lambda dy, c: dy, {"n": 3.0})
    with refuses(OptionError, "called bias"):
        check_gradients(affine, lambda dy, c: {"bias": dy.sum(0)}, AFFINE)
    with refuses(ShapeError, "0 inputs"):
        check_gradients(ops.Activation("tanh"))


@pytest.mark.parametrize("name", ["reparameterize", "kl", "linear", "relu", "logmeanexp"])
def test_a_backward_that_takes_the_parts_of_the_cache(name):
    case = ops.find_case(name)
    inputs = case.draw(np.random.default_rng(3))
    report = check_gradients(case.forward, case.backward, inputs, wrt=list(case.vary))
    assert report.verdict == "right", str(report)


def test_an_operation_by_its_name_and_a_module_of_several():
    assert check_gradients("kl_between").passed
    with pytest.raises(OptionError, match=r"holds \d+ operations"):
        check_gradients(ops.dense)


def test_an_error_of_the_function_s_own_is_not_taken_for_a_want_of_memory():
    def backward(dy, cache):
        a, b = np.zeros(3)
        return a * b * dy

    with pytest.raises(ValueError, match="too many values to unpack"):
        check_gradients(lambda x: (x, ()), backward, {"x": np.ones(2)})
