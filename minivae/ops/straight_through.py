r"""Straight through: a rounded value forwards, the slope of what was rounded backwards.

Rounding to the nearest code, or to the likeliest category, is constant but for its jumps, so its
derivative is 0 and nothing learns through it. The straight-through estimator takes the value $q$ of
the rounding and the derivative of not rounding at all. With $sg$, *stop gradient*, which is what it
is given and counts as a constant,

$$ s = sg(q - z) \tag{1} $$
$$ y = z + s \tag{2} $$

is $q$ in value, and as $s$ is a constant,

$$ dz = dy \tag{3} $$

All arrays have one shape, (B, ...). **What a finite difference says**: that of $q$ says 0, which is
the truth about the function and of no use; (3) is a choice, not a derivative of the value. It is
the derivative of (2) with $s$ *held* at its number, and so a check holds it: in a rehearsal
(`Params.rehearsal`) the layer keeps the first $s$ that it was given, and differences are those of
(2). Nothing else proves a straight-through gradient, for nothing else is claimed.

Source: Bengio, Léonard and Courville (2013).
"""

from ..engine import Array, Case, Layer, Real, door


@door
def forward(z: Array, s: Real) -> tuple[Array, tuple]:
    """Return y = z + s (B, ...) for z and the constant s = sg(q - z), both (B, ...)."""
    return z + s, ()  # (2)


@door
def backward(dy: Array) -> Array:
    """Return dz, which is dy (B, ...)."""
    return dy  # (3)


class StraightThrough(Layer):
    """Layer that adds what rounding has changed, and lets the gradient pass."""

    def forward(self, z: Array, s: Array) -> Array:
        """Return z + s (B, ...); s = q - z is a constant from here on, and a check holds it."""
        self.expect("z", z, ("...",) * getattr(z, "ndim", 1))
        self.expect("s", s, z.shape)
        y, _ = self.call(forward, z, self.params.stopped(self, s))  # (1), held
        self.cache = (z.shape,)
        return y

    def backward(self, dy: Array) -> Array:
        """Return dz (B, ...)."""
        (shape,) = self.saved()
        self.expect("dy", dy, shape)
        return self.call(backward, dy)


CASES = [
    Case(
        "straight_through",
        forward,
        backward,
        vary={"z": ("B", "Z")},
        fixed={"s": ("B", "Z")},
        output=("B", "Z"),
        layer=StraightThrough,
    ),
]
