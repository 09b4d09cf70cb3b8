"""What each mechanism of the diagnosis returns: a possible mistake."""

from dataclasses import dataclass

import numpy as np

Arrays = list[np.ndarray]


@dataclass
class Finding:
    """A possible mistake.

    Attributes
    ----------
    key, text : str
        As in a diagnosis.
    misfit : float
        Relative distance between the gradient at hand and what the mistake gives.
    level : int
        How specific it is; of several that fit, the lowest is the likeliest.
    """

    key: str
    text: str
    misfit: float
    level: int = 1
