"""Activations: $y = f(x)$, entry by entry; one file each, in all its forms.

What they share is in `base.py`.
No parameter lives here, and nothing that mixes entries: that is an operation in `ops/`.
"""

from .gelu import gelu_backward, gelu_forward
from .leaky_relu import leaky_relu_backward, leaky_relu_forward
from .relu import relu_backward, relu_forward
from .sigmoid import sigmoid_backward, sigmoid_forward
from .silu import silu_backward, silu_forward
from .softplus import softplus_backward, softplus_forward
from .tanh import tanh_backward, tanh_forward

__all__ = [
    "gelu_backward",
    "gelu_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "relu_backward",
    "relu_forward",
    "sigmoid_backward",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "softplus_backward",
    "softplus_forward",
    "tanh_backward",
    "tanh_forward",
]
