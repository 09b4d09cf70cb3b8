"""A trace as HTML: a page to step through, in a notebook or in a file of its own.

It asks for nothing from elsewhere. Without its script all operations are shown, folded up, one
below the other.
"""

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from ...check.report.style import colours
from ...errors import OptionError
from .. import typeset
from ..typeset.plain import plain
from .heat import picture, window
from .record import BACKWARD, Array, Record
from .text import number, place
from .window import window_of

HERE = Path(__file__).parent
LIGHT = {"minus": "46,98,178", "plus": "206,92,0"}
DARK = {"minus": "98,156,255", "plus": "255,150,60"}
"""Colours of negative and positive numbers, beside those of all pages."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{colours}
body{{margin:0;padding:16px;background:var(--page);font:15px/1.5 system-ui,sans-serif}}
@media (max-width:700px){{body{{padding:4px}}}}
body .minivae-trace{{margin:0 auto}}
</style>
</head>
<body>
<main>
{content}
</main>
</body>
</html>
"""


def page(records: Sequence[Record]) -> str:
    """The stepper as a whole document."""
    title = f"Trace of {len(records)} operations"
    content = stepper(records, alone=True)
    return PAGE.format(title=title, colours=colours(":root"), content=content)


def stepper(records: Sequence[Record], alone: bool = False) -> str:
    """One `<div>` with its own style and script.

    Parameters
    ----------
    records : sequence of Record
        What was recorded.
    alone : bool
        Whether it is all there is on its page, so that the arrow keys are its own.
    """
    if not records:
        return "<p>Nothing was recorded; call <code>model.step(x, eps)</code> in the block.</p>"
    own = " data-page" if alone else ""
    typesetter, style = _typesetter(alone)
    return "\n".join(
        [
            f'<div class="minivae-trace" tabindex="0" role="group" aria-label="trace"{own}>',
            f"<style>{style}{colours('.minivae-trace', LIGHT, DARK)}{_file('stepper.css')}</style>",
            '<div class="bar"><button type="button">◀ back</button>'
            '<button type="button">next ▶</button><output aria-live="polite"></output>'
            '<span class="soft">arrow keys step, Home and End jump</span></div>',
            f'<div class="body"><nav aria-label="operations">{_list(records)}</nav><div>',
            *(_card(record, typesetter) for record in records),
            "</div></div>",
            f"<script>{_file('stepper.js')}</script>",
            "</div>",
        ]
    )


@functools.cache
def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8").strip()


def _list(records: Sequence[Record]) -> str:
    parts = []
    for phase, group in itertools.groupby(records, key=lambda record: record.phase):
        rows = "".join(
            f'<li><button type="button"><span class="soft">{record.index + 1}</span>'
            f"<span>{_breakable(record.operation)}<small>{_breakable(record.where)}</small></span>"
            "</button></li>"
            for record in group
        )
        parts.append(f"<h4>{phase}</h4><ol>{rows}</ol>")
    return "".join(parts)


def _breakable(name: str) -> str:
    """A dotted name that may go on in the next line after a dot or an underscore."""
    return re.sub(r"([._])", r"\1<wbr>", escape(name))


def _card(record: Record, typesetter: Callable[[str], str]) -> str:
    shown = " open" if record.index == 0 else ""
    summary = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(record.summary))
    options = ", ".join(f"{name} = {value}" for name, value in record.options.items())
    kernel = f"; computed by its kernel <code>{escape(record.kernel)}</code>" * bool(record.kernel)
    return "".join(
        [
            f'<details class="card" data-phase="{record.phase}"{shown}><summary>',
            f'<span class="phase {record.phase}">{record.phase}</span>{escape(record.operation)} ',
            f'<span class="soft">{escape(record.where)}</span></summary>',
            f"<p>{summary}</p>",
            _formula(record, typesetter),
            _code(record),
            f'<div class="soft">{escape(place(record))}{kernel}</div>' if record.file else "",
            _side("in", record.inputs),
            f'<div class="soft">{escape(options)}</div>' if options else "",
            _side("on the way", record.inner),
            _side("out", record.outputs, gradients=record.phase == BACKWARD),
            window(seen) if (seen := window_of(record)) else "",
            "</details>",
        ]
    )


def _formula(record: Record, typeset: Callable[[str], str]) -> str:
    rows = "".join(
        f'<div>{typeset(tex)}<span class="soft">({n})</span></div>'
        for n, tex in record.formula.items()
    )
    return f'<div class="formula">{rows}</div>' if rows else ""


def _typesetter(alone: bool) -> tuple[Callable[[str], str], str]:
    """How a formula becomes HTML, and the style that it needs.

    A page of its own carries KaTeX's fonts; in a notebook the browser draws MathML with its own.
    Where the typesetter is not installed, which `minivae read` needs too, it is plain text.
    """
    try:
        typeset.mathml("x")
    except OptionError:
        return lambda tex: f"<code>{escape(plain(tex))}</code>", ""
    if alone:
        return lambda tex: typeset.html(tex, display=True), typeset.style()
    return typeset.mathml, ""


def _code(record: Record) -> str:
    if not record.code:
        return ""
    rows = []
    for i, line in enumerate(record.code.splitlines()):
        code, mark, comment = line.partition("  # ")
        cited = f"  <b># {escape(comment)}</b>" if mark else ""
        rows.append(f"<i>{record.line + i:>4}  </i>{escape(code)}{cited}")
    return f'<pre tabindex="0">{"<br>".join(rows)}</pre>'


def _side(heading: str, arrays: Sequence[Array], gradients: bool = False) -> str:
    if not arrays:
        return ""
    kind = "outputs" if heading == "out" else "inputs"
    drawn = "".join(_figure(array, gradients, heading == "in") for array in arrays)
    return f'<h5>{heading}</h5><div class="side {kind}">{drawn}</div>'


def _figure(array: Array, gradient: bool, origin: bool) -> str:
    shape = " × ".join(map(str, array.shape)) or "number"
    numbers = [f"mean {number(array.mean)}", f"spread {number(array.spread)}"]
    if gradient:
        numbers.insert(0, f"norm {number(array.norm)}")
    if array.values.size < 2:
        numbers = []
    source = ""
    if origin and array.origin is not None:
        source = f' <a href="#" data-step="{array.origin}">from {array.origin + 1}</a>'
    return (
        f"<figure><figcaption><code>{escape(array.name)}</code> "
        f'<span class="soft">{shape}</span>{source}'
        f'<span class="numbers">{", ".join(numbers)}</span></figcaption>{picture(array)}</figure>'
    )
