"""Try the changes in turn, and keep those with which gradients become right.

A change that is kept makes at least one wrong gradient right, leaves the right ones and the output
as they are, and does so at several points. Where one change does not mend all, several that each
mend some do.
"""

import ast
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...verdict.subject import Editor
from ..evidence import Evidence, misfit
from .candidates import Change, Scope, changes

CLOSE = 1e-5
"""Largest relative distance at which a gradient counts as right."""
SECONDS, TRIALS, LAST = 4.0, 700, 60
"""Time for all changes, and how many are tried in any case, on a slow machine too, for up to four
times as long; and how many others that are as likely as the first that was found."""


@dataclass(frozen=True)
class Mend:
    """A change that makes gradients right.

    Attributes
    ----------
    names : frozenset of str
        Which.
    kind : str
        What kind of slip it mends.
    line : int
        Line of the file.
    source, edit : str
        The statement on it, and the same with the change.
    old, new : str
        The expression that was changed, and what it became.
    tier : int
        How unlikely it is.
    function : int
        Which function of the pair; backward is the first.
    """

    names: frozenset[str]
    kind: str
    line: int
    source: str
    edit: str
    old: str
    new: str
    tier: int
    function: int

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Of two that mend the same, the lower one is the likelier."""
        size = abs(len(self.new) - len(self.old))
        return int(self.function == 1), self.tier, size, self.line


class Text:
    """One function of the pair, as a tree that is changed and written again."""

    def __init__(self, index: int, described: dict[str, Any]) -> None:
        self.index, self.first = index, described["line"]
        tree = ast.parse(described["text"])
        self.lines = described["text"].splitlines()
        self.function = tree.body[0]
        scope: Scope = {n: (tuple(s), whole) for n, (s, whole) in described["scope"].items()}
        called = isinstance(self.function, ast.FunctionDef) and bool(described["scope"])
        self.changes = changes(self.function, scope) if called else []

    def with_change(self, change: Change) -> str:
        """The whole text with one change."""
        with change.place.holding(change.new):
            return ast.unparse(ast.fix_missing_locations(self.function))

    def mend(self, change: Change, names: frozenset[str]) -> Mend:
        """Say where a change is, and what it changes."""
        place = change.place
        whole = place.node is place.statement
        with change.place.holding(change.new):
            edit = _first_line(change.new if whole else place.statement)
        written = self.lines[place.line - 1]
        source = written.strip()
        edit = _in_own_words(written, place.node, change.new, edit)
        return Mend(
            names,
            change.kind,
            self.first + place.line - 1,
            source,
            edit,
            _first_line(place.node) if not whole else source,
            _first_line(change.new),
            change.tier,
            self.index,
        )


def _first_line(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).partition("\n")[0]


def _in_own_words(written: str, old: ast.AST, new: ast.AST, edit: str) -> str:
    """The student's own line with nothing but the change, where that says the same as `edit`."""
    start, end = getattr(old, "col_offset", 0), getattr(old, "end_col_offset", None)
    if end is None or getattr(old, "end_lineno", 0) != getattr(old, "lineno", 1):
        return edit
    line = written.encode()
    for left, right in (("", ""), ("(", ")")):
        changed = left + _first_line(new) + right
        tried = (line[:start] + changed.encode() + line[end:]).decode().strip()
        try:
            if ast.dump(ast.parse(tried)) == ast.dump(ast.parse(edit)):
                return tried.partition("#")[0].strip()
        except SyntaxError:
            continue
    return edit


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
    """

    def __init__(self, evidence: Evidence, editor: Editor, wrong: Iterable[str]) -> None:
        self.evidence, self.editor = evidence, editor
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
        trials = sorted(
            ((change, text) for text in texts for change in text.changes),
            key=lambda trial: (trial[0].tier + 2 * (trial[1].index == 1), trial[1].index),
        )
        found: list[Mend] = []
        tier, last = None, len(trials)
        for self.trials, (change, text) in enumerate(trials):
            found_all = tier is not None and (change.tier > tier or self.trials > last)
            if found_all or self._is_late():
                break
            names = self._mended(text, change)
            if names:
                found.append(text.mend(change, names))
                if tier is None and names == self.wrong.keys():
                    tier, last = change.tier, self.trials + LAST
        return _cover(found)

    def _is_late(self) -> bool:
        seconds = time.monotonic() - self.start
        return seconds > (4 * SECONDS if self.trials < TRIALS else SECONDS)

    def _mended(self, text: Text, change: Change) -> frozenset[str]:
        """Names of the gradients that a change makes right, at all points."""
        try:
            changed = text.with_change(change)
        except (ValueError, AttributeError, TypeError):
            return frozenset()
        names = frozenset(self.wrong)
        for i in range(len(self.evidence.probes)):
            names = self._right_at(i, text.index, changed, names) if names else names
        return names

    def _right_at(self, i: int, index: int, text: str, names: frozenset[str]) -> frozenset[str]:
        """Those of the wrong gradients that are right at one point with another text."""
        probe, subject = self.evidence.probes[i], self.evidence.subject
        try:
            with subject.frozen(self.evidence.seed), np.errstate(all="ignore"):
                outputs, found = self.editor.trial(index, text, probe.arguments, probe.upstream)
                found = {n: np.array(g, float) for n, g in found.items() if g is not None}
        except Exception:  # most changes do not run
            return frozenset()
        if subject.truth is None and not _same(probe.outputs, outputs):
            return frozenset()
        for name, kept in self.right.items():
            if not _agree(kept[i], found.get(name)):
                return frozenset()
        return frozenset(n for n in names if _agree(self.wrong[n][i], found.get(n)))


def _agree(expected: np.ndarray, found: np.ndarray | None) -> bool:
    finite = found is not None and np.isfinite(found).all()
    return finite and misfit([expected], [found]) <= CLOSE


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
