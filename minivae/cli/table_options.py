"""Options that say how a table is read; every command that takes one has them from here."""

import argparse
from dataclasses import fields
from typing import Any


def table_names() -> list[str]:
    """Names of what can be said of a table."""
    from ..data.tables.options import TableOptions

    return [field.name for field in fields(TableOptions)]


def add_table(parser: Any, *, known: bool = False) -> None:
    """Define the options of `TableOptions`.

    Parameters
    ----------
    parser : ArgumentParser or group of it
        Where they belong.
    known : bool
        Whether a model knows its columns already: then there are none to leave out or to convert.
    """
    from ..data.tables.options import MISSING_RULES

    add = parser.add_argument
    add("--label", metavar="COLUMN", help="column of a table that holds the class")
    if not known:
        ignore = "columns of a table to pass over"
        add("--ignore", nargs="+", metavar="COLUMN", help=ignore)
        one_hot = "columns of text, each to become a column of zeros and ones for every text"
        add("--one-hot", nargs="+", metavar="COLUMN", help=one_hot)
    header = "whether the first row of a table names the columns (default: asked if it is open)"
    add("--header", choices=("yes", "no"), help=header)
    missing = "what to do about missing cells: refuse, fill in the median, drop the row "
    missing += f"(default: {'as the model was fitted' if known else MISSING_RULES[0]})"
    add("--missing", choices=MISSING_RULES, help=missing)
    drop = "leave out rows without a class instead of refusing them"
    add("--drop-unlabelled", action="store_true", default=None, help=drop)
    if not known:
        drop = "leave out columns that do not vary instead of refusing them"
        add("--drop-constant", action="store_true", default=None, help=drop)


def table_of(options: argparse.Namespace | dict[str, Any]) -> dict[str, Any]:
    """What was said of a table, as `TableOptions` takes it."""
    said = options if isinstance(options, dict) else vars(options)
    found = {name: said[name] for name in table_names() if said.get(name) is not None}
    if "header" in found:
        found["header"] = found["header"] == "yes"
    return found
