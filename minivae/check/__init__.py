"""The gradient doctor: says whether a backward pass is right, and if not, what is wrong.

`verdict/` decides, `diagnosis/` names the mistake, `values/` looks at forward passes, and `report/`
shows what was found. Nothing here needs data, training or a use of a model.
"""

import numpy as np

from .. import ops
from ..engine.backend import Array
from ..models import GAN, VAE, Autoencoder
from .gradients import assert_gradients, check_gradients
from .report.report import Report
from .report.result import ArrayCheck, Diagnosis
from .report.text import table
from .values import ValueCheck, check_values


def check_all(seed: int = 0) -> list[Report]:
    """Check every operation, a small VAE and autoencoder as a whole, and both players of a GAN.

    Returns
    -------
    list of Report
        One each, in the order of `minivae.ops.CASES`.
    """
    cases = ops.CASES
    reports = [check_gradients(case, seed=seed, tolerance=1e-7) for case in cases]
    options = {"hidden": (5,), "latent": 2, "activation": "tanh", "dtype": "float64"}
    for kind, samples in ((VAE, {}), (VAE, {"samples": 3}), (Autoencoder, {})):
        rng = np.random.default_rng(seed)
        model = kind(7, rng=rng, **options, **samples)
        # Biases start at zero; a check is made away from such special points.
        model.params.theta += 0.3 * rng.standard_normal(model.params.theta.shape)
        reports.append(check_gradients(model, seed=seed))
    rng = np.random.default_rng(seed)
    gan = GAN(7, rng=rng, label_smoothing=0.1, **options)
    gan.params.theta += 0.3 * rng.standard_normal(gan.params.theta.shape)
    x, z = gan.prepare(rng.random((3, 7))), gan.draw_noise(rng, 3)
    return [*reports, *(_check_player(gan, player, x, z, seed) for player in gan.parts)]


def _check_player(gan: GAN, player: str, x: Array, z: Array, seed: int) -> Report:
    """Check the gradient of one player's loss for its own parameters, the other's held fixed."""
    params = getattr(gan, player).params

    def loss(theta: Array) -> float:
        params.theta[...] = theta
        contest = gan.forward(x, z)
        return float((contest.d_loss if player == "discriminator" else contest.g_loss).mean())

    def gradient(theta: Array) -> Array:
        params.theta[...] = theta
        gan.step(x, z)
        return params.grad.copy()

    inputs = {"theta": params.theta.copy()}
    return check_gradients(loss, gradient, inputs, name=f"GAN, {player}", seed=seed)


__all__ = [
    "ArrayCheck",
    "Diagnosis",
    "Report",
    "ValueCheck",
    "assert_gradients",
    "check_all",
    "check_gradients",
    "check_values",
    "table",
]
