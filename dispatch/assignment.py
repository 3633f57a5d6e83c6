"""The assignment: incident × unit, with all its own timestamps. It alone holds a unit's slot. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from dispatch.errors import Impossible
from dispatch.event import Event
from dispatch.views import Actor, LonLat


class State(StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    EN_ROUTE = "en_route"
    ON_SCENE = "on_scene"
    CLEARED = "cleared"
    DECLINED = "declined"
    TIMED_OUT = "timed_out"
    WITHDRAWN = "withdrawn"
    UNABLE = "unable"


S = State
ACTIVE = (S.OFFERED, S.ACCEPTED, S.EN_ROUTE, S.ON_SCENE)
UNDER_WAY = (S.ACCEPTED, S.EN_ROUTE, S.ON_SCENE)
ENDED_WITHOUT = frozenset({S.DECLINED, S.TIMED_OUT, S.UNABLE})  # somebody else is wanted in its place

# action -> {from: to}. Nothing leads out of an ended assignment: the unit is offered the incident again as a new one.
# A phone that was out of reach may skip `en_route`; arriving says that it was under way.
TRANSITIONS: dict[str, dict[State, State]] = {
    "accept": {S.OFFERED: S.ACCEPTED},
    "decline": {S.OFFERED: S.DECLINED},
    "time_out": {S.OFFERED: S.TIMED_OUT},
    "en_route": {S.ACCEPTED: S.EN_ROUTE},
    "on_scene": {S.ACCEPTED: S.ON_SCENE, S.EN_ROUTE: S.ON_SCENE},
    "clear": {S.ON_SCENE: S.CLEARED},
    "unable": dict.fromkeys(UNDER_WAY, S.UNABLE),
    "withdraw": dict.fromkeys(ACTIVE, S.WITHDRAWN),
}
RESPONDER_ACTIONS = ("accept", "decline", "en_route", "on_scene", "clear", "unable")


@dataclass(frozen=True, slots=True)
class Assignment:
    """`cleared_at_s` is when the slot became free, whatever the reason; it is None exactly while the state is active."""

    id: str
    incident: str
    unit: str
    offered_at_s: float
    answer_by_s: float
    version: int = 1
    state: State = State.OFFERED
    accepted_at_s: float | None = None
    en_route_at_s: float | None = None
    on_scene_at_s: float | None = None
    cleared_at_s: float | None = None
    ended_reason: str = ""
    eta_s: float | None = None
    route: tuple[LonLat, ...] | None = None

    @property
    def active(self) -> bool:
        return self.cleared_at_s is None


def possible(assignment: Assignment) -> tuple[str, ...]:
    """What people may do with it now (a time-out is not theirs)."""
    return tuple(a for a, table in TRANSITIONS.items() if a != "time_out" and assignment.state in table)


def offer(assignment: Assignment, now_s: float, *, actor: Actor, facts: dict[str, object]) -> tuple[Assignment, list[Event]]:
    """The first step: proposed by the recommendation, reserved by the store's slot, offered to the unit, all at once."""
    seen = {"incident": assignment.incident, "unit": assignment.unit, "answer_by_s": assignment.answer_by_s}
    return assignment, [Event("assignment.offered", assignment.id, now_s, actor, {**seen, "eta_s": assignment.eta_s, **facts})]


def apply(
    assignment: Assignment, action: str, now_s: float, *, actor: Actor, reason: str = "", client_time_s: float | None = None
) -> tuple[Assignment, list[Event]]:
    """One step. `client_time_s` is the phone's own time of it, kept beside ours. Raises Impossible."""
    target = TRANSITIONS.get(action, {}).get(assignment.state)
    if target is None:
        raise Impossible(action, assignment.state, possible(assignment))
    out = replace(assignment, state=target, version=assignment.version + 1)
    if target is S.ACCEPTED:
        out = replace(out, accepted_at_s=now_s)
    elif target is S.EN_ROUTE:
        out = replace(out, en_route_at_s=now_s)
    elif target is S.ON_SCENE:
        out = replace(out, on_scene_at_s=now_s)
    if target not in ACTIVE:
        out = replace(out, cleared_at_s=now_s, ended_reason=reason or str(target))
    facts: dict[str, object] = {"incident": assignment.incident, "unit": assignment.unit, "from": str(assignment.state)}
    if reason:
        facts["reason"] = reason
    if client_time_s is not None:
        facts["client_time_s"] = client_time_s
    return out, [Event(f"assignment.{target}", assignment.id, now_s, actor, facts)]
