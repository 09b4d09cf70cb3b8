"""Code as HTML: colours by Pygments, a target for each line, and links from citations."""

import re

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from ..derivations import CITED

COMMENT = re.compile(r'(<span class="c1">)(.*?)(</span>)')


def code_html(source: str, first: int, citations: dict[int, list[int]]) -> str:
    """Lines of a module from line `first` on, as the inside of a `<pre>`.

    Parameters
    ----------
    source : str
        The whole module.
    first : int
        The line to begin with, counted from 1.
    citations : dict of int to list of int
        Line -> numbers of the equations that it cites.
    """
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    lines = highlight(source, lexer, HtmlFormatter(nowrap=True)).rstrip("\n").split("\n")
    while first <= len(lines) and not lines[first - 1].strip():
        first += 1
    return "".join(
        _line(number, lines[number - 1], citations.get(number, []))
        for number in range(first, len(lines) + 1)
    )


def _line(number: int, line: str, cited: list[int]) -> str:
    kind = "line"
    if cited:
        kind = "line cites"
        line = COMMENT.sub(lambda found: found[1] + _linked(found[2]) + found[3], line)
    return f'<span class="{kind}" id="L-{number}" data-n="{number}">{line}\n</span>'


def _linked(comment: str) -> str:
    return CITED.sub(r'<a href="#eq-\1">(\1)</a>', comment)
