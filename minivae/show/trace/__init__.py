"""Tracing: look at every operation of a forward and a backward pass, one after the other.

`with trace(model) as t: model.step(x, eps)` records them. Then `print(t)` is a table of names,
shapes, means, spreads, norms of the gradients and formulas; `t[3]["dW"]` is an array of the fourth
operation; `t` alone in a notebook's cell is a page to step through, and `t.save("trace.html")`
writes that page. What a model does in a line of its own, such as to reshape an array or to take a
mean, is no operation and no record. Nothing here computes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...engine.door import door
from ...errors import OptionError, StateError
from .record import BACKWARD, FORWARD, Array, Record
from .recorder import Recorder, parts_of


@door
class Trace:
    """The operations that a model ran inside a `with` block, in order; made by `trace`.

    The arrays are copies on the host, so they stay what they were. A trace of many steps of a large
    model holds all their arrays: trace one step.
    """

    _active: "Trace | None" = None

    def __init__(self, model: Any) -> None:
        self.model = model
        self.records: list[Record] = []
        parts = parts_of(model)
        if not parts:
            raise OptionError(
                f"a {type(model).__name__} was given to trace, but it records models and layers "
                "of minivae; give a VAE, for example."
            )
        backend = next(part.backend for part in parts.values() if hasattr(part, "backend"))
        self._recorder = Recorder(parts, backend, self.records)

    def __enter__(self) -> "Trace":
        if Trace._active is not None:
            raise StateError(
                "a trace is being recorded already, and traces do not nest; "
                "leave its `with` block before the next one."
            )
        if self.records:
            raise StateError("this trace has been recorded already; make a new one with `trace`.")
        Trace._active = self
        self._recorder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._recorder.stop()
        Trace._active = None

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        """One record, counted from 0; or a list of them."""
        try:
            return self.records[index]
        except IndexError:
            raise IndexError(
                f"record {index} was asked for, but {len(self)} were made, counted from 0."
            ) from None

    def __str__(self) -> str:
        from .text import table

        return table(self.records)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .html import stepper

        return stepper(self.records)

    def save(self, path: str | Path) -> Path:
        """Write the page to step through, which opens from the disk; return its path.

        Parameters
        ----------
        path : str or Path
            Name of the `.html` file; replaced as a whole if it exists.
        """
        from ...files import write_atomically
        from .html import page

        path = Path(path).expanduser()
        if path.suffix.lower() not in (".html", ".htm"):
            raise OptionError(f"{path} was given, but a trace is a page; name it .html.")
        content = page(self.records).encode()
        write_atomically(path, lambda file: file.write(content))
        return path


@door
def trace(model: Any) -> Trace:
    """Record what a model does: `with trace(model) as t: model.step(x, eps)`.

    Parameters
    ----------
    model : Model or Layer
        Any model of minivae, or one of its layers or objectives.

    Returns
    -------
    Trace
        A sequence of `Record`; the table when printed, a page to step through in a notebook.

    Raises
    ------
    OptionError
        If `model` has no layers of minivae.
    StateError
        From the `with` block, if another trace is being recorded.
    """
    return Trace(model)


__all__ = ["BACKWARD", "FORWARD", "Array", "Record", "Trace", "trace"]
