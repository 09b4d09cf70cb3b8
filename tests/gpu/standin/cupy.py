"""In the place of the module `cupy`: its names, as far as minivae has a use for them."""

from types import SimpleNamespace

import numpy as _np

from .array import ndarray  # noqa: F401
from .device import cuda  # noqa: F401
from .functions import *  # noqa: F403
from .functions import as_strided as _as_strided
from .functions import norm as _norm
from .kernels import ElementwiseKernel, ReductionKernel  # noqa: F401
from .ufuncs import UFUNCS as _UFUNCS

__version__ = "14.2.0"

bool_, float32, float64 = _np.bool_, _np.float32, _np.float64
int32, int64, uint8 = _np.int32, _np.int64, _np.uint8
dtype, finfo, iinfo = _np.dtype, _np.finfo, _np.iinfo
e, inf, nan, newaxis, pi = _np.e, _np.inf, _np.nan, None, _np.pi
result_type = _np.result_type

globals().update(_UFUNCS)

linalg = SimpleNamespace(norm=_norm)
lib = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=_as_strided))
del SimpleNamespace


def __getattr__(name: str) -> None:
    raise AttributeError(f"the stand-in for CuPy has no {name!r}; add it if CuPy has it")
