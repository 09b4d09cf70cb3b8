"""Every public name looks at what it is given: its own error, one sentence, nothing accepted."""

import inspect
import random
from typing import Annotated, Any

import numpy as np
import pytest

from door.calls import attempts
from door.public import HELPERS, INSIDE, modules, names
from minivae.engine import Array, Real
from minivae.engine.door import Contract, door
from minivae.engine.kinds import Between, Count, kind_of
from minivae.engine.shapes import shapes_in
from minivae.errors import (
    BackendError,
    CallError,
    DtypeError,
    MinivaeError,
    OptionError,
    OutOfMemoryError,
    ShapeError,
)
from minivae.ops import CASES

ROOMS = sorted({name.split(".")[1] for name in names()} - {"errors"})


@pytest.mark.parametrize("room", ROOMS)
def test_absurd_calls_are_refused_in_a_sentence(room, tmp_path, monkeypatch):
    """A share of all; the whole is `python tests/door/fuzz.py`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    wrong, count = [], 0
    for attempt in attempts([room], tmp_path, share=0.012, chance=random.Random(7)):
        count += 1
        if attempt.result in ("foreign", "silent", "slow"):
            wrong.append(f"{attempt.target}({attempt.name}={attempt.label}) {attempt.said}")
        if attempt.result == "refused":
            message = str(attempt.error)
            if isinstance(attempt.error, MinivaeError):
                assert message.isprintable(), message
    assert count > 10
    assert not wrong, "\n".join(wrong)


def test_what_is_inside_is_there():
    known = {module.__name__ for module, _ in modules()} | {f"{n}" for n in HELPERS}
    gone = [name for name in INSIDE if not any(f"{k}.".startswith(f"{name}.") for k in known)]
    assert not gone, f"nothing is called {gone}; take them off the list"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_docstring_of_an_operation_gives_every_array_a_shape(case):
    for function in (case.forward, case.backward):
        if function.__name__.startswith("_"):  # made for the case alone
            continue
        contract = Contract(inspect.unwrap(function), case.name)
        named = [name for name in contract.floats if name != contract.rest]
        without = [name for name in named if name not in contract.shapes]
        assert not without, f"{function.__qualname__} says no shape of {', '.join(without)}"


@door
def example(x: Array, W: Real, n: Count = 1, share: Annotated[float, Between(0, 1)] = 0.5) -> Any:
    """Try x (B, I) with W (I, O); with K samples x (B, K, I) and W (I, O)."""
    return x @ W


X, W = np.ones((2, 3)), np.ones((3, 4))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"x": [[1.0]]}, BackendError, ("x=[[1.0]]", "asarray")),
        ({"x": X[0]}, ShapeError, ("x (3,)", "(B, I)", "(B, K, I)")),
        ({"W": W[1:]}, ShapeError, ("W (2, 4)", "(I, O)")),
        ({"x": X.astype("f4")}, DtypeError, ("x as float32", "W as float64")),
        ({"x": X.astype(int)}, DtypeError, ("int64", "float32 or float64")),
        ({"W": W * 1j}, DtypeError, ("W as complex128",)),
        ({"x": X.astype("M8[D]")}, DtypeError, ("datetime64",)),
        ({"n": True}, OptionError, ("n=True", "whole number of at least 1")),
        ({"n": 0}, OptionError, ("n=0",)),
        ({"n": 1.0}, OptionError, ("n=1.0",)),
        ({"share": 1.0}, OptionError, ("share=1.0", "in [0, 1)")),
        ({"share": float("nan")}, OptionError, ("share=nan",)),
        ({"share": 10**400}, OptionError, ("share=",)),
        ({"more": 1}, CallError, ("takes (x, W, n, share)", "more")),
    ],
)
def test_a_sentence_says_what_came_and_what_was_expected(refuses, change, error, words):
    with refuses(error, "test_door.example", *words):
        example(**{"x": X, "W": W, **change})


def test_what_fits_passes_also_the_second_time_and_does_not_open_the_door_for_others(refuses):
    for _ in range(2):
        assert example(X, W).shape == (2, 4)
        assert example(np.ones((2, 5, 3)), W, 1, 0.2).shape == (2, 5, 4)
        assert example(X * 1j, W).dtype == complex
        with refuses(OptionError, "n=True"):
            example(X, W, True)  # equal to 1, which has passed
        with refuses(OptionError, "share=1.5"):
            example(X, W, 1, 1.5)
        with refuses(ShapeError):
            example(X, W[:2])


def test_memory_that_there_is_not_is_a_sentence(refuses):
    @door
    def large(n: int) -> Any:
        return np.zeros(n)

    for n in (10**18, 10**30):
        with refuses(OutOfMemoryError, "ask for less"):
            large(n)


def test_an_error_of_the_function_itself_is_left_alone():
    @door
    def divide(n: int) -> Any:
        return {}["key"] if n else len(n)

    with pytest.raises(KeyError):
        divide(1)
    with pytest.raises(TypeError, match="has no len"):
        divide(0)


def test_shapes_are_read_from_prose_and_from_sections():
    doc = """Gradients dx, dW (I, O) from dy (B, O), `eps` (B, ..., Z) and b (O,).

    Parameters
    ----------
    one, two : array, (N,) and (M,)
    x : array, (N, D) or (N, *shape)
    """
    names = ["dy", "W", "eps", "b", "one", "two", "x"]
    found = shapes_in(inspect.cleandoc(doc), names)
    assert found == {
        "dy": [("B", "O")],
        "W": [("I", "O")],
        "eps": [("B", "...", "Z")],
        "b": [("O",)],
        "one": [("N",)],
        "two": [("M",)],
        "x": [("N", "D"), ("N", "..."), ("I", "O")],
    }


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (int | None, [None, 3, np.int8(2)], [True, 1.0, "1"]),
        (float, [1, 0.5, np.float32(2)], [True, float("inf"), 1j, "1", 10**400]),
        (str, ["", "a"], [b"a", "a\0", None]),
        (tuple[int, int], [(1, 2), [1, 2]], [(1,), (1, 2, 3), (1, "2"), 3, np.ones(2)]),
        (list[str], [["a"], ()], ["a", [1], {"a"}]),
        (dict[str, int], [{}, {"a": 1}], [{1: 1}, {"a": "b"}, []]),
        (np.ndarray, [np.ones(2), np.ones(2, bool)], [np.ones(2, complex), np.array(["a"]), [1]]),
        (type[Exception], [ValueError], [int, ValueError()]),
    ],
)
def test_kinds(annotation, good, bad):
    kind = kind_of(annotation)
    assert all(map(kind.holds, good))
    assert not any(map(kind.holds, bad))
