"""The gated recurrent unit: PyTorch's; one step; padding; what is carried over many steps."""

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.errors import OptionError, ShapeError
from minivae.ops import GRU, find_case
from minivae.ops.activations.sigmoid import sigmoid_forward
from minivae.ops.dense import Dense
from minivae.ops.gru import backward, forward

on_each_backend = pytest.mark.usefixtures("each_backend")
NAMES = ("x", "h0", "W", "U", "b", "c")


def oracle(torch, x, h0, W, U, b, c):
    """PyTorch's, whose weights are (3 H, I), and which has a bias for each of both products."""
    H = h0.shape[1]
    there_b = torch.cat([torch.zeros(2 * H, dtype=c.dtype), c])
    weights = [W.T, U.T, b, there_b]
    flat = [w.contiguous() for w in weights]
    y, _ = torch._VF.gru(x, h0[None], flat, True, 1, 0.0, False, False, True)
    return y


def drawn(B=4, T=5, I=3, H=6, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"x": (B, T, I), "h0": (B, H), "W": (I, 3 * H), "U": (H, 3 * H), "b": (3 * H,)}
    return {name: rng.standard_normal(shape) for name, shape in {**shapes, "c": (H,)}.items()}


def layer_with(arrays):
    layer = GRU(
        *arrays["W"].shape[:1], len(arrays["c"]), rng=np.random.default_rng(0), dtype="float64"
    )
    for name in ("W", "U", "b", "c"):
        layer.params[name][...] = there(arrays[name])
    return layer


@pytest.mark.oracle
@on_each_backend
@pytest.mark.parametrize("sizes", [{}, {"T": 1}, {"B": 1, "H": 1}, {"T": 30}])
def test_layer_is_pytorchs(sizes):
    torch = pytest.importorskip("torch")
    arrays = drawn(**sizes)
    layer, H = layer_with(arrays), len(arrays["c"])
    its = torch.nn.GRU(arrays["x"].shape[2], H, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        its.weight_ih_l0[...] = torch.tensor(arrays["W"].T)
        its.weight_hh_l0[...] = torch.tensor(arrays["U"].T)
        its.bias_ih_l0[...] = torch.tensor(arrays["b"])
        its.bias_hh_l0[...] = torch.tensor(np.concatenate([np.zeros(2 * H), arrays["c"]]))
    x, h0 = (torch.tensor(arrays[name], requires_grad=True) for name in ("x", "h0"))
    want, _ = its(x, h0[None])
    assert_allclose(
        layer(there(arrays["x"]), there(arrays["h0"])), want.detach().numpy(), rtol=0, atol=1e-13
    )
    dy = np.random.default_rng(1).standard_normal(want.shape)
    want.backward(torch.tensor(dy))
    dx, dh0 = layer.backward(there(dy))
    grad, tolerance = layer.params.grad_of, {"rtol": 0, "atol": 1e-12}
    assert_allclose(dx, x.grad.numpy(), **tolerance)
    assert_allclose(dh0, h0.grad.numpy(), **tolerance)
    assert_allclose(grad("W"), its.weight_ih_l0.grad.numpy().T, **tolerance)
    assert_allclose(grad("U"), its.weight_hh_l0.grad.numpy().T, **tolerance)
    assert_allclose(grad("b"), its.bias_ih_l0.grad.numpy(), **tolerance)
    assert_allclose(grad("c"), its.bias_hh_l0.grad.numpy()[2 * H :], **tolerance)


def test_one_step_from_nothing_is_dense_layers():
    """With h0 = 0 and c = 0, h = (1 - u) tanh(x Wn + bn): two dense layers, and their product."""
    arrays = drawn(T=1)
    arrays["h0"][...] = arrays["c"][...] = 0
    H, x = 6, arrays["x"][:, 0]
    made = {}
    for name, activation, columns in (
        ("u", "sigmoid", slice(H, 2 * H)),
        ("n", "tanh", slice(2 * H, None)),
    ):
        made[name] = Dense(
            3, H, activation, rng=np.random.default_rng(0), dtype="float64", backend="numpy"
        )
        made[name].params["W"][...] = arrays["W"][:, columns]
        made[name].params["b"][...] = arrays["b"][columns]
    u, n = made["u"](x), made["n"](x)
    y, cache = forward(**arrays)
    np.testing.assert_allclose(y[:, 0], (1 - u) * n, rtol=0, atol=1e-15)
    dy = np.random.default_rng(2).standard_normal(y.shape)
    dx = made["u"].backward(-dy[:, 0] * n) + made["n"].backward(dy[:, 0] * (1 - u))
    np.testing.assert_allclose(backward(dy, *cache)[0][:, 0], dx, rtol=0, atol=1e-14)


def test_each_step_is_the_one_after_the_other():
    arrays = drawn(T=5)
    y, _ = forward(**arrays)
    h = arrays["h0"]
    for t in range(5):
        (step, _) = forward(**{**arrays, "x": arrays["x"][:, t : t + 1], "h0": h})
        np.testing.assert_allclose(step[:, 0], y[:, t], rtol=0, atol=1e-15)
        h = step[:, 0]


@on_each_backend
def test_padded_steps_get_exactly_no_gradient_and_give_none():
    arrays = drawn()
    layer, rng = layer_with(arrays), np.random.default_rng(3)
    lengths = np.array([5, 2, 3, 1])
    scored = np.arange(5) < lengths[:, None]
    dy = rng.standard_normal((4, 5, 6)) * scored[..., None]
    other = np.where(scored[..., None], arrays["x"], 1e3 * rng.standard_normal((4, 5, 3)))
    found = []
    for x in (arrays["x"], other):
        layer(there(x), there(arrays["h0"]))
        dx, dh0 = layer.backward(there(dy))
        found.append([here(dx).copy(), here(dh0).copy(), here(layer.params.grad).copy()])
    for mine, its in zip(*found, strict=True):
        assert_array_equal(mine, its)
    assert not found[0][0][~scored].any()
    assert (found[0][0][scored] != 0).all()


def test_an_open_path_hands_the_gradient_on_whole_over_a_hundred_steps():
    arrays = drawn(T=100, H=2)
    arrays["U"][...] = 0
    arrays["W"][...] = 0
    arrays["b"][2:4] = 40.0  # u is 1 to the last digit
    y, cache = forward(**arrays)
    np.testing.assert_array_equal(y[:, -1], arrays["h0"])
    dy = np.zeros_like(y)
    dy[:, -1] = 1
    np.testing.assert_array_equal(backward(dy, *cache)[1], np.ones((4, 2)))


def test_the_update_gate_keeps_and_is_not_its_rest():
    arrays = drawn(T=1)
    y, (_, _, gates, _, _) = forward(**arrays)
    _, u, n, _ = (gates[:, 0, i] for i in range(4))
    a = arrays["x"][:, 0] @ arrays["W"] + arrays["b"] + 0
    s = arrays["h0"] @ arrays["U"]
    np.testing.assert_allclose(u, sigmoid_forward(a[:, 6:12] + s[:, 6:12])[0], atol=1e-15)
    np.testing.assert_allclose(y[:, 0] - n, u * (arrays["h0"] - n), rtol=0, atol=1e-15)


def test_no_step_at_all():
    arrays = drawn(T=0)
    y, cache = forward(**arrays)
    assert y.shape == (4, 0, 6)
    dx, dh0, dW, *_ = backward(y, *cache)
    assert dx.shape == (4, 0, 3)
    assert not dh0.any()
    assert not dW.any()


def test_refusals(refuses):
    layer = GRU(3, 2, rng=np.random.default_rng(0))
    with refuses(ShapeError, "x has shape"):
        layer(np.zeros((2, 4), "f4"), np.zeros((2, 2), "f4"))
    with refuses(ShapeError, "h0 has shape"):
        layer(np.zeros((2, 4, 3), "f4"), np.zeros((3, 2), "f4"))
    with refuses(OptionError, "at least 1"):
        GRU(0, 2, rng=np.random.default_rng(0))
    assert repr(layer) == "GRU(3, 2)"
    assert layer.output_shape((5, 4, 3)) == (5, 4, 2)
    assert find_case("gru").output == ("B", "T", "h")
