"""What a check found, as data: verdicts, gradients, likely mistakes."""

from dataclasses import dataclass, field

import numpy as np

RIGHT, WRONG, UNKNOWN = "right", "wrong", "cannot tell"


@dataclass(frozen=True)
class Diagnosis:
    """A likely mistake.

    Attributes
    ----------
    key : str
        Short name of the kind of mistake, such as "sign" or "factor".
    text : str
        What is wrong, in words.
    residual : float
        How far the gradient is from what this mistake would give, relative; 0 is a perfect match.
    also : bool
        Whether it was made together with the one before, instead of it.
    """

    key: str
    text: str
    residual: float
    also: bool = False


@dataclass
class ArrayCheck:
    """One gradient against its numerical value.

    Attributes
    ----------
    name : str
        The argument or parameter.
    shape : tuple of int
        Shape of the argument.
    verdict : {"right", "wrong", "cannot tell"}
        What the comparison says.
    error : float
        Largest absolute difference, relative to the largest gradient; NaN if not comparable.
    worst : tuple of int, optional
        Index of the largest difference.
    yours, numerical : numpy.ndarray, optional
        The gradient that was returned, and the numerical one (NaN where it was not evaluated).
    reason : str
        Why, where the numbers do not say it: a wrong shape, a kink.
    checked : int
        Entries that were compared.
    diagnoses : list of Diagnosis
        Likely mistakes, the likeliest first.
    """

    name: str
    shape: tuple[int, ...]
    verdict: str
    error: float = float("nan")
    worst: tuple[int, ...] | None = None
    yours: np.ndarray | None = None
    numerical: np.ndarray | None = None
    reason: str = ""
    checked: int = 0
    diagnoses: list[Diagnosis] = field(default_factory=list)


@dataclass
class Result:
    """What `check_gradients` found.

    Attributes
    ----------
    name : str
        What was checked.
    arrays : list of ArrayCheck
        One for each gradient.
    contract : list of str
        Breaches of the contract of a backward pass: changed inputs, accumulation, randomness.
    method : str
        How the numerical gradient was found.
    tolerance : float
        Largest relative error that passes.
    evaluations : int
        Evaluations of the forward pass.
    notes : list of str
        What the reader should know besides.
    """

    name: str
    arrays: list[ArrayCheck]
    contract: list[str]
    method: str
    tolerance: float
    evaluations: int
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Verdict on the whole: wrong if anything is, right if everything is."""
        verdicts = {array.verdict for array in self.arrays}
        if WRONG in verdicts or self.contract:
            return WRONG
        return UNKNOWN if UNKNOWN in verdicts else RIGHT

    @property
    def passed(self) -> bool:
        """Whether everything is right."""
        return self.verdict == RIGHT

    @property
    def error(self) -> float:
        """Largest relative error of all gradients."""
        errors = [array.error for array in self.arrays if np.isfinite(array.error)]
        return max(errors, default=float("nan"))

    def __getitem__(self, name: str) -> ArrayCheck:
        return next(array for array in self.arrays if array.name == name)
