"""What sequences are shown as, and written to files as: it depends on what their symbols mean.

Each file here is one kind, and says by `KIND` which alphabets are its own. Another kind is another
file, and a name in `KINDS`. Nothing here knows a model or writes a file.
"""

from collections.abc import Sequence

from . import melody, text
from .kind import Kind

KINDS = (melody.KIND, text.KIND)
"""The first that fits counts; text fits all."""


def kind_of(alphabet: Sequence[str]) -> Kind:
    """The kind of sequences that have this alphabet."""
    return next(kind for kind in KINDS if kind.fits(alphabet))
