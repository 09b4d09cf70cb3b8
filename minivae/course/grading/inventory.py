"""What is in the files of a submission: what can be checked, examples, and what failed."""

from pathlib import Path
from typing import Any

from ...check.verdict.conventions.implied import IMPLIED
from .discover import Target, discover
from .files import files_of
from .lane import Lane
from .words import NotReadError, SandboxError, StudentError, one_line


class Inventory:
    """The files of a submission, looked into as far as somebody asks.

    Attributes
    ----------
    files : list of Path
        The Python files.
    problem : str
        Why there are none.
    targets, examples, failures, notes : dict
        By file: what can be checked, what `example()` returned or why it did not, why nothing of
        it is known, and what loading it left out.
    unread : set of Path
        Those of which nothing is known by no fault of theirs.
    """

    def __init__(self, path: Path, wanted: str) -> None:
        self.files, problem = files_of(path, wanted)
        self.problem = one_line(problem)
        self.targets: dict[Path, list[Target]] = {}
        self.examples: dict[Path, Any] = {}
        self.failures: dict[Path, str] = {}
        self.unread: set[Path] = set()
        self.notes: dict[Path, list[str]] = {}

    def look(self, file: Path, lane: Lane) -> list[Target]:
        """What can be checked in a file; an empty list if it does not import."""
        if file in self.targets:
            return self.targets[file]
        self.targets[file] = []
        try:
            sandbox = lane.sandbox(file)
        except StudentError as error:
            self.failures[file] = str(error)
            return []
        try:
            found = discover(sandbox.call("describe"))
            self.targets[file] = [target for target in found if _has_names(target)]
        except (StudentError, SandboxError) as error:
            self.failures[file] = f"{one_line(file.name)} cannot be read: {error}"
            self.unread |= {file} if isinstance(error, NotReadError) else set()
            return []
        self.notes[file] = sandbox.notes
        try:
            self.examples[file] = sandbox.call("example")
        except (StudentError, SandboxError) as error:
            self.examples[file] = StudentError(f"example() does not run: {error}")
        return self.targets[file]

    def look_at_all(self, lane: Lane) -> None:
        """Look into all files, which share the lane's time."""
        whole = lane.span
        for i, file in enumerate(self.files):
            lane.span = whole.share(len(self.files) - i)
            late = lane.late
            self.look(file, lane)
            whole = whole.later(lane.late - late)
        lane.span = whole

    def why_nothing(self, left_out: list[str]) -> str:
        """Why nothing was found, in a sentence."""
        if self.failures:
            return "; ".join(self.failures.values())
        if left_out:
            return left_out[0]
        without = [note for notes in self.notes.values() for note in notes]
        return (
            "nothing was found that can be checked; write NAME_forward and NAME_backward, or a "
            "class with forward and backward, or a function that returns (loss, gradients)"
        ) + (f"; the file was loaded without what failed: {'; '.join(without)}" if without else "")


def _has_names(target: Target) -> bool:
    """Whether all its names can be names; a forged description may hold anything."""
    arguments = [name.lstrip("*") for name, _ in (*target.parameters, *target.init)]
    loss = "f" if target.loss in (None, IMPLIED) else target.loss
    functions = [target.forward, target.backward or "f", loss, *target.methods]
    return all(map(str.isidentifier, [*target.name.split("."), *functions, *arguments]))
