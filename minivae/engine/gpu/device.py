"""The backend "cuda": CuPy's arrays on a GPU.

CuPy is handed to `make_backend`, and imported nowhere but in `load`, when the backend is asked for.
"""

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import BackendError
from ..backend import Array, Backend, register_later
from .stage import Stage

INSTALL = "`pip install 'cupy-cuda13x[ctk]'` ('cupy-cuda12x[ctk]' for a driver of CUDA 12)"


def make_backend(cp: ModuleType, cupyx: ModuleType) -> Backend:
    """Return the backend "cuda" on these modules: `cupy` and `cupyx`, or their likes."""
    stage = Stage(cp, cupyx)

    def asarray(values: Any, dtype: Any = None) -> Array:
        if isinstance(values, cp.ndarray):
            return values.astype(dtype or values.dtype, copy=False)
        values = np.asarray(values, dtype)  # converted on the host, where it costs no launch
        staged = stage.put(values) if stage.is_open else None
        return cp.asarray(values) if staged is None else staged

    host: dict[tuple, np.ndarray] = {}

    def hand_out(array: Array, call: Callable[[Any], None], direct: bool) -> None:
        if direct:
            cp.cuda.get_current_stream().synchronize()  # `call` does not wait for what is queued
            call(array)
            return
        key = array.shape, array.dtype.char
        if key not in host:
            host[key] = cupyx.empty_pinned(*key)
        call(cp.asnumpy(array, out=host[key]))
        array.set(host[key])

    return Backend(
        name="cuda",
        xp=cp,
        array_type=cp.ndarray,
        asarray=asarray,
        to_host=cp.asnumpy,
        erf=cupyx.scipy.special.erf,
        waits=False,
        ahead=stage.ahead,
        hand_out=hand_out,
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


register_later("cuda", load)
