"""Which function is the backward pass of which: by the words in their names.

`conv_backward_naive` belongs to `conv_forward_naive`, or else to `conv_forward` or `conv`;
`batchnorm_backward_alt` to `batchnorm_forward`; `sigmoid_grad`, `sigmoidPrime`, `d_sigmoid` and
`dsigmoid` to `sigmoid`; `mse_grad` to `mse_loss`; `backward_propagation` to `forward_propagation`.
The order of the words says nothing; what a name says besides forward, backward and which variant it
is, its stem, must be the same.
"""

import re
from collections.abc import Iterable, Mapping

from .names import BACKWARD_WORDS, FILLERS, FORWARD_WORDS, LOSS_WORDS, VARIANTS

WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+(?:[0-9]+[a-z]*)*|[0-9]+")
CHAIN = frozenset(["probs", "prob", "probabilities", "messages", "algorithm", "variables"])
"""Words beside forward and backward of the algorithm that is called so, of a hidden chain."""
KEPT = frozenset(["parameters", "params"])
"""What `getParameters` and `getGradParameters` return: no forward and backward pass."""
ENDINGS = ("grad", "prime", "backward", "derivative", "deriv")
PASSES = FORWARD_WORDS - LOSS_WORDS
OPPOSITES = (("backward", "forward"), ("back", "forward"), ("bwd", "fwd"), ("bprop", "fprop"))


def words_of(name: str) -> list[str]:
    """Words of a name in snake_case or camelCase; a digit belongs to the word before it."""
    found: list[str] = []
    for word in WORD.findall(name):
        if word.isdigit() and found:
            found[-1] += word
        else:
            found.append(word.lower())
    return found


def stems_of(name: str) -> list[list[str]]:
    """Words of what a backward pass of that name is the derivative of; empty if it is none."""
    words = words_of(name)
    rest = [w for w in words if w not in BACKWARD_WORDS]
    if len(rest) < len(words):
        return [rest]
    if words[:1] == ["d"] and len(words) > 1:
        return [words[1:]]
    for i, word in enumerate(words):  # sigmoidgrad
        for end in ENDINGS:
            if word.endswith(end) and len(word) > len(end):
                return [[*words[:i], word.removesuffix(end), *words[i + 1 :]]]
    return [words_of(name[1:])] if name[:1] == "d" and len(name) > 2 else []


def partner_of(name: str, functions: Iterable[str]) -> tuple[str, str] | None:
    """What to call a pair, and the forward function of what is a backward pass; None if it is none.

    Parameters
    ----------
    name : str
        Of a function.
    functions : iterable of str
        Names of all.
    """
    stems = stems_of(name)
    if not stems or (CHAIN | KEPT) & {word for stem in stems for word in stem}:
        return None
    opposites = {name.lower().replace(*pair) for pair in OPPOSITES}
    said = set(words_of(name)) - BACKWARD_WORDS
    best = min(
        (
            (f.lower() not in opposites, len(said ^ (set(words_of(f)) - PASSES)), i, f)
            for i, f in enumerate(functions)
            if f != name and not BACKWARD_WORDS & set(words_of(f)) and _fits(stems, f)
        ),
        default=None,
    )
    if best is None:
        return None
    title = "_".join(w for w in best[-1].split("_") if w.lower() not in VARIANTS | PASSES)
    return title if len(title) > 1 else best[-1], best[-1]


def _fits(stems: list[list[str]], forward: str) -> bool:
    """Whether a function can be the forward pass of a stem."""
    words = words_of(forward)
    full, bare = _without(words, PASSES), _without(words, FORWARD_WORDS)
    for stem in stems:
        of_loss, rest = LOSS_WORDS & set(stem), _without(stem, FORWARD_WORDS)
        if bare:
            same = set(bare) == set(rest) or set(full) == set(stem)
        else:
            same = not rest and (LOSS_WORDS if of_loss else FORWARD_WORDS) & set(words)
        if same or (rest and _joined(stem) == _joined(words)):
            return True
    return False


def _without(words: Iterable[str], others: frozenset[str]) -> list[str]:
    return [w for w in words if w not in others | VARIANTS | FILLERS]


def _joined(words: Iterable[str]) -> str:
    """The letters of a name: `layer_norm` and `layernorm` are one."""
    return "".join(w for w in words if w not in FORWARD_WORDS | VARIANTS)


def pairs_of(functions: Mapping[str, object] | Iterable[str]) -> list[tuple[str, str, str]]:
    """Title, forward and backward of every pair; each backward pass is one."""
    names = list(functions)
    return [(*pair, name) for name in names if (pair := partner_of(name, names))]
