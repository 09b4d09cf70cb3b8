r"""What every optimizer does around its rule: refuse a gradient that is not finite, clip, update.

An optimizer works on the flat pair, so it is one loop over `theta` and `grad`, whatever the layers.
The rules are in `sgd.py`, `momentum.py` and `adam.py`; $g$ is the gradient, $\eta$ the learning
rate, $t = 1, 2, \dots$ the step. Before any of them comes the **clipping** by the norm of the whole
gradient (Pascanu et al. 2013):

$$ g \leftarrow g \cdot \min(1, c / \|g\|) \tag{1} $$
"""

import math
from numbers import Real
from typing import Any

import numpy as np

from ...engine.available import require_memory
from ...engine.backend import Array, is_array
from ...engine.door import door
from ...engine.params import Params
from ...errors import CheckpointError, NonFiniteError, OptionError, UndefinedError, shown
from .guard import _GUARD_CUDA, _SQUARE_CUDA, check_finite


@door
class Optimizer:
    """Base: refuse a gradient that is not finite, clip, update.

    Parameters
    ----------
    lr : float
        Learning rate, above 0.
    clip_norm : float, optional
        Largest norm of the whole gradient.
    """

    past_the_door = frozenset({"update", "load_state"})
    """`update` is called by `step` alone, and `load_state` says itself what does not fit."""

    kind = ""
    """Name of the rule in a configuration."""
    moments: tuple[str, ...] = ()
    """Names of the flat arrays (P,) that the optimizer keeps."""
    squares = False
    """Whether the rule squares the gradient, which may overflow where the gradient does not."""
    hyperparameters: tuple[str, ...] = ("lr", "clip_norm")
    """Names of what the constructor takes."""

    lr: float
    clip_norm: float | None
    t: int
    """Steps made."""
    rate: float
    """Learning rate of the step that is made: `lr`, times what a schedule has it multiplied by."""

    def __init__(self, lr: float, clip_norm: float | None = None) -> None:
        if not (isinstance(lr, Real) and lr > 0 and math.isfinite(lr)):
            raise OptionError(f"lr={lr!r} was given, but a learning rate is a number above 0.")
        if clip_norm is not None and not clip_norm > 0:
            raise OptionError(f"clip_norm={clip_norm} was given, but it must be above 0.")
        self.lr, self.clip_norm = lr, clip_norm
        self.t = 0
        self.state: dict[str, Array] = {}
        self.guard: tuple[Array, Array] | None = None

    @property
    def config(self) -> dict[str, Any]:
        """What builds this optimizer again, as JSON types."""
        return {"kind": self.kind} | {name: getattr(self, name) for name in self.hyperparameters}

    def step(self, params: Params, factor: float = 1.0) -> None:
        """Update `params.theta` in place from `params.grad`, with the learning rate lr * factor.

        On a device the step is queued, and nobody waits to hear whether its gradient was finite.
        If it was not, the device refuses this update and all later ones, and `settle` says so.

        Raises
        ------
        NonFiniteError
            If the gradient holds NaN or infinity, or its square would; then nothing is changed.
        """
        self.rate = self.lr * factor
        if not params.backend.waits:
            self._queue_step(params)
            return
        norm = check_finite(params)
        if self.clip_norm is not None and norm > self.clip_norm:
            params.grad *= self.clip_norm / norm  # (1)
        elif self.squares:
            self._check_square(norm, params)
        if not self.state:
            need = len(self.moments) * params.theta.nbytes
            of = f"{type(self).__name__} for {params.theta.size:,} parameters"
            what = f"{', '.join(self.moments)} of {of}"
            require_memory(need, what, "choose a smaller model, or the optimizer sgd")
            self.state = {name: params.backend.xp.zeros_like(params.theta) for name in self.moments}
        self.t += 1
        self.update(params)

    def _check_square(self, norm: float, params: Params) -> None:
        """Refuse a gradient, not clipped, whose square the rule cannot take."""
        if norm > math.sqrt(self._limit(params)):
            raise NonFiniteError(
                f"the norm of the gradient is {norm:.1e}, whose square is too large for "
                f"{params.dtype}; the update was refused and the weights are unchanged: clip the "
                "gradient's norm or lower the learning rate."
            )

    def _limit(self, params: Params) -> float:
        """Largest square of the gradient's norm that the rule takes, if it is not clipped."""
        return float(np.finfo(params.dtype if self.squares else "float64").max)

    def _queue_step(self, params: Params) -> None:
        xp = params.backend.xp
        if self.guard is None:
            self.guard = xp.zeros((), "float64"), xp.ones((), "float64")
        if not self.state:
            self.state = {name: xp.zeros_like(params.theta) for name in self.moments}
        clip_norm = math.inf if self.clip_norm is None else self.clip_norm
        square = _SQUARE_CUDA(params.grad)
        self.t += 1  # from here on nothing asks for memory
        _GUARD_CUDA(square, self._limit(params), clip_norm, self.t, *self.guard)
        self.update(params)

    def settle(self, params: Params) -> None:
        """Wait for the device, and learn whether it has refused an update; elsewhere do nothing.

        Raises
        ------
        NonFiniteError
            If the gradient of a step held NaN or infinity, or its square would. The weights are
            those before that step, and `t` counts the steps up to there.
        """
        if self.guard is None:
            return
        health, self.guard = float(self.guard[0]), None
        if health >= 0:
            return
        self.t, refused = int(-health) - 1, self.t
        norm = check_finite(params)  # says more, if the last gradient is bad
        if self.squares and self.clip_norm is None:
            self._check_square(norm, params)
        raise NonFiniteError(
            f"the gradient of update {self.t + 1} held NaN, infinity or numbers whose squares are "
            f"too large; this update and all up to {refused} were refused and the weights are "
            "unchanged since: lower the learning rate, clip the gradient's norm, or look for NaN "
            "in the data."
        )

    @property
    def extras(self) -> dict[str, Any]:
        """What a kernel of the rule is given beside the arguments of its reference."""
        return {} if self.guard is None else {"guard": self.guard}

    def update(self, params: Params) -> None:
        """Apply the rule; `step` has checked and clipped the gradient."""
        raise UndefinedError(f"{type(self).__name__} must define update; write it.")

    def load_state(self, t: int, state: dict[str, Array], params: Params) -> None:
        """Take over step count and moments of an optimizer of the same kind, from host or device.

        Raises
        ------
        CheckpointError
            If the moments are not this optimizer's, or have another size than `params`.
        """
        if not (isinstance(t, int) and not isinstance(t, bool) and t >= 0):
            raise CheckpointError(f"t={t!r} was given, but steps are counted from 0.")
        if not isinstance(params, Params):
            raise OptionError(f"params={shown(params)} was given; give a Params.")
        wanted = dict.fromkeys(self.moments, params.theta.shape) if t else {}
        if not isinstance(state, dict) or not all(map(is_array, state.values())):
            raise CheckpointError(f"state={shown(state)} was given; give a dict of arrays.")
        given = {name: array.shape for name, array in state.items()}
        if given != wanted:
            raise CheckpointError(
                f"the optimizer's state holds {given}, but {type(self).__name__} on this model "
                f"needs {wanted}; resume with the optimizer and the widths of the run."
            )
        self.t = t
        self.state = {
            name: params.backend.asarray(array.copy(), params.dtype)
            for name, array in state.items()
        }
