"""The reader: pages with every derivation beside the code that it derives.

`build(folder)` writes one page for each module with numbered equations, an index, and what the
pages need to open from the disk without a network. No derivation is written here: the pages show
what stands in the modules.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from ...check import Report
from ...check.report.style import colours
from ...engine.door import door
from ...engine.kinds import Whole
from ...errors import DerivationError
from .. import typeset
from . import folder, pages
from .chapters import Chapter, chapter, chapters

__all__ = ["Chapter", "build", "chapter", "chapters"]

STATIC = Path(__file__).parent / "static"

LIGHT = {"k": "#8a2f8f", "s": "#3f6b2a", "n": "#a3470b", "c": "#77746b", "f": "#1b5ea8"}
DARK = {"k": "#dba0e6", "s": "#a5d08a", "n": "#f0a878", "c": "#94917f", "f": "#8cbcff"}
"""Colours of code, beside those of all pages: keywords, strings, numbers, comments, functions."""


@door
def build(
    out: str | Path, seed: Whole = 0, progress: Callable[[list], object] = iter
) -> tuple[Path, list[Report]]:
    """Write the pages.

    Parameters
    ----------
    out : str or Path
        The folder: new, empty, or one that this function made, which is replaced as a whole.
    seed : int
        Of the gradient checks.
    progress : callable
        Wraps the list of chapters while it is worked through, as `tqdm` does.

    Returns
    -------
    index : Path
        The page to begin with.
    failed : list of Report
        Gradient checks that did not pass; the pages show them.

    Raises
    ------
    DerivationError
        If a formula is broken, or equations and citations do not belong together. Nothing is
        written then.
    OptionError
        If a package is missing, or `out` holds other files.
    """
    out = Path(out).expanduser().absolute()
    typeset.html("x")  # says what to install before the work begins
    reports: list[Report] = []

    def fill(new: Path) -> None:
        found, others = chapters(seed)
        for one in progress(found):
            try:
                content = pages.page(one, found)
            except DerivationError as error:
                raise DerivationError(f"{one.path}: {error}") from None
            (new / one.page).write_text(content, encoding="utf-8")
        (new / "index.html").write_text(pages.index(found, others), encoding="utf-8")
        style = (STATIC / "reader.css").read_text(encoding="utf-8")
        (new / "reader.css").write_text(colours(":root", LIGHT, DARK) + style, encoding="utf-8")
        shutil.copyfile(STATIC / "reader.js", new / "reader.js")
        unneeded = shutil.ignore_patterns("*.js", "*.md")
        shutil.copytree(typeset.KATEX, new / "katex", ignore=unneeded)
        reports.extend([report for one in found for report in one.reports] + others)

    folder.write(out, fill)
    return out / "index.html", [report for report in reports if not report.passed]
