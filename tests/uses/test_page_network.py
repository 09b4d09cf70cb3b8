"""What the explorer's page computes, run by Node.js without a page: the library's numbers."""

import json
import shutil
import subprocess
from importlib import resources

import numpy as np
import pytest

from arrays import here
from minivae import VAE, Autoencoder
from minivae.ops import ACTIVATIONS, LIKELIHOODS
from minivae.uses.explore.page.build import SCRIPTS
from minivae.uses.explore.page.program import functions, program

TOLERANCE = 1e-5

MAIN = """
const given = JSON.parse(require("fs").readFileSync(0));
const network = new Network(given.program, Float32Array.from(given.weights));
const codes = given.x.map((x) => network.encode(x));
console.log(JSON.stringify({
  means: given.z.map((z) => Array.from(network.decode(z))),
  mus: codes.map(({ mu }) => Array.from(mu)),
  sigmas: codes.map(({ sigma }) => sigma && Array.from(sigma)),
}));
"""


def computed(model, x, z):
    """What the page's scripts give for rows x and latents z."""
    if shutil.which("node") is None:
        pytest.skip("no node was found, which runs the page's scripts; install Node.js.")
    steps, weights = program(model)
    folder = resources.files("minivae.uses.explore.page")
    layers = [
        (folder / name).read_text() for name in SCRIPTS if name in ("network.js", "layers.js")
    ]
    script = "\n".join([functions(model.likelihood), *layers, MAIN])
    given = {"program": steps, "weights": weights.tolist(), "x": x.tolist(), "z": z.tolist()}
    run = subprocess.run(
        ["node", "-e", script], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


def conv(shape=(7, 6, 2), kind=VAE, **options):
    """A model whose random weights and moments are large enough that all of its parts matter."""
    small = {"latent": 3, "channels": (4, 3), "kernel": 3, "hidden": (5,), "network": "conv"}
    model = kind(shape, rng=np.random.default_rng(0), backend="numpy", **{**small, **options})
    rng = np.random.default_rng(1)
    model.params.theta[...] += 0.3 * rng.standard_normal(model.params.theta.size)
    model.params.carried[...] = rng.uniform(0.5, 2, model.params.carried.size)
    return model


CONVS = [
    {},
    {"shape": (8, 8), "kernel": 4},
    {"shape": (5, 4), "stride": 1, "kernel": 2},
    {"shape": (9, 8, 3), "channels": (4,), "kernel": 5, "stride": 3},
    {"norm": "batch"},
    {"leak": 0.2},
    {"norm": "layer", "hidden": ()},
    {"kind": Autoencoder, "norm": "batch"},
    *({"activation": name} for name in ACTIVATIONS),
    *({"likelihood": name} for name in LIKELIHOODS if name != "bernoulli"),
]


@pytest.mark.parametrize("options", CONVS, ids=str)
def test_convolutions_are_the_librarys(options):
    model = conv(**options)
    rng = np.random.default_rng(2)
    x = rng.random((3, model.n_pixels)).astype("float32")
    z = (rng.standard_normal((4, 3)) * [[0], [1], [1], [3]]).astype("float32")
    found = computed(model, x, z)
    means = model.decode(z)
    scale = max(1.0, abs(means).max())  # of a Gaussian they have no limits
    np.testing.assert_allclose(found["means"], means, rtol=0, atol=TOLERANCE * scale)
    encoded = model.encode(model.prepare(x))
    if isinstance(encoded, tuple):
        mu, logvar = map(here, encoded)
        np.testing.assert_allclose(found["sigmas"], np.exp(logvar / 2), rtol=10 * TOLERANCE)
        encoded = mu
    else:
        assert found["sigmas"] == [None] * 3
    np.testing.assert_allclose(found["mus"], encoded, rtol=TOLERANCE, atol=TOLERANCE)
