"""The package's own exceptions: each message says what came, what was expected and how to mend it.

Every error that minivae raises on purpose is a `MinivaeError`, so one `except` catches them all.
Each one is also the built-in exception that a Python programmer would expect in its place.
"""


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
