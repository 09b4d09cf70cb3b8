r"""Sprites: 6,144 small pictures, every combination of known factors, drawn when asked for.

Whether a code has come apart into what the data are made of can be measured only where that is
known. Here it is: a picture of 16 x 16 has a shape (3), a size (4), an angle (8), and a place
across (8) and down (8), and every combination is there once, so the factors are independent
exactly. The angles are 8 equal parts of what brings a shape back onto itself, so no two pictures
are alike.

The rows are in the order of the factors, the last one fastest: row
$(((s \cdot 4 + b) \cdot 8 + a) \cdot 8 + i) \cdot 8 + j$ has shape $s$, size $b$, angle $a$, and
lies at $i$ across and $j$ down.

They are made as dSprites are (Matthey et al. 2017), smaller and with shapes of our own; each pixel
is the share of it that the shape covers, of 4 x 4 points.
"""

from functools import cache
from pathlib import Path

import numpy as np

from .dataset import Dataset, from_arrays

NAME = "sprites"
WHAT = "every combination of shape, size, angle and place; drawn, not stored"
STATE, PATH = "drawn", Path(__file__)

SHAPES = ("bar", "wedge", "hook")
"""What there is to see; also the names of the classes."""

FACTORS = {"shape": 3, "size": 4, "angle": 8, "across": 8, "down": 8}
"""What the pictures are made of, and how many values each has."""

SIDE = 16
"""Pixels of a side."""

SIZES = (5530, 614, (SIDE, SIDE))
"""Training pictures, test pictures, and the shape of one."""

POINTS = 4
"""Points along a pixel at which the shape is asked for."""

_TURN = {"bar": np.pi, "wedge": 2 * np.pi, "hook": 2 * np.pi}
"""Angle that brings each shape back onto itself."""


def _inside(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points are inside of a shape of size 1."""
    if shape == "bar":
        return (np.abs(u) < 1.0) & (np.abs(v) < 0.4)
    if shape == "wedge":
        return (u > -0.7) & (np.abs(v) < 0.5 * (1.1 - u))
    upright = (np.abs(u + 0.5) < 0.3) & (np.abs(v) < 0.9)
    return upright | ((u > -0.5) & (u < 0.8) & (np.abs(v - 0.6) < 0.3))


def _base(shape: str, size: int, angle: int) -> np.ndarray:
    """Draw a shape in the middle of a picture that is 8 pixels wider and higher."""
    wide = SIDE + 8
    at = (np.arange(wide * POINTS) + 0.5) / POINTS - wide / 2 - 0.5
    across, down = at[None, :], at[:, None]
    turned = _TURN[shape] * angle / FACTORS["angle"]
    scale = 1.8 + 0.5 * size
    u = (np.cos(turned) * across + np.sin(turned) * down) / scale
    v = (np.cos(turned) * down - np.sin(turned) * across) / scale
    covered = _inside(shape, u, v).reshape(wide, POINTS, wide, POINTS).mean(axis=(1, 3))
    return np.round(255 * covered).astype("uint8")


@cache
def pictures() -> np.ndarray:
    """All pictures (6144, 16, 16) as bytes, in the order of their factors; not to be written to."""
    places = [FACTORS["across"], FACTORS["down"]]
    found = np.empty((*list(FACTORS.values())[:3], *places, SIDE, SIDE), "uint8")
    for at in np.ndindex(found.shape[:3]):
        base = _base(SHAPES[at[0]], *at[1:])
        for i, j in np.ndindex(*places):
            found[(*at, i, j)] = base[7 - j : 7 - j + SIDE, 7 - i : 7 - i + SIDE]
    found = found.reshape(-1, SIDE, SIDE)
    found.flags.writeable = False
    return found


def factors() -> np.ndarray:
    """Factors (6144, 5) of all pictures, each a whole number from 0, in the columns of FACTORS."""
    return np.indices(tuple(FACTORS.values())).reshape(len(FACTORS), -1).T


def load(*, hold_out: bool = True) -> Dataset:
    """Load the pictures, with their shapes as classes; a tenth of them is the test set.

    With `hold_out` False all are in `pixels_train`, in the order of `factors`.
    """
    return from_arrays(NAME, pictures(), factors()[:, 0], labels=SHAPES, hold_out=hold_out)
