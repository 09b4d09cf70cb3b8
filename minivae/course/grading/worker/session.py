"""A file of functions, loaded: what is in it, and forward and backward calls of one pair.

The same class serves a student's file, in a process of its own, and the instructor's solution,
inside the grader.
"""

import contextlib
import copy
import importlib.util
import io
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from .describing import Described
from .loading import Loading, imports_its_package, packages
from .nested import replaced
from .packing import pack
from .patience import patience

KEPT = 8
"""Forward calls that are remembered for a backward call."""
OPERATIONS = (
    "load", "describe", "example", "bind", "late", "manners", "forward", "backward", "functions",
    "trial", "record",
)  # fmt: skip


@dataclass
class Kept:
    """A forward call, and its arguments as they were before."""

    call: Any
    before: dict[str, Any]


class Session:
    """A file, and the pair in it that is being called.

    Parameters
    ----------
    conventions, draws, frozen, tape : module
        Of `minivae.check.verdict`, and `minivae.check.tape`; the process of a student's file cannot
        import them by that name.
    loader : callable, optional
        How a student's files are loaded, see `loading`; an instructor's must load as they are.
    """

    def __init__(
        self,
        conventions: ModuleType,
        draws: ModuleType,
        frozen: ModuleType,
        tape: ModuleType,
        loader: Callable[[str], Loading] | None = None,
    ) -> None:
        self.conventions, self.draws, self.frozen = conventions, draws, frozen
        self.tape, self.loader = tape, loader
        self.module: ModuleType | None = None
        self.loading: Loading | None = None
        self.folder, self.source = "", b""
        self.calls: dict[int, Kept] = {}
        self.count = 0
        self.settled: list[Any] = [None, None]
        self.freezing, self.watching = contextlib.ExitStack(), contextlib.ExitStack()
        self.log: list[np.ndarray] = []
        self.generators = draws.Generators()
        self.pair: Any = None
        self.editable: Any = None

    def handle(self, request: dict[str, Any]) -> Any:
        """Do what a request asks for: the name of a method, and its arguments."""
        operation = request["do"]
        if operation not in OPERATIONS:
            raise ValueError(operation)
        return getattr(self, operation)(**request["with"])

    def load(self, path: str, name: str, package: list[str]) -> list[str]:
        """Import a file, under a name that is not `__main__`; say what was left out.

        Parameters
        ----------
        path, name : str
            The file, and what its module is called.
        package : list of str
            Names of the folders that it may import from, the outermost first, its own last: a file
            that imports with a dot is a part of them.
        """
        own = os.path.dirname(os.path.abspath(path))
        above = [
            os.path.normpath(os.path.join(own, *[os.pardir] * i))
            for i in range(1, len(package) + 1)
        ]
        self.folder = [own, *above][-1]
        with open(path, "rb") as file:
            self.source = file.read()  # the file may delete itself
        loading = self.loader(self.folder) if self.loader else None
        by_name = () if self.loader else package[-1:]  # else the folders are on the path
        if imports_its_package(self.source, path, by_name):
            name = f"{packages(package, own)}.{name}"
        elif name in sys.modules:
            name = f"student_{name}"
        if loading is not None:
            twin = any(os.path.exists(os.path.join(own, f"{folder}.py")) for folder in package)
            sys.path[:0] = [*above[::-1], own] if twin else [own]  # a module called as its package
            sys.path += above
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        if loading is not None:
            self.loading = loading
            loading.translate = self.conventions.in_double
            loading.run(module, path)
        else:
            spec.loader.exec_module(module)
        self.module = module
        return [] if loading is None else loading.notes

    def describe(self) -> str:
        """List the functions and classes of the file, and what their source says, as JSON."""
        return Described(self.module, self.folder, self.conventions).as_json()

    def example(self) -> Any:
        """Return what the file's `example()` returns; None if it has none."""
        function = getattr(self.module, "example", None)
        return function() if callable(function) else None

    def bind(
        self,
        form: str,
        forward: str,
        backward: str | None,
        init: dict[str, Any],
        methods: list[str],
        loss: str | None = None,
        way: int = 0,
    ) -> dict[str, Any]:
        """Choose what is called, make the object of a class.

        Returns the values of its parameters by name, and the names in backward's return statement.
        """
        self.calls.clear()
        self.settle(None, None)
        target, cost = getattr(self.module, forward), None
        if loss == self.conventions.IMPLIED:  # its way is which
            cost, way = self.conventions.Implied(way), 0
        elif loss:
            cost = getattr(self.module, loss)
        if form == "class":
            self.pair = self.conventions.Pair.of(target, init, methods, way, cost)
        else:
            other = getattr(self.module, backward) if backward else None
            self.pair = self.conventions.Pair(target, other, loss=cost, way=way)
        self.generators = self.draws.find_generators(*self.pair.functions)
        return {"parameters": self.pair.values(), "names": self.pair.returned_names}

    def late(self) -> dict[str, Any]:
        """Return the parameters that the first forward pass has made."""
        self.pair.find_late(self.calls[self.count].call.arguments if self.calls else {})
        return self.pair.values()

    def manners(self) -> dict[str, Any]:
        """Return what else is to be known of the pair; see `Pair.manners`."""
        arguments = self.calls[self.count].call.arguments if self.calls else {}
        self.settle(None, None)
        found = self.pair.manners(
            arguments, lambda: self.frozen.frozen_randomness(0, self.generators.found)
        )
        single = self.loading is not None and self.loading.single and found["single"]
        return {**found, "single": single}

    def functions(self, upstream: list[Any]) -> list[dict[str, Any]]:
        """Describe the functions of the pair, as source that can be changed.

        Runs it once more, at the arguments of the last call.
        """
        translate = None if self.loading is None else self.loading.translated
        self.editable = self.conventions.Editable(self.pair, translate)
        kept = self.calls[self.count]
        arguments, upstream = copy.deepcopy((kept.before, upstream))

        def run() -> None:
            self.pair.backward(self.pair.forward(arguments), upstream)

        return self.editable.describe(run)

    def trial(
        self,
        index: int,
        text: str,
        arguments: dict[str, Any],
        upstream: list[Any],
        frozen: list[int] | None,
    ) -> dict[str, Any]:
        """Run forward and backward with another text in the place of one function's."""
        self.settle(frozen, None)
        with (
            self.editable.exchanged(index, text),
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(action="ignore"),
            patience(),
        ):
            call = self.pair.forward(arguments)
            returned = self.pair.backward(call, upstream)
            kept = self.pair.kept()
        return {"outputs": call.outputs, "returned": returned, "parameters": kept}

    def settle(self, frozen: list[int] | None, watch: list[Any] | None) -> None:
        """Fix the randomness, and note or repeat the draws, as the grader's contexts ask for.

        `frozen` is a serial number and a seed, `watch` a serial number and whether to repeat; the
        same serial number goes on with the same stream, as inside one `with` statement.
        """
        if [frozen, watch] == self.settled:
            return
        self.watching.close()
        if frozen != self.settled[0]:
            self.freezing.close()
            if frozen is not None:
                self.freezing.enter_context(
                    self.frozen.frozen_randomness(frozen[1], self.generators.found)
                )
        if watch is not None:
            self.log = self.watching.enter_context(
                self.draws.watched_draws(self.generators, watch[1])
            )
        self.settled = [frozen, watch]

    def forward(
        self, arguments: dict[str, Any], frozen: list[int] | None, watch: list[Any] | None
    ) -> dict[str, Any]:
        """Run forward; return the outputs, a handle for backward, and what changed in place."""
        before = copy.deepcopy(arguments)
        self.settle(frozen, watch)
        drawn = len(self.log)
        call = self.pair.forward(arguments)
        self.count += 1
        self.calls[self.count] = Kept(call, before)
        if len(self.calls) > KEPT:
            del self.calls[min(self.calls)]
        return {
            "outputs": call.outputs,
            "handle": self.count,
            "changed": self.conventions.changed(arguments, before),
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
        kept, same = self.calls[handle], self.conventions.same
        before = copy.deepcopy(upstream)
        cache_before = self.conventions.try_copy(kept.call.cache)
        self.settle(frozen, watch)
        drawn = len(self.log)
        returned = self.pair.backward(kept.call, upstream)
        return {
            "returned": returned,
            "draws": self.log[drawn:] if watch else [],
            "parameters": self.pair.kept(),
            "changed": self.conventions.changed(kept.call.arguments, kept.before),
            "upstream": [
                new if not same(new, old) else None
                for new, old in zip(upstream, before, strict=True)
            ],
            "cache_changed": cache_before is not None and not same(kept.call.cache, cache_before),
        }

    def record(
        self,
        arguments: dict[str, Any],
        names: dict[str, Any],
        frozen: list[int] | None,
        watch: list[Any] | None,
    ) -> dict[str, Any] | None:
        """Run forward on a tape; `names` has, in the place of each array, what it is called."""
        flat: dict[str, np.ndarray] = {}
        replaced(arguments, names, flat.setdefault)
        self.settle(frozen, watch)

        def run(traced: dict[str, np.ndarray]) -> list[Any]:
            call = self.pair.forward(replaced(arguments, names, lambda name, _: traced[name]))
            several = isinstance(call.outputs, tuple | list)
            return list(call.outputs) if several else [call.outputs]

        return pack(self.tape.record(run, flat))
