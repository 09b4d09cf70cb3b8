"""The reader's pages, built once."""

import pytest

import minivae.show.reader as reader


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder with all pages."""
    out = tmp_path_factory.mktemp("reader") / "pages"
    index, failed = reader.build(out)
    assert index == out / "index.html"
    assert failed == []
    return out
