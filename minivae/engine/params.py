"""Params: one flat `theta`, one flat `grad`, and named, shaped views of both.

Because every parameter of a model lies in one array, an optimizer is one loop, a checkpoint is one
array, and the norm of the gradient is one sum. The views share memory with the flat pair, so
writing `params["W"][...] = 0` writes into `theta`, and the other way round:

    theta  [ W W W W W W | b b b | W W W | b ]      params["0.W"].shape == (2, 3)
             `--- "0" ---------'   `- "1" ---'      params["1.b"].shape == (1,)
"""

import math
from collections.abc import Iterator

import numpy as np

from ..errors import OptionError, ShapeError
from .backend import Array, Backend, float_dtype, get_backend


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

    Attributes
    ----------
    theta, grad : array, (P,)
        All parameters, and dL/dtheta in the same order.
    """

    def __init__(
        self,
        shapes: dict[str, tuple[int, ...]],
        dtype: "str | np.dtype" = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        self.backend = get_backend(backend)
        self.dtype = float_dtype(dtype)
        self.shapes = dict(shapes)
        self._parts: list[Params] = []
        self._joined = False
        size = sum(math.prod(shape) for shape in shapes.values())
        xp = self.backend.xp
        self._bind(xp.zeros(size, self.dtype), xp.zeros(size, self.dtype))

    @classmethod
    def join(cls, parts: "dict[str, Params]") -> "Params":
        """Lay several `Params` into one flat pair, each name prefixed with its part's.

        The values are copied; afterwards the parts are views of the new pair.

        Raises
        ------
        OptionError
            If the parts differ in dtype or backend, or one belongs to another pair already.
        """
        first = next(iter(parts.values()))
        shapes = {
            f"{prefix}.{name}": shape
            for prefix, part in parts.items()
            for name, shape in part.shapes.items()
        }
        joined = cls(shapes, first.dtype, first.backend)
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
        joined._parts = given
        joined._bind(joined.theta, joined.grad)
        return joined

    def _bind(self, theta: Array, grad: Array) -> None:
        """Make `theta` and `grad` the flat pair, and cut all views, the parts' too, from it."""
        self.theta, self.grad = theta, grad
        self._values: dict[str, Array] = {}
        self._grads: dict[str, Array] = {}
        start = 0
        for name, shape in self.shapes.items():
            stop = start + math.prod(shape)
            self._values[name] = theta[start:stop].reshape(shape)
            self._grads[name] = grad[start:stop].reshape(shape)
            start = stop
        start = 0
        for part in self._parts:
            stop = start + part.theta.size
            part._bind(theta[start:stop], grad[start:stop])
            start = stop

    def __getitem__(self, name: str) -> Array:
        """View of one parameter, in its shape."""
        try:
            return self._values[name]
        except KeyError:
            raise self._unknown(name) from None

    def grad_of(self, name: str) -> Array:
        """View of one parameter's gradient, in its shape."""
        try:
            return self._grads[name]
        except KeyError:
            raise self._unknown(name) from None

    def set_grads(self, **grads: Array) -> None:
        """Overwrite gradients by name; nothing is accumulated."""
        for name, grad in grads.items():
            view = self.grad_of(name)
            if grad is view:  # a kernel has written it where it belongs
                continue
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

    def load(self, theta: Array) -> None:
        """Copy `theta` (P,) from the host into this one.

        Raises
        ------
        ShapeError
            If its size is not P.
        """
        theta = np.asarray(self.backend.to_host(theta))
        if theta.shape != self.theta.shape:
            raise ShapeError(
                f"theta of shape {theta.shape} was given, but this model has {self.theta.shape}; "
                "build the model with the widths that the parameters were saved from."
            )
        self.theta[...] = self.backend.asarray(theta, self.dtype)

    def __getstate__(self) -> dict:
        return {k: v for k, v in vars(self).items() if k not in ("_values", "_grads")}

    def __setstate__(self, state: dict) -> None:
        # Copies of views would be arrays of their own; they are cut anew from the copied pair.
        vars(self).update(state)
        self._bind(self.theta, self.grad)

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def __repr__(self) -> str:
        rows = [f"  {name:<20} {shape!s}" for name, shape in self.shapes.items()]
        return "\n".join([f"Params({self.theta.size:,} numbers, {self.dtype})", *rows])
