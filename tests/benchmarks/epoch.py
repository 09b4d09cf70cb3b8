"""From a cold start to one epoch over 60,000 images: seconds and peak memory, beside PyTorch.

    MINIVAE_DATA=folder python tests/benchmarks/epoch.py

784-400-20, ReLU, batch 128, Adam, float32. Each run is a fresh process, from its start to its end:
importing, reading the compressed files in `$MINIVAE_DATA/mnist`, training. The caches on disk are
warm: one run of each comes first and is not counted. PyTorch runs in eager mode with Adam's fused
kernel, its data once as float32 in memory and once as bytes that become float32 by minibatch.
"""

import argparse
import gzip
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bursts import environment, processor, versions

BATCH, LEARNING_RATE = 128, 1e-3
BARS = {"seconds": 1.6, "memory": 2.0}
"""At least so many times sooner than PyTorch, with its memory at least so many times as large."""


def minivae() -> None:
    """What a user of this library writes."""
    import numpy as np

    from minivae import VAE, Adam, Settings, Training, data, fit

    rng = np.random.default_rng(0)
    model = VAE(784, (400,), 20, rng=rng)
    settings = Settings(epochs=1, batch=BATCH, binarize="none")
    training = Training(model, Adam(LEARNING_RATE), rng, settings)
    fit(training, data.load("mnist").pixels_train, progress=False)
    print(f"minivae: loss {training.history[-1]['loss']:.2f}")


def torch(as_bytes: bool = False) -> None:
    """The same in PyTorch."""
    import numpy as np
    import torch
    import torch.nn.functional as F

    from problems import first_weights, problem

    torch.manual_seed(0)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    path = Path(os.environ["MINIVAE_DATA"]) / "mnist" / "train-images-idx3-ubyte.gz"
    raw = bytearray(gzip.decompress(path.read_bytes()))
    data = torch.from_numpy(np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784))
    if not as_bytes:
        data = data.float().div_(255)
    pairs = [
        tuple(torch.tensor(a.T.copy() if a.ndim == 2 else a, requires_grad=True) for a in pair)
        for pair in first_weights(problem("mlp", BATCH, 1))
    ]
    first, heads, third, fourth = pairs
    parameters = [array for pair in pairs for array in pair]
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)
    order, total = torch.randperm(len(data)), torch.zeros(())
    for start in range(0, len(data), BATCH):
        x = torch.index_select(data, 0, order[start : start + BATCH])
        if as_bytes:
            x = x.float().div_(255)
        optimizer.zero_grad(set_to_none=True)
        mu, logvar = F.linear(torch.relu(F.linear(x, *first)), *heads).chunk(2, dim=-1)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        logits = F.linear(torch.relu(F.linear(z, *third)), *fourth)
        bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        loss = (bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())) / len(x)
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(x)
    print(f"PyTorch: loss {float(total) / len(data):.2f}")


RUNS = {"minivae": minivae, "torch": torch, "torch-bytes": lambda: torch(as_bytes=True)}


def main(argv: list[str] | None = None) -> int:
    """Run each in turns and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--worker", choices=RUNS, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.worker:
        RUNS[options.worker]()
        return 0
    if "MINIVAE_DATA" not in os.environ:
        parser.error("set MINIVAE_DATA to the folder that holds mnist/train-images-idx3-ubyte.gz")
    print(f"{processor()}, {options.threads} threads, float32, batch {BATCH}, {versions()}")
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in RUNS}
    for turn in range(options.repeats + 1):
        for name, measured in figures.items():
            seconds, megabytes = once(name, options.threads)
            if turn > 0:
                measured.append((seconds, megabytes))
    medians = {
        name: [statistics.median(column) for column in zip(*measured, strict=True)]
        for name, measured in figures.items()
    }
    own = medians["minivae"]
    print(f"{'':<14}{'seconds':>9}{'MB':>7}{'times ours':>20}")
    for name, (seconds, megabytes) in medians.items():
        ratios = f"{seconds / own[0]:>12.2f}{megabytes / own[1]:>8.2f}"
        print(f"{name:<14}{seconds:>9.2f}{megabytes:>7.0f}{ratios}")
    print(f"bars: {BARS['seconds']} in seconds, {BARS['memory']} in memory")
    return 0


def once(name: str, threads: int) -> tuple[float, float]:
    """Seconds and megabytes of one run in a fresh process."""
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", name]
    started = time.perf_counter()
    pid = os.posix_spawn(command[0], command, environment(threads))
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{name} failed; the reason is above")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
