"""What the README shows works as it stands."""

import contextlib
import re
from pathlib import Path

import pytest

from minivae import ROOMS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Run the README's Python, all blocks in one namespace; return what it prints."""
    lines = []
    namespace = {"print": lambda value: lines.append(str(value))}
    with contextlib.chdir(tmp_path_factory.mktemp("readme")):
        for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL):
            exec(block, namespace)
        lines += [path.name for path in Path().iterdir()]
    return lines


def test_the_first_example_learns(output):
    losses = [float(line.split()[3]) for line in output if line.startswith("step")]
    assert len(losses) == 5
    assert losses[-1] < 0.7 * losses[0]


def test_the_second_example_names_the_mistake(output):
    (report,) = [printed for printed in output if "WRONG" in printed]
    assert "logvar is missing" in " ".join(report.split("likely:")[1].split())


def test_the_third_example_traces_a_step(output):
    assert any("reparameterize" in printed and "dmu" in printed for printed in output)
    assert output[-1] == "trace.html"


def test_the_table_has_a_row_for_each_room_in_their_order():
    _, table = TEXT.split("| `minivae/` | |\n|---|---|\n")
    rows = re.findall(r"^\| `(\w+)/` \|", table.split("\n\n")[0], flags=re.MULTILINE)
    assert rows == [room for room in ROOMS if (ROOT / "minivae" / room).is_dir()]
