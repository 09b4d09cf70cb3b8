"""What a value check found, and how the function it checks is called."""

import functools
import json
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...engine.door import door
from ...engine.kinds import Indent, Whole
from ..report.result import NOT_CHECKED, RIGHT, WRONG
from ..report.text import width
from ..verdict.frozen import frozen_randomness

TOLERANCES = {"float64": 1e-6, "float32": 1e-4}
"""Relative difference between a value and its reference that passes."""


@door
@dataclass(frozen=True)
class ValueCheck:
    """What a value check found.

    Attributes
    ----------
    name : str
        What was checked.
    verdict : {"right", "wrong", "not checked"}
        Whether the values are what they must be.
    text : str
        What is right or wrong, in words.
    numbers : dict of str to float, infinity and NaN among them
        The figures behind it.
    mistake : str
        Short name of the kind of mistake; empty if there is none, "unknown" if it has no name.
    """

    name: str
    verdict: str
    text: str
    numbers: dict[str, Any] = field(default_factory=dict)
    mistake: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything is right."""
        return self.verdict == RIGHT

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; a number that is not finite becomes a word."""
        numbers = {
            n: float(value) if math.isfinite(value) else str(float(value))
            for n, value in self.numbers.items()
        }
        return {
            "name": self.name,
            "verdict": self.verdict,
            "mistake": self.mistake,
            "text": self.text,
            "numbers": numbers,
        }

    def to_json(self, indent: Indent | None = 2) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=indent)

    def __str__(self) -> str:
        lines = textwrap.wrap(f"{self.name}: {self.verdict.upper()}", width())
        lines += textwrap.wrap(self.text, width(), initial_indent="  ", subsequent_indent="  ")
        figures = "; ".join(f"{n} {value:.5g}" for n, value in self.numbers.items())
        lines += textwrap.wrap(figures, width(), initial_indent="  | ", subsequent_indent="  | ")
        return "\n".join(lines)


class NoAnswerError(Exception):
    """The function could not be called, or gave something that cannot be compared."""

    def __init__(self, text: str, verdict: str = NOT_CHECKED) -> None:
        super().__init__(text)
        self.verdict = verdict


def value_check(name: str) -> Callable:
    """Decorator: freeze randomness and float warnings, and turn `NoAnswerError` into a result."""

    def decorate(check: Callable) -> Callable:
        @functools.wraps(check)
        def run(*args: Any, seed: Whole = 0, **options: Any) -> ValueCheck:
            try:
                with frozen_randomness(seed), np.errstate(all="ignore"):
                    return check(*args, seed=seed, **options)
            except NoAnswerError as problem:
                return ValueCheck(
                    name, problem.verdict, str(problem), {}, "unknown" * (problem.verdict == WRONG)
                )

        return run

    return decorate


def call(function: Any, *arrays: np.ndarray, dtype: str) -> np.ndarray:
    """Value of a function, layer or operation as a float64 array; it gets copies in its dtype."""
    params = getattr(function, "params", None)
    dtype = getattr(params, "dtype", dtype)
    forward = getattr(function, "forward", function)
    try:
        value = forward(*(np.array(array, dtype) for array in arrays))
        if isinstance(value, tuple | list) and value:
            value = value[0]
        value = getattr(value, "bound", value)
        return np.asarray(value, float)
    except Exception as error:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise NoAnswerError(
            f"it could not be called with arrays of shapes {shapes}: "
            f"{type(error).__name__}: {error}"
        ) from error


def show(value: float) -> str:
    """Four digits."""
    return f"{value:.4g}"
