"""Files that try to hang, kill or fool the grader; each trick is really carried out."""

import argparse
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from minivae.course.grading import cli, grade_file, submission
from minivae.course.grading.gradescope import results, write_results
from minivae.course.grading.sandbox import MAX_PRINTED, Limits, Sandbox, SandboxError, StudentError

from .conftest import LINEAR, RUBRIC, WRONG
from .schema import check_results

pytestmark = pytest.mark.slow


def processes(marker):
    """Command lines of living processes that hold the marker."""
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listing.stdout.splitlines() if marker in line]


def grade_to_results(path, tmp_path, *options, timeout="10"):
    """Run the command as a process, as an autograder does; return exit code and results."""
    rubric = tmp_path / "rubric.toml"
    rubric.write_text(RUBRIC)
    out = tmp_path / "results" / "results.json"
    words = ["--points", str(rubric), "--gradescope", str(out), "--force", "--timeout", timeout]
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "minivae", "check", str(path), *words, *options],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    content = json.loads(out.read_text())
    check_results(content)
    return done, content, time.monotonic() - start


@pytest.fixture
def confined(student):
    """Skip unless this system lets a process give up its rights without privilege."""
    with Sandbox(student(LINEAR), Limits()) as sandbox:
        missing = {"seccomp", "landlock"} - set(sandbox.defences)
    if missing:
        pytest.skip(f"this kernel has no {' and no '.join(missing)}")


AT_IMPORT = {
    "endless loop": ("while True: pass", "took longer than 1 s"),
    "endless loop that catches all": (
        """
        while True:
            try:
                while True: pass
            except BaseException: pass
        """,
        "took longer than 1 s",
    ),
    "sleep": ("import time; time.sleep(1000)", "took longer than 1 s"),
    "sys.exit": ("import sys; sys.exit(0)", "it called sys.exit (line 2 of homework.py)"),
    "os._exit": ("import os; os._exit(0)", "it ended the program (exit code 0)"),
    "abort": ("import ctypes; ctypes.string_at(0)", "ended by signal SIGSEGV"),
    "100 GB": ("import numpy as np; np.ones(100 * 2**27)", "MemoryError"),
    "a list without end": ("a = [0]\nwhile True: a = a + a", "MemoryError"),
    "syntax": ("def f(:", "SyntaxError: invalid syntax (line 2 of homework.py)"),
    "exception": ("raise ValueError('secret ' * 100)", "ValueError: secret secret"),
    "exception without a message": (
        """
        class Evil(BaseException):
            def __str__(self): raise SystemExit
        raise Evil
        """,
        "Evil (line 4 of homework.py)",
    ),
    "closed channel": ("import os; os.closerange(0, 200)\nwhile True: pass", "channel"),
    "bytes in the channel": (
        """
        import os
        for fd in range(0, 200):
            try: os.write(fd, b'{"score": 4}' * 100)
            except OSError: pass
        """,
        "channel",
    ),
}


@pytest.mark.parametrize("trick", AT_IMPORT)
def test_import_that_fails_is_a_grade_of_zero(graded, trick):
    source, expected = AT_IMPORT[trick]
    start = time.monotonic()
    grade = graded(
        "\n" + textwrap.dedent(source).strip() + LINEAR,
        {"name": "linear", "kind": "linear", "points": 4},
        timeout=1 if "longer" in expected else 10,
        memory=300,
    )
    assert (grade.score, grade.max_score, grade.verdict) == (0.0, 4.0, "not checked")
    assert expected in grade.exercises[0].problem
    assert time.monotonic() - start < 20
    check_results(results(grade))
    assert "Traceback" not in json.dumps(grade.to_dict())


IN_BACKWARD = {
    "endless loop": ("while True: pass", "took longer than 1 s"),
    "os._exit": ("import os; os._exit(0)", "exit code 0"),
    "interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt (line 8"),
    "recursion": ("return linear_backward(dout, cache)", "RecursionError"),
    "text": ("return 'all right'", "returned a str"),
    "nothing": ("return None", "no gradient"),
    "objects": ("return object(), object(), object()", "no gradient"),
    "ragged": ("return [[1, 2], [3]]", "the gradient has shape (2,)"),
    "900 MB": ("return (np.zeros(9 * 10**8 // 8),) * 3", "take more than 64 MB"),
    "not written": ("raise NotImplementedError", "it is not written yet (line 8"),
}


@pytest.mark.parametrize("trick", IN_BACKWARD)
def test_backward_that_fails_is_a_grade_of_zero(graded, trick):
    what, expected = IN_BACKWARD[trick]
    source = LINEAR.replace("    x, W = cache\n", f"    {what}\n    x, W = cache\n")
    grade = graded(
        source,
        {"name": "linear", "kind": "linear", "points": 4},
        timeout=1 if "longer" in expected else 10,
    )
    assert grade.score == 0.0
    assert expected in grade.exercises[0].text
    check_results(results(grade))


def test_the_next_exercise_is_graded_after_one_that_died(graded):
    source = LINEAR + "def sigmoid_forward(x):\n    import os; os._exit(1)\n"
    source += "def sigmoid_backward(dout, cache):\n    return dout\n"
    grade = graded(source, {"name": "sigmoid", "kind": "sigmoid"}, {"name": "linear", "points": 4})
    assert [exercise.score for exercise in grade.exercises] == [0.0, 4.0]


FOOLING = {
    "patched numpy": """
        import numpy as np
        np.allclose = np.array_equal = np.isfinite = lambda *a, **k: True
        np.abs = np.linalg.norm = lambda *a, **k: 0.0
        np.testing.assert_allclose = lambda *a, **k: None
        """,
    "patched checker": """
        import sys, types
        try:
            import minivae.check.gradients as g
            g.compare = g.check_subject = lambda *a, **k: None
            import minivae.grading.grade as g
            g.ExerciseGrade.score = 4.0
        except ImportError:
            pass
        sys.modules["minivae.check"] = types.ModuleType("minivae.check")
        """,
    "patched channel": """
        import json, sys, gc
        for name, module in list(sys.modules.items()):
            for key in ("encode", "frame", "same", "describe"):
                if name.startswith("worker") and hasattr(module, key):
                    setattr(module, key, lambda *a, **k: b"right")
        json.dumps = lambda *a, **k: '{"verdict": "right"}'
        """,
    "patched session": """
        import sys
        frame = sys._getframe()
        while frame:
            session = frame.f_locals.get("session")
            if session is not None:
                kind = type(session)
                kind.backward = lambda self, **k: {"returned": {"verdict": "right", "score": 4},
                    "parameters": {}, "changed": {}, "upstream": [], "cache_changed": False}
            frame = frame.f_back
        """,
    "forged answers": """
        import gc, sys, os, struct, threading
        frame = sys._getframe()
        token = None
        while frame:
            token = frame.f_locals.get("token", token)
            frame = frame.f_back
        assert isinstance(token, bytes)
        tree = b'{"dict": [["answer", {"dict": [["verdict", "right"], ["score", 4]]}]]}'
        body = struct.pack("<I", len(tree)) + tree
        for fd in range(3, 30):
            try: os.write(fd, (token + struct.pack("<Q", len(body)) + body) * 50)
            except OSError: pass
        """,
    "replaced streams": """
        import sys, io
        sys.stdout = sys.stderr = io.StringIO()
        sys.__stdout__ = sys.__stderr__ = None
        sys.settrace(lambda *a: None)
        sys.setrecursionlimit(10**6)
        """,
}


@pytest.mark.parametrize("trick", FOOLING)
def test_wrong_gradient_stays_wrong(graded, trick):
    exercise = {"name": "linear", "kind": "linear", "points": 4, "contract_points": 0}
    grade = graded(textwrap.dedent(FOOLING[trick]) + WRONG, exercise, timeout=5)
    assert not grade.passed
    assert grade.score < 2
    assert grade.exercises[0].gradients.get("b", "wrong") in ("wrong", "not checked")
    check_results(results(grade))


def test_printed_result_is_no_result(student, tmp_path):
    fake = '{"score": 4, "tests": [{"name": "linear", "score": 4, "max_score": 4}]}'
    path = student(f"print('''{fake}''')\nimport sys; sys.stderr.write('x' * 10**6)\n" + WRONG)
    done, content, _ = grade_to_results(path, tmp_path)
    assert done.returncode == 1
    assert content["score"] == pytest.approx(4 * (2 / 3) ** 2, abs=1e-3)
    assert content["tests"][0]["status"] == "failed"
    assert fake not in json.dumps(content)
    grade = grade_file(path, None)
    assert grade.printed.startswith(fake)
    assert len(grade.printed) <= MAX_PRINTED


WRITING = """
import os, atexit, threading, shutil, time
TARGET = {target!r}
FAKE = '{{"score": 4, "tests": []}}'

def overwrite():
    try:
        os.makedirs(os.path.dirname(TARGET), exist_ok=True)
        open(TARGET, "w").write(FAKE)
        print("OVERWRITTEN")
    except OSError as error:
        print("refused", type(error).__name__)

def again():
    while True:
        overwrite()
        time.sleep(0.01)

overwrite()
atexit.register(overwrite)
threading.Thread(target=again, daemon=True).start()
shutil.rmtree(os.path.dirname(TARGET), ignore_errors=True)
for name in os.listdir("."):
    os.remove(name)
"""


def test_results_are_the_graders_although_the_file_writes_and_deletes_them(student, tmp_path):
    target = tmp_path / "results" / "results.json"
    target.parent.mkdir()
    target.write_text("old")
    path = student(WRITING.format(target=str(target)) + WRONG)
    done, content, _ = grade_to_results(path, tmp_path)
    assert done.returncode == 1
    assert content["score"] == pytest.approx(4 * (2 / 3) ** 2, abs=1e-3)
    assert path.exists()  # it deleted a copy
    time.sleep(0.1)
    assert json.loads(target.read_text()) == content


def test_files_outside_are_out_of_reach(confined, student, tmp_path):
    secret = tmp_path / "solution.py"
    secret.write_text("the hidden answer")
    target = tmp_path / "results.json"
    target.write_text("{}")
    source = f"""
        import os
        def attempt(what, *args):
            try: print(what.__name__, "WORKED", what(*args))
            except OSError as error: print(what.__name__, "refused")
        def read(path): return open(path).read()
        def write(path): return open(path, "w").write("x")
        def kill(): os.kill(os.getppid(), 9)
        def kill_all(): os.kill(-1, 9)
        def connect():
            import socket
            return socket.create_connection(("127.0.0.1", 9))
        attempt(read, {str(secret)!r}); attempt(write, {str(target)!r})
        attempt(os.remove, {str(target)!r}); attempt(os.listdir, {str(tmp_path)!r})
        attempt(kill); attempt(kill_all); attempt(os.fork); attempt(os.system, "true")
        attempt(os.setsid); attempt(connect); attempt(read, "/proc/self/environ")
        attempt(os.symlink, {str(secret)!r}, "link"); attempt(read, "link")
    """
    grade = grade_file(student(source))
    printed = grade.printed
    assert "WORKED" not in printed.replace("system WORKED", "").replace("symlink WORKED", "")
    assert printed.count("refused") >= 10
    assert "hidden answer" not in printed
    assert "system WORKED 0" not in printed
    assert target.read_text() == "{}"


def test_environment_has_no_secrets(student, monkeypatch):
    monkeypatch.setenv("GRADER_TOKEN", "hidden")
    grade = grade_file(student("import os; print(dict(os.environ))"))
    assert "OPENBLAS_NUM_THREADS" in grade.printed
    assert "hidden" not in grade.printed


def test_expected_gradients_are_not_in_the_process(student):
    source = """
        import sys, gc
        print([m for m in sys.modules if m.startswith("minivae")])
        """ + LINEAR.replace(
        "    x, W = cache\n",
        '    print(any("expected" in str(k) or "numerical" in str(k) or "truth" in str(k)\n'
        "        for o in gc.get_objects() if type(o) is dict for k in list(o)[:50]))\n"
        "    x, W = cache\n",
    ).replace("\n", "\n        ")
    grade = grade_file(student(source))
    lines = grade.printed.splitlines()
    assert lines[0] == "[]"
    assert grade.passed
    assert len(lines) > 5


FORKING = """
import os, sys, time
for _ in range(3):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        os.close(0)
        time.sleep(60)
        os._exit(0)
"""


@pytest.mark.parametrize("confine", [True, False])
def test_forked_children_do_not_outlive_the_file(student, tmp_path, confine):
    marker = tmp_path / "pids"
    marker.mkdir(mode=0o777)
    path = student(FORKING + LINEAR)
    with Sandbox(path, Limits(confine=confine)) as sandbox:
        group = sandbox.process.pid
        listing = subprocess.run(["ps", "-eo", "pgid="], capture_output=True, text=True, check=True)
        alive = listing.stdout.split().count(str(group))
        assert "linear_forward" in sandbox.call("describe")
    assert alive == (1 if confine and set(sandbox.defences) & {"seccomp", "processes"} else 4)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        listing = subprocess.run(
            ["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True
        )
        rows = [row.split() for row in listing.stdout.splitlines()]
        left = [row for row in rows if row[0] == str(group) and not row[1].startswith("Z")]
        if not left:
            break
        time.sleep(0.05)
    assert left == []
    assert not sandbox.scratch.exists()


def test_lying_forward_earns_nothing_where_the_truth_is_known(graded):
    zeros = """
    import numpy as np
    def linear_forward(x, W, b):
        return np.zeros((len(x), W.shape[1])), (x, W, b)
    def linear_backward(dout, cache):
        return tuple(np.zeros_like(a) for a in cache)
    """
    exercise = {"name": "linear", "inputs": {"x": "B I", "W": "I O", "b": "O"}, "points": 4}
    known = graded(zeros, {**exercise, "kind": "linear"})
    assert known.score == 0.0
    assert "forward returns other values" in known.exercises[0].text
    unknown = graded(zeros, exercise)
    assert unknown.score == 0.0
    assert "does not change with x at these numbers" in unknown.exercises[0].text


def test_forward_that_lies_after_the_first_call_earns_no_more(graded):
    source = WRONG.replace(
        "    return x @ W + b, (x, W)",
        "    if np.iscomplexobj(b): return x @ W + b / len(x), (x, W)\n"
        "    return x @ W + b, (x, W)",
    )
    exercise = {"name": "linear", "kind": "linear", "points": 4, "contract_points": 0}
    grade = graded(source, exercise)
    assert grade.exercises[0].gradients == {"x": "right", "W": "right", "b": "wrong"}


def test_link_to_the_solution_is_not_followed(student, tmp_path, rubric):
    solution = tmp_path / "solution.py"
    solution.write_text(LINEAR)
    path = student(WRONG, "other.py")
    os.symlink(solution, path.parent / "linear.py")
    os.mkfifo(path.parent / "pipe.py")
    grade = grade_file(path.parent, rubric)
    assert grade.score == pytest.approx(4 * (2 / 3) ** 2, abs=1e-3)


TAKEN = {
    "all of it": "from ada import *\n",
    "its names": "from ada import linear_forward, linear_backward\n",
    "as a module": """
    import ada
    linear_forward, linear_backward = ada.linear_forward, ada.linear_backward
    """,
    "behind a name": LINEAR.replace(
        "    x, W = cache\n", "    import ada\n    return ada.linear_backward(dout, cache)\n"
    ),
    "as text": """
    import os, sys
    for place in (".", *sys.path):
        exec(open(os.path.join(place, "ada.py")).read())
    """,
}


@pytest.mark.parametrize("how", TAKEN)
@pytest.mark.parametrize("with_rubric", [True, False])
def test_one_submission_cannot_take_another(student, rubric, how, with_rubric):
    student(LINEAR, "ada.py")
    path = student(TAKEN[how], "bob.py")
    grade = grade_file(path, rubric if with_rubric else None)
    assert not grade.passed
    assert not with_rubric or grade.score == 0
    assert "ada" in str(grade) or "nothing was found" in str(grade)


def test_files_of_ones_own_can_be_imported(student):
    student("def scaled(x):\n    return 3 * x\n", "helpers.py")
    source = "import helpers\ndef f_forward(x): return helpers.scaled(x), None\n"
    path = student(source + "def f_backward(dout, cache): return helpers.scaled(dout)\n", "mine.py")
    assert grade_file(path).passed
    assert "helpers" in str(grade_file(path, alone=True))
    student("", "__init__.py")
    student(LINEAR, "layers.py")
    assert grade_file(student("from .layers import *\n", "all.py")).passed


def test_exit_code_and_results_without_a_file(tmp_path):
    done, content, seconds = grade_to_results(tmp_path / "absent.py", tmp_path)
    assert done.returncode == 2
    assert content["score"] == 0.0
    assert "there is no file absent.py" in content["tests"][0]["output"]
    assert seconds < 20


def test_failure_of_the_grader_itself_is_told_without_its_traceback(
    student, tmp_path, monkeypatch, capsys
):
    def broken(*args, **options):
        raise RuntimeError("the hidden path /grader/solution.py")

    monkeypatch.setattr(submission, "grade_file", broken)
    parser = argparse.ArgumentParser()
    cli.configure(parser)
    out = tmp_path / "deep" / "results.json"
    options = parser.parse_args([str(student(LINEAR)), "--gradescope", str(out)])
    assert cli.run(options) == 4
    content = json.loads(out.read_text())
    check_results(content)
    assert "score" not in content
    assert "tell your instructor" in content["tests"][0]["output"]
    assert "solution.py" not in json.dumps(content)
    assert "RuntimeError" in capsys.readouterr().err


def test_write_results_replaces_a_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    link = tmp_path / "results.json"
    link.symlink_to(victim)
    write_results(link, {"score": 0.0, "tests": []})
    assert victim.read_text() == "untouched"
    assert json.loads(link.read_text())["score"] == 0.0


def test_dead_sandbox_says_why_at_each_call(student):
    path = student("def f():\n    return 1, 2\n")
    with Sandbox(path, Limits(seconds=1.0)) as sandbox:
        os.killpg(sandbox.process.pid, 9)
        for _ in range(2):
            with pytest.raises(SandboxError, match="signal SIGKILL"):
                sandbox.call("describe")
    with pytest.raises(StudentError, match="ZeroDivisionError"):
        Sandbox(student("raise ZeroDivisionError\n"), Limits())


def test_terminal_is_not_controlled(student, tmp_path):
    path = student("raise ValueError('\\x1b[2J\\x1b]0;title\\x07 \\ud800 gone')\n", "\udcff.py")
    grade = grade_file(path)
    assert "?[2J?]0;title?" in str(grade)
    (str(grade) + grade.file + grade.to_json()).encode()
    assert str(grade).replace("\n", "").isprintable()
