"""Grants, clips, thumbnails and WHEP: a clear picture only under one's own living grant, and who watched is on the record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import feed
from streams.source_errors import Why
from tests.web.web_kit import NOW_S, THUMBNAIL, House, house, problem, sighting
from web.media import CHUNK_BYTES, Part, open_inside, part_of
from web.problems import Problem
from web.viewing import REFUSALS

SDP = {"Content-Type": "application/sdp"}
OFFER = "v=0\r\no=- offer\r\n"
CLIP = bytes(range(256)) * 40


async def with_clip(h: House, state: str = "open", name: str = "clip-1") -> dict[str, Any]:
    """An incident with a clip on disk."""
    incident = await h.opened(clip=name)
    (h.layout.clips / f"{name}.mp4").write_bytes(CLIP)
    event: dict[str, Any] = {
        "clip": name, "camera": "gate", "state": state, "file": f"{name}.mp4", "started_at_s": NOW_S - 10, "bytes": len(CLIP),
    }  # fmt: skip
    if state == "closed":
        event |= {"ended_at_s": NOW_S, "sha256": "c" * 64}
    await h.services.on_desk(h.desk.clip_event, event, h.clock())
    return incident


async def grant(client: httpx.AsyncClient, incident: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await client.post(f"/api/v1/incidents/{incident['id']}/grants", json={"purpose": "is it smoke?"}, headers=headers)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def record(h: House, incident: dict[str, Any]) -> list[dict[str, Any]]:
    client = await h.signed_in("auditor")
    answer = (await client.get(f"/api/v1/audit?incident={incident['id']}")).json()
    assert answer["verified"] is True
    entries: list[dict[str, Any]] = answer["entries"]
    return entries


def test_a_clip_needs_ones_own_living_grant(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator, commander = await h.signed_in("operator"), await h.signed_in("commander")
            incident = await with_clip(h)
            path = "/media/clips/clip-1.mp4"
            problem(await operator.get(path), 403, "no_grant")
            problem(await operator.get(path, params={"grant": "made-up"}), 403, "no_grant")
            given = await grant(operator, incident)
            assert given["camera"] == "gate"
            assert given["whep"] == f"/whep/clear/{given['grant']}"
            assert [one["id"] for one in given["clips"]] == ["clip-1"]
            answer = await operator.get(given["clips"][0]["url"])
            assert answer.status_code == 200
            assert answer.content == CLIP
            assert answer.headers["content-type"] == "video/mp4"
            assert answer.headers["cache-control"] == "no-store"
            problem(await commander.get(path, params={"grant": given["grant"]}), 403, "no_grant")
            problem(await operator.get("/media/clips/clip-2.mp4", params={"grant": given["grant"]}), 404, "not_found")
            h.clock.advance(61)
            problem(await operator.get(path, params={"grant": given["grant"]}), 403, "no_grant")
            problem(await operator.post(given["whep"], content=OFFER, headers=SDP), 403, "no_grant")

    asyncio.run(run())


def test_an_ended_grant_opens_nothing_and_closes_its_pictures(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            incident = await with_clip(h)
            given = await grant(operator, incident)
            assert (await operator.post(given["whep"], content=OFFER, headers=SDP)).status_code == 201
            problem(await (await h.signed_in("commander")).delete(f"/api/v1/grants/{given['grant']}"), 404, "not_found")
            assert (await operator.delete(f"/api/v1/grants/{given['grant']}")).status_code == 204
            assert h.live.open == {}
            problem(await operator.get(given["clips"][0]["url"]), 403, "no_grant")
            problem(await operator.delete(f"/api/v1/grants/{given['grant']}"), 404, "not_found")

    asyncio.run(run())


@pytest.mark.parametrize("how", ["grant ended", "signed out", "time is up"])
def test_a_download_under_way_ends_with_its_grant(tmp_path: Path, how: str) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            incident = await with_clip(h)
            (h.layout.clips / "clip-1.mp4").write_bytes(bytes(4 * CHUNK_BYTES))
            given = await grant(operator, incident)
            got = 0

            async def end() -> None:
                if how == "grant ended":
                    assert (await operator.delete(f"/api/v1/grants/{given['grant']}")).status_code == 204
                elif how == "signed out":
                    assert (await operator.delete("/api/v1/session")).status_code == 204
                else:
                    h.clock.advance(61)

            async def send(message: Any) -> None:
                nonlocal got
                if message["type"] == "http.response.body" and message.get("body"):
                    got += len(message["body"])
                    if got == CHUNK_BYTES:
                        await end()

            async def receive() -> Any:
                await asyncio.Event().wait()

            path, _, query = given["clips"][0]["url"].partition("?")
            cookie = f"callout_session={operator.cookies['callout_session']}"
            scope = {
                "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
                "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
                "headers": [(b"host", b"callout.test"), (b"cookie", cookie.encode())], "client": ("192.0.2.7", 1),
                "server": ("callout.test", 80),
            }  # fmt: skip
            async with asyncio.timeout(10):
                await h.app(scope, receive, send)
            assert got == CHUNK_BYTES

    asyncio.run(run())


def test_a_grant_needs_a_purpose_and_a_repeat_opens_no_second_one(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            incident = await with_clip(h)
            path = f"/api/v1/incidents/{incident['id']}/grants"
            problem(await operator.post(path, json={}), 422, "bad_input")
            problem(await operator.post(path, json={"purpose": "   "}), 422, "bad_input")
            key = {"Idempotency-Key": "g"}
            assert await grant(operator, incident, **key) == await grant(operator, incident, **key)

    asyncio.run(run())


def test_ranges_of_a_clip_that_is_still_growing(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            incident = await with_clip(h)
            url = (await grant(operator, incident))["clips"][0]["url"]
            answer = await operator.get(url, headers={"Range": "bytes=10-19"})
            assert answer.status_code == 206
            assert answer.content == CLIP[10:20]
            assert answer.headers["content-range"] == f"bytes 10-19/{len(CLIP)}"
            assert answer.headers["accept-ranges"] == "bytes"
            assert (await operator.get(url, headers={"Range": "bytes=-5"})).content == CLIP[-5:]
            behind = await operator.get(url, headers={"Range": f"bytes={len(CLIP)}-"})
            problem(behind, 416, "bad_range")
            assert behind.headers["content-range"] == f"bytes */{len(CLIP)}"
            with (h.layout.clips / "clip-1.mp4").open("ab") as file:
                file.write(b"more")
            answer = await operator.get(url, headers={"Range": f"bytes={len(CLIP)}-"})
            assert answer.content == b"more"
            watched = [entry for entry in await record(h, incident) if entry["action"] == "clip.watched"]
            assert [entry["actor"] for entry in watched] == ["operator"], "once for each grant, not for each piece"

    asyncio.run(run())


@given(st.integers(1, 1000), st.integers(0, 1200), st.integers(0, 1200))
def test_a_range_is_what_a_slice_is(size: int, first: int, last: int) -> None:
    data = bytes(size)
    for header, wanted in ((f"bytes={first}-{last}", slice(first, last + 1)), (f"bytes={first}-", slice(first, None))):
        if not data[wanted]:
            with pytest.raises(Problem, match="bad_range"):
                part_of(header, size)
            continue
        part = part_of(header, size)
        assert part.partial
        assert data[part.start : part.start + part.length] == data[wanted]
        assert part.length == len(data[wanted])


@pytest.mark.parametrize("header", ["bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5", "bytes=1-2-3", ""])
def test_other_ranges_give_the_whole(header: str) -> None:
    assert part_of(header, 10) == Part(0, 10, partial=False)


@pytest.mark.parametrize("name", ["../callout.db", "a/b.mp4", "/etc/passwd", "..", ".", "", "link.mp4", "folder.mp4"])
def test_only_plain_files_of_the_folder_are_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "callout.db").write_text("secret")
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "link.mp4").symlink_to(tmp_path / "callout.db")
    (clips / "folder.mp4").mkdir()
    with pytest.raises(OSError):
        open_inside(clips, name)


TRAVERSAL = [
    "/media/clips/..%2f..%2fcallout.db.mp4", "/media/clips/..%2f..%2fcallout.db", "/media/clips/../../callout.db",
    "/media/thumbnails/..%2f..%2fcallout.db.jpg", "/media/thumbnails/%2e%2e%2fclips%2fclip-1.mp4.jpg",
    "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/..%5capp.py", "/static//etc/passwd",
    "/static/.hidden.js", "/static/vendor/../../accounts.py", "/static/lib/%00.js", "/media/clips/a%00b.mp4",
]  # fmt: skip


@pytest.mark.parametrize("path", TRAVERSAL)
def test_no_path_leads_out_of_the_folders(tmp_path: Path, path: str) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            incident = await with_clip(h)
            given = await grant(operator, incident)
            answer = await operator.get(httpx.URL(f"http://callout.test{path}?grant={given['grant']}"))
            assert answer.status_code in (403, 404, 422), answer.text

    asyncio.run(run())


def test_thumbnails_belong_to_incidents_that_one_may_see(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            (h.layout.thumbnails / f"{THUMBNAIL}.jpg").write_bytes(b"\xff\xd8covered")
            path = f"/media/thumbnails/{THUMBNAIL}.jpg"
            operator = await h.signed_in("operator")
            problem(await operator.get(path), 404, "not_found")
            incident = await h.opened()
            assert incident["thumbnail"] == path
            answer = await operator.get(path)
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.content == b"\xff\xd8covered"
            for name in ("depot-operator", "north-operator", "responder", "auditor"):
                problem(await (await h.signed_in(name)).get(path), 404, "not_found")
            problem(await (await h.signed_in("admin")).get(path), 403, "not_allowed")
            problem(await h.browser().get(path), 401, "not_signed_in")

    asyncio.run(run())


def test_the_still_of_a_later_sighting_is_served_as_the_first_one_is(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            await h.opened()
            later = replace(sighting(number=2).evidence, thumbnail_sha256="e" * 64)
            incident = await h.opened(number=2, evidence=later)
            (h.layout.thumbnails / f"{'e' * 64}.jpg").write_bytes(b"later")
            path = incident["evidence"]["thumbnail"]
            assert path != incident["thumbnail"]
            assert (await (await h.signed_in("operator")).get(path)).content == b"later"
            problem(await (await h.signed_in("north-operator")).get(path), 404, "not_found")

    asyncio.run(run())


def test_wall_and_clear_pictures_are_opened_recorded_and_closed(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            incident = await h.opened()
            wall = await operator.post("/whep/wall/gate", content=OFFER, headers=SDP)
            assert wall.status_code == 201
            assert wall.headers["content-type"] == "application/sdp"
            assert wall.text.startswith("v=0")
            given = await grant(operator, incident)
            clear = await operator.post(given["whep"], content=OFFER, headers=SDP)
            session = clear.headers["location"].removeprefix("/whep/session/")
            offer = h.live.open[session]
            assert isinstance(offer, feed.Offer)
            assert (offer.camera, offer.view, offer.sdp) == ("gate", "clear", OFFER)
            assert offer.expires_at_s == given["expires_at_s"], "the live process itself ends it with the grant"
            problem(await (await h.signed_in("commander")).delete(clear.headers["location"]), 404, "not_found")
            h.clock.advance(7)
            assert (await operator.delete(clear.headers["location"])).status_code == 200
            assert session in h.live.closed
            problem(await operator.delete(clear.headers["location"]), 404, "not_found")
            entries = await record(h, incident)
            ended = [entry for entry in entries if entry["action"] == "live.ended"]
            assert [(entry["actor"], entry["role"]) for entry in ended] == [("operator", "operator")]
            assert ended[0]["detail"]["ended_at_s"] - ended[0]["detail"]["started_at_s"] == 7
            assert any(session in str(entry["detail"]) and entry["action"] != "live.ended" for entry in entries), "the start"

    asyncio.run(run())


def test_what_cannot_be_recorded_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dispatch.errors import StoreFailed

    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")

            def full(*_: object) -> None:
                raise StoreFailed("callout.db", "No space left on device")

            monkeypatch.setattr(h.desk, "watched", full)
            problem(await operator.post("/whep/wall/gate", content=OFFER, headers=SDP), 507, "store_failed")
            assert h.live.open == {}
            assert len(h.services.watching) == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("code", "status", "problem_code"),
    [("no_camera", 404, "not_found"), ("no_video", 503, "no_video"), ("b_frames", 422, "b_frames"), ("bad_sdp", 400, "bad_sdp"),
     ("busy", 503, "busy"), ("something_new", 503, "no_video"),
     *((why.value, 503, "no_video") for why in Why if why != "b_frames")],
)  # fmt: skip
def test_refusals_of_the_live_process_in_words(tmp_path: Path, code: str, status: int, problem_code: str) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator", **{"Accept-Language": "zh"})
            h.live.refuse = feed.Refused(code, "in English")
            told = problem(await operator.post("/whep/wall/gate", content=OFFER, headers=SDP), status, problem_code)
            assert "English" not in str(told), "what the live process says is in English alone: it is for the log"
            assert any("\u4e00" <= letter <= "\u9fff" for letter in told["detail"])
            assert code in REFUSALS or code == "something_new"
            assert len(h.services.watching) == 0

    asyncio.run(run())


def test_offers_that_are_none(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            problem(await operator.post("/whep/wall/gate", content=OFFER), 415, "wrong_type")
            problem(await operator.post("/whep/wall/gate", content="hello", headers=SDP), 400, "bad_sdp")
            problem(await operator.post("/whep/wall/gate", content=b"v=0\xff", headers=SDP), 400, "bad_sdp")
            problem(await operator.post("/whep/wall/gate", content="v=0" + "x" * 70_000, headers=SDP), 413, "too_large")
            h.live.away = True
            problem(await operator.post("/whep/wall/gate", content=OFFER, headers=SDP), 503, "live_down")
            assert (await operator.delete("/whep/session/none")).status_code == 404

    asyncio.run(run())


def test_the_whole_record_is_for_auditors(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            await h.opened("bridge")
            auditor = await h.signed_in("auditor")
            answer = (await auditor.get("/api/v1/audit")).json()
            actions = [entry["action"] for entry in answer["entries"]]
            assert "session.opened" in actions
            assert (await auditor.get("/api/v1/audit/verify")).json()["verified"] is True
            problem(await (await h.signed_in("commander")).get("/api/v1/audit"), 403, "not_allowed")

    asyncio.run(run())


def test_a_covered_picture_of_an_incident_is_on_its_record_and_changes_nothing_else(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("commander")
            incident, other = await h.opened(), await h.opened("yard", 2)
            opened = await operator.post("/whep/wall/gate", params={"incident": incident["id"]}, content=OFFER, headers=SDP)
            assert opened.status_code == 201, opened.text
            assert (await operator.delete(opened.headers["location"])).status_code == 200
            wall = await operator.post("/whep/wall/gate", content=OFFER, headers=SDP)  # from the wall, for no incident
            assert (await operator.delete(wall.headers["location"])).status_code == 200
            said = [(e["action"], e["detail"]["view"], e["actor"]) for e in await record(h, incident) if "view" in e["detail"]]
            assert said == [("watched", "wall", "commander"), ("live.ended", "wall", "commander")]
            after = (await operator.get(f"/api/v1/incidents/{incident['id']}")).json()
            assert (after["state"], after["version"]) == ("received", incident["version"]), "a decision is not made stale by it"
            assert len(after["journal"]) == len(incident["journal"])
            for wrong in (other["id"], "nowhere", ""):
                answer = await operator.post("/whep/wall/gate", params={"incident": wrong}, content=OFFER, headers=SDP)
                problem(answer, 404, "not_found")
            assert h.live.open == {}

    asyncio.run(run())
