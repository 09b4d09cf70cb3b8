"""One set of colours for all pages, readable in both schemes."""

import pytest

from minivae.check.report import html
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
