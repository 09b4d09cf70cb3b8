"""What right parts are worth: the one rule by which files and notebooks get their points."""

from collections.abc import Sequence

CONTRACT_SHARE = 0.25
"""Part of the points for a backward pass that keeps the contract, where nothing else is said: it
changes no inputs, adds up no calls and draws no noise of its own."""


def score(
    gradients: Sequence[bool],
    others: Sequence[bool] = (),
    *,
    keeps_contract: bool,
    points: float = 1.0,
    contract_points: float | None = None,
) -> float:
    """Points of one exercise.

    Parameters
    ----------
    gradients : sequence of bool
        Of each gradient, whether it is right; without a right one there are no points.
    others : sequence of bool
        Of further parts, such as the forward values, which weigh as much as a gradient.
    keeps_contract : bool
        Whether the backward pass keeps the contract.
    points : float
        What the exercise is worth.
    contract_points : float, optional
        The part of them that is for the contract; `CONTRACT_SHARE` by default. The rest is shared
        by the gradients and the other parts.
    """
    if not any(gradients):
        return 0.0
    parts = [*gradients, *others]
    contract = CONTRACT_SHARE * points if contract_points is None else contract_points
    return (points - contract) * sum(parts) / len(parts) + contract * keeps_contract
