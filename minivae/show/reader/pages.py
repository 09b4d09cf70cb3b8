"""The pages: one for each chapter, and the index."""

from collections.abc import Sequence
from html import escape

import numpy as np

from ... import __version__
from ...check import Report
from .chapters import Chapter
from .code import code_html
from .prose import Prose, plain_title, split

KEYS = (
    ("j, k", "next and previous equation, with its lines of code"),
    ("Enter", "the next line that cites the equation"),
    ("n, p", "next and previous page"),
    ("i", "index"),
    ("t", "dark or light"),
    ("?", "these keys"),
)

SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="katex/katex.min.css">
<link rel="stylesheet" href="reader.css">
<script src="reader.js" defer></script>
</head>
<body class="{kind}">
{skips}
<header>
<a class="home" href="index.html">minivae<span> read</span></a>
<nav aria-label="pages">{around}</nav>
<button type="button" id="keys" aria-haspopup="dialog">keys</button>
<button type="button" id="theme" aria-label="dark or light">◐</button>
</header>
{main}
<footer>minivae {version}, NumPy {numpy}. {where}</footer>
<dialog id="help" aria-labelledby="help-title"><h2 id="help-title">Keys</h2><dl>{keys}</dl>
<form method="dialog"><button>close</button></form></dialog>
</body>
</html>
"""


def _shell(title: str, kind: str, skips: dict[str, str], around: str, main: str, where: str) -> str:
    keys = "".join(
        f"<div><dt>{''.join(f'<kbd>{key}</kbd>' for key in names.split(', '))}</dt>"
        f"<dd>{what}</dd></div>"
        for names, what in KEYS
    )
    links = "".join(f'<a class="skip" href="#{at}">{name}</a>' for at, name in skips.items())
    return SHELL.format(
        title=escape(title),
        kind=kind,
        skips=links,
        around=around,
        main=main,
        keys=keys,
        where=where,
        version=__version__,
        numpy=np.__version__,
    )


def page(chapter: Chapter, chapters: Sequence[Chapter]) -> str:
    """The derivation on the left, the code on the right, the gradient check below."""
    pages = {one.path.rpartition("/")[2]: one.page for one in chapters if one is not chapter}
    prose = Prose(chapter.lines_of, pages)
    title, rest = split(chapter.docstring)
    code = code_html(chapter.source, chapter.code_from, chapter.citations)
    width = len(str(chapter.source.count("\n")))
    main = f"""<main>
<div class="columns">
<article id="derivation" tabindex="-1">
<h1>{prose.inline(title)}</h1>
{prose.html(rest)}
</article>
<section id="code" tabindex="-1" aria-labelledby="file">
<h2 id="file">{escape(chapter.path)}</h2>
<pre tabindex="0" style="--digits:{width}"><code>{code}</code></pre>
</section>
</div>
<section id="check" tabindex="-1" aria-labelledby="check-title">
<h2 id="check-title">Gradient check</h2>
{_checks(chapter)}
</section>
</main>"""
    skips = {
        "derivation": "to the derivation",
        "code": "to the code",
        "check": "to the gradient check",
    }
    at = list(chapters).index(chapter)
    around = _neighbours(chapters, at)
    where = f"Page {at + 1} of {len(chapters)}."
    return _shell(f"{plain_title(title)} – minivae", "chapter", skips, around, main, where)


def _neighbours(chapters: Sequence[Chapter], at: int) -> str:
    links = []
    for step, rel, text in ((-1, "prev", "← {}"), (1, "next", "{} →")):
        if 0 <= at + step < len(chapters):
            other = chapters[at + step]
            name = text.format(other.name.rpartition(".")[2])
            links.append(f'<a rel="{rel}" href="{other.page}">{escape(name)}</a>')
    return "".join(links)


def _checks(chapter: Chapter) -> str:
    if not chapter.reports:
        return (
            "<p>Nothing to check here: what this module computes has no backward pass. "
            "Its equations are held to their numbers by the package's tests.</p>"
        )
    said = (
        "<p>Each backward function against numerical derivatives of its forward function, in "
        "float64, as it came out when this page was built.</p>"
    )
    return (
        said
        + '<div class="reports">'
        + "".join(r._repr_html_() for r in chapter.reports)
        + "</div>"
    )


def _reports(reports: Sequence[Report]) -> str:
    return f"<div class='reports'>{''.join(report._repr_html_() for report in reports)}</div>"


def index(chapters: Sequence[Chapter], others: Sequence[Report]) -> str:
    """All chapters, with their number of equations and the verdict of their checks."""
    groups = {"Operations": [], "Around them": []}
    for one in chapters:
        groups["Operations" if one.name.startswith("minivae.ops.") else "Around them"].append(one)
    parts = [
        "<main id='contents' tabindex='-1'><h1>Every derivation beside its code</h1>",
        "<p class='lead'>Each page is one module of minivae, read from top to bottom: on the left "
        "what is computed and why, on the right the lines that compute it, below the check of its "
        "gradient. An equation's number leads to the lines that cite it, and a citation such as "
        "<code># (2)</code> leads back.</p>",
    ]
    for heading, group in groups.items():
        cards = "".join(_card(one) for one in group)
        parts.append(f"<h2>{heading}</h2><ul class='cards'>{cards}</ul>")
    parts.append(
        "<h2 id='models'>Models as a whole</h2><p>All gradients of a small model at once, where "
        "those of several branches have been added.</p>" + _reports(others) + "</main>"
    )
    first = _neighbours(chapters, -1)
    count = sum(len(one.lines_of) for one in chapters)
    where = f"{len(chapters)} pages, {count} numbered equations."
    skips = {"contents": "to the contents", "models": "to the checks of whole models"}
    return _shell("minivae read", "index", skips, first, "\n".join(parts), where)


def _card(chapter: Chapter) -> str:
    prose = Prose(chapter.lines_of, {})
    title, _ = split(chapter.docstring)
    count = len(chapter.lines_of)
    failed = [report.name for report in chapter.reports if not report.passed]
    verdict = ""
    if failed:
        verdict = f"<span class='bad'>✗ {escape(', '.join(failed))}</span>"
    elif chapter.reports:
        several = f" ({len(chapter.reports)})" if len(chapter.reports) > 1 else ""
        verdict = f"<span class='good'>✓ gradient checked{several}</span>"
    return (
        f"<li><a href='{chapter.page}'>{prose.inline(title)}</a>"
        f"<span class='about'><code>{escape(chapter.path)}</code>"
        f"<span>{count} equations</span>{verdict}</span></li>"
    )
