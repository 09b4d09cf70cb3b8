"""The check: a backward pass against numerical derivatives, and what habits it has.

For outputs y, upstream gradients dy drawn at random turn the function into one number,
f = sum(dy * y), whose gradient with respect to an input is exactly what `backward(dy)` must return.
"""

import copy
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..engine import Case, Layer, Whole, door
from ..errors import OptionError
from ..models.base import Model
from ..ops import find_case
from .diagnosis.doctor import diagnose
from .diagnosis.edits import mends_of_stop
from .report.report import Report
from .report.result import NOT_CHECKED, WRONG, ArrayCheck
from .verdict.compare import (
    TOLERANCES,
    _complex_step_agrees,
    _copies,
    _excuse,
    _in_one_argument,
    _projection,
    check_options,
    check_others,
    compare,
)
from .verdict.conventions.objects import methods_of
from .verdict.directions import own_draw
from .verdict.doubts import confirm, gradients_in_double
from .verdict.frozen import OWN_STREAMS, kept_randomness
from .verdict.functions import StoppedError, from_functions, from_object
from .verdict.habits import run
from .verdict.judge import (
    judge_alone,
    judge_together,
    overlooked,
    relies_on_default,
    with_increments,
)
from .verdict.numerical import numerical_gradient
from .verdict.subject import Subject, from_case, from_layer, from_model


@door
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
    strict: bool = False,
    seed: Whole = 0,
) -> Report:
    """Check a backward pass; say whether it is right, and if not, what is likely wrong.

    Parameters
    ----------
    target : str, Case, module of minivae.ops, Layer, Model, callable, class or object
        What is checked; a string is the name of one of minivae's operations. A callable is
        `forward(...) -> (out, cache)`, or a loss that returns a number, or, without `backward`, a
        function that returns `(loss, gradients)`. A class of one's own, or an object of it, has
        the methods `forward` and `backward`; its parameters are checked too.
    backward : callable, optional
        `backward(dout, cache) -> gradients`, with the cache first, spread, or the arguments again;
        or the gradient function of the loss, which takes the loss's arguments. Gradients are a
        dict by name, a tuple in the order of the arguments, or one array.
    inputs : dict, or sequence of arrays
        Arguments of a function by name, and of a class's constructor; inputs of a layer in order;
        for a model `(x, noise)`. Operations of minivae need none.
    wrt : sequence of str, optional
        Names of the arguments that have a gradient, in the order in which they are returned.
    name : str, optional
        What the report calls it.
    dtype : {"float64", "float32"}
        What the backward pass is run in. The numerical gradient is always float64's.
    tolerance : float, optional
        Largest relative error that passes, below 1; 1e-6 in float64 and 2e-3 in float32.
    max_entries : int
        Entries of one array that are compared one by one, at least 1; of a larger array so many are
        drawn at random. All others are checked along random directions, which miss one wrong entry
        in a million with a probability far below 0.001; see `check.verdict.directions`.
    sizes : dict, optional
        Other axis sizes for one of minivae's operations, see `Case.draw`.
    strict : bool
        Whether a course's conventions are wrong too: a 1/m in each layer, a constant left out.
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
    check_options(tolerance, max_entries)
    rng = np.random.default_rng([seed, OWN_STREAMS])
    params = target.params if isinstance(target, Layer | Model) else None
    kept = None if params is None else (params.theta.copy(), params.grad.copy())
    try:
        try:
            subject = _subject(target, backward, inputs, wrt, name, rng, sizes)
        except StoppedError as stop:
            error = stop.__cause__ or stop
            for mend in mends_of_stop(stop.subject):
                error.add_note(f"minivae: {mend.text}")
            raise error from None
        if strict:
            subject.manners = replace(subject.manners, foreign=False)
        return check_subject(
            subject, rng, dtype=dtype, tolerance=tolerance, max_entries=max_entries, seed=seed
        )
    finally:
        if kept is not None:  # the numerical side moved the parameters about
            params.theta[...], params.grad[...] = kept


@door
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
            x = target.prepare(target.draw_rows(rng, 3))
            inputs = (x, target.draw_noise(rng, len(x)))
        return from_model(target, *inputs)
    if isinstance(target, Layer):
        return from_layer(target, inputs or (), name or repr(target))
    paired = backward is None and methods_of(target) is not None
    if not callable(target) and not paired:
        raise OptionError(
            f"a {type(target).__name__} was given, but what can be checked is an operation, a "
            "layer, a model, a pair of functions, or a loss with its gradient."
        )
    if not isinstance(inputs, dict):
        raise OptionError(
            "inputs by name are needed to check a function, such as inputs={'x': x, 'w': w}."
        )
    if paired:
        kind = target if isinstance(target, type) else type(target)
        return from_object(target, inputs, wrt, name or kind.__name__)
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
    seed: Whole = 0,
) -> Report:
    """Run the check on a subject; see `check_gradients`."""
    dtype = subject.dtype or dtype
    with subject.frozen(seed):
        outputs, _ = subject.forward(_copies(subject.arguments))
    if not all(np.isfinite(y).all() for y in outputs):
        return _without_numbers(subject)
    # A scalar's upstream gradient is another number than 1 wherever backward takes one and uses it.
    ignored = relies_on_default(subject, outputs, _again(subject, seed))
    if ignored:
        subject.manners = replace(subject.manners, upstream=())
    ones = subject.scalar and not subject.manners.upstream
    upstream = [
        np.ones_like(y) if ones else np.asarray(rng.standard_normal(y.shape)) for y in outputs
    ]
    if subject.scalar and not ones:
        upstream = [np.sign(dy) * (1.3 + np.abs(dy)) for dy in upstream]
    if tolerance is None:
        computed = min((y.dtype for y in outputs), key=lambda t: t.itemsize).name
        tolerance = TOLERANCES["float32" if "float32" in (computed, dtype) else "float64"]

    found = run(subject, upstream, dtype, seed)
    subject = with_increments(subject, found)
    function = _projection(subject, upstream, seed)
    analytic = subject.analytic and _complex_step_agrees(subject, function, rng)

    double = gradients_in_double(subject, upstream, seed) if dtype == "float32" else {}
    single = all(y.ndim == 1 for y in outputs)
    arrays, evaluations = [], 0
    for n in subject.vary:
        x, gradient = subject.arguments[n], found.gradients.get(n)
        f = _in_one_argument(function, subject.arguments, n)
        draw, entries = own_draw(rng, gradient, double.get(n)), None
        if x.size > max_entries:
            entries = draw.choice(x.size, max_entries, replace=False)
        numerical = numerical_gradient(f, x, analytic=analytic, entries=entries)
        evaluations += numerical.evaluations
        arrays.append(compare(n, x, gradient, numerical, tolerance, single))
        if arrays[-1].verdict == WRONG:
            evaluations += confirm(numerical, arrays[-1].yours, f, x, tolerance)
            arrays[-1] = compare(n, x, gradient, numerical, tolerance, single)
        if entries is not None:
            arrays[-1], used = check_others(
                arrays[-1], double.get(n), numerical, f, x, tolerance, draw
            )
            evaluations += used
        judge_alone(arrays[-1], f, x, subject)
    if double:
        _excuse(arrays, double, upstream, tolerance)
    judge_together(arrays, subject, upstream, found, _again(subject, seed), tolerance)
    needless = [a for a in arrays if a.silent and a.yours is None]
    arrays = [a for a in arrays if len(needless) == len(arrays) or a not in needless]
    report = Report(
        name=subject.name,
        arrays=[*arrays, *overlooked(subject)],
        habits=[*found.habits, *ignored],
        method="complex step" if analytic else "central differences",
        tolerance=tolerance,
        evaluations=evaluations,
        notes=list(subject.notes),
    )
    # The mistake is looked for at 1, where a loss's gradients are what its formulas say.
    plainly = [np.ones_like(dy) for dy in upstream] if subject.scalar else upstream
    judged = {array.name: array.diagnoses for array in arrays if array.diagnoses}
    try:
        diagnose(report, subject, plainly, seed)
    except Exception as error:  # the verdict stands, whatever becomes of its explanation
        report.crash = crash_line(error)
        report.notes.append(
            "the doctor failed while it looked for the mistake; the verdict stands, and your "
            "instructor, or who maintains the doctor, would like to know"
        )
    for name, diagnoses in judged.items():
        edits = [diagnosis for diagnosis in report[name].diagnoses if diagnosis.line]
        report[name].diagnoses = [*edits, *diagnoses]
    return report


def _without_numbers(subject: Subject) -> Report:
    """The report where forward gives no numbers to compare with."""
    reason = "forward returns NaN or infinity at these inputs; give it others, where it is finite"
    arrays = [
        ArrayCheck(n, subject.arguments[n].shape, NOT_CHECKED, reason=reason) for n in subject.vary
    ]
    return Report(subject.name, arrays, [], "nothing", TOLERANCES["float64"], 1)


def _again(subject: Subject, seed: int) -> Callable[[list[np.ndarray]], dict[str, Any]]:
    """Gradients for other upstream gradients, in float64: rounding is no mistake."""

    def gradients(upstream: list[np.ndarray]) -> dict[str, Any]:
        with subject.frozen(seed):
            _, cache = subject.forward(_copies(subject.arguments))
            upstream = [np.array(dy, float) for dy in upstream]
            return copy.deepcopy(subject.backward(upstream, cache))

    return gradients


def crash_line(error: BaseException) -> str:
    """An exception of the doctor's own, and the line it was raised on."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{where}"
