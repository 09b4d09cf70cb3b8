r"""What the activations have in common: $y = f(x)$, entry by entry.

Every entry of the output depends on one entry of the input, so the chain rule is a product of
numbers, with no sum:

$$ dx = dy \cdot f'(x) $$

What differs is $f'$, and from what it is cheapest and safest to compute: from the input, or from
the output. An activation is one file beside this one, with all of its forms: `activation` makes the
kernels from them and enters it in `ACTIVATIONS`. Nothing else lists the names.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ...engine import (
    Array,
    Backend,
    Case,
    Elementwise,
    Layer,
    Loop,
    empty,
    kernel,
    loop,
    together,
)
from ...errors import OptionError


class Forms(NamedTuple):
    """One activation in all its forms.

    Attributes
    ----------
    forward, backward : callable
        The reference pair: `forward(x, **options) -> (y, cache)`, `backward(dy, *cache) -> dx`.
    name : str
        What the user calls it.
    scalar, slope : Loop
        f and f' of one number, as compiled loops: `scalar(x, *options)`, and `slope(y)` where the
        slope follows from the output, else `slope(x, *options)`.
    from_output : bool
        Whether the slope follows from y alone. Then y is all that a forward kernel keeps; else it
        keeps the slope itself, computed in the same pass, so that an exponential serves for both.
    cuda : str
        Body of a kernel for the GPU: computes y from a, and `kept`, the slope, if that does not
        follow from y.
    cuda_slope : str
        The slope from what was kept: an expression of `y`, or "kept".
    js : str
        f for the explorer's page: an expression of x and the options in JavaScript, which may use
        `Math`, `sigmoid` and `erf`.
    options : dict of str to float
        What it takes besides x, in the order of `forward`, and the defaults.
    cheap : bool
        Whether it only adds, multiplies and compares; an exponential is costly, and so worth a
        second thread earlier.
    """

    forward: Callable[..., tuple[Array, tuple]]
    backward: Callable[..., Array]
    name: str
    scalar: Loop
    slope: Loop
    from_output: bool
    cuda: str
    cuda_slope: str
    js: str
    options: dict[str, float]
    cheap: bool

    def values(self, options: dict[str, float] | None = None) -> list[float]:
        """Return the options in order: those given, else the defaults."""
        return list((self.options | (options or {})).values())

    @property
    def cuda_inputs(self) -> str:
        """Parameters of the body for the GPU besides a."""
        return "".join(f", T {option}" for option in self.options)

    @property
    def cuda_outputs(self) -> str:
        """What the body for the GPU computes."""
        return "T y" if self.from_output else "T y, T kept"


ACTIVATIONS: dict[str, Forms] = {}
"""Every activation, by its name."""

DEFAULTS: dict[str, Any] = {"from_output": False, "options": {}, "cheap": False}
"""Forms that may be left out; `cuda_slope` too, where it is `kept`."""


def activation(name: str, **forms: Any) -> Forms:
    """Enter an activation, by its `Forms`, and make its kernels.

    Raises
    ------
    OptionError
        If the name is taken, or a form is missing or unknown.
    """
    if name in ACTIVATIONS:
        taken = ACTIVATIONS[name].forward.__module__
        raise OptionError(f"two activations are called {name!r}, one in {taken}; rename one.")
    given = {**DEFAULTS, "name": name, **forms}
    if not given["from_output"]:
        given.setdefault("cuda_slope", "kept")
    missing = [form for form in Forms._fields if given.get(form) in (None, "")]
    unknown = [form for form in given if form not in Forms._fields]
    if missing or unknown:
        wrong = f"has no {', '.join(missing)}" if missing else f"was given {', '.join(unknown)}"
        raise OptionError(f"the activation {name!r} {wrong}; its forms are those of `Forms`.")
    made = ACTIVATIONS[name] = Forms(**given)
    _make_kernels(made)
    _make_cuda_kernels(made)
    return made


# The kernels: loops that take f and its slope over an array.
# Forward and backward at 128 x 784, float32, one thread, reference / kernel: relu 2.3, tanh 3.3,
# silu 5.8, gelu 6.5, sigmoid 8.9, leaky_relu 9.6, softplus 14.


@loop
def as_kept(kept):  # noqa: ANN001, ANN201
    """Slope of an activation whose forward kernel keeps the slope."""
    return kept


f = slope = as_kept  # what `using` puts an activation's own in the place of


@loop
def _apply(x, y):  # noqa: ANN001, ANN202
    for i in range(x.size):
        y[i] = f(x[i])


@loop
def _apply_both(x, y, kept, *options):  # noqa: ANN001, ANN002, ANN202
    for i in range(x.size):
        y[i] = f(x[i], *options)
        kept[i] = slope(x[i], *options)


@loop
def _apply_slope(dy, kept, dx):  # noqa: ANN001, ANN202
    for i in range(dy.size):
        dx[i] = dy[i] * slope(kept[i])


def _make_kernels(forms: Forms) -> None:
    """Register the two kernels of one activation."""
    if forms.from_output:
        apply, apply_slope = _apply.using(f=forms.scalar), _apply_slope.using(slope=forms.slope)
    else:
        apply, apply_slope = _apply_both.using(f=forms.scalar, slope=forms.slope), _apply_slope

    def forward(x: Array, **options: float) -> tuple[Array, tuple]:
        (x,) = together(x=x)
        y = empty(x.shape, x.dtype)
        if forms.from_output:
            apply(x.reshape(-1), y.reshape(-1))
            return y, (y,)
        kept = empty(x.shape, x.dtype)
        numbers = [x.dtype.type(option) for option in forms.values(options)]
        apply(x.reshape(-1), y.reshape(-1), kept.reshape(-1), *numbers)
        return y, (kept,)

    def backward(dy: Array, kept: Array) -> Array:
        dy, kept = together(dy=dy, kept=kept)
        dx = empty(dy.shape, dy.dtype)
        apply_slope(dy.reshape(-1), kept.reshape(-1), dx.reshape(-1))
        return dx

    kernel("numba", of=forms.forward)(forward)
    kernel("numba", of=forms.backward)(backward)


# On the GPU: one launch in each direction.


def _make_cuda_kernels(forms: Forms) -> None:
    """Register the two kernels of one activation."""
    there = Elementwise(forms.name, f"T a{forms.cuda_inputs}", forms.cuda_outputs, forms.cuda)
    kept = "T y" if forms.from_output else "T kept"
    body = f"dx = dy * ({forms.cuda_slope});"
    back = Elementwise(f"{forms.name}_backward", f"T dy, {kept}", "T dx", body)

    def forward(x: Array, **options: float) -> tuple[Array, tuple]:
        made = there(x, *forms.values(options))
        return (made, (made,)) if forms.from_output else (made[0], (made[1],))

    kernel("cuda", of=forms.forward)(forward)
    kernel("cuda", of=forms.backward)(back)


def find(name: str) -> Forms:
    """Return the activation of that name.

    Raises
    ------
    OptionError
        If there is none.
    """
    if name not in ACTIVATIONS:
        raise OptionError(
            f"activation {name!r} was given; choose one of: {', '.join(ACTIVATIONS)}."
        )
    return ACTIVATIONS[name]


class Activation(Layer):
    """Layer that applies one of the activations to every entry.

    Parameters
    ----------
    name : str
        Which one, of `ACTIVATIONS`.
    dtype : {"float32", "float64"}
        dtype of inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    **options
        What that activation's forward takes, such as `slope` of the leaky ReLU.
    """

    def __init__(
        self,
        name: str,
        *,
        dtype: str = "float32",
        backend: str | Backend = "auto",
        **options: float,
    ) -> None:
        known = find(name).options
        if set(options) - set(known):
            takes = f"takes {', '.join(known)} alone" if known else "takes no option"
            raise OptionError(f"{name} was given {', '.join(options)}, but it {takes}.")
        super().__init__(dtype=dtype, backend=backend)
        self.name = name
        self.options: dict[str, Any] = {name: float(value) for name, value in options.items()}

    def forward(self, x: Array) -> Array:
        """Apply the activation to x, any shape."""
        self.expect("x", x, ("...",) * getattr(x, "ndim", 1))
        y, self.cache = self.call(ACTIVATIONS[self.name].forward, x, **self.options)
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx, in the shape of the input."""
        cache = self.saved()
        self.expect("dy", dy, cache[0].shape)
        return self.call(ACTIVATIONS[self.name].backward, dy, *cache)

    def __repr__(self) -> str:
        return f"Activation({self.name!r})"


def case_of(forms: Forms, **how: Any) -> Case:
    """Make the case of an activation; `how` are further fields of `Case`."""
    options = how.get("options", {})
    return Case(
        forms.name,
        forms.forward,
        forms.backward,
        vary={"x": ("B", "D")},
        output=("B", "D"),
        layer=lambda **where: Activation(forms.name, **options, **where),
        **how,
    )
