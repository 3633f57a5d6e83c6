"""From entities to what people see: views with their next steps, names and words. Pure but for the reader handed in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from configs.schema import Camera, Unit
from dispatch import assignment, incident, texts
from dispatch.assignment import Assignment
from dispatch.incident import Attached, Incident
from dispatch.retention import THUMBNAILS
from dispatch.store import Reader
from dispatch.views import Alert, AssignmentView, ClipView, EvidenceView, IncidentView, JournalLine, PlaceView
from vision.sighting import Evidence, HazardKind, Sighting

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
        """Five queries, however many incidents."""
        found = list(found)
        ids = [i.id for i in found]
        assignments, clips, journals = reader.assignments(ids), reader.clips(ids), reader.journals(ids)
        newest = {id_: _evidence_in(body) for id_, body in reader.newest_sightings(ids).items()}
        pictures = {i.thumbnail_sha256 for i in found} | {one.thumbnail_sha256 for one in newest.values() if one is not None}
        gone = {PurePosixPath(f).stem: float(row["at_s"]) for f, row in reader.deletions(map(thumbnail_file, pictures)).items()}
        return [
            self._incident(i, assignments.get(i.id, []), clips.get(i.id, []), journals.get(i.id, []), newest.get(i.id), gone)
            for i in found
        ]

    def _incident(  # noqa: PLR0917  # one private call
        self,
        i: Incident,
        assignments: list[Assignment],
        clips: list[Any],
        journal: list[Any],
        evidence: Evidence | None,
        gone: Mapping[str, float],
    ) -> IncidentView:
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
            thumbnail=_picture(i.thumbnail_sha256, gone),
            clips=tuple(_clip(c) for c in clips),
            assignments=tuple(self.assignment(a) for a in assignments),
            next=incident.possible(i, attached(assignments)),
            dismiss_reason=i.dismiss_reason,
            journal=tuple(self._line(row) for row in journal),
            alert=None if alert is None else Alert(i.alert, alert[0], alert[1], i.alert_at_s),
            evidence=None if evidence is None else _evidence(evidence, gone),
            thumbnail_deleted_at_s=gone.get(i.thumbnail_sha256),
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


def thumbnail_file(sha256: str) -> str:
    return f"{THUMBNAILS}{sha256}.jpg"


def _picture(sha256: str, gone: Mapping[str, float]) -> str | None:
    return f"/media/{thumbnail_file(sha256)}" if sha256 and sha256 not in gone else None


def _clip(row: Any) -> ClipView:
    deleted_at_s = row["deleted_at_s"]
    state = row["state"] if deleted_at_s is None else "deleted"
    return ClipView(row["id"], state, row["started_at_s"], row["ended_at_s"], deleted_at_s)


def _evidence_in(body: str) -> Evidence | None:
    try:
        return Sighting.from_json(body).evidence
    except ValueError:
        return None  # of another version: the incident itself can still be shown


def _evidence(found: Evidence, gone: Mapping[str, float]) -> EvidenceView:
    picture = _picture(found.thumbnail_sha256, gone)
    return EvidenceView(found.rule, found.model_sha256, found.thresholds, found.measured, picture)


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
