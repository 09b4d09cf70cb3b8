"""Fixtures that all tests share."""

import os
from contextlib import contextmanager

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minivae import backend
from minivae.errors import MinivaeError


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Let BLAS use one thread: the tests run side by side, and their matrices are small."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the processes that tests start
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def loud_float_errors():
    """Turn an overflow, an invalid operation or a division by zero in NumPy into an exception."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


@pytest.fixture(params=["numpy", "numba"])
def each_backend(request, monkeypatch):
    """Run the test on each backend of the CPU, by what "auto" stands for."""
    monkeypatch.setattr(backend, "default_backend", lambda: request.param)
    return request.param


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


def pytest_sessionfinish(session):
    """With MINIVAE_REQUIRE_ALL set, a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", ())) if reporter else 0
    if skipped and os.environ.get("MINIVAE_REQUIRE_ALL"):
        reporter.write_line(
            f"{skipped} tests were skipped, but MINIVAE_REQUIRE_ALL is set", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium for one file of tests."""
    import browser

    with browser.chromium() as started:
        yield started


@pytest.fixture
def visit(chromium):
    """`visit(path)` opens a page with the network off (see `browser.visited`)."""
    from contextlib import ExitStack

    import browser

    with ExitStack() as stack:
        yield lambda path, **options: stack.enter_context(
            browser.visited(chromium, path, **options)
        )
