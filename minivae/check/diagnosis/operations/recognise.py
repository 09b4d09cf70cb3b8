"""Recognise a function by its values: which known operation is it, and which argument is which."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...verdict.conventions import names as table
from ..evidence import Evidence, Probe
from .known import Gradient, Known, Values, bind_axes

MAX_ASSIGNMENTS = 12
DRAW = "\0draw"


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
        return _values(
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
            for factor, term, axes in zip(self.factors, _terms(value), self.summed, strict=True)
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

    def words(self, text: str, scalar: bool, term: int = 0) -> str:
        """A text of the library with the function's own names."""
        factor = self.factors[term]
        parts = [] if scalar else ["dout"]
        if self.summed[term] and not scalar:
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


def _terms(value: Any) -> list[np.ndarray]:
    return [np.asarray(t) for t in (value if isinstance(value, tuple) else (value,))]


def _values(
    known: Known,
    names: dict[str, str],
    options: dict[str, Any],
    arguments: dict[str, np.ndarray],
    extra: dict[str, np.ndarray],
    draws: list[np.ndarray],
    draw: int | None,
    output: np.ndarray,
) -> Values:
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


def _reductions(shape: tuple[int, ...], out: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Axes that can be summed over to get from one shape to another; the last ones first."""
    found = []
    for n in range(len(shape) + 1):
        for axes in itertools.combinations(range(len(shape)), n):
            plain = tuple(s for i, s in enumerate(shape) if i not in axes)
            kept = tuple(1 if i in axes else s for i, s in enumerate(shape))
            if out in (plain, kept) or (not plain and int(np.prod(out)) == 1):
                found.append(axes)
    return sorted(found, key=lambda axes: (len(axes), [-a for a in axes]))


def find_matches(known_operations: list[Known], evidence: Evidence) -> list[Match]:
    """All known operations whose values agree with the function's."""
    if not evidence.probes or len(evidence.probes[0].outputs) != 1:
        return []
    matches: list[Match] = []
    for known in known_operations:
        if known.special_of and any(m.known.name == known.special_of for m in matches):
            continue
        match = _match(known, evidence)
        if match is not None:
            matches.append(match)
    return matches or vae_matches(evidence)


def vae_matches(evidence: Evidence) -> list[Match]:
    """The function as a whole VAE, from data and weights to the loss, if it is one."""
    from ..catalogue.vae import vae_candidates

    options = _flat_options(evidence.subject.options)
    extra = {n: np.asarray(v) for n, v in options.items() if isinstance(v, np.ndarray)}
    probe = evidence.probes[0]
    for known, draw in vae_candidates({**extra, **probe.arguments}, probe.draws):
        names = {role: role for role in known.roles if role != known.hidden}
        fitted = _fit(known, names, {}, evidence, extra, draw)
        if fitted is not None:
            return [Match(known, names, {}, *fitted, draw, extra)]
    return []


def _match(known: Known, evidence: Evidence) -> Match | None:
    subject = evidence.subject
    numbers = _flat_options(subject.options)
    extra = {n: np.asarray(v) for n, v in numbers.items() if isinstance(v, np.ndarray)}
    shapes = {n: x.shape for n, x in {**evidence.probes[0].arguments, **extra}.items()}
    if len(subject.vary) > len(known.roles):
        return None
    draws = evidence.probes[0].draws
    for names in _assignments(known, shapes, subject.vary, bool(draws)):
        missing = [role for role in known.roles if role not in names]
        choices: list[int | None] = [None]
        if missing and missing != ["mask"]:
            like = shapes[next(iter(names.values()))]
            choices = [i for i, d in enumerate(draws) if d.shape == like]
        for draw in choices:
            for options in _option_choices(known, numbers, evidence, names, extra, draw):
                fitted = _fit(known, names, options, evidence, extra, draw)
                if fitted is not None:
                    return Match(known, names, options, *fitted, draw, extra)
    return None


def _flat_options(options: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, dict):
            flat |= _flat_options(value)
        else:
            flat[name] = value
    return flat


def _assignments(
    known: Known, shapes: dict[str, tuple[int, ...]], vary: tuple[str, ...], drawn: bool
) -> list[dict[str, str]]:
    """Ways to give arguments to roles that fit in shape, those that fit in name first."""
    hidden = known.hidden if drawn or known.hidden == "mask" else ""
    required = [role for role in known.roles if role != hidden]
    found: list[tuple[int, dict[str, str]]] = []

    def extend(chosen: dict[str, str], roles: list[str]) -> None:
        if len(found) >= 200:
            return
        if not roles:
            if all(
                any(n == name and role in known.gradients for role, n in chosen.items())
                for name in vary
            ):
                found.append((sum(table.rank(r, n) for r, n in chosen.items()), dict(chosen)))
            return
        role, rest = roles[0], roles[1:]
        free = [n for n in shapes if n not in chosen.values()]
        for name in sorted(free, key=lambda n: table.rank(role, n)):
            chosen[role] = name
            part = {r: known.roles[r] for r in chosen}
            if bind_axes(part, {r: shapes[n] for r, n in chosen.items()}) is not None:
                extend(chosen, rest)
            del chosen[role]

    extend({}, required)
    if hidden:
        extend({}, list(known.roles))
    found.sort(key=lambda pair: (len(known.roles) - len(pair[1]), pair[0]))
    return [names for _, names in found[:MAX_ASSIGNMENTS]]


def _option_choices(
    known: Known,
    numbers: dict[str, Any],
    evidence: Evidence,
    names: dict[str, str],
    extra: dict[str, np.ndarray],
    draw: int | None,
) -> Iterator[dict[str, Any]]:
    """Options passed by name, found from the values, or to be tried."""
    if not known.options:
        yield {}
        return
    tried: dict[str, tuple] = {}
    given = {
        n: float(v) if not isinstance(v, int) else v
        for n, v in numbers.items()
        if isinstance(v, int | float | np.number) and not isinstance(v, bool)
    }
    free = {n: v for n, v in given.items() if n not in names.values()}
    for option, values in known.options.items():
        ranked = sorted(free, key=lambda n: table.rank(option, n))
        passed = [free[n] for n in ranked if table.rank(option, n) < 2]
        tried[option] = tuple(passed[:1]) or (*free.values(), *evidence.constants, *values)
    if known.guess is not None:
        arguments, output, draws = evidence.points()[0]
        v = _values(known, names, {}, arguments, extra, draws, draw, output)
        try:
            with np.errstate(all="ignore"):
                guessed = known.guess(v, output)
        except (ValueError, IndexError, AttributeError, TypeError):
            guessed = {}
        yield {**{option: values[0] for option, values in known.options.items()}, **guessed}
    for combination in itertools.islice(itertools.product(*tried.values()), 150):
        yield dict(zip(tried, combination, strict=True))


def _fit(
    known: Known,
    names: dict[str, str],
    options: dict[str, Any],
    evidence: Evidence,
    extra: dict[str, np.ndarray],
    draw: int | None,
) -> tuple[list[float], list[tuple[int, ...]]] | None:
    """Factors and sums with which the known values give the function's, up to a constant."""
    points = evidence.points()
    table: list[list[np.ndarray]] = []
    try:
        with np.errstate(all="ignore"):
            for arguments, output, draws in points:
                v = _values(known, names, options, arguments, extra, draws, draw, output)
                table.append(_terms(known.forward(v)))
                if not all(np.isfinite(term).all() for term in table[-1]):
                    return None
    except (ValueError, IndexError, TypeError, AttributeError, ZeroDivisionError):
        return None
    out = points[0][1].shape
    choices = [_reductions(term.shape, out) for term in table[0]]
    target = np.concatenate([output.ravel() for _, output, _ in points])
    spread = float(np.abs(target - target.mean()).max())
    if not spread or not all(choices):
        return None
    for axes in itertools.islice(itertools.product(*choices), 8):
        columns = [
            np.concatenate([row[i].sum(axis=a).ravel() for row in table])
            for i, a in enumerate(axes)
        ]
        matrix = np.stack([*columns, np.ones_like(target)], axis=1)
        if len(target) < matrix.shape[1] + 3:
            return None
        factors = np.linalg.lstsq(matrix, target, rcond=None)[0]
        if (
            np.abs(matrix @ factors - target).max() < 1e-7 * spread
            and (np.abs(factors[:-1]) > 1e-9).all()
        ):
            return [float(f) for f in factors[:-1]], list(axes)
    return None
