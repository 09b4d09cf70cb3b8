"""No kernel stays untried: the operations' cases and short runs launch every one of them."""

import numpy as np
import pytest

from arrays import there
from gpu.standin import counting
from minivae.data import Pixels
from minivae.engine.backend import get_backend
from minivae.engine.gpu.kernels import specs
from minivae.models import VAE
from minivae.ops import CASES
from minivae.train.loop import fit
from minivae.train.optim.adam import Adam
from minivae.train.optim.momentum import Momentum
from minivae.train.optim.sgd import SGD
from minivae.train.settings import Settings, Training


def run_cases(backend, dtype):
    rng = np.random.default_rng(0)
    for case in CASES:
        arguments = {name: there(array) for name, array in case.draw(rng, None, dtype).items()}
        y, cache = backend.call(case.forward, **arguments, **case.options)
        dy = backend.xp.ones_like(y) if isinstance(y, backend.array_type) and y.ndim else 1.0
        backend.call(case.backward, dy, *cache)


def run_trainings(dtype):
    stored = np.random.default_rng(1).integers(0, 256, (12, 6), dtype=np.uint8)
    for rule, binarize, samples in ((SGD, "none", 1), (Momentum, "dynamic", 1), (Adam, "none", 3)):
        rng = np.random.default_rng(0)
        model = VAE(6, (5,), 2, rng=rng, backend="cuda", samples=samples, dtype=dtype)
        settings = Settings(epochs=1, batch=4, binarize=binarize)
        fit(Training(model, rule(0.01), rng, settings), Pixels(stored), progress=False)


@pytest.mark.parametrize("each_backend", ["standin"], indirect=True)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kernel_is_launched(each_backend, dtype):
    with counting() as seen:
        run_cases(get_backend("cuda"), dtype)
        run_trainings(dtype)
    launched = set(seen.launched)
    assert [spec.name for spec in specs() if f"minivae_{spec.name}" not in launched] == []
