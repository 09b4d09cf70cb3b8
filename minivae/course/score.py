"""What right parts are worth: the one rule by which files and notebooks get their points."""

from collections.abc import Sequence


def score(gradients: Sequence[bool], *, points: float = 1.0, lost: float = 0.0) -> float:
    """Points of one exercise: the square of the share of its gradients that are right.

    The first gradients of an exercise are the easy ones, and whoever returns half of them has done
    less than half of the work; so half of the gradients is worth a quarter of the points.

    Parameters
    ----------
    gradients : sequence of bool
        Of each gradient that is asked for, whether it is right.
    points : float
        What the gradients are worth.
    lost : float
        The part of the points that habits cost, where they do.
    """
    share = sum(gradients) / len(gradients) if gradients else 0.0
    return (points - lost) * share**2
