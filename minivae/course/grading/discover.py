"""Discover what can be checked in a file: pairs of functions, classes, losses with gradients."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ...check.verdict.conventions.implied import IMPLIED, labels_among
from ...check.verdict.conventions.names import BACKWARD_WORDS, LOSS_WORDS, plain, sure_names
from ...check.verdict.conventions.objects import is_made
from ...check.verdict.conventions.pairing import pairs_of, words_of
from ...errors import OptionError

Parameters = list[tuple[str, bool]]
Clues = dict[str, dict[str, Any]]
CLUES = {
    "doc": list, "axes": list, "parts": list, "numbered": list, "words": list, "keys": dict,
    "optional": dict, "rank": int, "index": bool, "count": bool, "passed": list,
    "none": bool, "called": bool, "log": bool, "left": bool,
}  # fmt: skip
"""What a clue may be, and its type."""
LABELS = sure_names("labels", "target")
NOBODYS = re.compile(
    r"^(test|check|grad(ient)?_?check|eval_numerical|numerical|num_grad)", re.IGNORECASE
)
"""How tests and helpers of a gradient check begin."""


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
    methods : list of str
        Names of the methods of a class, forward and, unless forward returns both, backward.
    loss : str, optional
        Name of the function whose gradients backward returns, of the output and of labels;
        `IMPLIED` where none is written.
    way : int
        Which way backward is called in, where its names do not tell; see `conventions.calling`.
        Of an implied cost, which one.
    clues, init_clues : dict
        What the source says about the arguments of forward, and of the constructor; see
        `worker.clues`.
    """

    name: str
    form: str
    forward: str
    backward: str | None
    parameters: Parameters
    init: Parameters
    sure: bool = True
    methods: list[str] = field(default_factory=list)
    loss: str | None = None
    way: int = 0
    clues: Clues = field(default_factory=dict)
    init_clues: Clues = field(default_factory=dict)

    def makes(self, name: str) -> bool:
        """Whether an argument of the constructor is made where it is called, if it is not given."""
        return is_made(name, bool(self.init_clues.get(name, {}).get("called")))


def discover(found: Any) -> list[Target]:
    """List what can be checked, from what a session's `describe` returned, which is JSON."""
    try:
        found = json.loads(found) if isinstance(found, str) else {}
    except (ValueError, RecursionError):
        found = {}
    functions = _dict(_dict(found).get("functions"))
    functions = {n: _dict(f) for n, f in functions.items() if not NOBODYS.match(n)}
    for _ in range(2):  # what is passed on is passed on again
        for function in functions.values():
            _inherit(function, functions)
    targets: list[Target] = []
    used: set[str] = set()
    for title, forward, backward in pairs_of(functions):
        used |= {forward, backward}
        clues = _merged(functions[forward], functions[backward])
        parameters = _parameters(functions[forward].get("parameters"))
        title = backward if title in {target.name for target in targets} else title
        loss = _loss_of(functions, forward, backward)
        own = {n for n, _ in parameters}
        if loss is not None:
            parameters = parameters + [p for p in _labels(functions[loss]) if p[0] not in own]
            clues = _merged(functions[forward], functions[backward], functions[loss])
        elif labels := _implied(functions[backward].get("parameters"), own):
            loss, parameters = IMPLIED, parameters + labels
        targets.append(
            Target(title, "pair", forward, backward, parameters, [], loss=loss, clues=clues)
        )
    for name, found_class in _dict(_dict(found).get("classes")).items():
        found_class = _dict(found_class)
        init = _parameters(found_class.get("init"))
        for pair in found_class["pairs"] if isinstance(found_class.get("pairs"), list) else ():
            pair = _dict(pair)
            methods = [str(m)[:80] for m in pair.get("methods") or ()][:2]
            title = str(pair.get("title") or "")[:80]
            parameters = _parameters(pair.get("parameters"))
            labels = _implied(pair.get("taken"), {n for n, _ in parameters})
            targets.append(
                Target(
                    f"{name}.{title}" if title else name,
                    "class",
                    name,
                    None,
                    parameters + labels,
                    init,
                    methods=methods,
                    loss=IMPLIED if labels else None,
                    clues=_merged(pair),
                    init_clues=_merged({"clues": found_class.get("clues")}),
                )
            )
    for name, function in functions.items():
        parameters = _parameters(function.get("parameters"))
        if name not in used and parameters and name != "example":
            sure = function.get("returns") == "gradients" or (
                bool(function.get("returns")) and bool(LOSS_WORDS & set(words_of(name)))
            )
            clues = _merged(function)
            targets.append(Target(name, "loss", name, None, parameters, [], sure, clues=clues))
    return targets


def _implied(taken: Any, own: set[str]) -> Parameters:
    """The labels that backward takes beside no upstream gradient, and forward does not."""
    return [(n, True) for n in labels_among(_parameters(taken), own)]


def _labels(function: dict[str, Any]) -> Parameters:
    """Arguments of a function that hold labels, and those after them."""
    parameters = _parameters(function.get("parameters"))
    first = next((i for i, (n, _) in enumerate(parameters) if plain(n) in LABELS), len(parameters))
    return parameters[first:]


def _loss_of(functions: dict[str, Any], forward: str, backward: str) -> str | None:
    """The cost that a backward pass is of, where it takes labels that forward does not."""
    own = {n for n, _ in _parameters(functions[forward].get("parameters"))}
    taken = {n for n, _ in _parameters(functions[backward].get("parameters"))} | own
    wanted = {n for n, _ in _labels(functions[backward])} - own
    if not any(plain(n) in LABELS for n in wanted):
        return None
    likely = [
        name
        for name, function in functions.items()
        if LOSS_WORDS & set(words_of(name))
        and name not in (forward, backward)
        and not BACKWARD_WORDS & set(words_of(name))
        and {n for n, _ in _labels(function)}
        and all(
            n in taken for n, required in _parameters(function.get("parameters"))[2:] if required
        )
    ]
    said = set(words_of(backward))
    return min(likely, key=lambda name: -len(said & set(words_of(name))), default=None)


def _dict(found: Any) -> dict[str, Any]:
    """Take only what has the right type; it comes from the student's process."""
    return found if isinstance(found, dict) else {}


def _parameters(found: Any) -> Parameters:
    pairs = found if isinstance(found, list) else []
    return [(str(p[0])[:80], bool(p[1])) for p in pairs if isinstance(p, list) and len(p) == 2]


def _inherit(function: dict[str, Any], functions: dict[str, dict[str, Any]]) -> None:
    """Give an argument that is only passed on the clues of what it is passed on as."""
    clues = _dict(function.get("clues"))
    for clue in list(clues.values()):
        passed = clue.get("passed") if isinstance(clue, dict) else None
        for pair in passed if isinstance(passed, list) else ():
            name, place = pair if isinstance(pair, list) and len(pair) == 2 else ("", "")
            other = functions.get(name, {}) if isinstance(name, str) else {}
            names = [n for n, _ in _parameters(other.get("parameters"))]
            if isinstance(place, int) and 0 <= place < len(names):
                place = names[place]
            there = _dict(_dict(other.get("clues")).get(place)) if isinstance(place, str) else {}
            for kind in ("keys", "optional", "numbered", "words", "index"):
                if isinstance(there.get(kind), dict) and isinstance(clue.get(kind, {}), dict):
                    clue[kind] = {**there[kind], **clue.get(kind, {})}
                elif kind in there:
                    clue.setdefault(kind, there[kind])
            for key in _dict(there.get("keys")):
                if key in other["clues"]:
                    clues.setdefault(key, other["clues"][key])


def _merged(*described: dict[str, Any]) -> Clues:
    """Clues about the arguments of the first, of all."""
    merged: Clues = {}
    for one in reversed(described):
        for name, clue in _dict(one.get("clues")).items():
            kept = {k: v for k, v in _dict(clue).items() if isinstance(v, CLUES.get(k, ()))}
            merged[name] = {**merged.get(name, {}), **kept}
    return merged


def choose(targets: list[Target], name: str, file: str) -> Target:
    """Return the target called `name`: its title, or the name of one of its functions."""
    for target in targets:
        if name in names_of(target) or target.forward == f"{name}_loss":
            return target
    there = (
        ", ".join(target.name for target in targets if target.sure) or "nothing that can be checked"
    )
    raise OptionError(
        f"{file} has no {name}_forward with a {name}_backward, no class {name} with these two "
        f"methods, and no function {name} that returns a loss and gradients; it has {there}."
    )


def names_of(target: Target) -> tuple[str | None, ...]:
    """What selects a target."""
    return target.name, target.forward, target.backward
