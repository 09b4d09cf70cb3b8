"""What an object needs before its first forward pass: sizes, an optimizer, layers inside.

Keras-like layers are built once their input is known, `build(input_shape)` or `initialize(
optimizer)`; networks hold layers, which stand-ins play. A step of length 1 shows a gradient that
backward spends at once: it is what the parameter loses.
"""

import inspect
import re
from typing import Any

import numpy as np

from .names import BACKWARDS, FORWARDS, STEP_SIZES, argument_of, plain
from .values import is_float

PREPARES = re.compile(
    r"_?(set_input_shape|build|(init|initiali[sz]e)(_?(weights|param\w*|layers?))?)"
)
"""Methods that are called before forward."""
LAYERS = re.compile(
    r"(sub_?)?(layer|module|block|activation)s$|(sub_?)?(layer|module|block)$|layer_list$|criterion$",
    re.IGNORECASE,
)
"""What holds layers, or a cost."""


class StandIn:
    """A layer without parameters to be held by another, y = 0.7 x + 0.4 sin x, entry by entry."""

    def __init__(self) -> None:
        self.params: list = []
        self.grads: list = []
        self.optimizer, self.name = None, "layer"

    def forward(self, *given: Any, **named: Any) -> np.ndarray:
        """The output; the input comes first, by whatever name."""
        x = next(iter((*given, *named.values())))
        self.cache, self.output = x, 0.7 * x + 0.4 * np.sin(x)
        self.state = self.output
        return self.output

    def derivative(self, *rest: Any) -> np.ndarray:
        """The slope at the last input."""
        return 0.7 + 0.4 * np.cos(self.cache)

    def backward(self, *given: Any, **named: Any) -> np.ndarray:
        """The gradient of the input; the upstream gradient may come after the input."""
        arrays = [a for a in (*given, *named.values()) if np.ndim(a) and a is not self.cache]
        return arrays[0] * self.derivative()


class Cost(StandIn):
    """The cross-entropy of a softmax for each example, to be held by a network."""

    def forward(self, x: np.ndarray, y: np.ndarray, *rest: Any) -> np.ndarray:  # type: ignore
        """The cost of each row of x."""
        x = x - x.real.max(axis=1, keepdims=True)
        log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
        y = np.eye(x.shape[1])[y] if y.ndim == 1 else y
        self.cache = np.exp(log_p) - y
        return -np.sum(y * log_p, axis=1)

    def backward(self, *given: Any, **named: Any) -> np.ndarray:
        """The gradient of their sum."""
        return self.cache

    derivative = backward


for _kind in (StandIn, Cost):
    for _name in FORWARDS:
        setattr(_kind, _name, _kind.forward)
    for _name in BACKWARDS[:7]:
        setattr(_kind, _name, _kind.backward)


class Step:
    """An optimizer that takes steps of length 1, and does nothing else that it is asked to."""

    def update(self, parameter: Any, gradient: Any, *rest: Any) -> Any:
        """The parameter after the step; of a layer and a dict of gradients, the layer's own."""
        if not isinstance(gradient, dict):
            return parameter - gradient
        own = vars(parameter)
        for key, g in gradient.items():
            for holder in (own, *(v for v in own.values() if isinstance(v, dict))):
                if is_float(holder.get(name := argument_of(key, holder))):
                    holder[name] = holder[name] - g
                    break
        return None

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        return lambda *given, **named: None


def stand_ins(name: str, sizes: dict[str, Any] | None = None) -> Any:
    """A cost, one layer, or a list of layers where the name is a plural.

    There are two of them, or as many as lists of the sizes of convolutions have entries.
    """
    if name.lower() == "criterion":
        return Cost()
    listed = [v for n, v in (sizes or {}).items() if re.search("kernel|stride", n)]
    count = max((len(v) for v in listed if isinstance(v, list)), default=2)
    return StandIn() if name.endswith(("r", "e", "k")) else [StandIn() for _ in range(count)]


def furnish(instance: Any) -> None:
    """Give an object layers and an optimizer where it has none; let its steps have length 1."""
    for name, value in list(getattr(instance, "__dict__", {}).items()):
        if LAYERS.match(name) and value == []:
            value += stand_ins("layers")
        elif value is None and "optim" in name:
            setattr(instance, name, Step())
        elif plain(name) in STEP_SIZES and isinstance(value, float):
            setattr(instance, name, 1.0)


def takes_steps(instance: Any, names: list[str]) -> bool:
    """Whether an object, or its backward pass, knows the length of a step, or how to take one."""
    inside = getattr(instance, "__dict__", {})
    own = any(plain(n) in STEP_SIZES and v == 1.0 for n, v in inside.items() if type(v) is float)
    return own or bool(names) or any(isinstance(value, Step) for value in inside.values())


def prepare(instance: Any, x: Any) -> bool:
    """Build an object for an input; whether anything was called or set."""
    if not isinstance(x, np.ndarray) or not x.ndim or instance is None:
        return False
    done = False
    for name, value in list(vars(instance).items()):
        if value is None and re.fullmatch("nin|inputs?(dim|size|shape)|infeatures", plain(name)):
            setattr(instance, name, x.shape[1:] if "shape" in name else x.shape[-1])
            done = True
    for name in sorted(dir(type(instance)), key=lambda n: "shape" not in n):
        method = getattr(instance, name, None)
        if PREPARES.fullmatch(name) and inspect.ismethod(method):
            given = {}
            for p in inspect.signature(method).parameters.values():
                if "shape" in p.name:
                    given[p.name] = x.shape if name == "build" else x.shape[1:]
                elif "optim" in p.name:
                    given[p.name] = Step()
                elif re.fullmatch("nin|inputs?(dim|size)|infeatures", plain(p.name)):
                    given[p.name] = x.shape[-1]
            try:
                method(**given)
            except Exception:  # it needs more than is known
                continue
            done = True
    return done
