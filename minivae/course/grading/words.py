"""Words about a submission: errors, text that cannot forge anything, and what was not defended."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import MinivaeError, OptionError
from .files import place_of


class StudentError(MinivaeError):
    """The student's code raised, or returned what cannot be used.

    Attributes
    ----------
    subject : Subject, optional
        What there is without backward, if it was that which raised.
    """

    subject: Any = None


class NotReadError(StudentError):
    """Code that may be right, but whose way of being called is not known here."""


class SandboxError(MinivaeError):
    """The process did not answer: it took too long, ended, or wrote what is no answer."""


class UnsafeError(OptionError):
    """The system does not let a process give up what it should, and nobody insisted."""


def printable(text: str) -> str:
    """Text without what would control a terminal, or cannot be written."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c == "\t" else "?" for c in text)


def one_line(name: str) -> str:
    """A name, of a file for instance, that can begin no line of its own in a report."""
    return printable(name.replace("\n", "?"))


def sentence(error: Any, own: Path) -> str:
    """Say what a student's exception was, and where in their file."""
    error = error if isinstance(error, dict) else {}
    kind, message = str(error.get("type", "an error"))[:50], str(error.get("message", ""))[:300]
    line, file = error.get("line"), str(error.get("file", ""))[:100]
    where = f" (line {line} of {file or own.name})" if type(line) is int else ""
    if where and own.suffix == ".ipynb" and file in ("", f"{own.stem}.py"):
        cell, line = place_of(own, line)
        where = f" (cell {cell}, line {line} of {own.name})"
    if kind == "NotImplementedError" or message.startswith("exceptions must derive from"):
        return one_line(f"it is not written yet{where}")
    if kind == "Unreadable":  # of the reader of conventions
        return one_line(message)
    if kind == "RecursionError" and not where:  # Python itself could not read it
        return "it is nested too deeply to be read"
    if kind == "SystemExit":
        return one_line(f"it called sys.exit{where}; leave that out")
    return one_line(f"{kind}{': ' if message else ''}{message}{where}")


def undefended(defences: Sequence[str]) -> str:
    """What a process could still do that had given up what is listed; empty if nothing."""
    can = []
    if not {"view", "landlock"} & set(defences):
        can.append("read what this user can read, and change it")
    if "seccomp" not in defences:
        can.append("use the network, signal other processes and stay behind in a new one")
    if "capabilities" not in defences:
        can.append("use all rights of this user, also root's")
    if "memory" not in defences:
        can.append("take all memory")
    return "; ".join(can)
