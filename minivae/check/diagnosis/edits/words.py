"""A change, in a sentence: the line, what is wrong with it, what makes it right."""

from .search import Mend

WORDS = {
    "adds_up": "overwrites what was there",
    "overwrites": "adds to what was there before",
    "repeated": "adds only once where an index comes twice",
    "operator": "has another operator than it needs",
    "order": "has its two sides exchanged",
    "sign": "has a sign too much",
    "no_sign": "lacks a minus sign",
    "condition": "has its condition turned round",
    "comparison": "compares the wrong way",
    "constant": "has another number than it needs",
    "transposed": "is transposed",
    "not_transposed": "lacks a transposition",
    "mean_for_sum": "takes the mean where the sum belongs",
    "sum_for_mean": "takes the sum where the mean belongs",
    "function": "calls another function than it needs",
    "power": "lacks a square",
    "axis": "works along another axis than it needs",
    "keepdims": "keeps an axis that it should not, or loses one",
    "size": "counts something else than it needs",
    "index": "is off by one",
    "direction": "goes through in the other direction",
    "name": "takes another array than it needs",
    "term_too_much": "has a term too much, or one that should stand alone",
    "factor_too_much": "has a factor too much",
    "call_too_much": "calls a function too much",
    "too_much": "should not be there",
    "no_factor": "lacks a factor",
    "no_divisor": "lacks a division",
    "no_term": "lacks a term",
    "no_sum": "lacks a sum",
    "jacobian": "lacks the derivative of a softmax",
    "statistic": "lacks what comes back through a mean, a variance or a norm",
    "other": "computes something else than it needs",
}
"""What is wrong with a line, by kind of change."""


def sentence(mend: Mend) -> str:
    """Say it as a person would who looks over one's shoulder."""
    return f"line {mend.line}: `{mend.source}` {WORDS[mend.kind]}; with `{mend.edit}` it is right"
