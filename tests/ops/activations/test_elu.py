"""ELU by hand, against SymPy, and far out."""

import numpy as np
import pytest
import sympy as sp

from arrays import assert_allclose, here, there
from minivae.errors import OptionError
from minivae.ops import Activation
from minivae.ops.activations import elu_backward, elu_forward
from oracles import assert_derived

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def oracle(torch, x, alpha):
    return torch.nn.functional.elu(x, alpha=alpha)


def test_formula():
    x = sp.Symbol("x", real=True)
    assert_derived("elu", sp.Piecewise((x, x > 0), (sp.exp(x) - 1, True)), x)


@pytest.mark.parametrize(("options", "alpha"), [({}, 1), ({"alpha": 0.5}, 0.5), ({"alpha": 2}, 2)])
def test_by_hand(options, alpha):
    x = np.array([[-np.log(4), -np.log(2), 0.0, 0.5, 2.0]])
    y, cache = elu_forward(x, **options)
    np.testing.assert_allclose(y, [[-0.75 * alpha, -0.5 * alpha, 0, 0.5, 2]], rtol=1e-15)
    slopes = elu_backward(np.full_like(x, 3), *cache)
    np.testing.assert_allclose(slopes, [[0.75 * alpha, 1.5 * alpha, 3 * alpha, 3, 3]], rtol=1e-15)


@each_dtype
@pytest.mark.usefixtures("each_backend")
def test_far_out_and_near_zero(dtype):
    """The largest numbers overflow nowhere, the smallest keep their digits, and the slope too."""
    x = there(np.array([[-1e30, -1e4, -60, -1e-4, -1e-6, 1e-6, 88.5, 1e4, 1e30]]), dtype)
    wide = np.asarray(here(x), "float64")
    layer = Activation("elu", alpha=0.5, dtype=dtype)
    exact = np.where(wide > 0, wide, 0.5 * np.expm1(np.minimum(wide, 0)))
    close = {"rtol": 4 * np.finfo(dtype).eps, "atol": 1e-37}
    assert_allclose(layer.forward(x), exact, **close)
    slope = np.where(wide > 0, 1, 0.5 * np.exp(np.minimum(wide, 0)))
    assert_allclose(layer.backward(there(np.ones((1, 9)), dtype)), slope, **close)


@pytest.mark.usefixtures("each_backend")
def test_alpha_reaches_the_layer():
    x = there(np.array([[-1.0, 3.0]]), "float32")
    assert_allclose(Activation("elu").forward(x), [[np.expm1(-1), 3]], rtol=1e-6)
    layer = Activation("elu", alpha=np.float64(0.5))
    assert layer.forward(x).dtype == "float32"
    assert_allclose(layer.forward(x), [[0.5 * np.expm1(-1), 3]], rtol=1e-6)


def test_another_option_is_refused(refuses):
    with refuses(OptionError, "elu", "slope", "alpha"):
        Activation("elu", slope=0.1)
