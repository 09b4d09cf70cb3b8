"""The door of the backend "cuda": what is missing, what was mixed, and what runs behind it."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from minivae.check import check_gradients
from minivae.cli.main import main
from minivae.engine import backend
from minivae.engine.backend import array_module, backend_names, get_backend
from minivae.engine.noise import normal
from minivae.errors import BackendError
from minivae.models import VAE, Autoencoder
from minivae.ops import CASES, KL, LIKELIHOODS, Activation, Dense, Linear, find_case, kl
from minivae.ops.clamp import Clamp
from minivae.show import plots
from minivae.uses.estimator.estimator import VAEEstimator

# ---- what is missing ----


class Refusal(RuntimeError):
    """As CuPy says that the CUDA runtime refused."""

    def __init__(self, status):
        self.status = status
        super().__init__(f"cudaError {status}")


@pytest.fixture
def cupy(monkeypatch):
    """A module `cupy` that can be imported and finds no device, with the error that it is given."""
    monkeypatch.delitem(backend._BACKENDS, "cuda", raising=False)

    def install(count):
        def getDeviceCount():
            if isinstance(count, int):
                return count
            raise count

        runtime = SimpleNamespace(CUDARuntimeError=Refusal, getDeviceCount=getDeviceCount)
        for name in ("cupy", "cupyx", "cupyx.scipy", "cupyx.scipy.special"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        sys.modules["cupy"].cuda = SimpleNamespace(runtime=runtime)

    return install


def test_without_cupy(monkeypatch, refuses):
    monkeypatch.delitem(backend._BACKENDS, "cuda", raising=False)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with refuses(BackendError, "CuPy, which is not installed", "cupy-cuda13x[ctk]", "'numba'"):
        get_backend("cuda")
    assert "cuda" in backend_names()


def test_without_a_driver(cupy, refuses):
    cupy(Refusal(35))  # cudaErrorInsufficientDriver, also where there is none
    with refuses(BackendError, "no NVIDIA driver", "install or update"):
        get_backend("cuda")


@pytest.mark.parametrize("found", [Refusal(100), 0])
def test_without_a_device(cupy, refuses, found):
    cupy(found)
    with refuses(BackendError, "a driver but no NVIDIA GPU", "nvidia-smi"):
        get_backend("cuda")


def test_the_command_says_what_is_missing(cupy, tmp_path, monkeypatch, capsys):
    cupy(Refusal(35))
    monkeypatch.chdir(tmp_path)
    assert main(["train", "digits8", "--backend", "cuda"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("minivae: the backend 'cuda' cannot start: no NVIDIA driver")
    assert message.count("\n") == 1
    assert not list(tmp_path.iterdir())


# ---- what was mixed ----


def test_arrays_of_two_backends_are_refused(cuda_backend, refuses):
    host, device = np.ones((2, 3), "float32"), cuda_backend.asarray(np.ones((2, 3)), "float32")
    with refuses(BackendError, "'numpy'", "'cuda'", "were mixed"):
        array_module(host, device)
    for layer, other in [(KL(backend="cuda"), host), (KL(backend="numpy"), device)]:
        right = device if layer.backend.name == "cuda" else host
        for pair in [(other, right), (right, other)]:
            with refuses(BackendError, type(other).__name__, layer.backend.name, "asarray"):
                layer.forward(*pair)
    # Past the layer's door too, where the kernel itself would take anything.
    for pair in [(host, device), (device, host)]:
        with refuses(BackendError, "kernel kl", "numpy.ndarray of shape (2, 3)", "asarray"):
            cuda_backend.call(kl.forward, *pair)


def test_a_model_takes_only_its_backends_arrays(cuda_backend, refuses):
    model = VAE(6, (5,), 2, rng=np.random.default_rng(0), backend="cuda")
    x = np.ones((4, 6), "float32")
    noise = model.draw_noise(np.random.default_rng(1), 4)
    theta = cuda_backend.to_host(model.params.theta).copy()
    with refuses(BackendError, "ndarray", "'cuda'", "asarray"):
        model.step(x, noise)
    with refuses(BackendError, "eps", "ndarray", "'cuda'"):
        model.step(model.prepare(x), cuda_backend.to_host(noise))
    np.testing.assert_array_equal(cuda_backend.to_host(model.params.theta), theta)
    model.step(model.prepare(model.prepare(x)), noise)  # a device's array is taken as it is


# ---- what runs behind it ----


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_are_checked_where_they_are(cuda_backend, dtype):
    rng = np.random.default_rng(0)
    options = {"dtype": dtype, "backend": "cuda"}
    layers = {
        Linear(5, 3, rng=rng, **options): (4, 5),
        Dense(5, 3, "silu", rng=rng, **options): (4, 5),
        Activation("gelu", **options): (4, 5),
        Clamp(-9, 9, **options): (4, 5),
    }
    for layer, shape in layers.items():
        report = check_gradients(layer, inputs=(rng.standard_normal(shape),))
        assert report.passed, report
    wrong = Activation("tanh", **options)
    wrong.backward = lambda dy: dy
    assert not check_gradients(wrong, inputs=(rng.standard_normal((4, 5)),)).passed


@pytest.mark.parametrize("kind", [VAE, Autoencoder])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_models_are_checked_where_they_are(cuda_backend, kind, likelihood):
    rng = np.random.default_rng(0)
    options = {"likelihood": likelihood, "dtype": "float64", "backend": "cuda"}
    model = kind(4, (3,), 2, activation="tanh", rng=rng, **options)
    theta = cuda_backend.to_host(model.params.theta).copy()
    report = check_gradients(model)
    assert report.passed, report
    np.testing.assert_array_equal(cuda_backend.to_host(model.params.theta), theta)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_references_run_there_too(cuda_backend, case):
    """Without a kernel an operation is slower there, and right."""
    arguments = case.draw(np.random.default_rng(1))
    y, cache = case.forward(**arguments, **case.options)
    dy = np.random.default_rng(2).standard_normal(y.shape)
    there, here = cuda_backend.asarray, cuda_backend.to_host
    moved = {name: there(array) for name, array in arguments.items()}
    y_there, cache_there = find_case(case.name).forward(**moved, **case.options)
    np.testing.assert_allclose(here(y_there), y, rtol=1e-12, atol=1e-13)
    gradients = case.gradients(there(dy), cache_there)
    for name, want in case.gradients(dy, cache).items():
        np.testing.assert_allclose(here(gradients[name]), want, rtol=1e-12, atol=1e-13)


def test_the_estimator(cuda_backend):
    x = np.random.default_rng(0).standard_normal((40, 5))
    results = []
    for name in ("numpy", "cuda"):
        estimator = VAEEstimator(2, hidden=(6,), epochs=3, random_state=1, backend=name).fit(x)
        z = estimator.transform(x)
        results.append(
            [
                z,
                estimator.inverse_transform(z),
                estimator.score_samples(x),
                estimator.sample(3, random_state=2, draw=True),
            ]
        )
    for ours, reference in zip(*results, strict=True):
        assert isinstance(reference, np.ndarray)
        np.testing.assert_allclose(reference, ours, rtol=1e-4, atol=1e-5)


def test_the_manifold_is_drawn(cuda_backend):
    model = VAE(16, (5,), 2, rng=np.random.default_rng(0), backend="cuda")
    assert len(plots.manifold(model, (4, 4), n=3).images) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(0,), (1,), (7, 3), (64, 20)])
def test_normal_noise_is_that_of_the_reference(cuda_backend, dtype, shape):
    there, reference = (
        normal(np.random.default_rng(2), shape, np.dtype(dtype), get_backend(name))
        for name in ("cuda", "numpy")
    )
    assert there.shape == shape
    assert there.dtype == dtype
    atol = {"float32": 3e-6, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(cuda_backend.to_host(there), reference, atol=atol)
