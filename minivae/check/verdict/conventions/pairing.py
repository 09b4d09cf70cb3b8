"""Which function is the backward pass of which: by the words in their names.

`conv_backward_naive` belongs to `conv_forward_naive`, or else to `conv_forward` or `conv`;
`batchnorm_backward_alt` to `batchnorm_forward`; `sigmoid_grad`, `sigmoid_derivative` and `dsigmoid`
to `sigmoid`; `mse_grad` to `mse_loss`.
"""

from collections.abc import Iterable

from .names import BACKWARD_WORDS, FORWARD_WORDS, VARIANTS


def partner_of(name: str, functions: Iterable[str]) -> tuple[str, str] | None:
    """What to call a pair, and the forward function of what is a backward pass; None if it is none.

    Parameters
    ----------
    name : str
        Of a function.
    functions : iterable of str
        Names of all.
    """
    words = name.lower().split("_")
    stem = [w for w in words if w not in BACKWARD_WORDS]
    if len(stem) == len(words):
        if name[:1] != "d":
            return None
        stem = name[1:].lower().lstrip("_").split("_")
    best = min(
        (pair for f in functions if f != name and (pair := _match(stem, f)) is not None),
        default=None,
    )
    if best is None:
        return None
    plain = [w for w in stem if w not in VARIANTS]
    return "_".join(plain) or best[-1], best[-1]


def _match(stem: list[str], forward: str) -> tuple[int, int, str] | None:
    """How far a function is from being the forward pass of a stem; None if it cannot be."""
    words = forward.lower().split("_")
    if any(w in BACKWARD_WORDS for w in words):
        return None
    kinds = [w for w in words if w in FORWARD_WORDS]
    rest = [w for w in words if w not in FORWARD_WORDS]
    order = len(FORWARD_WORDS) if not kinds else min(map(FORWARD_WORDS.index, kinds))
    if stem in (rest, words, [w for w in words if w == "loss" or w not in FORWARD_WORDS]):
        return 0, order, forward
    plain = [w for w in stem if w not in VARIANTS]
    if plain == [w for w in rest if w not in VARIANTS]:
        return 1, order, forward
    return None
