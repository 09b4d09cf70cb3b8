"""A headless Chromium for tests of pages: opens a file, and keeps what it asks for.

Playwright drives the machine's own Chromium over the DevTools protocol. Tests take the fixture
`visit` (in `conftest.py`) and do the rest with Playwright's page: `evaluate`, `mouse`, `keyboard`,
`screenshot`.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

QUIET = ("--disable-gpu", "--disable-background-networking", "--disable-component-update")


@dataclass
class Visit:
    """A page that was opened, and what happened in it since.

    Attributes
    ----------
    page : playwright.sync_api.Page
        The page.
    errors : list of str
        Errors and warnings on the console, and exceptions that nobody caught.
    requests : list of str
        Addresses that were asked for, in order, `blob:` and `data:` among them; the first is the
        page's own.
    """

    page: object
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def outside(self) -> list[str]:
        """Requests that leave the machine, or read another file than the page."""
        own = self.requests[:1]
        return [
            url for url in self.requests if url not in own and url[:5] not in ("blob:", "data:")
        ]


def missing() -> str:
    """Why there is no browser to test with, in one sentence; "" if there is one."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "Playwright is not installed, which drives the browser; `pip install playwright`."
    if not any(map(shutil.which, NAMES)):
        return "no Chromium was found, which pages are tested in; `apt-get install chromium`."
    return ""


@contextmanager
def chromium() -> Iterator:
    """Start Chromium without a window; skip the test without one, or fail where all is required.

    While it runs, an event loop runs in this thread, so keep it no longer than one test file.
    """
    reason = missing()
    if reason and os.environ.get("MINIVAE_REQUIRE_ALL"):
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visited(browser, path, *, size=(1200, 900), scheme="light", offline=True, **options):
    """Open a page in a context of its own: `with visited(browser, "a.html") as visit: ...`.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
        From `chromium`.
    path : str or Path
        The HTML file.
    size : (int, int)
        Width and height of the window.
    scheme : {"light", "dark"}
        What the page is told of the reader's preference.
    offline : bool
        Whether the network is off.
    **options
        More for Playwright's `new_context`, such as `has_touch`.
    """
    size = dict(zip(("width", "height"), size, strict=True))
    context = browser.new_context(viewport=size, color_scheme=scheme, offline=offline, **options)
    try:
        page = context.new_page()
        visit = Visit(page)
        devtools = context.new_cdp_session(page)
        devtools.send("Network.enable")
        devtools.on(
            "Network.requestWillBeSent",
            lambda event: visit.requests.append(event["request"]["url"]),
        )
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                visit.errors.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        page.goto(Path(path).resolve().as_uri())
        yield visit
    finally:
        context.close()
