"""`@loop`: an ordinary Python loop over arrays that Numba compiles when it is first called.

A kernel of the backend "numba" is such a loop, with a few lines of NumPy around it. Until the first
call nothing is compiled and Numba is not even imported. The machine code is kept on disk, beside
the source or, where that cannot be written, in the user's cache folder; so a machine compiles once.

What makes these loops fast, measured on 650,000 numbers (Adam): the division rules of NumPy
(`error_model="numpy"`, x / 0 is inf) instead of Python's, whose check before each division keeps
the processor from treating eight numbers at once: 10 times; and loops that start at 0. A loop runs
on the thread that calls it; `team.py` lets several threads take parts of the long ones. (Numba's
own parallel loops were measured and not taken: to wake a thread for Adam cost more than it saved.)

Two habits follow in every loop. A literal such as 0.5 is a float64 and would pull float32
arithmetic up to it, so a constant is brought to the array's type first: `half = x.dtype.type(0.5)`.
And there is no check of an index: whoever calls a loop has compared the shapes (`together`).
"""

import dis
import functools
import hashlib
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...errors import BackendError, DtypeError, ShapeError
from ...interrupts import held
from ..backend import Array
from . import recorded

OPTIONS = {"error_model": "numpy", "nogil": True}
"""How Numba is to compile every loop."""


def import_numba() -> Any:
    """Import Numba, whole."""
    try:
        with held(firmly=True):
            import numba
    except ImportError:
        raise BackendError(
            "the backend 'numba' was asked for, but Numba is not installed; install it with "
            "`pip install numba`, or choose the backend 'numpy'."
        ) from None
    return numba


def kept_on_disk(decorator: Callable[..., Callable], function: Callable) -> Any:
    """Compile with a decorator of Numba's, its machine code kept where a folder can be written."""
    with held(firmly=True):
        try:
            return decorator(cache=True)(function)
        except RuntimeError:
            return decorator()(function)


class Loop:
    """A function that is compiled at its first call; `function` is the Python text of it.

    Parameters
    ----------
    function : callable
        What to compile. Names in it that stand for other loops are compiled into it.
    reorder : bool
        Let sums be taken in another order, several partial sums at once. The result differs by
        rounding; NaN and infinity stay what they are.
    inner : dict of str to Loop, optional
        Loops to put in the place of names in `function`; see `using`.
    """

    __name__: str

    def __init__(
        self, function: Callable, reorder: bool = False, inner: "dict[str, Loop] | None" = None
    ) -> None:
        functools.update_wrapper(self, function)
        self.function, self.reorder, self.inner = function, reorder, inner or {}

    def using(self, **inner: "Loop") -> "Loop":
        """Make this loop again with these functions in the place of the names in it."""
        return Loop(self.function, self.reorder, inner)

    @functools.cached_property
    def compiled(self) -> Any:
        """What Numba makes of the function."""
        numba = import_numba()
        parts = {name: part.compiled for name, part in self.parts().items()}
        made = types.FunctionType(
            self.function.__code__,
            {**self.function.__globals__, **parts},
        )
        # The name in the cache.
        made.__module__, made.__qualname__ = (
            self.__module__,
            f"{self.__name__}_{self.fingerprint()}",
        )
        fastmath = {"contract", "reassoc"} if self.reorder else {"contract"}
        compiled = kept_on_disk(functools.partial(numba.njit, fastmath=fastmath, **OPTIONS), made)
        compile_for_args = compiled._compile_for_args

        def whole(*arguments: Any) -> Any:
            with held(firmly=True):
                return compile_for_args(*arguments)

        compiled._compile_for_args = whole  # what Numba calls for arguments of new types
        return compiled

    def parts(self) -> "dict[str, Loop]":
        """Return the loops that this one calls, by the names in it."""
        known = {**self.function.__globals__, **self.inner}
        code = dis.get_instructions(self.function)
        names = sorted({step.argval for step in code if step.opname == "LOAD_GLOBAL"})
        return {name: known[name] for name in names if isinstance(known.get(name), Loop)}

    def fingerprint(self) -> str:
        """Eight letters that change with the code, and with the numbers and names that it uses.

        Numba itself looks at the date of one file only, that of the outermost function.
        """
        code = self.function.__code__
        known = {**self.function.__globals__, **self.inner}
        used = [(name, _told_apart(known[name])) for name in code.co_names if name in known]
        text = repr((code.co_code, code.co_consts, code.co_names, used, OPTIONS, self.reorder))
        text += "".join(part.fingerprint() for part in self.parts().values())
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def compile_for(self, *arguments: Any) -> None:
        """Compile for arguments of these types, without a call."""
        with held(firmly=True):
            self.compiled.compile(tuple(map(import_numba().typeof, arguments)))

    def __call__(self, *arguments: Any) -> Any:
        """Run the compiled function."""
        result = self.compiled(*arguments)
        if recorded.now.calls is not None:
            recorded.now.calls.append((self.compiled, arguments, result))
        return result


def _told_apart(value: Any) -> str:
    """Tell a number from another one, and a function or type by its name."""
    if isinstance(value, (int, float, str, tuple, np.generic)):
        return repr(value)
    return getattr(value, "__qualname__", type(value).__name__)


def loop(function: Callable | None = None, *, reorder: bool = False) -> Any:
    """Decorate a function as a `Loop`; with `reorder`, its sums may be taken in another order."""
    if function is None:
        return functools.partial(Loop, reorder=reorder)
    return Loop(function)


def together(**arrays: Array) -> list[Array]:
    """Return the arrays contiguous in memory, after comparing their shapes and dtypes.

    Raises
    ------
    ShapeError, DtypeError
        If they differ, or are neither float32 nor float64: a compiled loop would read beyond the
        end of the shorter one.
    """
    given = list(arrays.values())
    shape, dtype = given[0].shape, given[0].dtype
    for array in given:
        if array.shape != shape or array.dtype is not dtype or not array.flags.c_contiguous:
            break
    else:
        if dtype.char in "fd":
            return given
    for name, array in arrays.items():
        if array.shape != shape:
            raise ShapeError(
                f"{name} has shape {array.shape}, but {next(iter(arrays))} has {shape}; "
                "they are taken entry by entry, so give both the same shape."
            )
    same_dtype(**arrays)
    return [array if array.flags.c_contiguous else _copied(array) for array in given]


def _copied(array: Array) -> Array:
    """The array contiguous in memory; a step that is replayed copies it again."""
    made = np.empty(array.shape, array.dtype)
    recorded.run(np.copyto, made, array)
    return made


def same_dtype(**arrays: Array) -> None:
    """Compare dtypes.

    Raises
    ------
    DtypeError
        If they differ, or are neither float32 nor float64.
    """
    one, *others = arrays.values()
    first = one.dtype
    for array in others:
        if array.dtype != first:
            break
    else:
        if first.char in "fd":
            return
    for name, array in arrays.items():
        if array.dtype != first or array.dtype.char not in "fd":
            raise DtypeError(
                f"{name} is {array.dtype} and {next(iter(arrays))} is {first}, but a kernel takes "
                "arrays of one dtype, float32 or float64; convert them with `astype`."
            )


@contextmanager
def announce(say: Callable[[str], None]) -> Iterator[None]:
    """Within this block, call `say` once with a sentence if Numba has to compile something."""
    import_numba()
    from numba.core import event

    told: list[bool] = []

    class Listener(event.Listener):
        def on_start(self, _: Any) -> None:
            if not told:
                told.append(True)
                say("compiling the kernels; a machine does that once, and keeps them")

        def on_end(self, _: Any) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield
