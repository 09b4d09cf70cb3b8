"""Attributes of an object that has a forward and a backward: its parameters and their gradients."""

from typing import Any

import numpy as np


def find_parameters(instance: Any) -> dict[str, tuple[str, str | None]]:
    """Parameters of an object: float arrays among its attributes, or in a dict of them."""
    found: dict[str, tuple[str, str | None]] = {}
    for attribute, value in list(vars(instance).items()):
        if attribute.startswith(("_", "grad", "cache")):
            continue
        if _is_float(value):
            found[attribute] = (attribute, None)
        elif isinstance(value, dict) and value and all(map(_is_float, value.values())):
            found |= {str(key): (attribute, key) for key in value}
    return {n: where for n, where in found.items() if not _names_gradient(n, found)}


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _names_gradient(name: str, found: dict[str, Any]) -> bool:
    return any(name in (f"d{p}", f"d_{p}", f"grad_{p}", f"{p}_grad") for p in found)


def gradient_of(instance: Any, name: str) -> Any:
    """Return the gradient that backward left at the object, by the names in use; None if none."""
    keys = (f"d{name}", f"d_{name}", f"grad_{name}", f"{name}_grad")
    for key in keys:
        if isinstance(getattr(instance, key, None), np.ndarray | np.generic | float):
            return getattr(instance, key)
    for attribute in ("grads", "grad", "gradients", "dparams"):
        found = getattr(instance, attribute, None)
        if isinstance(found, dict):
            for key in (name, *keys):
                if key in found:
                    return found[key]
    return None
