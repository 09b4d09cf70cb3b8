"""Numbers as options: what argparse parses them with."""

import argparse
import math


def seed(text: str) -> int:
    """Parse a whole number of 0 or more."""
    if not text.isdecimal() or len(text) > 30:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 or more")
    return int(text)


def whole(text: str) -> int:
    """Parse a whole number from 0 to a thousand million; sizes beyond that are slips."""
    number = seed(text)
    if number > 10**9:
        raise argparse.ArgumentTypeError(f"{text} is more than any machine can hold")
    return number


def finite(text: str) -> float:
    """Parse a number that is neither NaN nor infinite."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no finite number")
    return number
