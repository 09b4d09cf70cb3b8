"""Options that several commands have; `outputs.chosen_run` and `chosen_rows` take them up."""

import argparse

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
