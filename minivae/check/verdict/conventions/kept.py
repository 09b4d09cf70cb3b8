"""What backward leaves at its object: the gradients of parameters, and of forward's arguments."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .names import BESIDE, GRADIENTS, LISTED, gradient_names
from .objects import Place, find_parameters, held
from .values import is_float, same, try_copy


def gradient_of(instance: Any, name: str, places: list[Place]) -> Any:
    """Return the gradient that backward left for a parameter; None if none is found.

    Two layers that share a weight have a gradient each, which add up; the same numbers in two
    places are one gradient, and what the object itself keeps by name is the whole.
    """
    found: list[Any] = []
    for place in places:
        gradient = _gradient_at(name, place)
        if gradient is None:
            continue
        if place.owner is instance and not isinstance(place.holder, list):
            return gradient
        if not any(gradient is one or np.array_equal(gradient, one) for one in found):
            found.append(gradient)
    same = len({np.shape(gradient) for gradient in found}) == 1
    return sum(found[1:], found[0]) if same and len(found) > 1 else next(iter(found), None)


def _gradient_at(name: str, place: Place) -> Any:
    """The gradient that the owner of a place keeps for it."""
    if place.holder is place.owner and held(place.holder) == place.key:
        inside = place.holder if isinstance(place.holder, dict) else vars(place.holder)
        return next((inside[key] for key in BESIDE if inside.get(key) is not None), None)
    forms = gradient_names(name)
    short = str(place.key) if isinstance(place.key, str) else name
    for key in (*forms, *gradient_names(short)):
        if isinstance(getattr(place.owner, key, None), np.ndarray | np.generic | float):
            return getattr(place.owner, key)
    for attribute, value in getattr(place.owner, "__dict__", {}).items():
        if value is place.holder and isinstance(value, list):  # `dW`, a list beside the list `W`
            lists = [getattr(place.owner, form, None) for form in gradient_names(attribute)]
            for kept in lists:
                if isinstance(kept, list) and len(kept) == len(value):
                    return kept[place.key]
    for attribute in GRADIENTS:
        kept = getattr(place.owner, attribute, None)
        if isinstance(kept, dict):
            for key in (name, short, *forms):
                if key in kept:
                    return kept[key]
        lists = isinstance(kept, list) and isinstance(place.holder, list)
        if lists and len(kept) == len(place.holder):
            return kept[place.key]
    return _listed_gradient(place.owner, place.get())


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


def spent(instance: Any, backward: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """Run a backward pass that takes a step of length 1; take the step back.

    Returns
    -------
    returned, gradients
        What it returns, and what each parameter that has moved has lost.
    """
    found = find_parameters(instance)
    last = {n.rpartition(".")[2] for n in found}
    gradients = {form for n in last for form in gradient_names(n)}
    before = [
        (n, place, place.get(), place.get().copy())
        for n, places in found.items()
        for place in places
        if n.rpartition(".")[2] not in gradients
    ]
    returned = try_copy(backward())
    lost = {n: kept - p.get() for n, p, _, kept in before if not same(p.get(), kept)}
    for _, place, array, kept in before:
        array[...] = kept
        place.set(array)
    return returned, lost


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
