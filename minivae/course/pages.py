"""The tutorials as files of one's own: notebooks, pages and their pictures, copied together."""

import re
import shutil
from pathlib import Path

from ..errors import StateError
from ..files import new_folder, whole_folder

PACKAGE = Path(__file__).parents[1]
PLACES = (Path(__file__).with_name("tutorials"), PACKAGE.parent / "tutorials")
"""Where the tutorials are: within an installed package, or beside that of a checkout."""

KINDS = (".ipynb", ".md", ".png")
UP = re.compile(r"\[([^\]]*)\]\((?:\.\./)+((?:minivae|\.github)/[^)\s]+)\)")
"""A link to what is not among the tutorials."""


def source() -> Path:
    """Folder that the tutorials are in.

    Raises
    ------
    StateError
        If this installation has none.
    """
    for place in PLACES:
        if (place / "README.md").is_file():
            return place
    raise StateError(
        "this installation has no tutorials beside it; install minivae from a wheel or a checkout."
    )


def copy(folder: str | Path) -> list[Path]:
    """Copy notebooks, pages and pictures into a new folder, whole or not at all.

    Links to the package's own files lead to where it is installed.

    Returns
    -------
    list of Path
        The notebooks.

    Raises
    ------
    OptionError
        If the folder exists.
    """
    start, folder = source(), new_folder(folder, option="FOLDER")
    with whole_folder(folder) as new:
        for path in sorted(start.rglob("*")):
            place = path.relative_to(start)
            if path.suffix not in KINDS or any(part.startswith(".") for part in place.parts):
                continue
            target = new / place
            target.parent.mkdir(exist_ok=True)
            if path.suffix == ".md":
                target.write_text(linked(path.read_text(encoding="utf-8")), encoding="utf-8")
            else:
                shutil.copyfile(path, target)
    return sorted(folder.glob("*.ipynb"))


def linked(text: str) -> str:
    """A page whose links to files of the package lead to them; of other links up the words stay."""

    def link(match: re.Match) -> str:
        words, path = match[1], PACKAGE.parent / match[2]
        return f"[{words}]({path.as_uri()})" if path.is_file() else words

    return UP.sub(link, text)
