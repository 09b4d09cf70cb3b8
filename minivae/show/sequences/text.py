"""Text: what the symbols spell, a line for each sequence."""

from collections.abc import Sequence

import numpy as np

from ...data.alphabet import END, numbered, spelled
from .kind import Kind, Sheet


def lines(sheet: Sheet) -> bytes:
    """A line for each sequence, with its caption before it."""
    texts = spelled(sheet.rows, sheet.alphabet)
    wide = max(map(len, sheet.captions), default=0)
    captions = [f"{caption:<{wide + 2}}" if wide else "" for caption in sheet.captions]
    return "".join(c + text + "\n" for c, text in zip(captions, texts, strict=True)).encode()


def find(text: str, alphabet: Sequence[str]) -> np.ndarray | None:
    """The text itself, where the symbols can spell it."""
    return numbered(text, [text], alphabet)[0] if END in alphabet else None


KIND = Kind(
    name="text",
    fits=lambda alphabet: True,
    formats={".txt": lines},
    each=(),
    find=find,
    named="a text in the symbols of the data",
)
