"""The pages' files: types, caching, and a policy that lets in only what is ours."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from tests.web.web_kit import ORIGIN, House, house, problem
from web import pages
from web.public import finished
from web.security import API_POLICY, page_policy

HTML = b"""<!doctype html><title>x</title>
<script type="importmap">{"imports":{"a":"/static/lib/a.mjs"}}</script>
<script type="module" src="/static/main.js"></script>"""


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "static"
    (folder / "lib").mkdir(parents=True)
    for name in pages.PAGES.values():
        (folder / name).write_bytes(HTML)
    (folder / "lib" / "a.mjs").write_text("export const a = 1;\n" * 200)
    (folder / "lib" / "notes.txt").write_text("not served")
    (folder / ".hidden.js").write_text("not served")
    (folder / "icon.svg").write_text("<svg/>")
    (folder / "out.js").symlink_to(tmp_path / "secret.js")
    (tmp_path / "secret.js").write_text("not served")
    monkeypatch.setattr(pages, "STATIC", folder)
    return folder


def directives(answer: httpx.Response) -> dict[str, list[str]]:
    parts = [part.split() for part in answer.headers["content-security-policy"].split(";")]
    return {part[0]: part[1:] for part in parts}


def test_every_page_lets_in_exactly_its_own_import_map(tmp_path: Path, static: Path) -> None:
    async def run() -> None:
        async with house(tmp_path / "site") as h:
            browser = h.browser()
            for path in pages.PAGES:
                answer = await browser.get(path)
                assert answer.status_code == 200
                assert answer.headers["content-type"] == "text/html; charset=utf-8"
                inline = answer.content.split(b'<script type="importmap">')[1].split(b"</script>")[0]
                digest = base64.b64encode(hashlib.sha256(inline).digest()).decode()
                policy = directives(answer)
                assert policy["script-src"] == ["'self'", f"'sha256-{digest}'"]
                assert policy["default-src"] == ["'none'"]
                assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
                assert policy["style-src"] == policy["connect-src"] == ["'self'"]
                assert "unsafe" not in answer.headers["content-security-policy"]

    asyncio.run(run())


def test_the_real_pages_have_one_inline_script_and_it_is_the_import_map() -> None:
    for name in pages.PAGES.values():
        html = (pages.STATIC / name).read_bytes()
        inline = html.count(b"<script") - html.count(b'<script type="module" src=')
        assert page_policy(html).count("'sha256-") == inline, name
        for forbidden in (b" style=", b"<style", b" onclick=", b" onload=", b"http://", b"https://"):
            assert forbidden not in html, (name, forbidden)


def test_modules_are_javascript_packed_and_revalidated(tmp_path: Path, static: Path) -> None:
    async def run() -> None:
        async with house(tmp_path / "site") as h:
            browser = h.browser()
            answer = await browser.get("/static/lib/a.mjs")
            assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.headers["cache-control"] == "no-cache"
            plain = await browser.get("/static/lib/a.mjs", headers={"Accept-Encoding": "identity"})
            assert "content-encoding" not in plain.headers
            assert plain.content == answer.content
            again = await browser.get("/static/lib/a.mjs", headers={"If-None-Match": answer.headers["etag"]})
            assert again.status_code == 304
            (static / "lib" / "a.mjs").write_text("export const a = 2;\n")
            changed = await browser.get("/static/lib/a.mjs", headers={"If-None-Match": answer.headers["etag"]})
            assert changed.text == "export const a = 2;\n"
            for path in ("lib/notes.txt", ".hidden.js", "out.js", "lib", "lib/", "nothing.js"):
                problem(await browser.get(f"/static/{path}"), 404, "not_found")
            assert (await browser.get("/favicon.ico")).headers["content-type"] == "image/svg+xml"

    asyncio.run(run())


async def some_answers(h: House) -> list[httpx.Response]:
    operator = await h.signed_in("operator")
    return [
        await operator.get("/"), await operator.get("/static/icon.svg"), await operator.get("/api/v1/cameras"),
        await operator.get("/api/v1/nothing"), await operator.post("/api/v1/incidents/x/note", json={}),
        await operator.delete("/api/v1/incidents"), await h.browser().get("/api/v1/cameras"),
    ]  # fmt: skip


def test_every_answer_carries_the_security_headers(tmp_path: Path, static: Path) -> None:
    async def run() -> None:
        async with house(tmp_path / "site") as h:
            for answer in await some_answers(h):
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["x-frame-options"] == "DENY"
                assert answer.headers["referrer-policy"] == "same-origin"
                assert answer.headers["cross-origin-opener-policy"] == "same-origin"
                assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
                assert "geolocation=(self)" in answer.headers["permissions-policy"]
                if answer.url.path.startswith("/api"):
                    assert answer.headers["cache-control"] == "no-store"
                    assert answer.headers["content-security-policy"] == API_POLICY

    asyncio.run(run())


def test_text_of_strangers_is_never_html(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            evil = "<script>alert(1)</script>"
            answer = await h.browser().get(f"/api/v1/incidents/{evil}")
            assert answer.headers["content-type"] == "application/problem+json"
            body = problem(await h.browser(Origin=f"http://{evil}").post("/api/v1/session", json={}), 403, "wrong_origin")
            assert body["title"]
            missing = await h.browser().get(f"/{evil}")
            problem(missing, 404, "not_found")

    asyncio.run(run())


def test_a_fault_of_ours_gets_a_number_and_keeps_its_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            client = await h.signed_in("operator", **{"Accept-Language": "zh"})

            def broken(*_: object) -> None:
                raise ZeroDivisionError("secret detail")

            monkeypatch.setattr(h.desk, "units", broken)
            with capture_logs() as logs:
                answer = await client.get("/api/v1/units")
            body = problem(answer, 500, "internal")
            assert [(one["event"], one["number"]) for one in logs] == [("web.fault", body["number"])]
            assert body["number"] in body["detail"]
            assert "secret" not in answer.text
            assert answer.headers["x-frame-options"] == "DENY"

    asyncio.run(run())


def test_site_and_public_page_speak_both_languages(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            site = (await (await h.signed_in("responder")).get("/api/v1/site")).json()
            assert site["name_zh"] == "测试市"
            assert {hazard["kind"] for hazard in site["hazards"]} == {"intrusion", "crowding", "stopped_vehicle", "fire"}
            assert all(reason["en"] and reason["zh"] for reason in site["dismiss_reasons"])
            assert site["map"]["basemap_url"] is None
            (south, west), (north, east) = site["map"]["bounds"]
            assert south < 60.17 < north
            assert west < 24.94 < east
            problem(await (await h.signed_in("responder")).get("/api/v1/map/basemap"), 404, "not_found")
            answer = await h.browser().get("/api/v1/public")
            public = answer.json()
            assert answer.status_code == 200
            assert [camera["purpose_zh"] for camera in public["cameras"]] == ["监看台阶"] * 3
            assert public["cameras"][0]["hazards"] == ["intrusion"]
            assert public["cameras"][0]["zones"] == [{"name": "Stairs", "name_zh": "台阶", "hazard": "intrusion"}]
            assert public["retention"] == {"outside_incident_hours": 0.0, "incident_clip_days": 30.0}
            assert public["alarms"] == {"kinds": {}}
            assert finished({"kinds": {"fire": {"incidents": 5, "open": 2, "false_alarms": 1}}, "outbox": 9}) == {
                "fire": {"incidents": 3, "false_alarms": 1}
            }

    asyncio.run(run())


def test_the_base_map_is_packed_and_cacheable(tmp_path: Path) -> None:
    import gzip
    import json

    async def run() -> None:
        async with house(tmp_path) as h:
            collection = {"type": "FeatureCollection", "features": []}
            (h.layout.map / "basemap-abc-1.geojson.gz").write_bytes(gzip.compress(json.dumps(collection).encode()))
            meta = {"bounds": [[60.1, 24.8], [60.2, 25.0]], "files": {"basemap": "basemap-abc-1.geojson.gz"}}
            (h.layout.map / "meta.json").write_text(json.dumps(meta))
            client = await h.signed_in("operator")
            site = (await client.get("/api/v1/site")).json()["map"]
            assert site["bounds"] == [[60.1, 24.8], [60.2, 25.0]]
            assert site["basemap_url"] == "/api/v1/map/basemap"
            answer = await client.get(site["basemap_url"])
            assert answer.json() == collection
            assert answer.headers["content-encoding"] == "gzip"
            plain = await client.get(site["basemap_url"], headers={"Accept-Encoding": "identity"})
            assert plain.json() == collection
            assert (await client.get(site["basemap_url"], headers={"If-None-Match": answer.headers["etag"]})).status_code == 304

    asyncio.run(run())


def test_a_footprint_is_a_simple_polygon(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            [camera] = (await (await h.signed_in("operator")).get("/api/v1/cameras")).json()["cameras"]
            assert camera["footprint"] == [[60.1703, 24.94], [60.1703, 24.9402], [60.1701, 24.9402], [60.1701, 24.94]]
            assert camera["health"]["state"] == "connecting"
            assert camera["health"]["reason_zh"]
            assert ORIGIN.startswith("http")

    asyncio.run(run())
