"""Batch norm: what it does to a batch, what it carries on, and against PyTorch in both modes."""

import numpy as np
import pytest

from arrays import assert_allclose, here, there
from minivae.check import check_gradients
from minivae.engine.backend import get_backend
from minivae.errors import OptionError, ShapeError
from minivae.ops import BatchNorm
from minivae.ops.batch_norm import backward, forward

on_each_backend = pytest.mark.usefixtures("each_backend")
SHAPES = [(7, 3), (2, 3), (5, 4, 6, 3), (1, 2, 1, 3)]


def oracle(torch, x, gain, bias, eps):
    y = torch.nn.functional.batch_norm(
        x.permute(0, 3, 1, 2), None, None, gain, bias, training=True, eps=eps
    )
    return y.permute(0, 2, 3, 1)


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@on_each_backend
def test_by_hand():
    call = get_backend("auto").call
    x, one = there(np.array([[1.0], [3], [5], [7]])), there(np.ones(1))
    y, cache = call(forward, x, 2 * one, one, 11.0)  # mean 4, variance 5, root of 16
    assert_allclose(y, [[-0.5], [0.5], [1.5], [2.5]], rtol=1e-15)
    dx, dgain, dbias = call(backward, there(np.array([[4.0], [0], [0], [0]])), *cache)
    assert_allclose(dgain, [-3], rtol=1e-15)
    assert_allclose(dbias, [4], rtol=1e-15)
    # g r (dy - mean of dy - h mean of dy h), with h = -3/4, -1/4, 1/4, 3/4 and g r = 1/2
    want = 0.5 * (np.array([4.0, 0, 0, 0]) - 1 - np.array([-3, -1, 1, 3]) / 4 * -3 / 4)
    assert_allclose(here(dx)[:, 0], want, rtol=1e-14)


@on_each_backend
@pytest.mark.parametrize("shape", SHAPES)
def test_channels_get_mean_bias_and_standard_deviation_gain(shape):
    layer = BatchNorm(3, eps=1e-12, dtype="float64")
    layer.params["gain"][...], layer.params["bias"][...] = (
        there([2.0, 0.5, -1]),
        there([1.0, -3, 0]),
    )
    with layer.params.training:
        y = here(layer(there(5 + 7 * drawn(shape)))).reshape(-1, 3)
    np.testing.assert_allclose(y.mean(axis=0), [1, -3, 0], rtol=0, atol=1e-13)
    np.testing.assert_allclose(y.std(axis=0), [2, 0.5, 1], rtol=1e-10)


@on_each_backend
@pytest.mark.parametrize("shape", SHAPES)
def test_the_sum_of_dx_over_the_batch_is_0(shape):
    call = get_backend("auto").call
    gain, bias = (there(drawn(3, seed)) for seed in (1, 2))
    _, cache = call(forward, there(drawn(shape)), gain, bias, 1e-5)
    dx, _, _ = call(backward, there(drawn(shape, 3)), *cache)
    total = here(dx).reshape(-1, 3).sum(axis=0)
    np.testing.assert_allclose(total, 0, rtol=0, atol=1e-13)


@on_each_backend
def test_to_move_or_stretch_the_batch_changes_nothing():
    call = get_backend("auto").call
    gain, bias = (there(drawn(3, seed)) for seed in (1, 2))
    x = drawn((7, 3))
    y, cache = call(forward, there(x), gain, bias, 1e-30)
    moved, _ = call(forward, there(100 + 9 * x), gain, bias, 1e-30)
    assert_allclose(moved, here(y), rtol=0, atol=1e-12)
    # So dx has no part along x either.
    dx, _, _ = call(backward, there(drawn((7, 3), 3)), *cache)
    np.testing.assert_allclose((here(dx) * x).sum(axis=0), 0, rtol=0, atol=1e-13)


@on_each_backend
def test_the_examples_of_a_batch_are_coupled_in_training_alone():
    layer = BatchNorm(3, dtype="float64")
    dy = np.zeros((4, 3))
    dy[0] = 1, -2, 3
    for training, others in ((True, 9), (False, 0)):
        layer.params.training.depth = int(training)
        layer(there(drawn((4, 3))))
        assert np.count_nonzero(here(layer.backward(there(dy)))[1:]) == others


@pytest.mark.oracle
@on_each_backend
@pytest.mark.parametrize("shape", SHAPES)
def test_layer_is_pytorchs_step_after_step_and_in_evaluation(shape):
    torch = pytest.importorskip("torch")
    layer = BatchNorm(3, momentum=0.3, eps=1e-3, dtype="float64")
    kind = torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d
    theirs = kind(3, momentum=0.3, eps=1e-3, dtype=torch.float64)
    gain, bias = drawn(3, 8), drawn(3, 9)
    layer.params["gain"][...], layer.params["bias"][...] = there(gain), there(bias)
    theirs.weight.data, theirs.bias.data = torch.tensor(gain), torch.tensor(bias)
    for step, training in enumerate((True, True, True, False)):
        layer.params.training.depth = int(training)
        theirs.train(training)
        x, dy = 2 + 3 * drawn(shape, step), drawn(shape, 10 + step)
        tensor = torch.tensor(x, requires_grad=True)
        theirs.zero_grad()
        want = theirs(tensor.movedim(-1, 1)).movedim(1, -1)
        want.backward(torch.tensor(dy))
        assert_allclose(layer(there(x)), want.detach().numpy(), rtol=0, atol=1e-12)
        assert_allclose(layer.backward(there(dy)), tensor.grad.numpy(), rtol=0, atol=1e-12)
        for ours, theirs_ in (
            (layer.params.grad_of("gain"), theirs.weight.grad),
            (layer.params.grad_of("bias"), theirs.bias.grad),
            (layer.params.carried_of("mean"), theirs.running_mean),
            (layer.params.carried_of("var"), theirs.running_var),
        ):
            assert_allclose(ours, theirs_.numpy(), rtol=0, atol=1e-12)


@on_each_backend
def test_what_is_carried_on_moves_in_training_alone():
    layer = BatchNorm(2, momentum=0.5, dtype="float64")
    x = there(np.array([[1.0, 4], [3, 8]]))
    layer(x)
    assert here(layer.params.carried).tolist() == [0, 0, 1, 1]
    with layer.params.training:
        layer(x)
    assert here(layer.params.carried).tolist() == [1, 3, 1.5, 4.5]
    with layer.params.rehearsal():
        layer(x)
    assert here(layer.params.carried).tolist() == [1, 3, 1.5, 4.5]


def test_the_doctor_finds_it_right_for_rows_and_for_images():
    for shape in ((4, 3), (2, 3, 2, 3)):
        report = check_gradients(BatchNorm(3, dtype="float64"), inputs=[drawn(shape)])
        assert report.passed, report


@on_each_backend
@pytest.mark.parametrize("shape", [(1, 3), (1, 1, 1, 3)])
def test_a_batch_of_one_number_for_each_channel_is_refused_in_training(shape, refuses):
    layer = BatchNorm(3, dtype="float64")
    with layer.params.training, refuses(ShapeError, str(shape), "two examples or more"):
        layer(there(np.ones(shape)))
    assert here(layer.params.carried).tolist() == [0, 0, 0, 1, 1, 1]
    assert_allclose(layer(there(np.ones(shape))), np.full(shape, 1 / np.sqrt(1 + 1e-5)))


@on_each_backend
def test_an_empty_batch_moves_nothing():
    layer = BatchNorm(3, dtype="float64")
    with layer.params.training:
        assert layer(there(np.zeros((0, 3)))).shape == (0, 3)
    assert here(layer.params.carried).tolist() == [0, 0, 0, 1, 1, 1]


@on_each_backend
def test_large_means_in_float32():
    x = (drawn((64, 8, 8, 2)) + 1000).astype("float32")
    one = there(np.ones(2), "float32")
    y, _ = get_backend("auto").call(forward, there(x), one, 0 * one, 1e-5)
    exact, _ = forward(x.astype("float64"), np.ones(2), np.zeros(2), 1e-5)
    assert_allclose(y, exact, rtol=0, atol=2e-3)  # the mean itself is rounded to 6e-5


@on_each_backend
def test_options_and_shapes_are_checked(refuses):
    for options, words in [
        ({"channels": 0}, "BatchNorm(0"),
        ({"momentum": 0}, "momentum=0"),
        ({"momentum": 1.5}, "momentum=1.5"),
        ({"eps": 0}, "eps=0"),
    ]:
        with refuses(OptionError, words):
            BatchNorm(**{"channels": 3, **options})
    with refuses(ShapeError, "(4, 2)", "(..., 3)"):
        BatchNorm(3)(there(np.zeros((4, 2)), "float32"))
    assert repr(BatchNorm(3)) == "BatchNorm(3, momentum=0.1, eps=1e-05)"
    assert BatchNorm(3).output_shape((5, 4, 4, 3)) == (5, 4, 4, 3)
