"""Arguments in dicts, lists and tuples, with others in the place of some arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np


def replaced(value: Any, names: Any, replace: Callable[[str, np.ndarray], Any]) -> Any:
    """Arguments with other things in the place of the arrays that have a name."""
    if isinstance(value, dict):
        return {key: replaced(inner, names[key], replace) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        pairs = zip(value, names, strict=True)
        return type(value)(replaced(inner, name, replace) for inner, name in pairs)
    named = isinstance(value, np.ndarray) and isinstance(names, str)
    return replace(names, value) if named else value
