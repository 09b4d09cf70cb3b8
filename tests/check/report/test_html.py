"""The report as HTML: well formed, escaped, self-contained, and every cell where it belongs."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from minivae import ops
from minivae.check import check_gradients
from minivae.check.report.heat_map import MAX_SIDE, MAX_TIPS
from minivae.check.report.html import report_html
from minivae.check.report.report import Report
from minivae.check.report.result import BUT, NOT_CHECKED, RIGHT, WRONG, ArrayCheck, Diagnosis

VOID = {"br", "hr", "img", "meta", "link", "input"}
EVIL = """<script>alert("1")</script> & 'x' </div><b>"""


class Page(HTMLParser):
    """Elements with their attributes and their own text; fails on tags that do not nest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", "inside": [e["tag"] for e in self.open]}
        element |= {f"@{name}": value for name, value in attributes}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1]["tag"] == tag, f"</{tag}> closes <{self.open[-1]['tag']}>"
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def find(self, tag, kind=None):
        return [
            e
            for e in self.elements
            if e["tag"] == tag and (kind is None or kind in (e.get("@class") or "").split())
        ]


def array_check(numerical, yours, verdict=WRONG, worst=None, **more):
    numerical, yours = np.asarray(numerical, float), np.asarray(yours, float)
    compared = np.isfinite(numerical)
    return ArrayCheck(
        more.pop("name", "w"),
        numerical.shape,
        verdict,
        error=0.5,
        worst=worst,
        yours=yours,
        numerical=numerical,
        checked=int(compared.sum()),
        **more,
    )


def report_of(*arrays, **more):
    more = {"name": "op", "habits": [], "method": "complex step", **more}
    return Report(arrays=list(arrays), tolerance=1e-6, evaluations=12, **more)


def page_of(*arrays, **more):
    return Page(report_html(report_of(*arrays, **more)))


def grid(*shape):
    return np.random.default_rng(3).uniform(1, 2, shape)


def test_a_real_report_reads_well():
    report = check_gradients(ops.linear)
    page = Page(report._repr_html_())
    assert [e["text"] for e in page.find("th")] == [
        "gradient",
        "shape",
        "verdict",
        "error",
        "worst at",
        "yours",
        "numerical",
    ]
    rows = [row["text"] for row in page.find("tr")[1:]]
    assert len(rows) == len(report.arrays) == 3
    for array, row in zip(report.arrays, rows, strict=True):
        assert row.startswith(f"d{array.name}{array.shape}✓ right")
    cells = [int(g["@data-cells"]) for g in page.find("g")]
    assert sum(cells) == sum(array.yours.size for array in report.arrays)
    assert {g["@class"] for g in page.find("g")} == {"ok"}


@pytest.mark.parametrize(
    ("verdict", "kind"), [(RIGHT, "good"), (BUT, "but"), (WRONG, "bad"), (NOT_CHECKED, "open")]
)
def test_the_verdict_is_a_colour_and_a_word(verdict, kind):
    page = page_of(array_check(grid(2, 3), grid(2, 3), verdict, worst=(0, 0)))
    spans = page.find("span", "verdict")
    assert len(spans) == 3  # the title, the table, the array's own heading
    for span in spans:
        assert kind in span["@class"].split()
        assert span["text"].endswith(verdict)
    style = page.find("style")[0]["text"]
    assert f".verdict.{kind}{{color:var(--{kind});background:var(--{kind}-bg)}}" in style
    opened = ["@open" in e for e in page.find("details")]
    assert opened == [verdict != RIGHT]


def test_everything_said_is_escaped():
    wrong = array_check(
        grid(2, 2),
        -grid(2, 2),
        name=EVIL,
        worst=(0, 1),
        reason=EVIL,
        diagnoses=[Diagnosis("sign", EVIL, 1e-9)],
    )
    text = report_html(report_of(wrong, name=EVIL, habits=[EVIL], notes=[EVIL], method=EVIL))
    assert "<script" not in text
    page = Page(text)
    assert not page.find("script")
    whole = page.elements[0]["text"]
    # title, method, table, heading, reason, diagnosis, contract, note
    assert whole.count(EVIL) == 8
    assert page.find("svg")[0]["@aria-label"].startswith(f"error of d{EVIL}")


def test_nothing_is_fetched_and_nothing_runs():
    text = report_html(report_of(array_check(grid(3, 4), 2 * grid(3, 4), worst=(0, 0))))
    page = Page(text)
    assert not page.find("script")
    assert not page.find("link")
    assert not page.find("img")
    assert not [key for e in page.elements for key in e if key.startswith(("@on", "@href", "@src"))]
    assert "url(" not in text
    assert "@import" not in text
    assert re.findall(r"https?://\S+", text) == ['http://www.w3.org/2000/svg"']


def test_the_diagnosis_comes_in_order_with_how_well_it_fits():
    wrong = array_check(
        grid(3),
        2 * grid(3),
        worst=(1,),
        diagnoses=[
            Diagnosis("factor", "twice", 3e-12),
            Diagnosis("dims", "sum", float("inf")),
            Diagnosis("sign", "minus", 0.5),
        ],
    )
    items = [e["text"] for e in page_of(wrong).find("li")]
    assert items == ["likely: twice (fits to 3e-12)", "or: sum", "or: minus (fits to 5e-01)"]


def test_contract_and_notes_are_listed():
    page = page_of(habits=["x was changed"], notes=["a kink"])
    assert [e["text"] for e in page.find("li")] == ["x was changed", "a kink"]
    assert page.find("div", "habits")
    assert page.find("div", "notes")


def test_each_cell_of_a_small_array_stands_in_its_place_and_tells_its_values():
    numerical = grid(3, 5)
    yours = numerical.copy()
    yours[2, 1] = -1.5
    page = page_of(array_check(numerical, yours, worst=(2, 1)))
    cells = [e for e in page.find("rect") if e.get("@class") is None]
    assert len(cells) == 15
    tips = {e["text"]: (int(e["@x"]), int(e["@y"])) for e in page.elements if e["tag"] == "rect"}
    side = int(cells[0]["@width"]) + 1
    assert tips[f"[2, 1]: yours -1.5, numerical {numerical[2, 1]:.5g}"] == (side, 2 * side)
    assert tips[f"[0, 4]: yours {yours[0, 4]:.5g}, numerical {yours[0, 4]:.5g}"] == (4 * side, 0)
    groups = {g["@class"]: int(g["@data-cells"]) for g in page.find("g")}
    assert groups == {"ok": 14, "e6": 1}


@pytest.mark.parametrize(
    ("shape", "worst"), [((7,), (4,)), ((3, 5), (2, 1)), ((2, 3, 4), (1, 2, 0)), ((), ())]
)
def test_the_worst_cell_has_the_ring(shape, worst):
    numerical = grid(*shape)
    yours = numerical.copy()
    yours[worst] *= 3
    page = page_of(array_check(numerical, yours, worst=worst))
    (ring,) = page.find("rect", "worst")
    (wrong,) = page.find("g", "e6")
    cell = page.elements[page.elements.index(wrong) + 1]
    assert (float(ring["@x"]), float(ring["@y"])) == (float(cell["@x"]), float(cell["@y"]))
    assert float(ring["@width"]) >= float(cell["@width"])


@pytest.mark.parametrize(
    ("shape", "cells"),
    [
        ((64, 64), 64 * 64),
        ((33, 32), 33 * 32),
        ((65, 3), 33 * 3),  # two rows to a cell
        ((200, 130), 50 * 44),  # 4 rows and 3 columns to a cell
        ((1000,), 63),  # 16 entries to a cell
        ((4, 50, 3), 50 * 3),  # 200 rows of 3, four rows to a cell
    ],
)
def test_larger_arrays_are_drawn_by_cells_or_blocks(shape, cells):
    numerical = grid(*shape)
    page = page_of(array_check(numerical, numerical, worst=(0,) * len(shape)))
    assert sum(int(g["@data-cells"]) for g in page.find("g")) == cells
    assert cells <= MAX_SIDE**2
    if cells > MAX_TIPS or max(shape) > MAX_SIDE:
        drawn = "".join(e["@d"] for e in page.find("path"))
        side = int(re.search(r"v(\d+)h", drawn).group(1))
        widths = [int(w) for w in re.findall(r"h(\d+)v", drawn)]
        assert sum(widths) == cells * side


def test_a_block_shows_its_worst_entry():
    numerical = grid(200, 130)
    yours = numerical.copy()
    yours[101, 67] *= 1 + 1e-3  # in the block of row 25 and column 22
    page = page_of(array_check(numerical, yours, worst=(101, 67)))
    groups = {g["@class"]: int(g["@data-cells"]) for g in page.find("g")}
    assert groups == {"ok": 50 * 44 - 1, "e3": 1}
    piece = re.fullmatch(r"M(\d+) (\d+)h(\d+)v\d+h-\d+z", page.find("path")[-1]["@d"])
    x, y, side = (int(n) for n in piece.groups())
    assert (x / side, y / side) == (22, 25)


def test_a_map_of_few_sampled_entries_is_coarse_enough_to_see_them():
    rng = np.random.default_rng(0)
    numerical = np.full((784, 200), np.nan)
    numerical.flat[rng.choice(numerical.size, 150, replace=False)] = 1.0
    yours = np.ones_like(numerical)
    page = page_of(array_check(numerical, yours, worst=tuple(np.argwhere(numerical == 1)[0])))
    cells = {g["@class"]: int(g["@data-cells"]) for g in page.find("g")}
    assert cells["ok"] >= cells["none"]
    assert "150 of 156800 entries were compared" in page.elements[0]["text"]


def test_bands_are_steps_of_the_logarithm_and_nan_stands_apart():
    yours = 1.0 + np.array([0, 5e-7, 5e-6, 5e-5, 5e-4, 5e-3, 5e-2, 0.5, np.nan, np.inf])
    numerical = np.ones_like(yours)
    numerical[0] = 1.5  # the scale of the errors
    yours[0] = 1.5
    numerical[1] = yours[1] = np.nan  # not evaluated
    page = page_of(array_check(numerical, yours, worst=(8,)))
    groups = {g["@class"]: int(g["@data-cells"]) for g in page.find("g")}
    assert groups == {
        "none": 1, "ok": 1, "e1": 1, "e2": 1, "e3": 1, "e4": 1, "e5": 1, "e6": 1, "off": 2
    }  # fmt: skip
    key = [e["text"] for e in page.find("div", "key")[0:1]]
    assert key == [
        "not comparedwithin 1e-06to 1e-05to 1e-04to 1e-03to 1e-02to 1e-01over 1e-01"
        "NaN or infinityworst"
    ]


def test_in_a_right_array_no_cell_has_a_colour_of_error():
    # The differences were not precise enough at one entry: it is left out, not accused.
    numerical = grid(2, 3)
    yours = numerical.copy()
    yours[0, 0] += 1e-3
    page = page_of(array_check(numerical, yours, RIGHT, worst=(1, 1)))
    assert {g["@class"]: int(g["@data-cells"]) for g in page.find("g")} == {"none": 1, "ok": 5}


@pytest.mark.parametrize(
    "yours", [None, np.ones((4, 3)), np.ones((3, 4), complex), np.full((3, 4), "x")]
)
def test_what_cannot_be_compared_has_no_map(yours):
    array = ArrayCheck("w", (3, 4), WRONG, worst=(0, 0), yours=yours, numerical=grid(3, 4))
    array.reason = "no gradient that could be compared"
    page = page_of(array)
    assert not page.find("svg")
    assert "no gradient that could be compared" in page.elements[0]["text"]
    assert page.find("tr")[1]["text"].endswith("–––")


def test_empty_array_and_empty_report():
    empty = array_check(np.zeros((0, 3)), np.zeros((0, 3)), RIGHT)
    assert not page_of(empty).find("svg")
    assert page_of().find("table")
