"""`sample` and `explore` for runs on sequences: what is written follows from what they are."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, OptionError
from ..files import first_free, new_file, new_folder, whole_folder, write_atomically
from ..models.rows import means
from ..show import plots
from ..show.sequences import kind_of
from ..show.sequences.kind import Kind, Sheet
from ..train.runs import Run
from ..uses.explore import paths as explore

NUMBERS = (".npz", ".npy")
"""Endings of files that hold the numbers of the symbols."""

WAY = "From one to the other, on the straight line between their codes"

STEPS = 9
"""Sequences on a path, its ends among them."""


def has_files_of_its_own(run: Run) -> bool:
    """Whether a run is on sequences that are more than text: melodies can be heard and seen."""
    return bool(run.training.model.alphabet and kind_of(run.training.model.alphabet).each)


def draw(run: Run, rows: np.ndarray, stem: str) -> list[str]:
    """Write rows (N, T) into the run's folder, in all formats of their kind; return the names."""
    alphabet, kind = run.training.model.alphabet, kind_of(run.training.model.alphabet)
    sheet = Sheet(rows.astype(int), alphabet, [""] * len(rows))
    names = [f"{stem}{suffix}" for suffix in kind.formats]
    for name in names:
        _write_file(run.folder / name, kind, sheet)
    return names


def decoded(run: Run, z: np.ndarray) -> np.ndarray:
    """Likeliest symbols (N, T) for latents z (N, Z)."""
    backend = run.training.model.backend
    logits = backend.to_host(run.training.model.decode(backend.asarray(z)))
    return logits.argmax(axis=-1)


def sample(run: Run, options: argparse.Namespace) -> list[Path]:
    """Draw sequences and write them.

    Returns
    -------
    list of Path
        The files.
    """
    alphabet = run.training.model.alphabet
    kind = kind_of(alphabet)
    for flag, value in (("--nearest", options.nearest), ("--label", options.label)):
        if value:
            raise OptionError(f"{flag} was given, but {run.folder} makes sequences; leave it out.")
    n = 8 if options.n is None else options.n
    target = _target(run, options.out, kind, "sample")
    model, rng = run.training.model, np.random.default_rng(options.seed or 0)
    drawn = model.sample(n, rng, temperature=options.temperature, draw=options.draw)
    rows = np.asarray(model.backend.to_host(drawn)).astype(int)
    sheet = Sheet(rows, alphabet, [""] * len(rows), model.samples_are)
    return _write(target, kind, sheet, "samples")


def morph(run: Run, options: argparse.Namespace) -> list[Path]:
    """Write the way from one sequence to another, through the codes.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OptionError
        If there is no sequence that --morph names.
    """
    alphabet = run.training.model.alphabet
    kind = kind_of(alphabet)
    target = _target(run, options.out, kind, "explore", files=False)
    ends = [_end(run, kind, alphabet, name) for name in options.morph]
    rows, captions = _between(run, *ends, options.steps or STEPS)
    captions[0] += f": {options.morph[0]}"
    captions[-1] += f": {options.morph[1]}"
    return _write(target, kind, Sheet(rows, alphabet, captions, WAY), "morph")


def interpolation(
    run: Run, pairs: list[tuple[np.ndarray, np.ndarray]], steps: int
) -> Iterator[tuple[str, Any]]:
    """The ways between pairs of sequences, in all formats of their kind, as `walks` has them."""
    ways = [_between(run, *pair, steps) for pair in pairs]
    rows = np.concatenate([rows for rows, _ in ways])
    captions = [caption for _, captions in ways for caption in captions]
    title = f"{WAY}, downwards"
    sheet = Sheet(rows, run.training.model.alphabet, captions, title, ways=len(ways))
    for suffix, make in kind_of(sheet.alphabet).formats.items():
        yield f"interpolation{suffix}", make(sheet)


def _between(run: Run, a: np.ndarray, b: np.ndarray, steps: int) -> tuple[np.ndarray, list[str]]:
    """Sequence a, the decoded straight line between the codes of a and b, and b; and captions."""
    z = run.training.model.backend.to_host(means(run.training.model, np.stack([a, b])))
    t = np.linspace(0, 1, steps)
    path = explore.linear(z[0], z[1], t.tolist())
    rows = np.stack([a, *decoded(run, path), b]).astype(int)
    return rows, ["given", *(f"t = {s:.3g}" for s in t), "given"]


def _end(run: Run, kind: Kind, alphabet: tuple[str, ...], name: str) -> np.ndarray:
    """A held-out sequence by its number, or one that the kind finds, as a row (T,)."""
    steps = run.shape[0]
    if name.isdecimal():
        x, _, part = run.test_rows(run.load_data())
        if int(name) >= len(x):
            raise OptionError(
                f"--morph {name} was given, but the {part} sequences are 0 to {len(x) - 1}."
            )
        return np.asarray(x[int(name)])
    found = kind.find(name, alphabet)
    if found is None:
        raise OptionError(
            f"--morph {name} was given; expected the number of a held-out sequence or {kind.named}."
        )
    if len(found) > steps:
        raise DataError(f"{name} takes {len(found)} steps, but the model knows {steps}.")
    row = np.zeros(steps, np.float32)
    row[: len(found)] = found
    return row


def _target(run: Run, out: str | None, kind: Kind, stem: str, *, files: bool = True) -> Path:
    """Where to write: a file in one of the kind's formats, or a folder for all of them."""
    if out is None:
        return first_free(run.folder, stem)
    path = Path(out).expanduser()
    if path.suffix == "" or not files:
        return new_folder(path)
    return new_file(path, *kind.formats, *NUMBERS)


def _write(target: Path, kind: Kind, sheet: Sheet, stem: str) -> list[Path]:
    """Write one file, or a folder: all sequences together, and each by itself."""
    if target.suffix:
        _write_file(target, kind, sheet)
        return [target]
    with whole_folder(target) as folder:
        for suffix in kind.formats:
            _write_file(folder / f"{stem}{suffix}", kind, sheet)
        digits = len(str(len(sheet.rows)))
        for i, row in enumerate(sheet.rows):
            alone = Sheet(row[None], sheet.alphabet, [sheet.captions[i]])
            for suffix in kind.each:
                _write_file(folder / f"{i + 1:0{digits}}{suffix}", kind, alone)
    return sorted(target.iterdir())


def _write_file(path: Path, kind: Kind, sheet: Sheet) -> None:
    suffix = path.suffix.lower()
    if suffix in NUMBERS:
        save = {".npz": lambda file: np.savez(file, x=sheet.rows)}
        write_atomically(path, save.get(suffix, lambda file: np.save(file, sheet.rows)))
        return
    made = kind.formats[suffix](sheet)
    if isinstance(made, bytes):
        write_atomically(path, lambda file: file.write(made))
    else:
        plots.save(made, path)
