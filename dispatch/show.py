"""From entities to what people see: views with their next steps, names and words. Pure but for the reader handed in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from configs.schema import Camera, Unit
from dispatch import assignment, incident, texts
from dispatch.assignment import Assignment
from dispatch.incident import Attached, Incident
from dispatch.store import Reader
from dispatch.views import Alert, AssignmentView, ClipView, IncidentView, JournalLine, PlaceView
from vision.sighting import HazardKind

KINDS_ZH = {
    HazardKind.INTRUSION: "人员进入危险区域",
    HazardKind.CROWDING: "人群过密",
    HazardKind.STOPPED_VEHICLE: "车辆停在行车道",
    HazardKind.FIRE: "疑似火情",
}


def attached(assignments: Iterable[Assignment]) -> tuple[Attached, ...]:
    return tuple(Attached(str(a.state), a.active) for a in assignments)


class Show:
    def __init__(self, cameras: Iterable[Camera], units: Iterable[Unit]) -> None:
        self._cameras = {c.id: c for c in cameras}
        self._units = {u.id: u for u in units}

    def incidents(self, reader: Reader, found: Iterable[Incident]) -> list[IncidentView]:
        """Four queries, however many incidents."""
        found = list(found)
        ids = [i.id for i in found]
        assignments, clips, journals = reader.assignments(ids), reader.clips(ids), reader.journals(ids)
        return [self._incident(i, assignments.get(i.id, []), clips.get(i.id, []), journals.get(i.id, [])) for i in found]

    def _incident(self, i: Incident, assignments: list[Assignment], clips: list[Any], journal: list[Any]) -> IncidentView:
        alert = texts.ALERTS.get(i.alert)
        return IncidentView(
            id=i.id,
            number=i.number,
            version=i.version,
            kind=i.kind,
            state=str(i.state),
            priority=i.priority,
            camera=i.camera,
            zone=i.zone,
            place=PlaceView(i.place.lat, i.place.lon, i.place.sigma_m, i.place.source),
            opened_at_s=i.opened_at_s,
            updated_at_s=i.updated_at_s,
            first_seen_s=i.first_seen_s,
            last_seen_s=i.last_seen_s,
            sightings=i.sightings,
            score=i.score,
            box=i.box,
            thumbnail=f"/media/thumbnails/{i.thumbnail_sha256}.jpg" if i.thumbnail_sha256 else None,
            clips=tuple(ClipView(c["id"], c["state"], c["started_at_s"], c["ended_at_s"]) for c in clips),
            assignments=tuple(self.assignment(a) for a in assignments),
            next=incident.possible(i, attached(assignments)),
            dismiss_reason=i.dismiss_reason,
            journal=tuple(self._line(row) for row in journal),
            alert=None if alert is None else Alert(i.alert, alert[0], alert[1], i.alert_at_s),
        )

    def assignment(self, a: Assignment) -> AssignmentView:
        name, name_zh = self._unit(a.unit)
        return AssignmentView(
            id=a.id,
            version=a.version,
            incident=a.incident,
            unit=a.unit,
            unit_name=name,
            unit_name_zh=name_zh,
            state=str(a.state),
            offered_at_s=a.offered_at_s,
            answer_by_s=a.answer_by_s,
            accepted_at_s=a.accepted_at_s,
            en_route_at_s=a.en_route_at_s,
            on_scene_at_s=a.on_scene_at_s,
            cleared_at_s=a.cleared_at_s,
            ended_reason=a.ended_reason,
            eta_s=a.eta_s,
            route=a.route,
            next=assignment.possible(a),
        )

    def _unit(self, unit_id: str) -> tuple[str, str]:
        unit = self._units.get(unit_id)
        return (unit_id, unit_id) if unit is None else (unit.name, unit.name_zh or unit.name)

    def _line(self, row: Any) -> JournalLine:
        facts: dict[str, Any] = json.loads(row["facts"])
        en, zh = _both(facts)
        for key in ("unit", "cause_unit"):
            if key in facts:
                en[f"{key}_name"], zh[f"{key}_name_zh"] = self._unit(facts[key])
        camera = self._cameras.get(str(facts.get("camera", "")))
        if camera is not None:
            en["camera"], zh["camera"] = camera.name, camera.name_zh or camera.name
        words = texts.journal(row["code"], en)[0], texts.journal(row["code"], zh)[1]
        return JournalLine(row["at_s"], row["actor"], words[0], words[1], row["code"])


def _both(facts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facts, with what has words put into each language."""
    en, zh = dict(facts), dict(facts)
    for code, reason_en, reason_zh in incident.DISMISS_REASONS:
        if facts.get("reason") == code:
            en["reason_en"], zh["reason_zh"] = reason_en, reason_zh
    kind = str(facts.get("kind", ""))
    if kind in tuple(HazardKind):
        en["kind"], zh["kind"] = kind.replace("_", " "), KINDS_ZH[HazardKind(kind)]
    if "view" in facts:
        zh["view"] = {"clear": "清晰画面", "wall": "遮挡画面"}.get(str(facts["view"]), str(facts["view"]))
    return en, zh
