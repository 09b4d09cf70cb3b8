"""A whole VAE, from data and weights to the loss, whoever wrote it.

Which weight is which follows from the shapes, what is between them and at the end from the values
of the loss. Then every place where the backward pass can go wrong predicts the gradient of every
weight upstream of it.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from ..operations.known import Known, Mutant, Values, sigmoid
from . import activations
from .network import Deviation, Network
from .wiring import wirings


def _nothing(right: np.ndarray, tape: dict, v: Values, dy: tuple) -> np.ndarray:
    return np.zeros_like(right)


def _twice(right: np.ndarray, tape: dict, v: Values, dy: tuple) -> np.ndarray:
    return 2 * right


def _minus(right: np.ndarray, tape: dict, v: Values, dy: tuple) -> np.ndarray:
    return -right


def _half(right: np.ndarray, tape: dict, v: Values, dy: tuple) -> np.ndarray:
    return 0.5 * right


def _deviations(net: Network) -> list[tuple[str, str, str, Deviation]]:
    """(key, text, place, change) for every place where the backward pass can go wrong."""
    eps = net.wiring.eps or "eps"
    sample = "dlogvar gets 0.5 * dz * sigma * eps from the sample"
    rows: list[tuple[str, str, str, Deviation]] = []
    for place, what in (("kl", "dmu and dlogvar"), ("mu kl", "dmu"), ("lv kl", "dlogvar")):
        rows += [
            ("kl_missing", f"the KL's part is missing from {what}: what the sample sends back and "
             "what the KL sends back are added", place, _nothing),
            ("kl_twice", f"the KL's part is in {what} twice", place, _twice),
            ("sign", f"the KL's part has the wrong sign in {what}", place, _minus),
            ("beta", f"the weight of the KL in the loss (beta, 1/B) is not the one in {what}: the "
             "KL's part carries the reconstruction's weight", place,
             lambda r, t, v, dy: r * dy[0].flat[0] / dy[1].flat[0]),
            ("batch", f"the 1/B of the batch mean is missing from the KL's part of {what}", place,
             lambda r, t, v, dy: r * len(r)),
            ("batch", f"the 1/B is twice in the KL's part of {what}", place,
             lambda r, t, v, dy: r / len(r)),
            ("dims", f"a mean over the latent dimensions stands for the sum in the KL's part of "
             f"{what}", place, lambda r, t, v, dy: r / r.shape[1]),
        ]  # fmt: skip
    rows += [
        ("overwritten_branch", "the sample's part is missing from dlogvar, only the KL's is there: "
         + sample, "lv sample", _nothing),
        ("overwritten_branch", "the sample's part is missing from dmu, only the KL's is there: dmu "
         "gets dz from the sample", "mu sample", _nothing),
        ("factor", "the factor 1/2 of logvar is missing: " + sample, "lv sample", _twice),
        ("factor", "a factor 1/2 too much: " + sample, "lv sample", _half),
        ("sign", "the sign of the sample's part is flipped: " + sample, "lv sample", _minus),
        ("sign", "the sign of the sample's part is flipped: dmu gets dz", "mu sample", _minus),
        ("noise_missing", "the noise is missing: " + sample, "lv sample",
         lambda r, t, v, dy: r / getattr(v, eps)),
        ("variance_for_std", "the variance stands where the standard deviation belongs: " + sample,
         "lv sample", lambda r, t, v, dy: r * t["sigma"]),
        ("variance_for_std", "the variance stands where the standard deviation belongs, and the "
         "1/2 is missing: " + sample, "lv sample", lambda r, t, v, dy: 2 * r * t["sigma"]),
        ("sigma_head", "logvar is treated as sigma: " + sample, "lv sample",
         lambda r, t, v, dy: 2 * r / t["sigma"]),
        ("derivative_missing", "sigma, the derivative of the exponential, is missing: " + sample,
         "lv sample", lambda r, t, v, dy: r / t["sigma"]),
        ("noise_gradient", "the noise is multiplied into dmu; dmu gets dz", "mu sample",
         lambda r, t, v, dy: r * getattr(v, eps)),
        ("factor", "the factor 1/2 is missing from the KL's part of dlogvar, "
         "0.5 * (exp(logvar) - 1)", "lv kl", _twice),
        ("minus_one", "the -1 is dropped from exp(logvar) - 1 in the KL's part of dlogvar",
         "lv kl", lambda r, t, v, dy: r + dy[1] * (0.5 if net.head == "logvar" else 1.0)),
        ("factor", "the factor of the KL's part of dmu is wrong: mu**2 / 2 gives mu", "mu kl",
         _half),
        ("variance_for_std", "sigma stands where the variance belongs in the KL's part of "
         "dlogvar, 0.5 * (exp(logvar) - 1)", "lv kl",
         lambda r, t, v, dy: 0.5 * dy[1] * (t["sigma"] - 1)),
        ("sigma_head", "the KL's part of dlogvar is that of a sigma head, sigma - 1 / sigma",
         "lv kl", lambda r, t, v, dy: dy[1] * (t["sigma"] - 1 / t["sigma"])),
        ("overwritten_branch", "only the logvar head's branch reaches the encoder's trunk: h feeds "
         "both heads, so dh is the sum of both; write `+=`", "dh mu", _nothing),
        ("overwritten_branch", "only the mu head's branch reaches the encoder's trunk: h feeds "
         "both heads, so dh is the sum of both; write `+=`", "dh lv", _nothing),
        ("overwritten_branch", "the decoder's gradient does not reach z, so only the KL trains the "
         "encoder", "dz", _nothing),
        ("zero", "the decoder's gradient does not reach z, so only the KL trains the encoder",
         "dz", _nothing),
        ("sign", "the sign of the reconstruction's gradient is flipped", "likelihood", _minus),
        ("factor", "the reconstruction's gradient is twice too large", "likelihood", _twice),
        ("factor", "the reconstruction's gradient is half as large as it should be", "likelihood",
         _half),
        ("batch", "the 1/B of the batch mean is missing from the reconstruction's gradient",
         "likelihood", lambda r, t, v, dy: r * len(r)),
        ("batch", "the 1/B is twice in the reconstruction's gradient", "likelihood",
         lambda r, t, v, dy: r / len(r)),
        ("dims", "a mean over the pixels stands for the sum in the reconstruction's gradient",
         "likelihood", lambda r, t, v, dy: r / r.shape[1]),
        ("dims", "a sum over the pixels stands for the mean in the reconstruction's gradient",
         "likelihood", lambda r, t, v, dy: r * r.shape[1]),
        ("derivative_twice", "the derivative of the sigmoid is multiplied into the cross-entropy's "
         "gradient, in which it has cancelled: dlogits = sigmoid(logits) - x", "likelihood",
         lambda r, t, v, dy: r * sigmoid(t["out"]) * (1 - sigmoid(t["out"]))),
        ("derivative_missing", "the derivative of the sigmoid at the output is missing",
         "likelihood", lambda r, t, v, dy: r / (sigmoid(t["out"]) * (1 - sigmoid(t["out"])))),
        ("derivative_missing", "the sigmoid is missing: dlogits = sigmoid(logits) - x",
         "likelihood", lambda r, t, v, dy: dy[0] * (t["out"] - getattr(v, net.wiring.x))),
    ]  # fmt: skip
    for part, layers, known in (
        ("enc", net.wiring.encoder, net.inner),
        ("dec", net.wiring.decoder[:-1], net.outer),
    ):
        for i, (weight, _) in enumerate(layers):
            where = f"the derivative of {known.name} behind {weight}"
            rows += [
                ("derivative_missing", f"{where} is missing", f"{part}{i}",
                 lambda r, t, v, dy: np.ones_like(r)),
                ("derivative_twice", f"{where} is multiplied in twice", f"{part}{i}",
                 lambda r, t, v, dy: r * r),
                ("at_output", f"{where} is taken at the output instead of the input", f"{part}{i}",
                 lambda r, t, v, dy, p=part, i=i, f=known: _slope_at_output(f, t[p][i][1])),
            ]  # fmt: skip
    return rows


def _slope_at_output(known: Known, a: np.ndarray) -> np.ndarray:
    y = known.forward(Values(x=a, slope=0.01))
    return known.gradients["x"](np.ones_like(y), Values(x=y, slope=0.01))


def _as_known(net: Network) -> Known:
    names = [n for pair in net.wiring.layers for n in pair if n]
    found = []
    for key, text, place, change in _deviations(net):
        for name in names:
            found.append(
                Mutant(
                    key,
                    name,
                    text,
                    lambda dy, v, n=name, p=place, c=change: net.back(dy, v, p, c)[n],
                    0,
                )
            )
    roles = dict.fromkeys([net.wiring.x, *names, net.wiring.eps or "eps"], ("*",))
    return Known(
        "vae",
        "a variational autoencoder",
        roles,
        net.terms,
        {n: lambda dy, v, n=n: net.back(dy, v)[n] for n in names},
        tuple(found),
        hidden="" if net.wiring.eps else "eps",
        network=net,
    )


_ACTIVATIONS = [
    known
    for known in activations.KNOWN
    if known.name in ("tanh", "relu", "sigmoid", "softplus", "leaky relu", "silu", "elu", "gelu")
]


def vae_candidates(
    arrays: dict[str, np.ndarray], draws: list[np.ndarray]
) -> Iterator[tuple[Known, int | None]]:
    """VAEs that the shapes allow, each with the number of the draw that is its noise."""
    for wiring in wirings(arrays, draws):
        shape = (len(arrays[wiring.x]), arrays[wiring.mu[0]].shape[0 if wiring.turned else 1])
        if wiring.eps and arrays[wiring.eps].shape != shape:
            continue
        choices = [None] if wiring.eps else [i for i, d in enumerate(draws) if d.shape == shape]
        inner = _ACTIVATIONS if wiring.encoder else _ACTIVATIONS[:1]
        outer = _ACTIVATIONS if len(wiring.decoder) > 1 else _ACTIVATIONS[:1]
        pairs = sorted(itertools.product(inner, outer), key=lambda p: p[0] is not p[1])
        for (f, g), nll, head in itertools.product(
            pairs, ("bce", "mse", "sigmoid mse"), ("logvar", "logsigma")
        ):
            known = None
            for draw in choices:
                known = known or _as_known(Network(wiring, f, g, head, nll))
                yield known, draw
