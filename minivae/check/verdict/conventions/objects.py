"""Objects with a forward and a backward: where they keep parameters, and their gradients.

A parameter is an array of floats among the attributes, in a dict or a list of them, or the `data`
of an object that has a `grad` as well. One array in several places is one parameter: all of its
places are set together, so that it does not matter which of them forward reads.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .calling import parameters_of
from .names import BACKWARDS, BESIDE, CACHES, FORWARDS, HELD, gradient_names, plain
from .pairing import pairs_of
from .prepared import LAYERS, stand_ins
from .source import called_in
from .values import Unreadable, is_float

INITIAL = re.compile(r"init_?(fn|func|function|ializer)$")
"""How a function that makes the first weights is called."""
DEPTH = 6
"""Containers inside containers in which parameters are looked for."""


@dataclass(frozen=True)
class Place:
    """Where an array is: an attribute of an object, or an entry of its dict or list."""

    holder: Any
    key: Any
    owner: Any = None

    def get(self) -> Any:
        """What is there."""
        if isinstance(self.holder, dict | list):
            return self.holder[self.key]
        return getattr(self.holder, self.key)

    def set(self, value: Any) -> None:
        """Put something there."""
        if isinstance(self.holder, dict | list):
            self.holder[self.key] = value
        else:
            setattr(self.holder, self.key, value)


def methods_of(target: Any) -> tuple[str, str | None] | None:
    """Names of the forward and the backward method; None if there are none.

    A `loss` alone may return its gradients too.
    """

    def has(name: str) -> bool:
        if name == "__call__" and isinstance(target, type):  # every class can be called itself
            return any("__call__" in vars(base) for base in target.__mro__)
        return callable(getattr(target, name, None))

    forward = next(filter(has, FORWARDS), None)
    if forward == "forward" and has("calculate"):
        forward = "calculate"  # the mean of what forward gives for each example
    backward = next(filter(has, BACKWARDS), None)
    if forward is None or (backward is None and forward != "loss"):
        return None
    return forward, backward


def pairs_in(kind: type, *, derived: bool) -> list[tuple[str, str, str | None]]:
    """Titles and methods of all the pairs of a class, the main one without a title.

    A network often holds `sigmoid` and `sigmoid_derivative` beside its forward pass. Methods
    that are not written, of a class that others derive from, are nobody's; nor are those that a
    class has only inherited so.

    Parameters
    ----------
    kind : type
        The class.
    derived : bool
        Whether others derive from it.
    """
    main = methods_of(kind)
    found = [] if main is None else [("", *main)]
    own = [n for n in vars(kind) if callable(getattr(kind, n)) and n[:2] != "__"]
    for title, forward, backward in pairs_of(own):
        helper = forward[:1] == "_" and title == forward  # `_forward`, which forward calls
        if main is None or not (helper or {forward, backward} & set(main)):
            found.append((title if title != forward or found else "", forward, backward))
    return [
        pair
        for pair in found
        if not any(
            is_unwritten(getattr(kind, m)) and (derived or m not in vars(kind))
            for m in pair[1:]
            if m
        )
    ]


def is_unwritten(function: Callable) -> bool:
    """Whether the body of a function is `pass`, `...`, or that it is not written."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body
    except Exception:  # no source
        return False
    for node in body:
        text = ast.unparse(node)
        plainly = isinstance(node, ast.Pass) or text in ("return", "return None")
        constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        refuses = isinstance(node, ast.Raise | ast.Return) and "NotImpl" in text
        if not (plainly or constant or refuses):
            return False
    return True


def find_parameters(instance: Any) -> dict[str, list[Place]]:
    """Parameters by name, each with all of its places."""
    by_array: dict[int, tuple[str, list[Place]]] = {}
    for name, place in _arrays(instance, "", DEPTH):
        by_array.setdefault(id(place.get()), (name, []))[1].append(place)
    found: dict[str, list[Place]] = {}
    for name, places in by_array.values():
        short = name.rpartition(".")[2]
        twice = sum(n.rpartition(".")[2] == short for n, _ in by_array.values()) > 1
        found[name if twice else short] = places
    parts = [(name, name.rpartition(".")[2]) for name in found]
    gradients = {n.removesuffix(short) + g for n, short in parts for g in gradient_names(short)}
    return {n: places for n, places in found.items() if n not in gradients}


def _arrays(holder: Any, path: str, depth: int, owner: Any = None) -> Iterator[tuple[str, Place]]:
    """Paths and places of the arrays that can be parameters; the owner is the innermost object."""
    owner = owner if isinstance(holder, dict | list | tuple) else holder
    if isinstance(holder, list | tuple):
        items = [(f"{path}[{i}]", i, value) for i, value in enumerate(holder)]
    else:
        source = holder if isinstance(holder, dict) else vars(holder)
        inside = f"{path}." if path else ""
        items = [(f"{inside}{key}", key, value) for key, value in source.items()]
    known = {str(key) for _, key, _ in items}
    for name, key, value in items:
        own = str(key)
        if own.startswith("grad") or plain(own).startswith("cache") or plain(own) in CACHES:
            continue
        if own[:1] == "_" and not known.intersection(gradient_names(own)):
            continue  # `_W` beside `_dW` is a parameter
        if is_float(value):
            if not isinstance(holder, tuple):  # nothing can be put there
                yield name, Place(holder, key, owner)
        elif inside := held(value):
            yield name, Place(value, inside, value)
        elif depth and (isinstance(value, dict | list | tuple) or _is_layer(value)):
            yield from _arrays(value, name, depth - 1, owner)


def held(value: Any) -> str:
    """What an object or a dict, `{"val": W, "grad": dW}`, calls its parameter; empty if no such."""
    inside = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    if not any(key in inside for key in BESIDE[: 4 if isinstance(value, dict) else 1]):
        return ""
    return next((key for key in HELD if is_float(inside.get(key))), "")


def _is_layer(value: Any) -> bool:
    return hasattr(value, "__dict__") and methods_of(value) is not None


def uses(instance: Any, method: Callable) -> bool:
    """Whether a method asks anything of its object; `sigmoid(self, z)` of a network does not."""
    if instance is None:
        return False
    codes = [getattr(inspect.unwrap(method), "__code__", None)]
    if codes[0] is None:
        return True
    for code in codes:  # grows meanwhile
        codes += [part for part in code.co_consts if inspect.iscode(part)]
    return any(hasattr(instance, name) for code in codes for name in code.co_names)


def _normal(*shape: Any, row: bool = True, **named: Any) -> np.ndarray:
    """Numbers in a shape, which is given as one or by its sizes; of one size, a row or not."""
    shape = (*shape, *named.values())
    if len(shape) == 1:
        shape = shape[0] if isinstance(shape[0], tuple | list) else (1,) * row + shape
    return 0.6 * np.random.default_rng(len(shape)).standard_normal(shape)


def is_made(name: str, called: bool) -> bool:
    """Whether `make` finds something for an argument of a constructor that is not given."""
    return bool(called or LAYERS.match(name) or INITIAL.search(name))


def make(
    target: Any, init: dict[str, Any], methods: Sequence[str] | None = None
) -> tuple[Any, Callable, Callable | None]:
    """Make an object of a class, or take the object; return it and its two methods.

    A function that a constructor asks for and calls, or passes on, `weight_init_fn(n_in, n_out)`,
    draws numbers of that shape, where none is given.
    """
    instance = target
    if isinstance(target, type):
        called = called_in(target.__init__)
        asked = [n for n, required in parameters_of(target) if required]
        row = not any("kernel" in n for n in asked)  # as a bias of each channel
        own = {
            n: stand_ins(n, init) if LAYERS.match(n) else partial(_normal, row=row)
            for n in asked
            if init.get(n) is None and is_made(n, n in called)
        }
        instance = target(**{**init, **own})
    methods = (*methods, None)[:2] if methods else methods_of(instance)
    if methods is None:
        raise Unreadable(
            f"{type(instance).__name__} has no forward and backward; name its two methods so"
        )
    forward, backward = methods
    return (
        instance,
        getattr(instance, forward),
        None if backward is None else getattr(instance, backward),
    )
