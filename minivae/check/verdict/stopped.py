"""What is left of a pair whose backward raises: the change with which it runs is sought on it."""

from typing import Any

from .subject import Subject


class StoppedError(Exception):
    """Backward raised, where forward did not.

    Attributes
    ----------
    subject : Subject
        What there is without backward.
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__("backward raised")
        self.subject = subject


def without_backward(name: str, door: Any) -> Subject | None:
    """The subject of a pair whose backward raises; None where forward does already."""
    arguments = door.reading.arguments
    try:
        outputs, _ = door.forward({n: a.copy() for n, a in arguments.items()})
    except Exception:
        return None
    scalar = all(y.ndim == 0 for y in outputs)
    return Subject(
        name, arguments, tuple(arguments), door.forward, lambda upstream, cache: {},
        scalar=scalar, editor=door,
    )  # fmt: skip
