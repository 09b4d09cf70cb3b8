"""Which argument is which in a whole VAE, as the shapes of the weights and their names tell."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...verdict.conventions.names import DATA, is_noise, is_spread, plain


@dataclass(frozen=True)
class Wiring:
    """Which argument is which: pairs (weight, bias or ""), data, noise."""

    x: str
    eps: str
    encoder: tuple[tuple[str, str], ...]
    mu: tuple[str, str]
    scale: tuple[str, str]
    decoder: tuple[tuple[str, str], ...]
    turned: bool

    @property
    def layers(self) -> tuple[tuple[str, str], ...]:
        """All layers."""
        return (*self.encoder, self.mu, self.scale, *self.decoder)


def _is_decoder(name: str) -> bool:
    return plain(name).startswith("d") or "dec" in plain(name)


def wirings(arrays: dict[str, np.ndarray], draws: list[np.ndarray]) -> Iterator[Wiring]:
    """Ways in which the shapes can belong to a VAE, the likeliest first."""
    data = [n for n in arrays if plain(n) in DATA]
    noise = [n for n in arrays if is_noise(n)]
    if not data or arrays[data[0]].ndim != 2:
        return
    x, eps = data[0], noise[0] if noise else ""
    B, D = arrays[x].shape
    widths = [arrays[eps].shape[-1]] if eps else sorted(
        {d.shape[1] for d in draws if d.ndim == 2 and len(d) == B}
    )  # fmt: skip
    weights = [n for n, a in arrays.items() if a.ndim == 2 and n not in (x, eps)]
    vectors = [n for n, a in arrays.items() if n not in (x, eps) and a.size == max(a.shape or (0,))]
    vectors = [n for n in vectors if n not in weights or 1 in arrays[n].shape]
    weights = [n for n in weights if n not in vectors]
    if not 3 <= len(weights) <= 8:
        return
    found = []
    for turned in (False, True):
        shape = {n: arrays[n].shape[::-1] if turned else arrays[n].shape for n in weights}
        for Z in widths:
            for order in _orders(weights, shape, D, Z):
                n_dec = len(order[3])
                cost = _cost(order, weights, n_dec)
                found.append((cost, turned, order))
    found.sort(key=lambda item: item[0])
    for _, turned, (encoder, mu, scale, decoder) in found[:8]:
        biased = _biases([*encoder, mu, scale, *decoder], vectors, arrays, turned)
        pairs = [(w, biased.get(w, "")) for w in [*encoder, mu, scale, *decoder]]
        k = len(encoder)
        yield Wiring(
            x, eps, tuple(pairs[:k]), pairs[k], pairs[k + 1], tuple(pairs[k + 2 :]), turned
        )


def _orders(
    weights: list[str], shape: dict[str, tuple[int, ...]], D: int, Z: int
) -> Iterator[tuple[list[str], str, str, list[str]]]:
    """All ways to chain the weights: encoder, two heads of the same shape, decoder."""

    def chains(free: list[str], start: int, end: int | None) -> Iterator[list[str]]:
        if end is None or (start == end and not free):
            yield []
        for n in free:
            if shape[n][0] == start:
                rest = [m for m in free if m != n]
                for tail in chains(rest, shape[n][1], end):
                    yield [n, *tail]

    for encoder in chains(weights, D, None):
        width = shape[encoder[-1]][1] if encoder else D
        free = [n for n in weights if n not in encoder]
        heads = [n for n in free if shape[n] == (width, Z)]
        for mu, scale in itertools.permutations(heads, 2):
            rest = [n for n in free if n not in (mu, scale)]
            for decoder in chains(rest, Z, D):
                if decoder:
                    yield encoder, mu, scale, decoder


def _cost(order: tuple, weights: list[str], n_decoder: int) -> float:
    encoder, mu, scale, decoder = order
    flat = [*encoder, mu, scale, *decoder]
    places = [weights.index(n) for n in flat]
    cost = sum(1.0 for a, b in itertools.pairwise(places) if a > b)
    if any(map(is_spread, weights)):
        cost += 10 * (not is_spread(scale)) + 10 * is_spread(mu)
    if any(map(_is_decoder, weights)) and not all(map(_is_decoder, weights)):
        cost += sum(5 for n in decoder if not _is_decoder(n))
        cost += sum(5 for n in [*encoder, mu, scale] if _is_decoder(n))
    return cost


def _biases(
    layers: list[str], vectors: list[str], arrays: dict[str, np.ndarray], turned: bool
) -> dict[str, str]:
    """The bias of each weight: by name, else the next one of the right size."""
    left, found = list(vectors), {}
    for by_name in (True, False):
        for w in layers:
            if w in found:
                continue
            size = arrays[w].shape[0 if turned else 1]
            own = plain(w)
            names = {own.replace("weight", "bias"), own.replace("w", "b"), own[:-1] + "b"}
            for b in left:
                if arrays[b].size == size and (plain(b) in names or not by_name):
                    found[w] = b
                    left.remove(b)
                    break
    return found
