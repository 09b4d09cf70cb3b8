r"""Activations: $y = f(x)$, entry by entry.

Every entry of the output depends on one entry of the input, so the chain rule is a product of
numbers, with no sum:

$$ dx = dy \cdot f'(x) $$

What differs is $f'$, and from what it is cheapest and safest to compute.

**ReLU** has a kink at 0, where we take the slope 0:

$$ f(x) = \max(x, 0) \tag{1} $$
$$ f'(x) = [x > 0] \tag{2} $$

**Leaky ReLU** with slope $a$ on the left (Maas et al. 2013):

$$ f(x) = x \text{ if } x > 0 \text{ else } a x \tag{3} $$
$$ f'(x) = 1 \text{ if } x > 0 \text{ else } a \tag{4} $$

**tanh**: with $y = \sinh x / \cosh x$ the quotient rule gives $(\cosh^2 - \sinh^2) / \cosh^2$:

$$ f'(x) = 1 - y^2 \tag{5} $$

**Sigmoid**, written for each sign of $x$ so that the exponential never overflows:

$$ \sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^{x}}{1 + e^{x}} \tag{6} $$

With $y = \sigma(x)$: $f' = e^{-x} / (1 + e^{-x})^2$, and $e^{-x} / (1 + e^{-x}) = 1 - y$, so

$$ f'(x) = y (1 - y) \tag{7} $$

**Softplus** $\ln(1 + e^x)$; taking $e^x$ out of the bracket when $x > 0$ keeps it from overflowing:

$$ f(x) = \max(x, 0) + \ln(1 + e^{-|x|}) \tag{8} $$
$$ f'(x) = \frac{e^x}{1 + e^x} = \sigma(x) \tag{9} $$

**SiLU** (Hendrycks and Gimpel 2016; Elfwing et al. 2017), by the product rule with (7):

$$ f(x) = x \, \sigma(x) \tag{10} $$
$$ f'(x) = \sigma(x) + x \, \sigma(x) (1 - \sigma(x)) \tag{11} $$

**GELU**, the exact one (Hendrycks and Gimpel 2016), with the standard normal's distribution
function $\Phi$ and density $\varphi = \Phi'$; the product rule again:

$$ \Phi(x) = \tfrac12 \left(1 + \operatorname{erf}(x / \sqrt 2)\right) \tag{12} $$
$$ f(x) = x \, \Phi(x) \tag{13} $$
$$ f'(x) = \Phi(x) + x \, \varphi(x), \quad \varphi(x) = e^{-x^2/2} / \sqrt{2 \pi} \tag{14} $$
"""

from ...engine.backend import Array, Backend, kernel
from ...engine.case import Case, away_from
from ...engine.cpu import elementary
from ...engine.cpu.loop import Loop, loop, together
from ...engine.cpu.workspace import empty
from ...engine.gpu.kernels import Elementwise
from ...engine.layer import Layer
from ...errors import OptionError
from .gelu import _gelu, _gelu_slope, gelu_backward, gelu_forward
from .leaky_relu import _leaky_relu, _leaky_relu_slope, leaky_relu_backward, leaky_relu_forward
from .relu import _relu, _relu_slope, relu_backward, relu_forward
from .sigmoid import _sigmoid_slope, sigmoid_backward, sigmoid_forward
from .silu import _silu, _silu_slope, silu_backward, silu_forward
from .softplus import _softplus, softplus_backward, softplus_forward
from .tanh import _tanh_slope, tanh_backward, tanh_forward

ACTIVATIONS = {
    "relu": (relu_forward, relu_backward),
    "leaky_relu": (leaky_relu_forward, leaky_relu_backward),
    "tanh": (tanh_forward, tanh_backward),
    "sigmoid": (sigmoid_forward, sigmoid_backward),
    "softplus": (softplus_forward, softplus_backward),
    "silu": (silu_forward, silu_backward),
    "gelu": (gelu_forward, gelu_backward),
}


# The kernels: f and its slope for one number, and loops that take them over an array. Where the
# slope follows from y alone, y is all that a forward kernel keeps; else it keeps the slope itself,
# computed in the same pass, so that an exponential serves for both.
# Forward and backward at 128 x 784, float32, one thread, reference / kernel: relu 2.3, tanh 3.3,
# silu 5.8, gelu 6.5, sigmoid 8.9, leaky_relu 9.6, softplus 14.

exp, exp_minus, log1p, sigmoid = (
    elementary.exp,
    elementary.exp_minus,
    elementary.log1p,
    elementary.sigmoid,
)


@loop
def _kept(kept):  # noqa: ANN001, ANN202
    return kept


SCALARS: dict[str, tuple[Loop, Loop, bool]] = {
    "relu": (_relu, _relu_slope, True),
    "leaky_relu": (_leaky_relu, _leaky_relu_slope, False),
    "tanh": (elementary.tanh, _tanh_slope, True),
    "sigmoid": (sigmoid, _sigmoid_slope, True),
    "softplus": (_softplus, sigmoid, False),
    "silu": (_silu, _silu_slope, False),
    "gelu": (_gelu, _gelu_slope, False),
}
"""f, its slope, and whether the slope is computed from the output (else from the input)."""

f, slope = SCALARS["relu"][:2]  # what `using` puts others in the place of


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


def _make_kernels(name: str) -> None:
    """Register the two kernels of one activation."""
    f, slope, from_output = SCALARS[name]
    apply = _apply.using(f=f) if from_output else _apply_both.using(f=f, slope=slope)
    apply_slope = _apply_slope.using(slope=slope if from_output else _kept)

    def forward(x: Array, **options: float) -> tuple[Array, tuple]:
        (x,) = together(x=x)
        y = empty(x.shape, x.dtype)
        if from_output:
            apply(x.reshape(-1), y.reshape(-1))
            return y, (y,)
        kept = empty(x.shape, x.dtype)
        numbers = [x.dtype.type(option) for option in (OPTIONS.get(name, {}) | options).values()]
        apply(x.reshape(-1), y.reshape(-1), kept.reshape(-1), *numbers)
        return y, (kept,)

    def backward(dy: Array, kept: Array) -> Array:
        dy, kept = together(dy=dy, kept=kept)
        dx = empty(dy.shape, dy.dtype)
        apply_slope(dy.reshape(-1), kept.reshape(-1), dx.reshape(-1))
        return dx

    kernel("numba", of=ACTIVATIONS[name][0])(forward)
    kernel("numba", of=ACTIVATIONS[name][1])(backward)


OPTIONS = {"leaky_relu": {"slope": 0.01}}
"""What an activation takes besides x, and the default."""

for _name in ACTIVATIONS:
    _make_kernels(_name)


# On the GPU: one launch in each direction. A body computes y from a, and `kept`, its slope, where
# that does not follow from y.

CUDA: dict[str, tuple[str, str]] = {
    "relu": ("y = a <= T(0) ? T(0) : a;  // (1)", "y > T(0) ? T(1) : T(0)"),  # (2)
    "leaky_relu": (
        """
        y = a > T(0) ? a : slope * a;  // (3)
        kept = a > T(0) ? T(1) : slope;  // (4)
        """,
        "kept",
    ),
    "tanh": ("y = tanh(a);", "T(1) - y * y"),  # (5)
    "sigmoid": (
        """
        T e = exp(a > T(0) ? -a : a);
        y = (a > T(0) ? T(1) : e) / (T(1) + e);  // (6)
        """,
        "y * (T(1) - y)",  # (7)
    ),
    "softplus": (
        """
        T e = exp(a > T(0) ? -a : a);
        y = (a <= T(0) ? T(0) : a) + log1p(e);  // (8)
        kept = (a > T(0) ? T(1) : e) / (T(1) + e);  // (9)
        """,
        "kept",
    ),
    "silu": (
        """
        T e = exp(a > T(0) ? -a : a);
        T s = (a > T(0) ? T(1) : e) / (T(1) + e);
        y = a * s;  // (10)
        kept = s + a * s * (T(1) - s);  // (11)
        """,
        "kept",
    ),
    "gelu": (
        """
        T Phi = T(0.5) * (T(1) + erf(a * T(0.7071067811865476)));  // (12)
        y = a * Phi;  // (13)
        kept = Phi + a * exp(T(-0.5) * a * a) * T(0.3989422804014327);  // (14)
        """,
        "kept",
    ),
}
"""y of a, and the slope from what was kept: y itself, or `kept`."""

CUDA_SLOPES = {}
"""The kernel that sends dy through each activation; `dense.py` uses them too."""


def cuda_signature(name: str) -> tuple[str, str]:
    """Parameters besides a, and outputs, of one activation's body."""
    inputs = "".join(f", T {option}" for option in OPTIONS.get(name, {}))
    return inputs, "T y" if SCALARS[name][2] else "T y, T kept"


def _make_cuda_kernels(name: str) -> None:
    """Register the two kernels of one activation."""
    body, slope = CUDA[name]
    inputs, outputs = cuda_signature(name)
    from_output = SCALARS[name][2]
    there = Elementwise(name, f"T a{inputs}", outputs, body)
    kept = "T y" if from_output else "T kept"
    back = Elementwise(f"{name}_backward", f"T dy, {kept}", "T dx", f"dx = dy * ({slope});")
    CUDA_SLOPES[name] = back

    def forward(x: Array, **options: float) -> tuple[Array, tuple]:
        made = there(x, *(OPTIONS.get(name, {}) | options).values())
        return (made, (made,)) if from_output else (made[0], (made[1],))

    kernel("cuda", of=ACTIVATIONS[name][0])(forward)
    kernel("cuda", of=ACTIVATIONS[name][1])(back)


for _name in ACTIVATIONS:
    _make_cuda_kernels(_name)


class Activation(Layer):
    """Layer that applies one of the activations to every entry.

    Parameters
    ----------
    name : {"relu", "leaky_relu", "tanh", "sigmoid", "softplus", "silu", "gelu"}
        Which one.
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
        if name not in ACTIVATIONS:
            raise OptionError(
                f"activation {name!r} was given; choose one of: {', '.join(ACTIVATIONS)}."
            )
        if set(options) - set(OPTIONS.get(name, {})):
            given = ", ".join(options)
            raise OptionError(
                f"{name} was given {given}; only leaky_relu takes an option, `slope`."
            )
        super().__init__(dtype=dtype, backend=backend)
        self.name = name
        self.options = {option: float(value) for option, value in options.items()}

    def forward(self, x: Array) -> Array:
        """Apply the activation to x, any shape."""
        self.expect("x", x, ("...",) * getattr(x, "ndim", 1))
        y, self.cache = self.call(ACTIVATIONS[self.name][0], x, **self.options)
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx, in the shape of the input."""
        cache = self.saved()
        self.expect("dy", dy, cache[0].shape)
        return self.call(ACTIVATIONS[self.name][1], dy, *cache)

    def __repr__(self) -> str:
        return f"Activation({self.name!r})"


SHAPE = {"x": ("B", "D")}
CASES = [
    Case("relu", *ACTIVATIONS["relu"], SHAPE, prepare=away_from(0), analytic=False),
    Case(
        "leaky_relu",
        *ACTIVATIONS["leaky_relu"],
        SHAPE,
        options={"slope": 0.2},
        prepare=away_from(0),
        analytic=False,
    ),
    Case("tanh", *ACTIVATIONS["tanh"], SHAPE),
    Case("sigmoid", *ACTIVATIONS["sigmoid"], SHAPE),
    Case("softplus", *ACTIVATIONS["softplus"], SHAPE),
    Case("silu", *ACTIVATIONS["silu"], SHAPE),
    Case("gelu", *ACTIVATIONS["gelu"], SHAPE, analytic=False),
]
