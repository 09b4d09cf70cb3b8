r"""LaTeX as plain text, for the terminal: `\sum_i x_{ni} W_{io}` becomes `Σ_i x_ni W_io`."""

import re
import unicodedata

from ...engine.door import door

SYMBOLS = {
    "varepsilon": "ε",
    "lambda": "λ",
    "varphi": "φ",
    "sum": "Σ",
    "prod": "Π",
    "partial": "∂",
    "cdot": "·",
    "times": "×",
    "odot": "⊙",
    "top": "T",
    "in": "∈",
    "le": "≤",
    "ge": "≥",
    "ne": "≠",
    "approx": "≈",
    "sim": "~",
    "leftarrow": "←",
    "rightarrow": "→",
    "to": "→",
    "Rightarrow": "⇒",
    "infty": "∞",
    "dots": "...",
    "ldots": "...",
    "cdots": "...",
    "mid": "|",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "lceil": "⌈",
    "rceil": "⌉",
    "ell": "ℓ",
    "quad": "  ",
    "qquad": "    ",
}
WORDS = ("ln", "exp", "det", "max", "min", "arg", "tanh", "sinh", "cosh", "log", "sin", "cos")
FRACTION = re.compile(r"\\frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))")


@door
def plain(tex: str) -> str:
    """A formula as one line of text; what it does not know it leaves as it is."""
    text = re.sub(r"\\(tfrac|dfrac)", r"\\frac", tex)
    text = re.sub(r"\\(left|right|bigl|bigr|big|Big)(?![a-zA-Z])", "", text)
    text = re.sub(r"\\(?:text|operatorname|mathrm|mathbf|mathit|mathcal)\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\(?:overline|bar)\{([^{}]*)\}", r"mean \1", text)
    text = re.sub(r"\\(?:hat|tilde)\s*\{?(\w|\\\w+)\}?", r"\1~", text)
    text = re.sub(r"\\(textstyle|displaystyle)(?![a-zA-Z])", "", text)
    text = re.sub(r"\\(begin|end)\{cases\}", "", text)
    text = re.sub(r"\\[,;:! ]", " ", text)
    text = text.replace(r"\|", "‖").replace(r"\{", "❴").replace(r"\}", "❵")
    text = re.sub(
        r"\\([A-Za-z]+)",
        lambda found: found[1] if found[1] in WORDS else _symbol(found[1]),
        text,
    )
    while True:  # from the innermost braces outwards
        inner = re.sub(r"([_^])\{([^{}]*)\}", _script, text)
        inner = re.sub(r"\\sqrt\{([^{}]*)\}", r"√(\1)", inner)
        inner = FRACTION.sub(_fraction, inner)
        if inner == text:
            break
        text = inner
    text = re.sub(r"\\sqrt\s*(\w)", r"√\1", text)
    text = text.replace("{", "").replace("}", "").replace("❴", "{").replace("❵", "}")
    return " ".join(text.split())


def _symbol(name: str) -> str:
    """Letter of a command: from the table, or the Greek letter of that name."""
    case = "SMALL" if name[0].islower() else "CAPITAL"
    try:
        greek = unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}")
    except KeyError:
        greek = f"\\{name}"
    return SYMBOLS.get(name, greek)


def _script(found: re.Match) -> str:
    """`_{ni}` as `_ni`; a longer one in brackets."""
    inside = found[2].strip()
    return found[1] + (inside if re.fullmatch(r"[^\W_]+|[^\w\s]", inside) else f"({inside})")


def _fraction(found: re.Match) -> str:
    top, bottom = (found[1] or found[2]).strip(), (found[3] or found[4]).strip()

    def bracketed(part: str) -> str:
        return part if re.fullmatch(r"[\w∂]+", part) else f"({part})"

    half = {("1", "2"): "½ "}.get((top, bottom))
    return half or f"{bracketed(top)}/{bracketed(bottom)} "
