"""Things that several processes do: the same as one, in order, whatever happens to one of them."""

import os
import signal

import pytest

from minivae.engine.workers import each


def square(n):
    """Fail at 2, die at 3."""
    if n == 2:
        raise ValueError("no twos")
    if n == 3 and os.environ.get("MINIVAE_DIES"):
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n


def told(found):
    return [(item, str(r) if isinstance(r, Exception) else r) for item, r in found]


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_that_fails_does_not_end_the_others(jobs):
    assert told(each(square, range(5), jobs)) == [
        (0, 0), (1, 1), (2, "no twos"), (3, 9), (4, 16)
    ]  # fmt: skip


def test_nor_does_one_whose_process_dies(monkeypatch):
    monkeypatch.setenv("MINIVAE_DIES", "1")
    assert told(each(square, range(7), 2)) == [
        (0, 0), (1, 1), (2, "no twos"), (3, "the process that worked on it has died"),
        (4, 16), (5, 25), (6, 36),
    ]  # fmt: skip


def test_who_stops_asking_gets_no_more():
    given = []
    found = each(square, (given.append(n) or n for n in range(1000)), 2)
    assert next(found) == (0, 0)
    found.close()
    assert len(given) <= 5
