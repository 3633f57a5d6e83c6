"""Headless Chromium as people use it, with what the tests ask of its WebRTC connections."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.journey.running_site import until

FLAGS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-gl=angle", "--use-angle=swiftshader", "--mute-audio",
)  # fmt: skip

# Remembers every peer connection, so that a test can ask which codec really arrives.
REMEMBER_PEERS = """
  window.peers = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...words) { super(...words); window.peers.push(this); }
  };
"""

VIDEO_MIME = """
  async () => {
    const found = new Set();
    for (const peer of window.peers ?? []) {
      const all = [...(await peer.getStats()).values()];
      for (const row of all) if (row.type === "inbound-rtp" && row.kind === "video" && row.framesDecoded > 0)
        found.add(all.find((c) => c.id === row.codecId)?.mimeType);
    }
    return [...found];
  }
"""


def chromium_path() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    assert path, "tests marked `browser` need Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Complaints:
    """What a page's console and network said that they should not have."""

    def __init__(self, page: Page) -> None:
        self.said: list[str] = []
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("console", self._console)

    def _console(self, message: ConsoleMessage) -> None:
        # A 401 before sign-in is how the page learns that nobody is signed in; Chromium reports it as an error.
        if message.type == "error" and "401" not in message.text:
            self.said.append(f"console: {message.text}")


def open_page(browser: Browser, *, width: int, height: int, **options: Any) -> tuple[BrowserContext, Page]:
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", **options)
    context.add_init_script(REMEMBER_PEERS)
    page = context.new_page()
    page.set_default_timeout(20_000)
    return context, page


def sign_in(page: Page, address: str, name: str, password: str) -> None:
    page.goto(f"{address}/login")
    page.get_by_test_id("login-name").fill(name)
    page.get_by_test_id("login-password").fill(password)
    page.get_by_test_id("login-submit").click()
    page.wait_for_url(lambda url: "/login" not in url)


def plays(page: Page, testid: str) -> dict[str, float]:
    """Waits until the video has a size and its time advances; returns what it shows."""
    video = page.get_by_test_id(testid)
    video.wait_for()
    until(f"{testid} has a picture", lambda: video.evaluate("v => v.videoWidth > 0 && v.currentTime > 0"))
    before = video.evaluate("v => v.currentTime")
    until(f"{testid} goes on", lambda: abs(video.evaluate("v => v.currentTime") - before) > 0.5)
    shown: dict[str, float] = video.evaluate("v => ({width: v.videoWidth, height: v.videoHeight, time: v.currentTime})")
    return shown


def keep(page: Page, name: str) -> Path:
    """A screenshot for people to look at (artefacts/, git-ignored)."""
    folder = Path(__file__).resolve().parents[2] / "artefacts"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
    return folder / f"{name}.png"
