"""A judge of generated data: a small classifier, in whose last hidden layer they are compared.

Fréchet distance, precision and recall need a feature space in which what is alike lies together.
That of large networks trained on photographs says little about digits; a classifier that was
trained on the data themselves has learned what matters in them. How well it has learned it, its
accuracy on test data tells, and is stated with each number that it gives.
"""

from dataclasses import dataclass

import numpy as np

from ...data import Dataset, Pixels
from ...data.labelled import class_names, labelled
from ...engine.door import door
from ...engine.kinds import Whole
from ...errors import DataError
from ...models.classifier import Classifier
from ...train.loop import fit
from ...train.optim.adam import Adam
from ...train.settings import Settings, Training
from ..statistics import Interval, proportion_interval
from .measures import Quality, measure


@door
@dataclass(frozen=True)
class Judge:
    """A trained classifier, and how good it is.

    Attributes
    ----------
    classifier : Classifier
        Gives the features.
    accuracy : Interval
        On the test data, with its 95 % interval.
    """

    classifier: Classifier
    accuracy: Interval

    @classmethod
    def train(
        cls,
        data: Dataset,
        *,
        hidden: tuple[int, ...] = (128, 64),
        epochs: int = 20,
        seed: Whole = 0,
        progress: bool = False,
    ) -> "Judge":
        """Train a classifier on a data set's training part, and test it on the other.

        Raises
        ------
        DataError
            If the data have no labels, only one class, a class without an example, or no test
            part.
        """
        names = class_names(data)
        if data.pixels_test is None or len(names) < 2:
            raise DataError(
                f"{data!r} cannot teach a classifier and test it; give at least ten examples of at "
                "least two classes."
            )
        rng = np.random.default_rng(seed)
        classifier = Classifier(data.pixels_train.shape[1], hidden, len(names), rng=rng)
        rows = labelled(data.pixels_train, data.y_train, len(names))
        settings = Settings(epochs=epochs, batch=32)
        fit(Training(classifier, Adam(), rng, settings), rows, progress=progress)
        right = int((classifier.predict(data.pixels_test) == data.y_test).sum())
        return cls(classifier, proportion_interval(right, len(data.y_test)))

    def __str__(self) -> str:
        """How good it is, in a sentence."""
        right, low, high = (100 * x for x in vars(self.accuracy).values())
        return (
            f"The judge is a classifier that is right on {right:.1f}% of the test digits (95% "
            f"interval {low:.1f} to {high:.1f})."
        )

    def compare(
        self, real: np.ndarray | Pixels, generated: np.ndarray | Pixels, k: int = 3
    ) -> Quality:
        """Measure generated data (M, D) beside real ones (N, D), in the classifier's features."""
        return measure(self.classifier.embed(real), self.classifier.embed(generated), k)
