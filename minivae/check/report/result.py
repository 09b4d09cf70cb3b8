"""What a check found, as data: verdicts, gradients, likely mistakes."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

RIGHT, BUT, WRONG, NOT_CHECKED = "right", "right, but", "wrong", "not checked"
"""What can be said: every gradient was compared and agrees; it agrees, and a habit is worth a word;
one disagrees; or it could not be paired, called or compared."""

EXIT_CODES = {RIGHT: 0, WRONG: 1, BUT: 3, NOT_CHECKED: 4}
"""What `minivae check` ends with; 2 is for wrong usage."""


def worst_of(verdicts: Iterable[str]) -> str:
    """The verdict on a whole: wrong if a part is, not checked if a part is or there is none."""
    found = set(verdicts)
    order = (WRONG, NOT_CHECKED, BUT, RIGHT)
    return next((verdict for verdict in order if verdict in found), NOT_CHECKED)


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
    line, cell : int
        Line of the file that it stands on, or of the code cell of a notebook; 0 if it is not known,
        or there is none.
    source, edit : str
        What stands there, and what makes it right, as source.
    """

    key: str
    text: str
    residual: float
    line: int = 0
    source: str = ""
    edit: str = ""
    cell: int = 0

    @property
    def where(self) -> str:
        """The line in words."""
        return f"{f'cell {self.cell}, ' * bool(self.cell)}line {self.line}"


@dataclass
class ArrayCheck:
    """One gradient against its numerical value.

    Attributes
    ----------
    name : str
        The argument or parameter.
    shape : tuple of int
        Shape of the argument.
    verdict : {"right", "right, but", "wrong", "not checked"}
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
    silent : bool
        Whether the output does not change with the argument here, so that nothing can be seen.
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
    silent: bool = False


@dataclass
class Result:
    """What `check_gradients` found.

    Attributes
    ----------
    name : str
        What was checked.
    arrays : list of ArrayCheck
        One for each gradient.
    habits : list of str
        What is right and worth a word: inputs that are changed in place, gradients that add up from
        call to call, randomness of its own, another dtype.
    method : str
        How the numerical gradient was found.
    tolerance : float
        Largest relative error that passes.
    evaluations : int
        Evaluations of the forward pass.
    notes : list of str
        What the reader should know besides.
    crash : str
        Where the doctor itself failed while it looked for a mistake; the verdicts stand.
    hint : str
        How much is told; see `told`.
    """

    name: str
    arrays: list[ArrayCheck]
    habits: list[str]
    method: str
    tolerance: float
    evaluations: int
    notes: list[str] = field(default_factory=list)
    crash: str = ""
    hint: str = "edit"

    @property
    def shown(self) -> list[ArrayCheck]:
        """The gradients that are told of."""
        return [] if self.hint == "verdict" else self.arrays

    @property
    def verdict(self) -> str:
        """Verdict on the whole: wrong if anything is, right if everything is and no habit."""
        verdict = worst_of(array.verdict for array in self.arrays)
        return BUT if verdict == RIGHT and self.habits else verdict

    @property
    def passed(self) -> bool:
        """Whether every gradient was compared and is right, whatever the habits."""
        return self.verdict in (RIGHT, BUT)

    @property
    def error(self) -> float:
        """Largest relative error of all gradients."""
        errors = [array.error for array in self.arrays if np.isfinite(array.error)]
        return max(errors, default=float("nan"))

    def __getitem__(self, name: str) -> ArrayCheck:
        return next(array for array in self.arrays if array.name == name)
