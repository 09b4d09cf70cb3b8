r"""Kernels for a GPU that are data: text which needs no GPU to be read, compiled or tried out.

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
which the CPU's backends draw them, for a block of steps at once (`stage.py`).
"""

import functools
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import BackendError, UndefinedError
from ..backend import Array, get_backend

_SPECS: "list[_Spec]" = []


class _Spec:
    """What both forms of a kernel share: they are listed, and compiled at the first call."""

    name: str

    def __post_init__(self) -> None:
        _SPECS.append(self)

    def build(self, cp: ModuleType) -> Any:
        """Make CuPy's kernel of it; nothing is compiled yet."""
        raise UndefinedError(f"{type(self).__name__} must define build; write it.")

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


def specs() -> list[_Spec]:
    """All kernels for the GPU that have been defined, in the order of their definition."""
    return list(_SPECS)
