"""The page to step through, in a browser."""

import sys

import numpy as np
import pytest

from minivae import VAE
from minivae.errors import OptionError
from minivae.show import typeset
from minivae.show.trace import trace


def traced(n_pixels=2, hidden=(3,), latent=1, batch=1):
    rng = np.random.default_rng(0)
    model = VAE(n_pixels, hidden, latent, rng=rng, dtype="float64", backend="numpy")
    x = model.prepare((rng.random((batch, n_pixels)) < 0.5).astype(float))
    with trace(model) as t:
        model.step(x, model.draw_noise(rng, batch))
    return t


@pytest.fixture
def alone(visit, tmp_path):
    """The saved page of the small VAE, opened."""
    return visit(traced().save(tmp_path / "trace.html"))


def shown(page):
    """Index of the one operation that is shown."""
    script = "[...document.querySelectorAll('details.card')].map(c => c.checkVisibility())"
    visible = page.evaluate(script)
    assert visible.count(True) == 1
    return visible.index(True)


def test_the_page_asks_for_nothing_and_complains_of_nothing(alone):
    alone.page.wait_for_timeout(100)
    assert alone.errors == []
    assert alone.outside == []


def test_buttons_and_keys_step(alone):
    page = alone.page
    back, forth = page.locator(".bar button").all()
    assert shown(page) == 0
    forth.click()
    assert shown(page) == 1
    page.keyboard.press("ArrowRight")
    assert shown(page) == 2
    page.keyboard.press("ArrowLeft")
    back.click()
    assert shown(page) == 0
    assert back.is_disabled()
    page.keyboard.press("End")
    assert shown(page) == 21
    assert forth.is_disabled()
    assert page.locator("output").inner_text() == "22 of 22, backward"
    page.keyboard.press("Home")
    assert shown(page) == 0


def test_the_list_and_where_an_array_comes_from_lead_there(alone):
    page = alone.page
    page.locator("nav button").nth(16).click()
    assert shown(page) == 16
    assert "fork.backward_two" in page.locator("details[open] summary").inner_text()
    page.locator("details[open] a[data-step]").first.click()
    assert "reparameterize.backward" in page.locator("details[open] summary").inner_text()


def test_an_operation_shows_formula_code_and_numbers(alone):
    page, t = alone.page, traced()
    page.locator("nav button").nth(4).click()
    card = page.locator("details[open]")
    assert "s = xp.exp(0.5 * logvar) * eps  # (1)" in card.locator("pre").inner_text()
    formula = card.locator(".formula .katex-html").nth(1)
    assert formula.inner_text().replace("\n", "").replace("\u200b", "") == "z=μ+s"
    assert page.evaluate("document.fonts.check('16px KaTeX_Math')")
    z = card.locator(".outputs td")
    assert z.inner_text() == f"{t[4]['z'][0, 0]:.4g}"
    assert page.locator(".katex-error").count() == 0


def test_in_a_notebook_the_arrow_keys_belong_to_the_trace_that_has_the_focus(visit, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,>"
        f"{traced()._repr_html_()}<hr>{traced()._repr_html_()}"
    )
    opened = visit(path)
    page = opened.page
    page.keyboard.press("ArrowRight")
    places = [box.inner_text() for box in page.locator("output").all()]
    assert places == ["1 of 22, forward"] * 2
    page.locator(".minivae-trace").nth(1).focus()
    page.keyboard.press("ArrowRight")
    places = [box.inner_text() for box in page.locator("output").all()]
    assert places == ["1 of 22, forward", "2 of 22, forward"]
    box = page.locator(".minivae-trace").nth(1).locator("details[open] math").first.bounding_box()
    assert box["height"] > 10  # the browser draws MathML
    assert opened.errors == opened.outside == []


def test_large_arrays_are_pictures(visit, tmp_path):
    t = traced(n_pixels=300, hidden=(40,), latent=3, batch=20)
    opened = visit(t.save(tmp_path / "trace.html"), size=(390, 844), scheme="dark")
    page = opened.page
    picture = page.locator("details[open] .inputs img").first
    assert "x as a heat map" in picture.get_attribute("alt")
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 100  # 300 / 3
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.errors == opened.outside == []


def test_the_picture_keeps_the_largest_entry_of_a_block_with_its_sign():
    from minivae.show.trace.heat import _reduced

    grid = np.zeros((4, 336))
    grid[1, 0:3] = [0.5, -2, 1]
    grid[2, 335] = 3
    cells, step = _reduced(grid)
    assert step == (1, 3)
    assert cells[1, 0] == -2
    assert cells[2, 111] == 3
    assert np.count_nonzero(cells) == 2


def test_without_the_typesetter_formulas_are_plain_text(monkeypatch):
    monkeypatch.setattr(typeset, "_engine", typeset._Engine())
    monkeypatch.setitem(sys.modules, "quickjs", None)
    text = traced()._repr_html_()
    assert "<code>z = μ + s</code>" in text
    assert "<math" not in text


def test_saving(tmp_path, refuses):
    t = traced()
    path = tmp_path / "trace.html"
    path.write_text("older")
    assert t.save(path) == path
    assert path.read_text() == t.save(str(path)).read_text()  # the same trace, the same bytes
    assert list(tmp_path.iterdir()) == [path]
    with refuses(OptionError, "name it .html"):
        t.save(tmp_path / "trace.txt")
