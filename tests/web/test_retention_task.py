"""Clips and thumbnails go on schedule, through the running app: the file, the proof, and what the console reads."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from dispatch.errors import StoreFailed
from tests.web.web_kit import NOW_S, THUMBNAIL, FakeBus, House, house, problem, until
from web import janitor, tasks
from web.janitor import Janitor

DAY_S = 86_400.0
CLIP = b"a clip" * 1000


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "LONGEST_SLEEP_S", 0.02)
    monkeypatch.setattr(tasks, "CLEAN_EVERY_S", 0.05)


def put(path: Path, data: bytes, at_s: float) -> Path:
    path.write_bytes(data)
    os.utime(path, (at_s, at_s))
    return path


async def dismissed(h: House, name: str = "clip-1") -> dict[str, Any]:
    """An incident that a person ended, with its clip and its still on disk."""
    incident = await h.opened(clip=name)
    event = {
        "clip": name, "camera": "gate", "state": "closed", "file": f"{name}.mp4", "started_at_s": NOW_S - 10,
        "ended_at_s": NOW_S + 5, "bytes": len(CLIP), "sha256": hashlib.sha256(CLIP).hexdigest(),
    }  # fmt: skip
    await h.services.on_desk(h.desk.clip_event, event, h.clock())
    put(h.layout.clips / f"{name}.mp4", CLIP, NOW_S + 5)
    put(h.layout.thumbnails / f"{THUMBNAIL}.jpg", b"still", NOW_S)
    operator = await h.signed_in("operator")
    answer = await operator.post(
        f"/api/v1/incidents/{incident['id']}/dismiss", json={"reason": "drill"}, headers={"If-Match": f'"{incident["version"]}"'}
    )
    assert answer.status_code == 200, answer.text
    return incident


def actions(h: House) -> list[str]:
    return [entry.action for entry in h.desk.audit(limit=10_000)]


def test_the_task_deletes_when_the_time_has_come_and_the_console_says_so(tmp_path: Path) -> None:
    async def run() -> None:
        bus = FakeBus()
        async with house(tmp_path, bus=bus, background=True) as h:
            incident = await dismissed(h)
            operator = await h.signed_in("operator")
            clip = h.layout.clips / "clip-1.mp4"
            await until(lambda: h.services.counters.counts.get("outbox_published"))
            h.clock.advance(29 * DAY_S)
            await asyncio.sleep(0.2)  # several rounds: nothing may happen
            assert clip.exists()
            h.clock.advance(2 * DAY_S)
            await until(lambda: not clip.exists() and not (h.layout.thumbnails / f"{THUMBNAIL}.jpg").exists())
            operator = await h.signed_in("operator")
            shown = (await operator.get(f"/api/v1/incidents/{incident['id']}")).json()
            assert [one["state"] for one in shown["clips"]] == ["deleted"]
            assert shown["thumbnail"] is None
            assert shown["thumbnail_deleted_at_s"] == h.clock()
            entries = (await operator.get("/api/v1/audit", params={"incident": incident["id"]})).json()
            assert entries["verified"]
            proof = next(one for one in entries["entries"] if one["action"] == "clip.deleted")
            assert proof["detail"]["sha256"] == hashlib.sha256(CLIP).hexdigest()
            assert proof["detail"]["bytes"] == len(CLIP)
            assert proof["detail"]["rule"] == "incident_clip_days"
            problem(await operator.get(f"/media/thumbnails/{THUMBNAIL}.jpg"), 404, "not_found")
            metrics = await h.browser().get("/metrics")
            assert metrics.status_code in (200, 401)

    asyncio.run(run())


def test_an_incident_that_is_open_again_has_no_clip_but_says_why(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            incident = await dismissed(h)
            h.clock.advance(31 * DAY_S)
            assert await Janitor(h.services).clean(h.clock(), h.clock()) == 2
            operator = await h.signed_in("operator")
            shown = (await operator.get(f"/api/v1/incidents/{incident['id']}")).json()
            headers = {"If-Match": f'"{shown["version"]}"'}
            assert (
                await operator.post(f"/api/v1/incidents/{incident['id']}/reopen", json={}, headers=headers)
            ).status_code == 200
            given = (await operator.post(f"/api/v1/incidents/{incident['id']}/grants", json={"purpose": "look again"})).json()
            assert given["clips"] == []
            answer = await operator.get("/media/clips/clip-1.mp4", params={"grant": given["grant"]})
            assert problem(answer, 410, "deleted")["detail"] == "The clip was deleted on schedule."

    asyncio.run(run())


def test_a_crash_between_proof_and_file_is_mended_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            await dismissed(h)
            h.clock.advance(31 * DAY_S)

            def dies(path: Path) -> None:
                raise KeyboardInterrupt

            with monkeypatch.context() as patched:
                patched.setattr(janitor, "_unlink", dies)
                with pytest.raises(KeyboardInterrupt):
                    await Janitor(h.services).clean(h.clock(), h.clock())
            assert actions(h).count("clip.deleted") == 1
            assert (h.layout.clips / "clip-1.mp4").exists()
            assert await Janitor(h.services).clean(h.clock(), h.clock()) == 2
            assert actions(h).count("clip.deleted") == 1
            assert actions(h).count("thumbnail.deleted") == 1
            assert list(h.layout.clips.iterdir()) == []

    asyncio.run(run())


def test_what_cannot_be_proved_is_not_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            await dismissed(h)
            h.clock.advance(31 * DAY_S)

            def full(*_: Any) -> bool:
                raise StoreFailed("callout.db", "the disk is full")

            with monkeypatch.context() as patched:
                patched.setattr(h.desk, "remove", full)
                with pytest.raises(StoreFailed):
                    await Janitor(h.services).clean(h.clock(), h.clock())
            assert (h.layout.clips / "clip-1.mp4").exists()
            assert await Janitor(h.services).clean(h.clock(), h.clock()) == 2

    asyncio.run(run())


def test_a_file_that_the_disk_does_not_let_go_is_on_the_record_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            incident = await dismissed(h)
            h.clock.advance(31 * DAY_S)

            def stuck(path: Path) -> None:
                raise PermissionError(1, "Operation not permitted")

            keeper = Janitor(h.services)
            with monkeypatch.context() as patched:
                patched.setattr(janitor, "_unlink", stuck)
                for _ in range(3):
                    assert await keeper.clean(h.clock(), h.clock()) == 0
            told = [entry for entry in h.desk.audit(incident["id"]) if entry.action == "media.not_deleted"]
            assert [entry.detail["file"] for entry in told] == ["clip-1.mp4", f"{THUMBNAIL}.jpg"]
            assert await keeper.clean(h.clock(), h.clock()) == 2

    asyncio.run(run())


def test_orphans_go_by_the_same_rule_but_nothing_that_is_being_written(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            clips, now_s = h.layout.clips, NOW_S + DAY_S
            put(clips / "orphan.mp4", CLIP, NOW_S)
            put(clips / "left.mp4", b"torn", NOW_S)  # its camera was taken out of the settings: nobody mends it
            (clips / "left.open").write_text("{}")
            put(clips / "open.mp4", b"open", now_s - 600)
            (clips / "open.open").write_text("{}")
            put(clips / "young.mp4", b"young", now_s - 600)
            put(h.layout.thumbnails / f"{'f' * 64}.jpg", b"nobody's", NOW_S)
            (clips / "link.mp4").symlink_to(tmp_path / "callout.db")
            (clips / "notes.txt").write_text("not ours")
            assert await Janitor(h.services).clean(now_s, now_s) == 3
            assert {path.name for path in clips.iterdir()} == {"open.mp4", "open.open", "young.mp4", "link.mp4", "notes.txt"}
            assert list(h.layout.thumbnails.iterdir()) == []
            proof = next(entry for entry in h.desk.audit() if entry.entity == "orphan")
            assert proof.detail["sha256"] == hashlib.sha256(CLIP).hexdigest()
            assert proof.detail["rule"] == "outside_incident_hours"
            assert h.desk.verify_audit().verified

    asyncio.run(run())


def test_a_media_folder_that_cannot_be_read_says_nothing_of_what_was_in_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            await dismissed(h)
            h.clock.advance(31 * DAY_S)
            h.layout.clips.rename(tmp_path / "elsewhere")
            with pytest.raises(OSError, match="clips"):
                await Janitor(h.services).clean(h.clock(), h.clock())
            assert not [one for one in actions(h) if one in ("clip.deleted", "clip.missing")]

    asyncio.run(run())
