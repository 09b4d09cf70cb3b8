"""Options that several commands have: each is defined here and nowhere else."""

import argparse
from typing import Any

from ..engine.backend import backend_names
from ..errors import OptionError
from .numbers import seed
from .table_options import add_table


def add_run(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    what = "run folder or checkpoint (default: the newest run)"
    parser.add_argument("run", nargs="?", metavar="RUN", help=what)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Data other than the run's."""
    what = "name of a data set, a path, or a picture (default: what the run was trained on)"
    parser.add_argument("--data", metavar="DATA", help=what)
    add_table(parser.add_argument_group("if --data is a table"), known=True)


SHARED: dict[str, dict[str, Any]] = {
    "seed": {
        "type": seed,
        "default": 0,
        "metavar": "N",
        "help": "of everything random (default: 0)",
    },
    "backend": {
        "choices": ("auto", *backend_names()),
        "default": "auto",
        "help": "where to compute; auto is numba where it is installed, else numpy; cuda is a GPU",
    },
    "quiet": {"action": "store_true", "help": "print the names of what was written, nothing else"},
    "json": {"action": "store_true", "help": "print one JSON object instead of text"},
}
"""What every command defines alike, where it means something."""


def add_shared(parser: Any, *names: str, **others: Any) -> None:
    """Define options of `SHARED`; `others` is what the command says differently of all of them."""
    for name in names:
        parser.add_argument(f"--{name}", **{**SHARED[name], **others})


def refuse_idle(options: argparse.Namespace, why: str, *names: str, flag: str = "") -> None:
    """Refuse options that were given (are not None or False) and would have no effect.

    `flag` is what an option is called, if that is not its name.

    Raises
    ------
    OptionError
        For the first one, with `why`.
    """
    for name in names:
        value = getattr(options, name)
        if value is not None and value is not False:
            shown = "--" + (flag or name).replace("_", "-")
            raise OptionError(f"{shown} was given, but {why}; leave it out.")
