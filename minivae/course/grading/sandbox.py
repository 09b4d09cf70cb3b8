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
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .limits import Limits, Span
from .scratch import copy_submission, new_scratch, remove, taken
from .words import (
    NotReadError,
    SandboxError,
    StudentError,
    UnsafeError,
    one_line,
    printable,
    sentence,
    undefended,
)
from .worker import messages

MAX_PRINTED = 20_000
START_SECONDS = 30.0
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
KEPT_VARIABLES = ("SYSTEMROOT", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


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
    span : Span, optional
        The time that importing it has.
    first : bool
        The time begins when the process is ready, and not before it is started.
    packages : sequence of str
        Installed packages that it may import besides NumPy.
    """

    def __init__(
        self,
        path: Path,
        limits: Limits,
        *,
        alone: bool = False,
        top: Path | None = None,
        span: Span | None = None,
        first: bool = False,
        packages: Sequence[str] = (),
    ) -> None:
        self.path, self.limits, self.packages = path, limits, packages
        self.process: subprocess.Popen | None = None
        self.defences: list[str] = []
        self.died, self.filled = "", False
        self.notes: list[str] = []
        self._printed = bytearray()
        self._answers: queue.Queue[bytes | Exception] = queue.Queue()
        self._requests: queue.Queue[bytes | None] = queue.Queue()
        self._wanted: queue.Queue[bool] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._token = secrets.token_bytes(messages.TOKEN)
        self.span = Span.of(START_SECONDS)
        self.late = 0.0
        start = time.monotonic()
        self.scratch = new_scratch()
        try:
            copied = copy_submission(self.scratch, path, top, alone=alone)
            self._start()
            self.late = time.monotonic() - start if first else 0.0
            self.span = Span.of(limits.seconds) if span is None else span.later(self.late)
            folders = list(copied.relative_to(self.scratch).parts[:-1])
            notes = self.call("load", path=str(copied), name=path.stem, package=folders)
            notes = notes if isinstance(notes, list) else []
            self.notes = [one_line(note) for note in notes if isinstance(note, str)]
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        environment |= dict.fromkeys(THREAD_VARIABLES, "1")
        environment |= dict.fromkeys(("HOME", "TMPDIR", "TEMP"), str(self.scratch))
        environment |= {"MPLBACKEND": "Agg"}
        installed = str(Path(np.__file__).parents[1])
        worker = str(Path(__file__).parent / "worker")
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", worker, installed, *self.packages],
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
            "cpu_seconds": int(2 * self.limits.seconds) + 10,
            "confine": self.limits.confine,
        }
        self.defences = self._exchange({"limits": limits})
        if "view" not in self.defences:  # which has a limit of its own
            threading.Thread(target=self._watch_disk, daemon=True).start()
        if not self.limits.insist and (can := undefended(self.defences)):
            raise UnsafeError(
                f"{one_line(self.path.name)} was not run: on this system its code could {can}; "
                "grade in a container, as a user who owns nothing, or insist with --insist."
            )

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
                while self._wanted.get():  # what nobody asked for stays in the pipe
                    self._answers.put(messages.read_frame(self._token, stream.read))
            except (EOFError, OSError, ValueError, messages.MessageError) as error:
                self._answers.put(error)

    def _collect(self, stream: BinaryIO) -> None:
        with stream, contextlib.suppress(OSError, ValueError):
            while data := stream.read1(65536):
                self._printed += data[: max(0, MAX_PRINTED - len(self._printed))]

    def _watch_disk(self) -> None:
        while self.process is not None and self.process.poll() is None:
            if taken(self.scratch) > messages.SCRATCH_BYTES:
                self.filled = True
                return self.kill()
            time.sleep(0.2)
        return None

    @property
    def printed(self) -> str:
        """What the student's code printed, up to a limit."""
        return printable(self._printed.decode(errors="replace"))

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
        self._wanted.put(True)
        try:
            body = self._answers.get(timeout=max(0.0, self.span.left))
            if isinstance(body, Exception):
                raise body
            answer = messages.decode(body)
            if not isinstance(answer, dict) or len(answer) != 1:
                raise messages.MessageError("it is no answer")
        except queue.Empty:
            seconds = max(round(self.span.seconds, 1), 0.1)
            self._die(f"it took longer than {seconds:g} s and was stopped")
        except (EOFError, OSError, ValueError) as error:
            self._die(self._how_it_ended(error))
        except messages.MessageError:
            self._die("it wrote into the grader's channel and was stopped")
        if "error" in answer:
            error, said = answer["error"], sentence(answer["error"], self.path)
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
        if self.filled:
            return f"it wrote more than {messages.SCRATCH_BYTES >> 20} MB and was stopped"
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
        self._wanted.put(False)

    def close(self) -> None:
        """End the process and remove the scratch folder."""
        self.kill()
        for thread in self._threads:
            thread.join(timeout=1.0)  # one that left the group may still hold a pipe
        remove(self.scratch)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
