"""Branches: what comes back along several ways must be added; here a way is lost."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from ...tape import Adjoints, Tape
from .scene import LINEAR, Change, Deviation, Keys, Scene

Users = list[tuple[int, int]]


def scaled_step(scene: Scene, i: int) -> Deviation:
    """A multiple of what comes back through a step is lost or too much."""
    return Deviation(
        _step_keys(scene, i),
        f"through {scene.write(i)}",
        lambda tape, adj: None if adj[i] is None else {i: adj[i]},
        scaled=True,
    )


def _along(i: int, chosen: Users) -> Callable[[Tape, Adjoints], Change | None]:
    """What comes back to a step along some of the steps that use it."""

    def change(tape: Tape, adj: Adjoints) -> Change | None:
        parts = [tape.back(c, s, adj[c]) for c, s in chosen if adj[c] is not None]
        return {i: sum(parts)} if parts else None

    return change


def branch_deviations(scene: Scene, i: int, users: Users) -> Iterator[Deviation]:
    """A value that is used several times: a branch of its gradient is lost, or all but one."""
    what = scene.write(i)
    windows = [(c, s) for c, s in users if scene.tape.nodes[c].op == "getitem"]
    if len(windows) > 1:
        for order in (windows, windows[::-1]):
            yield Deviation(
                ("overlap", "overwritten_branch"),
                f"parts of {what} that overlap are overwritten instead of added: write `+=`",
                lambda tape, adj, order=order: _overwritten(i, order, tape, adj),
            )
    for (one, slot), (two, _) in itertools.combinations(windows[:8], 2):
        if scene.tape.nodes[one].value.shape == scene.tape.nodes[two].value.shape:
            yield Deviation(
                ("swapped", "permuted"),
                f"the gradients of {scene.write(one)} and {scene.write(two)}, two parts of {what}, "
                "stand in each other's place",
                lambda tape, adj, one=one, two=two, slot=slot: _exchanged(
                    i, (one, two), slot, tape, adj
                ),
            )
    divergence = [(c, s) for c, s in users if scene.is_divergence(i, c)]
    rest = [pair for pair in users if pair not in divergence]
    if divergence and rest:
        keys, text = ("kl_missing", "missing_term"), f"to {what} from the KL"
        yield Deviation(keys, text, _along(i, divergence), scaled=True)
        keys, text = ("overwritten_branch", "missing_term"), f"to {what} from the sample"
        yield Deviation(keys, text, _along(i, rest), scaled=True)
    for c, slot in users:
        text = f"from {scene.write(c)} to {what}"
        keys = _edge_keys(scene, i, c)
        yield Deviation(keys, text, _along(i, [(c, slot)]), scaled=True)
        others = [pair for pair in users if pair != (c, slot)]
        if len(others) > 1:
            keys = ("overwritten_branch", "missing_term")
            if all(scene.leads_to_statistic(o) for o, _ in others):
                keys = ("constant_stats", "missing_term")
            text = f"to {what} by all ways but {scene.write(c)}"
            yield Deviation(keys, text, _along(i, others), scaled=True)
        else:
            yield _mirrored(scene, i, (c, slot), others[0])


def _mirrored(scene: Scene, i: int, one: tuple[int, int], two: tuple[int, int]) -> Deviation:
    """Of two branches one is counted twice, as if they were equal."""
    what = scene.write(i)

    def change(tape: Tape, adj: Adjoints) -> Change | None:
        first, second = _along(i, [one])(tape, adj), _along(i, [two])(tape, adj)
        return {i: first[i] - second[i]} if first and second else None

    return Deviation(
        ("missing_term", "transpose"),
        f"what comes back to {what} along {scene.write(one[0])} is counted twice, and what comes "
        f"back along {scene.write(two[0])} not at all: they are equal only for a symmetric matrix",
        change,
    )


def _exchanged(
    i: int, pair: tuple[int, int], slot: int, tape: Tape, adj: Adjoints
) -> Change | None:
    """Two parts of an array of the same shape get each other's gradient."""
    one, two = pair
    if adj[one] is None or adj[two] is None:
        return None
    change = adj[two] - adj[one]
    return {i: tape.back(one, slot, change) - tape.back(two, slot, change)}


def _overwritten(i: int, windows: Users, tape: Tape, adj: Adjoints) -> Change | None:
    """The last of several windows wins, instead of all being added."""
    dx, right = np.zeros_like(tape.nodes[i].value), np.zeros_like(tape.nodes[i].value)
    for c, slot in windows:
        if adj[c] is None:
            return None
        dx[tape.nodes[c].params["key"]] = adj[c]
        right += tape.back(c, slot, adj[c])
    return {i: dx - right}


def _edge_keys(scene: Scene, i: int, c: int) -> Keys:
    """What it is called when the gradient from step c does not come back to i."""
    node = scene.tape.nodes[c]
    feeds_exp = any(scene.tape.nodes[u].op in ("exp", "expm1") for u, _ in scene.users[i])
    if node.op in LINEAR and feeds_exp and (scene.is_spread(i) or scene.is_divergence(i, c)):
        return ("minus_one", "missing_term")
    if scene.is_divergence(i, c):
        return ("kl_missing", "missing_term")
    if scene.leads_to_statistic(c):
        return ("constant_stats", "missing_term")
    if node.op in ("multiply", "divide", "power", "matmul"):
        return ("missing_term", "overwritten_branch")
    return ("overwritten_branch", "missing_term")


def _step_keys(scene: Scene, i: int) -> Keys:
    """What it is called when nothing comes back through a step."""
    if scene.is_divergence(i, i):
        return ("kl_missing", "missing_term")
    for ref in scene.tape.nodes[i].inputs:
        if ref[0] == "node" and scene.is_statistic(i, ref[1]):
            return ("constant_stats", "missing_term")
    if scene.users[i] and all(scene.tape.nodes[c].op in LINEAR for c, _ in scene.users[i]):
        return ("missing_term", "overwritten_branch")
    return ("overwritten_branch", "missing_term")
