"""The flag of an option that a model or network declares, and options as the user types them."""

import argparse
from collections.abc import Callable
from typing import Any

from ..models.registry import Option
from .numbers import finite, whole


def add_own(group: Any, name: str, option: Option) -> None:
    """Define the flag of a model's own option."""
    how: dict[str, Any] = {"help": option.help}
    if option.type is bool:
        how |= {"action": "store_true", "default": None}
    else:
        if option.default is not None:
            default = " ".join(map(str, option.default)) if option.many else option.default
            how["help"] += f" (default: {default})"
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
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
