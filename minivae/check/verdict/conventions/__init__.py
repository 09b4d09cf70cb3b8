"""How courses call things: names, signatures, parameters, gradients; one reader for both doors.

`check_gradients` uses it on functions at hand, `minivae check FILE` inside the student's process.
So nothing here imports more than NumPy and the standard library, and nothing here compares, judges
or prints: it calls what somebody wrote and says which array is what. `names` is the one table of
names, also for the doctor and the grader.
"""

from .calling import Call, parameters_of
from .double import in_double
from .editable import Editable
from .implied import IMPLIED, Implied
from .objects import methods_of, pairs_in
from .owners import kind_of_return, returned_names
from .pair import Pair
from .reading import Reading
from .values import Unreadable, changed, same, try_copy

__all__ = [
    "IMPLIED",
    "Call",
    "Editable",
    "Implied",
    "Pair",
    "Reading",
    "Unreadable",
    "changed",
    "in_double",
    "kind_of_return",
    "methods_of",
    "pairs_in",
    "parameters_of",
    "returned_names",
    "same",
    "try_copy",
]
