"""Many sightings, one incident; what was dismissed stays dismissed for a while, not for ever."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch import intake
from dispatch.errors import BadInput
from dispatch.incident import State
from dispatch.service import Desk
from tests.dispatch.dispatch_kit import CAMERA, NOW_S, OPERATOR, PLACE, sighting
from vision.sighting import Ground, HazardKind


def test_a_burning_bin_is_one_row(desk: Desk) -> None:
    for k in range(40):
        shown = desk.receive(sighting(k, NOW_S + 3 * k, score=0.5 + k / 100), NOW_S + 3 * k)
    assert len(desk.incidents()) == 1
    assert (shown.sightings, shown.first_seen_s, shown.last_seen_s) == (40, NOW_S - 1, NOW_S + 117)
    assert shown.score == pytest.approx(0.89)
    assert shown.version == 1  # what people decide on did not change


def test_the_same_sighting_twice_counts_once(desk: Desk) -> None:
    first = desk.receive(sighting(1), NOW_S)
    again = desk.receive(sighting(1), NOW_S + 500)
    assert (first.id, first.sightings) == (again.id, again.sightings)
    assert len(desk.audit(first.id)) == 1


@pytest.mark.parametrize(
    ("change", "incidents"),
    [
        ({}, 1),
        ({"zone": "platform"}, 2),
        ({"camera": "cam-2"}, 2),
        ({"kind": HazardKind.FIRE}, 2),
        ({"ground": Ground(PLACE[0] + 0.0002, PLACE[1], 5.0)}, 1),  # 22 m away
        ({"ground": Ground(PLACE[0] + 0.001, PLACE[1], 5.0)}, 2),  # 111 m away
        ({"ground": Ground(PLACE[0] + 0.001, PLACE[1], 60.0)}, 1),  # 111 m away, but nobody knows so exactly
        ({"ground": None}, 1),  # the zone is all that is known
    ],
)
def test_what_belongs_together(desk: Desk, change: dict[str, object], incidents: int) -> None:
    desk.receive(sighting(1), NOW_S)
    desk.receive(sighting(2, NOW_S + 10, **change), NOW_S + 10)
    assert len(desk.incidents()) == incidents


@pytest.mark.parametrize(("gap_s", "incidents"), [(100.0, 1), (119.0, 1), (140.0, 2)])
def test_quiet_time_ends_an_event(desk: Desk, gap_s: float, incidents: int) -> None:
    desk.receive(sighting(1), NOW_S)
    later = NOW_S + gap_s
    desk.receive(sighting(2, later, began_at_s=later), later)
    assert len(desk.incidents()) == incidents


def test_an_event_that_never_stopped_is_the_same_however_long_nothing_was_said(desk: Desk) -> None:
    desk.receive(sighting(1), NOW_S)
    desk.receive(sighting(2, NOW_S + 900, began_at_s=NOW_S - 1), NOW_S + 900)
    assert len(desk.incidents()) == 1


def test_a_false_alarm_does_not_come_back_at_once_but_does_in_the_end(desk: Desk) -> None:
    first = desk.receive(sighting(1), NOW_S)
    desk.act(first.id, "dismiss", reason="misread_picture", actor=OPERATOR, now_s=NOW_S + 5)
    for k in range(2, 60):
        desk.receive(sighting(k, NOW_S + 10 * k, began_at_s=NOW_S - 1), NOW_S + 10 * k)
    assert desk.incidents() == []
    assert desk.incident(first.id).sightings == 59
    late = NOW_S + 5 + intake.DISMISSED_FOR_MAX_S + 1
    shown = desk.receive(sighting(99, late, began_at_s=NOW_S - 1), late)
    assert shown.id != first.id
    assert [i.id for i in desk.incidents()] == [shown.id]


def test_after_a_false_alarm_a_new_event_is_a_new_incident(desk: Desk) -> None:
    first = desk.receive(sighting(1), NOW_S)
    desk.act(first.id, "dismiss", reason="harmless", actor=OPERATOR, now_s=NOW_S + 5)
    later = NOW_S + 200
    assert desk.receive(sighting(2, later, began_at_s=later - 1), later).id != first.id


def test_the_place_becomes_sharper_never_blunter(desk: Desk) -> None:
    shown = desk.receive(sighting(1, ground=None), NOW_S)
    assert (shown.place.source, shown.place.lat) == ("camera_position", CAMERA.position[0])
    shown = desk.receive(sighting(2, NOW_S + 1, ground=Ground(*PLACE, 8.0)), NOW_S + 1)
    assert (shown.place.source, shown.place.sigma_m) == ("camera", 8.0)
    shown = desk.receive(sighting(3, NOW_S + 2, ground=Ground(PLACE[0] + 1e-4, PLACE[1], 20.0)), NOW_S + 2)
    assert (shown.place.lat, shown.place.sigma_m) == (PLACE[0], 8.0)


def test_seen_again_after_it_was_cleared_is_said_in_the_journal(desk: Desk) -> None:
    shown = desk.receive(sighting(1), NOW_S)
    found = intake.opened(
        sighting(1), intake.place_of(sighting(1), CAMERA), id="i", number=1, priority=1, now_s=NOW_S, actor=OPERATOR
    )[0]
    cleared = replace(found, state=State.CLEARED)
    _, events = intake.joined(cleared, sighting(2), cleared.place, NOW_S, actor=OPERATOR)
    assert [e.code for e in events] == ["sighting.joined", "incident.seen_again"]
    assert shown.state == "received"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"camera": "cam-9"}, "camera"),
        ({"score": 1.2}, "score"),
        ({"score": math.nan}, "score"),
        ({"at_s": math.inf}, "at_s"),
        ({"at_s": NOW_S + 3600}, "at_s"),
        ({"began_at_s": NOW_S + 60}, "began_at_s"),
        ({"ground": Ground(91.0, 0.0, 1.0)}, "ground"),
        ({"ground": Ground(math.nan, 0.0, 1.0)}, "ground"),
        ({"id": ""}, "id"),
    ],
)
def test_what_no_camera_can_mean_is_refused_and_nothing_is_kept(desk: Desk, change: dict[str, object], field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        desk.receive(replace(sighting(1), **change), NOW_S)  # type: ignore[arg-type]  # wrong on purpose
    assert refusal.value.field == field
    assert desk.incidents("all") == []
    assert desk.verify_audit().entries == 0


@given(st.permutations(range(6)))
def test_the_order_of_arrival_does_not_matter(order: list[int]) -> None:
    place = intake.place_of(sighting(), CAMERA)
    found = None
    for k in order:
        one = sighting(k, NOW_S + 20 * k, score=0.3 + k / 10)
        if found is None:
            found, _ = intake.opened(one, place, id="i", number=1, priority=1, now_s=NOW_S, actor=OPERATOR)
        else:
            assert intake.belongs([found], one, place, NOW_S + 200, 120.0).what == "join"
            found, _ = intake.joined(found, one, place, NOW_S, actor=OPERATOR)
    assert found is not None
    assert (found.first_seen_s, found.last_seen_s, found.sightings) == (NOW_S - 1, NOW_S + 100, 6)
    assert found.score == pytest.approx(0.8)
