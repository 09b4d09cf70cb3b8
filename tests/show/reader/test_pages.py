"""The reader's pages in a browser: complete, quiet, offline, readable, and driven by keys."""

import pytest

from minivae.show import derivations

pytestmark = pytest.mark.slow

NAMES = ["index", *(name.removeprefix("minivae.") for name in derivations.modules())]

VISIBLE_TEXT = """() => {
  const copy = document.querySelector("main").cloneNode(true);
  copy.querySelectorAll(".katex, pre, code, style").forEach((element) => element.remove());
  return copy.textContent;
}"""


@pytest.fixture(params=[((1400, 900), "light"), ((390, 844), "dark")], ids=["wide", "phone"])
def window(request):
    return dict(zip(("size", "scheme"), request.param, strict=True))


def test_every_page_is_whole(site, visit, window):
    opened = visit(site / "index.html", **window)
    check_page("index", opened, site)
    for name in NAMES[1:]:
        opened.page.goto((site / f"{name}.html").as_uri())
        check_page(name, opened, site)
        numbers = opened.page.locator(".eq").evaluate_all("all => all.map(one => one.id)")
        assert numbers == [f"eq-{n + 1}" for n in range(len(numbers))], name
        assert numbers, name
        assert opened.page.locator("#code .line").count() > 20, name
        assert "Gradient check" in opened.page.locator("#check").inner_text(), name
    assert all(url.startswith((site.as_uri(), "data:")) for url in opened.requests)


def check_page(name, opened, site):
    page = opened.page
    page.evaluate("document.fonts.ready")
    assert opened.errors == [], name
    text = page.evaluate(VISIBLE_TEXT)
    assert len(text) > 300, name
    assert "$" not in text, name
    assert "\\" not in text, name
    assert page.locator(".katex-error").count() == 0, name
    formulas = page.locator(".katex-html")
    heights = formulas.evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert min(heights) > 4, name
    assert page.evaluate("document.fonts.check('16px KaTeX_Math', 'x')"), name
    # Nothing sticks out to the right: what is wider than the window scrolls by itself.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    # No bar under a formula that is narrower than its frame.
    script = """all => all.some(x => x.scrollWidth > x.clientWidth
      && x.clientWidth < x.parentElement.clientWidth - 40)"""
    assert not page.locator(".tex").evaluate_all(script), name


def test_columns_on_a_wide_window_and_one_below_the_other_on_a_phone(site, visit):
    for size, beside in (((1400, 900), True), ((390, 844), False)):
        page = visit(site / "ops.linear.html", size=size).page
        left, right = (page.locator(at).bounding_box() for at in ("#derivation", "#code"))
        assert (right["x"] >= left["x"] + left["width"]) == beside
        assert (right["y"] >= left["y"] + left["height"]) != beside


def now(page):
    return page.evaluate("[...document.querySelectorAll('.now')].map(one => one.id)")


def in_the_pane(page, line):
    script = """line => {
      const row = document.getElementById(line).getBoundingClientRect();
      const pane = document.querySelector('#code pre').getBoundingClientRect();
      return row.top >= pane.top && row.bottom <= pane.bottom;
    }"""
    page.wait_for_function(script, arg=line)
    return True


def test_the_first_line_that_cites_is_in_view_at_once(site, visit):
    page = visit(site / "ops.linear.html").page
    assert in_the_pane(page, page.locator(".line.cites").first.get_attribute("id"))


def test_keys_walk_through_equations_and_pages(site, visit):
    page = visit(site / "ops.kl.html").page
    page.emulate_media(reduced_motion="reduce")
    page.keyboard.press("j")
    first = now(page)
    assert first[0] == "eq-1"
    assert len(first) == 1 + len(page.get_attribute("#eq-1", "data-lines").split())
    assert in_the_pane(page, first[1])
    page.keyboard.press("Enter")
    assert in_the_pane(page, first[2])
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert now(page)[0] == "eq-2"
    assert page.evaluate("document.activeElement.id") == "eq-2"
    page.keyboard.press("n")
    page.wait_for_url("**/ops.kl_between.html")
    page.keyboard.press("p")
    page.wait_for_url("**/ops.kl.html")
    page.keyboard.press("i")
    page.wait_for_url("**/index.html")
    page.keyboard.press("n")
    page.wait_for_url("**/ops.linear.html")


def test_an_equation_leads_to_its_line_and_back(site, visit):
    page = visit(site / "ops.kl_between.html").page
    page.emulate_media(reduced_motion="reduce")
    last = page.get_attribute("#eq-3", "data-lines").split()[-1]
    page.locator("#eq-3 .lines a").last.click()
    assert "eq-3" in now(page)
    assert in_the_pane(page, f"L-{last}")
    page.locator("#code .cites a", has_text="(4)").first.click()
    assert page.url.endswith("#eq-4")
    page.wait_for_function("document.querySelector('#eq-4').classList.contains('now')")
    top = page.locator("#eq-4").bounding_box()["y"]
    assert 50 < top < 900  # below the bar at the top, and in the window


def test_a_link_to_a_line_marks_it(site, visit, tmp_path):
    page = visit(site / "ops.linear.html").page
    line = page.get_attribute("#eq-2", "data-lines").split()[0]
    page.goto(f"{(site / 'ops.linear.html').as_uri()}#L-{line}")
    assert f"L-{line}" in now(page)
    assert "eq-2" in now(page)


def test_the_first_tabs_skip_to_the_parts(site, visit):
    page = visit(site / "ops.linear.html").page
    for part in ("derivation", "code", "check"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.hash") == f"#{part}"
        assert page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "check"


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_dark_and_light(site, visit):
    light = visit(site / "ops.linear.html", scheme="light").page
    dark = visit(site / "ops.linear.html", scheme="dark").page
    colours = background(light), background(dark)
    assert colours[0] != colours[1]
    light.keyboard.press("t")
    assert background(light) == colours[1]
    light.goto((site / "ops.kl.html").as_uri())
    assert background(light) == colours[1]  # the choice holds on the next page
    light.locator("#theme").click()
    assert background(light) == colours[0]


def test_the_keys_are_told(site, visit):
    page = visit(site / "ops.linear.html").page
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    assert "next and previous equation" in page.locator("dialog").inner_text()
    page.keyboard.press("j")  # the dialog keeps the keys to itself
    assert now(page) == []
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
