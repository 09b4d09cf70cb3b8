"""The loop of the process that runs a student's file: read a request, answer it, until killed.

Requests come on what was standard input, answers go to what was standard output; the student's
code finds an empty input, and both of its outputs lead to where the grader collects what is
printed.
"""

import importlib
import importlib.util
import os
import sys
import traceback
from types import ModuleType
from typing import Any, BinaryIO

HERE = sys.path.pop(0)
LONGEST = 300
"""Characters of a student's error message that are passed on."""


def main() -> None:
    """Set up the channel, lock the process down, and serve."""
    answers = os.fdopen(os.dup(1), "wb")
    requests = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.dont_write_bytecode = True
    installed, *more = sys.argv[1:]
    sys.path.append(installed)  # for NumPy alone; what else lies there is not for students
    sys.path.insert(0, os.path.dirname(HERE))
    from worker import loading, lockdown, messages
    from worker.places import load_libraries, places
    from worker.session import Session

    sys.path.remove(os.path.dirname(HERE))
    sys.path.remove(installed)
    del sys.argv[1:]
    token = requests.read(messages.TOKEN)
    parts = ("verdict.conventions", "verdict.draws", "verdict.frozen", "tape")
    session = Session(*map(load_part, parts), loader=loading.prepare)
    readable = places(os.path.abspath(os.path.join(HERE, *[os.pardir] * 3)), installed, more)
    load_libraries()
    sys.meta_path.insert(0, readable)

    def read() -> dict[str, Any]:
        return messages.decode(messages.read_frame(token, requests.read))

    start = read()
    done = lockdown.lock(**start["limits"], places=readable)
    for name in [n for n in sys.modules if n.partition(".")[0] in ("worker", "verdict", "tape")]:
        del sys.modules[name]  # a student's file may be called that
    send(answers, messages.frame(token, messages.encode({"answer": done})))
    while True:
        request = read()
        try:
            body = messages.encode({"answer": session.handle(request)})
        except messages.MessageError as error:
            body = messages.encode({"problem": str(error)})
        except BaseException as error:
            body = messages.encode({"error": describe(error, session.folder)})
        send(answers, messages.frame(token, body))


def load_part(name: str) -> ModuleType:
    """Load a part of `minivae.check` that stands alone, without minivae.

    Such a part imports NumPy, the standard library, and others that stand alone.
    """
    package = name.partition(".")[0]
    if package not in sys.modules:
        where = os.path.join(HERE, *[os.pardir] * 3, "check", package)
        spec = importlib.util.spec_from_file_location(
            package, os.path.join(where, "__init__.py"), submodule_search_locations=[where]
        )
        sys.modules[package] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[package])
    return importlib.import_module(name)


def send(answers: BinaryIO, data: bytes) -> None:
    """Write and flush."""
    answers.write(data)
    answers.flush()


def describe(error: BaseException, folder: str) -> dict[str, Any]:
    """Reduce an exception to its type, its message, and the line in the student's file."""
    try:
        message = str(error)
    except BaseException:
        message = ""
    line, file = None, ""
    if isinstance(error, SyntaxError) and error.filename:
        line, file, message = error.lineno, error.filename, error.msg
    for frame, number in traceback.walk_tb(error.__traceback__):
        if folder and frame.f_code.co_filename.startswith(folder + os.sep):
            line, file = number, frame.f_code.co_filename
    if folder:
        message = message.replace(folder + os.sep, "")
    return {
        "type": type(error).__name__,
        "message": " ".join(message.split())[:LONGEST],
        "line": line,
        "file": os.path.basename(file),
    }


if __name__ == "__main__":
    main()
