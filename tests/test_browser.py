"""The browser that pages are tested in: what it notices."""

import pytest

import browser


def test_a_page_is_opened_and_watched(visit, tmp_path):
    path = tmp_path / "a.html"
    path.write_text(
        "<title>A</title><script>fetch('http://example.org/x').catch(() => 0); "
        "console.warn('mind'); setTimeout(() => missing(), 0)</script>"
        "<button onclick='this.textContent = 1 + 1'>?</button>"
    )
    seen = visit(path, scheme="dark")
    seen.page.click("button")
    assert seen.page.text_content("button") == "2"
    assert seen.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    seen.page.wait_for_timeout(50)
    assert seen.requests == [path.as_uri(), "http://example.org/x"]
    assert seen.outside == ["http://example.org/x"]
    assert any("mind" in text for text in seen.errors)
    assert any("missing is not defined" in text for text in seen.errors)
    assert any("ERR_INTERNET_DISCONNECTED" in text for text in seen.errors)


def test_a_silent_page_leaves_no_trace(visit, tmp_path):
    path = tmp_path / "a.html"
    path.write_text("<p>A</p><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>")
    seen = visit(path)
    assert (seen.errors, seen.outside) == ([], [])


@pytest.mark.parametrize("required", [True, False])
def test_a_missing_browser_is_said_in_one_sentence(monkeypatch, required):
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    monkeypatch.delenv("MINIVAE_REQUIRE_ALL", raising=False)
    if required:
        monkeypatch.setenv("MINIVAE_REQUIRE_ALL", "1")
    kind = pytest.fail.Exception if required else pytest.skip.Exception
    with pytest.raises(kind, match=r"no Chromium was found.*apt-get install chromium`\.$"):
        browser.chromium().__enter__()
