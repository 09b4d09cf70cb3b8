"""The first notebook's drawings show the numbers that they are given, and compute none."""

import matplotlib
import numpy as np
import pytest

from minivae.course import drawing


@pytest.fixture(autouse=True)
def no_window():
    matplotlib.use("agg")
    yield
    matplotlib.pyplot.close("all")


def test_a_step_shows_every_value_and_gradient():
    values = {name: f"v-{name}" for name in drawing.PLACES}
    gradients = {name: f"g-{name}" for name in ("mu", "lv", "z", "a", "nll", "kl", "loss")}
    ax = drawing.step(values, gradients)
    shown = " ".join(text.get_text() for text in ax.texts)
    assert all(value in shown for value in (*values.values(), *gradients.values()))
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    assert len(arrows) == len(drawing.LINKS.split())


def test_forces_are_minus_the_gradients():
    ax = drawing.forces({"decoder": (-0.5, 0.2), "KL": (0.4, 0.1), "sum": (-0.1, 0.3)})
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx([0.5, -0.2, -0.4, -0.1, 0.1, -0.3])


def test_losses_are_three_lines():
    history = np.array([[3.0, 2.0, 1.0], [2.0, 1.5, 0.5]])
    lines = {line.get_label(): line.get_ydata() for line in drawing.losses(history).get_lines()}
    np.testing.assert_array_equal(lines["kl"], [1.0, 0.5])
    assert list(lines) == ["loss", "nll", "kl"]
