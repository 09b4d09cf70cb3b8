"""A crew whose arrays lie on a device: what MPI is given, on the stand-in for CuPy."""

import numpy as np
import pytest

from minivae.engine.backend import get_backend


@pytest.mark.parametrize("cuda_backend", ["standin"], indirect=True)
def test_mpi_gets_memory_of_the_host_unless_it_takes_the_devices(cuda_backend):
    array, given = cuda_backend.asarray(np.arange(4.0)), []

    def double(there):
        given.append(there)
        there *= 2

    for _ in range(2):
        cuda_backend.hand_out(array, double, False)
    np.testing.assert_array_equal(cuda_backend.to_host(array), 4 * np.arange(4.0))
    assert all(isinstance(there, np.ndarray) for there in given)
    assert given[0] is given[1]  # pinned once
    cuda_backend.hand_out(array, double, True)
    assert given[2] is array
    np.testing.assert_array_equal(cuda_backend.to_host(array), 8 * np.arange(4.0))


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_the_host_hands_out_the_array_itself(name):
    array, given = np.ones(3), []
    get_backend(name).hand_out(array, given.append, False)
    assert given[0] is array
