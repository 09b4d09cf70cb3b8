"""Progress bars: on standard error, in a notebook without widgets on standard output."""

import importlib.util
from types import SimpleNamespace

import pytest

from minivae.engine import progress


@pytest.mark.parametrize("notebook", [False, True])
def test_a_plain_bar_is_no_red_box(monkeypatch, capsys, notebook):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        progress, "find_spec", lambda name: None if name == "ipywidgets" else find(name)
    )
    shell = SimpleNamespace(kernel=1) if notebook else None
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(progress.sys.modules, "IPython", ipython)
    assert list(progress.bar(range(3), desc="counting")) == [0, 1, 2]
    out, err = capsys.readouterr()
    assert "counting" in (out if notebook else err)
    assert (err if notebook else out) == ""


def test_without_ipython_there_is_no_notebook(monkeypatch):
    monkeypatch.delitem(progress.sys.modules, "IPython", raising=False)
    assert not progress.in_notebook()
