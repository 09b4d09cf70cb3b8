"""Operations that courses put together: a linear layer with its activation, a VAE's loss."""

from collections.abc import Callable

import numpy as np

from ..operations.known import Known, Mutant, Values
from . import activations, kl, likelihoods, linear


def _dense(layer: Known, activation: Known) -> Known:
    """A linear layer with an activation on top: y = f(x W + b)."""

    def before(v: Values) -> Values:
        return Values(**{**vars(v), "x": layer.forward(v)})

    def through(gradient: Callable) -> Callable:
        return lambda dy, v: gradient(activation.gradients["x"](dy, before(v)), v)

    def deviate(role_gradient: Callable, wrong: Callable) -> Callable:
        return lambda dy, v: role_gradient(np.asarray(wrong(dy, before(v)), float), v)

    found: list[Mutant] = []
    for mutant in layer.mutants:
        if mutant.key != "no_upstream":
            text = mutant.text.replace("{g}", "dh") + ", where dh = {g} * " + "f'(h)"
            found.append(Mutant(mutant.key, mutant.of, text, through(mutant.gradient)))
    for mutant in activation.mutants:
        text = mutant.text.replace("d{x}", "dh").replace("{x}", "h")
        text = f"behind the activation: {text}; h is the value before it, y behind it"
        for role, gradient in layer.gradients.items():
            found.append(Mutant(mutant.key, role, text, deviate(gradient, mutant.gradient)))
    for role, gradient in layer.gradients.items():
        wrong_mask = (
            "the mask is taken from the input of the layer instead of h, the value before the "
            "activation"
        )
        if activation.name == "relu" and role == "x":
            found.append(
                Mutant(
                    "wrong_mask",
                    role,
                    wrong_mask,
                    lambda dy, v, g=gradient: g(dy, v) * (v.x > 0),
                )
            )
    return Known(
        f"{layer.name} with {activation.name}",
        f"{layer.title} with {activation.name}",
        layer.roles,
        lambda v: activation.forward(before(v)),
        {role: through(gradient) for role, gradient in layer.gradients.items()},
        tuple(found),
        options=activation.options,
        guess=None,
        sizes=layer.sizes,
    )


def _loss(nll: Known, divergence: Known) -> Known:
    """A likelihood and a KL, added with some weights: the loss of a VAE, from its parts."""

    def part(gradient: Callable, term: int) -> Callable:
        return lambda dy, v: gradient(dy[term], v)

    def unweighted(gradient: Callable) -> Callable:
        return lambda dy, v: gradient(dy[1] * _weight(dy), v)

    head = next(role for role in divergence.roles if role != "mu")
    found = [
        Mutant(m.key, m.of, m.text, part(m.gradient, term), term)
        for term, known in enumerate((nll, divergence))
        for m in known.mutants
        if m.key != "no_upstream"
    ]
    for role in ("mu", head):
        right = divergence.gradients[role]
        found += [
            Mutant("kl_missing", role, f"the KL's part is missing from d{{{role}}}: add the "
                   "gradient of the KL", lambda dy, v, r=role: np.zeros_like(getattr(v, r)), 1),
            Mutant("kl_twice", role, f"the KL's part is in d{{{role}}} twice",
                   lambda dy, v, g=right: 2 * g(dy[1], v), 1),
            Mutant("sign", role, f"the KL's part has the wrong sign in d{{{role}}}",
                   lambda dy, v, g=right: -g(dy[1], v), 1),
            Mutant("beta", role, "the weight of the KL (beta) is in the loss, but not in "
                   f"d{{{role}}}", unweighted(right), 1),
        ]  # fmt: skip
    for role in nll.gradients:
        if role == "target":
            continue
        found.append(
            Mutant(
                "beta",
                role,
                f"the weight of the KL (beta) is applied to d{{{role}}} too; it belongs to the KL",
                lambda dy, v, g=nll.gradients[role]: g(dy[0] / _weight(dy), v),
            )
        )

    def draw(v: Values, rng: np.random.Generator) -> None:
        for known in (nll, divergence):
            if known.draw is not None:
                known.draw(v, rng)

    wide = {role: ("B", "Z") if known is divergence else ("B", "D")
            for known in (nll, divergence) for role in known.roles}  # fmt: skip
    gradients = {r: part(g, 0) for r, g in nll.gradients.items() if r != "target"}
    return Known(
        f"{nll.name} + {divergence.name}",
        f"{nll.title}, plus {divergence.title}",
        wide,
        lambda v: (nll.forward(v), divergence.forward(v)),
        gradients | {r: part(g, 1) for r, g in divergence.gradients.items()},
        tuple(found),
        options=nll.options,
        draw=draw,
    )


def _weight(dy: tuple[np.ndarray, np.ndarray]) -> float:
    """How much less a KL weighs in the loss than a likelihood."""
    return float(dy[0].flat[0] / dy[1].flat[0]) if dy[1].flat[0] else 1.0


_LAYERS = [known for known in linear.KNOWN if known.name != "linear of images"]
_NAMES = ("relu", "leaky relu", "tanh", "sigmoid", "softplus")
_ACTIVATIONS = [known for known in activations.KNOWN if known.name in _NAMES]

KNOWN = [_dense(layer, activation) for layer in _LAYERS for activation in _ACTIVATIONS]
KNOWN += [
    _loss(nll, divergence)
    for nll in (likelihoods.BCE_LOGITS, likelihoods.BCE, likelihoods.MSE)
    for divergence in (kl.KL, kl.KL_SIGMA, kl.KL_LOGSIGMA)
]
