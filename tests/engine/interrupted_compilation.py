"""Interrupts while Numba compiles: `python tests/engine/interrupted_compilation.py [TRIES]`.

Each process has an empty cache, and is sent SIGINT a few times in its first seconds; it trains on
each time, and must come to the right numbers.
"""

import os
import random
import subprocess
import sys
import tempfile

BODY = """
import os, random, signal, sys, threading, time
import numpy as np

def press():
    chance = random.Random(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        time.sleep(chance.uniform(0.05, 1.0))
        os.kill(os.getpid(), signal.SIGINT)
    ended.set()

def work():
    from minivae.models import VAE
    rng = np.random.default_rng(0)
    model = VAE(12, (7,), 3, rng=rng, backend="numba")
    x = (rng.random((8, 12)) < 0.5).astype("float32")
    eps = rng.standard_normal((8, 3)).astype("float32")
    model.elbo(x, eps)  # outside of a step, which holds signals by itself
    loss = model.step(x, eps).loss
    return f"{float(loss):.6f} {float(np.abs(model.params.grad).sum()):.5f}"

signal.signal(signal.SIGINT, signal.default_int_handler)
ended, cut, said = threading.Event(), 0, None
while not ended.is_set() or said is None:
    try:
        if not cut and not ended.is_set() and said is None and threading.active_count() == 1:
            threading.Thread(target=press, daemon=True).start()
        said = work()
    except KeyboardInterrupt:
        cut += 1
print(said, cut)
"""


def once(seed, presses, cache):
    """What is printed: the loss and the gradient's size, and how often an interrupt came through"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", BODY, str(seed), str(presses)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    *numbers, cut = done.stdout.split() or ["0"]
    return tuple(numbers), int(cut), done.stderr


def interrupted(tries, seed=0, presses=12):
    """(interrupts, how many of them came through, what is wrong) of fresh processes."""
    chance, wrong, came = random.Random(seed), [], 0
    with tempfile.TemporaryDirectory() as cache:
        right, _, error = once(0, 0, cache)
        assert right, error
    for _ in range(tries):
        with tempfile.TemporaryDirectory() as cache:
            numbers, cut, error = once(chance.randrange(10**6), presses, cache)
            came += cut
            if numbers != right:
                wrong.append(f"{numbers} instead of {right}: {error[-300:]}")
    return tries * presses, came, wrong


if __name__ == "__main__":
    tried, came, wrong = interrupted(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
    print(*wrong, sep="\n")
    print(f"interrupts while kernels compile | {tried} | {len(wrong)}")
