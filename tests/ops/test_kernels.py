"""Every kernel is its reference: values, gradients, odd shapes, extreme numbers, clear refusals."""

import numpy as np
import pytest

from arrays import here, there
from minivae.engine.backend import get_backend, kernels
from minivae.engine.cpu.workspace import Workspace, empty
from minivae.errors import DtypeError, MinivaeError, ShapeError
from minivae.ops import CASES, LIKELIHOODS, find_case, reparameterize
from minivae.ops import kl as kl_op
from minivae.ops.likelihoods import bernoulli, gaussian_learned
from minivae.train.optim.adam import adam
from minivae.train.optim.momentum import momentum
from minivae.train.optim.sgd import sgd

compiled = pytest.mark.parametrize(
    "each_backend", ["numba", "standin", pytest.param("cuda", marks=pytest.mark.gpu)], indirect=True
)
"""Run a test on each backend that has kernels; those without it are about Numba's."""

numba = get_backend("numba")
FORMS, ON_A_GPU = (
    {reference for name, reference in kernels() if name == backend} for backend in ("numba", "cuda")
)
WITH_KERNEL = [case for case in CASES if {case.forward, case.backward} & (FORMS | ON_A_GPU)]
each_case = pytest.mark.parametrize("case", WITH_KERNEL, ids=lambda case: case.name)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

SIZE_SETS = {
    "primes": {},
    "one of everything": dict.fromkeys("BDHIOZKL", 1),
    "odd and large": {"B": 37, "I": 101, "O": 67, "D": 211, "Z": 13, "K": 7, "L": 5},
    "empty batch": {"B": 0},
}
each_size = pytest.mark.parametrize("sizes", SIZE_SETS.values(), ids=SIZE_SETS)


def forward(case, arguments):
    call = get_backend("auto").call
    return call(case.forward, **arguments, **case.options)


def gradients(case, dy, cache):
    returned = get_backend("auto").call(case.backward, dy, *cache)
    returned = (returned,) if len(case.vary) == 1 else returned
    return dict(zip(case.vary, returned, strict=True))


def moved(arguments):
    """Arguments as arrays of the backend."""
    return {name: there(array) for name, array in arguments.items()}


def upstream(case, y, rng):
    """A random upstream gradient; the loss itself takes a number."""
    if np.ndim(y) == 0:
        return 1.3
    return rng.standard_normal(y.shape).astype(y.dtype)


def close(have, want, dtype, message=""):
    """Equal to 100 roundings of the largest entry: sums are taken in another order."""
    have, want = np.asarray(here(have)), np.asarray(here(want))
    assert have.shape == want.shape, message
    assert have.dtype == want.dtype, message
    scale = np.abs(want).max(initial=0.0)
    atol = 100 * np.finfo(dtype).eps * scale
    np.testing.assert_allclose(have, want, rtol=0, atol=atol, err_msg=message)


def test_the_operations_of_a_training_step_have_kernels():
    names = {case.name for case in WITH_KERNEL}
    assert names >= {"linear", "dense_relu", "dense_tanh", "bernoulli", "gaussian", "kl"}
    assert names >= {"reparameterize", "log_weights", "dropout", "negative_elbo", "relu", "tanh"}
    assert {sgd, momentum, adam} <= FORMS


def test_every_operation_has_a_kernel_for_the_gpu():
    # Of the linear layer's forward pass, and of a codebook's two and an embedding's, the reference
    # is as good: products.
    # Of a mixture and of a minibatch's codes it has not been measured there.
    unmeasured = {"log_mixture", "code_density"}
    missing = {case.name for case in WITH_KERNEL if case.forward not in ON_A_GPU}
    assert missing == {"linear", "codebook", "embedding"} | unmeasured
    # A sum, a view, a copy: one launch each without a kernel; the masked convolution has those of
    # the convolution. A planar step has one on the CPU, which its own test looks at, since its case
    # is of both results together. Of the others none is measured.
    without = {case.name for case in CASES} - {case.name for case in WITH_KERNEL}
    assert without == {"fork", "split", "straight_through", "masked_conv2d"} | {
        *("planar", "gated_step", "masked_linear", "sampled_kl", "merge"),
    }
    backward = {case.name for case in WITH_KERNEL if case.backward not in ON_A_GPU}
    assert backward == {"logmeanexp", "codebook", "embedding"} | unmeasured
    assert {sgd, momentum, adam} <= ON_A_GPU


@compiled
@each_dtype
@each_size
@each_case
def test_kernel_is_its_reference(case, sizes, dtype, each_backend):
    if "B" not in case.output:  # a number; of no example there is none
        sizes = {**sizes, "B": sizes.get("B") or 3}
    rng = np.random.default_rng(1)
    arguments = case.draw(rng, sizes, dtype)
    y, cache = case.forward(**arguments, **case.options)
    y_kernel, cache_kernel = forward(case, moved(arguments))
    close(y_kernel, y, dtype)
    dy = upstream(case, y, rng)
    expected = case.gradients(dy, cache)
    dy = there(dy) if np.ndim(dy) else dy
    for name, gradient in gradients(case, dy, cache_kernel).items():
        close(gradient, expected[name], dtype, name)


@compiled
@each_case
def test_kernels_own_derivative_is_right(case, each_backend):
    """Without the reference: the kernels backward against central differences of those forward."""
    rng = np.random.default_rng(2)
    arguments = case.draw(rng)
    y, cache = forward(case, moved(arguments))
    dy = upstream(case, here(y), rng)
    for name, gradient in gradients(case, there(dy) if np.ndim(dy) else dy, cache).items():
        gradient, x, h = here(gradient), arguments[name], 1e-5
        numerical = np.empty(x.shape)
        for at in np.ndindex(x.shape):
            values = []
            for step in (h, -h):
                shifted = x.copy()
                shifted[at] += step
                shifted_y, _ = forward(case, moved({**arguments, name: shifted}))
                values.append((dy * here(shifted_y)).sum())
            numerical[at] = (values[0] - values[1]) / (2 * h)
        np.testing.assert_allclose(gradient, numerical, rtol=0, atol=1e-7 * np.abs(dy).max() * 10)


@compiled
@each_dtype
@pytest.mark.parametrize(
    ("lay_out", "view"),
    [
        (lambda a: np.repeat(a, 2, axis=-1), lambda a: a[..., ::2]),
        (lambda a: np.ascontiguousarray(a.T), lambda a: a.T),
        (lambda a: np.ascontiguousarray(a[..., ::-1]), lambda a: a[..., ::-1]),
    ],
    ids=["every other", "by columns", "backwards"],
)
@each_case
def test_memory_in_another_order(case, lay_out, view, dtype, each_backend):
    rng = np.random.default_rng(3)
    arguments = case.draw(rng, None, dtype)
    y, cache = case.forward(**arguments, **case.options)
    spread = {name: view(there(lay_out(array))) for name, array in arguments.items()}
    assert not any(array.flags.c_contiguous for array in spread.values() if array.ndim > 1)
    y_kernel, cache_kernel = forward(case, spread)
    close(y_kernel, y, dtype)
    dy = upstream(case, y, rng)
    expected = case.gradients(dy, cache)
    dy = view(there(lay_out(dy))) if np.ndim(dy) else dy
    for name, gradient in gradients(case, dy, cache_kernel).items():
        close(gradient, expected[name], dtype, name)


@compiled
@each_case
def test_read_only_arguments_and_nothing_changed(case, each_backend):
    rng = np.random.default_rng(4)
    before = case.draw(rng, None, "float32")
    arguments = {name: there(array.copy()) for name, array in before.items()}
    if each_backend == "numba":
        for array in arguments.values():
            array.flags.writeable = False
    y, cache = forward(case, arguments)
    dy = upstream(case, here(y), rng)
    dy = there(dy) if np.ndim(dy) else dy
    first = {name: here(g).copy() for name, g in gradients(case, dy, cache).items()}
    forward(case, moved(case.draw(rng, None, "float32")))
    for name, gradient in gradients(case, dy, cache).items():
        np.testing.assert_array_equal(here(gradient), first[name])
    for name, array in arguments.items():
        np.testing.assert_array_equal(here(array), before[name])


@compiled
@each_case
def test_nan_passes_through(case, each_backend):
    rng = np.random.default_rng(5)
    for name in case.vary:
        arguments = case.draw(rng, None, "float32")
        arguments[name] = np.full_like(arguments[name], np.nan)
        y, _ = forward(case, moved(arguments))
        assert np.isnan(here(y)).any(), f"NaN in {name} is swallowed"


@each_case
def test_wrong_shapes_and_dtypes_are_refused_in_a_sentence(case):
    if case.forward not in FORMS:
        return
    rng = np.random.default_rng(6)
    arguments = case.draw(rng, None, "float32")
    names = [name for name, array in arguments.items() if array.ndim > 1]
    if len(names) < 2:
        wrong = {name: array.astype("int64") for name, array in arguments.items()}
        with pytest.raises(MinivaeError):
            forward(case, wrong)
        return
    for name in names:
        longer = np.concatenate([arguments[name]] * 2, axis=-1)
        with pytest.raises(ShapeError) as caught:
            forward(case, {**arguments, name: longer})
        assert str(longer.shape) in str(caught.value)
        with pytest.raises((DtypeError, ShapeError)) as caught:
            forward(case, {**arguments, name: arguments[name].astype("float64")})
        assert "float64" in str(caught.value)


@pytest.mark.parametrize("name", [name for name in LIKELIHOODS if find_case(name).forward in FORMS])
def test_a_number_for_each_entry_is_not_one_for_each_example(name):
    """With more axes than nll (B,), a kernel would write beyond its arrays."""
    case, rng = find_case(name), np.random.default_rng(6)
    y, cache = forward(case, case.draw(rng, None, "float32"))
    data = cache[0].shape
    for shape in {data, (*y.shape, 1), (1, *y.shape), (), (len(y) + 1,)}:
        with pytest.raises(ShapeError, match="dnll has shape"):
            gradients(case, np.ones(shape, "float32"), cache)


# ---- extreme numbers ----


@compiled
@each_dtype
def test_bernoulli_at_extreme_logits(dtype, each_backend):
    logits = np.array([[1e4, -1e4, 1e4, -1e4, 0, 88.5, -88.5, 700, -700]], dtype)
    x = np.array([[1, 0, 0, 1, 1, 0, 1, 1, 0]], dtype)
    call = get_backend("auto").call
    nll, cache = call(bernoulli.forward, there(logits), there(x))
    reference, own = bernoulli.forward(logits, x)
    np.testing.assert_allclose(here(nll), reference, rtol=1e-6)
    dnll = np.ones(1, dtype)
    gradient = here(call(bernoulli.backward, there(dnll), *cache))
    np.testing.assert_allclose(gradient, bernoulli.backward(dnll, *own), rtol=1e-6, atol=1e-37)


@compiled
@each_dtype
def test_at_the_ends_of_logvar(dtype, each_backend):
    call = get_backend("auto").call
    logvar = np.array([[-30, 20, 0, -1e-6, 1e-6]], dtype)
    mu, eps = np.ones_like(logvar), np.full_like(logvar, -2)
    pairs = {kl_op.forward: (mu, logvar), reparameterize.forward: (mu, logvar, eps)}
    for reference, arguments in pairs.items():
        y, _ = call(reference, *map(there, arguments))
        np.testing.assert_allclose(here(y), reference(*arguments)[0], rtol=1e-6)
    x = np.full_like(logvar, 0.5)
    y, _ = call(gaussian_learned.forward, *map(there, (mu, logvar, x)))
    np.testing.assert_allclose(here(y), gaussian_learned.forward(mu, logvar, x)[0], rtol=1e-6)


# ---- several samples of each example ----


@compiled
@each_dtype
@pytest.mark.parametrize(
    "name", [name for name in LIKELIHOODS if find_case(name).fixed == {"x": ("B", "D")}]
)
def test_samples_share_the_data(name, dtype, each_backend):
    """(B, K, D) beside (B, 1, D) is (B K, D) beside the data repeated."""
    case = find_case(name)
    B, K, D = 3, 5, 7
    rng = np.random.default_rng(8)
    wide = {
        n: rng.standard_normal((B, K, D) if "D" in axes else 1).astype(dtype)
        for n, axes in case.vary.items()
    }
    x = (rng.random((B, 1, D)) < 0.5).astype(dtype)
    tall = {n: a.reshape(-1, D) if a.ndim > 1 else a for n, a in wide.items()}
    y, cache = case.forward(**tall, x=np.repeat(x[:, 0], K, axis=0), **case.options)
    dy = rng.standard_normal((B, K)).astype(dtype)
    expected = case.gradients(dy.reshape(-1), cache)
    for call, to in ((get_backend("auto").call, there), (get_backend("numpy").call, np.asarray)):
        on_it = {n: to(a) for n, a in {**wide, "x": x}.items()}
        y_wide, cache_wide = call(case.forward, **on_it, **case.options)
        close(y_wide, y.reshape(B, K), dtype)
        returned = call(case.backward, to(dy), *cache_wide)
        returned = (returned,) if len(case.vary) == 1 else returned
        for n, gradient in zip(case.vary, returned, strict=True):
            close(gradient, expected[n].reshape(gradient.shape), dtype, n)


# ---- the optimizers ----


@compiled
@each_dtype
@pytest.mark.parametrize("size", [0, 1, 1001])
@pytest.mark.parametrize("rule", [sgd, momentum, adam], ids=lambda f: f.__name__)
def test_optimizers(rule, size, dtype, each_backend):
    rng = np.random.default_rng(9)
    count = {"sgd": 2, "momentum": 3, "adam": 4}[rule.__name__]
    arrays = [rng.standard_normal(size).astype(dtype) for _ in range(count)]
    if rule is adam:
        arrays[3] = arrays[3] ** 2
    options = {
        "sgd": {"lr": 0.1},
        "momentum": {"lr": 0.1, "rho": 0.9},
        "adam": {
            "t": 3,
            "lr": 0.1,
            "beta1": 0.9,
            "beta2": 0.99,
            "eps": 1e-8,
            "weight_decay": 0.1,
        },
    }[rule.__name__]
    expected = [array.copy() for array in arrays]
    arrays = [there(array) for array in arrays]
    for _ in range(3):
        rule(*expected, **options)
        get_backend("auto").call(rule, *arrays, **options)
    for have, want in zip(arrays, expected, strict=True):
        close(have, want, dtype)


def test_optimizers_refuse_what_they_cannot_change_in_place(refuses):
    flat = np.zeros(6, "float32")
    with refuses(ShapeError, "theta", "(2, 3)"):
        numba.call(sgd, flat.reshape(2, 3), flat, lr=0.1)
    with refuses(ShapeError, "strides"):
        numba.call(sgd, flat[::2], flat[:3], lr=0.1)
    with refuses(ShapeError, "(5,)"):
        numba.call(sgd, flat, flat[:5], lr=0.1)
    with refuses(DtypeError, "float64"):
        numba.call(sgd, flat, flat.astype("float64"), lr=0.1)


# ---- memory ----


def test_results_outside_of_a_step_are_the_callers():
    case = find_case("bernoulli")
    rng = np.random.default_rng(10)
    y, cache = forward(case, case.draw(rng, None, "float32"))
    kept = y.copy(), cache[0].copy()
    forward(case, case.draw(rng, None, "float32"))
    np.testing.assert_array_equal(y, kept[0])
    np.testing.assert_array_equal(cache[0], kept[1])


def test_a_workspace_hands_out_the_same_memory_in_every_step():
    workspace = Workspace()
    steps = []
    for _ in range(2):
        with workspace:
            a = empty((3, 2), "float32")
            with workspace:  # inside: goes on
                b = empty((3, 2), "float32")
            steps.append((a, b))
    assert steps[0][0] is steps[1][0]
    assert steps[0][1] is steps[1][1]
    assert not np.shares_memory(*steps[0])
    with workspace:
        assert empty((2, 2), "float32") is not steps[0][0]
    assert empty((3, 2), "float32") is not empty((3, 2), "float32")
