"""The incident's state machine. Pure: `apply(incident, action, now_s, …) -> (incident, [Event])`.

What a person decides is in `TRANSITIONS`; what follows from the assignments is in `follow()`. Corrections append: a
wrong step is answered by another step (`reopen`), never by editing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from dispatch.errors import BadInput, Impossible
from dispatch.event import Event
from dispatch.views import Actor, PlaceSource
from vision.detections import Box


class State(StrEnum):
    RECEIVED = "received"
    TRIAGE = "triage"
    CONFIRMED = "confirmed"
    DISPATCHING = "dispatching"
    RESPONDING = "responding"
    ON_SCENE = "on_scene"
    CONTROLLED = "controlled"
    CLEARED = "cleared"
    VERIFIED = "verified"
    CLOSED = "closed"
    FALSE_ALARM = "false_alarm"
    CANCELLED = "cancelled"
    DUPLICATE_OF = "duplicate_of"


S = State
BEFORE_RESPONSE = (S.RECEIVED, S.TRIAGE, S.CONFIRMED)
IN_RESPONSE = (S.DISPATCHING, S.RESPONDING, S.ON_SCENE, S.CONTROLLED)
ENDED = frozenset({S.CLOSED, S.FALSE_ALARM, S.CANCELLED, S.DUPLICATE_OF})
OFFERABLE = frozenset({S.CONFIRMED, *IN_RESPONSE})  # a unit may be sent

# action -> {from: to}. `offer` and what assignments do are not here: see follow().
TRANSITIONS: dict[str, dict[State, State]] = {
    "triage": {S.RECEIVED: S.TRIAGE},
    "confirm": {S.RECEIVED: S.CONFIRMED, S.TRIAGE: S.CONFIRMED},
    "dismiss": dict.fromkeys((*BEFORE_RESPONSE, *IN_RESPONSE), S.FALSE_ALARM),
    "cancel": dict.fromkeys((*BEFORE_RESPONSE, *IN_RESPONSE), S.CANCELLED),
    "duplicate": dict.fromkeys(BEFORE_RESPONSE, S.DUPLICATE_OF),
    "control": {S.ON_SCENE: S.CONTROLLED},
    "clear": {S.ON_SCENE: S.CLEARED, S.CONTROLLED: S.CLEARED},  # only when no unit is active any more
    "verify": {S.CLEARED: S.VERIFIED},
    "close": {S.VERIFIED: S.CLOSED},
    "reopen": {
        **dict.fromkeys((S.CLEARED, S.VERIFIED, S.CLOSED), S.CONFIRMED),
        **dict.fromkeys((S.FALSE_ALARM, S.CANCELLED, S.DUPLICATE_OF), S.TRIAGE),
    },
}

DISMISS_REASONS: tuple[tuple[str, str, str], ...] = (  # code, English, Chinese: a closed list, so that it can be counted
    ("nothing_there", "Nothing there", "画面中没有任何情况"),
    ("misread_picture", "The picture was misread (light, shadow, reflection, colour)", "误识别（光线、阴影、反光、颜色）"),
    ("authorised_work", "Authorised work", "经批准的作业"),
    ("drill", "Drill or test", "演练或测试"),
    ("harmless", "Real but harmless", "情况属实但无危险"),
    ("resolved", "Over before anybody was needed", "无需处置，已自行结束"),
)
DISMISS_CODES = frozenset(code for code, _, _ in DISMISS_REASONS)


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is; `source` is `camera` (computed from the picture) or `camera_position` (only where the camera hangs)."""

    lat: float
    lon: float
    sigma_m: float
    source: PlaceSource = "camera"


@dataclass(frozen=True, slots=True)
class Incident:
    id: str
    number: int
    kind: str
    camera: str
    zone: str
    place: Place
    priority: int
    opened_at_s: float
    updated_at_s: float
    first_seen_s: float
    last_seen_s: float
    version: int = 1
    state: State = State.RECEIVED
    sightings: int = 1
    score: float = 0.0
    box: Box | None = None
    thumbnail_sha256: str = ""
    dismiss_reason: str = ""
    dismissed_at_s: float | None = None
    duplicate_of: str = ""
    reopened: int = 0
    alert: str = ""  # code of dispatch.texts; "" when nothing needs a look
    alert_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Attached:
    """What the incident must know of one of its assignments: its state, and whether the unit was on the scene and finished."""

    state: str
    active: bool


def possible(incident: Incident, attached: Iterable[Attached] = ()) -> tuple[str, ...]:
    """The actions that this incident accepts now."""
    busy = any(a.active for a in attached)
    return tuple(action for action, table in TRANSITIONS.items() if incident.state in table and not (action == "clear" and busy))


def apply(
    incident: Incident,
    action: str,
    now_s: float,
    *,
    actor: Actor,
    attached: Iterable[Attached] = (),
    reason: str = "",
    note: str = "",
) -> tuple[Incident, list[Event]]:
    """One decision of a person. `reason` is a DISMISS_REASONS code (dismiss) or the other incident's id (duplicate).

    Raises Impossible with the possible actions, BadInput for a missing or unknown reason."""
    attached = tuple(attached)
    if action == "note":
        if not note.strip():
            raise BadInput("note", "write what you want to add to the record", "请填写要补充的内容")
        return _changed(incident, now_s), [Event("incident.note", incident.id, now_s, actor, {"note": note})]
    table = TRANSITIONS.get(action)
    target = table.get(incident.state) if table is not None else None
    if target is None:
        raise Impossible(action, incident.state, possible(incident, attached))
    if action == "clear" and any(a.active for a in attached):
        because = ("Units are still committed to it.", "仍有处置单元在派。")
        raise Impossible(action, incident.state, possible(incident, attached), because)
    if action == "dismiss" and reason not in DISMISS_CODES:
        codes = ", ".join(sorted(DISMISS_CODES))
        raise BadInput("reason", f"a dismissal needs one of: {codes}", f"解除警情须选择原因：{codes}")
    if action == "duplicate" and (not reason or reason == incident.id):
        raise BadInput("reason", "name the id of the other incident", "请填写另一警情的编号")

    facts = {"from": str(incident.state), "to": str(target), "reason": reason, "note": note}
    events = [Event(f"incident.{action}", incident.id, now_s, actor, {k: v for k, v in facts.items() if v})]
    out = _changed(incident, now_s, state=target, alert="")
    if action == "dismiss":
        out = replace(out, dismiss_reason=reason, dismissed_at_s=now_s)
    elif action == "cancel":
        out = replace(out, dismissed_at_s=now_s)
    elif action == "duplicate":
        out = replace(out, duplicate_of=reason)
    elif action == "reopen":
        out = replace(out, reopened=incident.reopened + 1, dismiss_reason="", dismissed_at_s=None, duplicate_of="")
    return out, events


def follow(incident: Incident, attached: Iterable[Attached], now_s: float, *, actor: Actor) -> tuple[Incident, list[Event]]:
    """The state that follows from the assignments, for an incident that is being answered.

    on scene > accepted or under way > offered; nobody active: it stays on_scene/controlled when somebody finished there
    (a person clears it), else it falls back to confirmed, so that the queue shows it again."""
    if incident.state not in OFFERABLE:
        return incident, []
    attached = tuple(attached)
    active = {a.state for a in attached if a.active}
    finished = any(a.state == "cleared" for a in attached)
    if "on_scene" in active or (finished and incident.state in (S.ON_SCENE, S.CONTROLLED)):
        target = S.CONTROLLED if incident.state is S.CONTROLLED else S.ON_SCENE
    elif active & {"accepted", "en_route"}:
        target = S.RESPONDING
    elif "offered" in active:
        target = S.DISPATCHING
    else:
        target = S.CONFIRMED
    if target is incident.state:
        return incident, []
    facts = {"from": str(incident.state), "to": str(target)}
    return _changed(incident, now_s, state=target), [Event("incident.followed", incident.id, now_s, actor, facts)]


def raise_alert(incident: Incident, code: str, now_s: float, *, actor: Actor) -> tuple[Incident, list[Event]]:
    """Something that a person must look at now. It goes when the next unit is offered or the incident is decided."""
    return _changed(incident, now_s, alert=code, alert_at_s=now_s), [Event(f"incident.alert.{code}", incident.id, now_s, actor)]


def quiet(incident: Incident) -> Incident:
    return replace(incident, alert="") if incident.alert else incident


def _changed(incident: Incident, now_s: float, **fields: object) -> Incident:
    return replace(incident, version=incident.version + 1, updated_at_s=now_s, **fields)  # type: ignore[arg-type]  # replace() checks the names
