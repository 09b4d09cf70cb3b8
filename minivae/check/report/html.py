"""A report as HTML for a notebook: verdicts, diagnosis, and where in each array the error sits.

The page needs no script and no network. Colours follow the light or dark scheme of the reader and
of the notebook; each one stands beside a word, so nothing is said by colour alone.
"""

import math
from html import escape

import numpy as np

from .heat_map import BANDS, FILLS, comparable, entry_name, entry_value, heat_map
from .result import BUT, NOT_CHECKED, RIGHT, WRONG, ArrayCheck, Result
from .style import colours

LIGHT = {"ring": "#111111", **FILLS}
DARK = {
    "ring": "#ffffff",
    "none": "#35342f",
    "ok": "#2f5b3f",
    "off": "#b58cf0",
    "e1": "#4d2c1a",
    "e2": "#7a3a1c",
    "e3": "#ab4a20",
    "e4": "#d9632f",
    "e5": "#f58f5c",
    "e6": "#ffd0ab",
}
"""Colours of a heat map, beside those of all pages."""

VERDICT_CLASS = {RIGHT: "good", BUT: "but", WRONG: "bad", NOT_CHECKED: "open"}
MARK = {RIGHT: "✓", BUT: "✓", WRONG: "✗", NOT_CHECKED: "?"}

RULES = """
.minivae-report{background:var(--bg);color:var(--ink);border:1px solid var(--line);
border-radius:8px;padding:14px 16px;max-width:960px;font:14px/1.5 system-ui,sans-serif}
.minivae-report *{box-sizing:border-box}
.minivae-report .title{font-size:16px;font-weight:600;overflow-wrap:anywhere}
.minivae-report .soft{color:var(--soft);font-size:12.5px}
.minivae-report .verdict{display:inline-block;border-radius:4px;padding:0 7px;font-weight:600;
font-size:13px;white-space:nowrap}
.minivae-report .verdict.good{color:var(--good);background:var(--good-bg)}
.minivae-report .verdict.but{color:var(--but);background:var(--but-bg)}
.minivae-report .verdict.bad{color:var(--bad);background:var(--bad-bg)}
.minivae-report .verdict.open{color:var(--open);background:var(--open-bg)}
.minivae-report .scroll{overflow-x:auto;margin:10px 0}
.minivae-report table{border-collapse:collapse;width:100%;margin:0;background:none;
font-size:13px;font-variant-numeric:tabular-nums}
.minivae-report th,.minivae-report td{text-align:left;padding:4px 12px 4px 0;white-space:nowrap;
border:0;border-bottom:1px solid var(--line);color:var(--ink);background:none}
.minivae-report th{color:var(--soft);font-weight:500}
.minivae-report td.number,.minivae-report th.number{text-align:right}
.minivae-report code{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12.5px;
color:inherit;background:none;padding:0}
.minivae-report .array{background:var(--panel);border-radius:6px;padding:9px 12px;margin:8px 0}
.minivae-report .array p{margin:4px 0;overflow-wrap:anywhere}
.minivae-report summary{cursor:pointer;overflow-wrap:anywhere}
.minivae-report ul{margin:4px 0;padding-left:20px}
.minivae-report li{margin:2px 0;overflow-wrap:anywhere}
.minivae-report .maps{overflow:auto;margin:8px 0 4px;max-height:460px}
.minivae-report svg{display:block}
.minivae-report .none{fill:var(--none);background:var(--none)}
.minivae-report .ok{fill:var(--ok);background:var(--ok)}
.minivae-report .off{fill:var(--off);background:var(--off)}
.minivae-report .halo{fill:none;stroke:var(--bg);stroke-width:5}
.minivae-report .worst{fill:none;stroke:var(--ring);stroke-width:2}
.minivae-report .key{display:flex;flex-wrap:wrap;gap:2px 12px;font-size:12px;color:var(--soft)}
.minivae-report .key span{white-space:nowrap}
.minivae-report .key i{display:inline-block;width:12px;height:12px;border-radius:2px;
vertical-align:-2px;margin-right:4px}
.minivae-report .key i.ring{border:2px solid var(--ring)}
""" + "".join(
    f".minivae-report .e{i}{{fill:var(--e{i});background:var(--e{i})}}\n"
    for i in range(1, BANDS + 1)
)


def report_html(report: Result) -> str:
    """The report as one `<div>` with its own style.

    Parameters
    ----------
    report : Result
        What `check_gradients` returned.

    Returns
    -------
    str
        HTML: the verdict, a table of the gradients, and for each gradient the likely mistakes and
        a heat map of its error; habits and notes at the end.
    """
    how = f"{report.method}, {report.evaluations} evaluations, tolerance {report.tolerance:.0e}"
    parts = [
        '<div class="minivae-report">',
        f"<style>{colours('.minivae-report', LIGHT, DARK)}{RULES}</style>",
        f'<div class="title">{_verdict(report.verdict)} {escape(report.name)}</div>',
        f'<div class="soft">{escape(how)}</div>',
        _table(report),
        *(_array(array, report.tolerance) for array in report.shown),
        _list("But", report.habits, "habits"),
        _list("Notes", report.notes, "notes"),
        "</div>",
    ]
    return "\n".join(part for part in parts if part)


def _verdict(verdict: str) -> str:
    kind = VERDICT_CLASS.get(verdict, "open")
    return f'<span class="verdict {kind}">{MARK.get(verdict, "?")} {escape(verdict)}</span>'


def _list(title: str, sentences: list[str], kind: str) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<div class="array {kind}"><b>{title}</b><ul>{items}</ul></div>'


def _table(report: Result) -> str:
    head = (
        "<tr><th>gradient</th><th>shape</th><th>verdict</th><th class='number'>error</th>"
        "<th>worst at</th><th class='number'>yours</th><th class='number'>numerical</th></tr>"
    )
    rows = []
    for array in report.shown:
        yours, numerical, worst = "–", "–", "–"
        if comparable(array) and array.worst is not None:
            yours = entry_value(array.yours[array.worst])
            numerical = entry_value(array.numerical[array.worst])
            worst = entry_name(array.worst)
        error = f"{array.error:.1e}" if np.isfinite(array.error) else "–"
        rows.append(
            f"<tr><td><code>d{escape(array.name)}</code></td>"
            f"<td><code>{escape(str(array.shape))}</code></td><td>{_verdict(array.verdict)}</td>"
            f"<td class='number'>{error}</td><td><code>{worst}</code></td>"
            f"<td class='number'>{yours}</td><td class='number'>{numerical}</td></tr>"
        )
    return (
        f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
        "</div>"
    )


def _array(array: ArrayCheck, tolerance: float) -> str:
    """One gradient: what is likely wrong, and the map; folded up when it is right."""
    said = [f"<p>{escape(array.reason)}</p>"] if array.reason else []
    if array.diagnoses:
        items = []
        for i, diagnosis in enumerate(array.diagnoses):
            fit = ""
            if math.isfinite(diagnosis.residual):
                fit = f' <span class="soft">(fits to {diagnosis.residual:.0e})</span>'
            lead = "or" if i else "likely"
            items.append(f"<li><b>{lead}:</b> {escape(diagnosis.text)}{fit}</li>")
        said.append(f'<ul class="diagnosis">{"".join(items)}</ul>')
    body = "".join(said) + (heat_map(array, tolerance) if comparable(array) else "")
    if not body:
        return ""
    shown = "" if array.verdict == RIGHT else " open"
    return (
        f'<details class="array"{shown}><summary><code>d{escape(array.name)}</code> '
        f"{_verdict(array.verdict)}</summary>{body}</details>"
    )
