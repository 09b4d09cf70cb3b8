r"""VAE with a flow posterior: the Gaussian of the encoder is bent until it fits (Rezende 2015).

    x --trunk--> h --+-- mu, logvar --> z_0 --step 1--> z_1 ... --step K--> z_K --decoder--> ...
                     |                            |                   |
                     +-- context c ---------------+-------------------+

A diagonal Gaussian cannot be a posterior whose dimensions hang together. A flow is K invertible
steps; each says how much it stretches space, $\ell_k$, and what is stretched becomes thinner by as
much:

$$ \ln q(z_K \mid x) = \ln q_0(z_0 \mid x) - \sum_k \ell_k $$

The decoder and the prior see $z_K$. $q$ has no closed form against the prior any more, so the KL is
that of the one sample that was drawn:

$$ KL = \ln q(z_K \mid x) - \ln p(z_K), \qquad
   z_0 = \mu + e^{\text{logvar}/2} \varepsilon \tag{1} $$

Of one sample it may be negative; its mean may not. With
$\ln q_0(z_0) = -\tfrac12 \sum_j (\varepsilon_j^2 + \text{logvar}_j + \ln 2\pi)$ this is minus the
log-weight of `ops/log_weights.py`, in which minus $\sum_k \ell_k$ stands where the nll does.

**Two kinds of steps.** `planar` (`ops/planar.py`): a push along a direction; each example brings
its own direction and place along, from its context. `autoregressive` (`ops/gated_step.py`, on
`ops/masked_linear.py`): dimension $j$ is moved by what lies before it, by a small network whose
first layer the context is added to. The next step has the dimensions in the reverse order. Without
hidden units the network is linear, and $q$ is a Gaussian with any covariance that one may wish for:
the posterior of a linear VAE exactly, whichever way its axes are turned.

**Backwards.** $z_K$ feeds decoder and prior, logvar the sample and the entropy, $h$ the heads and
the contexts: sums, in the open below and in `flow_encoder.py`. Every step begins as the identity,
or near to it, so training begins as a VAE's.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..engine.backend import Array
from ..engine.kinds import Count
from ..errors import OptionError
from ..ops import Reparameterize, fork, log_weights
from .declare import Losses
from .flow_encoder import STEPS, Flow, FlowEncoder
from .mlp import check_widths
from .registry import Option
from .vae import VAE


class FlowVAE(VAE):
    """VAE whose posterior is a Gaussian that a flow has moved.

    Parameters
    ----------
    n_pixels, hidden, latent, rng, logvar_range
        As for `VAE`.
    flow : {"planar", "autoregressive"}
        Kind of the steps.
    flows : int
        How many.
    flow_hidden : sequence of int
        Hidden widths of each autoregressive step's network; () makes it linear.
    **options
        As for `VAE`, without free bits and samples.
    """

    kind = "flow"
    title = "a flow VAE"
    options: ClassVar = {
        "logvar_range": VAE.options["logvar_range"],
        "flow": Option(str, "planar", "kind of the flow's steps", choices=tuple(STEPS)),
        "flows": Option(int, 8, "steps of the flow", metavar="K"),
        "flow_hidden": Option(
            int, (), "widths of each autoregressive step's network; none: linear", many=True
        ),
    }
    refused: ClassVar = {
        "free_bits": "a flow VAE has one KL for all dimensions together",
        "samples": "a flow VAE maximises the ELBO",
    }
    terms: ClassVar = {"nll": "Reconstruction (nll)", "kl": "KL from the prior, sampled"}
    codes_are = "Codes: what the flow makes of the mean"
    examples = (
        {"flow": "planar", "flows": 2},
        {"flow": "autoregressive", "flows": 2},
        {"flow": "autoregressive", "flows": 2, "flow_hidden": (4,)},
    )

    samples = None
    free_bits = 0.0

    encoder: Any
    flow: str
    flows: int
    flow_hidden: tuple[int, ...]

    def __init__(
        self,
        n_pixels: int | Sequence[Count],
        hidden: Sequence[Count] | None = None,
        latent: int = 20,
        *,
        rng: np.random.Generator,
        **options: Any,
    ) -> None:
        super().__init__(n_pixels, hidden, latent, rng=rng, **options)
        self.reparameterize = Reparameterize(**self.where)
        self.call = self.decoder.call
        self.cache: tuple = ()

    def _make_encoder(self, rng: np.random.Generator) -> Any:
        if self.flow not in STEPS:
            raise OptionError(f"flow={self.flow!r} was given; choose one of: {', '.join(STEPS)}.")
        if not 1 <= self.flows <= 1000:
            raise OptionError(
                f"flows={self.flows} was given, but a flow has 1 to 1000 steps; for none at all, "
                "use a VAE."
            )
        if self.flow_hidden and self.flow == "planar":
            raise OptionError(
                f"flow_hidden={self.flow_hidden} was given, but a planar step has no network; "
                "leave it out, or use flow='autoregressive'."
            )
        widths = check_widths(self.flow_hidden, "flow_hidden")
        trunk, width = self.halves.trunk(self.data_shape, self.n_given, rng)
        step, how = STEPS[self.flow], {"rng": rng, **self.where}
        steps = [step(self.latent, number, widths, **how) for number in range(self.flows)]
        flow = Flow(steps, **self.where)
        how["logvar_range"] = self.logvar_range
        return FlowEncoder(trunk, width, self.latent, flow, **how)

    def encode(self, x: Array) -> Array:
        """Code z_K (B, Z) of x (B, n_data): where the flow takes the mean of z_0."""
        self.forget()
        mu, _, c = self.encoder.forward(x)
        return self.encoder.flow.forward(mu, c)[0]

    def reconstruct(self, x: Array) -> Array:
        """Mean image (B, n_pixels) that the code of x (B, n_data) is decoded to."""
        return self.decode(self.encode(x))

    def _weigh(self, x: Array, eps: Array) -> tuple[Array, Array]:
        """Return ln p(z) - ln q(z | x) and nll (B, K) for x (B, n_data) and eps (B, K, Z)."""
        mu, logvar, c = self.encoder.forward(x)
        B, K, Z = eps.shape
        z_0 = self.reparameterize.forward(mu[:, None], logvar[:, None], eps)
        # To flow and decoder the samples of all examples are rows: (B K, Z).
        c = c if K == 1 else c.repeat(K, axis=0)
        z, logdet = self.encoder.flow.forward(z_0.reshape(B * K, Z), c)
        out = self.decoder.forward(z)
        nll = self.likelihood.forward(out.reshape(B, K, out.shape[1]), x[:, None])
        subtracted, z = -logdet.reshape(B, K), z.reshape(B, K, Z)
        ratio, self.cache = self.call(log_weights.forward, subtracted, z, logvar, eps)
        return ratio, nll

    def forward(self, x: Array, noise: Array, beta: float = 1.0) -> Any:
        """Compute the loss and its terms for x (B, n_data) and noise (B, Z) from `draw_noise`."""
        ratio, nll = self._weigh(x, noise[:, None])
        kl, nll = -ratio, nll[:, 0]  # (1)
        # A sampled KL may be negative, so no free bits are taken off it, nor is it held at 0.
        loss = nll.mean() + float(beta) * kl.mean()
        self.cache = (*self.cache, float(beta))
        return Losses(loss=loss, nll=nll, kl=kl[:, 0], bound=-nll - kl[:, 0])

    def backward(self) -> None:
        """Overwrite `params.grad` with the gradient of the last forward pass's loss."""
        self.likelihood.saved()
        z, beta = self.cache
        dnll = self.backend.xp.full(len(z), 1 / len(z), z.dtype)
        dratio = -beta * dnll[:, None]
        dsubtracted, dz_prior, dlogvar_entropy = self.call(log_weights.backward, dratio, z)
        dout = self.likelihood.backward(dnll[:, None])
        dz_decoder = self.decoder.backward(dout.reshape(len(dout), dout.shape[2]))
        # z_K feeds the decoder and the prior, so its gradient is the sum.
        dz = self.call(fork.backward_two, dz_decoder, dz_prior[:, 0])
        dz_0, dc = self.encoder.flow.backward(dz, -dsubtracted[:, 0])
        dmu, dlogvar_sample = self.reparameterize.backward(dz_0[:, None])
        # logvar feeds the sample and the entropy of z_0: a sum again.
        dlogvar = self.call(fork.backward_two, dlogvar_sample[:, 0], dlogvar_entropy)
        self.encoder.backward_params(dmu[:, 0], dlogvar, dc)

    def elbo(self, x: Array, noise: Array) -> Array:
        """Lower bound on ln p(x) for x (B, n_data), by the one sample that noise (B, Z) makes."""
        return self.forward(x, noise).bound

    def log_weights(self, x: Array, eps: Array) -> Array:
        """Log-weights (B, K) of importance sampling for x (B, n_data) and noise eps (B, K, Z)."""
        ratio, nll = self._weigh(x, eps)
        self.forget()
        return ratio - nll

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.flows} {self.flow} steps)"
