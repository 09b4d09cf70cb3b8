"""What `import minivae` brings along, and what it leaves for later."""

import importlib
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
    [
        "import minivae",
        "from minivae import VAE, Adam, fit",
        "import minivae; minivae.data.NAMES",
        "import minivae; minivae.plots.images",
        "import minivae.cli.commands.train",
    ],
)
def test_nothing_heavy_is_imported(program):
    told = in_a_fresh_process(f"{program}\nimport sys; print(*sys.modules)").split()
    assert not HEAVY & set(told)
    assert ("numpy" in told) == (program != "import minivae")


@pytest.mark.slow
def test_matplotlib_is_imported_when_a_picture_is_drawn(tmp_path):
    folder = tmp_path / "run"
    main = "import sys\nfrom minivae.cli.main import main\n"
    small = ["--limit", "20", "--epochs", "1", "--backend", "numpy", "--quiet"]
    in_a_fresh_process(f"{main}main(['train', 'digits8', *{small}, '--out', {str(folder)!r}])")

    def loads_matplotlib(*arguments):
        program = f"{main}main({list(arguments)})\nprint('matplotlib' in sys.modules)"
        return in_a_fresh_process(program).splitlines()[-1] == "True"

    assert not loads_matplotlib("evaluate", str(folder))
    assert not loads_matplotlib("sample", str(folder), "--out", str(tmp_path / "x.npz"))
    assert not loads_matplotlib("reconstruct", str(folder), "--out", str(tmp_path / "y.npy"))
    assert loads_matplotlib("sample", str(folder), "--out", str(tmp_path / "x.png"))
    assert all((tmp_path / name).stat().st_size > 0 for name in ("x.npz", "y.npy", "x.png"))


def test_every_public_name_is_there_and_is_what_it_says():
    assert set(minivae.__all__) <= set(dir(minivae))
    for name in minivae.__all__:
        thing = getattr(minivae, name)
        assert name == "data" or thing.__name__ == name
    assert callable(minivae.evaluate)


def test_star():
    program = "from minivae import *\nimport minivae\nprint(VAE.__name__, callable(evaluate))\n"
    program += "print(set(minivae.__all__) <= set(globals()))"
    assert in_a_fresh_process(program).split() == ["VAE", "True", "True"]


@pytest.mark.parametrize("name", ["check", "data", "models", "optim", "plots", "train"])
def test_import_minivae_is_enough_for_its_modules(name):
    # Asked directly, since a module that something else has imported is an attribute already.
    assert minivae.__getattr__(name) is importlib.import_module(f"minivae.{name}")
    assert name in dir(minivae)


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'GAN3'"):
        minivae.GAN3  # noqa: B018


def test_a_name_is_found_where_it_was():
    program = "from minivae.ops.gaussian import GaussianShared, fixed_forward, forward\n"
    program += "from minivae.ops.bernoulli import Bernoulli\nfrom minivae.plots import manifold\n"
    program += "print(GaussianShared.__module__, forward.__module__, Bernoulli.name)"
    shared, learned, name = in_a_fresh_process(program).split()
    assert shared == "minivae.ops.likelihoods.gaussian_shared"
    assert learned == "minivae.ops.likelihoods.gaussian_learned"
    assert name == "bernoulli"


def test_a_pickled_model_wakes_in_a_fresh_process(tmp_path):
    model = minivae.VAE(4, (3,), 2, rng=np.random.default_rng(0))
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    program = f"import pickle; m = pickle.load(open({str(tmp_path / 'model.pickle')!r}, 'rb'))\n"
    program += "print(float(m.params.theta.sum()), m.backend.name)"
    theta, backend = in_a_fresh_process(program).split()
    assert float(theta) == pytest.approx(float(model.params.theta.sum()), rel=1e-6)
    assert backend == model.backend.name


@pytest.mark.parametrize("name", sorted(minivae.MOVED))
def test_a_module_that_has_moved_is_found_where_it_was(name):
    old = importlib.import_module(f"minivae.{name}")
    assert getattr(minivae, name) is old
    homes = [importlib.import_module(f"minivae.{home}") for home in minivae.MOVED[name]]
    defined = [
        (home, attribute)
        for home in homes
        for attribute, value in vars(home).items()
        if getattr(value, "__module__", "") == home.__name__
    ]
    for home, attribute in defined:
        if not attribute.startswith("__"):
            assert getattr(old, attribute) is not None, (home, attribute)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = old.no_such_name


def test_names_of_before_are_those_of_today():
    from minivae.anomaly import Detector
    from minivae.objectives import ELBO, BetaSchedule, negative_elbo_forward
    from minivae.optim import OPTIMIZERS, Adam, adam

    assert minivae.ELBO is ELBO
    assert minivae.BetaSchedule is BetaSchedule
    assert minivae.Adam is Adam is OPTIMIZERS["adam"]
    assert callable(adam)
    assert callable(negative_elbo_forward)
    assert Detector.__module__ == "minivae.uses.anomaly.detector"
