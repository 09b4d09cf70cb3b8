"""Memory that is used again in every training step.

Each step of a training makes the same arrays of the same shapes in the same order. Inside a
`with workspace:` block, `empty(shape, dtype)` hands out the memory of the step before: the k-th
array of a step lies where the k-th array of the last step lay. Nothing is allocated after the first
step, and nothing has to be named.

**Where the line runs.** Inside the block lies what a step needs and nobody keeps: the minibatch,
the noise, the layers' caches and the gradients on the way. `Model.step` opens the block and returns
copies, so what a caller receives is never overwritten. Outside of such a block `empty` makes a new
array every time: whatever `forward`, `backward`, `encode`, `decode` or `sample` return, is yours.
"""

import math
import threading
from typing import Any

import numpy as np

from ...interrupts import held
from . import team
from .recorded import Calls
from .threads import Team


class _Current(threading.local):
    """The workspace whose block this thread is in."""

    workspace: "Workspace | None" = None


_current = _Current()


class Workspace:
    """Arrays that the block `with workspace:` uses again each time that it is entered.

    A block inside a block of the same workspace goes on with the outer one: `fit` opens it around
    fetching the minibatch, and `Model.step`, called in there, opens it once more.

    Parameters
    ----------
    shared : bool
        Let the block's products and loops be shared by the threads of the team (`team.py`).
    """

    def __init__(self, shared: bool = False) -> None:
        self.shared = shared
        self.arrays: list[np.ndarray] = []
        self.memory: list[np.ndarray] = []
        self.next = 0
        self._depth = 0
        self._outer: Workspace | None = None
        self._team_before: Team | None = None
        self._held = held()
        self.calls = Calls(self)

    def __enter__(self) -> "Workspace":
        if self._depth == 0:
            self._held.__enter__()
            try:
                if self.shared:
                    self._team_before = team.begin()
            except BaseException:
                self._held.__exit__()
                raise
            self.next = 0
            self._outer = _current.workspace
            _current.workspace = self
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            _current.workspace = self._outer
            try:
                if self.shared:
                    team.end(self._team_before)
            finally:
                self._held.__exit__()

    @property
    def team(self) -> Team | None:
        """The team that works for this block."""
        return team.current() if self.shared and self._depth else None

    def place(self, i: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Make the i-th array one of another shape: in the same memory, where that is enough.

        So after the last, smaller batch of an epoch the next one lies where all others lay.
        """
        size = math.prod(shape) * dtype.itemsize
        if size > self.memory[i].nbytes:
            self.memory[i] = np.empty(shape, dtype)
        return self.memory[i].reshape(-1).view("uint8")[:size].view(dtype).reshape(shape)

    def __reduce__(self) -> tuple:
        # A copy of a model begins with a workspace of its own.
        return Workspace, (self.shared,)


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an array with whatever numbers are in it: in a step its own, elsewhere a new one.

    Parameters
    ----------
    shape : tuple of int
        Shape.
    dtype : dtype
        dtype.
    """
    workspace = _current.workspace
    if workspace is None:
        return np.empty(shape, dtype)
    arrays, i = workspace.arrays, workspace.next
    workspace.next = i + 1
    if i == len(arrays):
        workspace.memory.append(np.empty(shape, dtype))
        arrays.append(workspace.memory[i])
    elif arrays[i].shape != shape or arrays[i].dtype != dtype:
        arrays[i] = workspace.place(i, shape, np.dtype(dtype))
    return arrays[i]
