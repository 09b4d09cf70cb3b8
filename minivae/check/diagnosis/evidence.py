"""Evidence: the function at several points, run again for the diagnosis.

One point can hide a mistake: at logvar = 0 variance and standard deviation are the same number. So
the function is looked at again where every argument has moved a little, always in float64.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..verdict.draws import watched_draws
from ..verdict.numerical import numerical_gradient
from ..verdict.subject import Arrays, Subject

BUDGET = 0.25
"""Seconds that the numerical gradients of one array may take at one point."""


@dataclass
class Probe:
    """The function at one point.

    Attributes
    ----------
    arguments : dict
        Where.
    upstream, outputs : list of numpy.ndarray
        Upstream gradients, and what the forward pass returned.
    gradients : dict
        What the backward pass returned, as arrays.
    draws : list of numpy.ndarray
        Random arrays that the forward pass drew itself.
    true : dict
        Numerical gradients found so far, NaN where not evaluated.
    """

    arguments: Arrays
    upstream: list[np.ndarray]
    outputs: list[np.ndarray]
    gradients: dict[str, np.ndarray]
    draws: list[np.ndarray]
    true: dict[str, np.ndarray] = field(default_factory=dict)


def jitter(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move an array within the domain that its values suggest: [0, 1], positive, or all."""
    if x.size and x.min() >= 0 and x.max() <= 1:
        return x + 0.7 * rng.random(x.shape) * (0.5 - x)
    if x.size and x.min() > 0:
        return x * np.exp(0.4 * rng.standard_normal(x.shape))
    spread = float(x.std()) if x.size > 1 else 0.0
    return x + 0.5 * (spread or 1.0) * rng.standard_normal(x.shape)


class Evidence:
    """What the diagnosis works on; everything is computed when it is asked for, and kept."""

    def __init__(
        self, subject: Subject, upstream: list[np.ndarray], seed: int, analytic: bool
    ) -> None:
        self.subject, self.seed, self.analytic = subject, seed, analytic
        self.rng = np.random.default_rng([seed, 71])
        first = self.probe(subject.arguments, upstream)
        self.probes = [] if first is None else [first]
        plain = subject.scalar and all(np.all(dy == 1) for dy in upstream)
        for _ in range(2 if self.probes else 0):
            arguments = self._moved()
            scale = [np.sqrt(np.mean(dy**2)) or 1.0 for dy in upstream]
            again = [
                dy if plain else s * self.rng.standard_normal(dy.shape)
                for dy, s in zip(upstream, scale, strict=True)
            ]
            probe = self.probe(arguments, again)
            if probe is not None and _same_shapes(probe, self.probes[0]):
                self.probes.append(probe)

    def _moved(self) -> Arrays:
        return {
            n: jitter(x, self.rng) if n in self.subject.vary else x.copy()
            for n, x in self.subject.arguments.items()
        }

    def probe(
        self, arguments: Arrays, upstream: list[np.ndarray], seed: int | None = None
    ) -> Probe | None:
        """Run the pair at a point; None if it raises there, or does not give finite numbers."""
        subject = self.subject
        try:
            with subject.frozen(self.seed if seed is None else seed), np.errstate(all="ignore"):
                with watched_draws(subject.generators) as log:
                    outputs, cache = subject.forward(_copies(arguments))
                    drawn = len(log)
                    outputs = [np.array(y, float) for y in outputs]
                    if subject.truth is not None:
                        outputs = [np.array(y, float) for y in subject.truth(_copies(arguments))]
                    returned = subject.backward([dy.copy() for dy in upstream], cache)
                gradients = fitted(returned, arguments)
        except Exception:
            return None
        if not all(np.isfinite(y).all() for y in outputs):
            return None
        return Probe(_copies(arguments), upstream, outputs, gradients, log[:drawn])

    def _outputs(self, arguments: Arrays) -> list[np.ndarray]:
        """What the function, or who knows it better, gives."""
        if self.subject.truth is not None:
            return self.subject.truth(_copies(arguments))
        outputs, _ = self.subject.forward(_copies(arguments))
        return outputs

    def yours(self, name: str) -> list[np.ndarray]:
        """The gradient that was returned, at each probe."""
        return [probe.gradients[name] for probe in self.probes]

    def true(self, name: str) -> list[np.ndarray]:
        """The numerical gradient at each probe; NaN at entries for which there was no time."""
        for probe in self.probes:
            if name not in probe.true:
                probe.true[name] = self.numerical(name, probe.arguments, probe.upstream)
        return [probe.true[name] for probe in self.probes]

    def function(
        self, upstream: list[np.ndarray], repeat: bool = False
    ) -> Callable[[Arrays], complex]:
        """Outputs as one number, sum(dy * y); with `repeat`, all random draws are the same."""
        subject = self.subject

        def f(arguments: Arrays) -> complex:
            with subject.frozen(self.seed), np.errstate(all="ignore"):
                if repeat:
                    with watched_draws(subject.generators, repeat=True):
                        outputs = self._outputs(arguments)
                else:
                    outputs = self._outputs(arguments)
            return sum(np.sum(dy * y) for dy, y in zip(upstream, outputs, strict=True))

        return f

    def numerical(
        self, name: str, arguments: Arrays, upstream: list[np.ndarray], repeat: bool = False
    ) -> np.ndarray:
        """Numerical gradient; of a large array, of as many entries as there is time for."""
        f = self.function(upstream, repeat)
        x = arguments[name]
        start = time.perf_counter()
        f(arguments)
        seconds = max(time.perf_counter() - start, 1e-6) * (1 if self.analytic else 7)
        entries = None
        affordable = max(int(BUDGET / seconds), 24)
        if x.size > affordable:
            entries = np.sort(self.rng.choice(x.size, affordable, replace=False))
        try:
            found = numerical_gradient(
                lambda value: f({**arguments, name: value}),
                x,
                analytic=self.analytic,
                entries=entries,
            )
        except Exception:
            return np.full(x.shape, np.nan)
        # At a kink the differences mean nothing.
        doubtful = found.errors > 1e-6 * max(1e-300, np.nanmax(np.abs(found.values), initial=0))
        return np.where(doubtful & (found.errors > 1e-9), np.nan, found.values)


def _copies(arguments: Arrays) -> Arrays:
    return {n: np.array(a) for n, a in arguments.items()}


def _same_shapes(a: Probe, b: Probe) -> bool:
    return {n: g.shape for n, g in a.gradients.items()} == {
        n: g.shape for n, g in b.gradients.items()
    } and [y.shape for y in a.outputs] == [y.shape for y in b.outputs]


def fitted(returned: dict, arguments: Arrays) -> Arrays:
    """Gradients as arrays, with the axes of 1 that their arguments have and they lack."""
    found = {n: np.array(g, float) for n, g in returned.items() if g is not None}
    for n, g in found.items():
        shape = np.shape(arguments.get(n, g))
        if g.ndim < len(shape) and [k for k in g.shape if k != 1] == [k for k in shape if k != 1]:
            found[n] = g.reshape(shape)
    return found


def misfit(prediction: list[np.ndarray], yours: list[np.ndarray]) -> float:
    """Largest relative distance, over the probes, of two gradients; entries with NaN are left out.

    Infinite where the shapes differ or nothing can be compared.
    """
    worst, compared = 0.0, False
    for p, a in zip(prediction, yours, strict=True):
        if np.shape(p) != np.shape(a):
            return np.inf
        known = np.isfinite(p) & np.isfinite(a)
        if not known.any():
            if np.size(a):
                continue
            return np.inf
        compared = True
        scale = max(np.linalg.norm(p[known]), np.linalg.norm(a[known]))
        if scale > 1e-300:
            worst = max(worst, float(np.linalg.norm(p[known] - a[known]) / scale))
    return worst if compared else np.inf
