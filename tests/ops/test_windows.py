"""How many windows there are, and what "same" and "valid" are, against counting."""

import numpy as np
import pytest

from minivae.errors import OptionError, ShapeError
from minivae.ops.windows import check_padding, count, pixels, sides_for, whole

EACH = [(n, k, s) for n in range(1, 9) for k in range(1, 6) for s in range(1, 5)]


def test_as_many_windows_as_places():
    for n, k, s in EACH:
        for a, b in [(0, 0), (1, 0), (2, 3)]:
            places = [p for p in range(0, a + n + b, s) if p + k <= a + n + b]
            if places:
                counted = count((n, 9), (k, 1), (s, 1), ((a, b), (0, 0)))
                assert counted == (len(places), 9)


def test_same_is_a_window_for_each_step_with_the_least_padding():
    for n, k, s in EACH:
        (a, b), _ = sides = sides_for("same", (n, 1), (k, 1), (s, 1))
        assert count((n, 1), (k, 1), (s, 1), sides)[0] == len(range(0, n, s))
        assert b - a in (0, 1)
        if a + b and (a + n + b - 1) >= k:
            assert count((n, 1), (k, 1), (s, 1), ((a, b - 1), (0, 0)))[0] < len(range(0, n, s))
    assert sides_for(((1, 2), (3, 4)), (9, 9), (3, 3), (1, 1)) == ((1, 2), (3, 4))


def test_from_windows_back_to_pixels():
    for n, k, s in EACH:
        for sides in [(0, 0), (1, 1), (0, 2)]:
            if n + sum(sides) >= k:
                (m, _) = count((n, 1), (k, 1), (s, 1), (sides, (0, 0)))
                unseen = (n + sum(sides) - k) % s
                assert pixels((m, 1), (k, 1), (s, 1), (sides, (0, 0)), (unseen, 0)) == (n, 1)


def test_padding_takes_all_of_it_away(refuses):
    with refuses(ShapeError, "2 x 3 windows", "4 x 2", "0 x 4", "less padding"):
        pixels((2, 3), (4, 2), (2, 1), ((3, 3), (0, 0)), (0, 0))


@pytest.mark.parametrize("value", [3, np.int64(3), 3.0, (3, 3), [3, 3]])
def test_one_number_or_two(value):
    assert whole("stride", value, 1) == (3, 3)
    assert all(type(n) is int for n in whole("stride", value, 1))


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", (1, 2, 3), (1, 0), None, True, np.nan, np.inf])
def test_what_is_no_whole_number(value, refuses):
    with refuses(OptionError, f"stride={value!r}", "at least 1"):
        whole("stride", value, 1)


def test_paddings(refuses):
    assert check_padding("same") == "same"
    assert check_padding("valid") == ((0, 0), (0, 0))
    assert check_padding(2) == ((2, 2), (2, 2))
    assert check_padding((1, 2)) == ((1, 1), (2, 2))
    assert check_padding(((1, 2), (3, 4))) == ((1, 2), (3, 4))
    for wrong, words in {
        "full": "'same', 'valid'",
        -1: "padding=-1",
        ((1, 2),): "((top, bottom), (left, right))",
        ((1, 2), (3, -4)): "padding=(3, -4)",
    }.items():
        with refuses(OptionError, words):
            check_padding(wrong)
