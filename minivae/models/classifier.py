r"""Classifier: how a class follows from an example, and a feature space besides.

    x (B, D) --trunk--> features (B, F) --Linear--> logits (B, C) --softmax--> p(class)

The trunk is that of an encoder (`halves.py`), so it is made of the same networks.

Its loss is the softmax cross-entropy, which is nothing new: a class is one variable with C levels,
so it is the categorical likelihood (`likelihoods/categorical.py`) of one variable. Logits $a$,
one-hot label $y$, nats per example:

$$ \text{nll}_n = -\sum_c y_{nc} \ln p_{nc}, \quad p_{nc} = e^{a_{nc}} / \sum_j e^{a_{nj}} $$

The loss is its mean over the batch, and the backward pass is one chain, as the autoencoder's.

It trains by `fit`, like every model, on rows that carry their label (`data/labelled.py`):

>>> rows = labelled(digits.pixels_train, digits.y_train, 10)
>>> fit(Training(Classifier(784, rng=rng), Adam(), rng, Settings(epochs=10)), rows)

The last hidden layer is the feature space in which generated data are compared with real ones.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.batches import by_rows
from ..data.pixels import Pixels
from ..engine.backend import Array, Backend, get_backend
from ..engine.cpu.workspace import Workspace
from ..engine.kinds import Count, Rows, Whole
from ..engine.layer import Sequential
from ..engine.params import Params
from ..errors import OptionError, ShapeError
from ..ops import Categorical, Linear
from .base import Model
from .declare import Declared
from .halves import Halves
from .mlp import check_widths
from .network import DEFAULT
from .objectives import Terms


class CrossEntropy(Categorical):
    """Categorical likelihood of one label with C classes: logits and one-hot labels (B, C)."""

    def note(self, x: Rows) -> str:
        """Any examples will do: only their labels have a likelihood here."""
        return ""


class Classifier(Declared, listed=False):
    """Classifier on the networks; not in `MODELS`, for it is no generative model.

    Parameters
    ----------
    n_pixels : int or sequence of int
        Numbers in one example, or its shape, such as (28, 28).
    hidden : sequence of int
        Hidden widths, at least one; the last is that of the feature space.
    classes : int
        C, at least 2.
    activation : str
        One of `minivae.ops.ACTIVATIONS`.
    network : str
        One of `minivae.models.NETWORKS`; its other options are keywords too.
    rng : numpy.random.Generator
        Draws the initial weights.
    dtype : {"float32", "float64"}
        dtype of everything.
    backend : str or Backend
        Where to compute.
    """

    title = "a classifier"

    def __init__(
        self,
        n_pixels: int | Sequence[Count],
        hidden: Sequence[Count] = (128, 64),
        classes: int = 10,
        *,
        activation: str = "relu",
        network: str = DEFAULT,
        rng: np.random.Generator,
        dtype: str = "float32",
        backend: str | Backend = "auto",
        **options: Any,
    ) -> None:
        shape: Any = [n_pixels] if np.ndim(n_pixels) == 0 else n_pixels
        self.shape = check_widths(shape, "n_pixels")
        self.n_pixels = math.prod(self.shape)
        self.hidden = check_widths(hidden, "hidden")
        (self.classes,) = check_widths([classes], "classes")
        if not self.hidden:
            raise OptionError("hidden=() was given, but a classifier here has a hidden layer.")
        self.backend = get_backend(backend)
        self.workspace = Workspace(shared=self.backend.shares)
        where: dict[str, Any] = {"dtype": dtype, "backend": self.backend}
        self.likelihood = CrossEntropy(self.classes, **where)
        of_network = {"hidden": self.hidden, "activation": activation, **options}
        halves = Halves(network, of_network, None, None, who=self.title, where=where)
        self.network = halves.network
        layers, width = halves.trunk(self.shape, 0, rng)
        self.body = Sequential(*layers)
        self.head = Linear(width, self.classes, rng=rng, **where)
        self.params = Params.join({"body": self.body.params, "head": self.head.params})

    def prepare(self, x: np.ndarray | Array) -> Array:
        """Bring rows, with labels (N, D + C) or without (N, D), onto the backend.

        Raises
        ------
        ShapeError
            If they have another width.
        """
        ours = isinstance(x, self.backend.array_type)
        x = x if ours else np.asarray(x)
        if x.ndim != 2 or x.shape[1] not in (self.n_pixels, self.n_pixels + self.classes):
            raise ShapeError(
                f"the data have shape {x.shape}, but this classifier takes (N, {self.n_pixels}), "
                f"and {self.classes} numbers more with labels; give examples of that width."
            )
        return self.backend.asarray(x, self.params.dtype)

    def features(self, x: Array) -> Array:
        """Last hidden layer (B, F) for x (B, D)."""
        self.likelihood.cache = None  # `backward` is to refuse until the next `forward`
        return self.body.forward(x)

    def logits(self, x: Array) -> Array:
        """Logits (B, C) for x (B, D)."""
        return self.head.forward(self.features(x))

    def draw_noise(self, rng: np.random.Generator, batch: Whole) -> None:
        """A classifier takes no noise."""

    def forward(self, rows: Array, noise: None = None, beta: float = 1.0) -> Terms:
        """Compute the loss, the batch mean of nll, for rows (B, N), which end in labels."""
        x, y = rows[:, : self.n_pixels], rows[:, self.n_pixels :]
        nll = self.likelihood.forward(self.logits(x), y)
        xp = self.backend.xp
        none = xp.zeros((len(rows), 0), rows.dtype)  # no latents, hence no KL and no bound
        return Terms(nll.mean(), nll, none, xp.full(len(rows), float("nan"), rows.dtype))

    def backward(self) -> None:
        """Overwrite `params.grad`: the chain rule from the loss back to the first layer."""
        logits, *_ = self.likelihood.saved()
        B = logits.shape[0]
        dnll = self.backend.xp.full(B, 1 / B, logits.dtype)
        self.body.backward_params(self.head.backward(self.likelihood.backward(dnll)))

    step = Model.step

    def predict(self, x: np.ndarray | Pixels) -> np.ndarray:
        """Most probable class (N,) of host data x (N, ...)."""
        return by_rows(self.backend, lambda rows: self.logits(self.prepare(rows)).argmax(axis=1), x)

    def embed(self, x: np.ndarray | Pixels) -> np.ndarray:
        """Features (N, F) of host data x (N, ...)."""
        return by_rows(self.backend, lambda rows: self.features(self.prepare(rows)), x)

    def accuracy(self, x: np.ndarray | Pixels, y: np.ndarray) -> float:
        """Share of host data x (N, ...) whose most probable class is their label y (N,)."""
        return float(np.mean(self.predict(x) == y))

    def __repr__(self) -> str:
        between = self.network.between(self.n_pixels, self.classes)
        return f"Classifier({between}, {self.params.theta.size:,} parameters, {self.params.dtype})"
