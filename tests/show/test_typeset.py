"""Formulas become HTML, and a broken one becomes a sentence."""

import sys
import threading

import pytest

from minivae.errors import DerivationError, OptionError
from minivae.show import typeset


def test_html_holds_the_formula_twice_to_see_and_to_hear():
    text = typeset.html(r"\frac{a}{b}", display=True)
    assert "katex-display" in text
    assert "<mfrac>" in text
    assert "katex-error" not in text


def test_mathml_alone():
    text = typeset.mathml(r"\sum_n x_n")
    assert "<math" in text
    assert "katex-html" not in text


@pytest.mark.parametrize("tex", [r"\frac{a}{b", r"\nothing", r"a_b_c", r"\begin{aligned} a", "a}"])
def test_a_broken_formula_is_refused(tex, refuses):
    with refuses(DerivationError, repr(tex)[1:-1]):
        typeset.html(tex)


def test_each_thread_has_its_engine():
    done = []
    thread = threading.Thread(target=lambda: done.append(typeset.html("x")))
    thread.start()
    thread.join()
    assert done == [typeset.html("x")]


def test_without_the_engine_the_sentence_says_what_to_install(monkeypatch, refuses):
    monkeypatch.setattr(typeset, "_engine", typeset._Engine())
    monkeypatch.setitem(sys.modules, "quickjs", None)
    with refuses(OptionError, typeset.INSTALL):
        typeset.html("x")


def test_the_style_carries_the_usual_fonts_and_asks_for_no_file():
    style = typeset.style()
    assert style.count("url(data:font/woff2;base64,") == 7  # AMS, Main, Math, and four sizes
    assert "url(fonts" not in style


def test_the_vendored_files_are_what_the_style_sheet_asks_for():
    sheet = (typeset.KATEX / "katex.min.css").read_text()
    fonts = {path.name for path in (typeset.KATEX / "fonts").iterdir()}
    assert fonts == {part.split(")")[0] for part in sheet.split("url(fonts/")[1:]}
    assert "MIT" in (typeset.KATEX / "LICENSE").read_text()
