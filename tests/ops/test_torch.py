"""PyTorch as the oracle: the value and, by its automatic differentiation, the gradients."""

import numpy as np
import pytest

from minivae.ops import CASES
from oracles import oracle_of

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("sizes", [{}, {"B": 5, "I": 7, "O": 3, "D": 13, "Z": 11, "K": 2, "L": 3}])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_value_and_gradients_are_pytorchs(case, sizes):
    rng = np.random.default_rng(10)
    arguments = case.draw(rng, sizes)
    y, cache = case.forward(**arguments, **case.options)
    dy = rng.standard_normal(y.shape)
    gradients = case.gradients(dy, cache)

    tensors = {
        name: torch.tensor(array, requires_grad=name in case.vary)
        for name, array in arguments.items()
    }
    expected = oracle_of(case.name)(torch, **tensors, **case.options)
    expected.backward(torch.tensor(dy))

    assert y.shape == tuple(expected.shape)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    for name in case.vary:
        np.testing.assert_allclose(
            gradients[name], tensors[name].grad.numpy(), rtol=1e-10, atol=1e-12, err_msg=name
        )
