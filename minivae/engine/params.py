"""Params: one flat `theta`, one flat `grad`, and named, shaped views of both.

Because every parameter of a model lies in one array, an optimizer is one loop, a checkpoint is one
array, and the norm of the gradient is one sum. The views share memory with the flat pair, so
writing `params["W"][...] = 0` writes into `theta`, and the other way round:

    theta  [ W W W W W W | b b b | W W W | b ]      params["0.W"].shape == (2, 3)
             `--- "0" ---------'   `- "1" ---'      params["1.b"].shape == (1,)

**Carried numbers.** A step may carry on numbers that no gradient moves: the running moments of a
norm, the counts of a codebook. They lie in a third flat array, `carried`, in the same order and
with views of their own, and a checkpoint keeps them. A layer moves them in its forward pass:

    if self.params.training:
        self.params.carried_of("mean")[...] += 0.1 * (batch_mean - self.params.carried_of("mean"))

`training` is true inside the block `with params.training:`, and `Model.step` is such a block.
Everything else is an evaluation and moves nothing: `Model.forward`, `encode`, `sample`. All parts
of a model share the one switch.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from ..errors import DtypeError, OptionError, ShapeError, shown
from .available import require_memory
from .backend import Array, Backend, float_dtype, get_backend
from .door import door
from .kinds import Whole
from .switch import Switch


@door
class Params:
    """Named parameters and their gradients, as views of one flat pair.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Name and shape of each parameter, in order. All start at zero.
    dtype : {"float32", "float64"}
        dtype of `theta` and `grad`.
    backend : str or Backend
        Where the arrays live.
    carried : dict of str to tuple of int, optional
        Name and shape of each array of numbers that a step carries on but no optimizer moves.

    Attributes
    ----------
    theta, grad : array, (P,)
        All parameters, and dL/dtheta in the same order.
    carried : array, (C,)
        All numbers that are carried on.
    training : Switch
        Whether this is a step of training, of the whole model; see above.
    """

    same_calls = True  # what a recorded step rests on: `cpu/recorded.py`
    past_the_door: ClassVar[frozenset[str]] = frozenset(
        {"__getitem__", "grad_of", "carried_of", "set_grads", "stopped"}
    )
    """Methods of a step, which look at what they are given themselves."""

    def __init__(
        self,
        shapes: dict[str, tuple[Whole, ...]],
        dtype: "str | np.dtype" = "float32",
        backend: str | Backend = "auto",
        carried: dict[str, tuple[Whole, ...]] | None = None,
    ) -> None:
        self.backend = get_backend(backend)
        self.dtype = float_dtype(dtype)
        self.shapes, self.carried_shapes = dict(shapes), dict(carried or {})
        self.training = Switch()
        self._parts: list[Params] = []
        self._joined = False
        size, more = (
            sum(map(math.prod, some.values())) for some in (self.shapes, self.carried_shapes)
        )
        self._require(size, more)
        xp = self.backend.xp
        self._bind(*(xp.zeros(n, self.dtype) for n in (size, size, more)))

    def _require(self, size: int, more: int) -> None:
        """Refuse parameters, gradients and a first draw of the weights that memory cannot hold."""
        if self.backend.xp is not np or not size:
            return  # a device says itself when its memory is not enough
        name, shape = max(self.shapes.items(), key=lambda item: math.prod(item[1]))
        drawn = 8 * math.prod(shape)
        require_memory(
            (2 * size + more) * self.dtype.itemsize + drawn,
            f"{size:,} parameters with their gradients ({name} is {shape[0]:,}"
            + "".join(f" x {n:,}" for n in shape[1:])
            + ")",
            "choose fewer or smaller layers",
        )

    @classmethod
    def join(cls, parts: "dict[str, Params]") -> "Params":
        """Lay several `Params` into one flat pair, each name prefixed with its part's.

        The values are copied; afterwards the parts are views of the new pair.

        Raises
        ------
        OptionError
            If the parts differ in dtype or backend, or one belongs to another pair already.
        """
        if not parts:
            raise OptionError("Params.join was given no part; give it at least one.")
        first = next(iter(parts.values()))
        shapes = _prefixed({prefix: part.shapes for prefix, part in parts.items()})
        carried = _prefixed({prefix: part.carried_shapes for prefix, part in parts.items()})
        joined = cls(shapes, first.dtype, first.backend, carried)
        given = list(parts.values())
        for i, (prefix, part) in enumerate(parts.items()):  # all checks before a part is changed
            if part.dtype != first.dtype or part.backend is not first.backend:
                raise OptionError(
                    f"{prefix!r} is {part.dtype} on {part.backend.name!r}, but the parts before it "
                    f"are {first.dtype} on {first.backend.name!r}; build all layers of a model "
                    "with one dtype and one backend."
                )
            if part._joined or any(part is earlier for earlier in given[:i]):
                raise OptionError(
                    f"{prefix!r} is already part of a model, and its parameters cannot lie in two "
                    "flat arrays; build a layer of its own for each place."
                )
        for prefix, part in parts.items():
            part._joined = True
            for name in part.shapes:
                joined[f"{prefix}.{name}"][...] = part[name]
            for name in part.carried_shapes:
                joined.carried_of(f"{prefix}.{name}")[...] = part.carried_of(name)
        joined._parts = given
        joined._bind(joined.theta, joined.grad, joined.carried)
        return joined

    def _bind(self, theta: Array, grad: Array, carried: Array) -> None:
        """Make these the flat arrays, and cut all views, the parts' too, from them."""
        self.theta, self.grad, self.carried = theta, grad, carried
        self._values, self._grads = _cut(theta, self.shapes), _cut(grad, self.shapes)
        self._carried = _cut(carried, self.carried_shapes)
        start, first = 0, 0
        for part in self._parts:
            stop, last = start + part.theta.size, first + part.carried.size
            part.training = self.training
            part._bind(theta[start:stop], grad[start:stop], carried[first:last])
            start, first = stop, last

    def __getitem__(self, name: str) -> Array:
        """View of one parameter, in its shape."""
        try:
            return self._values[name]
        except (KeyError, TypeError):
            raise self._unknown(name) from None

    def grad_of(self, name: str) -> Array:
        """View of one parameter's gradient, in its shape."""
        try:
            return self._grads[name]
        except (KeyError, TypeError):
            raise self._unknown(name) from None

    def carried_of(self, name: str) -> Array:
        """View of one array of numbers that a step carries on, in its shape."""
        try:
            return self._carried[name]
        except (KeyError, TypeError):
            known = ", ".join(self.carried_shapes) or "none"
            raise OptionError(f"nothing called {name!r} is carried; there are: {known}.") from None

    @contextmanager
    def rehearsal(self, held: dict[int, Array] | None = None) -> Iterator[None]:
        """Run this block as a step, and put the carried numbers back after it.

        A check runs a step many times and wants the same function each time. What a layer stops the
        gradient of is then a constant, which `held` keeps from the first of these blocks on.
        """
        kept = self.carried.copy()
        self.training.held = held
        try:
            with self.training:
                yield
        finally:
            self.carried[...], self.training.held = kept, None

    def stopped(self, owner: object, array: Array) -> Array:
        """Return an array that counts as a constant: as it is, or what a check holds of `owner`."""
        held = self.training.held
        return array if held is None else held.setdefault(id(owner), array.copy())

    def set_grads(self, **grads: Array) -> None:
        """Overwrite gradients by name; nothing is accumulated."""
        for name, grad in grads.items():
            view = self.grad_of(name)
            if grad is view:  # a kernel has written it where it belongs
                continue
            ours = isinstance(grad, self.backend.array_type)
            if not ours or grad.dtype.kind not in "biuf":
                raise DtypeError(f"the gradient of {name!r} is {shown(grad)}; give real numbers.")
            if grad.shape != view.shape:
                raise ShapeError(
                    f"the gradient of {name!r} has shape {grad.shape}, but the parameter has "
                    f"{view.shape}; sum it over the axes along which the parameter was broadcast."
                )
            view[...] = grad

    def _unknown(self, name: str) -> OptionError:
        known = ", ".join(self.shapes) or "none"
        return OptionError(f"no parameter is called {name!r}; there are: {known}.")

    def name_at(self, index: int) -> str:
        """Name of the parameter that holds entry `index` of the flat pair."""
        stop = 0
        for name, shape in self.shapes.items():
            stop += math.prod(shape)
            if 0 <= index < stop:
                return name
        raise ShapeError(f"entry {index} was asked for, but theta has entries 0 to {stop - 1}.")

    def load(self, theta: Any, carried: Any = None) -> None:
        """Copy `theta`, and `carried` if it is given, from the host into these.

        Raises
        ------
        ShapeError
            If their size is not P or C.
        """
        given = {"theta": theta} if carried is None else {"theta": theta, "carried": carried}
        here = {"theta": self.theta, "carried": self.carried}
        hosts = {name: self._numbers(name, array) for name, array in given.items()}
        for name, array in hosts.items():
            if array.shape != here[name].shape:
                raise ShapeError(
                    f"{name} of shape {array.shape} was given, but this model has "
                    f"{here[name].shape}; build the model with the widths that the parameters were "
                    "saved from."
                )
        for name, array in hosts.items():
            here[name][...] = self.backend.asarray(array, self.dtype)

    def _numbers(self, name: str, given: Any) -> np.ndarray:
        try:
            array = np.asarray(self.backend.to_host(given))
        except ValueError:
            array = np.empty(0, object)  # lists of several lengths
        if array.dtype.kind not in "biuf":
            raise DtypeError(f"{name}={shown(given)} was given; give an array of real numbers.")
        return array

    def __getstate__(self) -> dict:
        views = ("_values", "_grads", "_carried")
        return {k: v for k, v in vars(self).items() if k not in views}

    def __setstate__(self, state: dict) -> None:
        # Copies of views would be arrays of their own; they are cut anew from the copied arrays.
        none = {"carried_shapes": {}, "carried": state["theta"][:0], "training": Switch()}
        vars(self).update(none | state)  # a pickle may be older than the carried numbers
        self._bind(self.theta, self.grad, self.carried)

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def __repr__(self) -> str:
        rows = [f"  {name:<20} {shape!s}" for name, shape in self.shapes.items()]
        return "\n".join([f"Params({self.theta.size:,} numbers, {self.dtype})", *rows])


def _prefixed(parts: dict[str, dict[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    """Shapes of several parts in one dict, each name prefixed with its part's."""
    return {f"{prefix}.{n}": s for prefix, shapes in parts.items() for n, s in shapes.items()}


def _cut(flat: Array, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    """Views of a flat array, one after the other, by name."""
    views, start = {}, 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        views[name] = flat[start:stop].reshape(shape)
        start = stop
    return views
