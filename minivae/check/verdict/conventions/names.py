"""The table of names: what courses call arrays, numbers, sizes, caches and gradients.

Everybody who reads students' code asks this table: the reader of conventions beside it, the
doctor, which looks for a known operation's arrays, and the grader, which guesses inputs.
"""

from collections.abc import Iterable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ROLES: dict[str, str] = {
    "x": "x input inputs data a aprev h inp features | hidden act value xin images",
    "W": "w weight weights kernel | filters filter theta",
    "b": "b bias biases",
    "mu": "mu mean means | m zmean muq qmu loc zmu",
    "logvar": "logvar logsigma2 | lv logvariance logs2 logsigmasq lnvar zlogvar zlogvariance "
    "logvarq",
    "sigma": "sigma std var variance | sd stddev s scale zstd",
    "logsigma": "logsigma | logstd logs lsigma logsd lnsigma logscale",
    "eps": "eps epsilon noise | e xi n",
    "logits": "logits logit scores | score a out o xlogits xhatlogits recon",
    "p": "p probs prob yhat xhat xrecon recon reconstruction | probability probabilities pred "
    "preds reconx out output predictions xpred ypred",
    "pred": "ypred pred prediction predictions | preds yhat xhat recon xrecon reconx out output p",
    "mean": "| mean mu m xhat recon mux xmean mudec loc decmean",
    "target": "y t target targets ytrue xtrue onehot yonehot tonehot onehoty yhot "
    "| x label labels data truth",
    "labels": "labels label classes | y target targets t ytrue",
    "gamma": "gamma scale | g weight w",
    "beta": "shift | b bias",
    "mask": "mask | m keepmask drop",
    "w": "logw logweights | w logweight x a",
    "muq": "| muq mu1 mu mq qmu",
    "logvarq": "| logvarq logvar1 logvar lvq qlogvar lv1",
    "mup": "| mup mu2 mp pmu mu0",
    "logvarp": "| logvarp logvar2 lvp plogvar lv2",
    "z": "z | latent latents sample samples",
    "g": "| g gumbel noise gumbels eps",
    "real": "| real dreal dr logitsreal realscores scoresreal realogits",
    "fake": "| fake dfake df logitsfake fakescores scoresfake fakelogits",
    "slope": "slope alpha negativeslope | leak a",
    "keep": "keep keepprob keeprate | p prob",
    "drop": "pdrop drop dropout rate",
    "tau": "tau temperature temp | t",
    "lam": "freebits | lam lambda free lambd fb",
    "bet": "beta klweight | weight b",
    "eps0": "| eps epsilon",
    "stride": "| stride s strides",
    "pad": "| pad padding p",
    "size": "| size pool poolsize k",
    "low": "| low lo min amin a",
    "high": "| high hi max amax b",
}
"""Role -> what it is called, plain; behind the bar, what is it only among others that fit."""

SIZES = {
    "I": "nin infeatures inputdim indim din inputsize ninputs inputfeatures dimin fanin d dim size "
    "nfeatures numfeatures features n",
    "O": "nout outfeatures outputdim outdim dout outputsize noutputs dimout fanout",
    "H": "hidden hiddendim nhidden hiddensize h",
    "Z": "latent latentdim nlatent zdim latentsize",
}
"""Letter of a size -> what arguments of a constructor are called, plain."""

CACHES = _words("cache caches ctx context saved memo memory mem tape stash")
"""Arguments of a backward pass that take a cache as a whole."""
SHORT_CACHES = CACHES | {"c", "tmp", "state"}
"""The same, where nothing else is possible."""
OUTPUTS = _words("out output outputs y a s ht hnext nexth anext h result z")
UPSTREAMS = ("d", "g", "up", "nabla", "err")
"""How the name of an upstream gradient begins."""
UPSTREAM_PARTS = ("grad", "delta", "upstream")
"""What stands anywhere in such a name."""
NOT_UPSTREAM = _words(
    "data dec decoded den denom denominator deviation diff difference digits dim dims dist "
    "distances draws drop dropout dropped gamma gate gates gaussian group groups"
)
"""What begins so and is none."""
DATA = _words("x data images input inputs")
NOISES = ("eps", "noise", "xi")
SPREADS = ("logvar", "lv", "sig", "std", "var", "logs", "lnvar")
"""Parts of the names of what belongs to an encoder's second head."""
FORWARDS = (
    "forward", "__call__", "loss", "calc_loss", "fprop", "feedforward", "forward_pass", "fn", "f",
    "activate", "forward_prop", "call", "compute_loss", "cost", "calculate", "activation", "value",
)  # fmt: skip
BACKWARDS = (
    "backward", "grad", "gradient", "calc_gradient", "bprop", "backprop", "backward_pass",
    "derivative", "backpropagation", "back_propagation", "backward_prop", "deriv", "calc_grad",
    "compute_gradient", "compute_grad", "prime", "df", "delta", "backpropagate", "gradients",
)  # fmt: skip
"""Methods of a class, the likeliest first."""
LOSS_WORDS = _words("loss cost objective criterion error")
FORWARD_WORDS = LOSS_WORDS | _words(
    "forward fwd fprop fp feedforward forwardpass propagation propagate prop pass"
)
BACKWARD_WORDS = _words(
    "backward backwards bwd back bprop backprop backpropagation backpropagate grad grads gradient "
    "gradients derivative derivatives deriv der prime backwardpass bp delta diff"
)
DERIVATIVES = _words("derivative derivatives deriv der prime diff df grad gradient")
"""Words of these that take what forward takes, by the same name, where they return a derivative."""
VARIANTS = _words(
    "naive alt cached vec vectorized vectorised fast slow loop loops simple stable v1 v2 v3 "
    "strides im2col numpy np python reference my new old test1 efficient optimized"
)
"""Words in the names of functions; a variant belongs to the same pair."""
FILLERS = _words(
    "compute calc calculate get eval evaluate apply do func function fn fun activation layer step "
    "of the and with for value"
)
"""Words that say nothing about which pair it is."""
BASES = _words("layer module operation operator function activation loss criterion block node op")
BEFORE_A_NAME = ("d", "d_", "grad_", "grad", "g_", "dLd", "dL_d", "dl_d", "dloss_d", "delta_")
AFTER_A_NAME = ("_grad", "_gradient", "grad")
"""What makes a gradient's name out of an argument's."""
GRADIENTS = ("grads", "grad", "gradients", "dparams")
"""Attributes that hold the gradients of all parameters."""
CONSTANTS = _words("pe cos sin freqs invfreq freqscis positionalencoding positionencoding encoding")
"""Arrays of an object that are computed once, as a table of positions, and not learnt."""
LISTED = (
    ("params", "grads"), ("parameters", "gradients"), ("parameters", "grads"),
    ("get_params", "get_grads"), ("get_parameters", "get_gradients"), ("params", "gradients"),
)  # fmt: skip
"""Methods that list parameters, and their gradients in the same order or under the same keys."""
STEP_SIZES = _words("lr learningrate eta stepsize learnrate")
"""What a backward pass that takes the step itself calls its length."""
HELD = ("data", "value", "val", "param", "array", "w")
"""What an object or a dict calls the parameter that it holds beside its gradient."""
BESIDE = ("grad", "gradient", "g", "d")
"""What it calls the gradient."""


def plain(name: str) -> str:
    """A name without case, underscores and dots."""
    return name.lower().replace("_", "").replace(".", "")


_SURE = {role: _words(names.partition("|")[0]) for role, names in ROLES.items()}
_ALL = {role: _words(names.replace("|", " ")) for role, names in ROLES.items()}

WITHOUT_GRADIENT = _SURE["eps"] | _SURE["mask"] | _SURE["target"] | _SURE["labels"]
"""Arguments that have no gradient, when there are more arguments than gradients."""
PREDICTIONS = _SURE["p"] | _SURE["pred"] | _SURE["logits"] | _SURE["mu"]
"""Arguments beside which x is the data that they are compared with."""


def sure_names(*roles: str) -> frozenset[str]:
    """Plain names that mean one of the roles and nothing else."""
    return frozenset().union(*(_SURE[role] for role in roles))


def role_of(name: str) -> str | None:
    """The role that a name stands for by itself."""
    return next((role for role, names in _SURE.items() if plain(name) in names), None)


def rank(role: str, name: str) -> int:
    """0 if an argument bears the role's name, 1 if one of its others, 2 if none."""
    if plain(name) == plain(role):
        return 0
    return 1 if plain(name) in _ALL.get(role, ()) else 2


def is_noise(name: str) -> bool:
    """Whether a name is that of noise."""
    return plain(name).startswith(NOISES) or plain(name) == "e"


def is_noise_or_mask(name: str) -> bool:
    """Whether a name is that of noise, a mask or labels."""
    return plain(name) in _SURE["eps"] | _SURE["mask"] | _SURE["labels"]


def is_spread(name: str) -> bool:
    """Whether a name says that it belongs to the encoder's second head."""
    return any(part in plain(name) for part in SPREADS)


def upstreams_among(names: Iterable[str]) -> list[str]:
    """Those that can be upstream gradients; a single letter only in the first place."""
    likely = [
        n
        for n in names
        if (plain(n).startswith(UPSTREAMS) and plain(n) not in NOT_UPSTREAM)
        or any(part in plain(n) for part in UPSTREAM_PARTS)
    ]
    return [n for i, n in enumerate(likely) if i == 0 or len(n) > 1]


def is_weight(name: str) -> bool:
    """Whether a name is that of a weight or a bias, `W1` or `layers[0].b`, and of no data."""
    last = name.rpartition(".")[2].rstrip("0123456789_")
    return plain(last) in _SURE["W"] | _SURE["b"]


def is_data(name: str) -> bool:
    """Whether nothing is a fair gradient for an argument of that name."""
    return plain(name) in WITHOUT_GRADIENT | DATA


def is_base(name: str) -> bool:
    """Whether a class is called as what others are derived from."""
    return plain(name).removeprefix("base").removeprefix("abstract") in BASES


def gradient_names(name: str) -> list[str]:
    """What the gradient of an argument or parameter is called; `_dW` that of `W` and of `_W`."""
    name = name.lstrip("_") or name
    forms = [f"{before}{name}" for before in BEFORE_A_NAME]
    forms += [f"{name}{after}" for after in AFTER_A_NAME]
    return [*forms, *(f"_{form}" for form in forms)]


def argument_of(gradient: str, order: Iterable[str]) -> str:
    """The argument whose gradient is called so; the name itself if there is none.

    `dW`, `grad_W` and `W_grad` belong to `W`; so does `W`.
    """
    order = list(order)
    called = {gradient: [gradient]}
    for name in order:
        for form in (name, *gradient_names(name)):
            called.setdefault(form, []).append(name)
    if gradient in order:
        return gradient
    exact = [name for name in called[gradient] if name in order]
    if exact:
        return exact[0]
    lower = {form.lower(): names for form, names in called.items() if form != gradient}
    return next(iter(lower.get(gradient.lower(), ())), gradient)
