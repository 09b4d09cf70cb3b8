"""`minivae compare`: rerun the experiments: VAE, autoencoder and GAN, measured side by side."""

import argparse
import difflib
import functools
import importlib
import inspect
import json
import pkgutil
import shlex
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from ...engine.workers import checked_jobs
from ...errors import OptionError
from ...interrupts import exit_code
from ..failures import said
from ..numbers import whole
from ..options import add_shared, refuse_idle
from ..own_options import add_own, flag
from ..voice import width

EPILOG = """\
examples:
  minivae compare --list                 what there is to run
  minivae compare modes                  VAE and GAN on 8 and on 25 Gaussians
  minivae compare modes stability --seeds 3 --out quick
  minivae compare --jobs 2               two at once
  minivae compare                        all that take some minutes each on two cores
  minivae compare iwae --k 1 5           hours; Ctrl-C stops it, and the command says how to go on
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all short ones)")
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    seeds = "repetitions, numbered from 0 (default: each experiment's own)"
    parser.add_argument("--seeds", type=whole, metavar="N", help=seeds)
    out = "a new folder for page, tables and pictures (default: runs/comparison-<number>)"
    parser.add_argument("--out", metavar="FOLDER", help=out)
    resume = "go on in this folder with an experiment that was interrupted"
    parser.add_argument("--resume", metavar="FOLDER", help=resume)
    jobs = "experiments that run at once, each in a process of its own (default: 1)"
    parser.add_argument("--jobs", type=whole, metavar="N", help=jobs)
    add_shared(parser, "quiet", "json")
    for name, module in experiments().items():
        if own := own_options(module):
            group = parser.add_argument_group(f"of {name} alone")
            for option in own:
                add_own(group, option, own[option])


def experiments() -> dict[str, ModuleType]:
    """Find the experiments, by name."""
    from ...uses import experiments

    names = [module.name for module in pkgutil.iter_modules(experiments.__path__)]
    modules = [importlib.import_module(f"{experiments.__name__}.{name}") for name in names]
    return {module.NAME: module for module in modules if hasattr(module, "NAME")}


def own_options(module: ModuleType) -> dict[str, Any]:
    """Options that an experiment takes by itself."""
    return getattr(module, "OPTIONS", {})


def resumes(module: ModuleType) -> bool:
    """Whether an experiment goes on where it was stopped."""
    return getattr(module, "RESUMES", False)


def run(options: argparse.Namespace) -> int:
    """Run what was asked for; the page grows with each experiment that is done.

    One that fails does not end the others; the exit code is then 2.
    """
    known = experiments()
    voice = options.voice
    if options.list:
        own = [name for module in known.values() for name in own_options(module)]
        refuse_idle(options, "--list runs nothing", "seeds", "out", "resume", "jobs", *own)
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
    jobs = checked_jobs(options.jobs, 1)
    for name, module in known.items():
        if name not in chosen:
            refuse_idle(options, f"{name} does not run, whose it is", *own_options(module))
    asked = {name: given(options, known[name]) for name in chosen}
    folder = old_folder(options, chosen, known) if options.resume else new_folder(options.out)
    with not_empty(folder):
        try:
            return run_all(asked, folder, jobs, options)
        except KeyboardInterrupt as error:
            name = chosen[0]
            if len(chosen) > 1 or not (resumes(known[name]) and (folder / name).exists()):
                raise
            words = shlex.join(["--resume", str(folder)])
            print(f"interrupted; go on with: {typed(name, asked[name])} {words}", file=sys.stderr)
            return exit_code(error)


def run_all(
    asked: dict[str, dict[str, Any]], folder: Path, jobs: int, options: argparse.Namespace
) -> int:
    """Run experiments, each with what was asked of it, into `folder`; return the exit code."""
    from ...engine.workers import each
    from ...files import write_atomically
    from ...uses.experiments.page import Section, page, text_table

    known, voice = experiments(), options.voice
    sections: list[Section] = []
    failed = []
    progress = voice.progress and jobs == 1
    run_one = functools.partial(_run_one, folder=folder, asked=asked, progress=progress)
    begun = time.monotonic()
    for number, (name, found) in enumerate(each(run_one, list(asked), min(jobs, len(asked))), 1):
        if isinstance(found, Exception):
            if len(asked) == 1:
                raise found
            failed.append(name)
            _, why = said(found) or (1, f"{type(found).__name__}: {found}")
            print(f"minivae: {name} failed: {why}", file=sys.stderr)
            continue
        summary, seconds = found
        module = known[name]
        left = (time.monotonic() - begun) / number * (len(asked) - number)
        soon = f" ({number} of {len(asked)}, about {left / 60:.0f} min left)" if left else ""
        voice.say(f"{name}: {module.WHAT}{soon}", flush=True)
        command = typed(name, asked[name])
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


def given(options: argparse.Namespace, module: ModuleType) -> dict[str, Any]:
    """What was asked for, of the options that an experiment takes."""
    found = {name: getattr(options, name) for name in ("seeds", *own_options(module))}
    return {name: value for name, value in found.items() if value is not None}


def typed(name: str, asked: dict[str, Any]) -> str:
    """The command of one experiment, as the user would type it again."""
    words = ["minivae", "compare", name]
    for option, value in asked.items():
        words += [flag(option), *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)


def _run_one(
    name: str, folder: Path, asked: dict[str, dict[str, Any]], progress: bool
) -> tuple[dict[str, Any], float]:
    """Summary of one experiment, and the seconds that it took."""
    started = time.monotonic()
    summary = run_whole(experiments()[name], folder / name, asked[name], progress=progress)
    return summary, time.monotonic() - started


def run_whole(module: ModuleType, folder: Path, asked: dict[str, Any], *, progress: bool) -> dict:
    """Run one experiment into `folder`, which is there when it is done.

    It is not there before, unless the experiment can go on with what it has left there.
    """
    from ...files import whole_folder

    with not_empty(folder, make=True) if resumes(module) else whole_folder(folder) as new:
        summary = module.run(new, progress=progress, **asked)
        text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
        (new / "summary.json").write_text(text, encoding="utf-8")
    return summary


@contextmanager
def not_empty(folder: Path, *, make: bool = False) -> Iterator[Path]:
    """Give a folder to write into, and take it back if nothing is in it when this block ends."""
    if make:
        folder.mkdir(exist_ok=True)
    try:
        yield folder
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


def default_seeds(module: ModuleType) -> int:
    """How many seeds an experiment runs by itself."""
    return inspect.signature(module.run).parameters["seeds"].default


def choose(names: list[str], known: dict[str, ModuleType]) -> list[str]:
    """Return the names that were given, once each; all that take no hours, if none was.

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
    return list(dict.fromkeys(names)) or [name for name in known if not resumes(known[name])]


def old_folder(options: argparse.Namespace, chosen: list[str], known: dict[str, Any]) -> Path:
    """Return the folder to go on in.

    Raises
    ------
    OptionError
        If not just one experiment is named that can go on, or the folder does not hold it.
    """
    refuse_idle(options, "a resumed experiment stays in its folder", "out")
    able = [name for name in known if resumes(known[name])]
    if len(chosen) != 1 or chosen[0] not in able:
        raise OptionError(
            f"--resume was given with {' '.join(options.names) or 'no name'}, but it goes with "
            f"one experiment that can go on where it was stopped: {', '.join(able)}."
        )
    folder = Path(options.resume).expanduser()
    if not (folder / chosen[0]).is_dir():
        raise OptionError(
            f"--resume {folder} was given, but there is no {chosen[0]} in it to go on with; name "
            "the folder that was given with --out, or that the command has named."
        )
    return folder


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
