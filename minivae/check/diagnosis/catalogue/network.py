"""A whole VAE's forward and backward pass, with places where the backward pass can err."""

from collections.abc import Callable

import numpy as np

from ..operations.known import Known, Values, sigmoid
from .wiring import Wiring

Deviation = Callable[..., np.ndarray]


class Network:
    """The forward and backward pass of a wiring, with places where the backward pass can err."""

    def __init__(self, wiring: Wiring, inner: Known, outer: Known, head: str, nll: str) -> None:
        self.wiring, self.inner, self.outer, self.head, self.nll = wiring, inner, outer, head, nll

    def _weight(self, v: Values, pair: tuple[str, str]) -> np.ndarray:
        W = getattr(v, pair[0])
        return W.T if self.wiring.turned else W

    def _affine(self, v: Values, x: np.ndarray, pair: tuple[str, str]) -> np.ndarray:
        y = x @ self._weight(v, pair)
        return y + getattr(v, pair[1]).reshape(1, -1) if pair[1] else y

    def run(self, v: Values) -> dict[str, object]:
        """All intermediate values."""
        if "_tape" in vars(v):
            return v._tape
        w = self.wiring
        h, tape = getattr(v, w.x), {}
        tape["enc"] = []
        for pair in w.encoder:
            a = self._affine(v, h, pair)
            tape["enc"].append((h, a))
            h = self.inner.forward(Values(x=a, slope=0.01))
        tape["h"], tape["mu"] = h, self._affine(v, h, w.mu)
        lv = tape["lv"] = self._affine(v, h, w.scale)
        tape["sigma"] = np.exp(0.5 * lv if self.head == "logvar" else lv)
        eps = getattr(v, w.eps or "eps")
        z = tape["z"] = tape["mu"] + tape["sigma"] * eps
        tape["dec"] = []
        for i, pair in enumerate(w.decoder):
            a = self._affine(v, z, pair)
            tape["dec"].append((z, a))
            z = self.outer.forward(Values(x=a, slope=0.01)) if i < len(w.decoder) - 1 else a
        tape["out"] = z
        v._tape = tape
        return tape

    def terms(self, v: Values) -> tuple[np.ndarray, np.ndarray]:
        """Likelihood (B, D) and KL (B, Z)."""
        tape, x = self.run(v), getattr(v, self.wiring.x)
        a, mu, lv = tape["out"], tape["mu"], tape["lv"]
        if self.nll == "bce":
            positive = np.real(a) > 0
            nll = np.where(positive, a, 0) + np.log1p(np.exp(np.where(positive, -a, a))) - x * a
        else:
            nll = 0.5 * ((sigmoid(a) if self.nll == "sigmoid mse" else a) - x) ** 2
        variance = tape["sigma"] ** 2
        log_variance = lv if self.head == "logvar" else 2 * lv
        return nll, 0.5 * (mu**2 + variance - 1 - log_variance)

    def back(self, dy: tuple, v: Values, place: str = "", change: Deviation | None = None) -> dict:
        """All gradients; at `place` the right value is replaced by `change(right, tape, v, dy)`.

        They are kept in v, as every argument's diagnosis asks for them again.
        """
        memo = vars(v).setdefault("_memo", {})
        if (place, change) in memo:
            return memo[place, change]
        w, tape, grads = self.wiring, self.run(v), {}
        x, eps = getattr(v, w.x), getattr(v, w.eps or "eps")

        def at(name: str, right: np.ndarray) -> np.ndarray:
            return change(right, tape, v, dy) if name == place and change else right

        def through(pair: tuple[str, str], below: np.ndarray, dout: np.ndarray) -> np.ndarray:
            dW = below.T @ dout
            grads[pair[0]] = dW.T if w.turned else dW
            if pair[1]:
                grads[pair[1]] = dout.sum(axis=0).reshape(getattr(v, pair[1]).shape)
            return dout @ self._weight(v, pair).T

        out = tape["out"]
        if self.nll == "bce":
            d = dy[0] * (sigmoid(out) - x)
        elif self.nll == "mse":
            d = dy[0] * (out - x)
        else:
            s = sigmoid(out)
            d = dy[0] * (s - x) * s * (1 - s)
        d = at("likelihood", d)
        for i in reversed(range(len(w.decoder))):
            below, a = tape["dec"][i]
            if i < len(w.decoder) - 1:
                slope = self.outer.gradients["x"](np.ones_like(a), Values(x=a, slope=0.01))
                d = d * at(f"dec{i}", slope)
            d = through(w.decoder[i], below, d)
        dz = at("dz", d)
        half = 0.5 if self.head == "logvar" else 1.0
        kl_mu, kl_lv = dy[1] * tape["mu"], dy[1] * half * (tape["sigma"] ** 2 - 1)
        dmu = at("mu sample", dz) + at("kl", at("mu kl", kl_mu))
        dlv = at("lv sample", half * dz * tape["sigma"] * eps) + at("kl", at("lv kl", kl_lv))
        dh_mu, dh_lv = through(w.mu, tape["h"], dmu), through(w.scale, tape["h"], dlv)
        d = at("dh lv", dh_lv) + at("dh mu", dh_mu)
        for i in reversed(range(len(w.encoder))):
            below, a = tape["enc"][i]
            slope = self.inner.gradients["x"](np.ones_like(a), Values(x=a, slope=0.01))
            d = through(w.encoder[i], below, d * at(f"enc{i}", slope))
        memo[place, change] = grads
        return grads


def other_noise(net: Network, dy: tuple, v: Values, yours: dict) -> np.ndarray | None:
    """The noise that would explain the gradient of the second head; None if it is not determined.

    dW = h^T d and db = sum of d give d, the gradient that reached the head, if h has enough
    columns; from d follows what stood in the place of the noise.
    """
    weight, bias = net.wiring.scale
    if weight not in yours:
        return None
    dW = yours[weight].T if net.wiring.turned else yours[weight]
    seen: dict[str, np.ndarray] = {}

    def note(name: str) -> Deviation:
        def change(right: np.ndarray, tape: dict, w: Values, dout: tuple) -> np.ndarray:
            seen[name] = right
            return right

        return change

    net.back(dy, v, "lv sample", note("sample"))
    net.back(dy, v, "lv kl", note("kl"))
    h = net.run(v)["h"]
    rows, values = h.T, dW
    if bias in yours:
        rows = np.vstack([rows, np.ones((1, len(h)))])
        values = np.vstack([values, yours[bias].reshape(1, -1)])
    if rows.shape[0] < len(h) or np.linalg.matrix_rank(rows) < len(h):
        return None
    d = np.linalg.lstsq(rows, values, rcond=None)[0]
    eps = getattr(v, net.wiring.eps or "eps")
    with np.errstate(all="ignore"):
        noise = (d - seen["kl"]) / (seen["sample"] / eps)
    return noise if np.isfinite(noise).all() else None


def with_noise(net: Network, dy: tuple, v: Values, noise: np.ndarray) -> dict:
    """All gradients if the backward pass has that noise in place of its own."""
    eps = getattr(v, net.wiring.eps or "eps")
    return net.back(dy, v, "lv sample", lambda right, tape, w, dout: right / eps * noise)
