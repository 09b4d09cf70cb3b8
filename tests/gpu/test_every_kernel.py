"""No kernel stays untried: the operations' cases and short runs launch every one of them."""

import numpy as np
import pytest

from arrays import there
from gpu.standin import counting
from minivae.data import Pixels
from minivae.engine.backend import get_backend
from minivae.engine.gpu.kernels import specs
from minivae.models import VAE
from minivae.ops import ACTIVATIONS, CASES, dense
from minivae.train.loop import fit
from minivae.train.optim.adam import Adam
from minivae.train.optim.momentum import Momentum
from minivae.train.optim.sgd import SGD
from minivae.train.settings import Settings, Training


def run_cases(backend, dtype):
    rng = np.random.default_rng(0)
    for case in CASES:
        arguments = {name: there(array) for name, array in case.draw(rng, None, dtype).items()}
        y, cache = backend.call(case.forward, **arguments, **case.options)
        dy = backend.xp.ones_like(y) if isinstance(y, backend.array_type) and y.ndim else 1.0
        backend.call(case.backward, dy, *cache)


def run_dense(backend, activation, dtype):
    """A dense layer's forward and backward pass, by the backend's kernels."""
    rng = np.random.default_rng(0)
    x, W, b, dy = (rng.standard_normal(n).astype(dtype) for n in ((5, 3), (3, 7), 7, (5, 7)))
    x, W, b, dy = (backend.asarray(array) for array in (x, W, b, dy))
    y, cache = backend.call(dense.forward, x, W, b, activation=activation)
    return [backend.to_host(array) for array in (y, *backend.call(dense.backward, dy, *cache))]


def run_trainings(dtype):
    stored = np.random.default_rng(1).integers(0, 256, (12, 6), dtype=np.uint8)
    for rule, binarize, samples in ((SGD, "none", 1), (Momentum, "dynamic", 1), (Adam, "none", 3)):
        rng = np.random.default_rng(0)
        model = VAE(6, (5,), 2, rng=rng, backend="cuda", samples=samples, dtype=dtype)
        settings = Settings(epochs=1, batch=4, binarize=binarize)
        fit(Training(model, rule(0.01), rng, settings), Pixels(stored), progress=False)


@pytest.mark.parametrize("each_backend", ["standin"], indirect=True)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kernel_is_launched(each_backend, dtype):
    with counting() as seen:
        run_cases(get_backend("cuda"), dtype)
        run_trainings(dtype)
        for activation in ACTIVATIONS:
            run_dense(get_backend("cuda"), activation, dtype)
    launched = set(seen.launched)
    assert [spec.name for spec in specs() if f"minivae_{spec.name}" not in launched] == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_dense_layer_with_each_activation(cuda_backend, activation, dtype):
    want = run_dense(get_backend("numpy"), activation, dtype)
    for array, expected in zip(run_dense(cuda_backend, activation, dtype), want, strict=True):
        atol = 100 * np.finfo(dtype).eps * abs(expected).max()
        np.testing.assert_allclose(array, expected, rtol=0, atol=atol)
