"""The comparison: each gradient that was returned against its numerical value."""

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np

from ...errors import MinivaeError, OptionError
from ..report.result import BUT, NOT_CHECKED, RIGHT, WRONG, ArrayCheck
from .directions import check_directions
from .doubts import excuse_single_precision
from .numerical import Derivative, best_central_slope, complex_slope
from .subject import Subject

TOLERANCES = {"float64": 1e-6, "float32": 2e-3}
"""Relative error that passes, by the dtype that the gradient is computed in."""


def check_options(tolerance: Any, max_entries: Any) -> None:
    """Refuse options with which a check would show nothing."""
    number = isinstance(tolerance, Real) and not isinstance(tolerance, bool)
    if tolerance is not None and not (number and 0 <= tolerance < 1):
        raise OptionError(
            f"tolerance={tolerance!r} was given, but it is the largest relative error that passes: "
            "a number from 0 to 1, without 1, where a gradient of zeros would pass."
        )
    whole = isinstance(max_entries, Integral) and not isinstance(max_entries, bool)
    if not whole or max_entries < 1:
        raise OptionError(
            f"max_entries={max_entries!r} was given, but it must be a whole number of at least 1: "
            "a check that compares no entry shows nothing."
        )


def _excuse(
    arrays: list[ArrayCheck], double: dict[str, Any], upstream: list[np.ndarray], tolerance: float
) -> None:
    """Look at gradients that are wrong in float32 again, in float64."""
    # A reason says more than that entries differ: a shape, NaN, a direction.
    suspects = [a for a in arrays if a.verdict == WRONG and not a.reason]
    known = [a.numerical[np.isfinite(a.numerical)] for a in arrays if a.numerical is not None]
    size = max((np.abs(values).max(initial=0.0) for values in [*known, *upstream]), default=0.0)
    for array in suspects:
        numerical = Derivative(array.numerical, np.zeros(array.shape), "", 0)
        zeros = np.zeros(array.shape)
        again = compare(array.name, zeros, double.get(array.name), numerical, TOLERANCES["float64"])
        if again.verdict == RIGHT:
            excuse_single_precision(array, tolerance, size)


def compare(
    name: str,
    x: np.ndarray,
    gradient: Any,
    numerical: Derivative,
    tolerance: float,
    single: bool = False,
) -> ArrayCheck:
    """Compare one returned gradient with the numerical one.

    Where the outputs are those of a `single` example, a gradient may be a row for it.
    """
    if gradient is None:
        return ArrayCheck(
            name,
            x.shape,
            WRONG,
            numerical=numerical.values,
            reason="no gradient was returned for this argument",
        )
    yours = np.asarray(gradient)
    fits = yours.ndim < x.ndim and _long_axes(yours) == _long_axes(x)
    if fits or (single and yours.shape == (1, *x.shape)):
        check = compare(name, x, yours.reshape(x.shape), numerical, tolerance)
        if check.verdict == RIGHT:
            check.verdict = BUT
            check.reason = f"the right numbers, in the shape {yours.shape} instead of {x.shape}"
        return check
    if yours.shape != x.shape:
        return ArrayCheck(
            name,
            x.shape,
            WRONG,
            yours=yours,
            numerical=numerical.values,
            reason=f"the gradient has shape {yours.shape}, but its argument has {x.shape}",
        )
    known = numerical.known
    broken = ~np.isfinite(yours)
    if x.size and not known.any() and not broken.any():
        reason = f"forward returns NaN or infinity as soon as {name} moves"
        return ArrayCheck(name, x.shape, NOT_CHECKED, yours=yours, reason=reason)
    finite = yours[known & np.isfinite(yours)]  # a NaN is wrong, and no measure for the others
    scale = max(np.abs(finite).max(initial=0.0), np.abs(numerical.values[known]).max(initial=0.0))
    difference = np.where(known, np.abs(yours - np.where(known, numerical.values, 0)), 0.0)
    difference = np.where(known & ~np.isfinite(yours), np.inf, difference)
    allowed = tolerance * scale + 1e-12
    errors = np.where(known, numerical.errors, 0.0)
    wrong = difference > allowed + 10 * errors
    unclear = known & ~wrong & (10 * errors > allowed) & (difference > allowed)
    if np.any(yours):  # what has cancelled, as for a bias before a normalization
        unclear &= (np.abs(yours) > 1e-12) | (errors > 1e-8)
    check = ArrayCheck(
        name,
        x.shape,
        RIGHT,
        error=float((difference * ~unclear).max(initial=0.0) / scale) if scale > 1e-12 else 0.0,
        yours=yours,
        numerical=numerical.values,
        checked=int(known.sum()),
    )
    if difference.size:
        worst = np.unravel_index(int(np.argmax(difference * ~unclear)), x.shape)
        check.worst = tuple(int(i) for i in worst)
    if wrong.any() or broken.any():
        check.verdict = WRONG
        if broken.any():
            check.reason = "the gradient holds NaN or infinity"
            check.error = float("inf")
    elif unclear.any():
        left_out = (
            f"{int(unclear.sum())} of {check.checked} entries were left out: a kink, or too little "
            "precision, within the step of the differences"
        )
        check.reason = left_out
        if unclear.sum() > check.checked / 2:
            check.verdict = NOT_CHECKED
    return check


def check_others(
    check: ArrayCheck,
    double: Any,
    numerical: Derivative,
    f: Callable,
    x: np.ndarray,
    tolerance: float,
    rng: np.random.Generator,
) -> tuple[ArrayCheck, int]:
    """Check all entries, where `compare` has seen those that were drawn.

    Parameters
    ----------
    check : ArrayCheck
        What `compare` found.
    double : array, optional
        The gradient that the same code gives in float64, where it was run in float32.
    numerical : Derivative
        At the entries that were drawn.
    f : callable
        From an array like x to a number.
    x : numpy.ndarray
        Where.
    tolerance : float
        Relative error that passes.
    rng : numpy.random.Generator
        Draws the directions.

    Returns
    -------
    check : ArrayCheck
        What is found in all entries.
    evaluations : int
        Evaluations of f that it took.
    """
    analytic = numerical.method == "complex step"
    if double is not None and np.shape(check.yours) == np.shape(double) == x.shape:
        exact = compare(check.name, x, double, numerical, TOLERANCES["float64"])
        if exact.verdict == RIGHT:
            used = check_directions(exact, f, x, analytic, TOLERANCES["float64"], rng)
            if exact.verdict == RIGHT:  # then it is the measure
                known = Derivative(exact.yours, np.zeros(x.shape), numerical.method, used)
                found = compare(check.name, x, check.yours, known, tolerance)
                if found.verdict != RIGHT or check.verdict != BUT:
                    return found, used
            elif check.verdict != WRONG:
                check.verdict = exact.verdict
            check.reason = check.reason or exact.reason
            return check, used
    if check.verdict in (RIGHT, BUT):
        return check, check_directions(check, f, x, analytic, tolerance, rng)
    return check, 0


def _long_axes(a: np.ndarray) -> list[int]:
    """The shape without its axes of 1."""
    return [n for n in a.shape if n != 1]


def _projection(
    subject: Subject, upstream: list[np.ndarray], seed: int
) -> Callable[[dict[str, np.ndarray]], complex]:
    """The outputs as one number, sum(dy * y)."""

    def function(arguments: dict[str, np.ndarray]) -> complex:
        with subject.frozen(seed):
            if subject.truth is not None:
                outputs = subject.truth(_copies(arguments))
            else:
                outputs, _ = subject.forward(_copies(arguments))
        return sum(
            np.sum(dy * y.astype(np.result_type(y.dtype, float)))
            for dy, y in zip(upstream, outputs, strict=True)
        )

    return function


def _in_one_argument(
    function: Callable, arguments: dict[str, np.ndarray], name: str
) -> Callable[[np.ndarray], complex]:
    return lambda value: function({**arguments, name: value})


def _copies(arguments: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {n: a.copy() for n, a in arguments.items()}


def _complex_step_agrees(subject: Subject, function: Callable, rng: np.random.Generator) -> bool:
    """Whether the forward pass takes complex arguments and treats them analytically.

    Code with abs, max or a conversion to float goes through with complex numbers and gives a wrong
    slope; so the complex step counts only if it agrees with differences along random directions.
    """
    for n in subject.vary:
        x = subject.arguments[n]
        f = _in_one_argument(function, subject.arguments, n)
        v = rng.standard_normal(x.shape)
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                # Code that fills a float array drops the imaginary part, and NumPy says so.
                warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
                complex_one = complex_slope(f, x, v)
        except MinivaeError:
            return False
        except Exception:
            return False
        slope, error, _ = best_central_slope(f, x, v, f(x), 1e-9)
        if not abs(complex_one - slope) <= 1e-6 * (1 + abs(slope)) + 10 * error:
            return False
    return True
