"""What all parts of a model share: whether this is a step of training, and what a check holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .company import ALONE, Company


class Switch:
    """True inside of `with switch:`, and false outside.

    Attributes
    ----------
    held : dict of int to array, optional
        What layers have stopped the gradient of, while a check rehearses; see `Params.stopped`.
    others : Company
        Who else works on the minibatch of the step that is under way.
    """

    same_calls = True  # what a recorded step rests on: `cpu/recorded.py`

    def __init__(self) -> None:
        self.depth = 0
        self.held: dict[int, Any] | None = None
        self.others = ALONE

    @contextmanager
    def among(self, others: Company) -> Iterator[None]:
        """Within this block, a step is a part of one that others have the other parts of."""
        self.others = others
        try:
            yield
        finally:
            self.others = ALONE

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
