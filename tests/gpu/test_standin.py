"""The stand-in catches what it is there to catch: each test plants a mistake."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from gpu.standin import PinnedMemoryError, RaceError, compiler, counting, cupyx, memory_limit
from gpu.standin import cupy as xp


def made(values, dtype="float32"):
    return xp.asarray(np.array(values, dtype))


def kernel(inputs, outputs, body, **options):
    return xp.ElementwiseKernel(inputs, outputs, body, "planted", **options)


def summed(mapped, post="y = a", identity="0", inputs="T x"):
    return xp.ReductionKernel(inputs, "T y", mapped, "a + b", post, identity, "planted")


X = np.random.default_rng(0).standard_normal((5, 7)).astype("float32")


# Bodies are executed


def test_a_wrong_body_gives_wrong_numbers():
    right, wrong = (kernel("T x", "T y", f"y = x {sign} x * x") for sign in "+-")
    np.testing.assert_allclose(right(made(X)).get(), X + X * X, rtol=1e-6)
    assert abs(wrong(made(X)).get() - (X + X * X)).max() > 0.1


def test_a_wrong_reduction_gives_wrong_numbers():
    right, wrong = summed("x * x"), summed("x")
    np.testing.assert_allclose(right(made(X), axis=1).get(), (X * X).sum(1), rtol=1e-6)
    assert abs(wrong(made(X), axis=1).get() - (X * X).sum(1)).max() > 0.1


def test_an_identity_that_is_none_is_noticed():
    """Each of several partial sums starts from it."""
    assert float(summed("x", identity="1")(made([1, 2]))) > 4


@pytest.mark.parametrize(("dtype", "error"), [("float32", 2**-24), ("float64", 0)])
def test_float32_is_computed_in_float32(dtype, error):
    body = kernel("T x", "T y", "y = (x + T(1)) - T(1)")
    assert float(body(made([2.0**-24], dtype))[0]) == 2**-24 - error


def test_a_double_literal_is_computed_in_double():
    """So it is on a GPU; only the lint refuses it."""
    body = kernel("T x", "T y", "y = (x + 1.0) - 1.0")
    assert float(body(made([2.0**-24]))[0]) == 2**-24


def test_functions_have_the_precision_of_their_argument():
    x = made([0.3])
    made_32 = kernel("T x", "float64 y", "y = exp(x)")(x)
    assert float(made_32[0]) == float(np.float32(float(made_32[0])))
    assert float(kernel("T x", "float64 y", "y = exp(double(x))")(x)[0]) != float(made_32[0])


@pytest.mark.parametrize(
    "body", ["y = exponential(x)", "y = max(x, 0)", "x = 1; y = x", "T e = x y = e"]
)
def test_a_body_that_does_not_compile(body):
    with pytest.raises(compiler.CompileException, match="error"):
        kernel("T x", "T y", body)(made(X))


def test_after_a_body_that_does_not_compile_nothing_is_kept():
    before = set(compiler.folder().iterdir())
    with pytest.raises(compiler.CompileException):
        kernel("T x", "T y", "y = nothing_of_this_name(x)")(made(X))
    made_since = set(compiler.folder().iterdir()) - before
    assert not [path for path in made_since if path.stat().st_size == 0]


def test_the_statement_of_a_reduction_must_be_an_expression():
    """CuPy puts it in parentheses, so a semicolon is an error."""
    with pytest.raises(compiler.CompileException):
        summed("x", post="y = a;")(made(X))


@pytest.mark.parametrize("name", ["at", "s", "data", "size", "raw", "k", "j", "o", "half", "word"])
def test_names_of_parameters_are_free(name):
    body = xp.ElementwiseKernel(f"T {name}", "T y", f"y = {name} * {name}", "planted")
    np.testing.assert_allclose(body(made(X)).get(), X * X, rtol=1e-6)
    total = xp.ReductionKernel(f"T {name}", "T y", name, "a + b", "y = a", "0", "planted")
    np.testing.assert_allclose(total(made(X), axis=0).get(), X.sum(0), rtol=0, atol=1e-5)
    total = xp.ReductionKernel("T x", f"T {name}", "x", "a + b", f"{name} = a", "0", "planted")
    np.testing.assert_allclose(total(made(X), axis=0).get(), X.sum(0), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "spread",
    [
        lambda x: x,
        lambda x: x.T,
        lambda x: x[::-1],
        lambda x: x[:, ::3],
        lambda x: x[:, None],
        lambda x: x[None, :, :, None],
        lambda x: x[2],
        lambda x: x[2, 3],
        lambda x: x[:0],
        lambda x: x.reshape(-1)[3:9].reshape(2, 3),
    ],
)
def test_any_layout(spread):
    x, host = spread(made(X)), spread(X)
    np.testing.assert_array_equal(kernel("T x", "T y", "y = 2 * x")(x).get(), 2 * host)
    for axis in (None, *range(host.ndim), tuple(range(host.ndim))):
        have = summed("x")(x, axis=axis)
        np.testing.assert_allclose(have.get(), host.sum(axis), rtol=0, atol=1e-5)


def test_inputs_are_broadcast_and_outputs_may_be_strided():
    x, y = made(X), xp.zeros((7, 5, 2), "float32")
    add = kernel("T x, T z, T c", "T y", "y = x + c * z")
    add(x, x[:, :1], 2, y.T[1])
    np.testing.assert_allclose(y.get()[:, :, 1].T, X + 2 * X[:, :1], rtol=1e-6)
    assert not y.get()[:, :, 0].any()
    np.testing.assert_allclose(
        summed("x * z", inputs="T x, T z")(x[:, None], x[None], axis=2).get(), X @ X.T, atol=1e-5
    )


# Races, and entries that are not there


def test_reading_where_another_entry_is_written_is_a_race():
    x = made(np.arange(5))
    shift = kernel("T x", "T y", "y = x")
    with pytest.raises(RaceError, match="planted writes y where x lies"):
        shift(x[:-1], x[1:])
    with pytest.raises(RaceError):
        shift(x[::-1], x)
    with pytest.raises(RaceError):
        kernel("raw T x", "T y", "y = x[0]")(x, x)
    np.testing.assert_array_equal(kernel("T x", "T y", "y = x * 2")(x, x).get(), 2 * np.arange(5))
    np.testing.assert_array_equal(shift(x[::2][:2], x[1::2]).get(), [0, 4])


def test_writing_an_entry_twice_is_a_race():
    y = xp.broadcast_to(xp.zeros(1), (3,))
    with pytest.raises(RaceError, match="more than once"):
        kernel("T x", "T y", "y = x")(xp.zeros(3), y)


@pytest.mark.parametrize("at", ["-1", "x.size()", "i + 1"])
def test_a_raw_entry_that_is_not_there(at):
    with pytest.raises(IndexError, match="planted"):
        kernel("raw T x", "T y", f"y = x[{at}]")(made([1, 2, 3]), size=3)


def test_what_was_not_written_is_nan():
    assert np.isnan(xp.empty(3, "float32").get()).all()


# Host and device


def test_arrays_of_the_host_are_refused_as_indices():
    """CuPy would copy them to the device, each time and in silence."""
    x = made(X)
    for index in (np.array([0, 1]), [0, 1], (slice(None), np.array([0]))):
        with pytest.raises(TypeError, match="index"):
            x[index]
        with pytest.raises(TypeError, match="index"):
            x[index] = 1


@pytest.mark.parametrize("function", [xp.sum, xp.mean, xp.any, xp.argmax, xp.cumsum, xp.copy])
def test_functions_refuse_arrays_of_the_host(function):
    """CuPy's `sum(a)` is `a.sum()`, and would compute with NumPy."""
    with pytest.raises(TypeError, match="incorrect type"):
        function(X)


READS = {
    "float": lambda x: float(x[0, 0]),
    "int": lambda x: int(x[0, 0]),
    "bool": lambda x: bool(x[0, 0]),
    "complex": lambda x: complex(x[0, 0]),
    "item": lambda x: x[0, 0].item(),
    "get": lambda x: x.get(),
    "asnumpy": lambda x: xp.asnumpy(x),
    "tolist": lambda x: x.tolist(),
    "tobytes": lambda x: x.tobytes(),
    "repr": repr,
    "str": str,
    "format": lambda x: f"{x[0, 0]:.3f}",
    "pickle": pickle.dumps,
    "if": lambda x: 1 if x.any() else 0,
    "mask": lambda x: x[x > 0],
    "nonzero": lambda x: x.nonzero(),
    "where": lambda x: xp.where(x > 0),
    "min": lambda x: min(x[0, 0], x[0, 1]),
    "in": lambda x: 9 in x[0, :1],
}


@pytest.mark.parametrize("name", READS)
def test_a_read_is_counted(name):
    x = made(X)
    with counting() as seen:
        READS[name](x)
    assert seen.reads == 1, seen.read
    assert seen.uploads == 0


LAUNCHES = {
    "views": (
        0,
        lambda x: (x.T, x[1:], x[0], x.reshape(-1), x[None], xp.broadcast_to(x, (2, 5, 7))),
    ),
    "shape": (0, lambda x: (len(x), x.shape, x.dtype, x.flags.c_contiguous, x.size)),
    "empty": (0, lambda x: xp.empty(3)),
    "no entries": (0, lambda x: x[:0] + 1),
    "same dtype": (0, lambda x: x.astype("float32", copy=False)),
    "operator": (1, lambda x: x + 1),
    "three operators": (3, lambda x: (x + 1) * x - x),
    "in place": (1, lambda x: x.__iadd__(1)),
    "ufunc": (1, lambda x: xp.exp(x)),
    "out": (1, lambda x: xp.exp(x, out=x)),
    "reduction": (1, lambda x: x.sum(axis=0)),
    "product": (1, lambda x: x @ x.T),
    "fill": (1, lambda x: x.fill(0)),
    "assigned number": (1, lambda x: x.__setitem__(0, 1)),
    "assigned array": (1, lambda x: x.__setitem__(0, x[1])),
    "zeros": (1, lambda x: xp.zeros(3)),
    "copy": (1, lambda x: x.copy()),
    "deepcopy": (1, copy.deepcopy),
    "dtype": (1, lambda x: x.astype("float64")),
    "reshaped copy": (1, lambda x: x.T.reshape(-1)),
    "concatenate": (2, lambda x: xp.concatenate([x, x])),
    "stack of nine": (1, lambda x: xp.stack([x] * 9)),
    "repeat": (1, lambda x: x.repeat(2)),
    "repeat along an axis": (7, lambda x: x.repeat(2, axis=1)),
    "choice": (2, lambda x: xp.where(x > 0, x, 0)),
    "kernel": (1, lambda x: kernel("T x", "T y", "y = x")(x)),
    "reduction kernel": (1, lambda x: summed("x")(x)),
}


@pytest.mark.parametrize("name", LAUNCHES)
def test_launches_are_counted(name):
    x = made(X)
    count, run = LAUNCHES[name]
    with counting() as seen:
        run(x)
    assert (seen.launches, seen.reads, seen.uploads) == (count, 0, 0), seen


def test_copies_from_the_host_are_counted_and_blocks_lie_in_each_other():
    with counting() as outer:
        x = xp.asarray(X)
        with counting() as inner:
            x.set(X + 1)
            x.get()
        _ = x + 1
    assert (outer.launches, outer.reads, outer.uploads) == (1, 1, 2)
    assert (inner.launches, inner.reads, inner.uploads) == (0, 1, 1)
    _ = x + 1
    assert outer.launches == 1


def test_a_copy_of_the_host_shares_nothing():
    host = X.copy()
    x = xp.asarray(host)
    host[...] = 0
    back = x.get()
    np.testing.assert_array_equal(back, X)
    back[...] = 0
    np.testing.assert_array_equal(x.get(), X)


def test_pickled_and_copied():
    x = made(X)
    for again in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x)):
        again *= 2
        np.testing.assert_array_equal(again.get(), 2 * X)
    np.testing.assert_array_equal(x.get(), X)


# Memory


def test_memory_runs_out_in_cupys_words():
    error = xp.cuda.memory.OutOfMemoryError
    with memory_limit(2048):
        kept = [xp.zeros(128) for _ in range(2)]  # 1024 bytes each
        with pytest.raises(error, match=r"Out of memory allocating 1,024 bytes .*: 2,048 bytes"):
            kept[0] + 1
        with pytest.raises(MemoryError):
            kernel("T x", "T y", "y = x")(kept[0])
        with pytest.raises(MemoryError):
            xp.asarray(X)
        del kept[:]
        kept.append(xp.zeros(128))
        with pytest.raises(error):
            xp.zeros(256)
    xp.zeros(256)


def send(pinned, there, event):
    there.set(pinned, stream=xp.cuda.get_current_stream())
    event.record()


def test_pinned_memory_must_not_be_written_before_its_copy_has_ended():
    pinned, there, event = cupyx.empty_pinned(4), xp.empty(4), xp.cuda.Event()
    pinned[...] = 1
    send(pinned, there, event)
    pinned[0] = 2
    with pytest.raises(PinnedMemoryError):
        event.synchronize()
    for wait in (event.synchronize, lambda: there.get(), xp.cuda.Device().synchronize):
        send(pinned, there, event)
        wait()
        pinned[0] += 1  # its copy has ended
        event.synchronize()
    other = cupyx.empty_pinned(4)
    other[...] = 3
    send(pinned, there, event)
    send(other, there, xp.cuda.Event())
    event.synchronize()
    pinned[...] = 5
    other[0] = 4
    with pytest.raises(PinnedMemoryError):
        there.get()


# Several processes


def test_processes_that_compile_the_same_body_at_once(tmp_path):
    text = (
        "from gpu.standin import cupy as xp\n"
        "body = xp.ElementwiseKernel('T x', 'T y', 'y = x * T(3)', 'planted')\n"
        "print(float(body(xp.ones(2))[1]))\n"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", text],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [process.communicate()[0] for process in started] == ["3.0\n"] * 3
    assert [path.suffix for path in (tmp_path / "minivae-tests" / "kernels").iterdir()] == [".so"]
