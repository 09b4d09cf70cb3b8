"""No kernel reads or writes beyond its arrays, whatever shapes it is given.

Numba's compiled loops do not check an index. So what calls one compares shapes before; here arrays
of wrong shapes are given to every kernel, in a process in which Numba does check.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

CHECKED = {"NUMBA_BOUNDSCHECK": "1"}


def shapes_near(shape):
    """Shapes that somebody may give by mistake instead of this one."""
    yield (1, *shape)
    yield (*shape, 1)
    yield (2, *shape)
    yield (*shape, shape[-1] if shape else 3)
    for i, size in enumerate(shape):
        yield (*shape[:i], *shape[i + 1 :])
        for other in {2 * size, size + 1, size - 1, 1, 0} - {size, -1}:
            yield (*shape[:i], other, *shape[i + 1 :])
    if len(shape) > 1 and shape[::-1] != shape:
        yield shape[::-1]
        yield (int(np.prod(shape)),)


def wrong(array, rng, *shapes):
    """Arrays of such shapes, of others that are around, and one of another dtype."""
    for shape in dict.fromkeys([*shapes_near(array.shape), *shapes]):
        yield np.abs(rng.standard_normal(shape)).astype(array.dtype)
    yield array.astype("float64" if array.dtype == np.float32 else "float32")
    yield array.astype(complex)
    yield array.astype(int)


def walk():
    """Give each kernel wrong arrays; return what was tried and where an index was out of bounds."""
    from minivae.data.minibatch import gather
    from minivae.engine.backend import get_backend, kernels
    from minivae.engine.noise import from_uniform
    from minivae.errors import MinivaeError
    from minivae.ops import CASES
    from minivae.train.optim.adam import adam
    from minivae.train.optim.guard import sum_of_squares
    from minivae.train.optim.momentum import momentum
    from minivae.train.optim.sgd import sgd

    backend = get_backend("numba")
    compiled = {reference for name, reference in kernels() if name == "numba"}
    tried, refused, beyond = 0, 0, []

    def call(what, function, *arguments, **options):
        nonlocal tried, refused
        tried += 1
        try:
            backend.call(function, *arguments, **options)
        except MinivaeError:
            refused += 1
        except Exception as error:
            if "out of bounds" in str(error):
                beyond.append(f"{what}: {error}")

    for case in CASES:
        rng = np.random.default_rng(0)
        arguments = case.draw(rng, dtype="float32")
        around = [array.shape for array in arguments.values()]
        y, cache = backend.call(case.forward, **arguments, **case.options)
        if case.forward in compiled:
            for name, array in arguments.items():
                for other in wrong(array, rng, *around):
                    what = f"{case.name} forward, {name} {other.dtype}{other.shape}"
                    given = {**arguments, name: other, **case.options}
                    call(what, case.forward, **given)
        if case.backward in compiled and np.ndim(y):
            for other in wrong(np.asarray(y), rng, *around):
                what = f"{case.name} backward, dy {other.dtype}{other.shape}"
                call(what, case.backward, other, *cache)
    rng = np.random.default_rng(1)
    flat = {name: rng.random(12).astype("float32") for name in ("theta", "grad", "m", "v")}
    numbers = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.0, "t": 1}
    others = [
        (from_uniform, {"u": rng.random((6, 2)).astype("float32")}, {}),
        (sgd, {n: flat[n] for n in ("theta", "grad")}, {"lr": 0.1}),
        (momentum, {n: flat[n] for n in ("theta", "grad", "v")}, {"lr": 0.1, "rho": 0.9}),
        (adam, flat, numbers),
        (sum_of_squares, {"grad": flat["grad"]}, {}),
        (gather, {"pixels": rng.random((5, 4)).astype("float32"), "rows": np.arange(3)}, {}),
    ]
    for function, arrays, options in others:
        backend.call(function, **{n: a.copy() for n, a in arrays.items()}, **options)
        for name, array in arrays.items():
            for other in wrong(array, rng):
                what = f"{function.__name__}, {name} {other.dtype}{other.shape}"
                call(what, function, **{**arrays, name: other}, **options)
    for rows in ([5], [-1], [2**62]):
        call(f"gather, rows {rows}", gather, others[-1][1]["pixels"], np.array(rows))
    return {"tried": tried, "refused": refused, "beyond": beyond}


@pytest.mark.slow
def test_no_kernel_leaves_its_arrays(tmp_path):
    # In the cache of machine code, what was compiled without checks would be found.
    environment = {**os.environ, **CHECKED, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, str(Path(__file__))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["tried"] > 1000
    assert found["beyond"] == []


if __name__ == "__main__":
    print(json.dumps(walk(), indent=1))
