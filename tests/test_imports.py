"""What `import minivae` brings along, and what it leaves for later."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import minivae

HEAVY = {"matplotlib", "numba", "tqdm", "pooch", "asyncio", "sklearn", "scipy"}


def in_a_fresh_process(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "program",
    ["import minivae", "from minivae import VAE, Adam, fit", "import minivae; minivae.data.NAMES"],
)
def test_nothing_heavy_is_imported(program):
    told = in_a_fresh_process(f"{program}\nimport sys; print(*sys.modules)").split()
    assert not HEAVY & set(told)
    assert "numpy" in told or program == "import minivae"


def test_every_public_name_is_there_and_is_what_it_says():
    assert set(minivae.__all__) <= set(dir(minivae))
    for name in minivae.__all__:
        thing = getattr(minivae, name)
        assert name == "data" or thing.__name__ == name
    assert callable(minivae.evaluate)


def test_star_and_submodules():
    program = "from minivae import *\nimport minivae\nprint(VAE.__name__, callable(evaluate))"
    assert in_a_fresh_process(program) == "VAE True"
    program = "import minivae\nprint(minivae.check.__name__, minivae.plots.__name__)"
    assert in_a_fresh_process(program) == "minivae.check minivae.plots"


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'GAN3'"):
        minivae.GAN3  # noqa: B018


def test_a_pickled_model_wakes_in_a_fresh_process(tmp_path):
    model = minivae.VAE(4, (3,), 2, rng=np.random.default_rng(0))
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    program = f"import pickle; m = pickle.load(open({str(tmp_path / 'model.pickle')!r}, 'rb'))\n"
    program += "print(float(m.params.theta.sum()), m.backend.name)"
    theta, backend = in_a_fresh_process(program).split()
    assert float(theta) == pytest.approx(float(model.params.theta.sum()), rel=1e-6)
    assert backend == model.backend.name
