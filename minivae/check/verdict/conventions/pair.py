"""A student's pair, called: two functions, a function that returns both, or an object."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .calling import (
    Call,
    fill,
    fill_again,
    how_split,
    parameters_of,
    split,
    upstreams_taken,
    without,
)
from .implied import Implied, labels_among
from .kept import gradient_of, kept_output, own_gradients, spent
from .names import DERIVATIVES, STEP_SIZES, plain
from .objects import find_parameters, make, uses
from .overlooked import lost_among, numbers_with_gradients, overlooked
from .owners import returned_names
from .pairing import words_of
from .prepared import furnish, prepare, takes_steps
from .source import purpose_of
from .values import Unreadable, times, try_copy
from .ways import as_derivative, is_read, other_ways


class Pair:
    """Forward and backward as somebody wrote them, called as they ask for it.

    Parameters
    ----------
    forward, backward : callable
        Functions or bound methods; without backward, forward returns (loss, gradients).
    instance : object, optional
        What they are methods of.
    loss : callable or Implied, optional
        The cost of forward's output and the labels, whose gradients backward returns, as in
        `backward_propagation(parameters, cache, X, Y)` beside `compute_cost(A2, Y)`.
    way : int
        Which of `other_ways` backward is called in; 0 as its names say.

    Attributes
    ----------
    parameters : dict of str to list of Place
        Parameters of the object.
    upstream : list of (str, bool)
        What backward calls the upstream gradients, and whether it must be given them; empty where
        it takes none, and before it has run.
    """

    def __init__(
        self,
        forward: Callable,
        backward: Callable | None = None,
        instance: Any = None,
        loss: Callable | Implied | None = None,
        way: int = 0,
    ) -> None:
        self.run, self.run_back, self.instance, self.loss = forward, backward, instance, loss
        self.forward_names = [n for n, _ in parameters_of(forward)]
        taken = None if backward is None else parameters_of(backward)
        own = self.forward_names
        self.step = {n: 1.0 for n, _ in taken or () if plain(n) in STEP_SIZES and n not in own}
        self.backward_parameters = taken and [p for p in taken if p[0] not in self.step]
        self.prepared, self.late, self.spent = False, False, dict[str, Any]()
        self.parameters = find_parameters(instance) if uses(instance, forward) else {}
        self.overwritten: set[str] = set()  # what forward itself computes, as the mean of a batch
        self.how: str | None = None
        self.way = way
        self.taken = upstreams_taken(backward, self.forward_names)
        self.upstream: list[tuple[str, bool]] = []
        self.returned_names = returned_names(backward or forward)
        if backward is None:  # the first part is the loss
            self.returned_names = self.returned_names[1:]

    @classmethod
    def of(
        cls,
        target: Any,
        init: dict[str, Any],
        methods: Sequence[str] | None = None,
        way: int = 0,
        loss: Implied | None = None,
    ) -> "Pair":
        """The pair of a class, made with `init`, or of an object."""
        instance, forward, backward = make(target, init, methods)
        furnish(instance)
        return cls(forward, backward, instance, loss, way)

    @property
    def functions(self) -> list[Callable]:
        """The two functions, or the one, and the cost."""
        loss = None if isinstance(self.loss, Implied) else self.loss
        return [f for f in (self.run, self.run_back, loss) if f is not None]

    def values(self) -> dict[str, Any]:
        """Parameters of the object by name."""
        return {n: places[0].get() for n, places in self.parameters.items()}

    def find_late(self, arguments: dict[str, Any]) -> None:
        """Look for parameters again, which a first forward pass may have made.

        Arrays that are no arguments, and for which backward has left a gradient, are parameters.
        """
        if not self.parameters and uses(self.instance, self.run):
            self.late, passed = True, {id(value) for value in arguments.values()}
            self.parameters = {
                n: places
                for n, places in find_parameters(self.instance).items()
                if id(places[0].get()) not in passed
                and n not in self.forward_names
                and (n in self.spent or gradient_of(self.instance, n, places) is not None)
            }

    def forward(self, arguments: dict[str, Any]) -> Call:
        """Run forward with what it takes of the arguments; set the parameters among them."""
        for n, places in self.parameters.items():
            if n in arguments:
                for place in places:
                    place.set(arguments[n])
        names = self.forward_names
        passed = arguments
        if self.parameters:
            passed = {n: v for n, v in arguments.items() if n not in self.parameters or n in names}
        try:
            result = self._run(passed)
        except Exception:
            first = next((v for n, v in passed.items() if n in names), None)
            if self.parameters or self.prepared or not prepare(self.instance, first):
                raise
            self.prepared = True
            result = self._run(passed)
        self.overwritten = {
            n
            for n, places in self.parameters.items()
            if n in arguments and all(place.get() is not arguments[n] for place in places)
        }
        if result is None and self.instance is not None:
            result = kept_output(self.instance)
        if self.how is None:
            self.how = how_split(result, arguments, self.backward_parameters)
        call = split(result, arguments, self.how)
        own = [n for n in arguments if n in names] if self.instance is not None else arguments
        call.passed = {n: arguments[n] for n in own}
        if isinstance(call.outputs, tuple) and 0 < self.taken < len(call.outputs):
            call.outputs = call.outputs[: self.taken] if self.taken > 1 else call.outputs[0]
        if self.loss is not None:
            call.outputs, call.before = self._cost(call), call.outputs
        return call

    def _run(self, passed: dict[str, Any]) -> Any:
        names = self.forward_names
        if all(n in names for n in passed) or "**" in "".join(names):
            return self.run(**passed)
        if self.instance is not None or len(passed) > len(names):
            return self.run(**{n: v for n, v in passed.items() if n in names})
        return self.run(*passed.values())

    def _cost(self, call: Call) -> Any:
        """The cost of forward's output; what is no argument of forward by name is the output."""
        if isinstance(self.loss, Implied):
            output = call.outputs[-1] if isinstance(call.outputs, tuple) else call.outputs
            labels = next(labels_among(self.backward_parameters or [], self.forward_names))
            if labels not in call.arguments:
                raise Unreadable(without(labels, call))
            arrays = (a for n, a in call.passed.items() if n != labels and np.ndim(a))
            return self.loss(output, call.arguments[labels], next(arrays, None))
        output = call.outputs[0] if isinstance(call.outputs, tuple) else call.outputs
        named = {
            n: call.arguments.get(n, output)
            for n, required in parameters_of(self.loss)
            if n in call.arguments or required
        }
        cost = self.loss(**named)
        return float(np.squeeze(cost)) if np.size(cost) == 1 and np.isrealobj(cost) else cost

    def backward(self, call: Call, upstream: list[Any]) -> Any:
        """Run backward for a forward call; return what it returns.

        A derivative, which takes no upstream gradient, is multiplied by it.
        """
        if self.run_back is None:
            return call.cache
        self._clear_gradients()
        upstream = [float(dy) if np.ndim(dy) == 0 else dy for dy in upstream]
        named_so = DERIVATIVES & set(words_of(getattr(self.run_back, "__name__", "")))
        method = self.instance is not None and not named_so
        if self.loss is not None:
            named = fill_again(call, self.backward_parameters or [], returned_names(self.run))
            return times(self._call_back([], named), float(np.sum(upstream[0])))
        parameters = self.backward_parameters or []
        if self.way:
            ways = other_ways(call, parameters, upstream, kept_output(self.instance))
            named, passed = next(itertools.islice(ways, self.way - 1, None), ({}, None))
            if passed is None:
                raise Unreadable("there is no other way to call backward")
            args: list[Any] = []
        else:
            args, named, passed = fill(call, parameters, upstream, method, bool(named_so))
        self.upstream = self._upstream(named, upstream) if passed else []
        returned = self._call_back(args, named)
        if passed:
            return returned
        ignored = not named_so and len(named) == 1 and not is_read(self.run_back, *named)
        return as_derivative(returned, upstream, ignored)

    def _call_back(self, args: list[Any], named: dict[str, Any]) -> Any:
        """Call backward; a step that it takes is taken back."""
        run = self.run_back
        assert run is not None
        if not takes_steps(self.instance, list(self.step)):
            return run(*args, **named)
        returned, self.spent = spent(self.instance, lambda: run(*args, **named, **self.step))
        return returned

    def _clear_gradients(self) -> None:
        """Call the object's `zero_grad` or `zero_grads`, if any; what forward left there stays.

        Parameters that a first forward pass has made have a gradient from that already.
        """
        for n, places in self.parameters.items() if self.late else ():
            gradient = gradient_of(self.instance, n, places)
            if isinstance(gradient, np.ndarray) and gradient.flags.writeable:
                gradient[...] = 0
        zero = getattr(self.instance, "zero_grad", getattr(self.instance, "zero_grads", None))
        if not callable(zero):
            return
        before = dict(vars(self.instance))
        with contextlib.suppress(Exception):  # there are none yet
            zero()
        for n, value in before.items():
            if value is not None and getattr(self.instance, n, None) is None and n[:1] not in "dg":
                setattr(self.instance, n, value)

    def _upstream(self, named: dict[str, Any], upstream: Iterable[Any]) -> list[tuple[str, bool]]:
        """Parameters of backward that are given the upstream gradients."""
        given = {id(dy) for dy in upstream}
        found = [
            (n, required)
            for n, required in self.backward_parameters or []
            if id(named.get(n)) in given
            or (isinstance(named.get(n), tuple) and given & set(map(id, named[n])))
        ]
        return found or (self.backward_parameters or [("dout", True)])[:1]

    def manners(
        self, arguments: dict[str, Any], frozen: Callable[[], contextlib.AbstractContextManager]
    ) -> dict[str, Any]:
        """What else is to be known, after a forward and a backward call at some arguments.

        Returns
        -------
        dict
            `upstream`, as above; `stopped`, `epsilon` and `single`, see `Purpose`; `overlooked`,
            arrays of the object that change its output though no gradient was found for them; and
            `lost`, local names of their gradients in backward.
        """
        purpose = purpose_of(self.functions)
        own = {n: v for n, v in arguments.items() if n not in self.parameters}
        found: list[Any] = []
        if self.instance is not None:
            graded = [p for n, p in self.parameters.items() if n in self.kept()]
            known = {id(v) for v in own.values()} | {id(p[0].get()) for p in graded}
            names = {id(p[0].get()): n for n, p in self.parameters.items()}
            found = overlooked(self.instance, known, names, lambda: self._outputs(own, frozen))
            found += numbers_with_gradients(self.instance)
        return {
            "upstream": [list(pair) for pair in self.upstream],
            "stopped": purpose.stopped,
            "epsilon": purpose.epsilon,
            "single": purpose.single,
            "overlooked": [[name, list(shape)] for name, shape in found],
            "lost": lost_among(self.run_back, [name for name, _ in found]),
        }

    def _outputs(
        self, arguments: dict[str, Any], frozen: Callable[[], contextlib.AbstractContextManager]
    ) -> Any:
        with frozen():
            return self.forward(try_copy(arguments)).outputs

    def kept(self) -> dict[str, Any]:
        """Gradients that backward left at the object, by parameter."""
        found = {
            n: gradient_of(self.instance, n, p)
            for n, p in self.parameters.items()
            if n not in self.overwritten and n not in self.spent
        }
        found |= {n: g for n, g in self.spent.items() if n in self.parameters}
        if self.instance is not None:
            own = [n for n in self.forward_names if n not in found]
            found |= own_gradients(self.instance, own)
        return {n: g for n, g in found.items() if g is not None}
