"""What a layer is: an operation, its parameters, and what it remembers between the two passes.

    y  = layer.forward(x)      remembers in `layer.cache` what the backward pass needs
    dx = layer.backward(dy)    overwrites the gradients in `layer.params`, returns dL/dx

`Sequential` chains layers: the chain rule is the loop in `Sequential.backward`.
"""

import math
from collections.abc import Iterator, Sequence, Sized
from typing import Any, ClassVar

import numpy as np

from ..errors import BackendError, DtypeError, OptionError, ShapeError, StateError, UndefinedError
from .backend import Array, Backend, get_backend
from .door import door
from .params import Params
from .shapes import NEVER_NONE


@door
class Layer:
    """Base of all layers: parameters, backend, cache, and the checks at the door.

    Parameters
    ----------
    shapes : dict of str to tuple of int, optional
        The layer's parameters; none by default.
    carried : dict of str to tuple of int, optional
        Numbers that a step carries on but no optimizer moves, such as running moments; see
        `params.py`.
    dtype : {"float32", "float64"}
        dtype of parameters, inputs and outputs.
    backend : str or Backend
        Where the layer computes.

    Attributes
    ----------
    call : callable
        Runs an operation on the layer's backend, see `Backend.call`.
    """

    past_the_door: ClassVar[frozenset[str]] = frozenset(
        {"forward", "backward", "backward_params", "upstream", "grads", "saved", "expect"}
    )
    """Methods of a step, which look at their arrays themselves, by `expect`."""

    needs_noise = False
    """Whether `forward` takes a noise array as a second argument (dropout's mask)."""

    def __init__(
        self,
        shapes: dict[str, tuple[int, ...]] | None = None,
        *,
        carried: dict[str, tuple[int, ...]] | None = None,
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        self.backend = get_backend(backend)
        self.call = self.backend.call
        self.params = Params(shapes or {}, dtype, self.backend, carried)
        self.cache: tuple | None = None
        self._fitting: set[tuple] = set()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        door(cls)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output and remember what `backward` needs; a layer says of which inputs."""
        raise UndefinedError(f"{type(self).__name__} must define forward; write it.")

    def backward(self, *dy: Any, **options: Any) -> Any:
        """Given dL/dy, overwrite the parameters' gradients and return dL/dx."""
        raise UndefinedError(f"{type(self).__name__} must define backward; write it.")

    def backward_params(self, *dy: Any, **options: Any) -> None:
        """Like `backward`, where the input is data, whose gradient nobody asks for."""
        self.backward(*dy, **options)

    def draw_noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Draw on the host what `forward` takes for an input of `shape`, where `needs_noise`."""
        raise UndefinedError(f"{type(self).__name__} must define draw_noise; write it.")

    def saved(self) -> tuple:
        """Return the cache of the last forward pass.

        Raises
        ------
        StateError
            If `forward` has not been called yet.
        """
        if self.cache is None:
            raise StateError(
                f"{type(self).__name__}.backward was called before forward; "
                "call forward first, so that there is something to go back through."
            )
        return self.cache

    def expect(self, name: str, array: Array, shape: tuple[int | str, ...]) -> None:
        """Check an input at the layer's door.

        Parameters
        ----------
        name : str
            What the message calls the array.
        array : array
            The input.
        shape : tuple of int or str
            An int must match; a letter stands for any size.

        Raises
        ------
        BackendError, DtypeError, ShapeError
            If the array is of another backend, dtype or shape.
        """
        have = getattr(array, "shape", ())
        ours = isinstance(array, self.backend.array_type)
        if (
            ours
            and array.dtype == self.params.dtype
            and ((have, shape) in self._fitting or self._fits(have, shape))
        ):
            return
        where = type(self).__name__
        if not ours:
            raise BackendError(
                f"{name} is a {type(array).__name__}, but this {where} computes on "
                f"{self.backend.name!r}; convert it with "
                f"`get_backend({self.backend.name!r}).asarray({name}, {str(self.params.dtype)!r})`."
            )
        if array.dtype != self.params.dtype:
            raise DtypeError(
                f"{name} is {array.dtype}, but this {where} computes in {self.params.dtype}; "
                f"convert it with `{name}.astype({str(self.params.dtype)!r})`."
            )
        wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ShapeError(
            f"{name} has shape {array.shape}, but {where} expects ({wanted}); "
            "reshape it, or build the layer with other sizes."
        )

    def _fits(self, have: tuple[int, ...], shape: tuple[int | str, ...]) -> bool:
        """Whether a shape is the one expected; remembered, for a training asks again each step."""
        fits = len(have) == len(shape) and all(
            size == want or (isinstance(want, str) and (size > 0 or want not in NEVER_NONE))
            for size, want in zip(have, shape, strict=True)
        )
        if fits and len(self._fitting) < 100:
            self._fitting.add((have, shape))
        return fits

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the output for an input of `shape`; the same, unless a layer says otherwise."""
        return shape

    def __call__(self, *arrays: Any) -> Any:
        """Same as `forward`."""
        return self.forward(*arrays)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Reshape(Layer):
    """Give each example another shape, (B, ...) -> (B, *shape); the numbers stay as they lie.

    Parameters
    ----------
    *shape : int
        Shape of one example. One number that is -1 follows from the others.
    """

    past_the_door, same_calls = frozenset(), True

    def __init__(
        self, *shape: int, dtype: str = "float32", backend: str | Backend = "auto"
    ) -> None:
        super().__init__(dtype=dtype, backend=backend)
        self.shape = shape

    def forward(self, x: Array) -> Array:
        """Return x (B, ...) in the other shape."""
        self.cache = (x.shape,)
        try:
            return x.reshape(len(x), *self.shape)
        except ValueError:
            raise ShapeError(
                f"x has shape {x.shape}, but each example was to get the shape {self.shape}; give "
                "shapes of as many numbers."
            ) from None

    def backward(self, dy: Array) -> Array:
        """Return dy (B, ...) in the shape of x."""
        (shape,) = self.saved()
        return dy.reshape(shape)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From a shape (B, ...) to (B, *shape)."""
        each = math.prod(shape[1:])
        known = math.prod(n for n in self.shape if n != -1)
        return (shape[0], *(each // max(1, known) if n == -1 else n for n in self.shape))

    def __repr__(self) -> str:
        return f"Reshape({', '.join(map(str, self.shape))})"


class Sequential(Layer):
    """Layers one after the other; their parameters lie in one flat pair, named `0.W`, `0.b`, ....

    Parameters
    ----------
    *layers : Layer
        In the order of the forward pass.
    """

    same_calls = True

    def __init__(self, *layers: Layer) -> None:
        if not layers:
            raise OptionError("Sequential was given no layer; give it at least one.")
        self.layers = layers
        self.backend, self.call = layers[0].backend, layers[0].call
        self.params = Params.join({str(i): layer.params for i, layer in enumerate(layers)})
        self.cache = None
        self.needs_noise = any(layer.needs_noise for layer in layers)

    def forward(self, x: Array, noise: Sequence[Array | None] | None = None) -> Array:
        """Pass `x` through every layer in turn.

        Parameters
        ----------
        x : array
            Input of the first layer.
        noise : sequence of arrays, optional
            One array for each layer with `needs_noise`, in order (a list of them for a
            `Sequential` inside this one); `draw_noise` makes them. Without it such layers do what
            they do in evaluation.

        Returns
        -------
        array
            Output of the last layer.
        """
        noisy = [layer for layer in self.layers if layer.needs_noise]
        n = len(noise) if isinstance(noise, Sized) and getattr(noise, "shape", True) else "no"
        if noise is not None and n != len(noisy):
            raise ShapeError(
                f"{n} noise arrays were given, but {len(noisy)} layers take one; "
                "make them with `draw_noise`."
            )
        given = iter(() if noise is None else noise)
        for layer in self.layers:
            x = layer.forward(x, next(given, None)) if layer.needs_noise else layer.forward(x)
        self.cache = ()
        return x

    def backward(self, dy: Array) -> Array:
        """Chain rule: each layer turns dL/d(its output) into dL/d(its input)."""
        self.saved()
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def backward_params(self, dy: Array) -> None:
        """Like `backward`, but nothing goes back beyond the first layer that has parameters."""
        self.saved()
        first = next((i for i, layer in enumerate(self.layers) if layer.params.theta.size), 0)
        for layer in reversed(self.layers[first + 1 :]):
            dy = layer.backward(dy)
        self.layers[first].backward_params(dy)

    def draw_noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> list[Array]:
        """Draw the noise of one forward pass on the host, one array per layer that takes one."""
        noise = []
        for layer in self.layers:
            if layer.needs_noise:
                noise.append(layer.draw_noise(rng, shape))
            shape = layer.output_shape(shape)
        return noise

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape after the last layer, for an input of `shape`."""
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]

    def __repr__(self) -> str:
        rows = [f"  {i}: {layer!r}" for i, layer in enumerate(self.layers)]
        return "\n".join(["Sequential(", *rows, ")"])
