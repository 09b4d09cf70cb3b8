"""The page that `minivae compare` writes: one HTML file, with its pictures inside.

It needs no script and no network, and its colours follow the reader's light or dark scheme.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ...check.report.style import colours

RULES = """
*{box-sizing:border-box}
body{margin:0 auto;padding:28px 20px 60px;max-width:1040px;background:var(--bg);color:var(--ink);
font:15px/1.55 system-ui,sans-serif}
h1{font-size:25px;margin:0 0 2px}
h2{font-size:19px;margin:44px 0 2px;padding-top:18px;border-top:1px solid var(--line)}
h3{font-size:14px;margin:22px 0 4px}
p{margin:6px 0}
.soft{color:var(--soft);font-size:13px}
nav a{margin-right:14px}
a{color:inherit}
code{font:13px ui-monospace,Menlo,Consolas,monospace}
.said{background:var(--panel);border-radius:8px;padding:10px 16px;margin:14px 0}
.good,.bad,.open{font-weight:600}
.good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:4px 22px 4px 0;text-align:right;white-space:nowrap;
border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}
th{color:var(--soft);font-weight:500}
figure{margin:18px 0}
img{max-width:100%;height:auto;background:#fff;border-radius:6px}
figcaption{color:var(--soft);font-size:12.5px}
"""

VERDICTS = {
    r": not confirmed( \([^)]*\))?;": "open",
    r": confirmed;": "good",
    r": refuted;": "bad",
}
"""What `outcome.verdict` says, and the class of its words."""


@dataclass(frozen=True)
class Section:
    """One experiment that has been run.

    Attributes
    ----------
    name, what : str
        `NAME` and `WHAT` of the experiment.
    command : str
        What runs it again.
    seconds : float
        How long it took.
    folder : Path
        Where its files are.
    summary : dict
        What its `run` returned.
    """

    name: str
    what: str
    command: str
    seconds: float
    folder: Path
    summary: dict[str, Any]


def page(sections: Sequence[Section]) -> str:
    """Return the whole page as HTML."""
    links = "".join(f'<a href="#{escape(s.name)}">{escape(s.name)}</a>' for s in sections)
    body = "\n".join(section_html(section) for section in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>minivae compare</title><style>{colours(':root')}{RULES}</style></head><body>\n"
        "<h1>What a VAE is for, measured</h1>\n"
        f"<nav>{links}</nav>\n{body}\n</body></html>\n"
    )


def section_html(section: Section) -> str:
    """Return one experiment: what came out, the pictures, the tables, the command."""
    said = "".join(f"<p>{_marked(line)}</p>" for line in section.summary["text"].splitlines())
    pictures = "".join(_figure(section.folder / name) for name in section.summary["pictures"])
    tables = "".join(_table(*table) for table in section.summary["tables"])
    title = section.what[0].upper() + section.what[1:]
    return (
        f'<h2 id="{escape(section.name)}">{escape(title)}</h2>\n'
        f'<p class="soft"><code>{escape(section.command)}</code> took {section.seconds:.0f} s; '
        f"its files are in <code>{escape(section.folder.name)}/</code></p>\n"
        f'<div class="said">{said}</div>\n{pictures}\n{tables}'
    )


def _marked(line: str) -> str:
    """Escape a line, and set the words of a verdict in their colour."""
    line = escape(line)
    for pattern, kind in VERDICTS.items():
        line = re.sub(pattern, lambda m, k=kind: f': <span class="{k}">{m[0][2:-1]}</span>;', line)
    return line


def _figure(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    name = escape(path.name)
    return (
        f'<figure><img alt="{name}" src="data:image/png;base64,{data}">'
        f"<figcaption>{name}</figcaption></figure>"
    )


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(str(cell))}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<h3>{escape(title)}</h3><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def text_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], width: int = 100
) -> str:
    """Lay the same table out for a terminal; row by row, one below the other, if it is too wide."""
    lines = [[str(cell) for cell in line] for line in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if sum(widths) + 2 * len(widths) > width:
        names = [name.ljust(max(map(len, header))) for name in header]
        laid = [
            text
            for line in lines[1:]
            for text in ("", *(f"{n}  {cell}" for n, cell in zip(names, line, strict=True)))
        ]
    else:
        laid = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
    return "\n".join([title, *(f"  {line}".rstrip() for line in laid)])
