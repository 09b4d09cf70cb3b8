"""CuPy as it is installed, without a device: its names, signatures, and arrays to look at."""

import inspect
import re
from typing import Any

import numpy as np
import pytest

cupy = pytest.importorskip("cupy", reason="CuPy is not installed: pip install cupy-cuda13x")
cupyx = pytest.importorskip("cupyx")
pytest.importorskip("cupyx.scipy.special")


def over(host: np.ndarray) -> Any:
    """Make CuPy's own array over memory of the host: it has a layout, but cannot compute."""
    memory = cupy.cuda.UnownedMemory(host.ctypes.data, host.nbytes, host, device_id=0)
    pointer = cupy.cuda.MemoryPointer(memory, 0)
    return cupy.ndarray(host.shape, host.dtype, memptr=pointer, strides=host.strides)


def signature(function: Any) -> inspect.Signature | None:
    """Return a function's parameters, a compiled method's from its documentation."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        pass
    text = (getattr(function, "__doc__", None) or "").strip().split("\n")[0]
    found = re.match(r"[\w.]+\((.*?)\)( -> .*)?$", text)
    if not found:
        return None
    names = [re.sub(r"\b\w+ (?=[*\w]+)", "", part.strip()) for part in found[1].split(",")]
    scope: dict[str, Any] = {}
    exec(f"def parsed({', '.join(names)}): pass", scope)
    return inspect.signature(scope["parsed"])


def parameters(of: inspect.Signature) -> list[tuple]:
    """Names, kinds and defaults."""
    return [(p.name, p.kind, repr(p.default)) for p in of.parameters.values()]
