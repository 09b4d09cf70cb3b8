"""A known operation that was found in a function: its arrays there, and what it predicts."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..evidence import Probe
from .known import Gradient, Known, Values


@dataclass
class Match:
    """A known operation found in a function.

    Attributes
    ----------
    known : Known
        The operation.
    names : dict of str to str
        Role -> what the argument is called; noise that the function draws itself has no name.
    options : dict
        Options with which the values agree.
    factors : list of float
        What each value of the operation is multiplied by in the function.
    summed : list of tuple of int
        Axes of each value that the function sums over.
    draw : int, optional
        Which of the arrays that the function drew is the noise.
    """

    known: Known
    names: dict[str, str]
    options: dict[str, Any]
    factors: list[float]
    summed: list[tuple[int, ...]]
    draw: int | None
    extra: dict[str, np.ndarray]
    kept: dict[int, tuple[Values, Any]] = field(default_factory=dict)

    def at(self, probe: Probe) -> tuple[Values, Any]:
        """Arrays and options of the operation, and the upstream gradient of its value or values."""
        if id(probe) not in self.kept:
            v = self._values(probe)
            self.kept[id(probe)] = v, self._upstream(probe, v)
        return self.kept[id(probe)]

    def _values(self, probe: Probe) -> Values:
        return values_of(
            self.known,
            self.names,
            self.options,
            probe.arguments,
            self.extra,
            probe.draws,
            self.draw,
            probe.outputs[0],
        )

    def _upstream(self, probe: Probe, v: Values) -> Any:
        value = self.known.forward(v)
        dys = [
            factor * _spread(probe.upstream[0], term.shape, axes)
            for factor, term, axes in zip(self.factors, terms(value), self.summed, strict=True)
        ]
        return tuple(dys) if isinstance(value, tuple) else dys[0]

    def predict(self, gradient: Gradient, probe: Probe) -> np.ndarray | None:
        """What a gradient of the operation is for the function; None if shapes forbid it."""
        try:
            with np.errstate(all="ignore"):
                v, dy = self.at(probe)
                return np.array(gradient(dy, v), float)
        except (ValueError, IndexError, TypeError, AttributeError, ZeroDivisionError):
            return None

    def words(self, text: str, upstream: bool, scalar: bool, term: int = 0) -> str:
        """A text of the library with the function's own names.

        With an `upstream` gradient, which is called dout until the report is written.
        """
        factor = self.factors[term]
        parts = ["dout"] if upstream else []
        if self.summed[term] and upstream and not scalar:
            parts[0] = "dout[:, None]" if len(self.summed[term]) == 1 else "dout"
        if abs(factor - 1) > 1e-9:
            parts.append(_number(factor))
        g = " * ".join(parts) or "1"
        names = {role: self.names.get(role, role) for role in self.known.roles}
        names |= {option: option for option in self.known.options}
        text = text.replace("{g} * ", "" if g == "1" else g + " * ")
        return text.format_map({**names, "g": f"({g})" if " " in g else g})


def _number(value: float) -> str:
    for denominator in range(1, 1001):
        top = value * denominator
        if abs(top - round(top)) < 1e-7 * max(abs(top), 1) and abs(round(top)) <= 12:
            return f"{round(top)}" if denominator == 1 else f"({round(top)}/{denominator})"
    return f"{value:.4g}"


def terms(value: Any) -> list[np.ndarray]:
    """Values of an operation as a list, also where there is one."""
    return [np.asarray(t) for t in (value if isinstance(value, tuple) else (value,))]


def values_of(
    known: Known,
    names: dict[str, str],
    options: dict[str, Any],
    arguments: dict[str, np.ndarray],
    extra: dict[str, np.ndarray],
    draws: list[np.ndarray],
    draw: int | None,
    output: np.ndarray,
) -> Values:
    """Arrays under the names of the roles, with the options."""
    v = Values(**options)
    for role in known.roles:
        name = names.get(role)
        if name is not None:
            setattr(v, role, arguments[name] if name in arguments else extra[name])
        elif role == "mask":
            v.mask = 1.0 * (output != 0)
        elif draw is not None and draw < len(draws):
            setattr(v, role, draws[draw])
    return v


def _spread(dout: np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    """The upstream gradient of a sum over axes, spread over them."""
    kept = [1 if i in axes else size for i, size in enumerate(shape)]
    return np.broadcast_to(np.reshape(dout, kept), shape).copy()


def reductions(shape: tuple[int, ...], out: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Axes that can be summed over to get from one shape to another; the last ones first."""
    found = []
    for n in range(len(shape) + 1):
        for axes in itertools.combinations(range(len(shape)), n):
            plain = tuple(s for i, s in enumerate(shape) if i not in axes)
            kept = tuple(1 if i in axes else s for i, s in enumerate(shape))
            if out in (plain, kept) or (not plain and int(np.prod(out)) == 1):
                found.append(axes)
    return sorted(found, key=lambda axes: (len(axes), [-a for a in axes]))
