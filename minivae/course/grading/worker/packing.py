"""A tape as plain data, and back: it crosses from the process in which a student's file runs.

What comes back is believed as little as everything else from there: operations must be known, steps
rest on steps before them, arrays are small. A tape that lies gives a bad hint and nothing worse.
"""

import json
from collections.abc import Container
from typing import Any

import numpy as np

LARGEST = 8000
"""Entries of one array of a tape."""


def pack(tape: Any) -> dict[str, Any] | None:
    """Turn a tape into text and a list of arrays."""
    if tape is None:
        return None
    arrays: list[np.ndarray] = []

    def plain(value: Any) -> Any:
        if isinstance(value, list | range):  # as an index, no tuple
            value = np.asarray(value)
        if isinstance(value, np.ndarray) and value.ndim:
            arrays.append(value)
            return {"array": len(arrays) - 1}
        if isinstance(value, slice):
            return {"slice": [plain(value.start), plain(value.stop), plain(value.step)]}
        if value is Ellipsis:
            return {"slice": None}
        if isinstance(value, tuple):
            return [plain(part) for part in value]
        return value.item() if isinstance(value, np.ndarray | np.generic) else value

    steps = [
        [
            node.op,
            [[kind, ref if kind == "node" else plain(ref)] for kind, ref in node.inputs],
            {name: plain(value) for name, value in node.params.items()},
            plain(node.value),
        ]
        for node in tape.nodes
    ]
    return {"steps": json.dumps([steps, tape.arguments, tape.outputs]), "arrays": arrays}


def unpack(packed: Any, most: int, tape: Any, known: Container[str]) -> Any:
    """Read a tape of at most so many steps into one; None if there is none, or it cannot be one.

    Parameters
    ----------
    packed : object
        What `pack` has made, or anything.
    most : int
        Steps.
    tape : Tape
        An empty one.
    known : container of str
        Operations that there are.
    """
    try:
        arrays = packed["arrays"]
        steps, arguments, outputs = json.loads(packed["steps"])
        if len(steps) > most or any(a.size > LARGEST for a in arrays):
            return None

        def value(found: Any) -> Any:
            if isinstance(found, list):
                return tuple(value(part) for part in found)
            if isinstance(found, dict):
                if "array" in found:
                    return arrays[found["array"]]
                return Ellipsis if found["slice"] is None else slice(*found["slice"])
            return found

        tape.arguments, tape.outputs = dict(arguments), list(outputs)
        for i, (op, refs, params, result) in enumerate(steps):
            inputs = tuple(
                ("node", int(ref)) if kind == "node" else ("const", np.asarray(value(ref), float))
                for kind, ref in refs
            )
            rests = all(0 <= ref < i for kind, ref in inputs if kind == "node")
            if not rests or (inputs and op not in known):
                return None
            read = {name: value(param) for name, param in params.items()}
            tape.add(op, inputs, read, value(result))
        placed = all(0 <= i < len(steps) for i in (*tape.arguments.values(), *tape.outputs))
        return tape if placed else None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return None
