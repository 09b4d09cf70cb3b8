"""The drawings of the first notebook: what pushes the code, the step as a map, and losses.

The notebook shows their result; whoever wants to know how they are drawn opens this file. Nothing
here computes a number: all of them are given.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LINKS = "x-mu x-lv mu-z lv-z eps-z z-a a-nll mu-kl lv-kl nll-loss kl-loss"
"""Arrows of the map, between the names of its boxes."""

PLACES = {
    "x": (0, 1, "x"),
    "mu": (1.5, 1.7, r"$\mu$"),
    "lv": (1.5, 0.3, "logvar"),
    "eps": (3, -0.6, r"$\varepsilon$"),
    "z": (3, 0.6, "z"),
    "a": (4.5, 0.7, "logits"),
    "nll": (6, 0.7, "nll"),
    "kl": (3.4, 2.2, "kl"),
    "loss": (7.2, 1.4, "loss"),
}
"""Where each box is, and its title."""


def forces(pulls: Mapping[str, Sequence[float]]) -> Any:
    """Draw what pushes mu and logvar, minus their gradients: a bar for each name and both.

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(8, 2.2))
    for i, (label, gradients) in enumerate(pulls.items()):
        rows = np.arange(2) + 0.22 * (1 - i)
        ax.barh(rows, -np.array(gradients), height=0.18, color=("C0", "C1", "0.2")[i], label=label)
    ax.axvline(0, color="0.2", lw=1)
    ax.set_yticks([0, 1], [r"on $\mu$", "on logvar"])
    ax.set_xlabel("force = minus the gradient: where a step would move it")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def step(values: Mapping[str, str], gradients: Mapping[str, str]) -> Any:
    """Draw a step as a map: the value of each box above it, the gradient below it.

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(9, 3.6))
    for link in LINKS.split():
        (x0, y0, _), (x1, y1, _) = (PLACES[name] for name in link.split("-"))
        style = {"arrowstyle": "->", "color": "0.6", "shrinkA": 24, "shrinkB": 26, "lw": 1.4}
        ax.annotate("", (x1, y1), (x0, y0), arrowprops=style)
    for name, (x, y, symbol) in PLACES.items():
        given = name == "eps"  # the noise has no gradient, and its value stands beside it
        title = f"{symbol} = {values[name]}" if given else symbol
        frame = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": "0.4"}
        ax.text(x, y, title, ha="center", va="center", weight="bold", bbox=frame)
        ax.text(
            x, y + 0.27, "" if given else values.get(name, ""), ha="center", va="bottom", color="C0"
        )
        ax.text(x, y - 0.27, gradients.get(name, ""), ha="center", va="top", color="C4")
    ax.set(xlim=(-0.5, 7.7), ylim=(-0.9, 2.7))
    ax.axis("off")
    return ax


def losses(history: np.ndarray) -> Any:
    """Draw loss, nll and KL (steps, 3) against the step.

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(7, 2.8))
    for column, label in enumerate(("loss", "nll", "kl")):
        ax.plot(history[:, column], label=label, color=("0.2", "C0", "C1")[column])
    ax.set(xlabel="step", ylabel="nats", ylim=(0, None), title="three hundred of these steps")
    ax.legend()
    return ax
