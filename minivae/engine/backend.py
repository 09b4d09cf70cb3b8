"""Backends: which array library computes, and the only door between host and device.

An operation is written once, in NumPy's syntax, on the module that `array_module(x)` returns: the
*reference*. A backend may hold a faster form of the same operation, a *kernel*, registered beside
the reference with `@kernel("name", of=reference)`; `Backend.call` runs the kernel where there is
one and the reference where there is none. The backend "numpy" has no kernels: it is the text to
read, and what every kernel is tested against. "numba" computes with the same arrays and has its
kernels compiled (`cpu/loop.py`); it is the default where Numba is installed. "cuda" computes on a
GPU (`gpu/device.py`). Further backends join through `register` or `register_later`.
"""

import functools
import importlib.util
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Annotated, Any, ClassVar

import numpy as np

from ..errors import BackendError, DtypeError, shown
from .cpu.recorded import run_reference
from .door import door
from .kinds import Kind

_BACKENDS: dict[str, "Backend"] = {}
_FACTORIES: dict[str, Callable[[], "Backend"]] = {}
_KERNELS: dict[tuple[str, Callable], Callable] = {}


def is_array(value: Any) -> bool:
    """Whether this is an array of a backend."""
    return any(isinstance(value, backend.array_type) for backend in _BACKENDS.values())


_AN_ARRAY = Kind(
    "an array of a backend",
    is_array,
    BackendError,
    "make one with `backend.asarray(values, 'float64')`",
    "float",
)

Array = Annotated[Any, _AN_ARRAY]
"""An array of the backend in use: `numpy.ndarray` on "numpy"."""

Real = Annotated[Any, _AN_ARRAY._replace(computes="real")]
"""An `Array` that has no complex form: data, noise, masks, and what an operation has a kink in."""

Indices = Annotated[
    Any,
    Kind(
        "an array of whole numbers, of a backend",
        lambda value: is_array(value) and value.dtype.kind in "iu",
        DtypeError,
        "take it from the forward pass",
    ),
]
"""An array of positions in another."""


@door
@dataclass(frozen=True, eq=False)
class Backend:
    """An array library and the two crossings between it and the host.

    Attributes
    ----------
    name : str
        What `get_backend` calls it.
    xp : module
        The array module: `numpy`, or one with the same functions.
    array_type : type or tuple of types
        The type of its arrays; `array_module` recognises the backend by it.
    asarray : callable
        `asarray(host_array, dtype) -> array`: from the host to the device.
    to_host : callable
        `to_host(array) -> numpy.ndarray`: from the device to the host; nothing else copies back.
    erf : callable
        The error function, which NumPy itself does not have.
    waits : bool
        Whether a result is there when a call returns. Where it is not, work is queued, and to read
        a number makes the host wait: a training step reads none.
    shares : bool
        Whether threads share the work of a training step (`cpu/team.py`).
    ahead : callable
        `ahead(draw, steps)` gives `draw(step)` for each step, in order, as `map` does. Where there
        is a device, what several steps need is drawn at once, and fetched while earlier ones run.
    hand_out : callable
        `hand_out(array, call, direct)` lets `call(array)`, which is no part of the backend, work on
        an array in place: on a copy in the host's memory, unless it is said to take arrays as they
        are.
    """

    past_the_door: ClassVar[frozenset[str]] = frozenset({"call"})

    name: str
    xp: ModuleType
    array_type: type | tuple[type, ...]
    asarray: Callable[..., Array]
    to_host: Callable[[Array], np.ndarray]
    erf: Callable[[Array], Array]
    waits: bool = True
    shares: bool = False
    ahead: Callable[[Callable, Iterable], Iterator] = map
    hand_out: Callable[..., None] = field(default_factory=lambda: _as_it_is)

    def __reduce__(self) -> tuple:
        # A backend is found again by its name: its module cannot be copied or pickled.
        return get_backend, (self.name,)

    def call(
        self,
        reference: Callable,
        *arrays: Array,
        out: dict[str, Array] | None = None,
        **options: Any,
    ) -> Any:
        """Run this backend's kernel of `reference`, or `reference` itself where it has none.

        Parameters
        ----------
        reference : callable
            One function of an operation's pair.
        *arrays : array
            Its arguments.
        out : dict of str to array, optional
            Where a kernel is to write the results of these names, so that they need not be copied
            there. A reference makes new arrays, and the caller copies.
        **options
            Its options.
        """
        kernel = _KERNELS.get((self.name, reference))
        if kernel is None:  # past the door: a layer has looked at its inputs
            return run_reference(getattr(reference, "__wrapped__", reference), arrays, options)
        return kernel(*arrays, **options, **out) if out else kernel(*arrays, **options)


@door
def register(backend: Backend) -> Backend:
    """Make a backend known to `get_backend` and `array_module`."""
    _BACKENDS[backend.name] = backend
    return backend


@door
def register_later(name: str, load: Callable[[], Backend]) -> None:
    """Make a backend known that `load` makes when it is first asked for."""
    _FACTORIES[name] = load


def get_backend(backend: str | Backend) -> Backend:
    """Return the backend of that name; a `Backend` is returned as it is.

    "auto" is "numba" where Numba is installed and compiles, else "numpy".

    Raises
    ------
    BackendError
        If no backend of that name is registered; for "cuda", if CuPy, the driver or a device is
        missing; for "numba", if it is kept from compiling.
    """
    if isinstance(backend, Backend):
        return backend
    known_by_name = isinstance(backend, str)
    if known_by_name and backend == "auto":
        backend = default_backend()
    if known_by_name and backend not in _BACKENDS and backend in _FACTORIES:
        register(_FACTORIES[backend]())
    if not known_by_name or backend not in _BACKENDS:
        known = ", ".join(repr(name) for name in backend_names())
        raise BackendError(f"backend {shown(backend)} does not exist; choose one of: {known}.")
    if backend == "numba" and not compiles():
        raise BackendError(
            "the backend 'numba' was asked for, but Numba compiles nothing while "
            "NUMBA_DISABLE_JIT is set; unset it, or choose 'numpy'."
        )
    return _BACKENDS[backend]


def backend_names() -> list[str]:
    """Names of the backends that can be asked for; that of a GPU need not be there."""
    return list(dict.fromkeys([*_BACKENDS, *_FACTORIES]))


@door
def kernel(backend: str, *, of: Callable) -> Callable[[Callable], Callable]:
    """Register the decorated function as the form of the reference `of` on one backend.

    A kernel takes the same arguments and returns the same results as its reference.
    """

    def decorate(function: Callable) -> Callable:
        _KERNELS[backend, of] = function
        return function

    return decorate


def kernels() -> dict[tuple[str, Callable], Callable]:
    """Return the kernel for each (backend's name, reference) that has one."""
    return dict(_KERNELS)


@functools.cache
def default_backend() -> str:
    """Name of the backend on this machine: "numba" where Numba compiles, else "numpy"."""
    return "numba" if compiles() and importlib.util.find_spec("numba") else "numpy"


def compiles() -> bool:
    """Whether Numba is let compile; without, its loops would take a hundred times as long."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0").strip() in ("", "0")


def _backend_of(array: Array) -> Backend:
    for backend in _BACKENDS.values():
        if isinstance(array, backend.array_type):
            return backend
    raise BackendError(
        f"a {type(array).__name__} is no array of a registered backend; "
        "make one with `backend.asarray(values, dtype)`."
    )


def array_module(*arrays: Array) -> ModuleType:
    """Return the module (`numpy`, or its like) that all these arrays belong to.

    Raises
    ------
    BackendError
        If the arrays belong to two backends, or to none.
    """
    backends = [_backend_of(array) for array in arrays]
    for other in backends[1:]:
        if other is not backends[0]:
            raise BackendError(
                f"arrays of the backends {backends[0].name!r} and {other.name!r} were mixed; "
                f"move them to one with `backend.asarray` first."
            )
    return backends[0].xp


@door
def erf(x: Real) -> Array:
    """Error function, elementwise, in the dtype of `x`."""
    return _backend_of(x).erf(x)


def float_dtype(dtype: Any) -> np.dtype:
    """Return float32 or float64 as a `numpy.dtype`.

    Raises
    ------
    DtypeError
        For any other dtype.
    """
    try:
        resolved = None if dtype is None else np.dtype(dtype)  # np.dtype(None) is float64
    except TypeError:
        resolved = None
    if resolved is None or resolved not in (np.dtype("float32"), np.dtype("float64")):
        raise DtypeError(
            f"dtype {shown(dtype)} was given, but minivae computes in 'float32' (to train) "
            "or 'float64' (to check); choose one of the two."
        )
    return resolved


def _as_it_is(array: np.ndarray, call: Callable[[np.ndarray], None], direct: bool) -> None:
    call(array)


def _numpy_erf(x: np.ndarray) -> np.ndarray:
    # NumPy has no erf; the standard library's is exact to the last bit, one number at a time.
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


for _name in ("numpy", "numba"):
    register(
        Backend(
            name=_name,
            xp=np,
            array_type=(np.ndarray, np.generic),
            asarray=lambda values, dtype=None: np.asarray(values, dtype=dtype),
            to_host=lambda array: array,
            erf=_numpy_erf,
            shares=_name == "numba",
        )
    )
