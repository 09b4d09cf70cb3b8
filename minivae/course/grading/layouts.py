"""The habits of courses as tables: sizes and what they are called, the axes of each role, numbers.

Nobody decides here; `guess.py` asks.
"""

import re
from typing import Any

from ...check.verdict.conventions.names import plain

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
    "F": "f outchannels numfilters nfilters nc outchannel cout filters nkernels nf fn",
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

STYLES = ("rows", "columns", "images", "last", "steps", "one")
STYLE_COSTS = {**dict(zip(STYLES, (0.0, 0.5, 1.0, 1.4, 1.2, 2.0), strict=True)), "thin": 0.8}
"""What each style costs a combination; a thin one has a single feature, and hides the others."""
AXES: dict[str, str] = {
    # role: axes in rows; columns; images; channels last; sequence; one example; | for choices
    "x": "B I; I B; B C Y X; B Y X C; B T I|T B I|B C T|B T E; I|I 1|C Y X",
    "W": "I O|O I; O I; F C k k|C F k k; k k C F; I O|O I|F C k; O I|I O",
    "w": "I|I 1|I O|O I; I 1|1 I; F C k k; k k C F; I O; I",
    "b": "O|1 O|O 1; O 1|O; F|F 1|1 F 1 1; 1 1 1 F|F; O; O|O 1",
    "gamma": "I|O|1 I; I 1|O 1; C|1 C 1 1; C|1 1 1 C; I; I",
    "mu": "B Z|B I; Z B|I B; ; ; ; Z|I",
    "target": "B I|B O|B|B 1; I B|O B|1 B; B C Y X; B Y X C; B T I; I|O|I 1|labels:I",
    "h": "B H; H B; ; ; ; H|H 1",
    "ids": "B labels:V|B T labels:V; B labels:V; ; ; B T labels:V; T labels:V",
    "labels": "B labels:I|B labels:O|B 1 labels:I; B labels:I|1 B labels:I; ; ; B T labels:I; "
    "labels:I|labels:O",
    "mask": "B I mask; I B mask; B C Y X mask; B Y X C mask; B T mask|B T I mask; I mask",
    "sequence": "B T I|T B I; I B T; ; ; B T E|B T I; T I",
    "codes": "K I; I K; ; ; ; K I",
    "wx": "I H|H I|I 4*H|4*H I|I 3*H; H I; ; ; ; H I|I H",
    "wh": "H H|H 4*H|4*H H|H 3*H; H H; ; ; ; H H",
    "wy": "H O|O H; O H; ; ; ; O H",
    "bh": "H|4*H|1 H|3*H; H 1; ; ; ; H|H 1",
    "by": "O|1 O; O 1; ; ; ; O|O 1",
    "table": "V I|V E; V I; ; ; V I|V E; V I",
}
RECURRENT = (
    (r"w(eights?)?_?(x|xh|ih|i|ax|in|input)|wx.*|u", "wx"),
    (r"w(eights?)?_?(h|hh|aa|rec|hid|hidden)|wh.*|whh?", "wh"),
    (r"w_?(y|hy|ya|out|ho|s)", "wy"),
    (r"b|bias", "bh"),
    (r"b_?(y|out|ho|s)", "by"),
    (r"b_?[a-z]{1,2}", "bh"),
    (r"(prev_?)?(h|a|c|s|hidden|state)_?(0|prev|previous|t1|tm1|state|init|prev_t|t_1)?", "h"),
    (r"prev_?\w|h_?prev\w*|hprev", "h"),
)
"""Names of the arguments of a recurrent step, and their roles."""
NUMBERS: dict[str, Any] = {
    "stride": 1, "strides": 1, "s": 1, "pad": 1, "padding": 1, "p": 0.6, "keep": 0.7,
    "keepprob": 0.7,
    "drop": 0.3, "dropout": 0.3, "droprate": 0.3, "dropoutrate": 0.3, "rate": 0.3,
    "dropoutratio": 0.3,
    "prob": 0.6, "dropprob": 0.3, "seed": 3, "reg": 0.1, "lambd": 0.3, "lam": 0.3, "lambda": 0.3,
    "alpha": 0.2, "slope": 0.2, "eps": 1e-5, "epsilon": 1e-5, "momentum": 0.9, "tau": 0.7,
    "temperature": 0.7, "temp": 0.7, "beta": 1.7, "delta": 1.0, "lr": 0.1, "learningrate": 0.1,
    "numheads": 2, "nheads": 2, "heads": 2, "nhead": 2, "g": 2, "groups": 2, "numgroups": 2, "f": 3,
    "poolheight": 2, "poolwidth": 2, "poolsize": 2, "poolh": 2, "poolw": 2, "pool": 2,
    "k": 2, "axis": 1,
    "mode": "train", "training": True, "train": True, "trainflg": True, "istraining": True,
    "name": "name", "kernelsize": 3, "filtersize": 3, "size": 3, "threshold": 0.5, "numlayers": 2,
    "windowsize": 2, "kernelheight": 3, "kernelwidth": 3, "c": 0.7, "decay": 0.9,
    "weightdecay": 0.1,
    "poolingsize": 2, "poolshape": (2, 2), "kernelshape": (3, 3), "upsamplingfactor": 2,
    "margin": 1.0,
    "dilation": 1, "dropoutp": 0.3, "l2": 0.1, "lambda_": 0.3, "inputshape": (5,), "maxlen": 20,
    "initmethod": "normal", "weightscale": 0.5, "std": 0.5, "wlambda": 0.1, "upscalefactor": 2,
    "downsamplingfactor": 2, "factor": 2, "bias": True, "usebias": True, "negslope": 0.2,
    "leak": 0.2,
}  # fmt: skip
"""Plain name of a number or word that must be given -> its value."""
OPTIONS = (
    ("mode", "train"), ("stride", 1), ("pad", 1), ("pool_height", 2), ("pool_width", 2), ("p", 0.6),
    ("seed", 3),
)  # fmt: skip
"""What a dict of options holds that is only passed on, as `conv_param` to a layer inside."""
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


def letter_of(name: str, *, images: bool) -> str:
    """The letter of a size that code or a docstring names; empty for an unknown name."""
    key = re.sub(r"^the |[ ]", "", plain(name.lower().replace("of the ", "of ")))
    tables = (IN_IMAGES, CALLED) if images else (CALLED,)
    return next((n for t in tables for n, names in t.items() if key in names.split()), "")


def letter_like(name: str) -> str:
    """The letter of a constructor's size by a part of its name; empty if no part says it."""
    return next((letter for part, letter in PARTS if re.search(part, plain(name))), "")


STACKED = (
    ("kernelsizes$|kernels$|filtersizes$", [3, 2, 1]), ("strides$", [2, 1, 1]),
    ("pads$|paddings$", [0, 0, 0]), ("^(num|n|out)?(out)?(channels|filters)$", [5, 4, 3]),
)  # fmt: skip
"""Search in the plain name of a constructor's list, one entry for each convolution -> the list."""
PARTS = (
    ("inputwidth|inputlength", "D"), ("vocab|numemb", "V"), ("^in|input", "I"), ("head", ""),
    ("out|unit|neuron|class", "O"),
    ("hid|ff", "H"), ("filter|kernels$", "F"), ("channel", "C"), ("latent", "Z"),
    ("dim|size|feature|width|embed|model|shape", "E"),
)  # fmt: skip
