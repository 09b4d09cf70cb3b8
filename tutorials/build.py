"""Make the notebooks from their sources: `python tutorials/build.py`.

`NN_name.py`, in the percent format of jupytext, is the source that is read and reviewed;
`NN_name.ipynb` is the same with the outputs of a fresh run. The same source gives the same notebook
byte for byte on the same machine: cells are numbered instead of named at random, nothing that holds
a time or a version is kept, and each kernel starts with one thread and a fixed hash seed.

This file stands beside what it makes, and not in the package, because whoever installs the package
does not make the notebooks: it is the project's tool, as `.ci/run` is.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def sources() -> list[Path]:
    """The sources of all notebooks, in order."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def read_source(path: Path) -> Any:
    """Read a source as a notebook without outputs, its cells numbered."""
    import jupytext

    notebook = jupytext.read(path, fmt="py:percent")
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i:02d}"
    return notebook


def execute(path: Path) -> str:
    """Run a source in a fresh kernel; return the notebook as text, or raise with the cell."""
    import nbformat
    from nbclient import NotebookClient

    notebook = read_source(path)
    metadata = dict(notebook.metadata)
    client = NotebookClient(
        notebook,
        kernel_name=KERNEL["name"],
        timeout=600,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(FOLDER)}},
    )
    client.execute(env={**os.environ, **ENVIRONMENT})
    notebook.metadata = metadata  # the kernel has written Python's version into it
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> int:
    """Make the notebooks that are named, or all of them."""
    parser = argparse.ArgumentParser(
        description="Make the notebooks from their sources, with outputs.",
        epilog="examples:\n  python tutorials/build.py          all\n"
        "  python tutorials/build.py 03 06    two of them\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NN", help="how a source's name begins")
    parser.add_argument("--out", default=FOLDER, type=Path, help="folder (default: tutorials)")
    options = parser.parse_args(argv)
    chosen = [p for p in sources() if not options.names or p.name.startswith(tuple(options.names))]
    missing = [n for n in options.names if not any(p.name.startswith(n) for p in chosen)]
    if missing or not options.out.is_dir():
        wrong = (
            f"no source begins with {missing[0]!r}" if missing else f"{options.out} is no folder"
        )
        print(f"build.py: {wrong}.", file=sys.stderr)
        return 2
    try:
        import ipykernel  # noqa: F401
        import jupytext  # noqa: F401
        import nbclient  # noqa: F401
        from tqdm import tqdm
    except ImportError as error:
        print(
            f"build.py: {error.name} is missing; install what makes notebooks with "
            "`pip install -e '.[tutorials]'`.",
            file=sys.stderr,
        )
        return 2
    from nbclient.exceptions import CellExecutionError

    for path in (bar := tqdm(chosen, unit="notebook")):
        bar.set_description(path.stem)
        try:
            write(options.out / f"{path.stem}.ipynb", execute(path))
        except CellExecutionError as error:
            print(
                f"{error}\nbuild.py: {path.name} failed; its notebook is as it was.",
                file=sys.stderr,
            )
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
