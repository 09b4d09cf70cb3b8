"""The contract of a layer, and the chain rule in Sequential."""

import numpy as np
import pytest

from minivae.engine.layer import Layer, Reshape, Sequential
from minivae.errors import OptionError, ShapeError, StateError
from minivae.ops import Activation, Clamp, Dropout, Linear


def rng(seed=1):
    return np.random.default_rng(seed)


def network(dtype="float64"):
    return Sequential(
        Linear(5, 7, rng=rng(1), dtype=dtype),
        Activation("tanh", dtype=dtype),
        Dropout(0.7, dtype=dtype),
        Linear(7, 3, rng=rng(2), dtype=dtype),
        Dropout(0.5, dtype=dtype),
        Activation("softplus", dtype=dtype),
    )


def nested(dtype="float64"):
    def linear(n_in, n_out, seed):
        return Linear(n_in, n_out, rng=rng(seed), dtype=dtype)

    inner = Sequential(linear(5, 7, 1), Dropout(0.7, dtype=dtype), Activation("tanh", dtype=dtype))
    return Sequential(inner, linear(7, 3, 2), Dropout(0.5, dtype=dtype))


def central_differences(loss, array, h=1e-5):
    """Gradient of loss() with respect to an array that is moved in place."""
    gradient = np.empty_like(array)
    for at in np.ndindex(array.shape):
        here = array[at]
        array[at] = here + h
        above = loss()
        array[at] = here - h
        below = loss()
        array[at] = here
        gradient[at] = (above - below) / (2 * h)
    return gradient


@pytest.mark.parametrize("build", [network, nested])
@pytest.mark.parametrize("B", [4, 1])
def test_chain_rule_is_the_numerical_gradient(build, B):
    net, x = build(), rng(3).standard_normal((B, 5))
    net.params.theta[...] = rng(4).standard_normal(net.params.theta.size)
    noise, dy = net.draw_noise(rng(5), x.shape), rng(6).standard_normal((B, 3))
    net.params.grad[...] = np.nan  # must be overwritten, entry for entry

    net.forward(x, noise)
    dx = net.backward(dy)
    grad = net.params.grad.copy()

    def loss():
        return (dy * net.forward(x, noise)).sum()

    for have, want in [
        (dx, central_differences(loss, x)),
        (grad, central_differences(loss, net.params.theta)),
    ]:
        assert np.abs(want).max() > 0.1
        np.testing.assert_allclose(have, want, rtol=0, atol=1e-7 * np.abs(want).max())


def test_sequential_is_its_layers_in_turn():
    net, x = network(), rng(3).standard_normal((4, 5))
    masks = net.draw_noise(rng(5), x.shape)
    y = x
    for layer in net:
        y = layer(y, masks.pop(0)) if isinstance(layer, Dropout) else layer(y)
    np.testing.assert_array_equal(net(x, net.draw_noise(rng(5), x.shape)), y)


def test_gradients_are_overwritten_not_accumulated():
    net, x = network(), rng(3).standard_normal((4, 5))
    net.backward(net.forward(x))
    once = net.params.grad.copy()
    net.backward(net.forward(x))
    np.testing.assert_array_equal(net.params.grad, once)
    assert once.any()


def test_noise_has_the_shapes_of_its_layers():
    shapes = [mask.shape for mask in network().draw_noise(rng(), (4, 5))]
    assert shapes == [(4, 7), (4, 3)]
    assert network().output_shape((4, 5)) == (4, 3)


def test_noise_reaches_layers_inside_an_inner_sequential():
    net, x = nested(), rng(3).standard_normal((4, 5))
    (inner,), outer = net.draw_noise(rng(5), x.shape)
    assert inner.shape == (4, 7)
    assert outer.shape == (4, 3)
    all_dropped = net.forward(x, [[np.zeros_like(inner)], np.ones_like(outer)])
    np.testing.assert_array_equal(all_dropped, np.zeros((4, 3)))  # tanh(0) = 0, and biases are 0


def test_without_noise_dropout_does_nothing():
    net, x = network(), rng(3).standard_normal((4, 5))
    others = [layer for layer in network() if not isinstance(layer, Dropout)]
    y = x
    for layer in others:
        y = layer.forward(y)
    np.testing.assert_array_equal(net.forward(x), y)
    dy = rng(6).standard_normal((4, 3))
    dx = dy
    for layer in reversed(others):
        dx = layer.backward(dx)
    np.testing.assert_array_equal(net.backward(dy), dx)
    assert (net.forward(x, net.draw_noise(rng(5), x.shape)) != y).any()


def test_noise_that_does_not_fit_is_refused(refuses):
    net, x = network(), rng(3).standard_normal((1, 5))
    masks = net.draw_noise(rng(5), x.shape)
    with refuses(ShapeError, "1 noise arrays", "2 layers", "draw_noise"):
        net.forward(x, masks[:1])
    with refuses(ShapeError, "0 noise arrays", "2 layers"):
        net.forward(x, [])
    with refuses(ShapeError, "mask", "Dropout"):
        net.forward(x, masks[::-1])
    with refuses(ShapeError, "mask", "Dropout"):  # an array where a list of arrays belongs
        Sequential(Dropout(0.5, dtype="float64")).forward(x, np.ones((1, 5)))


def test_backward_before_forward(refuses):
    with refuses(StateError, "Sequential", "forward"):
        network().backward(np.zeros((4, 3)))


def test_writing_theta_changes_the_layers():
    net, x = network(), rng(3).standard_normal((4, 5))
    before = net.forward(x)
    assert np.shares_memory(net.params.theta, net[0].params["W"])
    assert np.shares_memory(net.params.grad, net[3].params.grad_of("b"))
    net.params.theta[...] *= 2
    assert (net.forward(x) != before).any()
    net[3].params["W"][...] = 0
    net[3].params["b"][...] = 0
    np.testing.assert_allclose(net.forward(x), np.log(2), rtol=1e-15)  # softplus(0)


def test_layers_of_two_dtypes_are_refused(refuses):
    with refuses(OptionError, "float32", "float64", "'1'"):
        Sequential(Linear(5, 7, rng=rng(), dtype="float64"), Activation("tanh"))


def test_no_layer_is_refused(refuses):
    with refuses(OptionError, "Sequential"):
        Sequential()


def test_sequential_is_a_sequence_and_prints_itself():
    net = nested("float32")
    assert len(net) == 3
    assert list(net) == [net[0], net[1], net[2]]
    assert list(net.params) == ["0.0.W", "0.0.b", "1.W", "1.b"]
    text = repr(net)
    assert "Linear(7, 3)" in text
    assert "Dropout(keep=0.5)" in text
    assert "Activation('tanh')" in text
    assert repr(Clamp(-1, 2)) == "Clamp(-1.0, 2.0)"


def test_the_base_layer_computes_nothing():
    layer = Layer()
    assert repr(layer) == "Layer()"
    assert layer.output_shape((3, 5)) == (3, 5)
    with pytest.raises(TypeError, match="must define forward"):
        layer(np.zeros(3))
    with pytest.raises(TypeError, match="must define backward"):
        layer.backward(np.zeros(3))


def test_expect_takes_an_int_as_a_size_and_a_letter_as_any(refuses):
    layer, x = Layer({"w": (2,)}), np.zeros((3, 5), "float32")
    layer.expect("x", x, ("B", 5))
    layer.expect("x", x, ("B", "D"))
    layer.expect("x", x[0], ("D",))
    with refuses(ShapeError, "x has shape (3, 5)", "(B, 4)"):
        layer.expect("x", x, ("B", 4))
    with refuses(ShapeError, "h has shape (3, 5)", "(D,)"):
        layer.expect("h", x, ("D",))


def test_reshape_gives_numbers_another_shape_and_gradients_their_own():
    x = rng().standard_normal((3, 4, 6)).astype("float32")
    for shape, made in (((24,), (3, 24)), ((-1,), (3, 24)), ((2, 3, -1), (3, 2, 3, 4))):
        layer = Reshape(*shape)
        y = layer.forward(x)
        assert y.shape == made == layer.output_shape(x.shape)
        assert y.ravel().tolist() == x.ravel().tolist()
        assert layer.backward(2 * y).tolist() == (2 * x).tolist()
    assert repr(Reshape(4, 6)) == "Reshape(4, 6)"
    assert Reshape(4, 6).forward(np.zeros((0, 24), "float32")).shape == (0, 4, 6)


def test_reshape_refuses_another_number_of_numbers(refuses):
    with refuses(ShapeError, "(3, 4, 6)", "(5, 5)"):
        Reshape(5, 5).forward(np.zeros((3, 4, 6), "float32"))
    with refuses(StateError, "Reshape.backward"):
        Reshape(5).backward(np.zeros((3, 5)))


def test_a_layer_carries_numbers_on():
    layer = Layer({"w": (2,)}, carried={"mean": (3,)}, dtype="float64")
    layer.params.carried_of("mean")[...] = 4
    net = Sequential(Linear(2, 2, rng=rng(), dtype="float64"), layer)
    assert net.params.carried_of("1.mean").tolist() == [4, 4, 4]
