"""The tutorials that are copied: all of them, with links that lead somewhere."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlparse

from minivae.cli.main import main
from minivae.course import pages
from minivae.errors import OptionError, StateError

TUTORIALS = Path(__file__).parents[2] / "tutorials"


def test_the_command_copies_notebooks_pages_and_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["tutorials"]) == 0
    folder = tmp_path / "minivae-tutorials"
    notebooks = [path.name for path in sorted(TUTORIALS.glob("*.ipynb"))]
    assert capsys.readouterr().out.split() == [f"minivae-tutorials/{name}" for name in notebooks]
    for name in notebooks:
        assert json.loads((folder / name).read_text(encoding="utf-8"))["cells"]
    assert not list(folder.rglob("*.py"))
    checked = 0
    for page in folder.rglob("*.md"):
        for link in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
            if link.startswith("file:"):
                assert Path(unquote(urlparse(link).path)).is_file(), link
            elif "://" not in link:
                assert (page.parent / link).exists(), f"{page.name} links to {link}"
            checked += 1
    assert checked > 40
    assert main(["tutorials"]) == 2
    assert "minivae-tutorials exists already" in capsys.readouterr().err


def test_what_is_not_in_the_package_keeps_its_words():
    text = "see [the guide](../.github/NOT_HERE.md) and [errors](../minivae/errors.py)"
    assert pages.linked(text).startswith("see the guide and [errors](file:///")


def test_without_tutorials_it_says_so(tmp_path, monkeypatch, refuses):
    monkeypatch.setattr(pages, "PLACES", (tmp_path,))
    with refuses(StateError, "no tutorials beside it"):
        pages.copy(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path, refuses):
    with refuses(OptionError, "exists already"):
        pages.copy(tmp_path)
