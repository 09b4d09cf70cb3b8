"""Fixtures that all tests share, and what `pytest` and `pytest -m gpu` leave out."""

import functools
import os
import re
import shutil
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import browser
from gpu import standin
from minivae.engine import backend
from minivae.engine.gpu import device as cuda
from minivae.errors import BackendError, MinivaeError

on_gpu = pytest.mark.gpu

ON_CUDA = ["standin", pytest.param("cuda", marks=on_gpu)]
"""The backend "cuda" on the stand-in for CuPy and, with `-m gpu`, on CuPy itself."""


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Let BLAS use one thread: the tests run side by side, and their matrices are small."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the processes that tests start
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """Let lines break where reports are as wide as they get, whatever the terminal at hand."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(autouse=True)
def loud_float_errors():
    """Turn an overflow, an invalid operation or a division by zero in NumPy into an exception."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


@functools.cache
def stand_in():
    """The backend "cuda" with the stand-in for CuPy; one for all tests, as kernels are kept."""
    return cuda.make_backend(standin.cupy, standin.cupyx)


@functools.cache
def real_device():
    """The backend "cuda" with CuPy, or the sentence that says why there is none."""
    try:
        return cuda.load()
    except BackendError as error:
        return str(error)


def _put_in_place(name, monkeypatch):
    """Make `get_backend("cuda")` the stand-in or the device; skip or fail where there is none."""
    if name == "standin" and shutil.which("g++") is None:
        pytest.skip("g++, which executes the bodies of kernels on the CPU, is not installed")
    found = stand_in() if name == "standin" else real_device()
    if isinstance(found, str):
        if os.environ.get("MINIVAE_REQUIRE_GPU"):
            pytest.fail(f"MINIVAE_REQUIRE_GPU is set, but {found}", pytrace=False)
        pytest.skip(found)
    monkeypatch.setitem(backend._BACKENDS, "cuda", found)
    return found


@pytest.fixture(params=ON_CUDA)
def cuda_backend(request, monkeypatch):
    """The backend "cuda": the stand-in and, with `-m gpu`, the device."""
    return _put_in_place(request.param, monkeypatch)


@pytest.fixture(params=["numpy", "numba", *ON_CUDA])
def each_backend(request, monkeypatch):
    """Run the test on each backend, by what "auto" stands for; return its name."""
    name = request.param
    if name in ("standin", "cuda"):
        name = _put_in_place(name, monkeypatch).name
    monkeypatch.setattr(backend, "default_backend", lambda: name)
    return name


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium for one file of tests (see `browser.py`)."""
    with browser.chromium() as started:
        yield started


@pytest.fixture
def visit(chromium):
    """`visit(path)` opens a page with the network off (see `browser.visited`)."""
    with ExitStack() as stack:
        yield lambda path, **options: stack.enter_context(
            browser.visited(chromium, path, **options)
        )


@pytest.fixture
def refuses():
    """`with refuses(ShapeError, "word"): ...`: exactly that error, in one sentence with "word"."""

    @contextmanager
    def check(error, *words):
        with pytest.raises(MinivaeError) as caught:
            yield
        message = str(caught.value)
        assert type(caught.value) is error, repr(caught.value)
        assert message.endswith("."), message
        assert ". " not in message, message
        assert "\n" not in message, message
        for word in words:
            assert word in message, message

    return check


def pytest_configure(config):
    """Leave out what is slow where nothing is named: no file, no folder, no mark, not "all"."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS or config.option.markexpr
    if not named and not os.environ.get("MINIVAE_REQUIRE_ALL"):
        config.option.markexpr = "not slow"


def _gpu_is_asked_for(config):
    asked = bool(re.search(r"\bgpu\b", config.option.markexpr))
    return asked or bool(os.environ.get("MINIVAE_REQUIRE_GPU"))


def pytest_collection_modifyitems(config, items):
    """Leave out the tests on a device unless they are asked for: nothing was skipped then."""
    if _gpu_is_asked_for(config):
        return
    left_out = [item for item in items if item.get_closest_marker("gpu")]
    items[:] = [item for item in items if not item.get_closest_marker("gpu")]
    config.hook.pytest_deselected(items=left_out)


def pytest_report_header(config):
    """Say on what the backend "cuda" runs, and whether all tests do."""
    lines = ["cuda: a stand-in on the CPU (on a GPU: pytest -m gpu)"]
    if _gpu_is_asked_for(config):
        found = real_device()
        lines = [f"cuda: {found if isinstance(found, str) else cuda.device_name(found)}"]
    if config.option.markexpr == "not slow":
        lines.append('slow tests are left out (with them: pytest -m "slow or not slow")')
    return lines


def pytest_xdist_auto_num_workers(config):
    """On a device the tests run in one process."""
    return 0 if _gpu_is_asked_for(config) else None


def pytest_sessionfinish(session):
    """With MINIVAE_REQUIRE_ALL set, a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", ())) if reporter else 0
    if skipped and os.environ.get("MINIVAE_REQUIRE_ALL"):
        reporter.write_line(
            f"{skipped} tests were skipped, but MINIVAE_REQUIRE_ALL is set", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
