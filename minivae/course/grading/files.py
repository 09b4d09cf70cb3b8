"""The files of a submission, as far as they are read at all, and the files that they import.

Courses hand out packages: `from .layers import *`, `from pkg.layers import *`, or with the folder
above on the path, `from common.functions import *`. So a file runs among copies of what it imports,
in folders of the same names. A notebook becomes a file of the cells that define something.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ...check.verdict.conventions.names import BACKWARD_WORDS
from ...check.verdict.conventions.pairing import words_of

MAX_FILES, MAX_BYTES = 50, 2 * 2**20
COPIED_FILES, COPIED_BYTES = 200, 2**20
LEVELS = 4
"""Folders above a file in which its imports are looked for."""
FROM = re.compile(r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t(]+([\w, \t]*)", re.MULTILINE)
IMPORT = re.compile(r"^[ \t]*import[ \t]+([\w., \t]+)", re.MULTILINE)
WRITTEN = re.compile(r"^(def|class)[ \t]+(\w+)", re.MULTILINE)
SUFFIXES = (".py", ".ipynb")


def files_of(path: Path, wanted: str) -> tuple[list[Path], str]:
    """The Python files and notebooks of a submission, or why there are none."""
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.suffix in SUFFIXES and _counts(f, path))
        if wanted:
            files = [f for f in files if f.name == wanted]
        if not files:
            return [], f"there is no {wanted or 'Python file'} in {path.name}"
        if len(files) > MAX_FILES:
            return [], f"there are {len(files)} Python files in {path.name}; submit {MAX_FILES}"
        return files, ""
    if not path.is_file():
        return [], f"there is no file {path.name}"
    try:
        with path.open("rb") as file:
            size = len(file.read(_most_bytes(path) + 1))
    except OSError as error:
        return [], f"{path.name} cannot be read ({error.strerror})"
    most = _most_bytes(path)
    return ([path], "") if size <= most else ([], f"{path.name} has more than {most >> 20} MB")


def _most_bytes(file: Path) -> int:
    """A notebook holds its pictures."""
    return MAX_BYTES * (10 if file.suffix == ".ipynb" else 1)


def _counts(file: Path, folder: Path) -> bool:
    """Whether a file is part of the submission; a link could lead to the solution."""
    hidden = any(part.startswith((".", "__")) for part in file.relative_to(folder).parts)
    if hidden or file.is_symlink() or not file.is_file():
        return False
    inside = file.resolve().is_relative_to(folder.resolve())
    return inside and file.stat().st_size <= _most_bytes(file)


def copies_of(file: Path, top: Path | None, *, alone: bool) -> dict[Path, Path]:
    """Files to copy so that one can run, each with its place in the scratch folder.

    Parameters
    ----------
    file : Path
        What is checked.
    top : Path, optional
        The folder above which nothing is looked for: others' work may be there.
    alone : bool
        Copy nothing but the file.

    Of a submission that is a folder, all is copied that is imported in it. A single file is given
    all of its package, where its folder has an `__init__.py`. Of other files it is given what it
    imports by name, but not other people's answers: none that writes a class or a backward pass of
    the same name, and none at all if it writes nothing itself.
    """
    file = file.resolve()
    if alone:
        return {file: Path(file.name)}
    mine, package = written_in(file), (file.parent / "__init__.py").is_file()
    whole = file.parent if top is None and package else top

    def is_own(other: Path) -> bool:
        if whole is not None and other.is_relative_to(whole.resolve()):
            return True
        return bool(mine) and not mine & written_in(other)

    folders = [file.parent]
    stop = None if top is None else top.resolve()
    while len(folders) < LEVELS and folders[-1] not in (stop, folders[-1].parent):
        folders.append(folders[-1].parent)
    beside = [f for f in sorted(file.parent.glob("*.py")) if f.stem != file.stem and _fits(f)]
    found = [file, *(beside if whole is not None else [])]
    seen, packages = set(found), {file.parent}
    for one in found:  # which grows
        for package, other in _imported(one, folders):
            packages.add(package)
            if other not in seen and len(found) < COPIED_FILES and is_own(other):
                seen.add(other)
                found.append(other)
    inside = [*found, *packages]
    common = next((d for d in folders if all(f.is_relative_to(d) for f in inside)), folders[-1])
    return {f: f.relative_to(common.parent) for f in found if f.is_relative_to(common)}


def written_in(file: Path) -> set[str]:
    """Names of the classes of a file, and of its functions that are a backward pass."""
    try:
        names = WRITTEN.findall(source_of(file))
    except (OSError, ValueError, RecursionError):
        return set()
    return {n for kind, n in names if kind == "class" or BACKWARD_WORDS & set(words_of(n))}


def _fits(file: Path) -> bool:
    return file.is_file() and not file.is_symlink() and file.stat().st_size < COPIED_BYTES


def _imported(file: Path, folders: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Files that a file imports, with all of a package, and the package's own folder or file."""
    try:
        text = source_of(file)
    except (OSError, ValueError):
        return
    bases = {
        name.split()[0]: folders
        for m in IMPORT.finditer(text)
        for name in m[1].split(",")
        if name.strip()
    }
    for dots, module, names in FROM.findall(text):
        places = [file.parents[min(len(dots), len(file.parents)) - 1]] if dots else folders
        parts = [n.split()[0] for n in names.split(",") if n.strip()]
        bases |= {f"{module}.{part}".strip("."): places for part in parts or [""]}
    for name, places in bases.items():
        words = name.split(".")
        if words[0] in sys.stdlib_module_names or words[0] == "numpy":
            continue
        for folder in places:
            if folder in folders or any(folder.is_relative_to(f) for f in folders):
                found = list(_module(folder, words, folders))
                if found:
                    itself = folder.name == words[0] and not (folder / words[0]).exists()
                    package = folder if itself else folder / words[0]
                    yield from ((package if package.is_dir() else folder, f) for f in found)
                    break
        else:
            yield from _beside(words[0], folders)


def _beside(name: str, folders: list[Path]) -> Iterator[tuple[Path, Path]]:
    """A module in a folder beside, which code finds by `sys.path.append("mytorch")`."""
    for folder in folders[:2]:
        for file in filter(_fits, sorted(folder.glob(f"*/{name}.py"))):
            yield folder, file
            return


def _module(folder: Path, words: list[str], folders: list[Path]) -> Iterator[Path]:
    """The file, or all files of the package, that a dotted name means below a folder."""
    for i, word in enumerate(words):
        if not i and folder.name == word and not (folder / word).exists():
            continue  # the package is the folder itself
        folder = folder / word
        if _fits(folder.with_suffix(".py")):
            yield folder.with_suffix(".py")
            return
        if not folder.is_dir() or folder.is_symlink():
            if i and folder.parent in folders:  # a name out of its `__init__.py`
                yield from (f for f in sorted(folder.parent.glob("*.py")) if _fits(f))
            return
        if folder not in folders:
            yield from (f for f in sorted(folder.rglob("*.py"))[:COPIED_FILES] if _fits(f))
            return


def source_of(file: Path) -> str:
    """The text of a Python file, or of a notebook's cells that define something."""
    if file.suffix != ".ipynb":
        return file.read_text(encoding="utf-8", errors="replace")
    return "\n".join(_cells(file)) + "\n"


def place_of(file: Path, line: int) -> tuple[int, int]:
    """The code cell, from 1, and the line in it, of a line of a notebook's source.

    The cell is 0 in a file that is no notebook.
    """
    if file.suffix == ".ipynb":
        for number, text in enumerate(_cells(file), start=1):
            count = text.count("\n") + 1
            if line <= count:
                return number, line
            line -= count
    return 0, line


def _cells(file: Path) -> list[str]:
    """What each code cell of a notebook defines, with all else blank."""
    content = json.loads(file.read_text(encoding="utf-8", errors="replace"))
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list):
        raise ValueError("it is no notebook of the format 4")
    code = [cell for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    sources = [cell.get("source") for cell in code]
    return [_definitions("".join(map(str, s)) if isinstance(s, list) else s) for s in sources]


def _without_magic(line: str) -> str:
    """A line, or `pass` in the place of what only a notebook understands."""
    start = line[: len(line) - len(line.lstrip(" \t"))]
    return f"{start}pass" if line[len(start) :][:1] in ("%", "!", "?") or line[-1:] == "?" else line


def _definitions(source: object) -> str:
    """What a cell defines or imports, and constants, without magics, calls and plots."""
    if not isinstance(source, str):
        return ""
    source = "\n".join(map(_without_magic, source.split("\n")))
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    defines = any(isinstance(node, kinds) for node in body)
    lines = source.splitlines()
    kept = [""] * len(lines)
    for node in body:
        constant = isinstance(node, ast.Assign | ast.AnnAssign) and (
            defines or not any(isinstance(part, ast.Call) for part in ast.walk(node))
        )
        if constant or isinstance(node, kinds) or (defines and isinstance(node, ast.Try | ast.If)):
            decorators = getattr(node, "decorator_list", [])
            first = min([node.lineno, *(d.lineno for d in decorators)])
            kept[first - 1 : node.end_lineno] = lines[first - 1 : node.end_lineno]
    return "\n".join(kept)
