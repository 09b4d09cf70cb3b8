"""What backward leaves at its object: the gradients of parameters, and of forward's arguments."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from .names import BESIDE, GRADIENTS, LISTED, gradient_names
from .objects import Place, held
from .values import is_float


def gradient_of(instance: Any, name: str, places: list[Place]) -> Any:
    """Return the gradient that backward left for a parameter; None if none is found."""
    forms = gradient_names(name)
    for place in places:
        if place.holder is place.owner and held(place.holder) == place.key:
            holder = place.holder
            inside = holder if isinstance(holder, dict) else vars(holder)
            return next((inside[key] for key in BESIDE if inside.get(key) is not None), None)
        owner = place.owner
        short = str(place.key) if isinstance(place.key, str) else name
        for key in (*forms, *gradient_names(short)):
            if isinstance(getattr(owner, key, None), np.ndarray | np.generic | float):
                return getattr(owner, key)
        for attribute in GRADIENTS:
            kept = getattr(owner, attribute, None)
            if isinstance(kept, dict):
                for key in (name, short, *forms):
                    if key in kept:
                        return kept[key]
            if (
                isinstance(kept, list)
                and isinstance(place.holder, list)
                and len(kept) == len(place.holder)
            ):
                return kept[place.key]
        if (listed := _listed_gradient(owner, place.get())) is not None:
            return listed
    return None


def _listed_gradient(owner: Any, array: Any) -> Any:
    """What stands for a parameter in what `grads()` returns, where `params()` has it."""
    for methods in LISTED:
        found = [getattr(owner, method, None) for method in methods]
        if not all(inspect.ismethod(method) for method in found):
            continue
        try:
            params, grads = (method() for method in found)
        except Exception:
            continue
        if isinstance(params, dict) and isinstance(grads, dict):
            pairs = [(p, grads.get(key)) for key, p in params.items()]
        elif isinstance(params, list | tuple) and isinstance(grads, list | tuple):
            pairs = list(zip(params, grads, strict=False))
        else:
            continue
        for parameter, gradient in pairs:
            if parameter is array and is_float(gradient):
                return gradient
    return None


def kept_output(instance: Any) -> Any:
    """What a forward pass that returns nothing has left as `self.output`."""
    for name in ("output", "outputs", "out", "y", "A", "Z"):
        if isinstance(value := getattr(instance, name, None), np.ndarray | np.generic | float):
            return value
    return None


def own_gradients(instance: Any, names: Sequence[str]) -> dict[str, Any]:
    """Gradients of forward's arguments that backward has left at the object, as `self.dinputs`.

    They count where nothing is returned; then the first argument's may have a general name.
    """
    found = {}
    for i, name in enumerate(names):
        general = ("dinputs", "dinput", "dx", "dX", "grad_input") if not i else ()
        for form in (*gradient_names(name), *general):
            if isinstance(getattr(instance, form, None), np.ndarray):
                found[name] = getattr(instance, form)
                break
    return found
