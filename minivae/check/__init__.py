"""The gradient doctor: says whether a backward pass is right, and if not, what is wrong.

`verdict/` decides, `diagnosis/` names the mistake, `values/` looks at forward passes, and `report/`
shows what was found. Nothing here needs data, training or a use of a model.
"""

import itertools

import numpy as np

from .. import ops
from ..engine.backend import Array
from ..engine.door import door
from ..engine.kinds import Count, Whole
from ..models import MODELS, NETWORKS
from ..models.base import Model
from ..models.declare import Player
from .gradients import assert_gradients, check_gradients
from .report.report import Report
from .report.result import ArrayCheck, Diagnosis
from .report.text import table
from .values import ValueCheck, check_values


@door
def check_all(seed: Whole = 0) -> list[Report]:
    """Check every operation, and small models of every kind: for each player, its own gradient.

    Returns
    -------
    list of Report
        One each, in the order of `minivae.ops.CASES`.
    """
    cases = ops.CASES
    reports = [check_gradients(case, seed=seed, tolerance=1e-7) for case in cases]
    return [*reports, *(r for kind in MODELS.values() for r in check_models(kind, seed, most=1))]


ENTRIES = 20
"""Entries of each of a model's arrays that are compared one by one; the others go along random
directions, and each operation is compared in full by itself."""


@door
def check_models(kind: type[Model], seed: Whole = 0, most: Count = 100) -> list[Report]:
    """Check small models of a kind, on every network: each player's gradient.

    Parameters
    ----------
    kind : type
        One of `minivae.models.MODELS`.
    seed : int
        Draws weights and data.
    most : int
        At most so many of the examples that the kind names.

    Returns
    -------
    list of Report
        One for each player of each example that the kind and the networks name.
    """
    reports = []
    networks = [(name, options) for name, n in NETWORKS.items() for options in n.examples]
    for options, (network, sizes) in itertools.product(kind.examples[:most], networks):
        rng = np.random.default_rng(seed)
        model = kind.example(rng, network=network, **sizes, **options)
        # Biases start at zero; a check is made away from such special points.
        model.params.theta += 0.3 * rng.standard_normal(model.params.theta.shape)
        players = model.players()
        if len(players) == 1:
            reports.append(check_gradients(model, seed=seed, max_entries=ENTRIES))
            continue
        x, noise = model.prepare(model.draw_rows(rng, 3)), model.draw_noise(rng, 3)
        reports += [_check_player(model, player, x, noise, seed) for player in players]
    return reports


def _check_player(model: Model, player: Player, x: Array, noise: Array, seed: Whole) -> Report:
    """Check the gradient of one player's loss for its own parameters, the others' held fixed."""
    params = player.params

    def loss(theta: Array) -> float:
        params.theta[...] = theta
        with model.params.rehearsal():
            return float(getattr(model.forward(x, noise), player.loss).mean())

    def gradient(theta: Array) -> Array:
        params.theta[...] = theta
        with model.params.rehearsal():
            model.step(x, noise)
        return params.grad.copy()

    inputs = {"theta": params.theta.copy()}
    name = f"{type(model).__name__}, {player.name}"
    return check_gradients(loss, gradient, inputs, name=name, seed=seed)


__all__ = [
    "ArrayCheck",
    "Diagnosis",
    "Report",
    "ValueCheck",
    "assert_gradients",
    "check_all",
    "check_gradients",
    "check_models",
    "check_values",
    "table",
]
