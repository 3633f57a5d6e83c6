"""The unit's state machine: what the responder says of itself. *Committed* is not a state: it follows from assignments. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from dispatch.errors import Impossible
from dispatch.event import Event
from dispatch.views import Actor


class State(StrEnum):
    OFF_DUTY = "off_duty"
    AVAILABLE = "available"
    OUT_OF_SERVICE = "out_of_service"
    LOST_CONTACT = "lost_contact"


S = State
# action -> {from: to}. `lose` and `regain` are Callout's own; the rest is what the responder chooses.
TRANSITIONS: dict[str, dict[State, State]] = {
    "available": {S.OFF_DUTY: S.AVAILABLE, S.OUT_OF_SERVICE: S.AVAILABLE, S.LOST_CONTACT: S.AVAILABLE, S.AVAILABLE: S.AVAILABLE},
    "out_of_service": dict.fromkeys(S, S.OUT_OF_SERVICE),
    "off_duty": dict.fromkeys(S, S.OFF_DUTY),
    "lose": {S.AVAILABLE: S.LOST_CONTACT},
    "regain": {S.LOST_CONTACT: S.AVAILABLE},
}
RESPONDER_ACTIONS = ("available", "out_of_service", "off_duty")


@dataclass(frozen=True, slots=True)
class Unit:
    """`contact_at_s` is when it was last heard of; a unit that has never reported starts off duty."""

    id: str
    version: int = 1
    state: State = State.OFF_DUTY
    contact_at_s: float = 0.0


def apply(unit: Unit, action: str, now_s: float, *, actor: Actor, committed_to: str | None = None) -> tuple[Unit, list[Event]]:
    """Raises Impossible: also for leaving duty while committed (`committed_to` is the incident)."""
    target = TRANSITIONS.get(action, {}).get(unit.state)
    possible = tuple(a for a in RESPONDER_ACTIONS if unit.state in TRANSITIONS[a] and (committed_to is None or a == "available"))
    if target is None:
        raise Impossible(action, unit.state, possible)
    if committed_to is not None and target in (S.OFF_DUTY, S.OUT_OF_SERVICE):
        because = (f"The unit is committed to incident {committed_to}.", f"该单元正在处置警情 {committed_to}。")
        raise Impossible(action, unit.state, possible, because)
    contact_at_s = unit.contact_at_s if action == "lose" else now_s
    if target is unit.state:
        return replace(unit, contact_at_s=contact_at_s), []
    out = replace(unit, state=target, version=unit.version + 1, contact_at_s=contact_at_s)
    return out, [Event(f"unit.{target}", unit.id, now_s, actor, {"from": str(unit.state)})]


def heard(unit: Unit, now_s: float) -> Unit:
    """It has said something: no change of state, but its silence begins anew."""
    return replace(unit, contact_at_s=max(unit.contact_at_s, now_s))


def lost(unit: Unit, now_s: float, lost_contact_s: float) -> bool:
    """Whether an available unit has been silent for too long."""
    return unit.state is S.AVAILABLE and now_s - unit.contact_at_s >= lost_contact_s
