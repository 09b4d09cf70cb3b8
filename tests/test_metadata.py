"""What an index is told at build time: absolute links, and the address without secrets."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("metadata", ROOT / ".github" / "metadata.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.delenv("MINIVAE_HOME", raising=False)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://example.org/some/minivae.git", "https://example.org/some/minivae"),
        ("https://me:secret@example.org/some/minivae", "https://example.org/some/minivae"),
        ("git@example.org:some/minivae.git", "https://example.org/some/minivae"),
        ("ssh://git@example.org/some/minivae.git", "https://example.org/some/minivae"),
        ("/srv/minivae", ""),
        (None, ""),
    ],
)
def test_the_address_is_that_of_the_remote(hook, checkout, remote, address):
    if remote:
        add = ["git", "-C", str(checkout), "remote", "add", "origin", remote]
        subprocess.run(add, check=True)
    assert hook.address_of(checkout) == address


def test_what_was_said_or_recorded_comes_first(hook, checkout, monkeypatch):
    (checkout / "PKG-INFO").write_text("Name: minivae\nProject-URL: Homepage, https://a.org/b\n")
    assert hook.address_of(checkout) == "https://a.org/b"
    monkeypatch.setenv("MINIVAE_HOME", "https://c.org/d/")
    assert hook.address_of(checkout) == "https://c.org/d"


def test_every_link_of_the_readme_is_absolute_or_gone(hook):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    with_address = hook.absolute(text, "https://a.org/b")
    links = re.findall(r"\]\(([^)]+)\)", with_address)
    assert len(links) == len(re.findall(r"\]\(([^)]+)\)", text)) > 10
    assert all(link.startswith("https://") for link in links)
    assert "https://a.org/b/raw/main/tutorials/images/" in with_address
    without = hook.absolute(text, "")
    assert not re.findall(r"\]\((?!https?:)[^)]+\)", without)
    assert "`tutorials/README.md`" in without
    assert without.count("```") == text.count("```")
