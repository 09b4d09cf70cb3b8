"""The colours of all pages, in one place: as CSS variables, for a light and a dark scheme.

A page follows what the reader's system asks for, and before that what the page or the notebook
around it says: `data-theme` on the element `html`, or the marks of Jupyter and VS Code.
"""

from collections.abc import Mapping

LIGHT = {
    "page": "#fbfaf6",
    "bg": "#ffffff",
    "panel": "#f6f5f2",
    "ink": "#1b1b1a",
    "soft": "#63625e",
    "line": "#dddcd7",
    "accent": "#1a5fb4",
    "accent-bg": "#e4eefb",
    "mark": "#fdf0c4",
    "good": "#1f7560",
    "good-bg": "#ccfbf0",
    "but": "#6f622a",
    "but-bg": "#f3e7b6",
    "bad": "#75101a",
    "bad-bg": "#f3c3c9",
    "open": "#1e1670",
    "open-bg": "#cfc9f2",
}
DARK = {
    "page": "#121211",
    "bg": "#191918",
    "panel": "#232321",
    "ink": "#ecebe6",
    "soft": "#a9a8a1",
    "line": "#3b3a37",
    "accent": "#8ab8ff",
    "accent-bg": "#1d3048",
    "mark": "#4a3f17",
    "good": "#b5fde8",
    "good-bg": "#1f5b4a",
    "but": "#ffd46d",
    "but-bg": "#5f4b1d",
    "bad": "#f0787c",
    "bad-bg": "#3b191b",
    "open": "#ab9ffa",
    "open-bg": "#22195c",
}
"""Ground of a page, of a box on it and of a panel in the box; text, soft text, lines; what can be
clicked; a marked word; what is right, right with a word to say, wrong, and not checked. Who cannot
tell red from green, or blue from yellow, tells these four apart."""


def colours(
    where: str, light: Mapping[str, str] | None = None, dark: Mapping[str, str] | None = None
) -> str:
    """CSS that sets the variables, `--ink` and so on.

    Parameters
    ----------
    where : str
        Selector of what they are for; ":root" for a page of its own.
    light, dark : mapping of str to str, optional
        Further variables, or other values.
    """
    alone = where == ":root"

    def rule(scheme: str, values: Mapping[str, str]) -> str:
        own = f"color-scheme:{scheme};" if alone else ""
        return "{" + own + ";".join(f"--{name}:{value}" for name, value in values.items()) + "}"

    rules = {
        "light": rule("light", {**LIGHT, **(light or {})}),
        "dark": rule("dark", {**DARK, **(dark or {})}),
    }

    def asked_for(scheme: str) -> str:
        if alone:
            return f':root[data-theme="{scheme}"]'
        marks = f'[data-jp-theme-light="{str(scheme == "light").lower()}"]', f".vscode-{scheme}"
        return ",".join(f"{mark} {where}" for mark in (*marks, f'[data-theme="{scheme}"]'))

    return "\n".join(
        [
            where + rules["light"],
            f"@media (prefers-color-scheme:dark){{{where}{rules['dark']}}}",
            *(asked_for(scheme) + rules[scheme] for scheme in rules),
            "",
        ]
    )
