"""Flags of what models and networks take by themselves, and options as one types them."""

import argparse
from collections.abc import Callable
from typing import Any

from ..models.registry import Option
from .numbers import finite, whole


def add_own(group: Any, name: str, option: Option, others: dict[str, Option] | None = None) -> None:
    """Define the flag of a model's or network's own option; `others` have it by the same name."""
    how: dict[str, Any] = {"help": option.help}
    if option.type is bool:
        how |= {"action": "store_true", "default": None}
    else:
        if option.default not in (None, ()):
            own = {who: its for who, its in (others or {}).items() if its.default != option.default}
            more = (f", of {who} {show(its.default)}" for who, its in own.items())
            how["help"] += f" (default: {show(option.default)}{''.join(more)})"
        how["type"] = {int: whole, float: finite}.get(option.type, str)
        if option.choices:
            how["choices"] = option.choices
        else:
            how["metavar"] = option.metavar or {int: "N", float: "X"}.get(option.type, "NAME")
        if option.many:
            how |= {"nargs": "*", "action": _Flat, "type": _separated(how["type"])}
    group.add_argument(flag(name), **how)


def _separated(kind: Callable[[str], Any]) -> Callable[[str], list]:
    """Parse values with commas between them, each one by `kind`."""
    return lambda text: [kind(part) for part in text.split(",")]


class _Flat(argparse.Action):
    """Several values, some of them with commas between them, as one list."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        setattr(namespace, self.dest, [value for part in values for value in part])


def flag(name: str) -> str:
    """Name of an option as the user types it."""
    return "--" + name.replace("_", "-")


def show(value: Any) -> str:
    """Value of an option as the user types it."""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
