"""What the package index shows that `pyproject.toml` cannot say: addresses, and absolute links.

The README links to files beside it, which an index has not. Where the project's address is known
(`MINIVAE_HOME`, or the remote of this checkout) the links lead there; else their words stay alone.
"""

import os
import re
import subprocess
from pathlib import Path

try:
    from hatchling.metadata.plugin.interface import MetadataHookInterface
except ImportError:  # for the test of what stands below
    MetadataHookInterface = object

LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")
REMOTE = re.compile(
    r"(?:https://|ssh://)?(?:[^@/]+@)?([\w-]+(?:\.[\w-]+)+)[:/]([\w./-]+?)(?:\.git)?/?"
)


class CustomMetadataHook(MetadataHookInterface):
    """Called by hatchling for each build."""

    def update(self, metadata: dict) -> None:
        """Fill in `readme` and `urls`."""
        root = Path(self.root)
        address = address_of(root)
        text = (root / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, address)}
        metadata["urls"] = urls(address) if address else {}


def address_of(root: Path) -> str:
    """Address of the project on the web, without what a remote says of a user; "" if unknown."""
    if said := os.environ.get("MINIVAE_HOME", ""):
        return said.rstrip("/")
    if (root / "PKG-INFO").is_file():  # that of an unpacked source distribution
        text = (root / "PKG-INFO").read_text(encoding="utf-8")
        found = re.search(r"^Project-URL: Homepage, (\S+)$", text, flags=re.MULTILINE)
        return found[1] if found else ""
    try:
        asked = ["git", "-C", str(root), "remote", "get-url", "origin"]
        remote = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    found = REMOTE.fullmatch(remote)
    return f"https://{found[1]}/{found[2]}" if found else ""


def urls(address: str) -> dict[str, str]:
    """The links beside the README."""
    return {
        "Homepage": address,
        "Documentation": f"{address}/blob/main/tutorials/README.md",
        "Changelog": f"{address}/blob/main/.github/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }


def absolute(text: str, address: str) -> str:
    """Text whose links lead to `address`; without one, to nowhere: their words alone."""

    def link(match: re.Match) -> str:
        picture, words, path = match.groups()
        if not address:
            return "" if picture else words
        return f"{picture}[{words}]({address}/{'raw' if picture else 'blob'}/main/{path})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts)
