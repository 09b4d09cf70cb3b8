"""NVIDIA's compiler on the source that CuPy makes of a kernel, for a GPU that is not there.

CuPy asks the device for its architecture before it compiles. That question is answered here, by
replacing one function of CuPy; this and the functions that write the source are none of CuPy's
public names, so the version is fixed, and another one is refused in a sentence.
"""

from itertools import product
from typing import Any

import numpy as np
import pytest

from .real import cupy

VERSION = "14.2."
ARCHITECTURES = ("75", "80", "90", "100")
MOVED = (
    f"CuPy internals moved: this was written for CuPy {VERSION}*, and {cupy.__version__} is "
    "installed; install `cupy-cuda13x==14.2.*`, or bring tests/gpu/nvrtc.py up to date."
)

try:
    import cupy._core._carray as carray
    import cupy._core._kernel as kernel
    import cupy._core._reduction as reduction
    import cupy._core._scalar as scalar
    import cupy._core.core as core
    from cupy.cuda import compiler

    HEADERS = "".join(f"#include <{header}>\n" for header in core._cupy_header_list)
    OPTIONS = (*core.assemble_cupy_compiler_options(()), "-ftz=true")  # CuPy's own
    ELEMENTWISE = kernel._get_elementwise_kernel_code.__wrapped__
    REDUCTION = reduction._ReductionKernel_get_cached_function_code
    _ = compiler._get_arch_for_options_for_nvrtc, compiler.compile_using_nvrtc
    moved = not cupy.__version__.startswith(VERSION)
except (ImportError, AttributeError):
    moved = True


def require_known_cupy() -> None:
    """Fail in a sentence where CuPy is not the one that this module knows."""
    if moved:
        pytest.fail(MOVED, pytrace=False)


def binary(source: str, architecture: str) -> bytes:
    """Compile CuPy's source of a kernel.

    Raises
    ------
    cupy.cuda.compiler.CompileException
        With what NVRTC says about it.
    """
    before = compiler._get_arch_for_options_for_nvrtc
    compiler._get_arch_for_options_for_nvrtc = lambda arch=None: (f"-arch=sm_{arch}", "cubin")
    try:
        return compiler.compile_using_nvrtc(HEADERS + source, OPTIONS, arch=architecture)[0]
    finally:
        compiler._get_arch_for_options_for_nvrtc = before


def sources(made: Any, dtype: str) -> dict[str, str]:
    """What CuPy compiles of a kernel where T is `dtype`, by what its other letters stand for."""
    letters = sorted({p.ctype for p in _parameters(made) if p.dtype is None})
    choices = [OTHERS.get(letter, ()) if letter != "T" else () for letter in letters]
    found = {}
    for chosen in product(*(choice or (dtype,) for choice in choices)):
        types = dict(zip(letters, chosen, strict=True))
        found[", ".join(f"{k}={v}" for k, v in types.items())] = _source(made, types)
    return found


OTHERS = {"S": ("uint8", "float32", "float64"), "U": ("float32", "float64")}
"""What letters beside T stand for: stored pixels, and noise."""

NDARRAY, INDEXER, SCALAR = 1, 2, 3  # CuPy's _ArgKind


def _parameters(made: Any) -> tuple:
    return made.in_params + made.out_params


def _info(kind: int, dtype: Any = None, ndim: int = 1) -> Any:
    of = {NDARRAY: cupy.ndarray, INDEXER: carray.Indexer, SCALAR: scalar.CScalar}[kind]
    dtype = None if dtype is None else np.dtype(dtype)
    return kernel._ArgInfo(kind, of, dtype, ndim, True, True)


def _source(made: Any, types: dict[str, str]) -> str:
    def dtypes(parameters: tuple) -> tuple:
        return tuple(np.dtype(p.dtype or types[p.ctype]) for p in parameters)

    ins, outs = dtypes(made.in_params), dtypes(made.out_params)
    in_types, out_types, type_map = kernel._decide_params_type(
        made.in_params, made.out_params, ins, outs
    )
    inputs = tuple(_info(NDARRAY, d) for d in in_types)
    if isinstance(made, cupy.ElementwiseKernel):
        outputs = tuple(_info(NDARRAY, d) for d in out_types)
        arguments = (*inputs, *outputs, _info(INDEXER))
        return ELEMENTWISE(
            arguments, type_map, made.params, made.operation, made.name, made.preamble
        )
    outputs = tuple(_info(NDARRAY, d, 0) for d in out_types)
    pairs = (("IndexT", np.int32), *sorted((k, np.dtype(v).type) for k, v in types.items()))
    more = (_info(INDEXER), _info(INDEXER, None, 0), _info(SCALAR, "i4", 0))
    return REDUCTION(
        made.nin,
        made.nout,
        made._params,
        (*inputs, *outputs, *more),
        kernel._TypeMap(pairs),
        made.name,
        512,
        made.reduce_type,
        made.identity,
        made.map_expr,
        made.reduce_expr,
        made.post_map_expr,
        made.preamble,
        made.options,
    )
