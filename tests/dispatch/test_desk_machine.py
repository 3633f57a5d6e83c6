"""Whatever people and phones do, in whatever order: nobody is booked twice, versions grow, the record verifies, states agree."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dispatch.assignment import ACTIVE, RESPONDER_ACTIONS
from dispatch.errors import Refusal
from dispatch.incident import TRANSITIONS
from dispatch.views import IncidentView
from tests.dispatch.dispatch_kit import COMMANDER, NOW_S, OPERATOR, open_desk, responder, sighting
from tests.dispatch.dispatch_kit import settings as site

STATES = ["available", "available", "available", "out_of_service", "off_duty"]
UNITS = [f"u{k}" for k in range(4)]


class DeskMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="callout-desk-"))
        self.settings = site(4, offer_timeout_s=20.0)
        self.desk = open_desk(self.folder, self.settings)
        self.now_s = NOW_S
        self.number = 0
        self.versions: dict[str, int] = {}
        self.entries = 0

    def teardown(self) -> None:
        self.desk.close()
        shutil.rmtree(self.folder)

    def incidents(self) -> list[IncidentView]:
        return self.desk.incidents("all")

    def pick(self, number: int) -> IncidentView | None:
        found = self.incidents()
        return found[number % len(found)] if found else None

    @rule(zone=st.sampled_from("abc"), wait_s=st.floats(0, 90))
    def see(self, zone: str, wait_s: float) -> None:
        self.now_s += wait_s
        self.number += 1
        self.desk.receive(sighting(self.number, self.now_s, zone=zone), self.now_s)

    @rule(action=st.sampled_from([*TRANSITIONS, "note"]), number=st.integers(0, 20))
    def decide(self, action: str, number: int) -> None:
        incident, other = self.pick(number), self.pick(number + 1)
        if incident is None or other is None:
            return
        reason = {"dismiss": "drill", "duplicate": other.id}.get(action, "")
        try:
            after = self.desk.act(incident.id, action, reason=reason, note="seen", actor=OPERATOR, now_s=self.now_s)
        except Refusal:
            assert action not in incident.next or (action == "duplicate" and other.id == incident.id)
        else:
            assert action in incident.next or action == "note"
            assert after.version > incident.version

    @rule(number=st.integers(0, 20), unit=st.sampled_from(UNITS))
    def offer(self, number: int, unit: str) -> None:
        incident = self.pick(number)
        if incident is None:
            return
        free = self.desk.unit(unit).committed_to is None
        try:
            self.desk.offer(incident.id, unit, actor=COMMANDER, now_s=self.now_s)
        except Refusal:
            return
        assert free
        assert incident.state in ("confirmed", "dispatching", "responding", "on_scene", "controlled")

    @rule(unit=st.sampled_from(UNITS), action=st.sampled_from([*RESPONDER_ACTIONS, "withdraw"]))
    def answer(self, unit: str, action: str) -> None:
        held = self.desk.mine(unit).assignment
        if held is None:
            return
        try:
            if action == "withdraw":
                self.desk.withdraw(held.id, actor=COMMANDER, now_s=self.now_s)
            else:
                self.desk.answer(held.id, action, actor=responder(unit), now_s=self.now_s)
        except Refusal:
            assert action not in held.next or self.now_s >= held.answer_by_s

    @rule(unit=st.sampled_from(UNITS), state=st.sampled_from(STATES))
    def duty(self, unit: str, state: str) -> None:
        committed = self.desk.unit(unit).committed_to
        try:
            self.desk.unit_state(unit, state, actor=responder(unit), now_s=self.now_s)
        except Refusal:
            assert committed is not None

    @rule(wait_s=st.floats(0, 200))
    def wait(self, wait_s: float) -> None:
        self.now_s += wait_s
        while self.desk.due(self.now_s):
            pass
        next_s = self.desk.next_due_s()
        assert next_s is None or next_s > self.now_s

    @rule()
    def restart(self) -> None:
        before = (self.incidents(), self.desk.units(), self.desk.next_due_s())
        self.desk.close()
        self.desk = open_desk(self.folder, self.settings)
        assert (self.incidents(), self.desk.units(), self.desk.next_due_s()) == before

    @invariant()
    def nobody_is_booked_twice(self) -> None:
        active = [(a.unit, i.id) for i in self.incidents() for a in i.assignments if a.state in ACTIVE]
        assert len({unit for unit, _ in active}) == len(active)
        assert {u.id: u.committed_to for u in self.desk.units() if u.committed_to} == dict(active)

    @invariant()
    def versions_only_grow(self) -> None:
        for incident in self.incidents():
            for id_, version in [(incident.id, incident.version), *((a.id, a.version) for a in incident.assignments)]:
                assert version >= self.versions.get(id_, 1)
                self.versions[id_] = version

    @invariant()
    def the_record_verifies_and_only_grows(self) -> None:
        verdict = self.desk.verify_audit()
        assert verdict.verified
        assert verdict.entries >= self.entries
        self.entries = verdict.entries

    @invariant()
    def the_incident_agrees_with_its_assignments(self) -> None:
        for incident in self.incidents():
            active = {a.state for a in incident.assignments if a.state in ACTIVE}
            if incident.state == "dispatching":
                assert active == {"offered"}
            elif incident.state == "responding":
                assert active & {"accepted", "en_route"}
                assert "on_scene" not in active
            elif incident.state in ("on_scene", "controlled"):
                assert "on_scene" in active or any(a.state == "cleared" for a in incident.assignments)
            else:
                assert not active

    @invariant()
    def every_open_offer_has_its_deadline(self) -> None:
        db = sqlite3.connect(self.folder / "callout.db")
        rows = db.execute("SELECT entity FROM deadline WHERE kind = 'answer'").fetchall()
        db.close()
        assert {r[0] for r in rows} == {a.id for i in self.incidents() for a in i.assignments if a.state == "offered"}


DeskMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestDesk = DeskMachine.TestCase
