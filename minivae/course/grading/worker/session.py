"""A file of functions, loaded: what is in it, and forward and backward calls of one pair.

The same class serves a student's file, in a process of its own, and the instructor's solution,
inside the grader.
"""

import ast
import contextlib
import copy
import importlib.util
import inspect
import os
import random
import sys
from types import ModuleType
from typing import Any

import numpy as np

from .attributes import find_parameters, gradient_of
from .calling import Call, changed, fill, parameters_of, same, split, try_copy

DEFAULT_RNG = np.random.default_rng
STREAM = 733_001
"""Keeps the frozen streams apart from those that a file gets from a seed of its own."""
KEPT = 8
"""Forward calls that are remembered for a backward call."""


class Session:
    """A file, and the pair in it that is being called."""

    def __init__(self, draws: ModuleType) -> None:
        self.draws = draws  # minivae.check.draws, which this process cannot import by that name
        self.module: ModuleType | None = None
        self.folder, self.source = "", b""
        self.calls: dict[int, Call] = {}
        self.count = 0
        self.settled: list[Any] = [None, None]
        self.watching = contextlib.ExitStack()
        self.log: list[np.ndarray] = []
        self.starts: dict[int, Any] = {}
        self.generators = draws.Generators()
        self.instance: Any = None
        self.parameters: dict[str, tuple[str, str | None]] = {}

    def handle(self, request: dict[str, Any]) -> Any:
        """Do what a request asks for: the name of a method, and its arguments."""
        operation = request["do"]
        if operation not in ("load", "describe", "example", "bind", "forward", "backward"):
            raise ValueError(operation)
        return getattr(self, operation)(**request["with"])

    def load(self, path: str, name: str) -> None:
        """Import a file, under a name that is not `__main__`."""
        self.folder = os.path.dirname(os.path.abspath(path))
        with open(path, "rb") as file:
            self.source = file.read()  # the file may delete itself
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        self.module = module

    def describe(self) -> dict[str, Any]:
        """List the functions and classes that the file defines, with their parameters."""
        functions, classes = {}, {}
        for name, value in list(vars(self.module).items()):
            if name.startswith("_") or not self._is_local(value):
                continue
            if inspect.isclass(value):
                methods = {
                    m: parameters_of(getattr(value, m))[1:]
                    for m in ("forward", "backward")
                    if callable(getattr(value, m, None))
                }
                methods["init"] = parameters_of(value)
                classes[name] = methods
            elif callable(value):
                functions[name] = parameters_of(value)
        return {"functions": functions, "classes": classes, "returning": self._returning()}

    def _returning(self) -> list[str]:
        """Functions with a `return a, b`: they may return a loss and gradients."""
        return [
            node.name
            for node in ast.parse(self.source).body
            if isinstance(node, ast.FunctionDef)
            and any(
                isinstance(part, ast.Return)
                and isinstance(part.value, ast.Tuple)
                and len(part.value.elts) >= 2
                for part in ast.walk(node)
            )
        ]

    def _is_local(self, value: Any) -> bool:
        """Whether the student wrote it: in the file itself, or in one beside it."""
        module = sys.modules.get(getattr(value, "__module__", None) or "")
        if module is self.module:
            return True
        where = getattr(module, "__file__", None) or ""
        return bool(where) and os.path.dirname(os.path.abspath(where)) == self.folder

    def example(self) -> Any:
        """Return what the file's `example()` returns; None if it has none."""
        function = getattr(self.module, "example", None)
        return function() if callable(function) else None

    def bind(
        self, form: str, forward: str, backward: str | None, init: dict[str, Any]
    ) -> dict[str, Any]:
        """Choose what is called, make the object of a class; return its parameters by name."""
        self.calls.clear()
        self.instance, self.parameters = None, {}
        self.settle(None, None)
        if form != "class":
            self.run = getattr(self.module, forward)
            self.run_back = getattr(self.module, backward) if backward else None
            self._look()
            return {}
        self.instance = getattr(self.module, forward)(**init)
        self.run, self.run_back = self.instance.forward, self.instance.backward
        self.parameters = find_parameters(self.instance)
        self._look()
        return {name: self._read(name) for name in self.parameters}

    def _look(self) -> None:
        """Look once what is called: its parameters, and the generators that it keeps."""
        functions = [f for f in (self.run, self.run_back) if f is not None]
        self.signatures = [parameters_of(f) for f in functions]
        self.generators = self.draws.find_generators(*functions)

    def _read(self, name: str) -> Any:
        attribute, key = self.parameters[name]
        value = getattr(self.instance, attribute)
        return value if key is None else value[key]

    def _write(self, name: str, value: Any) -> None:
        attribute, key = self.parameters.get(name, (name, None))
        if key is None:
            setattr(self.instance, attribute, value)
        else:
            getattr(self.instance, attribute)[key] = value

    def settle(self, frozen: list[int] | None, watch: list[Any] | None) -> None:
        """Fix the randomness, and note or repeat the draws, as the grader's contexts ask for.

        `frozen` is a serial number and a seed, `watch` a serial number and whether to repeat; the
        same serial number goes on with the same stream, as inside one `with` statement.
        """
        if [frozen, watch] == self.settled:
            return
        self.watching.close()
        if frozen is not None and frozen != self.settled[0]:
            self._freeze(frozen[1])
        if watch is not None:
            self.log = self.watching.enter_context(
                self.draws.watched_draws(self.generators, watch[1])
            )
        self.settled = [frozen, watch]

    def _freeze(self, seed: int) -> None:
        if seed not in self.starts:
            numbers = np.random.SeedSequence([seed, STREAM]).generate_state(2)
            state = np.random.RandomState(int(numbers[0])).get_state()
            self.starts[seed] = state, random.Random(int(numbers[1])).getstate()
        for generator in self.generators.found:
            self.draws.reseed(generator, seed + STREAM)
        np.random.set_state(self.starts[seed][0])  # noqa: NPY002 - what students draw from
        random.setstate(self.starts[seed][1])
        streams = np.random.SeedSequence([seed, STREAM])
        np.random.default_rng = lambda given=None: DEFAULT_RNG(
            streams.spawn(1)[0] if given is None else given
        )

    def forward(
        self, arguments: dict[str, Any], frozen: list[int] | None, watch: list[Any] | None
    ) -> dict[str, Any]:
        """Run forward; return the outputs, a handle for backward, and what changed in place."""
        before = copy.deepcopy(arguments)
        names = [name for name, _ in self.signatures[0]]
        passed = arguments
        if self.instance is not None:
            passed = {n: v for n, v in arguments.items() if n in names}
            for name in arguments.keys() - passed.keys():
                self._write(name, arguments[name])
        self.settle(frozen, watch)
        drawn = len(self.log)
        if all(n in names for n in passed):
            result = self.run(**passed)
        else:
            result = self.run(*passed.values())
        outputs, cache, cached = split(
            result, self.signatures[0], self.signatures[1] if self.run_back else None
        )
        self.count += 1
        self.calls[self.count] = Call(arguments, before, outputs, cache, cached)
        if len(self.calls) > KEPT:
            del self.calls[min(self.calls)]
        return {
            "outputs": outputs,
            "handle": self.count,
            "changed": changed(arguments, before),
            "draws": self.log[drawn:] if watch else [],
        }

    def backward(
        self,
        handle: int,
        upstream: list[Any],
        frozen: list[int] | None,
        watch: list[Any] | None,
    ) -> dict[str, Any]:
        """Run backward for a forward call; return the gradients, and what changed in place."""
        call = self.calls[handle]
        upstream = [float(dy) if np.ndim(dy) == 0 else dy for dy in upstream]
        before = copy.deepcopy(upstream)
        cache_before = try_copy(call.cache)
        if self.instance is not None and callable(getattr(self.instance, "zero_grad", None)):
            self.instance.zero_grad()
        self.settle(frozen, watch)
        drawn = len(self.log)
        if self.run_back is None:
            returned = call.cache
        else:
            args, named = fill(call, self.signatures[1], upstream, self.instance is not None)
            returned = self.run_back(*args, **named)
        names = [n for n in call.arguments if self.instance is not None]
        return {
            "returned": returned,
            "draws": self.log[drawn:] if watch else [],
            "parameters": {n: g for n in names if (g := gradient_of(self.instance, n)) is not None},
            "changed": changed(call.arguments, call.before),
            "upstream": [
                new if not same(new, old) else None
                for new, old in zip(upstream, before, strict=True)
            ],
            "cache_changed": cache_before is not None and not same(call.cache, cache_before),
        }
