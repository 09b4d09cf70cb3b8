"""What the reader shows: the modules with numbered equations, each with its gradient checks."""

import ast
import importlib
from dataclasses import dataclass
from pathlib import Path

from ...check import Report, check_all, check_gradients
from ...engine.door import door
from ...engine.kinds import Whole
from ...errors import DerivationError
from .. import derivations


@door
@dataclass(frozen=True)
class Chapter:
    """A module of the package as the reader shows it.

    Attributes
    ----------
    name : str
        Full name of the module.
    docstring, source : str
        Its derivation and its code.
    code_from : int
        The line after the docstring, counted from 1.
    reports : list of Report
        The gradient checks of its operations, as they came out just now.
    """

    name: str
    docstring: str
    source: str
    code_from: int
    reports: list[Report]

    @property
    def page(self) -> str:
        """Name of its file."""
        return f"{self.name.removeprefix('minivae.')}.html"

    @property
    def path(self) -> str:
        """Path of the module's file, from the repository's root."""
        return f"{self.name.replace('.', '/')}.py"

    @property
    def citations(self) -> dict[int, list[int]]:
        """Line of code -> equations that it cites."""
        return derivations.citations(self.source)

    @property
    def lines_of(self) -> dict[int, list[int]]:
        """Equation -> lines of code that cite it."""
        found: dict[int, list[int]] = {n: [] for n in derivations.equations(self.docstring)}
        for line, numbers in self.citations.items():
            for n in numbers:
                found[n].append(line)
        return found


@door
def chapter(path: Path, name: str, reports: list[Report]) -> Chapter:
    """Read a module's file.

    Raises
    ------
    DerivationError
        If its equations and the lines that cite them do not belong together.
    """
    if not path.is_file():
        raise DerivationError(f"{path} is no file that is there; give a module's.")
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    docstring = ast.get_docstring(tree) or ""
    wrong = derivations.breaches(docstring, source)
    if wrong:
        raise DerivationError(f"{name.replace('.', '/')}.py: {'; '.join(wrong)}.")
    return Chapter(name, docstring, source, tree.body[0].end_lineno + 1, reports)


@door
def chapters(seed: Whole = 0) -> tuple[list[Chapter], list[Report]]:
    """Read all modules with numbered equations, and check the gradients of their operations.

    Returns
    -------
    chapters : list of Chapter
        Operations first.
    others : list of Report
        Checks that belong to no chapter: those of whole models.
    """
    reports = {report.name: report for report in check_all(seed)}
    found = []
    for name in derivations.modules():
        module = importlib.import_module(name)
        own = [
            reports.pop(case.name, None) or check_gradients(case, seed=seed)
            for case in getattr(module, "CASES", [])
        ]
        found.append(chapter(Path(module.__file__), name, own))
    return found, list(reports.values())
