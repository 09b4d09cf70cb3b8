"""The stand-in has what the installed CuPy has: names, signatures, layouts, words of refusal."""

import inspect

import numpy as np
import pytest

from gpu import standin
from gpu.real import cupy, cupyx, over, parameters, signature
from gpu.standin.array import wrapped
from gpu.standin.kernels import decide_types
from gpu.standin.kernels import parameters as declared
from gpu.standin.ufuncs import ufunc


def public(of):
    return sorted(name for name in dir(of) if not name.startswith("_"))


def named(of):
    """Public names that are no modules of Python or helpers, with what they stand for."""
    return {name: getattr(of, name) for name in public(of)}


PLACES = {
    "cupy": (standin.cupy, cupy),
    "cupy.ndarray": (standin.cupy.ndarray, cupy.ndarray),
    "cupy.linalg": (standin.cupy.linalg, cupy.linalg),
    "cupy.lib.stride_tricks": (standin.cupy.lib.stride_tricks, cupy.lib.stride_tricks),
    "cupy.cuda": (standin.cupy.cuda, cupy.cuda),
    "cupy.cuda.Device": (standin.cupy.cuda.Device, cupy.cuda.Device),
    "cupy.cuda.Event": (standin.cupy.cuda.Event, cupy.cuda.Event),
    "cupy.cuda.Stream": (standin.cupy.cuda.Stream, cupy.cuda.Stream),
    "cupy.cuda.memory": (standin.cupy.cuda.memory, cupy.cuda.memory),
    "cupy.cuda.runtime": (standin.cupy.cuda.runtime, cupy.cuda.runtime),
    "cupyx": (standin.cupyx, cupyx),
    "cupyx.scipy.special": (standin.cupyx.scipy.special, cupyx.scipy.special),
}
each_place = pytest.mark.parametrize("place", PLACES)


def test_the_version_is_the_one_that_is_compared_with():
    major, minor = standin.cupy.__version__.split(".")[:2]
    assert cupy.__version__.split(".")[:2] == [major, minor]


@each_place
def test_every_name_is_cupys(place):
    ours, real = PLACES[place]
    names = public(ours)
    assert names
    assert [name for name in names if not hasattr(real, name)] == []


@each_place
def test_every_signature_is_cupys(place):
    ours, real = PLACES[place]
    compared = 0
    for name, function in named(ours).items():
        counterpart = getattr(real, name)
        if not inspect.isroutine(function) or (want := signature(counterpart)) is None:
            continue
        first = 1 if inspect.isclass(ours) else 0  # self
        have = parameters(inspect.signature(function))
        assert have[first:] == parameters(want)[first:], name
        compared += 1
    least = {"cupy": 50, "cupy.ndarray": 30}
    assert compared >= least.get(place, 0)


def test_every_ufunc_is_one_there():
    found = {name: f for name, f in named(standin.cupy).items() if isinstance(f, ufunc)}
    found["erf"] = standin.cupyx.scipy.special.erf
    assert len(found) > 40
    for name, function in found.items():
        real = getattr(cupy, name, None) or getattr(cupyx.scipy.special, name)
        assert isinstance(real, cupy.ufunc), name
        assert (function.name, function.nin, function.nout) == (real.name, real.nin, real.nout)


def test_a_name_that_is_not_there_is_refused():
    with pytest.raises(AttributeError, match="no 'fft2d'"):
        _ = standin.cupy.fft2d


SPECIAL = (
    "__abs__ __add__ __and__ __array__ __array_function__ __array_ufunc__ __bool__ "
    "__complex__ __copy__ __deepcopy__ __eq__ __float__ __floordiv__ __format__ __ge__ "
    "__getitem__ __gt__ __iadd__ __iand__ __ifloordiv__ __imod__ __imul__ __int__ __invert__ "
    "__ior__ __ipow__ __isub__ __iter__ __itruediv__ __ixor__ __le__ __len__ __lt__ "
    "__matmul__ __mod__ __mul__ __ne__ __neg__ __or__ __pow__ __radd__ __rand__ __rfloordiv__ "
    "__rmatmul__ __rmod__ __rmul__ __ror__ __rpow__ __rsub__ __rtruediv__ __rxor__ "
    "__setitem__ __sub__ __truediv__ __xor__ __contains__ __index__ __array_interface__ "
    "__array_struct__ __buffer__ __imatmul__ __array_wrap__ "
)


@pytest.mark.parametrize("name", SPECIAL.split())
def test_it_has_a_special_method_exactly_where_cupy_has_it(name):
    assert hasattr(standin.cupy.ndarray, name) == hasattr(cupy.ndarray, name)


def test_both_cannot_be_hashed():
    for array in (wrapped(np.zeros(2)), over(np.zeros(2))):
        with pytest.raises(TypeError, match="unhashable"):
            hash(array)


@pytest.mark.parametrize("error", ["OutOfMemoryError"])
def test_errors_say_the_same(error):
    ours, real = (m.cuda.memory.OutOfMemoryError for m in (standin.cupy, cupy))
    for arguments in ((1024, 512), (1024, 512, 4096)):
        assert str(ours(*arguments)) == str(real(*arguments))
    assert issubclass(real, MemoryError)
    assert issubclass(ours, MemoryError)
    assert ours.__mro__[1] is real.__mro__[1]
    assert issubclass(cupy.cuda.runtime.CUDARuntimeError, RuntimeError)


VIEWS = """
    a
    a[1]
    a[1, 2, 0]
    a[1:, ::2]
    a[:, ::-1]
    a[..., 0]
    a[:, None]
    a[1, ..., 1:]
    a[3:3]
    a.T
    a.T[1:]
    a[:, :, 0].reshape(2, 6)
    a.reshape(-1)
    a.reshape(2, 3, 4, order="C")
    a.reshape((6, 4))
    a[:2].reshape(2, 6)
    a[:, :2].reshape(4, 2, 2)
    a.ravel()
    a.view()
    a.view("int64")
    a.view("uint8")
    a[0].view("float32")
    a.transpose(2, 0, 1)
    a.transpose()
    a.swapaxes(0, 2)
    a[None].squeeze()
    a[:1].squeeze(0)
    a.diagonal()
    a.diagonal(1, 1, 2)
    xp.broadcast_to(a, (5, 4, 3, 2))
    xp.broadcast_to(a[:, :1], (4, 3, 2))
    xp.expand_dims(a, 1)
    xp.moveaxis(a, 0, -1)
    xp.transpose(a, (1, 0, 2))
    xp.squeeze(a[:, :1], 1)
    xp.flip(a, 1)
    xp.lib.stride_tricks.as_strided(a, (3, 3, 2), (48, 16, 8))
    a.real
""".strip().split("\n")


@pytest.mark.parametrize("text", [text.strip() for text in VIEWS])
def test_a_view_lies_where_cupys_lies(text):
    host = np.arange(24.0).reshape(4, 3, 2)
    ours = eval(text, {"a": wrapped(host), "xp": standin.cupy})
    real = eval(text, {"a": over(host), "xp": cupy})
    assert (ours.shape, ours.dtype) == (real.shape, real.dtype)
    if real.size:
        assert ours._host.ctypes.data == real.data.ptr
        assert [s for s, n in zip(ours.strides, ours.shape, strict=True) if n > 1] == [
            s for s, n in zip(real.strides, real.shape, strict=True) if n > 1
        ]
    for flag in ("c_contiguous", "f_contiguous"):
        assert getattr(ours.flags, flag) == getattr(real.flags, flag), flag
    assert (ours.size, ours.ndim, ours.nbytes, ours.itemsize) == (
        real.size,
        real.ndim,
        real.nbytes,
        real.itemsize,
    )


REFUSED = """
    np.asarray(a)
    np.float64(a)
    a[4]
    a[0, 0, 0, 0]
    a[..., ...]
    a[0, -3, -3]
    len(a[0, 0, 0])
    iter(a[0, 0, 0])
    a.set([1.0])
    a.set(np.zeros((4, 3, 2), "f"))
    a.set(np.zeros((4, 3)))
    a[:, ::2].set(np.zeros((4, 2, 2)))
    a.item()
    a.reshape(5, 5)
    a.T.view("float32")
    a[...].__setitem__(0, np.ones((3, 2)))
    a[...].__setitem__(slice(None), np.ones((4, 3, 2)))
    xp.where(a, a)
    xp.ElementwiseKernel("T i", "T y", "y = i")
    xp.ElementwiseKernel("T x", "T y", "y = x", "no name")
    xp.ElementwiseKernel("T x", "T y", "y = x", "named")(a, a, a)
    xp.ReductionKernel("T x", "T y", "x", "a + b", "y = a", "0", "named")(a, a, a)
    xp.ElementwiseKernel("T x", "T y", "y = x", "named")(a, wrong=1)
    xp.ReductionKernel("T x", "T y", "x", "a + b", "y = a", "0", "named")(a, wrong=1)
    xp.exp(a, wrong=1)
    xp.exp()
    xp.exp(a, a, out=a)
    xp.vdot(a, a[0])
    range(a[0, 0, 0])
    memoryview(a)
""".strip().split("\n")


@pytest.mark.parametrize("text", [text.strip() for text in REFUSED])
def test_what_cupy_refuses_without_a_device_is_refused(text):
    host = np.arange(24.0).reshape(4, 3, 2)
    with pytest.raises(Exception) as real:  # noqa: PT011
        eval(text, {"a": over(host), "xp": cupy, "np": np})
    if isinstance(real.value, cupy.cuda.runtime.CUDARuntimeError):
        pytest.fail("CuPy asked for the device before it refused: this line says nothing")
    with pytest.raises(type(real.value)) as ours:
        eval(text, {"a": wrapped(host), "xp": standin.cupy, "np": np})
    if text != "memoryview(a)":  # Python's own words
        have, want = (str(error.value).lower().replace(" ", "") for error in (ours, real))
        assert have == want


DECLARATIONS = [
    ("T x, T y", "T z"),
    ("T x, U y", "T z, U w"),
    ("T x, float64 y", "T z"),
    ("raw S x, int64 row, T y", "T z"),
    ("T x", "float64 z"),
]
DTYPES = [np.dtype(name) for name in ("float32", "float64", "int64", "uint8")] + [None]


@pytest.mark.parametrize(("inputs", "outputs"), DECLARATIONS)
def test_type_variables_are_decided_as_cupy_decides(inputs, outputs):
    kernel = cupy.ElementwiseKernel(inputs, outputs, "", "named")
    ours = declared(inputs), declared(outputs)
    agreed = refused = 0
    for i in range(len(DTYPES) ** kernel.nargs):
        given = [DTYPES[i // len(DTYPES) ** k % len(DTYPES)] for k in range(kernel.nargs)]
        ins, outs = tuple(given[: kernel.nin]), tuple(given[kernel.nin :])
        if None in outs:
            if any(outs):
                continue
            outs = ()
        try:
            want_in, want_out, _ = kernel._decide_params_type(ins, outs)
        except (TypeError, KeyError) as error:
            refused += 1
            with pytest.raises(type(error)):
                decide_types(*ours, given)
            continue
        agreed += 1
        have, _ = decide_types(*ours, given)
        assert have == [np.dtype(t) for t in (*want_in, *want_out)]
    assert agreed > 3
    assert refused > 3
