"""One set of colours for all pages, readable in both schemes."""

import itertools

import numpy as np
import pytest

from minivae.check.report import html
from minivae.check.report.result import EXIT_CODES
from minivae.check.report.style import DARK, LIGHT, colours
from minivae.show import reader
from minivae.show.trace import html as trace
from minivae.uses.explore.page import build as explorer


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_readable(scheme):
    for ink in ("ink", "soft", "accent"):
        for ground in ("page", "bg", "panel"):
            assert contrast(scheme[ink], scheme[ground]) >= 4.5, (ink, ground)
    for verdict in ("good", "but", "bad", "open"):
        assert contrast(scheme[verdict], scheme[f"{verdict}-bg"]) >= 4.5, verdict
        assert contrast(scheme[verdict], scheme["panel"]) >= 4.5, verdict
    assert contrast(scheme["ink"], scheme["accent-bg"]) >= 4.5
    assert contrast(scheme["ink"], scheme["mark"]) >= 4.5


SEEN = {
    "all colours": np.eye(3),
    "without red": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "without green": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "without blue": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
"""How linear RGB looks to people with all three kinds of cones, and with one of them missing
(Machado, Oliveira and Fernandes 2009)."""


def lab(colour, eyes):
    """CIE L*a*b* of a colour as somebody sees it."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(eyes) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(to_xyz) @ seen / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", SEEN)
@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_verdicts_are_told_apart_by_everybody(scheme, eyes):
    for a, b in itertools.combinations(html.VERDICT_CLASS.values(), 2):
        distances = [
            np.linalg.norm(lab(scheme[a + part], SEEN[eyes]) - lab(scheme[b + part], SEEN[eyes]))
            for part in ("", "-bg")
        ]
        assert max(distances) > 20, (a, b, distances)
        assert min(distances) > 8, (a, b, distances)


def test_each_verdict_has_a_colour_of_its_own():
    assert html.VERDICT_CLASS.keys() == EXIT_CODES.keys() == html.MARK.keys()
    assert len(set(html.VERDICT_CLASS.values())) == len(set(EXIT_CODES.values())) == 4


def test_what_a_page_adds_has_both_schemes_and_readable_code():
    assert LIGHT.keys() == DARK.keys()
    for page in (html, reader, trace, explorer):
        assert page.LIGHT.keys() == page.DARK.keys()
        assert not page.LIGHT.keys() & LIGHT.keys()
    for own, scheme in ((html.LIGHT, LIGHT), (html.DARK, DARK)):
        assert contrast(own["ring"], scheme["bg"]) >= 7
    for own, scheme in ((reader.LIGHT, LIGHT), (reader.DARK, DARK)):
        for name, colour in own.items():
            assert contrast(colour, scheme["bg"]) >= 4.4, name


def test_the_system_chooses_and_what_is_around_overrules_it():
    light, dark = (f"{{--page:{scheme['page']}" for scheme in (LIGHT, DARK))
    style = colours(".box", {"own": "#123456"}, {"own": "#fedcba"})
    first, system, said_light, said_dark = style.splitlines()
    assert first.startswith(".box" + light)
    assert first.endswith(";--own:#123456}")
    assert system.startswith("@media (prefers-color-scheme:dark){.box" + dark)
    for line, theme, mark, rule in (
        (said_light, "light", "true", light),
        (said_dark, "dark", "false", dark),
    ):
        for where in (
            f'[data-jp-theme-light="{mark}"]',
            f".vscode-{theme}",
            f'[data-theme="{theme}"]',
        ):
            assert f"{where} .box" in line.partition("{")[0]
        assert rule in line


def test_a_page_of_its_own_has_the_systems_controls_in_its_scheme():
    first, system, said_light, said_dark = colours(":root").splitlines()
    assert first.startswith(":root{color-scheme:light;--page:")
    assert "{:root{color-scheme:dark;--page:" in system
    assert said_light.startswith(':root[data-theme="light"]{color-scheme:light;')
    assert said_dark.startswith(':root[data-theme="dark"]{color-scheme:dark;')
