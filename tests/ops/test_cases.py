"""One walk over all operations: what every forward/backward pair must do."""

import copy

import numpy as np
import pytest

from minivae.engine.case import SIZES
from minivae.ops import CASES
from oracles import oracle_of

SIZE_SETS = {
    "default": {},
    "batch of one": {"B": 1, "I": 3, "O": 2, "D": 7, "Z": 5, "K": 11, "L": 2},
    "other primes": {"B": 5, "I": 7, "O": 3, "D": 13, "Z": 11, "K": 2, "L": 3},
}

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_batch = pytest.mark.parametrize(
    "case", [case for case in CASES if "B" in case.output], ids=lambda case: case.name
)
"""Of no example there is no mean: an operation whose output is a number has no empty batch."""
each_size = pytest.mark.parametrize("sizes", SIZE_SETS.values(), ids=SIZE_SETS)
each_seed = pytest.mark.parametrize("seed", [1, 2])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def run(case, arguments):
    return case.forward(**arguments, **case.options)


def draw(case, seed, sizes=None, dtype="float64"):
    """Arguments, output, cache, and a random upstream gradient."""
    rng = np.random.default_rng(seed)
    arguments = case.draw(rng, sizes, dtype)
    y, cache = run(case, arguments)
    dy = rng.standard_normal(y.shape).astype(dtype)
    return arguments, y, cache, dy


def numerical_gradient(case, arguments, name, dy):
    """Gradient of sum(dy * y) with respect to one argument, entry by entry."""
    x = arguments[name]

    def loss(at, step):
        moved = x.astype(type(step))
        moved[at] += step
        y, _ = run(case, {**arguments, name: moved})
        return (dy * y).sum()

    gradient = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        if case.analytic:
            gradient[at] = loss(at, 1e-30j).imag / 1e-30
        else:
            gradient[at] = (loss(at, 1e-5) - loss(at, -1e-5)) / 2e-5
    return gradient


@each_case
def test_it_has_a_test_file_with_an_oracle(case):
    assert callable(oracle_of(case.name))


@each_case
def test_the_axes_have_sizes_that_tell_them_apart(case):
    axes = {*case.output, *(axis for axes in (case.vary | case.fixed).values() for axis in axes)}
    sizes = {**SIZES, **case.sizes}
    assert len({sizes[axis] for axis in axes}) == len(axes)


@each_seed
@each_size
@each_case
def test_gradient_is_the_numerical_one(case, sizes, seed):
    arguments, _, cache, dy = draw(case, seed, sizes)
    gradients = case.gradients(dy, cache)
    tolerance = 1e-12 if case.analytic else 1e-7  # relative to the largest entry
    for name in case.vary:
        expected = numerical_gradient(case, arguments, name, dy)
        assert gradients[name].shape == expected.shape
        scale = np.abs(expected).max()
        assert scale > 1e-3, "a gradient of zero would prove nothing"
        np.testing.assert_allclose(
            gradients[name], expected, rtol=0, atol=tolerance * scale, err_msg=name
        )


@each_dtype
@each_size
@each_case
def test_shapes_and_dtypes(case, sizes, dtype):
    arguments, y, cache, dy = draw(case, 3, sizes, dtype)
    length = {**SIZES, **case.sizes, **sizes}
    assert y.shape == tuple(length[axis] for axis in case.output)
    assert y.dtype == dtype
    for name, gradient in case.gradients(dy, cache).items():
        assert gradient.shape == arguments[name].shape, name
        assert gradient.dtype == dtype, name
    for array in cache:
        assert isinstance(array, float | str | tuple) or array.dtype in (dtype, "int64")


@each_case
def test_float32_is_float64_rounded(case):
    arguments, y, cache, dy = draw(case, 4)

    def single(arrays):
        return {name: array.astype("float32") for name, array in arrays.items()}

    y32, cache32 = run(case, single(arguments))
    np.testing.assert_allclose(y32, y, rtol=1e-5, atol=1e-6)
    gradients, gradients32 = case.gradients(dy, cache), case.gradients(dy.astype("f4"), cache32)
    for name in case.vary:
        np.testing.assert_allclose(gradients32[name], gradients[name], rtol=1e-5, atol=1e-5)


@each_case
def test_nothing_is_changed_and_nothing_is_hidden(case):
    arguments, y, cache, dy = draw(case, 5)
    before = copy.deepcopy((arguments, y, cache, dy))
    for array in [*arguments.values(), y, dy, *cache]:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False  # a write anywhere would raise
    first = case.gradients(dy, cache)
    first_bytes = {name: gradient.tobytes() for name, gradient in first.items()}

    draw(case, 6)  # a forward pass of other numbers in between leaves no trace
    again, _ = run(case, arguments)
    assert again.tobytes() == y.tobytes()
    for name, gradient in case.gradients(dy, cache).items():
        assert gradient.tobytes() == first_bytes[name], name
    for name, gradient in first.items():
        assert gradient.tobytes() == first_bytes[name], name
    np.testing.assert_equal((arguments, y, cache, dy), before)


@each_size
@each_case
def test_backward_is_linear_in_the_upstream_gradient(case, sizes):
    _, _, cache, dy = draw(case, 7, sizes)
    once, twice = case.gradients(dy, cache), case.gradients(2 * dy, cache)
    nothing = case.gradients(np.zeros_like(dy), cache)
    for name in case.vary:
        np.testing.assert_array_equal(twice[name], 2 * once[name])  # doubling rounds nothing
        np.testing.assert_array_equal(nothing[name], np.zeros_like(once[name]))


def every_other(array):
    return np.repeat(array, 2, axis=-1)[..., ::2]


@pytest.mark.parametrize("spread", [every_other, np.asfortranarray])
@each_case
def test_non_contiguous_arrays_give_the_same(case, spread):
    arguments, y, cache, dy = draw(case, 8)
    scattered = {name: spread(array) for name, array in arguments.items()}
    assert not any(array.flags.c_contiguous for array in scattered.values() if array.ndim > 1)
    other_y, other_cache = run(case, scattered)
    np.testing.assert_allclose(other_y, y, rtol=1e-13, atol=1e-13)
    others = case.gradients(spread(dy) if dy.ndim else dy, other_cache)
    for name, gradient in case.gradients(dy, cache).items():
        np.testing.assert_allclose(others[name], gradient, rtol=1e-13, atol=1e-13)


@each_dtype
@each_batch
def test_an_empty_batch_gives_empty_results(case, dtype):
    arguments, y, cache, dy = draw(case, 9, {"B": 0}, dtype)
    assert y.shape[0] == 0
    assert y.dtype == dtype
    for name, gradient in case.gradients(dy, cache).items():
        assert gradient.shape == arguments[name].shape
        assert gradient.dtype == dtype
        assert not gradient.any(), "no example, no gradient: a parameter's is zero"
