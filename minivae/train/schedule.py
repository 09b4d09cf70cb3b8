"""How the weight of the KL grows while training."""

from dataclasses import dataclass

from ..errors import OptionError


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
