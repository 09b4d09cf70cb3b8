"""Points for exercises that are solved in a notebook."""

import numpy as np
import pytest

from minivae.check import check_gradients, check_values
from minivae.course.exercises import Scoresheet
from minivae.errors import OptionError


def product(x, y):
    return x * y, (x, y)


def both(dout, cache):
    return {"dx": dout * cache[1], "dy": dout * cache[0]}


def one(dout, cache):
    return {"dx": dout * cache[1], "dy": None}


def impure(dout, cache):
    gradients = both(dout, cache)
    cache[0][...] = 0  # a habit: the cache is not as it was
    return gradients


AT = {"x": np.array([0.3, -1.2]), "y": np.array([2.0, 0.7])}


@pytest.mark.parametrize(("backward", "points"), [(both, 4), (one, 1), (impure, 4)])
def test_half_of_the_gradients_are_worth_a_quarter_and_habits_cost_nothing(backward, points):
    sheet = Scoresheet()
    sheet.grade("product", 4, check_gradients(product, backward, AT))
    assert sheet.earned == points
    assert sheet.possible == 4


def test_findings_of_both_kinds_weigh_the_same(capsys):
    (wrong,) = check_values(reparameterize=lambda mu, logvar, eps: mu + np.exp(logvar) * eps)
    sheet = Scoresheet()
    sheet.grade("mixed", 5, check_gradients(product, both, AT), wrong)
    assert sheet.earned == 2.5
    out = capsys.readouterr().out
    assert "the variance, not the standard deviation" in " ".join(out.split())
    assert out.endswith("mixed: 2.5 of 5 points\n")


def test_an_exercise_graded_again_gets_the_new_points():
    sheet = Scoresheet()
    for backward in (one, both):
        sheet.grade("product", 4, check_gradients(product, backward, AT))
    sheet.grade("other", 2, check_gradients(product, one, AT))
    assert str(sheet).splitlines() == [
        "product     4 of  4",
        "other     0.5 of  2",
        "total     4.5 of  6",
    ]


def test_nothing_to_grade(refuses):
    with refuses(OptionError, "'empty'"):
        Scoresheet().grade("empty", 2)
    with refuses(OptionError, "True", "Report"):
        Scoresheet().grade("guess", 2, True)
