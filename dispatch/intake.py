"""Many sightings, one incident: where a sighting belongs. Pure.

It joins the incident of the same camera, kind and zone at the same place that was seen less than `merge_quiet_s` ago. What a
person dismissed stays dismissed while the same event goes on, but not for ever: a wrong dismissal must not hide a fire.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Literal

from configs.schema import Camera
from dispatch.errors import BadInput
from dispatch.eta import distance_m
from dispatch.event import Event
from dispatch.incident import ENDED, Incident, Place, State
from dispatch.views import Actor
from vision.sighting import Sighting

SAME_PLACE_M = 40.0  # closer than this is the same place, however sharp the two measurements are
CAMERA_SIGMA_M = 75.0  # of a place that is only "what this camera sees"
DISMISSED_FOR_MAX_S = 600.0  # an event that goes on longer than this after its dismissal is shown again
CLOCK_AHEAD_MAX_S = 120.0

DISMISSED = frozenset({State.FALSE_ALARM, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class Verdict:
    """`join`: it adds to `incident`; `quiet`: it belongs to one that a person dismissed; `open`: it is a new one."""

    what: Literal["join", "quiet", "open"]
    incident: Incident | None = None


def check(sighting: Sighting, now_s: float) -> None:
    """BadInput for values that no camera can mean; such a message is put aside, not retried."""
    if not sighting.id:
        raise BadInput("id", "a sighting needs an id, so that it is counted once", "缺少编号")
    for name, value in (("at_s", sighting.at_s), ("began_at_s", sighting.began_at_s), ("score", sighting.score)):
        if not isinstance(value, int | float) or not abs(value) < 1e12:
            raise BadInput(name, f"{value!r} is not a number that can be meant", f"{value!r} 不是有效数值")
    if not 0 <= sighting.score <= 1:
        raise BadInput("score", f"{sighting.score} is not between 0 and 1", f"{sighting.score} 不在 0 到 1 之间")
    if sighting.at_s > now_s + CLOCK_AHEAD_MAX_S:
        ahead = round(sighting.at_s - now_s)
        raise BadInput("at_s", f"{ahead} s in the future: check the worker's clock", f"时间超前 {ahead} 秒：请检查时钟")
    if sighting.began_at_s > sighting.at_s + 1:
        raise BadInput("began_at_s", "after at_s: an event begins before it is seen", "开始时间晚于发现时间")
    ground = sighting.ground
    if ground is not None and not (abs(ground.lat) <= 90 and abs(ground.lon) <= 180 and 0 <= ground.sigma_m < 1e6):
        raise BadInput("ground", f"{ground.lat}, {ground.lon} is not a place", f"{ground.lat}, {ground.lon} 不是有效位置")


def place_of(sighting: Sighting, camera: Camera) -> Place:
    if sighting.ground is None:
        return Place(camera.position[0], camera.position[1], CAMERA_SIGMA_M, "camera_position")
    return Place(sighting.ground.lat, sighting.ground.lon, sighting.ground.sigma_m, "camera")


def belongs(candidates: Iterable[Incident], sighting: Sighting, place: Place, now_s: float, merge_quiet_s: float) -> Verdict:
    """Among the incidents of this camera: the newest that fits."""
    best: Incident | None = None
    for incident in candidates:
        if (incident.camera, incident.kind, incident.zone) != (sighting.camera, str(sighting.kind), sighting.zone):
            continue
        gap = max(sighting.began_at_s - incident.last_seen_s, incident.first_seen_s - sighting.at_s, 0.0)
        if gap > merge_quiet_s or not _same_place(incident.place, place):
            continue
        if incident.state in ENDED and not (incident.state in DISMISSED and _still_dismissed(incident, now_s)):
            continue
        if best is None or _preference(incident) > _preference(best):
            best = incident
    if best is None:
        return Verdict("open")
    return Verdict("quiet" if best.state in DISMISSED else "join", best)


def _preference(incident: Incident) -> tuple[bool, float, int]:
    return (incident.state not in ENDED, incident.last_seen_s, incident.number)


def _still_dismissed(incident: Incident, now_s: float) -> bool:
    return incident.dismissed_at_s is not None and now_s - incident.dismissed_at_s <= DISMISSED_FOR_MAX_S


def _same_place(a: Place, b: Place) -> bool:
    if "camera_position" in (a.source, b.source):
        return True  # the zone is all that is known
    apart = float(distance_m(a.lat, a.lon, b.lat, b.lon))
    return apart <= max(SAME_PLACE_M, 3 * math.hypot(a.sigma_m, b.sigma_m))


def opened(
    sighting: Sighting,
    place: Place,
    *,
    id: str,  # noqa: A002  # the entity's own field
    number: int,
    priority: int,
    now_s: float,
    actor: Actor,
) -> tuple[Incident, list[Event]]:
    incident = Incident(
        id=id,
        number=number,
        kind=str(sighting.kind),
        camera=sighting.camera,
        zone=sighting.zone,
        place=place,
        priority=priority,
        opened_at_s=now_s,
        updated_at_s=now_s,
        first_seen_s=sighting.began_at_s,
        last_seen_s=sighting.at_s,
        score=sighting.score,
        box=sighting.box,
        thumbnail_sha256=sighting.evidence.thumbnail_sha256,
    )
    facts = {
        "sighting": sighting.id,
        "camera": sighting.camera,
        "kind": str(sighting.kind),
        "zone": sighting.zone,
        "score": round(sighting.score, 3),
        "rule": sighting.evidence.rule,
        "model_sha256": sighting.evidence.model_sha256,
        "measured": dict(sighting.evidence.measured),
        "thresholds": dict(sighting.evidence.thresholds),
    }
    return incident, [Event("incident.received", id, now_s, actor, facts)]


def joined(incident: Incident, sighting: Sighting, place: Place, now_s: float, *, actor: Actor) -> tuple[Incident, list[Event]]:
    """The incident with one more sighting: the newest box and time, the best score, the sharpest place.

    Its `version` stays: what people edit with If-Match did not change, and a burning bin must not make every decision stale."""
    newer = sighting.at_s >= incident.last_seen_s
    sharper = place.sigma_m < incident.place.sigma_m and place.source == "camera"
    out = replace(
        incident,
        updated_at_s=now_s,
        sightings=incident.sightings + 1,
        first_seen_s=min(incident.first_seen_s, sighting.began_at_s),
        last_seen_s=max(incident.last_seen_s, sighting.at_s),
        score=max(incident.score, sighting.score),
        box=sighting.box if newer and sighting.box is not None else incident.box,
        thumbnail_sha256=incident.thumbnail_sha256 or sighting.evidence.thumbnail_sha256,
        place=place if sharper else incident.place,
    )
    events = [Event("sighting.joined", incident.id, now_s, actor, {"sighting": sighting.id, "score": round(sighting.score, 3)})]
    if incident.state in (State.CLEARED, State.VERIFIED):
        events.append(Event("incident.seen_again", incident.id, now_s, actor))
    return out, events


def clip(message: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a recorder's clip message. BadInput when it is not of that form."""
    values = {k: message.get(k) for k in ("clip", "camera", "state", "file", "started_at_s", "ended_at_s", "bytes", "sha256")}
    for name in ("clip", "camera", "state", "file"):
        if not isinstance(values[name], str) or not values[name]:
            raise BadInput(name, "missing in a clip message")
    if values["state"] not in ("open", "closed"):
        raise BadInput("state", "open or closed")
    if not isinstance(values["started_at_s"], int | float) or not math.isfinite(values["started_at_s"]):
        raise BadInput("started_at_s", "unix seconds")
    file = str(values["file"])
    if file.startswith("/") or ".." in PurePath(file).parts:
        raise BadInput("file", "a name inside the clips folder")
    return values | {"bytes": int(values["bytes"] or 0), "sha256": str(values["sha256"] or "")}
