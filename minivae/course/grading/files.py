"""The files of a submission, as far as they are read at all."""

from pathlib import Path

MAX_FILES, MAX_BYTES = 50, 2 * 2**20


def files_of(path: Path, wanted: str) -> tuple[list[Path], str]:
    """The Python files of a submission, or why there are none."""
    if path.is_dir():
        files = sorted(f for f in path.rglob("*.py") if _counts(f, path))
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
            size = len(file.read(MAX_BYTES + 1))
    except OSError as error:
        return [], f"{path.name} cannot be read ({error.strerror})"
    return ([path], "") if size <= MAX_BYTES else ([], f"{path.name} has more than 2 MB")


def _counts(file: Path, folder: Path) -> bool:
    """Whether a file is part of the submission; a link could lead to the solution."""
    hidden = any(part.startswith((".", "__")) for part in file.relative_to(folder).parts)
    if hidden or file.is_symlink() or not file.is_file():
        return False
    inside = file.resolve().is_relative_to(folder.resolve())
    return inside and file.stat().st_size <= MAX_BYTES
