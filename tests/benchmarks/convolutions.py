"""The convolutional VAE in each library: `CONTENDERS[name](problem, setting)`, as `contenders.py`.

28 x 28 pixels, convolutions 1-32-64 with kernels of 4, strides of 2 and padding of 1, dense layers
3136-256, heads 16 + 16, and a decoder that mirrors it; ReLU, Bernoulli, ELBO, Adam.

Weights of the first step are the same for all. minivae lays them as patches, (kh, kw, in, out), and
images with the channels last; PyTorch wants the channels first, so where an image becomes a row its
numbers come in another order, and the weights of the dense layer beside it are put in that order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from contenders import Setting, Step, compiled_by_jax, multiplying, trained_by_torch, training
from problems import make_data

SIDE, CHANNELS, HIDDEN, LATENT, KERNEL = 28, (32, 64), 256, 16, 4


@dataclass(frozen=True)
class ConvProblem:
    """A batch size; all else is the same."""

    batch: int

    def __str__(self) -> str:
        return f"28x28 conv 1-32-64 k4 s2, dense 3136-256-16, ELBO, batch {self.batch}"


def first_weights() -> list[tuple[np.ndarray, np.ndarray]]:
    """W and b of every layer, in minivae's form: encoder, the two heads as one, decoder."""
    rng, (c, d), k = np.random.default_rng(2), CHANNELS, KERNEL
    row = (SIDE // 4) ** 2 * d
    shapes = [((k, k, 1, c), c), ((k, k, c, d), d), ((row, HIDDEN), HIDDEN)]
    shapes += [((HIDDEN, 2 * LATENT), 2 * LATENT), ((LATENT, HIDDEN), HIDDEN)]
    shapes += [((HIDDEN, row), row), ((k, k, c, d), c), ((k, k, 1, c), 1)]
    pairs = []
    for shape, n_out in shapes:
        reach = (np.prod(shape) / n_out) ** -0.5
        W = rng.uniform(-reach, reach, shape).astype(np.float32)
        pairs.append((W, rng.uniform(-reach, reach, n_out).astype(np.float32)))
    return pairs


def noises(p: ConvProblem) -> Iterator[np.ndarray]:
    """Standard normal noise (B, Z) of one step after the other."""
    rng = np.random.default_rng(3)
    while True:
        yield rng.standard_normal((p.batch, LATENT), dtype=np.float32)


def products(p: ConvProblem, setting: Setting) -> Step:
    """The matrix products of minivae's step alone, into memory that is there already."""
    rng = np.random.default_rng(3)

    def array(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    forward, backward = [], []
    for i, (W, _) in enumerate(first_weights()):
        back = i >= 6  # transposed convolutions
        W = W.reshape(-1, W.shape[-1])
        rows = p.batch * {0: 196, 1: 49, 6: 49, 7: 196}.get(i, 1)
        n_in, n_out = W.shape[::-1] if back else W.shape
        x, y, dy = array(rows, n_in), array(rows, n_out), array(rows, n_out)
        forward.append((x, W.T if back else W, y))
        backward.append((dy.T, x, array(*W.shape)) if back else (x.T, dy, array(*W.shape)))
        if i > 0:  # the first layer's input is data and gets no gradient
            backward.append((dy, W if back else W.T, array(rows, n_in)))
    return multiplying(forward + backward[::-1])


def minivae(p: ConvProblem, setting: Setting, backend: str | None = None) -> Step:
    """This library."""
    from minivae import VAE

    rng = np.random.default_rng(0)
    model = VAE(
        (SIDE, SIDE),
        (HIDDEN,),
        LATENT,
        network="conv",
        channels=CHANNELS,
        rng=rng,
        backend=backend or setting.backend,
    )
    given = noises(p) if setting.same_noise else None
    return training(model, first_weights(), make_data(), p.batch, rng, given)


def torch(
    p: ConvProblem, setting: Setting, channels_last: bool = False, compiled: bool = False
) -> Step:
    """PyTorch with Adam's fused kernel: images as they come or channels last; the loss compiled."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(setting.threads)
    torch.manual_seed(0)
    form = torch.channels_last if channels_last else torch.contiguous_format
    small, last = SIDE // 4, CHANNELS[-1]

    def ours(a: np.ndarray) -> Any:
        """Weights of a convolution, or of a dense layer, in PyTorch's form."""
        if a.ndim == 4:
            return torch.tensor(a.transpose(3, 2, 0, 1).copy()).contiguous(memory_format=form)
        return torch.tensor(a.T.copy() if a.ndim == 2 else a)

    def rows_turned(a: np.ndarray) -> np.ndarray:
        """What belongs to the numbers of an image, in the order of channels first."""
        rest = a.shape[1:]
        return (
            a.reshape(small, small, last, *rest)
            .transpose(2, 0, 1, *range(3, 3 + len(rest)))
            .reshape(a.shape)
        )

    pairs = first_weights()
    pairs[2] = (rows_turned(pairs[2][0]), pairs[2][1])
    pairs[5] = (rows_turned(pairs[5][0].T).T, rows_turned(pairs[5][1]))
    pairs = [tuple(ours(a).to(setting.device).requires_grad_() for a in pair) for pair in pairs]
    c1, c2, e, heads, d1, d2, t1, t2 = pairs

    def loss_of(x: Any, eps: Any) -> Any:
        h = x.view(-1, 1, SIDE, SIDE).contiguous(memory_format=form)
        h = torch.relu(F.conv2d(h, *c1, 2, 1))
        h = torch.relu(F.conv2d(h, *c2, 2, 1)).flatten(1)
        mu, logvar = F.linear(torch.relu(F.linear(h, *e)), *heads).chunk(2, dim=-1)
        z = mu + (torch.randn_like(mu) if eps is None else eps) * torch.exp(0.5 * logvar)
        h = torch.relu(F.linear(torch.relu(F.linear(z, *d1)), *d2))
        h = h.view(-1, last, small, small).contiguous(memory_format=form)
        h = torch.relu(F.conv_transpose2d(h, *t1, 2, 1))
        logits = F.conv_transpose2d(h, *t2, 2, 1).flatten(1)
        bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return (bce + kl) / len(x)

    if compiled:
        loss_of = torch.compile(loss_of)
    parameters = [array for pair in pairs for array in pair]
    given = noises(p) if setting.same_noise else None
    return trained_by_torch(loss_of, parameters, make_data(), p.batch, given, device=setting.device)


def jax(p: ConvProblem, setting: Setting) -> Step:
    """JAX: the whole step compiled, channels last, the weights' and Adam's buffers donated."""
    import jax
    import jax.numpy as jnp

    form = ("NHWC", "HWIO", "NHWC")
    small, last = SIDE // 4, CHANNELS[-1]

    def conv(h: Any, W: Any, b: Any) -> Any:
        made = jax.lax.conv_general_dilated(h, W, (2, 2), [(1, 1)] * 2, dimension_numbers=form)
        return made + b

    def back(h: Any, W: Any, b: Any) -> Any:
        W = W[::-1, ::-1].transpose(0, 1, 3, 2)
        made = jax.lax.conv_general_dilated(
            h, W, (1, 1), [(2, 2)] * 2, lhs_dilation=(2, 2), dimension_numbers=form
        )
        return made + b

    def loss_of(pairs: list, x: Any, key: Any, eps: Any) -> Any:
        c1, c2, e, heads, d1, d2, t1, t2 = pairs
        relu = jax.nn.relu
        h = relu(conv(relu(conv(x.reshape(-1, SIDE, SIDE, 1), *c1)), *c2)).reshape(len(x), -1)
        mu, logvar = jnp.split(relu(h @ e[0] + e[1]) @ heads[0] + heads[1], 2, axis=-1)
        eps = jax.random.normal(key, mu.shape) if eps is None else eps
        z = mu + eps * jnp.exp(0.5 * logvar)
        h = relu(relu(z @ d1[0] + d1[1]) @ d2[0] + d2[1]).reshape(-1, small, small, last)
        logits = back(relu(back(h, *t1)), *t2).reshape(len(x), -1)
        bce = jnp.maximum(logits, 0) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits)))
        kl = -0.5 * jnp.sum(1 + logvar - mu**2 - jnp.exp(logvar))
        return (bce.sum() + kl) / len(x)

    given = noises(p) if setting.same_noise else None
    return compiled_by_jax(loss_of, first_weights(), make_data(), p.batch, given)


CONTENDERS: dict[str, Callable[[ConvProblem, Setting], Step]] = {
    "products": products,
    "minivae": minivae,
    "minivae-numpy": partial(minivae, backend="numpy"),
    "torch": torch,
    "torch-last": partial(torch, channels_last=True),
    "torch-compile": partial(torch, compiled=True),
    "torch-last-compile": partial(torch, channels_last=True, compiled=True),
    "jax": jax,
}
