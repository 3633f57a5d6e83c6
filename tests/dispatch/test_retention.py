"""Which clips and thumbnails have had their time, and what the store keeps as a proof."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Retention
from dispatch.retention import GRACE_S, Due, Holder, OnDisk, due
from dispatch.service import Desk
from tests.dispatch.conftest import Desks
from tests.dispatch.dispatch_kit import NOW_S, OPERATOR, confirmed, sighting

DAY_S = 86_400.0
times = st.floats(0, 1e6)
settings = st.builds(Retention, outside_incident_hours=st.floats(0, 72), incident_clip_days=st.floats(0, 10))
holders = st.lists(st.builds(Holder, st.sampled_from(["a", "b", "c"]), st.one_of(st.none(), times)), max_size=4)


@given(times, holders, settings, times, times)
def test_the_rule(ended_at_s: float, held: list[Holder], kept: Retention, now_s: float, heard_s: float) -> None:
    found = due(ended_at_s, held, kept, now_s, heard_s=heard_s)
    assert due(ended_at_s, held, kept, now_s, heard_s=heard_s, being_written=True) is None
    if found is None:
        return
    ends = [one.ended_at_s for one in held]
    assert None not in ends, "never a clip of an open incident"
    assert found.since_s == max(ended_at_s, *(s for s in ends if s is not None), ended_at_s)
    if held:
        assert found.rule == "incident_clip_days"
        assert now_s - found.since_s >= kept.incident_clip_days * DAY_S
    else:
        assert found.rule == "outside_incident_hours"
        assert min(now_s, heard_s) - ended_at_s >= GRACE_S
        assert now_s - ended_at_s >= kept.outside_incident_hours * 3600
    later = due(ended_at_s, held, kept, now_s + 1e7, heard_s=heard_s + 1e7)
    assert later == found, "what is due stays due, by the same rule"


@given(times, st.lists(st.builds(Holder, st.just("a"), times), min_size=1, max_size=3), settings)
def test_everything_goes_in_the_end(ended_at_s: float, held: list[Holder], kept: Retention) -> None:
    for some in (held, []):
        assert isinstance(due(ended_at_s, some, kept, 1e8, heard_s=1e8), Due)


def closed_clip(desk: Desk, name: str = "clip-1", at_s: float = NOW_S) -> OnDisk:
    message = {"clip": name, "camera": "cam-1", "state": "closed", "file": f"{name}.mp4", "started_at_s": at_s - 10,
               "ended_at_s": at_s + 20, "bytes": 7, "sha256": "c" * 64}  # fmt: skip
    desk.clip_event(message, at_s + 20)
    return OnDisk(f"clips/{name}.mp4", 7, at_s + 20)


PICTURE = OnDisk(f"thumbnails/{'t' * 64}.jpg", 3, NOW_S)


def test_a_clip_goes_when_its_incident_is_long_over_with_a_proof_that_verifies(desk: Desk) -> None:
    incident = confirmed(desk)
    found = [closed_clip(desk), PICTURE]
    far_s = NOW_S + 400 * DAY_S
    assert desk.removable(found, far_s, far_s).due == (), "open: kept, however old"
    desk.act(incident, "dismiss", reason="harmless", actor=OPERATOR, now_s=NOW_S + 100)
    end_s = NOW_S + 100
    assert desk.removable(found, end_s + 30 * DAY_S - 1, far_s).due == ()
    desk.act(incident, "note", note="a late note", actor=OPERATOR, now_s=end_s + 29 * DAY_S)
    now_s = end_s + 30 * DAY_S
    due_now = desk.removable(found, now_s, now_s).due
    assert [one.file for one in due_now] == ["clips/clip-1.mp4", PICTURE.file], "a note does not lengthen it"
    assert all(desk.remove(one, now_s, now_s) for one in due_now)
    entry = next(one for one in desk.audit(incident) if one.action == "clip.deleted")
    assert (entry.actor, entry.role, entry.entity) == ("callout", "system", "clip-1")
    assert entry.detail == {
        "file": "clip-1.mp4", "camera": "cam-1", "sha256": "c" * 64, "bytes": 7, "started_at_s": NOW_S - 10,
        "ended_at_s": NOW_S + 20, "reason": "retention", "rule": "incident_clip_days", "limit_s": 30 * DAY_S,
        "kept_since_s": end_s, "incident": incident,
    }  # fmt: skip
    assert "thumbnail.deleted" in [one.action for one in desk.audit(incident)]
    shown = desk.incident(incident)
    assert [(one.state, one.deleted_at_s) for one in shown.clips] == [("deleted", now_s)]
    assert (shown.thumbnail, shown.thumbnail_deleted_at_s) == (None, now_s)
    assert shown.evidence is not None
    assert shown.evidence.thumbnail is None
    assert [line.text_zh for line in shown.journal if line.code == "clip.deleted"] == ["录像已按期删除"]
    assert desk.verify_audit().verified


def test_after_a_crash_the_file_that_is_left_goes_without_a_second_proof(desks: Desks) -> None:
    desk = desks()
    desk.act(confirmed(desk), "cancel", actor=OPERATOR, now_s=NOW_S + 100)
    found = [closed_clip(desk), PICTURE]
    now_s = NOW_S + 100 + 31 * DAY_S
    for one in desk.removable(found, now_s, now_s).due:
        assert desk.remove(one, now_s, now_s)
    proofs = len(desk.audit())
    desk.close()  # here the process dies: the files are still there
    desk = desks()
    again = desk.removable(found, now_s + 5, now_s + 5)
    assert again.due == ()
    assert set(again.left_over) == {one.file for one in found}
    assert len(desk.audit()) == proofs


def test_a_reopened_incident_keeps_its_clip_at_the_last_moment(desk: Desk) -> None:
    incident = confirmed(desk)
    desk.act(incident, "dismiss", reason="drill", actor=OPERATOR, now_s=NOW_S + 100)
    found, now_s = [closed_clip(desk)], NOW_S + 60 * DAY_S
    (one,) = desk.removable(found, now_s, now_s).due
    desk.act(incident, "reopen", actor=OPERATOR, now_s=now_s)
    assert not desk.remove(one, now_s, now_s)
    assert [clip.state for clip in desk.incident(incident).clips] == ["closed"]


def test_what_several_incidents_share_is_kept_for_the_last(desk: Desk) -> None:
    first = confirmed(desk)
    other = desk.receive(sighting(2, NOW_S, zone="bridge"), NOW_S).id
    found, now_s = [closed_clip(desk), PICTURE], NOW_S + 60 * DAY_S
    desk.act(first, "dismiss", reason="drill", actor=OPERATOR, now_s=NOW_S + 100)
    assert desk.removable(found, now_s, now_s).due == ()
    desk.act(other, "cancel", actor=OPERATOR, now_s=now_s)
    later_s = now_s + 30 * DAY_S
    clip, _ = desk.removable(found, later_s, later_s).due
    assert set(clip.incidents) == {first, other}
    assert desk.remove(clip, later_s, later_s)
    assert all(desk.incident(id_).clips[0].state == "deleted" for id_ in (first, other))


def test_a_clip_that_no_incident_joined_goes_after_a_short_grace(desk: Desk) -> None:
    row, orphan = closed_clip(desk, "nobodys"), OnDisk("clips/orphan.mp4", 5, NOW_S + 20)
    written = OnDisk("clips/growing.mp4", 5, NOW_S, being_written=True)
    found, end_s = [row, orphan, written], NOW_S + 20
    assert desk.removable(found, end_s + GRACE_S - 1, end_s + GRACE_S).due == ()
    assert desk.removable(found, end_s + DAY_S, end_s).due == (), "the bus was not read through since"
    due_now = desk.removable(found, end_s + GRACE_S, end_s + GRACE_S).due
    assert [(one.clip, one.due.rule) for one in due_now] == [(n, "outside_incident_hours") for n in ("nobodys", "orphan")]
    desk.receive(sighting(clip="orphan"), end_s + GRACE_S)
    assert [desk.remove(one, end_s + GRACE_S, end_s + GRACE_S) for one in due_now] == [True, False]


def test_a_clip_that_somebody_took_away_is_on_the_record_once(desk: Desk) -> None:
    incident = confirmed(desk)
    closed_clip(desk)
    desk.act(incident, "dismiss", reason="drill", actor=OPERATOR, now_s=NOW_S + 100)
    now_s = NOW_S + 60 * DAY_S
    (one,) = desk.removable([], now_s, now_s).due
    assert not one.present
    assert desk.remove(one, now_s, now_s)
    assert desk.removable([], now_s, now_s).due == ()
    assert [e.action for e in desk.audit(incident) if e.action.startswith("clip.")][-1] == "clip.missing"
    assert [e.action for e in desk.audit(incident)].count("clip.deleted") == 0


def test_a_new_file_under_a_deleted_name_gets_a_proof_of_its_own(desk: Desk) -> None:
    now_s = NOW_S + DAY_S
    found = closed_clip(desk, "again")
    (one,) = desk.removable([found], now_s, now_s).due
    assert desk.remove(one, now_s, now_s)
    new = OnDisk("clips/again.mp4", 9, now_s + 60)
    assert desk.removable([new], now_s + 70, now_s + 70) == desk.removable([], now_s, now_s)
    (two,) = desk.removable([new], now_s + DAY_S, now_s + DAY_S).due
    assert (two.sha256, two.bytes) == ("", 9), "the row's hash is the old file's"


def test_a_store_of_the_first_version_is_brought_up(tmp_path: Path, desks: Desks) -> None:
    import sqlite3

    from dispatch.store import SCHEMA

    old = sqlite3.connect(tmp_path / "callout.db")
    old.executescript((SCHEMA / "001_first.sql").read_text(encoding="utf-8") + "\nPRAGMA user_version = 1;")
    old.close()
    desk = desks()
    assert desk.incident(confirmed(desk)).thumbnail is not None
    assert desk.removable([PICTURE], NOW_S, NOW_S).due == ()
