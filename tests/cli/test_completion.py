"""The shell completes commands, options and their choices."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("argcomplete", reason="pip install -e '.[complete]'")


def completions(line, tmp_path, program="from minivae.cli.main import main; main()"):
    told = tmp_path / "told"
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "|"}
    asked |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(told), "PYTHONPATH": os.pathsep.join(sys.path)}
    asked |= {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9"}
    run = subprocess.run([sys.executable, "-c", program], env={**os.environ, **asked})
    words = told.read_text().split("|") if told.exists() else []
    return run.returncode, {word.strip() for word in words}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("minivae ev", "evaluate"),
        ("minivae train --lr-s", "--lr-schedule"),
        ("minivae train --lr-schedule co", "cosine"),
        ("minivae sample --backend num", "numba"),
    ],
)
def test_what_could_come_next(tmp_path, line, word):
    code, words = completions(line, tmp_path)
    assert (code, word in words) == (0, True), words


def test_without_the_library_nothing_is_said(tmp_path):
    program = "import sys; sys.modules['argcomplete'] = None\n"
    program += "from minivae.cli.main import main; main()"
    assert completions("minivae ev", tmp_path, program) == (1, set())
