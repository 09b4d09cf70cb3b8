"""Every entry of a large gradient takes part in the verdict: how often a planted mistake is missed.

The counts are small enough for the suite; `python tests/check/verdict/test_directions.py` plants
many more and prints a table.
"""

import sys

import numpy as np
import pytest

from minivae.check import check_gradients, gradients
from minivae.check.verdict.directions import DIRECTIONS, check_directions, own_draw
from minivae.engine.layer import Sequential
from minivae.errors import OptionError
from minivae.ops import Activation, Linear


class Planted(Linear):
    """Its weights' gradient is changed by a function."""

    def __init__(self, *sizes, change, **options):
        super().__init__(*sizes, **options)
        self.change = change

    def backward(self, dy):
        dx = super().backward(dy)
        self.change(self.params.grad_of("W"))
        return dx


def scaled(where, factor):
    """A change of some entries, by a factor, or to NaN or infinity."""

    def change(dw):
        dw[where] = dw[where] * factor if np.isfinite(factor) else factor

    return change


def layer_verdict(rng, change, dtype, inner, outer):
    layer = Planted(inner, outer, change=change, rng=rng, dtype=dtype, backend="numpy")
    x = rng.normal(size=(4, inner)).astype(dtype)
    seed = int(rng.integers(1000))
    return check_gradients(layer, inputs=(x,), seed=seed, max_entries=20)["W"].verdict


def square(x):
    return x**2, x


def one_of_many(rng, size, value, dtype):
    """Verdict on the gradient of a sum of squares, one entry of which is another one."""
    x = rng.normal(size=size)
    x[(at := int(rng.integers(size)))] = 1.0  # of typical size

    def backward(dout, x):
        dx = 2 * x * dout
        dx[at] = value
        return dx

    seed = int(rng.integers(1000))
    options = {"seed": seed, "max_entries": 20, "dtype": dtype}
    return check_gradients(square, backward, {"x": x}, **options)["x"].verdict


PLANTED = {
    "one column of W times 0": (slice(None), 5, 0.0),
    "one column of W times -1": (slice(None), 5, -1.0),
    "one column of W times 10": (slice(None), 5, 10.0),
    "one row of W times 1.01": (3, slice(None), 1.01),
    "a block of W times 0": (slice(10, 14), slice(4, 9), 0.0),
    "one entry of W is NaN": (7, 7, np.nan),
    "one entry of W is infinite": (7, 7, np.inf),
}


@pytest.fixture(autouse=True)
def without_doctor(monkeypatch):
    """The verdict is what is asked for here, not what is wrong."""
    monkeypatch.setattr(gradients, "diagnose", lambda *_: None)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mistake", PLANTED)
def test_a_block_of_a_layer(mistake, dtype):
    rng = np.random.default_rng(3)
    rows, columns, factor = PLANTED[mistake]
    for _ in range(3):
        change = scaled((rows, columns), factor)
        assert layer_verdict(rng, change, dtype, 40, 60) == "wrong"
    assert layer_verdict(rng, lambda dw: None, dtype, 40, 60) == "right"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [0.0, 1.99, np.nan, np.inf])
def test_one_entry_of_many(value, dtype):
    rng = np.random.default_rng(4)
    assert one_of_many(rng, 100_000, value, dtype) == "wrong"


def test_right_gradients_stay_right():
    """Also behind kinks, where the complex step does not go."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        dtype = ("float32", "float64")[seed % 2]
        options = {"rng": rng, "dtype": dtype, "backend": "numpy"}
        net = Sequential(
            Linear(30, 50, **options),
            Activation("relu", dtype=dtype, backend="numpy"),
            Linear(50, 20, **options),
        )
        report = check_gradients(net, inputs=(rng.normal(size=(6, 30)),), max_entries=20)
        assert report.verdict == "right", str(report)


def test_the_probability_is_the_stated_one():
    """With a tolerance of 0.3, one direction misses an error of (1) with 0.8 t / |e|, or less."""
    rng = np.random.default_rng(5)
    a = np.ones(50)
    e = np.zeros(50)
    e[7] = 4.0
    missed, tries, t = 0, 4000, 0.3 * np.linalg.norm(a + e)
    for _ in range(tries):
        v = rng.standard_normal(50)
        missed += abs(v @ e) <= t
    assert missed / tries <= np.sqrt(2 / np.pi) * t / 4.0 + 3 / np.sqrt(tries)

    class Check:
        yours, checked, error, verdict, reason = a + e, 10, 0.0, "right", ""

    passed = 0
    for _ in range(tries):
        check = Check()
        check_directions(check, lambda x: x @ a, np.zeros(50), True, 0.3, rng)
        passed += check.verdict == "right"
    bound = (np.sqrt(2 / np.pi) * t / 4.0) ** DIRECTIONS
    assert passed / tries <= bound + 3 * np.sqrt(bound / tries)
    assert passed / tries >= bound / 10


def test_the_draw_depends_on_what_was_returned():
    gradient = np.arange(6.0)
    draws = []
    for change in (0, 0, 1e-15):
        draw = own_draw(np.random.default_rng(0), gradient + change, None)
        draws.append(draw.integers(10**9))
    assert draws[0] == draws[1] != draws[2]


def test_entries_that_are_right_where_they_were_drawn_with_a_known_seed():
    """Code that keeps the entries drawn for the right gradient, and no others."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=2000)
    drawn = np.isfinite(check_gradients(square, lambda dy, x: 2 * x * dy, {"x": x})["x"].numerical)
    assert drawn.sum() == 150

    def backward(dy, x):
        return np.where(drawn, 2 * x * dy, 0.0)

    report = check_gradients(square, backward, {"x": x})
    assert report["x"].verdict == "wrong"
    again = np.isfinite(report["x"].numerical)
    assert (again & drawn).sum() < 50


@pytest.mark.parametrize(
    "option",
    [{"tolerance": t} for t in (np.nan, np.inf, -np.inf, -1e-9, 1.0, 1e9, "1e-3", True)]
    + [{"max_entries": m} for m in (0, -1, 2.5, None, "9", True)],
)
def test_options_that_would_show_nothing(option):
    with pytest.raises(OptionError, match=next(iter(option))):
        check_gradients(square, lambda dy, x: 5 * x * dy, {"x": np.ones(3)}, **option)


def main(tries):
    gradients.diagnose = lambda *_: None
    rng = np.random.default_rng()
    print("planted | dtype | tried | not called wrong")
    for dtype in ("float64", "float32"):
        for mistake, (rows, columns, factor) in PLANTED.items():
            verdicts = [
                layer_verdict(rng, scaled((rows, columns), factor), dtype, 784, 400)
                for _ in range(max(tries // 20, 1))
            ]
            print(
                f"{mistake} | {dtype} | {len(verdicts)} | {len(verdicts) - verdicts.count('wrong')}"
            )
        for size in (10**4, 10**6):
            for value in (0.0, np.nan):
                verdicts = [one_of_many(rng, size, value, dtype) for _ in range(tries)]
                left = len(verdicts) - verdicts.count("wrong")
                print(f"1 of {size} entries is {value} | {dtype} | {tries} | {left}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
