"""A float64 copy of a layer or model, for the numerical side of a check that runs in float32.

Differences of float32 numbers are good for three digits at best. So what computes in float32 is
copied, its parameters are made float64, and the copy is evaluated instead.
"""

import copy
from typing import Any

import numpy as np

from ...engine.params import Params


def float64_twin(original: Any) -> Any | None:
    """Copy a layer or model, and all layers in it, as float64; None if it cannot be copied.

    Parameters
    ----------
    original : Layer or Model
        Stays as it is.
    """
    backend = original.params.backend
    copies: dict[int, Any] = {id(backend): backend}
    try:
        twin = copy.deepcopy(original, copies)
    except Exception:
        return None  # it holds something that has no copy, such as an open file
    found = [value for value in copies.values() if isinstance(value, Params)]
    for params in found:
        params.dtype = np.dtype(np.float64)
    for params in found:
        if not params._joined:  # the others' views are cut from these
            flat = (params.theta, params.grad, params.carried)
            params._bind(*(array.astype(float) for array in flat))
    return twin
