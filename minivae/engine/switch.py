"""What all parts of a model share: whether this is a step of training, and what a check holds."""

from typing import Any


class Switch:
    """True inside of `with switch:`, and false outside.

    Attributes
    ----------
    held : dict of int to array, optional
        What layers have stopped the gradient of, while a check rehearses; see `Params.stopped`.
    """

    same_calls = True  # what a recorded step rests on: `cpu/recorded.py`

    def __init__(self) -> None:
        self.depth = 0
        self.held: dict[int, Any] | None = None

    def __bool__(self) -> bool:
        return self.depth > 0

    def __enter__(self) -> "Switch":
        self.depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.depth -= 1

    def __reduce__(self) -> tuple:
        # A copy begins outside of any block.
        return Switch, ()
