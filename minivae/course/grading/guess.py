"""What an argument may be, from its name and from what the source says about it.

Nobody knows what `forward(x, W, y)` takes; but courses have habits, and a habit holds for all
arguments at once. A *style* is such a habit: examples in rows or in columns, images with channels
first or last, sequences, a single example. For each argument there are candidates, each with a style
and a cost; shapes that a docstring or `N, D = x.shape` tells cost nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ...check.verdict.conventions import names as table
from ...check.verdict.conventions.names import plain
from .discover import Clues
from .inputs import COLUMNS, Spec

SIZES = {
    "B": 3, "I": 5, "O": 7, "H": 4, "Z": 2, "T": 6, "V": 11, "C": 2, "F": 5, "Y": 4, "X": 6, "k": 3,
    "E": 8, "D": 13, "K": 9, "1": 1, "2": 2,
}  # fmt: skip
"""Letter of a size -> size at the first point: batch, in, out, hidden, latent, time, vocabulary,
channels, filters, height, width, kernel, embedding."""
OTHERS = {
    "B": 4, "I": 3, "O": 2, "H": 5, "Z": 3, "T": 2, "V": 7, "C": 3, "F": 2, "Y": 6, "X": 4, "k": 3,
    "E": 4, "D": 5, "K": 6, "1": 1, "2": 2,
}  # fmt: skip
"""The same at the point with other sizes."""
SPARE = (10, 14, 15, 16, 17)
"""Sizes of axes whose names mean nothing."""

CALLED = {
    "B": "n m b batch batchsize bs nsamples numsamples numberofexamples nex nexamples numexamples "
    "nbatch minibatch samples examples",
    "I": "d nx din ni nin infeatures inputsize inputdim sizeofpreviouslayer features nfeatures dim "
    "numfeatures ninput ninputs insize nlprev p indim dimensions numberoffeatures inputchannels",
    "O": "o dout no nout outfeatures outputsize outputdim sizeofcurrentlayer ny nl noutput outsize "
    "noutputs outdim units nunits numoutputs numunits neurons nneurons m2",
    "H": "h na nh hidden hiddensize hiddendim nhidden hid numhidden",
    "Z": "z latent latentdim zdim latentsize nlatent nz",
    "T": "t tx ty seqlen seqlength steps timesteps sequencelength l s",
    "V": "v vocab vocabsize nvocab numembeddings numclassesv",
    "K": "k c numclasses nclasses classes nclass",
    "E": "dmodel embed embeddim embeddingdim e edim demb hiddenunits",
    "F": "f outchannels numfilters nfilters nc outchannel cout filters nkernels nf fn nout",
    "C": "inchannels inchannel cin ncprev channels numchannels nchannels",
    "k": "kernelsize filtersize ksize kernel windowsize poolsize poolingsize size",
}
"""Letter -> what code and docstrings call the size, plain."""
IN_IMAGES = {
    "B": "n m b batch batchsize bs nex examples", "C": "c cin inchannels ncprev channels nc "
    "inputchannels", "Y": "h nhprev inh height inputheight nh hin rows inrows",
    "X": "w nwprev inw width inputwidth nw win cols incols",
    "k": "hh ww f fh fw kh kw k kernelsize fr fc kernelheight kernelwidth",
    "F": "f fn nc o cout outchannels numfilters",
}  # fmt: skip
"""The same where an array has four axes."""

STYLES = ("rows", "columns", "images", "last", "sequence", "one")
AXES: dict[str, str] = {
    # role: axes in rows; columns; images; channels last; sequence; one example; | for choices
    "x": "B I; I B; B C Y X; B Y X C; B T I|T B I; I|I 1",
    "W": "I O|O I; O I; F C k k|C F k k; k k C F; I O|O I; O I|I O",
    "w": "I|I 1|I O; I 1|1 I; F C k k; k k C F; I O; I",
    "b": "O|1 O|O 1; O 1|O; F|F 1|1 F 1 1; 1 1 1 F|F; O; O|O 1",
    "gamma": "I|O|1 I; I 1|O 1; C|1 C 1 1; C|1 1 1 C; I; I",
    "mu": "B Z|B I; Z B|I B; ; ; ; Z|I",
    "target": "B I|B O|B|B 1; I B|O B|1 B; B C Y X; B Y X C; B T I; I|O|I 1",
    "h": "B H; H B; ; ; ; H|H 1",
    "ids": "B labels:V|B T labels:V; B labels:V; ; ; B T labels:V; T labels:V",
    "labels": "B labels:I|B labels:O|B 1 labels:I; B labels:I|1 B labels:I; ; ; B T labels:I; ",
    "mask": "B I mask; I B mask; B C Y X mask; B Y X C mask; B T mask|B T I mask; I mask",
    "sequence": "B T I|T B I; I B T; ; ; B T E|B T I; T I",
    "codes": "K I; I K; ; ; ; K I",
    "wx": "I H|H I|I 4*H|4*H I; H I; ; ; ; H I|I H",
    "wh": "H H|H 4*H|4*H H; H H; ; ; ; H H",
    "wy": "H O|O H; O H; ; ; ; O H",
    "bh": "H|4*H|1 H; H 1; ; ; ; H|H 1",
    "by": "O|1 O; O 1; ; ; ; O|O 1",
    "table": "V I|V E; V I; ; ; V I|V E; V I",
}
RECURRENT = (
    (r"w_?(x|xh|ih|i|ax|in)|wx.*|u", "wx"),
    (r"w_?(h|hh|aa|rec)|wh.*|whh?", "wh"),
    (r"w_?(y|hy|ya|out|ho)", "wy"),
    (r"b_?(h|a|ih|hh|i|f|o|c|x)", "bh"),
    (r"b_?(y|out|ho)", "by"),
    (r"(prev_?)?(h|a|c|s|hidden|state)_?(0|prev|previous|t1|tm1|state|init|prev_t|t_1)?", "h"),
    (r"prev_?\w|h_?prev\w*|hprev", "h"),
)
"""Names of the arguments of a recurrent step, and their roles."""
NUMBERS: dict[str, Any] = {
    "stride": 1, "strides": 1, "s": 1, "pad": 1, "padding": 1, "p": 0.6, "keep": 0.7, "keepprob": 0.7,
    "drop": 0.3, "dropout": 0.3, "droprate": 0.3, "dropoutrate": 0.3, "rate": 0.3, "dropoutratio": 0.3,
    "prob": 0.6, "dropprob": 0.3, "seed": 3, "reg": 0.1, "lambd": 0.3, "lam": 0.3, "lambda": 0.3,
    "alpha": 0.2, "slope": 0.2, "eps": 1e-5, "epsilon": 1e-5, "momentum": 0.9, "tau": 0.7,
    "temperature": 0.7, "temp": 0.7, "beta": 1.7, "delta": 1.0, "lr": 0.1, "learningrate": 0.1,
    "numheads": 2, "nheads": 2, "heads": 2, "nhead": 2, "g": 2, "groups": 2, "numgroups": 2, "f": 3,
    "poolheight": 2, "poolwidth": 2, "poolsize": 2, "poolh": 2, "poolw": 2, "pool": 2, "k": 2, "axis": 1,
    "mode": "train", "training": True, "train": True, "trainflg": True, "istraining": True,
    "name": "name", "kernelsize": 3, "filtersize": 3, "size": 3, "threshold": 0.5, "numlayers": 2,
    "windowsize": 2, "kernelheight": 3, "kernelwidth": 3, "c": 0.7, "decay": 0.9, "weightdecay": 0.1,
    "poolingsize": 2, "poolshape": (2, 2), "kernelshape": (3, 3), "upsamplingfactor": 2, "margin": 1.0,
    "dilation": 1, "dropoutp": 0.3, "l2": 0.1, "lambda_": 0.3, "inputshape": (5,), "maxlen": 20,
    "initmethod": "normal", "weightscale": 0.5, "std": 0.5, "wlambda": 0.1, "upscalefactor": 2,
    "downsamplingfactor": 2, "factor": 2, "bias": True, "usebias": True, "negslope": 0.2, "leak": 0.2,
}  # fmt: skip
"""Plain name of a number or word that must be given -> its value."""


@dataclass(frozen=True)
class Candidate:
    """What one argument may be: specs by name, `parameters.W` for an entry of a dict."""

    specs: dict[str, Spec]
    cost: float = 0.0
    style: str = ""


@dataclass
class Names:
    """The arguments of one function, or of a constructor, and sizes for the axes that they name."""

    parameters: list[tuple[str, bool]]
    clues: Clues
    spare: dict[str, str] = field(default_factory=dict)

    @property
    def plain(self) -> set[str]:
        """Plain names of all that must be given."""
        return {plain(n) for n, required in self.parameters if required}


def candidates(name: str, among: Names, *, constructor: bool = False) -> list[Candidate]:
    """What an argument may be, the cheapest first."""
    clue = among.clues.get(name, {})
    found: list[Candidate] = []
    dictionary = _dictionary(name, clue, among)
    if dictionary:
        return dictionary
    if clue.get("words"):
        return [_constant(name, w, i) for i, w in enumerate(dict.fromkeys(clue["words"]))]
    key = plain(name)
    if constructor:
        found += _sizes(name, key)
    for source, cost in (("doc", 0.0), ("axes", 0.2)):
        if clue.get(source):
            found += _told(name, clue, clue[source], cost, among)
    role = role_among(name, among, clue)
    if key in NUMBERS and (
        role is None or constructor or (key in table.plain(name) and role == "number")
    ):
        found.append(_constant(name, NUMBERS[key], 0.0 if role in (None, "number") else 1.5))
    if role not in (None, "number"):
        found += _by_role(name, role, clue, among)
    elif not found:
        found += [_constant(name, 2, 1.0)] if clue.get("count") else []
        found += [] if constructor else _by_role(name, "x", clue, among, 1.0)
        found.append(_constant(name, 0.7, 2.5))
    found += _as_labels(name, clue) if clue.get("index") else []
    rank = clue.get("rank", 0)
    fits = [c for c in found if not c.specs[name].axes or len(c.specs[name].axes) >= rank]
    return sorted(fits or found, key=lambda c: c.cost)


def _constant(name: str, value: Any, cost: float = 0.0) -> Candidate:
    return Candidate({name: Spec(kind="constant", value=value)}, cost)


def role_among(name: str, among: Names, clue: dict[str, Any]) -> str | None:
    """The role of an argument among the others; "number" for a number, None if nobody knows."""
    key, lower = plain(name), name.lower()
    others = among.plain - {key}
    if clue.get("index") and others & {"w", "wembed", "weight", "weights", "embedding", "embed"}:
        return "ids"
    if any(re.fullmatch(r"w_?(x|h|ax|aa|ih|hh|xh)", n) for n in others | {key}):
        for pattern, role in RECURRENT:
            if re.fullmatch(pattern, lower):
                return role
    if key in ("eps", "epsilon") and others & {"gamma", "x"} and not others & {"mu", "z", "logvar"}:
        return "number"
    if key == "beta" and "gamma" not in others:
        return "number"
    if key in ("beta", "shift", "gamma", "scale") or table.role_of(name) in ("gamma", "beta"):
        return "gamma"
    if key in ("e", "codebook", "codes", "embeddings"):
        return "codes"
    role = table.role_of(name)
    if role in ("keep", "tau", "drop", "lam", "slope", "bet") or key in NUMBERS:
        return "number"
    if key in ("w", "theta") and not others & {"w", "b2"} and others & {"b", "x"} and "y" in others:
        return "w"
    if role in ("mu", "logvar", "logsigma", "sigma", "eps", "z"):
        return role if role != "z" or others & {"mu", "eps", "logw", "w"} else "x"
    if role in ("labels", "target"):
        return role
    if key in PREDICTED:
        return "p" if others & (table.WITHOUT_GRADIENT | {"x"}) else "x"
    roles = {"W": "W", "b": "b", "mask": "mask", "x": "x", "p": "p", "pred": "p", "logits": "x"}
    if role in roles:
        return roles[role]
    if re.fullmatch(
        r"(pre_?|post_?)?[azxsu](_?(prev|in|out|l|flat|hat|t|train|batch|slice)|[0-9])?", lower
    ):
        return "x"
    if re.fullmatch(r"h(idden)?(_?(prev|0|t|state))?|prev_?[hca]|[hca]_?prev|c_?0", lower):
        return "h"
    if re.search(r"label|target|truth|true", lower):
        return "target"
    if re.search(r"input|image|data|batch|feature|tensor|query|key$|value|act", lower):
        return "x"
    return None


PREDICTED = frozenset(
    [
        "al",
        "a2",
        "yhat",
        "yp",
        "ypred",
        "yprob",
        "probs",
        "prob",
        "out",
        "outputs",
        "yh",
        "pred",
        "predictions",
        "output",
    ]
)


def _by_role(
    name: str, role: str, clue: dict[str, Any], among: Names, extra: float = 0.0
) -> Iterator[Candidate]:
    kinds = {"sigma": "positive", "p": "unit", "logvar": "normal"}
    shapes = {"logvar": "mu", "logsigma": "mu", "sigma": "mu", "eps": "mu", "z": "mu", "p": "x"}
    axes = AXES[shapes.get(role, role)]
    layered = _layer_of(name, among)
    if layered:
        axes = layered
    elif role == "W" and clue.get("index"):
        axes = AXES["table"]
    for style, choices in zip(STYLES, axes.split(";"), strict=False):
        for i, text in enumerate(filter(None, map(str.strip, choices.split("|")))):
            *letters, last = text.split()
            word = last if last.islower() and last != "k" else ""
            letters = tuple(letters) if word else (*letters, last)
            kind = "labels" if ":" in word else word or kinds.get(role, "normal")
            spec = Spec(letters, kind, word.partition(":")[2])
            cost = extra + 0.3 * i + 0.5 * (STYLES.index(style) + (style == "one"))
            yield Candidate({name: spec}, cost, style)
            yield from _other_kinds(name, role, spec, cost, style)


def _other_kinds(name: str, role: str, spec: Spec, cost: float, style: str) -> Iterator[Candidate]:
    """Labels and one-hot vectors for a target, and other ranges for what a logarithm is taken of."""
    if role == "target":
        hot = COLUMNS if style == "columns" and spec.axes[0] != "1" else "one_hot"
        hot = "binary" if "1" in spec.axes or spec.axes == ("B",) else hot
        yield Candidate({name: Spec(spec.axes, hot)}, cost + 0.1, style)
        if style in ("rows", "columns") and spec.axes == ("B",):
            for i, below in enumerate("IO"):
                labels = Spec(("B",), "labels", below)
                yield Candidate({name: labels}, cost + 0.1 * i - 0.4, style)
    elif role in ("x", "p") and style in ("rows", "columns"):
        for i, kind in enumerate(("unit", "simplex", "positive")):
            if kind != spec.kind:
                yield Candidate({name: Spec(spec.axes, kind)}, cost + 0.8 + 0.4 * i, style)
        other = ("B", "1") if style == "rows" else ("1", "B")
        yield Candidate({name: Spec(other, spec.kind)}, cost + 1.0, style)
        if role == "p":
            yield Candidate({name: Spec(spec.axes)}, cost + 0.6, style)


def _layer_of(name: str, among: Names) -> str:
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


def _as_labels(name: str, clue: dict[str, Any]) -> Iterator[Candidate]:
    """An array that another is indexed with holds whole numbers."""
    for i, below in enumerate("IOV"):
        yield Candidate({name: Spec(("B",), "labels", below)}, -0.5 + 0.1 * i, "rows")
    yield Candidate({name: Spec(("B", "T"), "labels", "V")}, 0.2, "sequence")


def _sizes(name: str, key: str) -> Iterator[Candidate]:
    """A constructor's sizes."""
    for i, letter in enumerate(n for n, names in CALLED.items() if key in names.split()):
        yield Candidate({name: Spec(kind="size", value=letter)}, 0.2 * i)
        if letter == "I":
            yield Candidate({name: Spec(kind="size", value="C")}, 1.0, "images")
            yield Candidate({name: Spec(kind="size", value="C")}, 1.4, "last")


def _told(
    name: str, clue: dict[str, Any], axes: list[str], cost: float, among: Names
) -> Iterator[Candidate]:
    """An argument whose axes are named in the source."""
    letters = tuple(_letter(axis, len(axes), among) for axis in axes)
    if not all(letters):
        return
    style = {4: "images", 3: "sequence"}.get(len(letters), "rows")
    style = "columns" if len(letters) == 2 and letters[-1] == "B" else style
    style = "last" if len(letters) == 4 and letters[-1] in "CF" else style
    kinds = ["normal"]
    if clue.get("index"):
        kinds = ["labels"]
    elif table.role_of(name) in ("labels", "target"):
        kinds = (
            ["labels", "normal", "one_hot"] if len(letters) == 1 else ["normal", "one_hot", COLUMNS]
        )
        kinds = ["binary"] if "1" in letters else kinds
    elif plain(name) in PREDICTED or table.role_of(name) in ("p", "pred"):
        kinds = ["unit", "normal"]
    for i, kind in enumerate(kinds):
        below = ("K", "I", "O", "V") if kind == "labels" else ("",)
        for j, letter in enumerate(below):
            spec = Spec(letters, kind, letter)
            yield Candidate(
                {name: spec}, cost + 0.2 * i + 0.1 * j, "" if len(letters) < 2 else style
            )


def _letter(axis: str, rank: int, among: Names) -> str:
    """The letter of a size that the source names."""
    if axis.isdigit():
        return axis
    if "+" in axis or "*" in axis:
        for sign in "+*":
            if sign in axis:
                return sign.join(_letter(part.strip(), rank, among) for part in axis.split(sign))
    if match := re.fullmatch(r"([0-9]+)([A-Za-z]\w*)", axis):
        return f"{match[1]}*{_letter(match[2], rank, among)}"
    key = plain(axis).replace(" ", "")
    if not re.fullmatch(r"\w+", key):
        return ""
    for letter, names in (IN_IMAGES if rank == 4 else CALLED).items():
        if key in names.split():
            return letter
    return among.spare.setdefault(key, f"~{len(among.spare)}")


def _dictionary(name: str, clue: dict[str, Any], among: Names) -> list[Candidate]:
    """A dict of parameters or of options, with the keys that the source asks for."""
    keys = [k for k in clue.get("keys", {}) if k not in clue.get("optional", {})]
    keys += [f"{p}{i}" for i in (1, 2) for p in dict.fromkeys(clue.get("numbered", ()))]
    optional = {k: v for k, v in clue.get("optional", {}).items() if plain(k) in ("mode",)}
    if not keys and "optional" not in clue:
        return []
    inner = Names([(k, True) for k in keys], among.clues)
    inner.spare = among.spare
    both = Names([*inner.parameters, *among.parameters], among.clues, among.spare)
    choices = {}
    for key in keys:
        number = plain(key) in NUMBERS and not any(
            key == f"{p}{i}" for i in (1, 2) for p in ("W", "b")
        )
        choices[key] = [_constant(key, NUMBERS[plain(key)])] if number else candidates(key, both)
    found = []
    for i, style in enumerate(("", *STYLES[:2], STYLES[4], STYLES[5])):
        specs: dict[str, Spec] = {}
        for key, options in choices.items():
            best = next((c for c in options if c.style in (style, "")), None)
            if best is None:
                break
            specs[f"{name}.{key}"] = next(iter(best.specs.values()))
        else:
            for key, value in optional.items():
                word = value if value is not None else NUMBERS.get(plain(key))
                specs[f"{name}.{key}"] = Spec(kind="constant", value=word)
            if not specs:
                specs = {name: Spec(kind="constant", value={})}
            found.append(Candidate(specs, 0.3 * i, style))
            if any("O" in spec.axes for spec in specs.values()):  # one output
                single = {
                    n: replace(spec, axes=tuple("1" if a == "O" else a for a in spec.axes))
                    for n, spec in specs.items()
                }
                found.append(Candidate(single, 0.3 * i + 0.4, style))
    return found
