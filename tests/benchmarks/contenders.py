"""One training step in each library, at its best setting: `CONTENDERS[name](problem, setting)`.

A step is: fetch a minibatch by its row numbers from data in memory, draw the noise, forward, loss,
backward, Adam. Each function returns `step() -> loss`, where the loss may stay an array of the
library: nobody is made to convert it.

Each library draws its noise by its own generator, the way it is fastest. With `same_noise` all are
given NumPy's instead; their losses then agree up to rounding, but their times are no comparison.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from problems import LEARNING_RATE, Problem, first_weights, make_data, minibatches, noises

Step = Callable[[], Any]


@dataclass(frozen=True)
class Setting:
    """How contenders run: threads, minivae's backend, and whether all are given the same noise.

    `device` is PyTorch's, "cpu" or "cuda".
    """

    threads: int
    backend: str = "numba"
    same_noise: bool = False
    device: str = "cpu"


def products(p: Problem, setting: Setting) -> Step:
    """The matrix products of minivae's step alone, into memory that is there already."""
    rng = np.random.default_rng(3)

    def array(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    layers = [(widths, p.batch) for widths in [*p.encoder, p.heads]]
    layers += [(widths, p.batch * (p.samples or 1)) for widths in p.decoder]
    forward, backward = [], []
    for i, ((n_in, n_out), rows) in enumerate(layers):
        x, W, dy = array(rows, n_in), array(n_in, n_out), array(rows, n_out)
        forward.append((x, W, array(rows, n_out)))
        backward.append((x.T, dy, array(n_in, n_out)))
        if i > 0:  # the first layer's input is data and gets no gradient
            backward.append((dy, W.T, array(rows, n_in)))
    return multiplying(forward + backward[::-1])


def multiplying(calls: list[tuple[np.ndarray, ...]]) -> Step:
    """A step that computes `a @ b` into `out`, for each (a, b, out)."""

    def step() -> float:
        for a, b, out in calls:
            np.matmul(a, b, out=out)
        return 0.0

    return step


def minivae(p: Problem, setting: Setting, backend: str | None = None) -> Step:
    """This library."""
    from minivae import VAE

    rng = np.random.default_rng(0)
    backend = backend or setting.backend
    options = {"activation": p.activation, "samples": p.samples, "backend": backend}
    model = VAE(p.pixels, p.hidden, p.latent, rng=rng, **options)
    given = noises(p) if setting.same_noise else None
    return training(model, first_weights(p), make_data(p.pixels, kind=p.data), p.batch, rng, given)


def training(
    model: Any,
    pairs: list[tuple[np.ndarray, ...]],
    data: np.ndarray,
    batch: int,
    rng: np.random.Generator,
    given: Iterator[np.ndarray] | None,
) -> Step:
    """A step of a model of this library from these weights, with its own noise or what is given."""
    from minivae import Adam
    from minivae.data.minibatch import gather

    there = model.backend.asarray
    weights = [array for pair in pairs for array in pair]
    for name, array in zip(model.params, weights, strict=True):
        model.params[name][...] = there(array)
    optimizer, data, rows_of = Adam(LEARNING_RATE), there(data), minibatches(batch)

    def draw(_: int) -> tuple:
        eps = there(next(given)) if given else model.draw_noise(rng, batch)
        return there(next(rows_of)), eps

    drawn = model.backend.ahead(draw, count())

    def step() -> np.ndarray:
        with model.workspace:
            rows, eps = next(drawn)
            x = model.backend.call(gather, data, rows)
            terms = model.step(x, eps)
            optimizer.step(model.params)
        return terms.loss

    return step


def samples_first(eps: np.ndarray) -> np.ndarray:
    """Noise (B, K, Z) as (K, B, Z), the order in which PyTorch and JAX broadcast."""
    return eps if eps.ndim == 2 else np.ascontiguousarray(eps.transpose(1, 0, 2))


def torch(p: Problem, setting: Setting, fused: bool = False, compiled: str = "") -> Step:
    """PyTorch: eager, with or without Adam's fused kernel; or the loss or the step compiled."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(setting.threads)
    torch.manual_seed(0)
    act = {"relu": torch.relu, "tanh": torch.tanh}[p.activation]
    # PyTorch keeps weights as (out, in); that is the form that its products are fastest in.
    pairs = [
        tuple(
            torch.tensor(
                a.T.copy() if a.ndim == 2 else a, requires_grad=True, device=setting.device
            )
            for a in pair
        )
        for pair in first_weights(p)
    ]
    n = len(p.hidden)
    trunk, heads, decoder = pairs[:n], pairs[n], pairs[n + 1 :]

    def decode(z: Any) -> Any:
        for W, b in decoder[:-1]:
            z = act(F.linear(z, W, b))
        return F.linear(z, *decoder[-1])

    def encode(x: Any) -> Any:
        for W, b in trunk:
            x = act(F.linear(x, W, b))
        return F.linear(x, *heads).chunk(2, dim=-1)

    def elbo(x: Any, eps: Any) -> Any:
        mu, logvar = encode(x)
        z = mu + (torch.randn_like(mu) if eps is None else eps) * torch.exp(0.5 * logvar)
        bce = F.binary_cross_entropy_with_logits(decode(z), x, reduction="sum")
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return (bce + kl) / len(x)

    def iwae(x: Any, eps: Any) -> Any:
        mu, logvar = encode(x)
        eps = torch.randn(p.samples, *mu.shape, device=mu.device) if eps is None else eps
        z = mu + eps * torch.exp(0.5 * logvar)
        logits = decode(z)
        bce = F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
        log_w = 0.5 * (eps.pow(2) - z.pow(2) + logvar).sum(-1) - bce.sum(-1)
        return -(torch.logsumexp(log_w, 0) - np.log(p.samples)).mean()

    loss_of = elbo if p.samples is None else iwae
    if compiled == "loss":
        loss_of = torch.compile(loss_of)
    parameters = [array for pair in pairs for array in pair]
    given = map(samples_first, noises(p)) if setting.same_noise else None
    how = {"fused": fused, "compiled": compiled == "step", "device": setting.device}
    return trained_by_torch(
        loss_of, parameters, make_data(p.pixels, kind=p.data), p.batch, given, **how
    )


def trained_by_torch(
    loss_of: Callable,
    parameters: list,
    data: np.ndarray,
    batch: int,
    given: Iterator[np.ndarray] | None,
    *,
    fused: bool = True,
    compiled: bool = False,
    device: str = "cpu",
) -> Step:
    """A step of PyTorch on a loss `loss_of(x, eps)` of these parameters."""
    import torch

    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=fused or None)

    def update(x: Any, eps: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(x, eps)
        loss.backward()
        optimizer.step()
        return loss.detach()

    if compiled:
        update = torch.compile(update)

    def there(array: np.ndarray) -> Any:
        return torch.from_numpy(array).to(device, non_blocking=True)

    data, rows_of = there(data), minibatches(batch)

    def step() -> Any:
        x = data.index_select(0, there(next(rows_of)))  # data[rows] takes twice as long
        return update(x, there(next(given)) if given else None)

    return step


def jax(p: Problem, setting: Setting) -> Step:
    """JAX: the whole step compiled, the weights' and Adam's buffers donated."""
    import jax
    import jax.numpy as jnp

    act = {"relu": jax.nn.relu, "tanh": jnp.tanh}[p.activation]
    n = len(p.hidden)

    def split(pairs: list) -> tuple:
        return pairs[:n], pairs[n], pairs[n + 1 :]

    def encode(pairs: list, x: Any) -> Any:
        trunk, (W, b), _ = split(pairs)
        for V, c in trunk:
            x = act(x @ V + c)
        return jnp.split(x @ W + b, 2, axis=-1)

    def decode(pairs: list, z: Any) -> Any:
        *hidden, (W, b) = split(pairs)[2]
        for V, c in hidden:
            z = act(z @ V + c)
        return z @ W + b

    def bce(logits: Any, x: Any) -> Any:
        return jnp.maximum(logits, 0) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits)))

    def elbo(pairs: list, x: Any, key: Any, eps: Any) -> Any:
        mu, logvar = encode(pairs, x)
        eps = jax.random.normal(key, mu.shape) if eps is None else eps
        z = mu + eps * jnp.exp(0.5 * logvar)
        kl = -0.5 * jnp.sum(1 + logvar - mu**2 - jnp.exp(logvar))
        return (bce(decode(pairs, z), x).sum() + kl) / len(x)

    def iwae(pairs: list, x: Any, key: Any, eps: Any) -> Any:
        mu, logvar = encode(pairs, x)
        eps = jax.random.normal(key, (p.samples, *mu.shape)) if eps is None else eps
        z = mu + eps * jnp.exp(0.5 * logvar)
        log_w = 0.5 * (eps**2 - z**2 + logvar).sum(-1) - bce(decode(pairs, z), x).sum(-1)
        return -(jax.nn.logsumexp(log_w, axis=0) - jnp.log(p.samples)).mean()

    loss_of = elbo if p.samples is None else iwae
    given = map(samples_first, noises(p)) if setting.same_noise else None
    return compiled_by_jax(
        loss_of, first_weights(p), make_data(p.pixels, kind=p.data), p.batch, given
    )


def compiled_by_jax(
    loss_of: Callable,
    weights: list[tuple[np.ndarray, ...]],
    data: np.ndarray,
    batch: int,
    given: Iterator[np.ndarray] | None,
) -> Step:
    """A step of JAX on a loss `loss_of(pairs, x, key, eps)`, from these weights."""
    import jax
    import jax.numpy as jnp
    import optax

    adam = optax.adam(LEARNING_RATE)

    def update(pairs: list, moments: Any, key: Any, data: Any, rows: Any, eps: Any) -> Any:
        key, own = jax.random.split(key)
        loss, gradient = jax.value_and_grad(loss_of)(pairs, data[rows], own, eps)
        change, moments = adam.update(gradient, moments)
        return optax.apply_updates(pairs, change), moments, key, loss

    update = jax.jit(update, donate_argnums=(0, 1, 2))
    pairs = [tuple(map(jnp.asarray, pair)) for pair in weights]
    state = [pairs, adam.init(pairs), jax.random.key(0)]
    data, rows_of = jnp.asarray(data), minibatches(batch)

    def step() -> Any:
        eps = next(given) if given else None
        *state[:], loss = update(*state, data, next(rows_of).astype(np.int32), eps)
        return jax.block_until_ready(loss)

    return step


CONTENDERS: dict[str, Callable[[Problem, Setting], Step]] = {
    "products": products,
    "minivae": minivae,
    "minivae-numpy": partial(minivae, backend="numpy"),
    "torch": torch,
    "torch-fused": partial(torch, fused=True),
    "torch-compile": partial(torch, fused=True, compiled="loss"),
    "torch-compile-step": partial(torch, fused=True, compiled="step"),
    "jax": jax,
}
NEEDS = {"torch": ("torch",), "jax": ("jax", "optax")}
"""Packages that must be installed for a contender, by what its name begins with."""
