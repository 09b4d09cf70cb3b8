"""A model as a table: its layers in the order in which they compute, their shapes, their sizes.

The shapes are not worked out but seen: one example goes forward, and each layer says what it gave.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.layer import Layer, Sequential


class Summary(str):
    """Text that a notebook shows as it is printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def summary(model: Any) -> Summary:
    """Lay out a model's layers, one a row: name, layer, shape of the output, parameters.

    Parameters
    ----------
    model : Model
        Nothing in it is changed, but that its next `backward` wants a `forward` first.
    """
    found = {
        id(leaf): (name, leaf)
        for part, layer in model.layers().items()
        for name, leaf in leaves(part, layer)
    }
    shapes: dict[int, str] = {}

    def watched(leaf: Layer) -> Any:
        forward = leaf.forward

        def see(*inputs: Any, **options: Any) -> Any:
            out = forward(*inputs, **options)
            shapes.setdefault(id(leaf), _shape(out))
            return out

        return see

    rng = np.random.default_rng(0)
    try:
        for _, leaf in found.values():
            leaf.forward = watched(leaf)  # type: ignore[method-assign]
        x = model.prepare(model.draw_rows(rng, 1).astype(model.params.dtype))
        with np.errstate(all="ignore"):
            model.forward(x, model.draw_noise(rng, 1))
    finally:
        for _, leaf in found.values():
            del leaf.forward
    model.forget()
    rows = [
        (name, repr(leaf), shapes.get(key, ""), f"{leaf.params.theta.size:,}")
        for key, (name, leaf) in found.items()
    ]
    head = ("part", "layer", "output", "parameters")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}"
        for a, b, c, d in (head, *rows)
    ]
    rule = "-" * len(lines[0])
    size = model.params.theta
    total = f"{size.size:,} parameters, {size.nbytes / 2**20:.1f} MB of {model.params.dtype}"
    lines = [repr(model), "", lines[0], rule, *lines[1:], rule, f"{total} on {model.backend.name}"]
    return Summary("\n".join(lines))


def leaves(name: str, layer: Layer) -> Iterator[tuple[str, Layer]]:
    """Layers that hold no other layer, each with the names that lead to it."""
    if isinstance(layer, Sequential):
        children = {str(i): child for i, child in enumerate(layer.layers)}
    else:
        children = {k: v for k, v in vars(layer).items() if isinstance(v, Layer)}
        for key, parts in vars(layer).items():  # several, in a list
            if isinstance(parts, list) and all(isinstance(part, Layer) for part in parts):
                children |= {f"{key}.{i}": part for i, part in enumerate(parts)}
    if not children:
        yield name, layer
    for key, child in children.items():
        yield from leaves(f"{name}.{key}", child)


def _shape(out: Any) -> str:
    """Shape of an output, with B for the batch; of several, each one's."""
    if isinstance(out, tuple):
        return ", ".join(map(_shape, out))
    rest = "".join(f", {n}" for n in out.shape[1:])
    return f"(B{rest})" if rest else "(B,)"
