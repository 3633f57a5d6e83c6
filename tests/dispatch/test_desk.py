"""The desk's doors, as web uses them: the journey of an incident, offers that go on to the next, refusals, restarts."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dispatch.errors import BadInput, Forbidden, Impossible, NotFound, Refusal, Stale, StoreFailed, Taken
from dispatch.service import Desk
from tests.dispatch.conftest import Desks
from tests.dispatch.dispatch_kit import (
    COMMANDER,
    NOW_S,
    OPERATOR,
    confirmed,
    helsinki_roads,
    on_duty,
    open_desk,
    responder,
    settings,
    sighting,
)
from vision.sighting import Evidence, HazardKind

UNIT_STEPS = ("accepted", "en_route", "on_scene", "cleared")
CLIP = {"clip": "clip-1", "camera": "cam-1", "state": "open", "file": "clip-1.mp4", "started_at_s": NOW_S - 10, "bytes": 0}


def test_the_whole_journey(desks: Desks) -> None:
    desk = desks(router=helsinki_roads())
    on_duty(desk)
    desk.clip_event(CLIP, NOW_S)
    incident = desk.receive(sighting(), NOW_S)
    assert (incident.number, incident.state, incident.priority) == (1, "received", 2)
    assert incident.thumbnail == f"/media/thumbnails/{'t' * 64}.jpg"
    assert [c.id for c in incident.clips] == ["clip-1"]
    desk.watched(OPERATOR, "cam-1", "clear", incident.id, "s", NOW_S + 1)
    version = desk.incident(incident.id).version
    decided = desk.act(incident.id, "confirm", expected_version=version, actor=OPERATOR, now_s=NOW_S + 2)
    assert decided.state == "confirmed"
    best = desk.recommend(incident.id, NOW_S + 3).chosen[0]
    offered = desk.offer(incident.id, best, actor=COMMANDER, now_s=NOW_S + 4)
    assert (offered.state, offered.answer_by_s) == ("offered", NOW_S + 34)
    assert offered.route
    assert desk.unit(best).committed_to == incident.id
    assert desk.mine(best).incident is not None
    states = []
    for k, action in enumerate(("accept", "en_route", "on_scene")):
        answered = desk.answer(offered.id, action, actor=responder(best), now_s=NOW_S + 10 + k, client_time_s=NOW_S + 9)
        states.append((answered.state, desk.incident(incident.id).state))
    assert states == [("accepted", "responding"), ("en_route", "responding"), ("on_scene", "on_scene")]
    desk.act(incident.id, "control", actor=OPERATOR, now_s=NOW_S + 20)
    assert "clear" not in desk.incident(incident.id).next
    desk.answer(offered.id, "clear", actor=responder(best), now_s=NOW_S + 30)
    assert desk.unit(best).committed_to is None
    assert "clear" in desk.incident(incident.id).next
    desk.clip_event(CLIP | {"state": "closed", "ended_at_s": NOW_S + 9, "bytes": 7, "sha256": "e" * 64}, NOW_S + 31)
    for action in ("clear", "verify", "close"):
        done = desk.act(incident.id, action, actor=OPERATOR, now_s=NOW_S + 40)
    assert (done.state, done.next) == ("closed", ("reopen",))
    assert desk.incidents() == []
    assert len(desk.incidents("all")) == 1
    assert desk.mine(best).assignment is None
    actions = [e.action for e in desk.audit(incident.id)]
    steps = ["received", "triage", "confirm", "control", "clear", "verify", "close"]
    assert [a for a in actions if a in [f"incident.{step}" for step in steps]] == [f"incident.{step}" for step in steps]
    assert [a for a in actions if a.startswith("assignment.")] == [f"assignment.{s}" for s in ("offered", *UNIT_STEPS)]
    assert "watched" in actions
    assert "clip.closed" in actions
    assert desk.verify_audit().verified
    for line in done.journal:
        assert line.text
        assert line.text_zh
        assert "{" not in line.text + line.text_zh
    json.dumps(done.as_json())


def test_declined_and_unanswered_offers_go_on_to_the_next_until_nobody_is_left(desks: Desks) -> None:
    desk = desks(settings(4, offer_timeout_s=30.0), helsinki_roads())
    on_duty(desk)
    incident = confirmed(desk)
    order = [c.unit for c in desk.recommend(incident, NOW_S).candidates if c.suitable]
    first = desk.offer(incident, order[0], actor=COMMANDER, now_s=NOW_S)
    desk.answer(first.id, "decline", reason="busy", actor=responder(order[0]), now_s=NOW_S + 5)
    held = desk.incident(incident).assignments
    assert [(a.unit, a.state) for a in held] == [(order[0], "declined"), (order[1], "offered")]
    assert desk.incident(incident).state == "dispatching"
    assert desk.next_due_s() == NOW_S + 35
    assert desk.due(NOW_S + 34.9) == []
    changes = desk.due(NOW_S + 35)
    assert [c.code for c in changes] == ["offer_timed_out"]
    desk.due(NOW_S + 65)
    desk.due(NOW_S + 95)
    shown = desk.incident(incident)
    assert [a.unit for a in shown.assignments] == order
    assert {a.state for a in shown.assignments} == {"declined", "timed_out"}
    assert shown.state == "confirmed"
    assert shown.alert is not None
    assert (shown.alert.code, shown.alert.at_s) == ("no_unit", NOW_S + 95)
    said = [line.code for line in shown.journal]
    assert said.count("assignment.offered_next") == 3
    assert said[-1] == "incident.alert.no_unit"
    assert {line.actor for line in shown.journal if line.code == "assignment.offered_next"} == {"callout"}
    assert "alert" in [row.message.get("type") for row in desk.take(1000)]
    again = desk.offer(incident, order[0], actor=COMMANDER, now_s=NOW_S + 100)  # a person may still ask again
    assert again.state == "offered"
    assert desk.incident(incident).alert is None


def test_callout_replaces_but_never_adds(desks: Desks) -> None:
    desk = desks(router=helsinki_roads())
    on_duty(desk)
    incident = confirmed(desk)  # the plan asks for one
    one = desk.offer(incident, "u0", actor=COMMANDER, now_s=NOW_S)
    two = desk.offer(incident, "u1", actor=COMMANDER, now_s=NOW_S)
    desk.answer(one.id, "accept", actor=responder("u0"), now_s=NOW_S + 1)
    desk.answer(two.id, "decline", actor=responder("u1"), now_s=NOW_S + 2)
    assert len(desk.incident(incident).assignments) == 2
    desk.answer(one.id, "unable", reason="puncture", actor=responder("u0"), now_s=NOW_S + 3)
    third = desk.incident(incident).assignments[-1]
    assert (third.state, third.unit in ("u0", "u1")) == ("offered", False)


def test_withdrawing_frees_the_unit_and_asks_nobody_else(desks: Desks) -> None:
    desk = desks(router=helsinki_roads())
    on_duty(desk)
    incident = confirmed(desk)
    offered = desk.offer(incident, "u0", actor=COMMANDER, now_s=NOW_S)
    gone = desk.withdraw(offered.id, reason="not needed", actor=COMMANDER, now_s=NOW_S + 1)
    assert (gone.state, gone.ended_reason, gone.next) == ("withdrawn", "not needed", ())
    assert desk.unit("u0").committed_to is None
    assert desk.incident(incident).state == "confirmed"
    assert len(desk.incident(incident).assignments) == 1
    assert desk.next_due_s() != offered.answer_by_s


@pytest.mark.parametrize(("action", "reason"), [("dismiss", "drill"), ("cancel", "")])
def test_ending_an_incident_frees_its_units_and_closes_its_pictures(desk: Desk, action: str, reason: str) -> None:
    on_duty(desk)
    incident = confirmed(desk)
    offered = desk.offer(incident, "u0", actor=COMMANDER, now_s=NOW_S)
    grant = desk.grant(incident, "to see the square", actor=OPERATOR, now_s=NOW_S)
    desk.act(incident, action, reason=reason, actor=OPERATOR, now_s=NOW_S + 1)
    assert desk.assignment(offered.id).state == "withdrawn"
    assert desk.unit("u0").committed_to is None
    with pytest.raises(NotFound):
        desk.grant_of(grant.grant, NOW_S + 2)
    assert {"type": "grant_ended", "grant": grant.grant, "camera": "cam-1"} in [r.message for r in desk.take(100)]


def test_stale_decisions_are_refused_with_the_incident_as_it_is(desk: Desk) -> None:
    shown = desk.receive(sighting(), NOW_S)
    desk.act(shown.id, "confirm", expected_version=shown.version, actor=OPERATOR, now_s=NOW_S)
    with pytest.raises(Stale) as refusal:
        desk.act(shown.id, "dismiss", reason="drill", expected_version=shown.version, actor=COMMANDER, now_s=NOW_S)
    assert refusal.value.current.state == "confirmed"
    assert refusal.value.facts()["current"]["version"] == shown.version + 1
    assert "重新查看" in refusal.value.text("zh")


def test_a_command_sent_twice_is_done_once(desk: Desk) -> None:
    on_duty(desk)
    incident = desk.receive(sighting(), NOW_S).id
    one = desk.act(incident, "confirm", key="k1", actor=OPERATOR, now_s=NOW_S)
    two = desk.act(incident, "confirm", key="k1", actor=OPERATOR, now_s=NOW_S + 1)
    assert one.version == two.version
    first = desk.offer(incident, "u0", key="k2", actor=COMMANDER, now_s=NOW_S)
    assert desk.offer(incident, "u0", key="k2", actor=COMMANDER, now_s=NOW_S + 1).id == first.id
    desk.answer(first.id, "accept", key="k3", actor=responder("u0"), now_s=NOW_S + 2)
    desk.answer(first.id, "accept", key="k3", actor=responder("u0"), now_s=NOW_S + 3)
    with pytest.raises(BadInput, match="another command"):
        desk.offer(incident, "u1", key="k2", actor=COMMANDER, now_s=NOW_S)
    with pytest.raises(BadInput, match="Idempotency-Key"):
        desk.offer(incident, "u1", key="x" * 300, actor=COMMANDER, now_s=NOW_S)
    assert [e.action for e in desk.audit(incident)].count("assignment.accepted") == 1


def test_refusals_name_what_is_wrong_and_leave_no_trace(desk: Desk) -> None:
    on_duty(desk)
    received = desk.receive(sighting(), NOW_S).id
    incident = confirmed(desk, 2, zone="other")
    held = desk.offer(incident, "u0", actor=COMMANDER, now_s=NOW_S)
    desk.unit_state("u3", "off_duty", actor=responder("u3"), now_s=NOW_S)
    entries = desk.verify_audit().entries
    refused: list[tuple[type[Refusal], Any]] = [
        (Impossible, lambda: desk.offer(received, "u1", actor=COMMANDER, now_s=NOW_S)),
        (Impossible, lambda: desk.offer(incident, "u3", actor=COMMANDER, now_s=NOW_S)),
        (Impossible, lambda: desk.offer(incident, "u1", actor=COMMANDER, now_s=NOW_S + 999)),  # not heard of for long
        (Impossible, lambda: desk.answer(held.id, "clear", actor=responder("u0"), now_s=NOW_S)),
        (Impossible, lambda: desk.answer(held.id, "accept", actor=responder("u0"), now_s=NOW_S + 31)),
        (Impossible, lambda: desk.unit_state("u0", "off_duty", actor=responder("u0"), now_s=NOW_S)),
        (Impossible, lambda: desk.position("u3", 60.17, 24.94, 5, None, NOW_S)),
        (Impossible, lambda: desk.act(incident, "verify", actor=OPERATOR, now_s=NOW_S)),
        (Impossible, lambda: desk.act(incident, "abolish", actor=OPERATOR, now_s=NOW_S)),
        (Taken, lambda: desk.offer(incident, "u0", actor=COMMANDER, now_s=NOW_S)),
        (Forbidden, lambda: desk.answer(held.id, "accept", actor=responder("u1"), now_s=NOW_S)),
        (Forbidden, lambda: desk.unit_state("u1", "off_duty", actor=responder("u2"), now_s=NOW_S)),
        (NotFound, lambda: desk.offer(incident, "u99", actor=COMMANDER, now_s=NOW_S)),
        (NotFound, lambda: desk.act("nope", "confirm", actor=OPERATOR, now_s=NOW_S)),
        (NotFound, lambda: desk.answer("nope", "accept", actor=responder("u0"), now_s=NOW_S)),
        (NotFound, lambda: desk.withdraw("nope", actor=COMMANDER, now_s=NOW_S)),
        (NotFound, lambda: desk.recommend("nope", NOW_S)),
        (NotFound, lambda: desk.unit("u99")),
        (NotFound, lambda: desk.grant_of("nope", NOW_S)),
        (BadInput, lambda: desk.answer(held.id, "withdraw", actor=responder("u0"), now_s=NOW_S)),
        (BadInput, lambda: desk.position("u0", math.nan, 24.94, 5, None, NOW_S)),
        (BadInput, lambda: desk.position("u0", 60.0, 24.94, -5, None, NOW_S)),
        (BadInput, lambda: desk.unit_state("u0", "asleep", actor=responder("u0"), now_s=NOW_S)),
        (BadInput, lambda: desk.grant(incident, "  ", actor=OPERATOR, now_s=NOW_S)),
        (BadInput, lambda: desk.act(incident, "dismiss", actor=OPERATOR, now_s=NOW_S)),
        (BadInput, lambda: desk.act(received, "duplicate", reason="nope", actor=OPERATOR, now_s=NOW_S)),
        (BadInput, lambda: desk.clip_event({"clip": "c"}, NOW_S)),
        (BadInput, lambda: desk.clip_event(CLIP | {"file": "../../etc/passwd"}, NOW_S)),
        (BadInput, lambda: desk.incidents("closed")),
    ]
    for kind, call in refused:
        with pytest.raises(kind) as refusal:
            call()
        assert refusal.value.code
        assert refusal.value.text("en")
        assert any("\u4e00" <= c <= "\u9fff" for c in refusal.value.text("zh")) or kind is BadInput
        json.dumps(refusal.value.facts())
    assert desk.verify_audit().entries == entries
    assert desk.assignment(held.id).state == "offered"


def test_a_grant_opens_for_its_time_only(desk: Desk) -> None:
    desk.clip_event(CLIP, NOW_S)
    incident = desk.receive(sighting(), NOW_S).id
    grant = desk.grant(incident, "to see who needs help", actor=OPERATOR, now_s=NOW_S)
    assert desk.incident(incident).state == "triage"  # somebody is looking
    assert (grant.camera, grant.expires_at_s, grant.whep) == ("cam-1", NOW_S + 300, f"/whep/clear/{grant.grant}")
    assert grant.clips[0].url == f"/media/clips/clip-1.mp4?grant={grant.grant}"
    assert desk.grant_of(grant.grant, NOW_S + 299).actor == "olga"
    with pytest.raises(NotFound):
        desk.grant_of(grant.grant, NOW_S + 300)
    assert [(c.code, c.entity) for c in desk.due(NOW_S + 300)] == [("grant_expired", grant.grant)]
    other = desk.grant(incident, "once more", actor=OPERATOR, now_s=NOW_S + 301)
    desk.end_grant(other.grant, actor=OPERATOR, now_s=NOW_S + 302)
    with pytest.raises(NotFound):
        desk.grant_of(other.grant, NOW_S + 303)
    said = [e.action for e in desk.audit(incident)]
    assert said.count("grant.opened") == 2
    assert "grant.expired" in said
    assert "grant.ended" in said
    assert grant.grant not in json.dumps([e.as_json() for e in desk.audit()])  # the record does not hold the key


def test_a_clock_that_was_set_back_gives_a_grant_no_second_life(desk: Desk) -> None:
    grant = desk.grant(desk.receive(sighting(), NOW_S).id, "to see who needs help", actor=OPERATOR, now_s=NOW_S)
    with pytest.raises(NotFound):
        desk.grant_of(grant.grant, NOW_S - 1)


def test_checking_the_record_waits_for_nobody_and_holds_up_nobody(desk: Desk) -> None:
    desk.receive(sighting(), NOW_S)
    with desk._store.read(), ThreadPoolExecutor(1) as other:  # somebody reads meanwhile
        assert other.submit(desk.verify_audit).result(5).verified


def test_contact_is_lost_and_found_again(desk: Desk) -> None:
    on_duty(desk, NOW_S, "u0", "u1")
    desk.position("u1", 60.17, 24.94, 5.0, None, NOW_S + 100)
    assert desk.next_due_s() == NOW_S + 120
    assert [(c.code, c.entity) for c in desk.due(NOW_S + 121)] == [("lost_contact", "u0")]
    assert desk.unit("u0").state == "lost_contact"
    assert desk.due(NOW_S + 122) == []
    desk.position("u0", 60.17, 24.94, 5.0, None, NOW_S + 130)
    assert desk.unit("u0").state == "available"


def test_positions_are_not_a_history(desk: Desk) -> None:
    on_duty(desk, NOW_S, "u0")
    desk.position("u0", 60.17, 24.94, 5.0, NOW_S + 9, NOW_S + 10)
    shown = desk.position("u0", 60.18, 24.95, 5.0, NOW_S + 2, NOW_S + 11)  # a late, older one
    assert shown.position is not None
    assert (shown.position.lat, shown.position.at_s) == (60.17, NOW_S + 9)
    shown = desk.position("u0", 60.18, 24.95, 5.0, NOW_S + 9999, NOW_S + 12)  # a phone whose clock is wrong
    assert shown.position is not None
    assert shown.position.at_s == NOW_S + 12
    assert not any("60.1" in json.dumps(e.as_json()) for e in desk.audit())
    assert desk.unit_state("u0", "off_duty", actor=responder("u0"), now_s=NOW_S + 13).position is None


def test_the_outbox_is_at_least_once_and_in_order(desks: Desks) -> None:
    desk = desks()
    on_duty(desk)
    desk.done([r.seq for r in desk.take(1000)])
    incident = confirmed(desk)
    rows = desk.take()
    assert [r.seq for r in rows] == sorted(r.seq for r in rows)
    assert [r.message["type"] for r in rows] == ["incident"]  # two changes, told once, as things stand
    assert rows[0].message["incident"]["state"] == "confirmed"
    desk.offer(incident, "u0", actor=COMMANDER, now_s=NOW_S)
    desk.done([r.seq for r in rows])
    desk.close()
    desk = desks()
    kinds = {r.message["type"] for r in desk.take()}
    assert kinds == {"incident", "assignment", "unit"}  # told again after a restart
    desk.done([r.seq for r in desk.take()])
    assert desk.take() == []


def test_a_restart_finds_everything_where_it_was(desks: Desks) -> None:
    desk = desks(router=helsinki_roads())
    on_duty(desk)
    incident = confirmed(desk)
    offered = desk.offer(incident, "u0", actor=COMMANDER, now_s=NOW_S)
    grant = desk.grant(incident, "to see", actor=OPERATOR, now_s=NOW_S)
    before = (desk.incident(incident), desk.units(), desk.audit(), desk.next_due_s())
    desk.close()
    desk = desks(router=helsinki_roads())
    assert (desk.incident(incident), desk.units(), desk.audit(), desk.next_due_s()) == before
    assert desk.grant_of(grant.grant, NOW_S + 1) == grant
    with pytest.raises(Taken):
        desk.offer(incident, "u0", actor=COMMANDER, now_s=NOW_S + 1)
    desk.due(NOW_S + 31)  # the deadline survived
    assert desk.assignment(offered.id).state == "timed_out"


def test_a_second_desk_on_the_same_store_is_refused(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="another Callout is running"):
        open_desk(tmp_path)
    desk.close()
    open_desk(tmp_path).close()


def test_of_many_who_offer_one_unit_exactly_one_wins(desks: Desks) -> None:
    desk = desks(router=helsinki_roads())
    on_duty(desk)
    incidents = [confirmed(desk, k, zone=f"z{k}") for k in range(8)]
    outcomes: list[str] = []
    start = threading.Barrier(len(incidents))

    def offer(incident: str) -> None:
        start.wait(10)
        try:
            desk.offer(incident, "u0", actor=COMMANDER, now_s=NOW_S)
            outcomes.append("won")
        except Taken:
            outcomes.append("taken")

    threads = [threading.Thread(target=offer, args=(i,)) for i in incidents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["taken"] * 7 + ["won"]
    states = [desk.incident(i).state for i in incidents]
    assert sorted(states) == ["confirmed"] * 7 + ["dispatching"]
    assert desk.verify_audit().verified


def test_readers_and_writers_at_the_same_time(desks: Desks) -> None:
    desk = desks(router=helsinki_roads())
    on_duty(desk)
    errors: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                for shown in desk.incidents("all"):
                    desk.recommend(shown.id, NOW_S)
                desk.units()
                desk.take()
        except BaseException as error:  # noqa: BLE001  # handed to the test
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    for k in range(40):
        desk.receive(sighting(k, NOW_S + k, zone=f"z{k % 4}"), NOW_S + k)
        desk.position("u1", 60.17 + k * 1e-5, 24.94, 5.0, None, NOW_S + k)
    stop.set()
    for thread in readers:
        thread.join(30)
    assert errors == []
    assert len(desk.incidents()) == 4


def test_figures_for_the_public_page(desk: Desk) -> None:
    first = desk.receive(sighting(1, kind=HazardKind.FIRE), NOW_S)
    desk.receive(sighting(2, kind=HazardKind.FIRE, zone="b"), NOW_S)
    desk.act(first.id, "dismiss", reason="nothing_there", actor=OPERATOR, now_s=NOW_S)
    assert desk.figures()["kinds"]["fire"] == {"incidents": 2, "false_alarms": 1, "open": 1}


def test_only_the_cameras_that_one_may_see(desk: Desk) -> None:
    desk.receive(sighting(1), NOW_S)
    other = desk.receive(sighting(2, camera="cam-2"), NOW_S)
    assert [i.id for i in desk.incidents(cameras=["cam-2"])] == [other.id]
    assert desk.incidents(cameras=[]) == []


def test_a_phone_that_asks_is_not_lost_and_costs_a_transaction_now_and_then(desk: Desk) -> None:
    on_duty(desk, NOW_S, "u0")
    me, entries = responder("u0"), len(desk.audit())
    desk.done([row.seq for row in desk.take(1000)])
    written = 0
    for k in range(1, 301):  # ten minutes, every two seconds
        before = desk._store._db.total_changes
        desk.heard("u0", actor=me, now_s=NOW_S + 2 * k)
        written += desk._store._db.total_changes > before
        assert desk.due(NOW_S + 2 * k) == []
    assert desk.unit("u0").state == "available"
    assert written == 20
    assert (len(desk.audit()), desk.take(1000)) == (entries, []), "asking is no event"
    assert [(c.code, c.entity) for c in desk.due(NOW_S + 600 + 121)] == [("lost_contact", "u0")]
    desk.heard("u0", actor=me, now_s=NOW_S + 800)
    assert desk.unit("u0").state == "available"
    assert desk.audit()[-1].action == "unit.available"
    desk.unit_state("u0", "off_duty", actor=me, now_s=NOW_S + 810)
    desk.heard("u0", actor=me, now_s=NOW_S + 2000)
    assert desk.unit("u0").state == "off_duty", "asking does not put anybody on duty"


def test_the_journal_says_for_how_long_and_why_a_clear_picture_was_opened(desk: Desk) -> None:
    incident = confirmed(desk)
    desk.grant(incident, "Is somebody hurt?", actor=OPERATOR, now_s=NOW_S + 1)
    (line,) = [one for one in desk.incident(incident).journal if one.code == "grant.opened"]
    assert line.text == "Clear picture of Square opened for 5 min: Is somebody hurt?"
    assert line.text_zh == "已打开 广场 的清晰画面，时限 5 分：Is somebody hurt?"


def test_an_incident_shows_why_its_newest_sighting_was_raised(desk: Desk) -> None:
    first = desk.receive(sighting(1), NOW_S)
    assert first.evidence is not None
    assert first.evidence.as_json() == {
        "rule": "intrusion-1", "model_sha256": "m" * 64, "thresholds": (("dwell_s", 1.0),), "measured": (("dwell_s", 1.4),),
        "thumbnail": f"/media/thumbnails/{'t' * 64}.jpg",
    }  # fmt: skip
    later = Evidence("m" * 64, "intrusion-1", (("dwell_s", 1.0),), (("dwell_s", 9.5),), "u" * 64)
    desk.receive(sighting(2, NOW_S + 8, evidence=later), NOW_S + 8)
    desk.receive(sighting(3, NOW_S + 4), NOW_S + 9)  # came late
    shown = desk.incidents()[0].evidence
    assert shown is not None
    assert shown.measured == (("dwell_s", 9.5),)
    assert shown.thumbnail == f"/media/thumbnails/{'u' * 64}.jpg"
    json.dumps(desk.incident(first.id).as_json())


def test_what_others_write_about_an_incident_is_in_its_record(desk: Desk, tmp_path: Path) -> None:
    incident = confirmed(desk)
    desk.record(OPERATOR, "live.ended", "cam-1", {"why": "closed"}, NOW_S + 1, incident)
    desk.record(OPERATOR, "session.opened", "session", {}, NOW_S + 2)
    entry = desk.audit(incident)[-1]
    assert (entry.action, entry.detail) == ("live.ended", {"why": "closed", "incident": incident})
    whole = desk.audit(incident)
    desk.close()
    forged = sqlite3.connect(tmp_path / "callout.db")  # whoever owns the file detaches entries: the column is not hashed
    forged.executescript("DROP TRIGGER audit_is_never_edited; UPDATE audit SET incident = '';")
    forged.close()
    again = open_desk(tmp_path)
    try:
        kept = again.audit(incident)
        assert [e.seq for e in kept] == [e.seq for e in whole]
        assert again.verify_audit().verified
    finally:
        again.close()
