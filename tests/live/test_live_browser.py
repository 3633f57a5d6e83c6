"""Live video in a real browser: camera → fan-out → feed socket → live process → WebRTC → whep.js → <video>."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from configs.layout import Layout
from streams.live import FeedServer
from tests.live.live_kit import SIZE, Camera, Live, Site, until

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="needs Debian's chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def camera() -> Iterator[Camera]:
    camera = Camera().start()
    yield camera
    camera.stop()


@pytest.fixture
def site(tmp_path: Path, camera: Camera) -> Iterator[Site]:
    layout = Layout(tmp_path)
    layout.make()
    with FeedServer(layout.feed_socket(0), lambda name, view: camera.fanout if name == "cam" else None):
        live = Live(layout, {"cam": 0, "away": 1})
        site = Site(live)
        yield site
        site.close()
        assert live.stop() == 0, "".join(live.lines)


def facts(page: Page) -> dict[str, Any]:
    result: dict[str, Any] = page.evaluate("facts()")
    return result


def wait_for(page: Page, condition: Callable[[dict[str, Any]], object], otherwise: str, within_s: float = 12.0) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        seen = facts(page)
        if condition(seen):
            return seen
        time.sleep(0.1)
    seen["shown"] = seen["shown"][-5:]
    raise AssertionError(f"{otherwise}: {seen}")


def watch(browser: Browser, site: Site, camera: str = "cam", view: str = "clear", first: str = "") -> Page:
    page = browser.new_page()
    page.add_init_script(first)
    page.goto(site.url)
    page.wait_for_function("() => !!window.start")
    page.evaluate("url => start(url)", f"/whep/{view}/{camera}")
    return page


def state(seen: dict[str, Any]) -> str:
    return str(seen["states"][-1]["state"])


def test_it_plays_h264_at_once_fresh_and_for_a_second_viewer_in_mid_gop(browser: Browser, site: Site, camera: Camera) -> None:
    page = watch(browser, site)
    first = wait_for(page, lambda seen: state(seen) == "live" and len(seen["shown"]) > 15, "no moving picture")
    assert first["width"] == SIZE[0]
    assert first["codec"]["mimeType"] == "video/H264"
    assert first["inbound"]["framesDecoded"] > 0
    assert site.csrf[0] == "t"
    # A second viewer joins when the next key frame is at least a second away: the cache must serve it.
    until(lambda: 2 <= latest(camera) % 30 <= 10, "the middle of a GOP", 5)
    second = watch(browser, site)
    seen = wait_for(second, lambda facts: facts["first"] is not None and len(facts["shown"]) > 40, "no second picture")
    assert seen["first"] < 1500, "the first picture took longer than a second and a half"
    assert camera.fanout.viewers == 1, "the two viewers share one feed"
    # Capture to screen, read off the pictures themselves. A GOP stamped as filmed would stand at 2 s for ever.
    ages_ms = [(at - camera.shown_at[number]) * 1000 for number, at in seen["shown"][-25:] if number in camera.shown_at]
    assert statistics.median(ages_ms) < 300, ages_ms
    second.close()
    page.evaluate("player.stop()")
    until(lambda: len(site.live.states()) == 0, "closed sessions are forgotten")
    assert site.deleted
    assert wait_for(page, lambda f: state(f) == "ended", "stop() was not told")["states"][-1].get("problem") is None
    page.close()


def latest(camera: Camera) -> int:
    return max(camera.shown_at, key=lambda number: camera.shown_at[number], default=0)


def test_a_grant_that_expires_stops_the_picture_and_the_player_says_so(browser: Browser, site: Site) -> None:
    site.expires_at_s = time.time() + 4
    page = watch(browser, site)
    wait_for(page, lambda seen: state(seen) == "live", "no picture under a live grant")
    over = wait_for(page, lambda seen: state(seen) == "ended", "the picture went on after its grant", 20)
    assert over["states"][-1]["problem"]["status"] == 403
    pictures = over["shown"]  # the browser may show its last picture once more when the track ends
    last_new_s = max(at for before, (number, at) in pairwise(pictures) if number != before[0])
    assert last_new_s < site.expires_at_s + 1.5
    assert over["states"][-1]["at"] / 1000 < site.expires_at_s + 6, "the player noticed late"
    assert site.live.states() == {}
    page.close()


def test_a_source_that_dies_is_shown_as_stale_and_its_return_resumes_the_picture(
    browser: Browser, site: Site, camera: Camera
) -> None:
    page = watch(browser, site, view="wall")
    wait_for(page, lambda seen: state(seen) == "live", "no picture")
    sessions = set(site.live.states())
    camera.stop()
    camera.fanout.gone("no_video", "The camera does not answer.")
    died_ms = time.time() * 1000
    stale = wait_for(page, lambda seen: state(seen) == "stalled", "a frozen picture was not called stale")
    assert abs(stale["states"][-1]["sinceMs"] - died_ms) < 1500
    assert set(site.live.states().values()) == {"stalled"}
    shown = len(stale["shown"])
    camera.start()
    wait_for(page, lambda seen: state(seen) == "live" and len(seen["shown"]) > shown + 10, "the picture did not resume")
    assert set(site.live.states()) == sessions, "the same session went on"
    page.close()


def test_a_live_process_that_dies_is_asked_again(browser: Browser, site: Site) -> None:
    page = watch(browser, site)
    wait_for(page, lambda seen: state(seen) == "live", "no picture")
    old = site.live
    old.process.kill()
    old.process.wait()
    site.live = Live(old.layout, {"cam": 0})
    try:
        wait_for(page, lambda seen: state(seen) == "stalled", "a frozen picture was not called stale", 15)
        wait_for(page, lambda seen: state(seen) == "live", "the picture did not come back", 40)
        page.close()
    finally:
        site.live.stop()
        site.live = old
        old.lines.clear()
        old.process.returncode = 0


def test_no_camera_is_told_once_and_for_all_and_no_video_is_tried_again(browser: Browser, site: Site) -> None:
    page = watch(browser, site, "stranger")
    over = wait_for(page, lambda seen: state(seen) == "ended", "an unknown camera was asked for again and again")
    assert over["states"][-1]["problem"] == {"status": 404, "code": "no_camera", "title": "no_camera", "detail": "no_camera"}
    page.close()
    page = watch(browser, site, "away")
    seen = wait_for(page, lambda seen: seen["states"][-1].get("problem"), "no reason was told", 15)
    assert seen["states"][-1]["state"] == "connecting"
    assert seen["states"][-1]["problem"]["code"] == "no_video"
    page.close()


def test_without_any_network_the_same_pictures_come_over_http(browser: Browser, site: Site, camera: Camera) -> None:
    """Chromium on a host with nothing but a loopback gathers no addresses (measured in an empty network namespace)."""
    page = watch(browser, site, first="Object.defineProperty(navigator, 'onLine', { get: () => false });")
    seen = wait_for(page, lambda seen: state(seen) == "live" and len(seen["shown"]) > 40, "no moving picture")
    assert seen["width"] == SIZE[0]
    assert seen["connection"] is None, "no peer connection was needed"
    assert seen["first"] < 1500
    ages_ms = [(at - camera.shown_at[number]) * 1000 for number, at in seen["shown"][-25:] if number in camera.shown_at]
    assert statistics.median(ages_ms) < 300, ages_ms
    camera.stop()
    wait_for(page, lambda seen: state(seen) == "stalled", "a frozen picture was not called stale")
    camera.start()
    wait_for(page, lambda seen: state(seen) == "live", "the picture did not resume")
    page.evaluate("player.stop()")
    until(lambda: site.live.states() == {}, "closed sessions are forgotten")
    assert site.deleted
    page.close()


def test_where_udp_leads_nowhere_the_player_takes_the_detour_and_its_grant_still_ends(browser: Browser, site: Site) -> None:
    site.udp_blocked = True
    site.expires_at_s = time.time() + 9
    page = watch(browser, site)
    wait_for(page, lambda seen: state(seen) == "live", "no picture by the detour")
    over = wait_for(page, lambda seen: state(seen) == "ended", "the picture went on after its grant", 15)
    last_new_s = max(at for before, (number, at) in pairwise(over["shown"]) if number != before[0])
    assert last_new_s < site.expires_at_s + 1.5
    assert over["states"][-1]["problem"]["code"] == "grant_over"
    until(lambda: site.live.states() == {}, "closed sessions are forgotten")
    page.close()
