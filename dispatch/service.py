"""The desk: every door of dispatch. One writer, one transaction for each command: state + journal + audit + outbox.

Thread-safe and blocking: web calls it through `asyncio.to_thread`. Time is a parameter; refusals are `dispatch.errors`.
"""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from configs.schema import Settings
from configs.schema import Unit as UnitSettings
from dispatch import grants, incident, intake, outbox, removals
from dispatch import unit as unit_
from dispatch.assignment import RESPONDER_ACTIONS
from dispatch.errors import BadInput, Forbidden, Impossible, NotFound, Stale
from dispatch.eta import Router
from dispatch.event import Event
from dispatch.incident import ENDED
from dispatch.offers import Offers, may_answer
from dispatch.plan import Plans
from dispatch.recommend import recommend
from dispatch.removals import Removable
from dispatch.retention import Doomed, OnDisk
from dispatch.roster import Position, Roster
from dispatch.show import Show, attached
from dispatch.store import Store, read_audit
from dispatch.views import (
    SYSTEM,
    Actor,
    AssignmentView,
    AuditEntry,
    AuditVerdict,
    Change,
    Grant,
    IncidentView,
    Mine,
    OutboxRow,
    Recommendation,
    UnitView,
)
from dispatch.work import Work
from vision.sighting import Sighting

KEYS_KEPT_S = 86_400.0
DUE_AT_ONCE = 100  # deadlines that one call of due() handles; it is called again at once when there are more
FILES_AT_ONCE = 200  # of the media folder, judged in one look at the store
HEARD_EVERY_S = 30.0  # how often a phone that only asks is written down as heard of
PHONE_CLOCK_MAX_S = 600.0  # a position's own time is believed when it is not older than this


class Desk:
    """Raises StoreFailed from any command when the disk refuses: then nothing of the command was kept."""

    def __init__(self, store: Store, settings: Settings, router: Router, plans: Plans) -> None:
        self._store, self._settings, self._plans, self._router = store, settings, plans, router
        self._offers = Offers(settings, router, plans)
        self._show = Show(settings.camera, settings.unit)
        self._cameras = {c.id: c for c in settings.camera}
        self._account = {u.account: u.id for u in settings.unit if u.account}
        self._lock = threading.RLock()
        with store.read() as reader:
            self._roster = Roster(
                settings.unit,
                router,
                units=reader.units(),
                positions={k: Position(r["lat"], r["lon"], r["accuracy_m"], r["at_s"]) for k, r in reader.positions().items()},
                committed={a.unit: a.incident for a in reader.active_assignments()},
                skills=plans.skills,
            )

    @classmethod
    def open(cls, store_path: Path, settings: Settings, router: Router, plans: Plans) -> Desk:
        """`router`: `dispatch.roads.Roads.load(layout.map)`, or `dispatch.eta.GreatCircle()` where there is no map.
        `plans`: `dispatch.plan.load()`. One desk for each store: a second is refused (StoreFailed)."""
        plans.check_units(settings.unit)
        store = Store(store_path)
        try:
            return cls(store, settings, router, plans)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._store.close()

    # -- what comes from the bus

    def receive(self, sighting: Sighting, now_s: float) -> IncidentView:
        """Idempotent by `sighting.id`. BadInput for an unknown camera or impossible values (the bus dead-letters it)."""
        intake.check(sighting, now_s)
        camera = self._cameras.get(sighting.camera)
        if camera is None:
            raise BadInput("camera", f"“{sighting.camera}” is not in the settings", f"配置中没有摄像机“{sighting.camera}”")
        place = intake.place_of(sighting, camera)
        with self._work(SYSTEM, now_s) as work:
            known = work.tx.sighting_incident(sighting.id)
            if known is None:
                since_s = now_s - intake.DISMISSED_FOR_MAX_S
                candidates = work.tx.candidates(sighting.camera, str(sighting.kind), sighting.zone, since_s)
                quiet_s = self._settings.dispatch.merge_quiet_s
                verdict = intake.belongs(candidates, sighting, place, now_s, quiet_s)
                if verdict.incident is None:
                    found, events = intake.opened(
                        sighting, place, id=secrets.token_hex(8), number=work.tx.next_number(),
                        priority=self._plans.of(sighting.kind).priority, now_s=now_s, actor=SYSTEM,
                    )  # fmt: skip
                    work.tx.add_incident(found)
                else:
                    found, events = intake.joined(verdict.incident, sighting, place, now_s, actor=SYSTEM)
                    work.tx.put_incident(found)
                work.tx.add_sighting(sighting, found.id)
                work.say(events, found.id)
                work.tell("incident", found.id)
                known = found.id
        return self.incident(known)

    def clip_event(self, message: Mapping[str, Any], now_s: float) -> None:
        """What the recorder says of a clip. BadInput for a message that is not of this form."""
        values = intake.clip(message)
        with self._work(SYSTEM, now_s) as work:
            work.tx.put_clip(values)
            incidents = work.tx.incidents_of_clip(values["clip"])
            facts = {k: v for k, v in values.items() if v and k != "state"}
            event = Event(f"clip.{values['state']}", values["clip"], now_s, SYSTEM, facts)
            work.say([event], incidents[0] if incidents else "")
            for id_ in incidents:
                work.tell("incident", id_)

    # -- what people decide

    def act(
        self,
        incident_id: str,
        action: str,
        *,
        expected_version: int | None = None,
        key: str | None = None,
        reason: str = "",
        note: str = "",
        actor: Actor,
        now_s: float,
    ) -> IncidentView:
        """triage confirm dismiss(reason: a code of `incident.DISMISS_REASONS`) cancel control clear verify close reopen
        duplicate(reason: the other incident's id) note(note). Raises NotFound, Stale, Impossible, BadInput.

        Ending an incident (dismiss, cancel, duplicate, close) withdraws whoever is still on it and ends its grants."""
        with self._work(actor, now_s) as work:
            if self._again(work, key, f"act:{incident_id}:{action}:{reason}") is None:
                found = work.incident(incident_id)
                if expected_version is not None and expected_version != found.version:
                    raise Stale(self._show.incidents(work.tx, [found])[0], expected_version)
                if action == "duplicate" and work.tx.incident(reason) is None:
                    raise BadInput("reason", f"there is no incident “{reason}”", f"没有编号为“{reason}”的警情")
                seen = attached(work.assignments(incident_id))
                out, events = incident.apply(found, action, now_s, actor=actor, attached=seen, reason=reason, note=note)
                if out.state in ENDED:
                    self._offers.release(work, out, reason or action)
                    for grant_id in work.tx.live_grants(incident_id):
                        grants.close_grant(work, grant_id, "grant.ended")
                work.put_incident(out, events)
        return self.incident(incident_id)

    def recommend(self, incident_id: str, now_s: float) -> Recommendation:
        with self._store.read() as reader:
            found = reader.incident(incident_id)
            if found is None:
                raise NotFound("incident", incident_id)
            assignments = reader.assignments([incident_id]).get(incident_id, [])
        with self._lock:
            fleet = self._roster.fleet()
        return recommend(self._offers.request(found, assignments, now_s), fleet, self._router, now_s)

    def offer(self, incident_id: str, unit_id: str, *, key: str | None = None, actor: Actor, now_s: float) -> AssignmentView:
        """Raises NotFound, Impossible (incident not confirmed, unit not available), Taken."""
        with self._work(actor, now_s) as work:
            asked = f"offer:{incident_id}:{unit_id}"
            id_ = self._again(work, key, asked, remember=False)
            if id_ is None:
                found = work.incident(incident_id)
                new = self._offers.offer(work, found, unit_id)
                work.follow(incident.quiet(found))
                id_ = new.id
                if key is not None:
                    work.tx.remember(actor.name, key, asked, id_, now_s)
        return self.assignment(id_)

    def withdraw(
        self, assignment_id: str, *, reason: str = "", key: str | None = None, actor: Actor, now_s: float
    ) -> AssignmentView:
        """A person takes the unit off: it is free at once, and nobody is offered it in its place."""
        with self._work(actor, now_s) as work:
            if self._again(work, key, f"withdraw:{assignment_id}") is None:
                before = work.tx.assignment(assignment_id)
                if before is None:
                    raise NotFound("assignment", assignment_id)
                self._offers.withdraw(work, before, reason)
        return self.assignment(assignment_id)

    # -- what responders say

    def answer(
        self,
        assignment_id: str,
        action: str,
        *,
        key: str | None = None,
        reason: str = "",
        client_time_s: float | None = None,
        actor: Actor,
        now_s: float,
    ) -> AssignmentView:
        """accept decline en_route on_scene clear unable. An actor of role responder must carry the unit (Forbidden).

        After decline and unable the next recommended unit is offered it, in the same transaction."""
        with self._work(actor, now_s) as work:
            before = work.tx.assignment(assignment_id)
            if before is None:
                raise NotFound("assignment", assignment_id)
            settings = self._roster.settings(before.unit)
            if not may_answer(actor, settings.account if settings is not None else ""):
                raise Forbidden(before.unit)
            if action not in RESPONDER_ACTIONS:
                raise BadInput("action", f"one of {', '.join(RESPONDER_ACTIONS)}")
            if self._again(work, key, f"answer:{assignment_id}:{action}") is None:
                if action in ("accept", "decline") and before.state == "offered" and now_s >= before.answer_by_s:
                    raise Impossible(action, "timed_out", (), ("The time to answer is over.", "答复时限已过。"))
                self._offers.step(work, before, action, reason=reason, client_time_s=client_time_s)
                self._heard_of(work, before.unit)
        return self.assignment(assignment_id)

    def position(  # noqa: PLR0917  # the phone's message, field by field
        self, unit_id: str, lat: float, lon: float, accuracy_m: float, client_time_s: float | None, now_s: float
    ) -> UnitView:
        """The newest position only; not audited, not kept as a history. Impossible off duty: leaving duty ends the sharing.

        `client_time_s` is the position's own time (a buffered one may be minutes old); an older one than we have is ignored."""
        if not (math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180):
            raise BadInput("lat, lon", f"{lat}, {lon} is not a place", f"{lat}, {lon} 不是有效位置")
        if not (math.isfinite(accuracy_m) and 0 <= accuracy_m < 1e6):
            raise BadInput("accuracy_m", "must be metres from 0 up", "须为不小于 0 的米数")
        with self._work(SYSTEM, now_s) as work:
            unit = self._unit(unit_id)
            if unit.state is unit_.State.OFF_DUTY:
                why = ("Go on duty first: nobody's position is kept off duty.", "请先上岗：离岗人员的位置不予保存。")
                raise Impossible("position", unit.state, ("available",), why)
            at_s = now_s
            if client_time_s is not None and 0 <= now_s - client_time_s <= PHONE_CLOCK_MAX_S:
                at_s = client_time_s
            old = self._roster.position(unit_id)
            if old is None or at_s >= old.at_s:
                work.tx.put_position(unit_id, lat, lon, accuracy_m, at_s)
                new = Position(lat, lon, accuracy_m, at_s)
                work.after.append(lambda: self._roster.put_position(unit_id, new))
            self._heard_of(work, unit_id)
        return self.unit(unit_id)

    def heard(self, unit_id: str, *, actor: Actor, now_s: float) -> None:
        """Its phone asked what there is to do: a sign of life. Written down every `HEARD_EVERY_S` at most, so that asking
        every two seconds costs no transaction; a unit that was lost is back at once."""
        with self._lock:
            unit = self._unit(unit_id)
            every_s = min(HEARD_EVERY_S, self._settings.dispatch.lost_contact_s / 4)
            lost = unit.state is unit_.State.LOST_CONTACT
            if not lost and (unit.state is not unit_.State.AVAILABLE or now_s - unit.contact_at_s < every_s):
                return
            with self._work(actor, now_s) as work:
                if lost:
                    self._heard_of(work, unit_id)
                else:  # no page shows when a unit was last heard of: nobody is told
                    changed = unit_.heard(unit, now_s)
                    work.tx.put_unit(changed)
                    work.after.append(lambda: self._roster.put_unit(changed))

    def unit_state(self, unit_id: str, state: str, *, actor: Actor, now_s: float) -> UnitView:
        """available out_of_service off_duty; Impossible while the unit is committed."""
        if state not in unit_.RESPONDER_ACTIONS:
            raise BadInput("state", f"one of {', '.join(unit_.RESPONDER_ACTIONS)}")
        with self._work(actor, now_s) as work:
            unit = self._unit(unit_id)
            settings = self._roster.settings(unit_id)
            if not may_answer(actor, settings.account if settings is not None else ""):
                raise Forbidden(unit_id)
            out, events = unit_.apply(unit, state, now_s, actor=actor, committed_to=self._roster.committed.get(unit_id))
            work.put_unit(out, events)
            if out.state is unit_.State.OFF_DUTY:
                work.tx.forget_position(unit_id)
                work.after.append(lambda: self._roster.put_position(unit_id, None))
        return self.unit(unit_id)

    def unit_of(self, account: str) -> str | None:
        """The unit that this account carries."""
        return self._account.get(account)

    def mine(self, unit_id: str) -> Mine:
        with self._store.read() as reader:
            held = reader.active_of(unit_id)
            found = None if held is None else reader.incident(held.incident)
            shown = None if found is None else self._show.incidents(reader, [found])[0]
        return Mine(self.unit(unit_id), None if held is None else self._show.assignment(held), shown)

    # -- clear pictures and who watched

    def grant(self, incident_id: str, purpose: str, *, actor: Actor, now_s: float) -> Grant:
        """BadInput without a written purpose; Impossible when the incident is not open."""
        with self._work(actor, now_s) as work:
            id_ = grants.open_grant(work, incident_id, purpose, self._settings.dispatch.grant_s)
            self._triage(work, incident_id)
        return self.grant_of(id_, now_s)

    def grant_of(self, grant_id: str, now_s: float) -> Grant:
        """The living grant; NotFound when it never was, ended or expired."""
        with self._store.read() as reader:
            return grants.living(reader, grant_id, now_s)

    def end_grant(self, grant_id: str, *, actor: Actor, now_s: float) -> None:
        with self._work(actor, now_s) as work:
            grants.close_grant(work, grant_id, "grant.ended")

    def watched(  # noqa: PLR0917  # who, what and why, in the order of the record
        self, actor: Actor, camera: str, view: str, incident: str | None, session: str, now_s: float
    ) -> None:
        """The watching is watched. An operator or commander who looks at the clear picture of a `received` incident moves it
        to `triage`. A covered picture is on the record alike, and changes nothing: the page shows it by itself."""
        with self._work(actor, now_s) as work:
            if incident is not None:
                work.incident(incident)
            facts = {"camera": camera, "view": view, "session": session}
            event = Event("watched", camera, now_s, actor, facts)
            if view == "wall":
                work.tx.add_audit(event, incident or "")  # no line in the journal: people go to and fro between incidents
                return
            work.say([event], incident or "")
            if incident is not None:
                self._triage(work, incident)

    def record(  # noqa: PLR0917  # who, what and why, in the order of the record
        self, actor: Actor, action: str, entity: str, detail: Mapping[str, Any], now_s: float, incident: str = ""
    ) -> None:
        """One audit entry of something outside dispatch (a login, a picture closed), of an incident where it belongs to one."""
        with self._work(actor, now_s) as work:
            work.say([Event(action, entity, now_s, actor, dict(detail))], incident)

    # -- time

    def due(self, now_s: float) -> list[Change]:
        """What the time has come for: offers nobody answered, grants, units not heard of. Safe to call as often as one likes."""
        changes: list[Change] = []
        with self._lock:
            with self._store.read() as reader:
                deadlines = reader.deadlines(now_s)[:DUE_AT_ONCE]
            for deadline in deadlines:
                if deadline.kind == "answer":
                    changes += self._time_out(deadline.entity, now_s)
                else:
                    with self._work(SYSTEM, now_s) as work:
                        grants.close_grant(work, deadline.entity, "grant.expired")
                    changes.append(Change("grant_expired", deadline.entity))
            for unit_id in self._roster.silent(now_s, self._settings.dispatch.lost_contact_s):
                with self._work(SYSTEM, now_s) as work:
                    out, events = unit_.apply(self._roster.unit(unit_id), "lose", now_s, actor=SYSTEM)
                    work.put_unit(out, [Event(e.code, e.entity, e.at_s, e.actor, {**e.facts, "unit": unit_id}) for e in events])
                    if unit_id in self._roster.committed:
                        work.tell("incident", self._roster.committed[unit_id])
                changes.append(Change("lost_contact", unit_id))
        return changes

    def _time_out(self, assignment_id: str, now_s: float) -> list[Change]:
        with self._work(SYSTEM, now_s) as work:
            work.tx.forget_keys(now_s - KEYS_KEPT_S)
            before = work.tx.assignment(assignment_id)
            if before is None or before.state != "offered":
                work.tx.end_deadline("answer", assignment_id)
                return []
            self._offers.step(work, before, "time_out", reason="", client_time_s=None)
        return [Change("offer_timed_out", assignment_id, {"incident": before.incident, "unit": before.unit})]

    def next_due_s(self) -> float | None:
        """When `due` should be called next, as things stand; None when nothing is waiting."""
        with self._store.read() as reader:
            deadline = reader.next_deadline_s()
        with self._lock:
            silence = self._roster.next_silence_s(self._settings.dispatch.lost_contact_s)
        return min((s for s in (deadline, silence) if s is not None), default=None)

    # -- what is there

    def incidents(self, state: str = "open", cameras: Iterable[str] | None = None, limit: int = 500) -> list[IncidentView]:
        """`state` open | all; `cameras` restricts to those (access is by camera group and jurisdiction). Newest first."""
        if state not in ("open", "all"):
            raise BadInput("state", "open or all")
        with self._store.read() as reader:
            found = reader.incidents(open_only=state == "open", cameras=cameras, limit=limit)
            return self._show.incidents(reader, found)

    def incident(self, incident_id: str) -> IncidentView:
        with self._store.read() as reader:
            found = reader.incident(incident_id)
            if found is None:
                raise NotFound("incident", incident_id)
            return self._show.incidents(reader, [found])[0]

    def assignment(self, assignment_id: str) -> AssignmentView:
        with self._store.read() as reader:
            found = reader.assignment(assignment_id)
        if found is None:
            raise NotFound("assignment", assignment_id)
        return self._show.assignment(found)

    def units(self) -> list[UnitView]:
        with self._lock:
            return self._roster.views()

    def unit_settings(self, unit_id: str) -> UnitSettings:
        """What the settings say of it: turnout, account."""
        found = self._roster.settings(unit_id)
        if found is None:
            raise NotFound("unit", unit_id)
        return found

    def unit(self, unit_id: str) -> UnitView:
        with self._lock:
            self._unit(unit_id)
            return self._roster.view(unit_id)

    def clip_file(self, clip_id: str) -> str | None:
        """The clip's file name inside layout.clips."""
        with self._store.read() as reader:
            return reader.clip_file(clip_id)

    def thumbnail_incidents(self, sha256: str) -> list[IncidentView]:
        """Those whose sightings have this still picture: nearly always one."""
        with self._store.read() as reader:
            found = [reader.incident(id_) for id_ in reader.incidents_of_thumbnail(sha256)]
            return self._show.incidents(reader, [one for one in found if one is not None])

    # -- what has had its time

    def removable(self, found: Sequence[OnDisk], now_s: float, heard_s: float) -> Removable:
        """Of all files of the media folder, those that go now by `[retention]`. Nothing is changed yet; see `remove`.

        `heard_s`: every sighting that was on the bus at this moment has been received."""
        kept = self._settings.retention
        due: list[Doomed] = []
        left_over: list[str] = []
        for first in range(0, len(found), FILES_AT_ONCE):  # in between others read
            with self._store.read() as reader:
                part = removals.removable(reader, found[first : first + FILES_AT_ONCE], kept, now_s, heard_s)
            due += part.due
            left_over += part.left_over
        with self._store.read() as reader:
            due += removals.missing(reader, {one.file for one in found}, kept, now_s, heard_s)
        return Removable(tuple(due), tuple(left_over))

    def remove(self, doomed: Doomed, now_s: float, heard_s: float) -> bool:
        """Keeps the proof that this file is deleted; the caller then takes it away. False when it is not due any more."""
        with self._work(SYSTEM, now_s) as work:
            return removals.remove(work, doomed, self._settings.retention, heard_s)

    def audit(self, incident: str | None = None, limit: int = 1000) -> list[AuditEntry]:
        """The newest `limit` entries (of one incident), oldest first."""
        with self._store.read() as reader:
            return reader.audit(incident, limit)

    def verify_audit(self) -> AuditVerdict:
        """Walks the whole chain, over a connection of its own: a long record holds up nobody's command. From any thread."""
        return read_audit(self._store.path)

    def figures(self) -> dict[str, Any]:
        """For the public page and /metrics: incidents by kind and outcome, false alarms, outbox length."""
        with self._store.read() as reader:
            counts, waiting = reader.counts(), reader.outbox_length()
        kinds: dict[str, dict[str, int]] = {}
        for row in counts:
            of_kind = kinds.setdefault(row["kind"], {"incidents": 0, "false_alarms": 0, "open": 0})
            of_kind["incidents"] += row["n"]
            of_kind["false_alarms"] += row["n"] if row["state"] == "false_alarm" else 0
            of_kind["open"] += row["n"] if incident.State(row["state"]) not in ENDED else 0
        return {"kinds": kinds, "outbox": waiting}

    # -- outbox

    def take(self, limit: int = 100) -> list[OutboxRow]:
        """The oldest messages not yet `done`, rendered as things stand now; at-least-once. One row for each entity."""
        with self._lock, self._store.read() as reader:
            return outbox.take(reader, self._show, self._roster, limit)

    def done(self, seqs: Iterable[int]) -> None:
        """These have been sent: they, and older messages about the same things, go."""
        with self._lock, self._store.write() as tx:
            tx.done(seqs)

    # -- inside

    @contextmanager
    def _work(self, actor: Actor, now_s: float) -> Iterator[Work]:
        """Memory follows the store, never the other way round."""
        if not math.isfinite(now_s):
            raise BadInput("now_s", "is not a time")
        with self._lock:
            with self._store.write() as tx:
                work = Work(tx, self._roster, actor, now_s)
                yield work
            for learn in work.after:
                learn()

    def _unit(self, unit_id: str) -> unit_.Unit:
        if self._roster.settings(unit_id) is None:
            raise NotFound("unit", unit_id)
        return self._roster.unit(unit_id)

    def _heard_of(self, work: Work, unit_id: str) -> None:
        if self._roster.settings(unit_id) is None:
            return  # taken out of the settings while it had an assignment
        unit = self._roster.unit(unit_id)
        if unit.state is unit_.State.LOST_CONTACT:
            work.put_unit(*unit_.apply(unit, "regain", work.now_s, actor=work.actor))
        else:
            work.put_unit(unit_.heard(unit, work.now_s), [])

    def _triage(self, work: Work, incident_id: str) -> None:
        found = work.incident(incident_id)
        if found.state is incident.State.RECEIVED and work.actor.role in ("operator", "commander"):
            work.put_incident(*incident.apply(found, "triage", work.now_s, actor=work.actor))

    def _again(self, work: Work, key: str | None, asked: str, *, remember: bool = True) -> str | None:
        """The entity of an earlier command with this key, or None; BadInput when the key was used for something else."""
        if key is None:
            return None
        if not 1 <= len(key) <= 200:
            raise BadInput("Idempotency-Key", "1 to 200 characters")
        before = work.tx.remembered(work.actor.name, key)
        if before is not None and before[0] != asked:
            raise BadInput("Idempotency-Key", "was used for another command already", "该键已用于其他操作")
        if before is None and remember:
            work.tx.remember(work.actor.name, key, asked, asked, work.now_s)
        return None if before is None else before[1]
