"""Try the changes in turn, and keep those with which gradients become right.

A change that is kept makes at least one wrong gradient right, leaves the right ones and the output
as they are, and does so at several points. Where one change does not mend all, several that each
mend some do.
"""

import ast
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...verdict.subject import Editor
from ..evidence import Evidence, fitted, misfit
from .candidates import Change, changes
from .missing import Scope, Shape
from .source import Place, Source, Unit

CLOSE = 1e-5
"""Largest relative distance at which a gradient counts as right."""
SECONDS, TRIALS, LAST = 4.0, 700, 60
"""Time for all changes, and how many are tried in any case, on a slow machine too, for up to four
times as long; and how many others that are as likely as the first that was found."""
NUDGE = "({}) * 1.37 + 0.29"
"""What a unit becomes, to see which gradients depend on it."""


@dataclass(frozen=True)
class Mend:
    """A change that makes gradients right.

    Attributes
    ----------
    names : frozenset of str
        Which.
    kind : str
        What kind of slip it mends.
    line, cell : int
        Line of the file, or of the cell of a notebook; the cell is 0 where there is none.
    source, edit : str
        What stands on it, and the same with the change.
    rank : tuple
        Of two that mend the same, the lower one is the likelier.
    raised : bool
        Whether backward raised before.
    """

    names: frozenset[str]
    kind: str
    line: int
    source: str
    edit: str
    rank: tuple[int, ...]
    cell: int = 0
    raised: bool = False


class Text:
    """One function of the pair, backward first, and its places by unit."""

    def __init__(self, index: int, described: dict[str, Any]) -> None:
        self.end = described.get("end", 0)
        self.index, self.first, self.cell = index, described["line"], described.get("cell", 0)
        self.source = Source(described["text"])
        self.scope: Scope = {n: (tuple(s), whole) for n, (s, whole) in described["scope"].items()}
        self.units: dict[Unit | None, list[Place]] = {}
        for place in self.source.places if self.scope else []:
            line = self.first + place.node.lineno - 1  # type: ignore[attr-defined]
            if self.end and line > self.end and not self.source.loops:
                break  # it had raised before
            self.units.setdefault(place.unit, []).append(place)

    def mend(self, change: Change, names: frozenset[str]) -> Mend:
        """Say where a change is, and what it changes."""
        node = change.place.node
        source, edit = self.source.shown(change.place, change.new)
        size = abs(len(edit) - len(source))
        line = self.first + node.lineno - 1  # type: ignore[attr-defined]
        rank = (int(self.index == 1), change.tier, size, line)
        return Mend(names, change.kind, line, source, edit, rank, self.cell, bool(self.end))


class Search:
    """The search of one pair.

    Parameters
    ----------
    evidence : Evidence
        Its probes are the points.
    editor : Editor
        Changes the functions.
    wrong : iterable of str
        Names of the wrong gradients.
    raised : bool
        Whether backward raises, so that nobody knows which gradients it has.
    """

    def __init__(
        self, evidence: Evidence, editor: Editor, wrong: Iterable[str], raised: bool = False
    ) -> None:
        self.evidence, self.editor, self.raised = evidence, editor, raised
        wrong = list(wrong)
        right = {n for n in evidence.subject.vary if n not in set(wrong)}
        self.wrong = {n: evidence.true(n) for n in wrong}
        self.right = {
            n: evidence.yours(n)
            for n in right
            if all(n in probe.gradients for probe in evidence.probes)
        }
        self.start, self.trials = time.monotonic(), 0

    def run(self) -> list[Mend]:
        """Changes that together make right what can be made right; the likeliest of each kind."""
        upstream = self.evidence.probes[0].upstream
        texts = []
        for index, described in enumerate(self.editor.functions(upstream)):
            try:
                texts.append(Text(index, described))
            except (SyntaxError, ValueError, IndexError):
                continue
        for text in texts[:1]:  # what is right here as it stands has nothing to be mended
            for name in self._mended(text, []):
                del self.wrong[name]
        if not self.wrong:
            return []
        found: list[Mend] = []
        limit, last = None, np.inf
        for tier, change, text in self._in_order(texts):
            found_all = limit is not None and (tier > limit or self.trials > last)
            if found_all or self._is_late():
                break
            names = self._mended(text, [change])
            if names:
                found.append(text.mend(change, names))
                if limit is None and (self.raised or names == self.wrong.keys()):
                    limit, last = tier, self.trials + LAST
        return _cover(found)

    def _in_order(self, texts: list[Text]) -> Iterator[tuple[int, Change, Text]]:
        """The changes of what matters, with their tiers; the likeliest first."""
        found = []
        for text in texts:
            places: dict[Place, Shape | None] = {}
            later: dict[Unit | None, int] = {}
            for unit, some in text.units.items():
                late, shape = self._lateness(text, unit)
                if late is not None:
                    later[unit] = late
                    places |= dict.fromkeys(some, shape)
            found += [
                (change.tier + later[change.place.unit], change, text)
                for change in changes(text.source, places, text.scope)
                if not (self.raised and _leaves_out(change))
            ]
        return iter(sorted(found, key=lambda trial: (trial[0], trial[2].index)))

    def _lateness(self, text: Text, unit: Unit | None) -> tuple[int | None, Shape | None]:
        """How much later than others the changes of a unit are tried; None is never.

        What depends on it tells, and if that is one gradient of a return statement, its shape too.
        """
        later = 2 * (text.index == 1)
        if self.raised:
            last = unit is not None and text.first + unit.node.lineno - 1 == text.end
            return later + (not last), None
        if unit is None or self._is_late():
            return later, None
        nudged = NUDGE.format(text.source.of(unit.node))
        found = self._tried(0, text.index, text.source.changed([(unit.node, nudged)]))
        if found is None:
            return later, None
        outputs, gradients = found
        probe = self.evidence.probes[0]
        if self.evidence.subject.truth is None and not _same(probe.outputs, outputs):
            return None, None
        moved = {n for n, g in gradients.items() if not _agree(probe.gradients.get(n), g)}
        if not moved & self.wrong.keys():
            return None, None
        shape = probe.arguments[min(moved)].shape if len(moved) == 1 and unit.returned else None
        missed, spoilt = self.wrong.keys() - moved, moved & self.right.keys()
        return later + bool(missed) + 2 * bool(spoilt), shape

    def _is_late(self) -> bool:
        seconds = time.monotonic() - self.start
        return seconds > (4 * SECONDS if self.trials < TRIALS else SECONDS)

    def _mended(self, text: Text, some: list[Change]) -> frozenset[str]:
        """Names of the gradients that changes make right, at all points."""
        self.trials += 1
        changed = text.source.changed([(change.place.node, change.new) for change in some])
        names = frozenset(self.wrong)
        for i in range(len(self.evidence.probes)):
            names = self._right_at(i, text.index, changed, names) if names else names
        return names

    def _tried(
        self, i: int, index: int, text: str
    ) -> tuple[list[np.ndarray], dict[str, np.ndarray]] | None:
        """Outputs and gradients at one point with another text; None if it does not run."""
        probe, subject = self.evidence.probes[i], self.evidence.subject
        try:
            with subject.frozen(self.evidence.seed), np.errstate(all="ignore"):
                outputs, found = self.editor.trial(index, text, probe.arguments, probe.upstream)
                return outputs, fitted(found, probe.arguments)
        except Exception:  # most changes do not run
            return None

    def _right_at(self, i: int, index: int, text: str, names: frozenset[str]) -> frozenset[str]:
        """Those of the wrong gradients that are right at one point with another text."""
        tried = self._tried(i, index, text)
        if tried is None:
            return frozenset()
        outputs, found = tried
        if self.evidence.subject.truth is None and not _same(
            self.evidence.probes[i].outputs, outputs
        ):
            return frozenset()
        for name, kept in self.right.items():
            if not _agree(kept[i], found.get(name)):
                return frozenset()
        agree = frozenset(n for n in names if _agree(self.wrong[n][i], found.get(n)))
        return agree if not self.raised or agree == found.keys() else frozenset()


def _leaves_out(change: Change) -> bool:
    """Whether a change leaves out what may have raised, or does not come to it, or to its like."""
    node = change.place.node
    literal = isinstance(node, ast.BinOp) and ast.Constant in (type(node.left), type(node.right))
    too_much = change.kind.endswith("too_much") and not literal  # a literal raises nothing
    return isinstance(change.place.statement, ast.If) or change.place.is_statement or too_much


def _agree(expected: np.ndarray | None, found: np.ndarray | None) -> bool:
    if expected is None or found is None or not np.isfinite(found).all():
        return False
    return misfit([expected], [found]) <= CLOSE


def _same(before: list[np.ndarray], now: list[np.ndarray]) -> bool:
    return len(before) == len(now) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12)
        for a, b in zip(before, now, strict=True)
    )


def _cover(found: list[Mend]) -> list[Mend]:
    """The likeliest change that mends most, then those that mend what is left."""
    chosen: list[Mend] = []
    left = frozenset().union(*(mend.names for mend in found)) if found else frozenset()
    while left:
        best = min(found, key=lambda mend: (-len(mend.names & left), *mend.rank))
        chosen.append(best)
        left -= best.names
    return chosen
