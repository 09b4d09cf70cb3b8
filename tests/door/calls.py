"""Absurd calls: one absurd argument among valid ones, or nothing but absurd ones."""

import contextlib
import inspect
import io
import random
import signal
import traceback
import typing
import warnings
from collections import abc
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minivae.errors import MinivaeError

from .absurd import absurd, means_nothing, plain
from .public import names
from .valid import arguments, instance

INSIDE = {
    **dict.fromkeys(
        [
            f"minivae.train.optim.{name}.update"
            for name in ("optimizer.Optimizer", "sgd.SGD", "momentum.Momentum", "adam.Adam")
        ],
        "called by `step`, which has looked",
    ),
    "minivae.uses.estimator.estimator.VAEEstimator": "keeps what it is given; `fit` looks at it",
    "minivae.uses.estimator.estimator.VAEEstimator.get_params": "asked by scikit-learn",
    "minivae.engine.backend.Backend.call": "what layers call, after they have looked",
}


OF_MODELS = {
    "also": "asked by an evaluation",
    "check_run": "asked by the command",
    "held_out_loss": "asked by the training loop",
    "to_places": "asked by a model's constructor",
    "from_places": "asked by a model's constructor",
}
"""What no user of a model or network calls, and who does."""


class Slow(BaseException):
    """A call that took too long: a size that should have been refused."""


def targets(rooms=()):
    """(name, callable, arguments) for each public function, constructor and method."""
    for name, value in names().items():
        if rooms and not any(name.startswith(f"minivae.{room}") for room in rooms):
            continue
        if inspect.isfunction(value):
            yield name, value, arguments(value)
            continue
        if issubclass(value, Exception):
            continue
        if inspect.isfunction(value.__init__) and name not in INSIDE:
            yield name, value, arguments(value.__init__, ("self",))
        made = None
        for method_name, method in inspect.getmembers(value, callable):
            own = method_name in vars(value)
            if (method_name[0] == "_" and method_name != "__call__") or not own:
                continue
            if method_name in OF_MODELS:
                continue
            kept = vars(value)[method_name]
            if f"{name}.{method_name}" in INSIDE:
                continue
            if isinstance(kept, classmethod):
                yield f"{name}.{method_name}", method, arguments(kept.__func__, ("cls",))
            elif isinstance(kept, staticmethod):
                yield f"{name}.{method_name}", method, arguments(kept.__func__)
            elif inspect.isfunction(kept):
                made = made or instance(value)
                if made is not None and f"{name}.{method_name}" not in INSIDE:
                    bound = getattr(made, method_name)
                    yield f"{name}.{method_name}", bound, arguments(kept, ("self",))


def sweep(found, folder):
    """(keyword arguments, which of them is absurd and by which name) for each single absurd one."""
    values = absurd(folder)
    for name, (parameter, hint, _) in found.items():
        for label, make in values.items():
            yield name, label, hint, parameter, make


def outcome(call, positional, keywords, seconds=3):
    """Call; return ("ok" | "refused" | "foreign" | "slow", error)."""

    def ring(*_):
        raise Slow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            with np.errstate(all="ignore"):
                call(*positional, **keywords)
    except MinivaeError as error:
        return "refused", error
    except AssertionError as error:
        return (
            ("refused", error)
            if getattr(call, "__name__", "") == "assert_gradients"
            else ("foreign", error)
        )
    except Slow:
        return "slow", None
    except Exception as error:
        return "foreign", error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return "ok", None


def one(call, found, name, make):
    """Try one absurd argument among valid ones; return the outcome and the value's twin."""
    positional, keywords = [], {}
    twin = make()
    for other, (parameter, _, valid) in found.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            if other == name:
                positional.append(make())
        elif parameter.kind is parameter.VAR_KEYWORD:
            if other == name:
                keywords["no_such_option"] = make()
        elif other == name:
            value = make()
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(value)
            else:
                keywords[other] = value
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(valid())
        else:
            keywords[other] = valid()
    if positional:  # what comes before `*rest` must be given by place too
        lead = [o for o, (p, *_) in found.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
        positional = [keywords.pop(o) for o in lead] + positional
    return (*outcome(call, positional, keywords), twin)


@dataclass
class Attempt:
    """One absurd call."""

    target: str
    name: str
    label: str
    result: str
    error: BaseException | None

    @property
    def said(self):
        """Result, and error with its place."""
        if self.error is None:
            return self.result
        frames = traceback.extract_tb(self.error.__traceback__)[-1:-4:-1]
        place = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
        return f"{self.result}: {type(self.error).__name__} {str(self.error)[:80]!r} {place}"


HUGE = {"10**9", "10**30", "10**400"}
LONG = {"seed", "epochs", "rows", "sizes", "budget", "out", "path", "folder"}
"""Parameters by which a call may take long and mean it: what runs into the limit is no failure."""


def bases(hint):
    """What an annotation, or each part of a union, is without what is in brackets."""
    parts = (hint, *typing.get_args(hint))
    return [typing.get_origin(plain(part)) or plain(part) for part in parts]


def attempts(rooms, folder, share=1.0, chance=None):
    """Try absurd values in all places of public names in some rooms, or a share of them."""
    chance = chance or random.Random(0)
    for target, call, found in targets(rooms):
        for name, label, hint, parameter, make in sweep(found, folder):
            if chance.random() >= share or (make() is None and parameter.default is None):
                continue
            if abc.Callable in bases(hint) and label in ("class", "lambda"):
                continue  # a function of the user's may raise what it likes
            result, error, twin = one(call, found, name, make)
            if result == "ok" and means_nothing(hint, twin):
                result = "silent"
            if result == "slow" and name in LONG:
                result = "long"
            yield Attempt(target, name, label, result, error)
