"""The gated step: its log-determinant, its ends, and digits where the gate is nearly shut."""

import numpy as np
import pytest

from minivae.ops import GatedStep, gated_step
from oracles import standard_normal


def oracle(torch, z, m, s):
    gate = torch.distributions.transforms.SigmoidTransform()
    diagonal = torch.nn.functional.logsigmoid(s)
    return (m + gate(s) * (z - m)) * diagonal.sum(1, keepdim=True)


def test_the_log_determinant_is_that_of_the_jacobian_in_z():
    z, m, s = standard_normal(0, 3, 1, 5)
    (_, logdet), _ = gated_step.forward(z, m, s)
    columns = [
        (gated_step.forward(z + h, m, s)[0][0] - gated_step.forward(z - h, m, s)[0][0])[0] / 2e-5
        for h in 1e-5 * np.eye(5)
    ]
    assert logdet.item() == pytest.approx(np.linalg.slogdet(np.array(columns))[1], abs=1e-9)


def test_an_open_gate_moves_nothing_and_a_shut_one_leaves_m():
    z, m, _ = standard_normal(1, 3, 4, 5)
    (moved, logdet), _ = gated_step.forward(z, m, np.full_like(z, 50.0))
    np.testing.assert_array_equal(moved, z)
    np.testing.assert_allclose(logdet, 0, atol=1e-20)
    (moved, logdet), cache = gated_step.forward(z, m, np.full_like(z, -800.0))
    np.testing.assert_array_equal(moved, m)
    np.testing.assert_array_equal(logdet, -4000)  # and not minus infinity
    *_, ds = gated_step.backward(np.ones_like(z), np.ones(4), *cache)
    np.testing.assert_array_equal(ds, 1)


def test_the_layer_runs_the_pair():
    z, m, s, dmoved = standard_normal(2, 4, 3, 2)
    layer, dlogdet = GatedStep(dtype="float64", backend="numpy"), np.arange(3.0)
    (moved, logdet), cache = gated_step.forward(z, m, s)
    for have, want in zip(layer.forward(z, m, s), (moved, logdet), strict=True):
        np.testing.assert_array_equal(have, want)
    for have, want in zip(
        layer.backward(dmoved, dlogdet), gated_step.backward(dmoved, dlogdet, *cache), strict=True
    ):
        np.testing.assert_array_equal(have, want)
