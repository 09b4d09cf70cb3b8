"""Convolutions in a trace: images as images, and one window with its patch, kernel and sum."""

import re

import numpy as np
import pytest

from minivae import VAE
from minivae.cli.main import main
from minivae.show.trace import trace
from minivae.show.trace.text import step
from minivae.show.trace.window import padded, window_of


@pytest.fixture(scope="module")
def records():
    options = {"network": "conv", "channels": (3, 4), "kernel": 3, "hidden": (), "latent": 2}
    model = VAE((6, 5, 2), rng=np.random.default_rng(0), dtype="float64", **options)
    rng = np.random.default_rng(1)
    with trace(model) as t:
        model.step(model.prepare(rng.random((2, 60))), rng.standard_normal((2, 2)))
    return t


def named(records, operation):
    return [record for record in records if record.operation == operation]


def test_the_window_of_a_convolution_is_its_sum(records):
    found = named(records, "conv2d.forward")
    assert len(found) == 2
    for record in found:
        seen = window_of(record)
        u, v = seen.place
        assert seen.value == record["y"][0, u, v, seen.output]
        assert abs(record["y"][0]).max() == abs(seen.value)
        total = (seen.patch * seen.kernel).sum() + seen.others + seen.bias
        assert total == pytest.approx(seen.value, rel=1e-12)
        image, (top, left) = padded(seen)
        np.testing.assert_array_equal(image[top : top + 3, left : left + 3], seen.patch)


def test_the_window_of_a_transposed_convolution_is_laid_on_its_image(records):
    for record in named(records, "conv_transpose2d.forward"):
        seen = window_of(record)
        u, v = seen.place
        assert seen.value == record["x"][0, u, v, seen.output]
        np.testing.assert_allclose(seen.patch, seen.value * seen.kernel)
        np.testing.assert_array_equal(seen.image, record["y"][0, ..., seen.channel])
    assert window_of(named(records, "linear.forward")[0]) is None


def test_sheets_hold_every_number_once(records):
    for record in records:
        for array in (*record.inputs, *record.inner, *record.outputs):
            cells = sum(grid.size for _, grid in array.sheets)
            assert cells == array.values.size, array
            total = sum(float(grid.sum()) for _, grid in array.sheets)
            assert total == pytest.approx(float(array.values.sum()), rel=1e-9, abs=1e-9)
    x, W = (named(records, "conv2d.forward")[0][name] for name in "xW")
    arrays = {a.name: a for a in named(records, "conv2d.forward")[0].inputs}
    sheets = dict(arrays["x"].sheets)
    np.testing.assert_array_equal(sheets["[1, :, :, 0]"], x[1, :, :, 0])
    np.testing.assert_array_equal(dict(arrays["W"].sheets)["[:, :, 1, 2]"], W[:, :, 1, 2])


def test_the_page_shows_images_and_outlines_the_window(records, tmp_path):
    html = records._repr_html_()
    assert html.count('<div class="seen">') == 4
    first = window_of(named(records, "conv2d.forward")[0])
    image, (top, left) = padded(first)
    height, width = image.shape
    place = f"left:{100 * left / width:.4g}%;top:{100 * top / height:.4g}%"
    assert place in html
    assert "one window" in html
    assert "<caption>[:, :, 1, 2]" in html  # 6 kernels are numbers, 12 are one picture
    assert "<caption>[:, :, 2, 3]" not in html
    assert "W as a heat map" in html
    assert records.save(tmp_path / "t.html").exists()


def test_the_sum_can_be_followed_with_pencil_and_paper(capsys):
    assert main(["step", "--network", "conv", "--all"]) == 0
    text = capsys.readouterr().out
    assert "A VAE of widths 16-conv2-1, relu" in text
    first = text.partition("1 of 26")[2].partition("2 of 26")[0]
    rows = re.findall(r"^  <.*times.*$", first, re.MULTILINE)
    assert len(rows) == 3
    total = 0.0
    for row in rows:
        seen, weights = row.split("times")
        pixels = [float(x) for x in re.findall(r"<\s*([-\d.]+)>", seen)]
        total += np.dot(pixels, [float(w) for w in weights.split()])
    value, bias = map(float, re.search(r"= (\S+): .*the bias (\S+)\.$", first, re.M).groups())
    assert total + bias == pytest.approx(value)


def test_a_step_of_every_record_is_printed(records):
    for record in records:
        assert step(record, len(records)).startswith(f"{record.index + 1} of {len(records)}")
