"""What a check found, in every form that it is shown in."""

import json
from typing import Any

import numpy as np

from ...engine.door import door
from ...engine.kinds import Indent
from .html import report_html
from .result import ArrayCheck, Result
from .text import report_text


@door
class Report(Result):
    """What `check_gradients` found, as text, HTML, dict and JSON."""

    def to_dict(self) -> dict[str, Any]:
        """The report without the arrays themselves, as JSON types."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "method": self.method,
            "tolerance": self.tolerance,
            "evaluations": self.evaluations,
            "habits": list(self.habits),
            "notes": list(self.notes),
            "crash": self.crash,
            "gradients": [_array_dict(array) for array in self.shown],
        }

    def to_json(self, indent: Indent | None = 2) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=indent)

    def __str__(self) -> str:
        return report_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
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
