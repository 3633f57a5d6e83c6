"""Between the store's rows and the domain's entities: column names in one place. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dispatch import assignment, incident
from dispatch.assignment import Assignment
from dispatch.incident import Incident, Place

INCIDENT = (
    "id", "number", "version", "kind", "state", "priority", "camera", "zone", "lat", "lon", "sigma_m", "place_source",
    "opened_at_s", "updated_at_s", "first_seen_s", "last_seen_s", "sightings", "score", "box", "thumbnail_sha256",
    "dismiss_reason", "dismissed_at_s", "duplicate_of", "reopened", "alert", "alert_at_s",
)  # fmt: skip
ASSIGNMENT = (
    "id", "version", "incident", "unit", "state", "offered_at_s", "answer_by_s", "accepted_at_s", "en_route_at_s",
    "on_scene_at_s", "cleared_at_s", "ended_reason", "eta_s", "route",
)  # fmt: skip


def incident_row(i: Incident) -> tuple[Any, ...]:
    return (
        i.id, i.number, i.version, i.kind, str(i.state), i.priority, i.camera, i.zone, i.place.lat, i.place.lon,
        i.place.sigma_m, i.place.source, i.opened_at_s, i.updated_at_s, i.first_seen_s, i.last_seen_s, i.sightings, i.score,
        None if i.box is None else json.dumps(i.box), i.thumbnail_sha256, i.dismiss_reason, i.dismissed_at_s,
        i.duplicate_of, i.reopened, i.alert, i.alert_at_s,
    )  # fmt: skip


def incident_of(row: Mapping[str, Any]) -> Incident:
    values = {name: row[name] for name in INCIDENT}
    place = Place(values.pop("lat"), values.pop("lon"), values.pop("sigma_m"), values.pop("place_source"))
    box = values.pop("box")
    state = incident.State(values.pop("state"))
    return Incident(place=place, box=None if box is None else tuple(json.loads(box)), state=state, **values)


def assignment_row(a: Assignment) -> tuple[Any, ...]:
    return (
        a.id, a.version, a.incident, a.unit, str(a.state), a.offered_at_s, a.answer_by_s, a.accepted_at_s, a.en_route_at_s,
        a.on_scene_at_s, a.cleared_at_s, a.ended_reason, a.eta_s, None if a.route is None else json.dumps(a.route),
    )  # fmt: skip


def assignment_of(row: Mapping[str, Any]) -> Assignment:
    values = {name: row[name] for name in ASSIGNMENT}
    route = values.pop("route")
    state = assignment.State(values.pop("state"))
    line = None if route is None else tuple((p[0], p[1]) for p in json.loads(route))
    return Assignment(route=line, state=state, **values)
