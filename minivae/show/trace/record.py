"""What is kept of one operation: its place, its formula, its code, its arrays."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...engine.door import door

FORWARD, BACKWARD = "forward", "backward"


@door
@dataclass(frozen=True)
class Array:
    """A copy of an array on the host, and the numbers that describe it.

    Attributes
    ----------
    name : str
        What the code calls it.
    values : numpy.ndarray
        The copy.
    origin : int, optional
        Index of the record that made it; None for parameters, data and noise.
    """

    name: str
    values: np.ndarray
    origin: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.values.shape

    @property
    def sheets(self) -> list[tuple[str, np.ndarray]]:
        """Its numbers as rows and columns, and for each sheet of them which they are.

        Images (B, H, W, C) have one for each example and channel, weights of convolutions (kh, kw,
        C, O) one for each pair of channels, patches (B, h, w, kh, kw, C) one for each patch.
        """
        x = self.values
        if x.ndim == 4 and self.name in ("W", "dW"):
            pairs = np.ndindex(x.shape[2:])
            return [(f"[:, :, {c}, {o}]", x[:, :, c, o]) for c, o in pairs]
        if x.ndim == 4:
            pairs = np.ndindex(x.shape[0], x.shape[3])
            return [(f"[{n}, :, :, {c}]", x[n, :, :, c]) for n, c in pairs]
        if x.ndim == 6:
            places = np.ndindex(x.shape[:3])
            return [(str(list(at)), x[at].reshape(x.shape[3], -1)) for at in places]
        return [("", x.reshape(math.prod(x.shape[:-1]), *(x.shape[-1:] or (1,))))]

    @property
    def mean(self) -> float:
        """Mean of all entries; NaN if there are none."""
        return float(self._wide.mean()) if self.values.size else math.nan

    @property
    def spread(self) -> float:
        """Standard deviation of all entries; NaN if there are none."""
        return float(self._wide.std()) if self.values.size else math.nan

    @property
    def norm(self) -> float:
        """Root of the sum of squares of all entries."""
        return math.sqrt(float((self._wide**2).sum()))

    @property
    def _wide(self) -> np.ndarray:
        return self.values.astype(float)

    def __str__(self) -> str:
        return f"{self.name} {self.shape}"


@door
@dataclass(frozen=True)
class Record:
    """One operation of a pass.

    Attributes
    ----------
    index : int
        Its place in the order of execution, from 0.
    phase : {"forward", "backward"}
        The pass that it belongs to.
    where : str
        The part of the model, such as "encoder.trunk.0"; "model" is the model itself.
    operation : str
        What was run, such as "linear.backward".
    formula : dict of int to str
        Number -> LaTeX of the equations that the code cites; empty if it cites none.
    summary : str
        First line of the function's docstring.
    code : str
        The lines that compute it.
    file, line : str, int
        Where these lines begin.
    inputs, outputs : tuple of Array
        What went in and what came out.
    inner : tuple of Array
        What the code computed on the way; a kernel does not show it.
    options : dict
        Arguments that are no arrays.
    kernel : str
        Name of the kernel that computed it in the place of the code; "" if the code itself did.
    """

    index: int
    phase: str
    where: str
    operation: str
    formula: dict[int, str]
    summary: str
    code: str
    file: str
    line: int
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    inner: tuple[Array, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    kernel: str = ""

    def __getitem__(self, name: str) -> np.ndarray:
        """The array of that name, among the outputs first."""
        for array in (*self.outputs, *self.inner, *self.inputs):
            if array.name == name:
                return array.values
        raise KeyError(name)

    @property
    def norms(self) -> dict[str, float]:
        """Norm of each gradient that this operation gives; empty in the forward pass."""
        if self.phase == FORWARD:
            return {}
        return {array.name: array.norm for array in self.outputs}

    def __repr__(self) -> str:
        arrays = (", ".join(map(str, side)) for side in (self.inputs, self.outputs))
        return f"Record({self.index}, {self.where}: {self.operation}, {' -> '.join(arrays)})"
