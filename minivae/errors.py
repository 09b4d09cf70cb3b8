"""The package's own exceptions: each message says what came, what was expected and how to mend it.

Every error that minivae raises on purpose is a `MinivaeError`, so one `except` catches them all.
Each one is also the built-in exception that a Python programmer would expect in its place.
"""

from typing import Any


class MinivaeError(Exception):
    """Root of every error that minivae raises on purpose."""


class ShapeError(MinivaeError, ValueError):
    """An array has another shape than the operation needs."""


class DtypeError(MinivaeError, TypeError):
    """An array has another dtype than the operation needs."""


class OptionError(MinivaeError, ValueError):
    """An option has a value that it cannot take."""


class BackendError(MinivaeError, TypeError):
    """A backend is missing, or arrays of two backends were mixed."""


class DataError(MinivaeError, ValueError):
    """A data set is missing, unreadable, or holds values that cannot be trained on."""


class CheckpointError(MinivaeError, ValueError):
    """A checkpoint is truncated, foreign, of another format version, or does not fit the model."""


class NonFiniteError(MinivaeError, ArithmeticError):
    """A gradient or a loss is NaN or infinite, so the update was refused."""


class OutOfMemoryError(MinivaeError, MemoryError):
    """The host or the device has not enough memory."""


class StateError(MinivaeError, RuntimeError):
    """Something was called before what it needs, such as `backward` before `forward`."""


class UndefinedError(MinivaeError, TypeError):
    """A class does not define a method that it must, for it was asked for."""


class CallError(MinivaeError, TypeError):
    """A function was called with too few arguments, too many, or names that it does not have."""


class DerivationError(MinivaeError, ValueError):
    """A formula is broken, no line cites an equation, or a line cites one that is not there."""


def shown(value: Any) -> str:
    """A value in a sentence: short, on one line, and never an exception of its own."""
    kind = type(value).__name__
    if hasattr(value, "shape") and hasattr(value, "dtype") and len(value.shape):
        return f"an array of {value.dtype} with shape {tuple(value.shape)}"
    if value is None or isinstance(value, bool):
        return repr(value)
    try:
        text = ascii(value) if not isinstance(value, str) else repr(value)
    except Exception:  # a foreign object's own
        return f"a {kind}"
    short = text if len(text) <= 60 else f"{text[:57]}…"
    if " at 0x" in text or "\n" in text:
        return f"a {kind}"
    return short if isinstance(value, str | int | float | complex) else f"{short} (a {kind})"
