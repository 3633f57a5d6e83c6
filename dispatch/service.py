"""The desk: every door of dispatch. One writer, one transaction for each command: state + journal + audit + outbox.

Thread-safe and blocking: web calls it through `asyncio.to_thread`. Time is a parameter; refusals are `dispatch.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from configs.schema import Settings
from dispatch.eta import Router
from dispatch.plan import Plans
from dispatch.views import (
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
from vision.sighting import Sighting


class Desk:
    @classmethod
    def open(cls, store_path: Path, settings: Settings, router: Router, plans: Plans) -> Desk:
        """`router`: `dispatch.roads.Roads.load(layout.map)`, or `dispatch.eta.GreatCircle()` where there is no map.
        `plans`: `dispatch.plan.load(Path("configs/response_plans.toml"))`. One desk for each store: a second is refused."""
        raise NotImplementedError

    def close(self) -> None: ...

    # -- what comes from the bus
    def receive(self, sighting: Sighting, now_s: float) -> IncidentView:
        """Idempotent by `sighting.id`. BadInput for an unknown camera or impossible values (the bus dead-letters it)."""
        raise NotImplementedError

    def clip_event(self, message: Mapping[str, Any], now_s: float) -> None: ...

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
        duplicate(reason: the other incident's id) note(note). Raises NotFound, Stale, Impossible, BadInput."""
        raise NotImplementedError

    def recommend(self, incident_id: str, now_s: float) -> Recommendation:
        raise NotImplementedError

    def offer(self, incident_id: str, unit_id: str, *, key: str | None = None, actor: Actor, now_s: float) -> AssignmentView:
        """Raises NotFound, Impossible (incident not confirmed, unit not available), Taken."""
        raise NotImplementedError

    def withdraw(
        self, assignment_id: str, *, reason: str = "", key: str | None = None, actor: Actor, now_s: float
    ) -> AssignmentView:
        raise NotImplementedError

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
        """accept decline en_route on_scene clear unable. An actor of role responder must carry the unit (Forbidden)."""
        raise NotImplementedError

    def position(
        self, unit_id: str, lat: float, lon: float, accuracy_m: float, client_time_s: float | None, now_s: float
    ) -> UnitView:
        raise NotImplementedError

    def unit_state(self, unit_id: str, state: str, *, actor: Actor, now_s: float) -> UnitView:
        """available out_of_service off_duty; Impossible while the unit is committed."""
        raise NotImplementedError

    def unit_of(self, account: str) -> str | None:
        """The unit that this account carries."""
        raise NotImplementedError

    def mine(self, unit_id: str) -> Mine:
        raise NotImplementedError

    # -- clear pictures and who watched
    def grant(self, incident_id: str, purpose: str, *, actor: Actor, now_s: float) -> Grant:
        """BadInput without a written purpose; Impossible when the incident is not open."""
        raise NotImplementedError

    def grant_of(self, grant_id: str, now_s: float) -> Grant:
        """The living grant; NotFound when it never was, ended or expired."""
        raise NotImplementedError

    def end_grant(self, grant_id: str, *, actor: Actor, now_s: float) -> None: ...

    def watched(self, actor: Actor, camera: str, view: str, incident: str | None, session: str, now_s: float) -> None:
        """The watching is watched. An operator or commander who looks at a `received` incident moves it to `triage`."""

    def record(self, actor: Actor, action: str, entity: str, detail: Mapping[str, Any], now_s: float) -> None:
        """One audit entry of something outside dispatch (a login, an account changed)."""

    # -- time
    def due(self, now_s: float) -> list[Change]:
        raise NotImplementedError

    def next_due_s(self) -> float | None:
        raise NotImplementedError

    # -- what is there
    def incidents(self, state: str = "open", cameras: Iterable[str] | None = None, limit: int = 500) -> list[IncidentView]:
        """`state` open | all; `cameras` restricts to those (access is by camera group and jurisdiction). Newest first."""
        raise NotImplementedError

    def incident(self, incident_id: str) -> IncidentView:
        raise NotImplementedError

    def assignment(self, assignment_id: str) -> AssignmentView:
        raise NotImplementedError

    def units(self) -> list[UnitView]:
        raise NotImplementedError

    def unit(self, unit_id: str) -> UnitView:
        raise NotImplementedError

    def clip_file(self, clip_id: str) -> str | None:
        """The clip's file name inside layout.clips."""
        raise NotImplementedError

    def audit(self, incident: str | None = None, limit: int = 1000) -> list[AuditEntry]:
        raise NotImplementedError

    def verify_audit(self) -> AuditVerdict:
        raise NotImplementedError

    def figures(self) -> dict[str, Any]:
        """For the public page and /metrics: incidents by kind and outcome, false alarms, outbox length."""
        raise NotImplementedError

    # -- outbox
    def take(self, limit: int = 100) -> list[OutboxRow]:
        """The oldest messages not yet `done`, rendered as things stand now; at-least-once."""
        raise NotImplementedError

    def done(self, seqs: Iterable[int]) -> None: ...
