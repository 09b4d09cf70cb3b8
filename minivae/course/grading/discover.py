"""Discover what can be checked in a file: pairs of functions, classes, losses with gradients."""

from dataclasses import dataclass
from typing import Any

from ...check.verdict.conventions.pairing import partner_of
from ...errors import OptionError

Parameters = list[tuple[str, bool]]


@dataclass(frozen=True)
class Target:
    """Something with a forward and a backward pass.

    Attributes
    ----------
    name : str
        What the report calls it, and what `FILE::NAME` selects.
    form : {"pair", "class", "loss"}
        Two functions; a class with two methods; one function that returns a loss and gradients.
    forward : str
        Name of the function, or of the class.
    backward : str, optional
        Name of the other function of a pair.
    parameters, init : list of (str, bool)
        Arguments of forward, and of a class's constructor, and whether they are required.
    sure : bool
        False for a function that may return a loss and gradients, or something else.
    """

    name: str
    form: str
    forward: str
    backward: str | None
    parameters: Parameters
    init: Parameters
    sure: bool = True


def discover(found: Any) -> list[Target]:
    """List what can be checked, from what a session's `describe` returned."""
    found = found if isinstance(found, dict) else {}
    functions, classes = _clean(found.get("functions")), found.get("classes")
    returning = found.get("returning")
    targets: list[Target] = []
    functions = {n: p for n, p in functions.items() if not n.startswith("test")}
    pairs = {name: partner_of(name, functions) for name in functions}
    used = {n for name, pair in pairs.items() if pair for n in (name, pair[1])}
    for name, pair in pairs.items():
        if pair:
            title, forward = pair
            if title in {target.name for target in targets}:
                title = name  # one forward pass, several backward passes
            targets.append(Target(title, "pair", forward, name, functions[forward], []))
    for name, methods in classes.items() if isinstance(classes, dict) else ():
        methods = _clean(methods)
        if {"forward", "backward"} <= methods.keys():
            init = methods.get("init", [])
            targets.append(Target(name, "class", name, None, methods["forward"], init))
    for name in functions:
        if name not in used and functions[name] and name != "example":
            sure = isinstance(returning, list) and name in returning
            targets.append(Target(name, "loss", name, None, functions[name], [], sure))
    return targets


def _clean(found: Any) -> dict[str, Parameters]:
    """Take only what has the right types; it comes from the student's process."""
    clean = {}
    for name, parameters in found.items() if isinstance(found, dict) else ():
        if isinstance(name, str) and isinstance(parameters, list):
            clean[name] = [
                (str(p[0]), bool(p[1])) for p in parameters if isinstance(p, tuple) and len(p) == 2
            ]
    return clean


def choose(targets: list[Target], name: str, file: str) -> Target:
    """Return the target called `name`: its title, or the name of one of its functions."""
    for target in targets:
        if (
            name in (target.name, target.forward, target.backward)
            or target.forward == f"{name}_loss"
        ):
            return target
    there = (
        ", ".join(target.name for target in targets if target.sure) or "nothing that can be checked"
    )
    raise OptionError(
        f"{file} has no {name}_forward with a {name}_backward, no class {name} with these two "
        f"methods, and no function {name} that returns a loss and gradients; it has {there}."
    )
