"""A lane: one sandbox at a time, with the file that is loaded in it, beside other lanes."""

from collections.abc import Sequence
from pathlib import Path

from .limits import Limits, Span
from .sandbox import MAX_PRINTED, START_SECONDS, Sandbox
from .words import SandboxError, StudentError, one_line


class Lane:
    """What runs one target after the other.

    Parameters
    ----------
    limits : Limits
        What a submission may take.
    span : Span
        The time of what is done now.
    alone, top, packages
        As for `Sandbox`.

    Attributes
    ----------
    printed, defences
        Of all its sandboxes.
    late : float
        Seconds that the first one took to start, by which all ends later.
    """

    def __init__(
        self, limits: Limits, span: Span, alone: bool, top: Path | None, packages: Sequence[str]
    ) -> None:
        self.limits, self.span = limits, span
        self.alone, self.top, self.packages = alone, top, packages
        self.open: Sandbox | None = None
        self.opened: Path | None = None
        self.printed = ""
        self.defences: list[str] = []
        self.late = 0.0

    def left(self) -> float:
        """Seconds that are left of what is done now."""
        return self.span.left

    def close(self) -> None:
        """End the sandbox."""
        if self.open is not None:
            self.open.close()
            self.printed = (self.printed + self.open.printed)[:MAX_PRINTED]
        self.open = None

    def sandbox(self, file: Path) -> Sandbox:
        """The sandbox in which a file is loaded; raises what loading it raises."""
        if self.open is not None and self.opened == file and not self.open.died:
            self.open.span = self.span
            return self.open
        self.close()
        if self.span.is_over:
            raise StudentError(f"the {self.limits.seconds:g} s of the submission are over")
        first, self.opened = self.opened is None, file
        own = self.span
        self.span = own.later(START_SECONDS) if first else own
        try:
            self.open = Sandbox(
                file,
                self.limits,
                alone=self.alone,
                top=self.top,
                span=own,
                first=first,
                packages=self.packages,
            )
        except (StudentError, SandboxError) as error:
            raise StudentError(f"{one_line(file.name)} does not import: {error}") from None
        finally:
            self.span = own
        self.late += self.open.late
        self.span = self.open.span
        self.defences = self.open.defences
        return self.open
