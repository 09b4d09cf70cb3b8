"""Recognise a function by its values: which known operation is it, and which argument is which."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...verdict.conventions import names as table
from ..evidence import Evidence
from .known import Known, bind_axes
from .match import Match, reductions, terms, values_of

MAX_ASSIGNMENTS = 12


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
        v = values_of(known, names, {}, arguments, extra, draws, draw, output)
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
                v = values_of(known, names, options, arguments, extra, draws, draw, output)
                table.append(terms(known.forward(v)))
                if not all(np.isfinite(term).all() for term in table[-1]):
                    return None
    except (ValueError, IndexError, TypeError, AttributeError, ZeroDivisionError):
        return None
    out = points[0][1].shape
    choices = [reductions(term.shape, out) for term in table[0]]
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
