"""What every likelihood must do."""

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.errors import DataError
from minivae.ops import CASES, LIKELIHOODS

each = pytest.mark.parametrize("name", LIKELIHOODS)
pytestmark = pytest.mark.usefixtures("each_backend")

N, D, K = 4, 5, 3


def make(name, dtype="float64"):
    """A likelihood, outputs of a decoder, and data that are drawn from it."""
    layer, rng = LIKELIHOODS[name](dtype=dtype), np.random.default_rng(1)
    out = there(rng.standard_normal((N, layer.output_width(D))), dtype)
    return layer, out, here(layer.draw(out, rng))


@each
def test_it_has_a_case_of_its_name(name):
    assert name in {case.name for case in CASES}


@each
def test_draws_have_the_dtype_of_the_layer_and_follow_the_seed(name):
    layer, out, _ = make(name, "float32")
    x = layer.draw(out, np.random.default_rng(4))
    assert x.shape == layer.mean(out).shape == (N, D)
    assert x.dtype == layer.mean(out).dtype == "float32"
    assert_array_equal(layer.draw(out, np.random.default_rng(4)), x)
    assert here(layer.draw(out, np.random.default_rng(5)) != x).any()


@each
@pytest.mark.parametrize("bad", [-0.1, 1.5, 255, float("nan"), float("inf")])
def test_only_one_of_real_numbers_takes_data_outside_the_unit_interval(name, bad, refuses):
    layer, x = LIKELIHOODS[name](), np.array([[0.0, bad, 1.0]])
    if layer.real:
        assert layer.note(x) == ""
        return
    with refuses(DataError, name, "[0, 1]", f"{bad:.4g}"):
        layer.note(x)


@each
def test_a_perfect_output_has_the_data_as_its_mean_and_none_is_likelier(name):
    layer, out, x = make(name)
    data = there(layer.encode_data(x))[:, None]
    several = there(np.repeat(here(out)[:, None], K, axis=1))
    perfect = layer.perfect(several, data)
    assert perfect.shape[1] in (1, K)
    assert_allclose(layer.mean(perfect[:, 0]), x, atol=1e-12)
    least = here(layer.forward(perfect, data))
    for step in (-0.1, 0.1):
        moved = here(perfect).copy()
        moved[..., 0] += step
        assert (here(layer.forward(there(moved), data)) >= least - 1e-12).all()


@each
def test_the_values_apart_add_up(name):
    layer, out, x = make(name)
    data = there(layer.encode_data(x))
    nll = here(layer.forward(out, data))
    each_value = layer.forward(*layer.values_apart(out, data))
    assert each_value.shape == (N * D,)
    assert_allclose(here(each_value).reshape(N, D).sum(axis=1), nll, rtol=1e-12)


@each
def test_the_bias_stands_for_the_mean(name):
    layer = LIKELIHOODS[name](dtype="float64")
    mean = np.array([0.2, 0.5, 0.7])
    out = there(np.asarray(layer.bias_for(mean))[None])
    assert out.shape == (1, layer.output_width(3))
    assert_allclose(layer.mean(out), mean[None], rtol=1e-9)


@each
def test_its_options_are_its_attributes_and_defaults(name):
    layer = LIKELIHOODS[name]()
    for option, (kind, default, text) in layer.options.items():
        assert getattr(layer, option) == default
        assert isinstance(default, kind)
        assert text
