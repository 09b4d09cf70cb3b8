r"""The backend "cuda": CuPy's arrays on a GPU, and kernels that are data.

A kernel on the GPU is a few lines of C++ for one entry, or for one sum. They stand in the file of
their operation, below the loop for the CPU, as an `Elementwise` or a `Reduction`: names and types
of what goes in and out, and the body. CuPy puts the loop over the entries around it, looks after
shapes, strides and broadcasting, and compiles it when it is first called; `T` is float32 or
float64, whichever the arrays are. So a kernel here is text that needs no GPU to be read, compiled
or tried out.

What is written in a body:

- constants as `T(0.5)`: a bare `0.5` is a double and pulls float32 arithmetic up to it;
- functions by their bare names (`exp`, `log1p`, `erf`), which exist for both types;
- no order-dependent addition into shared memory, so that two runs give the same bits.

**Nothing waits.** The host only queues the work of a step, and reads no number from the device;
CuPy returns from every call at once. Noise and row numbers are drawn on the host, in the order in
which the CPU's backends draw them, for a block of steps at once (`Stage`).

CuPy is handed to `make_backend`, and imported nowhere but in `load`, when the backend is asked for.
"""

import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import ModuleType
from typing import Any

import numpy as np

from .backend import Array, Backend, get_backend
from .errors import BackendError

INSTALL = "`pip install 'minivae[cuda13]'` (or 'minivae[cuda12]' for a driver of CUDA 12)"

_SPECS: "list[Elementwise | Reduction]" = []


class _Spec:
    """What both forms of a kernel share: they are listed, and compiled at the first call."""

    def __post_init__(self) -> None:
        _SPECS.append(self)

    def __call__(self, *arrays: Array, **options: Any) -> Any:
        """Launch the kernel: inputs and, optionally, outputs in the order of the parameters."""
        cp = get_backend("cuda").xp
        try:
            return _compiled(cp, self)(*arrays, **options)
        except TypeError:
            for array in arrays:
                if isinstance(array, np.ndarray):
                    raise BackendError(
                        f"the kernel {self.name} was given a numpy.ndarray of shape {array.shape}, "
                        "but it runs on the GPU; move it there with "
                        "`get_backend('cuda').asarray(array)`."
                    ) from None
            raise


@dataclass(frozen=True, eq=False)
class Elementwise(_Spec):
    """A kernel that computes entry by entry; inputs are broadcast.

    Attributes
    ----------
    name : str
        Name in the compiled code.
    inputs, outputs : str
        Parameters, as `cupy.ElementwiseKernel` takes them: "T x, T y".
    body : str
        C++ for one entry.
    """

    name: str
    inputs: str
    outputs: str
    body: str

    def build(self, cp: ModuleType) -> Any:
        """Make CuPy's kernel of it; nothing is compiled yet."""
        return cp.ElementwiseKernel(self.inputs, self.outputs, self.body, f"minivae_{self.name}")


@dataclass(frozen=True, eq=False)
class Reduction(_Spec):
    """A kernel that sums, or the like, along axes; inputs are broadcast, then mapped.

    Attributes
    ----------
    name : str
        Name in the compiled code.
    inputs, outputs : str
        Parameters, as `cupy.ReductionKernel` takes them; one output.
    map : str
        Expression for one entry.
    post : str
        Statement that makes the output of the reduced value `a`.
    reduce : str
        Expression that joins two values, `a` and `b`.
    identity : str
        What the reduction starts from.
    """

    name: str
    inputs: str
    outputs: str
    map: str
    post: str
    reduce: str = "a + b"
    identity: str = "0"

    def build(self, cp: ModuleType) -> Any:
        """Make CuPy's kernel of it; nothing is compiled yet."""
        return cp.ReductionKernel(
            self.inputs,
            self.outputs,
            self.map,
            self.reduce,
            self.post,
            self.identity,
            f"minivae_{self.name}",
        )


@functools.cache
def _compiled(cp: ModuleType, spec: _Spec) -> Any:
    return spec.build(cp)


def specs() -> "list[Elementwise | Reduction]":
    """All kernels for the GPU, in the order of their definition."""
    from . import objectives, ops, optim  # noqa: F401 (they define them)
    from .data import minibatch  # noqa: F401

    return list(_SPECS)


class Stage(threading.local):
    """What several steps need from the host, moved to the device in one copy.

    Inside a `with` block `put` writes into pinned memory, which the device reads without the host
    waiting for it, and returns the place on the device where that will be; the copy is queued when
    the block ends. There are two halves of pinned memory, so that one can be filled while the
    device fetches the other.
    """

    SIZE = 2**24
    """Bytes of a half."""
    STEPS = 64
    """Steps that are drawn at once, at most."""

    def __init__(self, cp: ModuleType, cupyx: ModuleType) -> None:
        self.cp, self.cupyx = cp, cupyx
        self.is_open = False
        self.halves: list[tuple[np.ndarray, Any]] = []  # pinned memory, and the end of its copy
        self.asked = self.filled = 0

    def __enter__(self) -> "Stage":
        if not self.halves:
            for _ in range(2):
                pinned = self.cupyx.empty_pinned(self.SIZE, np.uint8)
                self.halves.append((pinned, self.cp.cuda.Event()))
        self.halves.reverse()
        self.pinned, self.fetched = self.halves[0]
        self.fetched.synchronize()  # at once, unless the device is two blocks behind
        self.there = self.cp.empty(self.SIZE, np.uint8)
        self.asked = self.filled = 0
        self.is_open = True
        return self

    def put(self, values: np.ndarray) -> Array | None:
        """Return where `values` will be on the device; None if there is no room for them."""
        start = -(-self.asked // 256) * 256  # as CuPy aligns its arrays
        self.asked = stop = start + values.nbytes
        if stop > self.SIZE or not values.nbytes:
            return None
        self.filled = stop
        self.pinned[start:stop].view(values.dtype).reshape(values.shape)[...] = values
        return self.there[start:stop].view(values.dtype).reshape(values.shape)

    def __exit__(self, *_: object) -> None:
        self.is_open = False
        if self.filled:
            stream = self.cp.cuda.get_current_stream()
            self.there[: self.filled].set(self.pinned[: self.filled], stream=stream)
            self.fetched.record(stream)
        del self.there  # the arrays that were put there keep it

    def ahead(self, draw: Callable, steps: Iterable) -> Iterator:
        """Yield `draw(step)` for each step; as many are drawn at once as there is room for."""
        steps = iter(steps)
        for first in steps:
            with self:
                block = [draw(first)]
                room = min(self.SIZE // max(self.asked, 1), self.STEPS)
                block += [draw(step) for step in islice(steps, max(room - 1, 0))]
            yield from block


def make_backend(cp: ModuleType, cupyx: ModuleType) -> Backend:
    """Return the backend "cuda" on these modules: `cupy` and `cupyx`, or their likes."""
    stage = Stage(cp, cupyx)

    def asarray(values: Any, dtype: Any = None) -> Array:
        if isinstance(values, cp.ndarray):
            return values.astype(dtype or values.dtype, copy=False)
        values = np.asarray(values, dtype)  # converted on the host, where it costs no launch
        staged = stage.put(values) if stage.is_open else None
        return cp.asarray(values) if staged is None else staged

    return Backend(
        name="cuda",
        xp=cp,
        array_type=cp.ndarray,
        asarray=asarray,
        to_host=cp.asnumpy,
        erf=cupyx.scipy.special.erf,
        waits=False,
        ahead=stage.ahead,
    )


def load() -> Backend:
    """Import CuPy and return its backend.

    Raises
    ------
    BackendError
        Saying which is missing, CuPy, the driver or a device, and how to mend it.
    """
    try:
        import cupy
        import cupyx.scipy.special  # a submodule that `import cupyx` does not bring
    except ImportError as error:
        raise BackendError(
            f"the backend 'cuda' needs CuPy, which is not installed ({error}); install it with "
            f"{INSTALL}, or choose the backend 'numba'."
        ) from None
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        no_device = error.status == 100  # cudaErrorNoDevice
        missing = (
            "a driver but no NVIDIA GPU was found; check `nvidia-smi` and CUDA_VISIBLE_DEVICES"
            if no_device
            else "no NVIDIA driver that this CuPy can use was found; install or update the driver"
        )
        raise BackendError(
            f"the backend 'cuda' cannot start: {missing}, or choose the backend 'numba'."
        ) from None
    if count == 0:
        raise BackendError(
            "the backend 'cuda' cannot start: a driver but no NVIDIA GPU was found; check "
            "`nvidia-smi` and CUDA_VISIBLE_DEVICES, or choose the backend 'numba'."
        )
    return make_backend(cupy, cupyx)


def device_name(backend: Backend) -> str:
    """Name the device, its driver, CuPy, and how matrix products of float32 are computed."""
    cp = backend.xp
    runtime = cp.cuda.runtime
    name = runtime.getDeviceProperties(cp.cuda.Device().id)["name"].decode()
    tf32 = os.environ.get("CUPY_TF32", "0") == "1"
    cuda = "{}.{}".format(*divmod(runtime.driverGetVersion() // 10, 100))
    precision = "TF32" if tf32 else "float32"
    return f"{name}, driver for CUDA {cuda}, CuPy {cp.__version__}, products in {precision}"
