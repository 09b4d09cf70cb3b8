"""The role of an argument among the others: data, a weight, a hidden state, labels, a number.

A name alone says little: `y` is the target of `p`, and the output beside a target `t`; `h` is a
state, or a height. So the other arguments are asked too, and what the source says.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from ...check.verdict.conventions import names as table
from ...check.verdict.conventions.names import plain
from .discover import Clues
from .layouts import NUMBERS, PREDICTED, RECURRENT, STACKED

LOSS = re.compile(r"loss|cost|elbo|nll|bce|objective|criterion|cross_?entropy", re.IGNORECASE)
"""How a loss is called."""
IDS = frozenset(
    [
        *("idx", "ids", "id", "index", "indices", "indexes", "tokens", "token"),
        *("tokenids", "tokenid", "inputids", "wordids", "wordid"),
    ]
)
"""Plain names of whole numbers that rows of a table are taken by."""
WEIGHTS = re.compile(
    r"(embed\w*_)?w(_?[a-z]?[a-z]|_?[0-9])?|weights?(_(in|hid|out)\w*)?", re.IGNORECASE
)
NUMBER = re.compile(
    r"(.*_)?(strength|coef\w*|rate|ratio|factor|prob|penalty|decay|regu\w*|lambda)(_.*)?"
)
"""A number that is no size, plain but for the underscores."""
STEP = r"w_?(x|h|ax|aa|ih|hh|xh)|weights?_?(h|hid|hidden)"
"""A weight of a recurrent step, plain."""


@dataclass
class Names:
    """The arguments of one function, or of a constructor, and sizes for the axes that they name.

    Attributes
    ----------
    parameters, clues
        See `Target`.
    spare : dict of str to str
        Names of axes that mean nothing, and a symbol for each.
    title : str
        What the function or class is called.
    beside : tuple of str
        Names of forward's arguments, beside those of a constructor.
    sized : str
        Names of a constructor's arguments, beside those of forward.
    """

    parameters: list[tuple[str, bool]]
    clues: Clues
    spare: dict[str, str] = field(default_factory=dict)
    title: str = ""
    beside: tuple[str, ...] = ()
    sized: str = ""

    @property
    def images(self) -> bool:
        """Whether the source speaks of an array of four axes."""
        return any(len(c.get(k, ())) == 4 for c in self.clues.values() for k in ("doc", "axes"))

    @property
    def looks_up(self) -> bool:
        """Whether rows of a table are taken by their numbers."""
        words = "embed" in self.title.lower() or "vocab" in self.sized
        return words or any(plain(n) in IDS for n in self.beside)

    @property
    def numbers_rows(self) -> bool:
        """Whether an argument is called as the numbers of rows are."""
        return any(plain(n) in IDS for n, _ in self.parameters)

    @property
    def takes_arrays(self) -> bool:
        """Whether a constructor is given its weights, as `Affine(W, b)` is."""
        names = [n for n, _ in self.parameters]
        required = {n for n, needed in self.parameters if needed}
        known = any(WEIGHTS.fullmatch(n) for n in names) or {"gamma", "beta"} <= set(names)
        return known or bool({"b", "bias"} & required)

    @property
    def stacked(self) -> bool:
        """Whether a constructor is given lists with the sizes of convolutions that follow."""
        return any(re.search(STACKED[0][0], n) for n in self.plain) and "strides" in self.plain

    @property
    def plain(self) -> set[str]:
        """Plain names of all that must be given."""
        return {plain(n) for n, required in self.parameters if required}


def role_among(name: str, among: Names, clue: dict[str, Any]) -> str | None:
    """The role of an argument among the others; "number" for a number, None if nobody knows."""
    key, lower = plain(name), name.lower()
    if name in ("Q", "K", "V") or key in ("query", "key", "value", "q", "v"):
        return "sequence"
    others = among.plain - {key}
    if clue.get("index") and others & {"w", "wembed", "weight", "weights", "embedding", "embed"}:
        return "ids"
    if key in IDS:
        return "ids"
    if any(re.fullmatch(STEP, n) for n in others | {key}):
        for pattern, role in RECURRENT:
            if re.fullmatch(pattern, lower):
                return role
    if key in ("h", "hidden") and "hid" in among.sized:
        return "h"
    if key in ("eps", "epsilon") and others & {"gamma", "x"} and not others & {"mu", "z", "logvar"}:
        return "number"
    if key == "beta" and "gamma" not in others:
        return "number"
    if key in ("beta", "shift", "gamma", "scale") or table.role_of(name) in ("gamma", "beta"):
        return "gamma"
    if key in ("e", "codebook", "codes", "embeddings"):
        return "codes"
    if match := re.fullmatch(r"(?:.*\.)?(w|weights?|b|bias)_?[0-9]", lower):
        return "W" if match[1].startswith("w") else "b"
    if re.fullmatch(r"embed[a-z]*_w", lower):
        return "W"
    role = table.role_of(name)
    if role == "eps" and others & {"mu", "logvar", "sigma", "z", "lv", "sd"}:
        return "eps"
    if re.fullmatch(r"lv|log_?var\w*|\w*_log_?var", lower):
        return "logvar"
    data = table.WITHOUT_GRADIENT | (table.DATA if LOSS.search(among.title) else frozenset())
    if key == "p" and others & data:
        return "p"
    if role in ("keep", "tau", "drop", "lam", "slope", "bet") or (key in NUMBERS and role != "b"):
        return "number"
    if NUMBER.fullmatch(lower):
        return "number"
    if key == "w" and not others and not among.looks_up:
        return "w"
    classes = any(c.get("index") and plain(n) in ("y", "t") for n, c in among.clues.items())
    one = not others & {"w", "b2"} and others & {"b", "x"} and "y" in others
    if key in ("w", "theta") and one and not classes:
        return "w"
    if role in ("mu", "logvar", "logsigma", "sigma", "eps", "z"):
        return role if role != "z" or others & {"mu", "eps", "logw", "w"} else "x"
    if role in ("labels", "target") and not (key == "y" and "t" in others):
        return role
    if key in PREDICTED or (key == "y" and "t" in others) or re.match(r"y_?(pred|hat|out)", lower):
        data = others & (table.WITHOUT_GRADIENT | {"x", "t"})
        return "p" if data or any(re.search("true|truth|label|target", n) for n in others) else "x"
    if key == "b" and "a" in others and not any(table.role_of(n) == "W" for n in others):
        return "x"  # a and b are two of a kind, and no bias is among them
    roles = {"W": "W", "b": "b", "mask": "mask", "x": "x", "p": "p", "pred": "p", "logits": "x"}
    if role in roles:
        return roles[role]
    if re.fullmatch(
        r"(pre_?|post_?)?[azxsu](_?(prev|in|out|l|flat|hat|t|train|batch|slice)|[0-9])?", lower
    ):
        return "x"
    if re.fullmatch(r"h(idden)?(_?(prev|0|t|state|in))*|prev_?[hca]|[hca]_?prev(_?t)?|c_?0", lower):
        return "h"
    if re.search(r"label|target|truth|true", lower):
        return "target"
    if re.search(r"input|image|data|batch|feature|tensor|query|key$|value|act", lower):
        return "x"
    return None


def layer_of(name: str, among: Names) -> str:
    """Axes of `W1`, `b1`, `W2`, ...: weights and biases of layers that follow each other."""
    match = re.fullmatch(r"(?:.*\.)?(w|weights?|b|bias)_?([0-9])", name.lower())
    if not match:
        return ""
    found = [
        re.fullmatch(r"(?:.*\.)?(?:w|weights?)_?([0-9])", n.lower()) for n, _ in among.parameters
    ]
    numbers = sorted({int(m[1]) for m in found if m})
    if int(match[2]) not in numbers:
        return ""
    letters = ["I", *"HZK"[: len(numbers) - 1], "O"]
    at = numbers.index(int(match[2]))
    if at + 1 >= len(letters):
        return ""
    before, after = letters[at], letters[at + 1]
    if match[1].startswith("b"):
        return f"{after}|1 {after}; {after} 1; ; ; {after}; {after} 1"
    return f"{before} {after}; {after} {before}; ; ; {before} {after}; {after} {before}"
