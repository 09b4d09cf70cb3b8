"""`minivae compare`: rerun the experiments: VAE, autoencoder and GAN, measured side by side."""

import argparse
import difflib
import functools
import importlib
import inspect
import json
import pkgutil
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from ...errors import OptionError
from ..failures import said
from ..numbers import whole
from ..options import add_shared, refuse_idle
from ..voice import width

EPILOG = """\
examples:
  minivae compare --list                 what there is to run
  minivae compare modes                  VAE and GAN on 8 and on 25 Gaussians
  minivae compare modes stability --seeds 3 --out quick
  minivae compare --jobs 2               two at once
  minivae compare                        all of them: each takes some minutes on two cores
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    seeds = "repetitions, numbered from 0 (default: each experiment's own)"
    parser.add_argument("--seeds", type=whole, metavar="N", help=seeds)
    out = "a new folder for page, tables and pictures (default: runs/comparison-<number>)"
    parser.add_argument("--out", metavar="FOLDER", help=out)
    jobs = "experiments that run at once, each in a process of its own (default: 1)"
    parser.add_argument("--jobs", type=whole, metavar="N", help=jobs)
    add_shared(parser, "quiet", "json")


def experiments() -> dict[str, ModuleType]:
    """Find the experiments, by name."""
    from ...uses import experiments

    names = [module.name for module in pkgutil.iter_modules(experiments.__path__)]
    modules = [importlib.import_module(f"{experiments.__name__}.{name}") for name in names]
    return {module.NAME: module for module in modules if hasattr(module, "NAME")}


def run(options: argparse.Namespace) -> int:
    """Run what was asked for; the page grows with each experiment that is done.

    One that fails does not end the others; the exit code is then 2.
    """
    known = experiments()
    voice = options.voice
    if options.list:
        refuse_idle(options, "--list runs nothing", "seeds", "out", "jobs")
        if options.names:
            raise OptionError(
                f"{options.names[0]} was given, but --list names all there is; leave one out."
            )
        for name, module in known.items():
            line = f"{name:<14}{module.WHAT} ({default_seeds(module)} seeds)"
            voice.say(textwrap.fill(line, width(), subsequent_indent=" " * 14))
        voice.tell(experiments={name: module.WHAT for name, module in known.items()})
        return 0
    chosen = choose(options.names, known)
    if options.seeds == 0:
        raise OptionError("--seeds 0 was given, but an experiment needs at least 1.")
    jobs = 1 if options.jobs is None else options.jobs
    if not 1 <= jobs <= 64:
        raise OptionError(f"--jobs {jobs} was given; give 1 to 64.")
    folder = new_folder(options.out)
    with not_empty(folder):
        return run_all(chosen, folder, jobs, options)


def run_all(chosen: list[str], folder: Path, jobs: int, options: argparse.Namespace) -> int:
    """Run experiments into `folder`; return the exit code."""
    from ...engine.workers import each
    from ...files import write_atomically
    from ...uses.experiments.page import Section, page, text_table

    known, voice = experiments(), options.voice
    repeat = {} if options.seeds is None else {"seeds": options.seeds}
    sections: list[Section] = []
    failed = []
    progress = voice.progress and jobs == 1
    run_one = functools.partial(_run_one, folder=folder, repeat=repeat, progress=progress)
    begun = time.monotonic()
    for number, (name, found) in enumerate(each(run_one, chosen, min(jobs, len(chosen))), 1):
        if isinstance(found, Exception):
            if len(chosen) == 1:
                raise found
            failed.append(name)
            _, why = said(found) or (1, f"{type(found).__name__}: {found}")
            print(f"minivae: {name} failed: {why}", file=sys.stderr)
            continue
        summary, seconds = found
        module = known[name]
        left = (time.monotonic() - begun) / number * (len(chosen) - number)
        soon = f" ({number} of {len(chosen)}, about {left / 60:.0f} min left)" if left else ""
        voice.say(f"{name}: {module.WHAT}{soon}", flush=True)
        words = f" --seeds {options.seeds}" if repeat else ""
        command = f"minivae compare {name}{words}"
        sections.append(Section(name, module.WHAT, command, seconds, folder / name, summary))
        html = page(sections)
        write_atomically(folder / "index.html", lambda file, html=html: file.write(html.encode()))
        for table in summary["tables"]:
            voice.say(f"\n{text_table(*table, width=width())}")
        for line in summary["text"].splitlines():
            voice.say(f"\n{textwrap.fill(line, width())}")
        voice.say(f"\n{seconds:.0f} s\n", flush=True)
        voice.tell(**{name: summary})
    if sections:
        voice.wrote(folder / "index.html")
    return 2 if failed else 0


def _run_one(
    name: str, folder: Path, repeat: dict[str, int], progress: bool
) -> tuple[dict[str, Any], float]:
    """Summary of one experiment, and the seconds that it took."""
    started = time.monotonic()
    summary = run_whole(experiments()[name], folder / name, repeat, progress=progress)
    return summary, time.monotonic() - started


def run_whole(module: ModuleType, folder: Path, repeat: dict[str, int], *, progress: bool) -> dict:
    """Run one experiment into `folder`, which is there when it is done, and not before."""
    from ...files import whole_folder

    with whole_folder(folder) as new:
        summary = module.run(new, progress=progress, **repeat)
        text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
        (new / "summary.json").write_text(text, encoding="utf-8")
    return summary


@contextmanager
def not_empty(folder: Path) -> Iterator[None]:
    """Take a folder back in which nothing is when this block ends."""
    try:
        yield
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


def default_seeds(module: ModuleType) -> int:
    """How many seeds an experiment runs by itself."""
    return inspect.signature(module.run).parameters["seeds"].default


def choose(names: list[str], known: dict[str, ModuleType]) -> list[str]:
    """Return the names that were given, once each; all, if none was.

    Raises
    ------
    OptionError
        If there is no experiment of that name.
    """
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise OptionError(
                f"there is no experiment {name!r}{hint}; choose among: {', '.join(known)}."
            )
    return list(dict.fromkeys(names)) or list(known)


def new_folder(out: str | None) -> Path:
    """Make the folder: `out`, or the first free `runs/comparison-<number>`.

    Raises
    ------
    OptionError
        If `out` is a file, or a folder that is not empty.
    """
    from ...files import refuse_what_exists
    from ...train.runs import place

    folder = place("comparison") if out is None else Path(out).expanduser()
    if not folder.is_dir() or any(folder.iterdir()):
        refuse_what_exists(folder, "name a new folder with --out, or delete it")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
