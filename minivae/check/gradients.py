"""The check: a backward pass against numerical derivatives, and against its contract.

For outputs y, upstream gradients dy drawn at random turn the function into one number,
f = sum(dy * y), whose gradient with respect to an input is exactly what `backward(dy)` must return.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ..engine.case import Case
from ..engine.layer import Layer
from ..errors import OptionError
from ..models.base import Model
from ..ops import find_case
from .diagnosis.doctor import diagnose
from .report.report import Report
from .report.result import RIGHT, WRONG
from .verdict.compare import (
    TOLERANCES,
    _check_directions,
    _complex_step_agrees,
    _copies,
    _excuse,
    _in_one_argument,
    _projection,
    compare,
)
from .verdict.conventions.objects import methods_of
from .verdict.doubts import confirm
from .verdict.frozen import OWN_STREAMS, kept_randomness
from .verdict.functions import from_functions, from_object
from .verdict.habits import gradients_and_habits
from .verdict.numerical import numerical_gradient
from .verdict.subject import Subject, from_case, from_layer, from_model


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

    gradients, habits = gradients_and_habits(subject, upstream, dtype, seed)
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
        habits=habits,
        method="complex step" if analytic else "central differences",
        tolerance=tolerance,
        evaluations=evaluations,
        notes=list(subject.notes),
    )
    diagnose(report, subject, upstream, seed)
    return report
