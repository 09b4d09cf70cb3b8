"""Discover what can be checked in a file: pairs of functions, classes, losses with gradients."""

from dataclasses import dataclass
from typing import Any

from ...errors import OptionError

FORWARDS = ("_forward", "_fwd", "_loss", "")
BACKWARDS = ("_backward", "_bwd", "_back", "_grad", "_grads", "_gradient", "_gradients")
PREFIXES = (("forward_", "backward_"), ("fwd_", "bwd_"))

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
    targets = []
    used = set()
    for name in functions:
        pair = _pair_of(name, functions)
        if pair:
            title, forward = pair
            used |= {name, forward}
            targets.append(Target(title, "pair", forward, name, functions[forward], []))
    for name, methods in classes.items() if isinstance(classes, dict) else ():
        methods = _clean(methods)
        if {"forward", "backward"} <= methods.keys():
            targets.append(
                Target(name, "class", name, None, methods["forward"], methods.get("init", []))
            )
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


def _pair_of(name: str, functions: dict[str, Any]) -> tuple[str, str] | None:
    """Title and forward function for a function that is a backward pass; None if it is none."""
    if name in ("backward", "bwd", "grad", "gradient", "gradients"):
        forward = next((f for f in ("forward", "fwd", "loss") if f in functions), None)
        return (forward, forward) if forward else None
    for suffix in BACKWARDS:
        if name.endswith(suffix) and len(name) > len(suffix):
            stem = name.removesuffix(suffix)
            for end in FORWARDS:
                if stem + end in functions:
                    return stem, stem + end
    for forward, backward in PREFIXES:
        stem = name.removeprefix(backward)
        if stem != name and forward + stem in functions:
            return stem, forward + stem
    return None


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
