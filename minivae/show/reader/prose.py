"""A derivation as HTML: Markdown by markdown-it, mathematics by KaTeX, equations as targets.

Mathematics is taken out before the Markdown is read, and put back, typeset, afterwards: a line of
a formula that begins with a plus would otherwise be an item of a list.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ...errors import DerivationError
from .. import typeset
from ..derivations import MENTIONED, TAG

MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)
PLACE = re.compile("([(\\[]*)\ue000(\\d+)\ue001((?:[^\\s<>&\ue000]|&#?\\w+;){0,12})")
"""What stands for a formula, in letters that no text uses; and what touches it on either side."""


def split(docstring: str) -> tuple[str, str]:
    """First sentence of a docstring, without its full stop, and the rest."""
    title, _, rest = docstring.strip().partition("\n\n")
    return " ".join(title.split()).removesuffix("."), rest


class Prose:
    """Renders the text of one module.

    Parameters
    ----------
    lines_of : mapping of int to sequence of int
        Equation -> lines of code that cite it.
    pages : mapping of str to str
        Name of a file as the text writes it, such as "linear.py" -> address of its page.
    """

    def __init__(self, lines_of: Mapping[int, Sequence[int]], pages: Mapping[str, str]) -> None:
        self.lines_of, self.pages = lines_of, pages
        self.markdown = MarkdownIt("commonmark").enable("table")
        rules = self.markdown.renderer.rules
        rules["code_inline"] = lambda tokens, at, *_: self._code(tokens[at].content)
        rules["text"] = lambda tokens, at, *_: self._text(tokens, at)

    def html(self, text: str) -> str:
        """Render paragraphs.

        Raises
        ------
        DerivationError
            If a formula is broken, or a dollar belongs to none.
        """
        return self._around_mathematics(text, self.markdown.render)

    def inline(self, text: str) -> str:
        """Render a line, without a paragraph around it."""
        return self._around_mathematics(text, self.markdown.renderInline)

    def _around_mathematics(self, text: str, render: Callable[[str], str]) -> str:
        formulas: list[str] = []

        def take_out(found: re.Match) -> str:
            display, inline = found[1], found[2]
            formulas.append(self.equation(display) if display else typeset.html(inline))
            return f"\ue000{len(formulas) - 1}\ue001"

        def put_back(found: re.Match) -> str:
            before, number, after = found.groups()
            formula = formulas[int(number)]
            # No line ends between a formula and the comma, bracket or letters that touch it.
            if before or after:
                return f'<span class="whole">{before}{formula}{after}</span>'
            return formula

        return PLACE.sub(put_back, render(MATH.sub(take_out, text)))

    def equation(self, tex: str) -> str:
        """A formula on its own line; a numbered one can be linked to, and links to its lines."""
        tag = TAG.search(tex)
        formula = f'<span class="tex">{typeset.html(TAG.sub("", tex).strip(), display=True)}</span>'
        if not tag:
            return f'<span class="display">{formula}</span>\n'
        n = int(tag[1])
        lines = self.lines_of[n]
        links = ", ".join(f'<a href="#L-{line}">{line}</a>' for line in lines)
        word = "line" if len(lines) == 1 else "lines"
        return (
            f'<span class="display eq" id="eq-{n}" data-lines="{" ".join(map(str, lines))}" '
            f'tabindex="-1">{formula}<span class="tag"><a href="#L-{lines[0]}" '
            f'aria-label="equation {n}: go to the code">({n})</a>'
            f'<span class="lines">{word} {links}</span></span></span>\n'
        )

    def _code(self, content: str) -> str:
        code = f"<code>{escape(content)}</code>"
        page = self.pages.get(content.rpartition("/")[2])
        return f'<a href="{page}">{code}</a>' if page else code

    def _text(self, tokens: Sequence[Token], at: int) -> str:
        text = tokens[at].content
        if "$" in text:
            raise DerivationError(f"a dollar opens or closes no formula in {text!r}.")
        return MENTIONED.sub(
            lambda found: f'<a href="#eq-{found[1]}">({found[1]})</a>', escape(text)
        )


def plain_title(title: str) -> str:
    """A title for the window's bar: no mathematics, no marks."""
    return re.sub(r":?\s*\$.*?\$|[`*]", "", title).strip()
