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

import math

from ..backend import Array, Backend, array_module, erf
from ..case import Case, away_from
from ..errors import OptionError
from ..layer import Layer


def relu_forward(x: Array) -> tuple[Array, tuple]:
    """ReLU of x, any shape."""
    xp = array_module(x)
    return xp.maximum(x, 0), (x,)  # (1)


def relu_backward(dy: Array, x: Array) -> Array:
    """Gradient dx, in the shape of dy."""
    return dy * (x > 0)  # (2)


def leaky_relu_forward(x: Array, slope: float = 0.01) -> tuple[Array, tuple]:
    """Leaky ReLU of x, any shape; `slope` is that of the left side."""
    xp = array_module(x)
    return xp.where(x > 0, x, slope * x), (x, slope)  # (3)


def leaky_relu_backward(dy: Array, x: Array, slope: float) -> Array:
    """Gradient dx, in the shape of dy."""
    xp = array_module(dy, x)
    return xp.where(x > 0, dy, slope * dy)  # (4)


def tanh_forward(x: Array) -> tuple[Array, tuple]:
    """Hyperbolic tangent of x, any shape."""
    xp = array_module(x)
    y = xp.tanh(x)
    return y, (y,)


def tanh_backward(dy: Array, y: Array) -> Array:
    """Gradient dx, in the shape of dy; from the output y."""
    return dy * (1 - y * y)  # (5)


def sigmoid_forward(x: Array) -> tuple[Array, tuple]:
    """Sigmoid of x, any shape."""
    xp = array_module(x)
    positive = x.real > 0
    e = xp.exp(xp.where(positive, -x, x))  # e^(-|x|), at most 1
    y = xp.where(positive, 1, e) / (1 + e)  # (6)
    return y, (y,)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """Gradient dx, in the shape of dy; from the output y."""
    return dy * y * (1 - y)  # (7)


def softplus_forward(x: Array) -> tuple[Array, tuple]:
    """Softplus of x, any shape."""
    xp = array_module(x)
    positive = x.real > 0
    y = xp.where(positive, x, 0) + xp.log1p(xp.exp(xp.where(positive, -x, x)))  # (8)
    return y, (x,)


def softplus_backward(dy: Array, x: Array) -> Array:
    """Gradient dx, in the shape of dy."""
    return dy * sigmoid_forward(x)[0]  # (9)


def silu_forward(x: Array) -> tuple[Array, tuple]:
    """SiLU (swish) of x, any shape."""
    s, _ = sigmoid_forward(x)
    return x * s, (x, s)  # (10)


def silu_backward(dy: Array, x: Array, s: Array) -> Array:
    """Gradient dx, in the shape of dy; s is the sigmoid of x."""
    return dy * (s + x * s * (1 - s))  # (11)


def gelu_forward(x: Array) -> tuple[Array, tuple]:
    """Exact GELU of x, any shape."""
    Phi = 0.5 * (1 + erf(x / math.sqrt(2)))  # (12)
    return x * Phi, (x, Phi)  # (13)


def gelu_backward(dy: Array, x: Array, Phi: Array) -> Array:
    """Gradient dx, in the shape of dy; Phi is the normal distribution function at x."""
    xp = array_module(dy, x)
    phi = xp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return dy * (Phi + x * phi)  # (14)


ACTIVATIONS = {
    "relu": (relu_forward, relu_backward),
    "leaky_relu": (leaky_relu_forward, leaky_relu_backward),
    "tanh": (tanh_forward, tanh_backward),
    "sigmoid": (sigmoid_forward, sigmoid_backward),
    "softplus": (softplus_forward, softplus_backward),
    "silu": (silu_forward, silu_backward),
    "gelu": (gelu_forward, gelu_backward),
}


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
        backend: str | Backend = "numpy",
        **options: float,
    ) -> None:
        if name not in ACTIVATIONS:
            raise OptionError(
                f"activation {name!r} was given; choose one of: {', '.join(ACTIVATIONS)}."
            )
        if set(options) - ({"slope"} if name == "leaky_relu" else set()):
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
