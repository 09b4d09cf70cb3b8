"""The negative ELBO by hand; what objectives make of it is in `tests/models/test_objectives.py`."""

import numpy as np

from minivae.ops.negative_elbo import negative_elbo_backward, negative_elbo_forward


def oracle(torch, nll, kl, beta, free_bits):
    return nll.mean() + beta * torch.clamp(kl.mean(0), min=free_bits).sum()


def test_by_hand():
    nll, kl = np.array([1.0, 3.0]), np.array([[0.1, 2.0], [0.3, 4.0]])
    # Means of the KL: 0.2, below the free bits of 0.5, and 3.
    loss, cache = negative_elbo_forward(nll, kl, beta=2.0, free_bits=0.5)
    assert loss == 2 + 2 * (0.5 + 3)
    dnll, dkl = negative_elbo_backward(1.0, *cache)
    assert dnll.tolist() == [0.5, 0.5]
    assert dkl.tolist() == [[0, 1], [0, 1]]
