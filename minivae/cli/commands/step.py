"""`minivae step`: follow one training step of a tiny VAE, number by number."""

import argparse
import sys

import numpy as np

from ...errors import OptionError
from ...models import MODELS, NETWORKS
from ...models.declare import DEFAULT
from ...models.network import DEFAULT as NETWORK
from ..numbers import whole
from ..options import add_shared, refuse_idle

EPILOG = """\
examples:
  minivae step                     Enter for the next operation, b for the one before, q to stop
  minivae step --all               everything at once
  minivae step --all --seed 3 | less
  minivae step --out step.html     the same as a page to step through
  minivae step --model gan --all   another model of the same widths
  minivae step --network conv      a convolution of a 4 x 4 image: patch, kernel and sum
"""

LEARNING_RATE = 0.1


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    parser.add_argument("--all", help="print all operations at once", action="store_true")
    add_shared(parser, "seed")
    batch = "examples in the step (default: 1)"
    parser.add_argument("--batch", help=batch, type=whole, default=1, metavar="N")
    activation = "of the hidden layers (default: relu)"
    parser.add_argument("--activation", help=activation, default="relu", metavar="NAME")
    model = f"whose step (default: {DEFAULT})"
    parser.add_argument("--model", help=model, choices=tuple(MODELS), default=DEFAULT)
    network = f"that it is made of (default: {NETWORK})"
    networks = [name for name, kind in NETWORKS.items() if kind.tiny]
    parser.add_argument("--network", help=network, choices=networks, default=NETWORK)
    out = "write a page to step through, and print nothing but its name"
    parser.add_argument("--out", help=out, metavar="FILE")


def run(options: argparse.Namespace) -> int:
    """Record a step; show it piece by piece, all at once, or as a page."""
    from ...files import new_file
    from ...show.trace import text, trace

    if not 1 <= options.batch <= 8:
        raise OptionError(f"--batch {options.batch} was given; choose 1 to 8 examples.")
    path = None if options.out is None else new_file(options.out, ".html")
    if path is not None:
        refuse_idle(options, "--out writes a page instead of text", "all")
    model, x, eps = tiny(
        options.seed, options.batch, options.activation, options.model, options.network
    )
    with trace(model) as records:
        loss = float(model.step(x, eps).loss)
    if path is not None:
        print(records.save(path))
        return 0
    model.params.theta -= LEARNING_RATE * model.params.grad
    with model.params.rehearsal():  # of the same function as the step's
        after = float(model.forward(x, eps).loss)
    pages = [text.step(record, len(records)) for record in records]
    pages.append(
        f"One step of gradient descent, theta <- theta - {LEARNING_RATE} grad, on all "
        f"{model.params.theta.size} parameters:\n"
        f"the loss of the same example and noise goes from {loss:.6g} to {after:.6g} nats."
    )
    title = model.title[0].upper() + model.title[1:]
    print(
        f"{title} of widths {model.halves.between(model.n_pixels, 1)}, mirrored; binary data; seed "
        f"{options.seed}. "
        "Weights, data and noise\nare round numbers, and everything below follows from them: "
        "check it with pencil and paper.\n"
    )
    if options.all or not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("\n".join(pages))
    else:
        leaf_through(pages)
    return 0


def tiny(
    seed: int, batch: int, activation: str, kind: str = DEFAULT, network: str = NETWORK
) -> tuple:
    """Make a model with weights of one decimal, binary data, and noise of one decimal.

    Returns
    -------
    model : Model
        2-3-1-3-2 of dense layers, float64, computed by the references.
    x : numpy.ndarray, (batch, n_pixels)
        Data, with labels if the model takes them.
    eps : numpy.ndarray, (batch, 1)
        Noise; None if the model takes none.
    """
    rng = np.random.default_rng(seed)
    sizes = {**NETWORKS[network].tiny, "latent": 1, "activation": activation}
    model = MODELS[kind].example(rng, network=network, **sizes, backend="numpy")
    theta = model.params.theta
    theta[...] = np.round(rng.uniform(-1, 1, theta.shape), 1)
    rows = model.draw_rows(rng, batch)
    rows[:, : model.n_pixels] = rows[:, : model.n_pixels] < 0.5
    noise = model.draw_noise(np.random.default_rng(seed), batch)
    if noise is not None:  # of the same shape, so that its first decimal is all there is of it
        noise = np.round(rng.standard_normal(noise.shape), 1)
    return model, model.prepare(rows), noise


def leaf_through(pages: list[str]) -> None:
    """Print one page after each Enter; b goes back, q stops."""
    at = 0
    while at < len(pages):
        print(pages[at])
        if at == len(pages) - 1:
            return
        try:
            word = input("Enter: next, b: back, q: stop ").strip().lower()
        except EOFError:
            print()
            return
        if word.startswith("q"):
            return
        at = max(0, at - 1) if word.startswith("b") else at + 1
