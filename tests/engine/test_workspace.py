"""What a step uses again, and what it hands out."""

import tracemalloc
from dataclasses import astuple

import numpy as np
import pytest

from minivae import VAE, Adam, Settings, Training, fit, get_backend
from minivae.data.minibatch import gather

PIXELS, BATCH = 300, 64


def make(**options):
    rng = np.random.default_rng(0)
    model = VAE(PIXELS, (100,), 10, rng=rng, backend="numba", **options)
    x = (rng.random((BATCH, PIXELS)) < 0.2).astype("float32")
    return model, x, rng


@pytest.mark.parametrize("samples", [None, 3])
def test_what_a_caller_receives_is_never_overwritten(samples):
    model, x, rng = make(samples=samples)
    other = 1 - x
    noise = model.draw_noise(rng, BATCH)
    kept = [
        *[array for array in astuple(model.step(x, noise)) if array is not None],
        *[array for array in astuple(model.forward(x, noise)) if array is not None],
        *model.encode(x),
        model.decode(noise.reshape(-1, 10)),
        model.sample(5, rng),
        model.reconstruct(x),
        noise,
    ]
    before = [np.array(array) for array in kept]
    for _ in range(3):
        model.step(other, model.draw_noise(rng, BATCH))
        model.forward(other, model.draw_noise(rng, BATCH))
        model.encode(other)
    for array, value in zip(kept, before, strict=True):
        np.testing.assert_array_equal(array, value)


def test_a_step_makes_no_array_as_large_as_the_minibatch():
    model, data, rng = make()
    optimizer, call = Adam(), get_backend("numba").call
    rows = np.arange(BATCH)

    def step():
        with model.workspace:
            x = call(gather, data, rows)
            model.step(x, model.draw_noise(rng, BATCH))
            optimizer.step(model.params)

    step()
    step()
    tracemalloc.start()
    for _ in range(3):
        step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Copies of the terms and NumPy's small arrays of width Z; a hidden layer alone has 25,600
    # bytes, the minibatch 76,800, the weights 320,000.
    assert peak < 25_000


def test_a_smaller_last_batch_and_an_error_leave_the_workspace_well():
    model, x, rng = make()
    for rows in (BATCH, 7, BATCH):
        model.step(x[:rows], model.draw_noise(rng, rows))
    with pytest.raises(ValueError, match="mine"), model.workspace:
        raise ValueError("mine")
    outside = model.draw_noise(rng, 3)
    assert model.draw_noise(rng, 3) is not outside


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "tanh", "samples": 5},
        {"activation": "silu", "likelihood": "gaussian_learned"},
        {"activation": "gelu", "likelihood": "categorical"},
    ],
    ids=str,
)
def test_both_backends_learn_the_same(options):
    """200 steps of float32 on each: the losses agree to 1e-4."""
    rng = np.random.default_rng(3)
    data = rng.random((400, 30)) ** 3
    losses = {}
    for backend in ("numpy", "numba"):
        rng = np.random.default_rng(4)
        model = VAE(30, (20,), 3, rng=rng, backend=backend, **options)
        training = Training(model, Adam(), rng, Settings(epochs=20, batch=40))
        history = fit(training, data.astype("float32"), progress=False).history
        losses[backend] = [record["loss"] for record in history]
    assert len(losses["numba"]) == 20
    assert losses["numba"][-1] < 0.97 * losses["numba"][0]
    np.testing.assert_allclose(losses["numba"], losses["numpy"], rtol=1e-4)


def test_every_step_of_the_large_model_agrees():
    rng = np.random.default_rng(5)
    data = (rng.random((2000, 784)) < 0.2).astype("float32")
    losses = {}
    for backend in ("numpy", "numba"):
        rng = np.random.default_rng(6)
        model, optimizer = VAE(784, (400,), 20, rng=rng, backend=backend), Adam()
        losses[backend] = []
        for step in range(200):
            x = data[step % 20 * 100 :][:100]
            terms = model.step(x, model.draw_noise(rng, 100))
            optimizer.step(model.params)
            losses[backend].append(float(terms.loss))
    np.testing.assert_allclose(losses["numba"], losses["numpy"], rtol=1e-4)
