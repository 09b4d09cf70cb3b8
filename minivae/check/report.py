"""What a check found: for each gradient a verdict, in numbers; as text, dict and JSON."""

import json
from dataclasses import dataclass, field
from typing import Any

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
class Report:
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

    def to_dict(self) -> dict[str, Any]:
        """The report without the arrays themselves, as JSON types."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "method": self.method,
            "tolerance": self.tolerance,
            "evaluations": self.evaluations,
            "contract": list(self.contract),
            "notes": list(self.notes),
            "gradients": [_array_dict(array) for array in self.arrays],
        }

    def to_json(self, indent: int | None = 2) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=indent)

    def __str__(self) -> str:
        from .text import report_text

        return report_text(self)

    def _repr_html_(self) -> str:
        from .html import report_html

        return report_html(self)


def _array_dict(array: ArrayCheck) -> dict[str, Any]:
    compared = array.worst is not None and array.yours is not None and array.numerical is not None
    return {
        "name": array.name,
        "shape": list(array.shape),
        "verdict": array.verdict,
        "error": array.error if np.isfinite(array.error) else None,
        "checked": array.checked,
        "worst": list(array.worst) if compared else None,
        "yours": _number(array.yours[array.worst]) if compared else None,
        "numerical": _number(array.numerical[array.worst]) if compared else None,
        "reason": array.reason,
        "diagnoses": [
            vars(diagnosis) | {"residual": _number(diagnosis.residual)}
            for diagnosis in array.diagnoses
        ],
    }


def _number(value: Any) -> float | str:
    """A float for JSON, which knows no NaN: those become words."""
    value = float(value)
    return value if np.isfinite(value) else str(value)
