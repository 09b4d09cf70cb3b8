"""The dense layer: a linear layer and each activation (`activations/test_all.py` has the rest)."""

from minivae.ops import ACTIVATIONS
from minivae.ops.dense import _bias_and_f_cuda, _loops


def oracle(torch, x, W, b, activation):
    return getattr(torch, activation)(torch.nn.functional.linear(x, W.T, b))


def test_every_activation_has_its_loops_and_its_kernel():
    for name, forms in ACTIVATIONS.items():
        assert _loops(name) is _loops(name)
        assert forms.cuda in _bias_and_f_cuda(name).body
