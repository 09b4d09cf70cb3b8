"""Typesetting: LaTeX to HTML and MathML by KaTeX, while a page is built.

KaTeX is written in JavaScript, and runs here in QuickJS, an engine that is a Python package. So a
page holds finished formulas and needs no script for them, and a formula that KaTeX does not
understand is found when the page is built, on every machine.
"""

import base64
import functools
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path

from ...engine.door import door
from ...errors import DerivationError, OptionError

KATEX = Path(__file__).parent / "katex"
"""The vendored files: `katex.min.css` and `fonts/` go beside a page that shows `html`."""

USUAL = ("KaTeX_AMS", "KaTeX_Main-Regular", "KaTeX_Math-Italic", "KaTeX_Size")
"""Fonts of which a page in a single file carries a copy."""

INSTALL = "pip install markdown-it-py pygments quickjs-ng"
"""Brings what `minivae read` needs; the package's extra "read" names the same."""

_CALL = """
function typeset(tex, display, output) {
  const options = {displayMode: display, output, throwOnError: true, strict: "error"};
  try {
    return JSON.stringify([katex.renderToString(tex, options), ""]);
  } catch (error) {
    return JSON.stringify(["", String(error.message)]);
  }
}
"""


class _Engine(threading.local):
    """KaTeX, loaded once in each thread that asks for it."""

    @functools.cached_property
    def typeset(self) -> Callable[[str, bool, str], str]:
        import quickjs

        self.context = quickjs.Context()
        self.context.eval((KATEX / "katex.min.js").read_text(encoding="utf-8"))
        self.context.eval(_CALL)
        return self.context.get("typeset")


_engine = _Engine()


WORD = re.compile(r"(?<![A-Za-z\\])(d?)(KL|ELBO)(?![A-Za-z])")
"""Names of several letters: a word, and no product of its letters."""


@door
def html(tex: str, display: bool = False) -> str:
    r"""Typeset a formula as HTML for KaTeX's style sheet, with MathML for screen readers.

    Parameters
    ----------
    tex : str
        LaTeX without its dollars and without a tag.
    display : bool
        Whether it stands on a line of its own.

    Raises
    ------
    DerivationError
        If KaTeX does not understand it.
    OptionError
        If the engine is not installed.
    """
    return _typeset(tex, display, "htmlAndMathml")


@door
def mathml(tex: str, display: bool = True) -> str:
    """Typeset a formula as MathML alone, which browsers draw without a style sheet or fonts.

    Raises
    ------
    DerivationError, OptionError
        As `html` does.
    """
    return _typeset(tex, display, "mathml")


@functools.cache
def style() -> str:
    """KaTeX's style sheet with its usual fonts inside, for a page in a single file."""

    def embedded(font: re.Match) -> str:
        if not font[1].startswith(USUAL):
            return 'src:local("none")'
        content = base64.b64encode((KATEX / "fonts" / font[1]).read_bytes()).decode()
        return f'src:url(data:font/woff2;base64,{content}) format("woff2")'

    sheet = (KATEX / "katex.min.css").read_text(encoding="utf-8")
    return re.sub(r"src:url\(fonts/([^)]+)\) format\(\"woff2\"\)", embedded, sheet)


def _typeset(tex: str, display: bool, output: str) -> str:
    try:
        typeset = _engine.typeset
    except ImportError:
        raise OptionError(
            f"typesetting formulas needs the package quickjs-ng; install it with `{INSTALL}`."
        ) from None
    tex = " ".join(tex.split())
    done, problem = json.loads(typeset(WORD.sub(r"\1\\mathrm{\2}", tex), display, output))
    if problem:
        reason = problem.removeprefix("KaTeX parse error: ").rstrip(".")
        raise DerivationError(f"the formula {tex!r} is broken: {reason}.")
    return done
