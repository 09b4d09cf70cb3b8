"""The tutorials: fresh, executed, right in what they claim, and graded as they say."""

import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tutorials"
SOURCES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
GAP = "# your code here"


@pytest.fixture(scope="session")
def build():
    """The project's tool that makes the notebooks, as a module."""
    pytest.importorskip("jupytext", reason="pip install -e '.[tutorials]'")
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(source):
    """Cells of the committed notebook, the text of each in one piece."""
    notebook = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))
    return [{**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]]


def code(source):
    return [cell for cell in cells(source) if cell["cell_type"] == "code"]


def prose(source):
    return [cell["source"] for cell in cells(source) if cell["cell_type"] == "markdown"]


def printed(cell):
    """All text that a cell has printed or shown."""
    texts = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        texts += [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
    return "\n".join("".join(text) for text in texts)


def test_there_are_thirteen():
    assert [source.name[:2] for source in SOURCES] == [f"{i:02d}" for i in range(13)]


# ---- what is committed ----


@each
def test_notebook_is_made_from_its_source(source, build):
    def essence(cell):
        return cell["cell_type"], cell["id"], cell["source"], dict(cell["metadata"])

    fresh = [essence(cell) for cell in build.read_source(source).cells]
    assert [essence(cell) for cell in cells(source)] == fresh, "run `python tutorials/build.py`"


@each
def test_notebook_ran_from_top_to_bottom(source):
    ran = code(source)
    assert [cell["execution_count"] for cell in ran] == list(range(1, len(ran) + 1))
    kinds = {output["output_type"] for cell in ran for output in cell["outputs"]}
    assert "error" not in kinds
    pictures = [o for cell in ran for o in cell["outputs"] if "image/png" in o.get("data", {})]
    assert len(pictures) >= 2
    streams = {output.get("name") for cell in ran for output in cell["outputs"]}
    assert "stderr" not in streams


@each
def test_nothing_is_printed_that_changes_from_run_to_run(source):
    for cell in code(source):
        text = printed(cell)
        assert not re.search(r"0x[0-9a-fA-F]{6,}|/home/|/tmp/|np\.float", text), text
        assert not re.search(r"\d\.\d{9,}", text), f"not rounded: {text}"
        assert not re.search(r"\d (ms|s|seconds|µs)\b", text), f"a time: {text}"


# ---- what a reader sees ----


@each
def test_it_opens_with_what_you_can_do_at_the_end(source):
    first = prose(source)[0]
    assert re.match(r"# \d\d · ", first)
    for part in ("**At the end you can**", "**You need**", "minutes"):
        assert part in first


@each
def test_mathematics_that_github_jupyterlab_and_vscode_render(source):
    for text in prose(source):
        text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
        assert not re.search(r"\\(newcommand|def|label|eqref|require)\b|\\begin\{align\*?\}", text)
        assert text.count("$$") % 2 == 0, text
        blocks = re.findall(r"\$\$(.*?)\$\$", text, flags=re.DOTALL)
        rest = re.sub(r"\$\$.*?\$\$", "", text, flags=re.DOTALL)
        assert rest.count("$") % 2 == 0, rest
        for formula in [*blocks, *re.findall(r"\$([^$]*)\$", rest)]:
            bare = re.sub(r"\\[{}|]", "", formula)
            assert bare.count("{") == bare.count("}"), formula
            assert formula.count(r"\left") - formula.count(r"\leftarrow") == (
                formula.count(r"\right") - formula.count(r"\rightarrow")
            ), formula


@each
def test_every_gap_has_its_answer_folded_below(source):
    texts = [cell["source"] for cell in cells(source)]
    gaps = [i for i, text in enumerate(texts) if GAP in text and not text.startswith("## ")]
    answers = [i for i, text in enumerate(texts) if "<details><summary>Answer" in text]
    assert len(gaps) >= 2
    assert len(gaps) == len(answers)
    for gap, answer in zip(gaps, answers, strict=True):
        assert gap < answer
        assert texts[answer].rstrip().endswith("</details>")


# ---- what it claims ----


@pytest.mark.slow
@each
def test_it_runs_as_a_script(source, tmp_path):
    """Every assertion in its cells holds, without Jupyter."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "MPLBACKEND": "Agg"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, source], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^total +0 of +\d+\n$", done.stdout, flags=re.MULTILINE)
    assert not list(tmp_path.iterdir())


def graded(source, solved):
    """Run the imports and the exercises alone; return the sheet of points."""
    every = cells(source)
    start = next(
        i for i, cell in enumerate(every) if re.search(r"^## Exercises", cell["source"], re.M)
    )
    namespace = {}
    setup = next(cell for cell in every if cell["cell_type"] == "code")
    pieces = [setup["source"]]
    for cell in every[start:]:
        if cell["cell_type"] == "code":
            pieces.append(cell["source"])
            continue
        answer = re.search(r"<details>.*?```python\n(.*?)\n```", cell["source"], flags=re.DOTALL)
        if answer and solved:  # the answer goes before the check that precedes it
            pieces.insert(-1, answer[1])
    with matplotlib.rc_context(), contextlib.redirect_stdout(io.StringIO()):
        for piece in pieces:
            exec(piece, namespace)
    return namespace["sheet"]


@each
def test_answers_get_all_points_and_gaps_get_none(source):
    stubs, answers = graded(source, solved=False), graded(source, solved=True)
    assert stubs.earned == 0
    assert answers.earned == answers.possible == stubs.possible, str(answers)
    assert len(answers.points) >= 2


# ---- how it is made ----


def run_build(*arguments, program=None):
    command = [sys.executable, *(program or [FOLDER / "build.py"]), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_made_twice_it_is_the_same_byte_for_byte(build, tmp_path):
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        done = run_build("00", "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        (notebook,) = (tmp_path / name).iterdir()
        made.append(notebook.read_bytes())
    assert made[0] == made[1]
    assert b'"image/png"' in made[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("77",), "no source begins with '77'"), (("00", "--out", "nowhere"), "nowhere is no folder")],
)
def test_build_says_what_is_wrong(arguments, words):
    done = run_build(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_build_without_jupyter_says_what_to_install():
    program = "import runpy, sys; sys.modules['jupytext'] = None; sys.argv[1:] = ['00']\n"
    program += f"runpy.run_path({str(FOLDER / 'build.py')!r}, run_name='__main__')"
    done = run_build(program=["-c", program])
    assert done.returncode == 2
    assert "'.[tutorials]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_cell_that_fails_leaves_the_notebook_as_it_was(build, tmp_path):
    shutil.copy(FOLDER / "build.py", tmp_path)
    (tmp_path / "11_broken.py").write_text("# %%\nassert 1 > 2\n")
    (tmp_path / "11_broken.ipynb").write_text("as it was")
    done = run_build(program=[tmp_path / "build.py"])
    assert done.returncode == 1
    assert "assert 1 > 2" in done.stderr
    assert "11_broken.py failed" in done.stderr
    assert (tmp_path / "11_broken.ipynb").read_text() == "as it was"
    assert len(list(tmp_path.iterdir())) == 3


# ---- the map ----


def test_map_links_every_notebook_and_no_file_that_is_not_there():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)#:]+\.\w+)\)", text)
    assert not [link for link in linked if not (FOLDER / link).exists()]
    assert {source.with_suffix(".ipynb").name for source in SOURCES} <= set(linked)


def test_map_gives_the_titles_and_minutes_of_the_notebooks():
    rows = re.findall(
        r"^\| (\d\d) \| \[(.*?)\].*\| (\d+) \|$", (FOLDER / "README.md").read_text(), re.M
    )
    assert len(rows) == len(SOURCES)
    for source, (number, title, minutes) in zip(SOURCES, rows, strict=True):
        first = prose(source)[0]
        assert first.startswith(f"# {number} · {title}")
        assert f"About {minutes} minutes" in first
