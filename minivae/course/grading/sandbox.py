"""Sandbox: the process in which a student's file runs, and the only door to it.

The grader starts `worker/` in a session of its own, sends requests and waits for the answers, never
longer than a deadline. Whatever happens in there, the end is the same: the whole process group is
killed, what was printed is collected up to a limit, the scratch folder is removed. An answer is
data, nothing that the grader would run; so the worst that a hostile file can do to its grade is to
return numbers, and numbers are what is graded.
"""

import contextlib
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import MinivaeError, OptionError
from .files import copies_of, place_of, source_of
from .worker import messages

MAX_PRINTED = 20_000
START_SECONDS = 30.0
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


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


@dataclass(frozen=True)
class Limits:
    """What a student's code may take.

    Attributes
    ----------
    seconds : float
        Wall-clock time for each exercise, and for importing the file.
    memory : int
        MB of address space of the process.
    confine : bool
        Also take away files, sockets, signals and new processes, where the system allows it.
    """

    seconds: float = 20.0
    memory: int = 2048
    confine: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 3600:
            raise OptionError(f"the time limit is {self.seconds} s; give 1 to 3600 seconds.")
        if not 256 <= self.memory <= 2**20:
            raise OptionError(f"the memory limit is {self.memory} MB; give 256 MB or more.")


class Sandbox:
    """A student's file in a process of its own; a context manager.

    Parameters
    ----------
    path : Path
        The file. It is copied to a scratch folder and run there.
    limits : Limits
        What it may take.
    alone : bool
        Copy the file only, and not what it imports from beside it.
    top : Path, optional
        The folder above which nothing is copied; see `copies_of`.
    """

    def __init__(
        self, path: Path, limits: Limits, *, alone: bool = False, top: Path | None = None
    ) -> None:
        self.path, self.limits = path, limits
        self.process: subprocess.Popen | None = None
        self.defences: list[str] = []
        self.died = ""
        self.notes: Any = []
        self._printed = bytearray()
        self._answers: queue.Queue[bytes | Exception] = queue.Queue()
        self._requests: queue.Queue[bytes | None] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._token = secrets.token_bytes(messages.TOKEN)
        self._deadline = time.monotonic() + START_SECONDS
        self.scratch = Path(tempfile.mkdtemp(prefix="minivae-")).resolve()
        try:
            copied = self._copy(alone, top)
            self._start()
            self.restart_clock()
            folders = list(copied.relative_to(self.scratch).parts[:-1])
            self.notes = self.call("load", path=str(copied), name=path.stem, package=folders)
        except BaseException:
            self.close()
            raise

    def _copy(self, alone: bool, top: Path | None) -> Path:
        """Copy the submission, so that nothing is lost when it deletes or overwrites its files."""
        places = copies_of(self.path, top, alone=alone)
        for file, place in places.items():
            target = self.scratch / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".ipynb":
                target = target.with_suffix(".py")
                try:
                    target.write_text(source_of(file), encoding="utf-8")
                except (ValueError, RecursionError):
                    raise StudentError("it is no notebook of the format 4") from None
            else:
                shutil.copyfile(file, target)
            target.chmod(0o644)
        for folder in (self.scratch, *(d for d in self.scratch.rglob("*") if d.is_dir())):
            folder.chmod(0o777)
        return (self.scratch / places[self.path.resolve()]).with_suffix(".py")

    def _start(self) -> None:
        keep = ("SYSTEMROOT", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
        environment = {name: os.environ[name] for name in keep if name in os.environ}
        environment |= dict.fromkeys(THREAD_VARIABLES, "1")
        environment |= dict.fromkeys(("HOME", "TMPDIR", "TEMP"), str(self.scratch))
        environment |= {"MPLBACKEND": "Agg"}
        packages = str(Path(np.__file__).parents[1])  # a user's own site-packages, for instance
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(Path(__file__).parent / "worker"), packages],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.scratch,
            env=environment,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        for target, stream in (
            (self._write, self.process.stdin),
            (self._read, self.process.stdout),
            (self._collect, self.process.stderr),
        ):
            thread = threading.Thread(target=target, args=(stream,), daemon=True)
            thread.start()
            self._threads.append(thread)
        self._requests.put(self._token)
        limits = {
            "scratch": str(self.scratch),
            "memory_mb": self.limits.memory,
            "cpu_seconds": int(20 * self.limits.seconds) + 10,
            "confine": self.limits.confine,
        }
        self.defences = self._exchange({"limits": limits})

    # Pipes are served by threads, because a pipe has no time limit on every system.

    def _write(self, stream: BinaryIO) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (data := self._requests.get()) is not None:
                stream.write(data)
                stream.flush()
        with contextlib.suppress(OSError):
            stream.close()

    def _read(self, stream: BinaryIO) -> None:
        with stream:
            try:
                while True:
                    self._answers.put(messages.read_frame(self._token, stream.read))
            except (EOFError, OSError, ValueError, messages.MessageError) as error:
                self._answers.put(error)

    def _collect(self, stream: BinaryIO) -> None:
        with stream, contextlib.suppress(OSError, ValueError):
            while data := stream.read1(65536):
                self._printed += data[: max(0, MAX_PRINTED - len(self._printed))]

    @property
    def printed(self) -> str:
        """What the student's code printed, up to a limit."""
        return printable(self._printed.decode(errors="replace"))

    def restart_clock(self) -> None:
        """Give the next exercise its whole time."""
        self._deadline = time.monotonic() + self.limits.seconds

    @property
    def seconds_left(self) -> float:
        """Until the process is killed."""
        return self._deadline - time.monotonic()

    def call(self, do: str, **arguments: Any) -> Any:
        """Ask the session in the process to do something; return its answer.

        Raises
        ------
        StudentError
            If the student's code raised.
        SandboxError
            If there is no answer; the process is killed, and each further call says the same.
        """
        return self._exchange({"do": do, "with": arguments})

    def _exchange(self, request: dict[str, Any]) -> Any:
        if self.died:
            raise SandboxError(self.died)
        self._requests.put(messages.frame(self._token, messages.encode(request)))
        try:
            body = self._answers.get(timeout=max(0.0, self.seconds_left))
            if isinstance(body, Exception):
                raise body
            answer = messages.decode(body)
            if not isinstance(answer, dict) or len(answer) != 1:
                raise messages.MessageError("it is no answer")
        except queue.Empty:
            self._die(f"it took longer than {self.limits.seconds:g} s and was stopped")
        except (EOFError, OSError, ValueError) as error:
            self._die(self._how_it_ended(error))
        except messages.MessageError:
            self._die("it wrote into the grader's channel and was stopped")
        if "error" in answer:
            error, said = answer["error"], _sentence(answer["error"], self.path)
            # No line of the file was reached: what failed is how it was called.
            own = isinstance(error, dict) and error.get("line") is not None
            raise StudentError(said) if own else NotReadError(said)
        if "problem" in answer:
            raise StudentError(f"what it returned cannot be passed on: {answer['problem']}")
        return answer.get("answer")

    def _die(self, reason: str) -> None:
        self.died = reason
        self.kill()
        raise SandboxError(reason) from None

    def _how_it_ended(self, error: Exception) -> str:
        assert self.process is not None
        try:
            code = self.process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "it closed the grader's channel and was stopped"
        if code >= 0:
            return f"it ended the program (exit code {code}) before it answered"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        hint = {"SIGKILL": "out of memory?", "SIGXCPU": "too much processor time"}.get(name, "")
        return f"the program was ended by signal {name}{f' ({hint})' if hint else ''}"

    def kill(self) -> None:
        """End the process and all that it started."""
        if self.process is None:
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5.0)
        self._requests.put(None)

    def close(self) -> None:
        """End the process and remove the scratch folder."""
        self.kill()
        for thread in self._threads:
            thread.join(timeout=1.0)  # one that left the group may still hold a pipe
        if self.scratch.exists():
            shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def printable(text: str) -> str:
    """Text without what would control a terminal, or cannot be written."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c == "\t" else "?" for c in text)


def _sentence(error: Any, own: Path) -> str:
    """Say what a student's exception was, and where in their file."""
    error = error if isinstance(error, dict) else {}
    kind, message = str(error.get("type", "an error"))[:50], str(error.get("message", ""))[:300]
    line, file = error.get("line"), str(error.get("file", ""))[:100]
    where = f" (line {line} of {file or own.name})" if type(line) is int else ""
    if where and own.suffix == ".ipynb" and file in ("", f"{own.stem}.py"):
        cell, line = place_of(own, line)
        where = f" (cell {cell}, line {line} of {own.name})"
    if kind == "NotImplementedError":
        return f"it is not written yet{where}"
    if kind == "Unreadable":  # of the reader of conventions
        return printable(message)
    if kind == "SystemExit":
        return f"it called sys.exit{where}; leave that out"
    return printable(f"{kind}{': ' if message else ''}{message}{where}")
