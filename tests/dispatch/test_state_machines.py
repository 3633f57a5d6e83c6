"""The transition tables: what they allow happens as they say, all else is refused with what would be possible."""

from __future__ import annotations

import itertools

import pytest

from dispatch import assignment, incident, unit
from dispatch.assignment import ACTIVE, Assignment
from dispatch.errors import BadInput, Impossible
from dispatch.incident import Attached, Incident, Place, State
from tests.dispatch.dispatch_kit import NOW_S, OPERATOR


def an_incident(state: State = State.RECEIVED) -> Incident:
    place = Place(60.0, 24.0, 5.0)
    return Incident("i1", 1, "fire", "cam-1", "z", place, 1, NOW_S, NOW_S, NOW_S, NOW_S, state=state)


def an_assignment(state: assignment.State = assignment.State.OFFERED) -> Assignment:
    cleared = None if state in ACTIVE else NOW_S
    return Assignment("a1", "i1", "u1", NOW_S, NOW_S + 30, state=state, cleared_at_s=cleared)


ARGUMENTS = {"dismiss": "nothing_there", "duplicate": "i2"}


@pytest.mark.parametrize(("action", "state"), list(itertools.product(incident.TRANSITIONS, State)))
def test_incident_does_what_its_table_says(action: str, state: State) -> None:
    before = an_incident(state)
    target = incident.TRANSITIONS[action].get(state)
    if target is None:
        with pytest.raises(Impossible) as refusal:
            incident.apply(before, action, NOW_S, actor=OPERATOR, reason=ARGUMENTS.get(action, ""))
        assert refusal.value.possible == incident.possible(before)
        assert action not in refusal.value.possible
        return
    after, events = incident.apply(before, action, NOW_S + 5, actor=OPERATOR, reason=ARGUMENTS.get(action, ""))
    assert (after.state, after.version, after.updated_at_s) == (target, before.version + 1, NOW_S + 5)
    assert [e.code for e in events] == [f"incident.{action}"]
    assert events[0].actor == OPERATOR


def test_the_whole_path_of_an_operator() -> None:
    now = an_incident()
    path = []
    for action in ("triage", "confirm"):
        now, _ = incident.apply(now, action, NOW_S, actor=OPERATOR)
        path.append(str(now.state))
    for state in ("offered", "accepted", "on_scene"):
        now, _ = incident.follow(now, [Attached(state, True)], NOW_S, actor=OPERATOR)
        path.append(str(now.state))
    now, _ = incident.apply(now, "control", NOW_S, actor=OPERATOR, attached=[Attached("on_scene", True)])
    path.append(str(now.state))
    for action in ("clear", "verify", "close"):
        now, _ = incident.apply(now, action, NOW_S, actor=OPERATOR, attached=[Attached("cleared", False)])
        path.append(str(now.state))
    assert path == ["triage", "confirmed", "dispatching", "responding", "on_scene", "controlled", "cleared", "verified", "closed"]


def test_an_incident_is_not_cleared_while_a_unit_is_on_it() -> None:
    with pytest.raises(Impossible, match="still committed") as refusal:
        incident.apply(an_incident(State.ON_SCENE), "clear", NOW_S, actor=OPERATOR, attached=[Attached("on_scene", True)])
    assert "clear" not in refusal.value.possible
    assert "仍有" in refusal.value.zh


@pytest.mark.parametrize("reason", ["", "because", "nothing there"])
def test_a_dismissal_needs_a_reason_of_the_list(reason: str) -> None:
    with pytest.raises(BadInput) as refusal:
        incident.apply(an_incident(), "dismiss", NOW_S, actor=OPERATOR, reason=reason)
    assert refusal.value.field == "reason"


def test_a_wrong_dismissal_is_corrected_by_another_step() -> None:
    gone, _ = incident.apply(an_incident(), "dismiss", NOW_S, actor=OPERATOR, reason="nothing_there")
    back, events = incident.apply(gone, "reopen", NOW_S + 9, actor=OPERATOR)
    assert (back.state, back.dismiss_reason, back.reopened, back.version) == (State.TRIAGE, "", 1, gone.version + 1)
    assert events[0].facts["from"] == "false_alarm"


@pytest.mark.parametrize(
    ("state", "attached", "expected"),
    [
        ("confirmed", [("offered", True)], "dispatching"),
        ("dispatching", [("accepted", True), ("offered", True)], "responding"),
        ("responding", [("en_route", True)], "responding"),
        ("responding", [("on_scene", True), ("en_route", True)], "on_scene"),
        ("dispatching", [("declined", False)], "confirmed"),
        ("responding", [("unable", False), ("offered", True)], "dispatching"),
        ("on_scene", [("cleared", False)], "on_scene"),
        ("controlled", [("cleared", False)], "controlled"),
        ("controlled", [("on_scene", True)], "controlled"),
        ("on_scene", [("withdrawn", False)], "confirmed"),
        ("on_scene", [("cleared", False), ("on_scene", True)], "on_scene"),
        ("received", [("offered", True)], "received"),
        ("closed", [("cleared", False)], "closed"),
    ],
)
def test_the_incident_follows_its_assignments(state: str, attached: list[tuple[str, bool]], expected: str) -> None:
    before = an_incident(State(state))
    after, events = incident.follow(before, [Attached(*a) for a in attached], NOW_S, actor=OPERATOR)
    assert after.state == expected
    assert (after.version > before.version) == bool(events) == (state != expected)


@pytest.mark.parametrize(("action", "state"), list(itertools.product(assignment.TRANSITIONS, assignment.State)))
def test_assignment_does_what_its_table_says(action: str, state: assignment.State) -> None:
    before = an_assignment(state)
    target = assignment.TRANSITIONS[action].get(state)
    if target is None:
        with pytest.raises(Impossible):
            assignment.apply(before, action, NOW_S, actor=OPERATOR)
        return
    after, events = assignment.apply(before, action, NOW_S + 3, actor=OPERATOR, reason="because", client_time_s=NOW_S + 2)
    assert (after.state, after.version) == (target, before.version + 1)
    assert after.active == (target in ACTIVE)  # the slot is held exactly while it is active
    assert (after.cleared_at_s is None) == after.active
    assert events[0].facts["client_time_s"] == NOW_S + 2
    assert events[0].at_s == NOW_S + 3


def test_nothing_leads_out_of_an_ended_assignment() -> None:
    for state in set(assignment.State) - set(ACTIVE):
        assert assignment.possible(an_assignment(state)) == ()


@pytest.mark.parametrize(("action", "state"), list(itertools.product(unit.TRANSITIONS, unit.State)))
def test_unit_does_what_its_table_says(action: str, state: unit.State) -> None:
    before = unit.Unit("u1", state=state)
    target = unit.TRANSITIONS[action].get(state)
    if target is None:
        with pytest.raises(Impossible):
            unit.apply(before, action, NOW_S, actor=OPERATOR)
        return
    after, events = unit.apply(before, action, NOW_S, actor=OPERATOR)
    assert after.state == target
    assert bool(events) == (target is not state)
    assert after.contact_at_s == (0.0 if action == "lose" else NOW_S)


@pytest.mark.parametrize("action", ["off_duty", "out_of_service"])
def test_nobody_leaves_duty_while_committed(action: str) -> None:
    with pytest.raises(Impossible, match="committed") as refusal:
        unit.apply(unit.Unit("u1", state=unit.State.AVAILABLE), action, NOW_S, actor=OPERATOR, committed_to="i1")
    assert refusal.value.possible == ("available",)
