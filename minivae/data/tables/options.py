"""How a table shall be read: the options of every command that takes one, in one place."""

import shlex
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from ...engine.door import door
from ...errors import OptionError

MISSING_RULES = ("refuse", "median", "drop")
"""What can be done about a missing cell."""


@door
@dataclass(frozen=True)
class TableOptions:
    """What somebody says about a table.

    Attributes
    ----------
    label : str, optional
        The column that holds the class of each row, as text.
    ignore : tuple of str
        Columns to pass over.
    header : bool, optional
        Whether the first row names the columns. Without names they are called 1, 2, 3 and so on.
        None asks by an error where the file leaves it open.
    one_hot : tuple of str
        Columns of text that become a column of zeros and ones for each of their texts.
    missing : {"refuse", "median", "drop"}
        Refuse a missing cell, fill it with the median of its column (of text, the most frequent
        one), or leave out its row.
    drop_unlabelled : bool
        Leave out the rows whose class is missing, instead of refusing them.
    drop_constant : bool
        Leave out the columns that do not vary in the rows to train on, instead of refusing them.

    Raises
    ------
    OptionError
        If a value is none of these, or two of them contradict each other.
    """

    label: str | None = None
    ignore: tuple[str, ...] = ()
    header: bool | None = None
    one_hot: tuple[str, ...] = ()
    missing: str = "refuse"
    drop_unlabelled: bool = False
    drop_constant: bool = False

    def __post_init__(self) -> None:
        for name in ("ignore", "one_hot"):
            object.__setattr__(self, name, _texts(getattr(self, name)))
        if self.missing not in MISSING_RULES:
            raise OptionError(
                f"missing={self.missing!r} was given; choose one of: {', '.join(MISSING_RULES)}."
            )
        if self.header not in (None, True, False):
            raise OptionError(
                f"header={self.header!r} was given; say whether the first row names the columns, "
                "True or False, or leave it out."
            )
        if self.drop_unlabelled and self.label is None:
            raise OptionError(
                "rows without a class shall be left out, but no column of classes was named; name "
                "it with --label, or leave out --drop-unlabelled."
            )
        named = [*self.ignore, *self.one_hot, *([] if self.label is None else [self.label])]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise OptionError(
                f"the column {twice[0]!r} was named twice among the label, the columns to ignore "
                "and those to make one-hot; name it once."
            )

    def over(self, kept: "TableOptions") -> "TableOptions":
        """These options, and those of a model's own table where nothing else is said."""
        return replace(
            self,
            header=kept.header if self.header is None else self.header,
            missing=kept.missing if self.missing == "refuse" else self.missing,
        )

    def given(self) -> list[str]:
        """Those that say something, as the user types them."""
        flags = [] if self.label is None else [f"--label {shlex.quote(self.label)}"]
        for name, columns in (("--ignore", self.ignore), ("--one-hot", self.one_hot)):
            flags += [f"{name} {quoted(columns)}"] if columns else []
        if self.header is not None:
            flags.append(f"--header {'yes' if self.header else 'no'}")
        if self.missing != "refuse":
            flags.append(f"--missing {self.missing}")
        drops = {"--drop-unlabelled": self.drop_unlabelled, "--drop-constant": self.drop_constant}
        return flags + [flag for flag, given in drops.items() if given]

    def refuse_for(self, name: str) -> None:
        """Raise `OptionError` if something is said about what is no table."""
        if self.given():
            raise OptionError(
                f"{self.given()[0]} was given, but {name} is no table; leave it out, or give a "
                "file that ends in .csv."
            )


def _texts(names: Any) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Collection):
        raise OptionError(f"{names!r} was given where a list of columns belongs; give [{names!r}].")
    return tuple(map(str, names))


def quoted(names: Iterable[str]) -> str:
    """Names of columns as a shell takes them."""
    return " ".join(map(shlex.quote, names))


def listed(names: Iterable[str]) -> str:
    """Names of columns in a sentence, five at most."""
    names = list(names)
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
