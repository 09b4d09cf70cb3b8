"""From a wrong gradient to the likely mistake."""

import numpy as np

from .report import Report
from .subject import Subject


def diagnose(report: Report, subject: Subject, upstream: list[np.ndarray], seed: int) -> None:
    """Add the likely mistakes to each wrong gradient of the report."""
