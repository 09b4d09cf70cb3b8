"""What a command says, and where: results on standard output, remarks on standard error.

`--quiet` leaves only the names of what was written, `--json` puts one JSON object in the place of
all text. A command says things to `options.voice` and asks no further; `main` ends it.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any


def width(most: int = 96) -> int:
    """Columns that text may have: those of the terminal, but not so many that lines are long."""
    return min(most, shutil.get_terminal_size().columns)


def clean(text: object) -> str:
    """Text without what would control a terminal: names of files and columns may hold it."""
    said = str(text).expandtabs(1)
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in said)


class Voice:
    """Says what a command has to say, as the user wants to hear it, and never controls a terminal.

    Parameters
    ----------
    quiet : bool
        Names of files alone.
    as_json : bool
        One JSON object at the end, and no text.
    """

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet, self.as_json = quiet, as_json
        self.files: list[str] = []
        self.numbers: dict[str, Any] = {}

    @property
    def progress(self) -> bool:
        """Whether progress is shown: to people who look at it."""
        return not self.quiet and sys.stderr is not None and sys.stderr.isatty()

    def say(self, text: str = "", **how: Any) -> None:
        """Say a line of the result to people."""
        if not (self.quiet or self.as_json):
            print(clean(text), **how)

    def note(self, text: str) -> None:
        """Remark on something beside the result."""
        if not self.quiet:
            print(clean(text), file=sys.stderr)

    def wrote(self, *paths: str | Path) -> None:
        """Name what was written."""
        self.files += map(str, paths)
        if not self.as_json:
            for path in paths:
                print(clean(path))

    def tell(self, **numbers: Any) -> None:
        """Add to the JSON object."""
        self.numbers |= numbers

    def end(self) -> None:
        """Print the JSON object, if that is wanted and the command has not printed its own."""
        files = {"files": self.files} if self.files else {}
        told = {**self.numbers, **files}
        if self.as_json and told:
            print(json.dumps(told, indent=2))
