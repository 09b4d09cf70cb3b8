"""The check: a backward pass against numerical derivatives, and against its contract.

For outputs y, upstream gradients dy drawn at random turn the function into one number,
f = sum(dy * y), whose gradient with respect to an input is exactly what `backward(dy)` must return.
"""

import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ..case import Case
from ..errors import MinivaeError, OptionError
from ..layer import Layer
from ..models.base import Model
from ..ops import find_case
from .contract import contract_breaches
from .diagnose import diagnose
from .doubts import confirm, excuse_single_precision, gradients_in_double
from .frozen import OWN_STREAMS, kept_randomness
from .functions import from_functions
from .numerical import Derivative, best_central_slope, complex_slope, numerical_gradient
from .report import RIGHT, UNKNOWN, WRONG, ArrayCheck, Report
from .subject import (
    Subject,
    from_case,
    from_layer,
    from_model,
)

TOLERANCES = {"float64": 1e-6, "float32": 2e-3}
"""Relative error that passes, by the dtype that the gradient is computed in."""


def check_gradients(
    target: Any,
    backward: Callable | None = None,
    inputs: dict[str, Any] | Sequence[np.ndarray] | None = None,
    *,
    wrt: Sequence[str] | None = None,
    name: str | None = None,
    dtype: str = "float64",
    tolerance: float | None = None,
    max_entries: int = 150,
    sizes: dict[str, int] | None = None,
    seed: int = 0,
) -> Report:
    """Check a backward pass; say whether it is right, and if not, what is likely wrong.

    Parameters
    ----------
    target : str, Case, module of minivae.ops, Layer, Model, or callable
        What is checked; a string is the name of one of minivae's operations. A callable is
        `forward(...) -> (out, cache)`, or a loss that returns a number, or, without `backward`, a
        function that returns `(loss, gradients)`.
    backward : callable, optional
        `backward(dout, cache) -> gradients`, or the gradient function of the loss, which takes the
        loss's arguments. Gradients are a dict by name, a tuple in the order of the arguments, or
        one array.
    inputs : dict, or sequence of arrays
        Arguments of a function by name; inputs of a layer in order; for a model `(x, noise)`.
        Operations of minivae need none.
    wrt : sequence of str, optional
        Names of the arguments that have a gradient, in the order in which they are returned.
    name : str, optional
        What the report calls it.
    dtype : {"float64", "float32"}
        What the backward pass is run in. The numerical gradient is always float64's.
    tolerance : float, optional
        Largest relative error that passes; 1e-6 in float64 and 2e-3 in float32.
    max_entries : int
        Entries of one array that are compared; of a larger array so many are drawn at random, and
        its other entries are checked along random directions.
    sizes : dict, optional
        Other axis sizes for one of minivae's operations, see `Case.draw`.
    seed : int
        Draws the point, the upstream gradients and the entries.

    Returns
    -------
    Report

    Raises
    ------
    MinivaeError
        If there is nothing that can be checked; never because a gradient is wrong.
    """
    rng = np.random.default_rng([seed, OWN_STREAMS])
    params = target.params if isinstance(target, Layer | Model) else None
    kept = None if params is None else (params.theta.copy(), params.grad.copy())
    try:
        subject = _subject(target, backward, inputs, wrt, name, rng, sizes)
        return check_subject(
            subject, rng, dtype=dtype, tolerance=tolerance, max_entries=max_entries, seed=seed
        )
    finally:
        if kept is not None:  # the numerical side moved the parameters about
            params.theta[...], params.grad[...] = kept


def assert_gradients(*args: Any, **options: Any) -> None:
    """Like `check_gradients`, for tests: raise `AssertionError` with the report unless right."""
    report = check_gradients(*args, **options)
    if not report.passed:
        raise AssertionError("\n" + str(report))


def _subject(
    target: Any,
    backward: Callable | None,
    inputs: Any,
    wrt: Sequence[str] | None,
    name: str | None,
    rng: np.random.Generator,
    sizes: dict[str, int] | None,
) -> Subject:
    if isinstance(target, ModuleType) and (cases := getattr(target, "CASES", ())):
        if len(cases) > 1:
            raise OptionError(
                f"{target.__name__} holds {len(cases)} operations; give the name of one, such as "
                f"{cases[0].name!r}, or check them one by one."
            )
        target = cases[0]
    if isinstance(target, str):
        target = find_case(target)
    if isinstance(target, Case):
        return from_case(target, rng, sizes, "float64")
    if isinstance(target, Model):
        if inputs is None:
            x = target.prepare(rng.random((3, target.n_pixels)))
            inputs = (x, target.draw_noise(rng, len(x)))
        return from_model(target, *inputs)
    if isinstance(target, Layer):
        return from_layer(target, inputs or (), name or repr(target))
    if not callable(target):
        raise OptionError(
            f"a {type(target).__name__} was given, but what can be checked is an operation, a "
            "layer, a model, a pair of functions, or a loss with its gradient."
        )
    if not isinstance(inputs, dict):
        raise OptionError(
            "inputs by name are needed to check a function, such as inputs={'x': x, 'w': w}."
        )
    return from_functions(
        target, backward, inputs, wrt, name or getattr(target, "__name__", "function")
    )


@kept_randomness()
def check_subject(
    subject: Subject,
    rng: np.random.Generator,
    *,
    dtype: str = "float64",
    tolerance: float | None = None,
    max_entries: int = 150,
    seed: int = 0,
) -> Report:
    """Run the check on a subject; see `check_gradients`."""
    dtype = subject.dtype or dtype
    with subject.frozen(seed):
        outputs, _ = subject.forward(_copies(subject.arguments))
    upstream = [
        np.ones_like(y) if subject.scalar else rng.standard_normal(y.shape) for y in outputs
    ]
    if tolerance is None:
        computed = min((y.dtype for y in outputs), key=lambda t: t.itemsize).name
        tolerance = TOLERANCES["float32" if "float32" in (computed, dtype) else "float64"]

    gradients, breaches = contract_breaches(subject, upstream, dtype, seed)
    function = _projection(subject, upstream, seed)
    analytic = subject.analytic and _complex_step_agrees(subject, function, rng)

    arrays, evaluations = [], 0
    for n in subject.vary:
        x = subject.arguments[n]
        f = _in_one_argument(function, subject.arguments, n)
        entries = None
        if x.size > max_entries:
            entries = rng.choice(x.size, max_entries, replace=False)
        numerical = numerical_gradient(f, x, analytic=analytic, entries=entries)
        evaluations += numerical.evaluations
        arrays.append(compare(n, x, gradients.get(n), numerical, tolerance))
        if arrays[-1].verdict == WRONG:
            evaluations += confirm(numerical, arrays[-1].yours, f, x, tolerance)
            arrays[-1] = compare(n, x, gradients.get(n), numerical, tolerance)
        if entries is not None and arrays[-1].verdict == RIGHT:
            evaluations += _check_directions(arrays[-1], f, x, analytic, tolerance, rng)
    if dtype == "float32":
        _excuse(arrays, subject, upstream, tolerance, seed)
    report = Report(
        name=subject.name,
        arrays=arrays,
        contract=breaches,
        method="complex step" if analytic else "central differences",
        tolerance=tolerance,
        evaluations=evaluations,
        notes=list(subject.notes),
    )
    diagnose(report, subject, upstream, seed)
    return report


def _excuse(
    arrays: list[ArrayCheck],
    subject: Subject,
    upstream: list[np.ndarray],
    tolerance: float,
    seed: int,
) -> None:
    """Look at gradients that are wrong in float32 again, in float64."""
    suspects = [a for a in arrays if a.verdict == WRONG and np.shape(a.yours) == a.shape]
    if not suspects:
        return
    double = gradients_in_double(subject, upstream, seed)
    known = [a.numerical[np.isfinite(a.numerical)] for a in arrays]
    size = max(np.abs(values).max(initial=0.0) for values in [*known, *upstream])
    for array in suspects:
        numerical = Derivative(array.numerical, np.zeros(array.shape), "", 0)
        zeros = np.zeros(array.shape)
        again = compare(array.name, zeros, double.get(array.name), numerical, TOLERANCES["float64"])
        if again.verdict == RIGHT:
            excuse_single_precision(array, tolerance, size)


def compare(
    name: str, x: np.ndarray, gradient: Any, numerical: Derivative, tolerance: float
) -> ArrayCheck:
    """Compare one returned gradient with the numerical one."""
    if gradient is None:
        return ArrayCheck(
            name,
            x.shape,
            WRONG,
            numerical=numerical.values,
            reason="no gradient was returned for this argument",
        )
    yours = np.asarray(gradient)
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
    finite = yours[known & np.isfinite(yours)]  # a NaN is wrong, and no measure for the others
    scale = max(np.abs(finite).max(initial=0.0), np.abs(numerical.values[known]).max(initial=0.0))
    difference = np.where(known, np.abs(yours - np.where(known, numerical.values, 0)), 0.0)
    difference = np.where(known & ~np.isfinite(yours), np.inf, difference)
    allowed = tolerance * scale + 1e-12
    errors = np.where(known, numerical.errors, 0.0)
    wrong = difference > allowed + 10 * errors
    unclear = known & ~wrong & (10 * errors > allowed) & (difference > allowed)
    check = ArrayCheck(
        name,
        x.shape,
        RIGHT,
        error=float((difference * ~unclear).max(initial=0.0) / scale) if scale else 0.0,
        yours=yours,
        numerical=numerical.values,
        checked=int(known.sum()),
    )
    if difference.size:
        worst = np.unravel_index(int(np.argmax(difference * ~unclear)), x.shape)
        check.worst = tuple(int(i) for i in worst)
    if wrong.any():
        check.verdict = WRONG
        if not np.isfinite(yours[known]).all():
            check.reason = "the gradient holds NaN or infinity"
    elif unclear.any():
        left_out = (
            f"{int(unclear.sum())} of {check.checked} entries were left out: a kink, or too little "
            "precision, within the step of the differences"
        )
        check.reason = left_out
        if unclear.sum() > check.checked / 2:
            check.verdict = UNKNOWN
    return check


def _check_directions(
    check: ArrayCheck,
    f: Callable,
    x: np.ndarray,
    analytic: bool,
    tolerance: float,
    rng: np.random.Generator,
) -> int:
    """Check the entries that were not drawn along random directions; return the evaluations."""
    evaluations = 0
    for _ in range(4):
        v = rng.standard_normal(x.shape)
        v /= np.linalg.norm(v)
        yours = float(np.sum(check.yours * v))
        slope, error = (complex_slope(f, x, v), 0.0) if analytic else (np.nan, 0.0)
        evaluations += analytic
        if not abs(yours - slope) <= tolerance * float(np.linalg.norm(check.yours)):
            slope, error, used = best_central_slope(f, x, v, f(x), 1e-9)
            evaluations += used + 1
        scale = max(float(np.linalg.norm(check.yours)), abs(slope))
        if abs(yours - slope) > tolerance * scale + 10 * error:
            check.verdict = WRONG
            check.error = max(check.error, abs(yours - slope) / scale)
            check.reason = (
                f"the {check.checked} entries that were drawn are right, but along a random "
                f"direction the slope is {slope:.5g} and yours gives {yours:.5g}"
            )
            break
    return evaluations


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
