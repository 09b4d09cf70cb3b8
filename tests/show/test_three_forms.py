"""What `tutorials/three-forms.md` quotes is what the source says."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "tutorials" / "three-forms.md").read_text(encoding="utf-8")
SOURCE = (ROOT / "minivae" / "ops" / "reparameterize.py").read_text(encoding="utf-8")


def test_quoted_blocks_are_in_the_source():
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        assert block.strip("\n") in SOURCE, block


def test_the_table_quotes_a_line_of_each_form():
    rows = [row for row in TEXT.splitlines() if re.match(r"\| \(\d\) \|", row)]
    quoted = [code for row in rows for code in re.findall(r"`([^`]+)`", row)]
    assert len(quoted) == 6
    for code in quoted:
        assert re.search(rf"^ *{re.escape(code)}  (#|//) \(\d\)", SOURCE, flags=re.MULTILINE), code


def test_the_files_that_it_names_exist():
    named = re.findall(r"`((?:tests|minivae|tutorials)/[\w/.-]+)`", TEXT)
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]
