"""How the weight of the KL grows while training, and how the learning rate falls."""

import math
from dataclasses import dataclass

from ..engine.door import door
from ..engine.kinds import Count, Whole
from ..errors import OptionError


@door
@dataclass(frozen=True)
class BetaSchedule:
    r"""How $\beta$ grows from 0 while training (KL warm-up).

    Attributes
    ----------
    beta : float
        Where it ends, or stays.
    kind : {"constant", "linear", "cyclical"}
        "linear" rises over `period` steps and stays (Sønderby et al. 2016); "cyclical" starts
        again every `period` steps, rising during the first half of each (Fu et al. 2019).
    period : int
        Steps.
    """

    beta: float = 1.0
    kind: str = "constant"
    period: int = 1

    def __post_init__(self) -> None:
        if self.kind not in ("constant", "linear", "cyclical"):
            raise OptionError(
                f"schedule {self.kind!r} was given; choose constant, linear or cyclical."
            )
        if not (self.beta >= 0 and self.period >= 1):
            raise OptionError(
                f"beta={self.beta} and period={self.period} were given; beta must be 0 or more, "
                "and the period at least one step."
            )

    def __call__(self, step: int) -> float:
        """Beta at a step, counted from 0."""
        if self.kind == "constant":
            return self.beta
        if self.kind == "linear":
            return self.beta * min(1.0, step / self.period)
        return self.beta * min(1.0, 2 * (step % self.period) / self.period)


LR_KINDS = ("constant", "linear", "cosine")


@door
@dataclass(frozen=True)
class LrSchedule:
    r"""What the learning rate is multiplied with at each step: it warms up, and then falls.

    Of $T$ steps in all the first $W$ are the warm-up. With $p = (t - W) / (T - W)$, step $t$,
    counted from 0, has the factor

    $$ \frac{t + 1}{W} \text{ for } t < W, \quad\text{then}\quad
       1, \quad 1 - p \quad\text{or}\quad \tfrac12 (1 + \cos \pi p) \tag{1} $$

    (the cosine: Loshchilov and Hutter 2017, without restarts).

    Attributes
    ----------
    kind : {"constant", "linear", "cosine"}
        How it falls: not at all, or to 0 in a line or a half wave.
    warmup : int
        Steps W.
    total : int
        Steps T of the whole training.
    """

    kind: str = "constant"
    warmup: Whole = 0
    total: Count = 1

    def __post_init__(self) -> None:
        if self.kind not in LR_KINDS:
            raise OptionError(
                f"lr_schedule={self.kind!r} was given; choose one of: {', '.join(LR_KINDS)}."
            )
        if not self.warmup >= 0:
            raise OptionError(
                f"an lr_warmup of {self.warmup} steps was given, but it must be 0 or more."
            )

    @property
    def varies(self) -> bool:
        """Whether it is not 1 all the time."""
        return self.kind != "constant" or self.warmup > 0

    def __call__(self, step: Whole) -> float:
        """Factor at a step, counted from 0."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.kind == "constant":
            return 1.0
        p = min(1.0, (step - self.warmup) / max(1, self.total - self.warmup))
        return 1 - p if self.kind == "linear" else (1 + math.cos(math.pi * p)) / 2  # (1)
