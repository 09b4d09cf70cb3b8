"""What a loaded file holds that can be called, and what its source says about it, as JSON."""

import inspect
import json
import os
import sys
from types import ModuleType
from typing import Any

from .clues import clues_of


def _home(value: Any) -> str:
    """The module that a function or class was written in."""
    return getattr(value, "__module__", None) or ""


class Described:
    """A module, as the grader needs to know it.

    Parameters
    ----------
    module : module
        The file.
    folder : str
        Where it may import files from.
    conventions : module
        Of `minivae.check.verdict`.
    """

    def __init__(self, module: ModuleType, folder: str, conventions: ModuleType) -> None:
        self.module, self.folder, self.conventions = module, folder, conventions

    def as_json(self) -> str:
        """List the functions and classes of the file, and what their source says, as JSON."""
        parameters_of, seen = self.conventions.parameters_of, self._clues_of
        functions, classes = {}, {}
        for name, value in self._written().items():
            if inspect.isclass(value):
                pairs = [self._described(value, *pair) for pair in self._pairs(value)]
                init, clues = parameters_of(value), seen(value.__init__)
                if pairs:
                    classes[name] = {"pairs": pairs, "init": init, "clues": clues}
            elif callable(value):
                functions[name] = {
                    "parameters": parameters_of(value),
                    "clues": seen(value),
                    "returns": self._returns(value),
                }
        return json.dumps({"functions": functions, "classes": classes})

    def _clues_of(self, function: Any) -> dict[str, Any]:
        """What the source says about the arguments; nothing if it is nested too deeply."""
        try:
            return clues_of(function)
        except RecursionError:
            return {}

    def _returns(self, function: Any) -> str:
        try:
            return self.conventions.kind_of_return(self.conventions.returned_names(function))
        except RecursionError:
            return ""

    def _written(self) -> dict[str, Any]:
        """What the student wrote in this file, or else what it imports from files beside it."""
        names = {n: v for n, v in vars(self.module).items() if n[:1] != "_" and n != "example"}
        own = {n: v for n, v in names.items() if _home(v) == self.module.__name__}
        if any(map(callable, own.values())):
            return own
        files = {n: getattr(sys.modules.get(_home(v)), "__file__", None) for n, v in names.items()}
        inside = self.folder + os.sep
        return {
            n: names[n] for n, f in files.items() if f and os.path.abspath(f).startswith(inside)
        }

    def _pairs(self, kind: type) -> list[tuple[str, str, str | None]]:
        """Titles and methods of the pairs of a class that somebody has written."""
        others = [c for c in vars(self.module).values() if inspect.isclass(c) and c is not kind]
        derived = any(issubclass(c, kind) for c in others)
        return [] if inspect.isabstract(kind) else self.conventions.pairs_in(kind, derived=derived)

    def _described(self, kind: type, title: str, *methods: str | None) -> dict[str, Any]:
        forward, *backward = [getattr(kind, m) for m in methods if m]
        static = isinstance(inspect.getattr_static(kind, methods[0]), staticmethod | classmethod)
        clues = [self._clues_of(f) for f in (forward, *backward)]
        names = {n for clue in clues for n in clue}
        return {
            "title": title,
            "methods": [m for m in methods if m],
            "parameters": self.conventions.parameters_of(forward)[0 if static else 1 :],
            "taken": self.conventions.parameters_of(backward[0])[1:] if backward else [],
            "clues": {
                n: {k: v for c in reversed(clues) for k, v in c.get(n, {}).items()} for n in names
            },
        }
