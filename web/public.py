"""/api/v1/public: what anybody may know. Which cameras film where and why, for which hazards, how long, how often in vain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from configs.schema import Camera
from vision.sighting import HazardKind
from web.deps import Here, requires
from web.hazard_names import HAZARD_NAMES
from web.policy import Permission

router = APIRouter(prefix="/api/v1", tags=["public"])

CACHE_S = 30.0


@router.get("/public", summary="The public page's facts", dependencies=[requires(Permission.PUBLIC_READ)])
async def public(services: Here) -> dict[str, Any]:
    """No login needed. Cameras with purpose, hazards and zones; retention; alarms that turned out right and wrong."""
    now_s = services.now()
    if services.public_figures is None or now_s - services.public_figures[0] > CACHE_S:
        services.public_figures = (now_s, await services.on_desk(services.desk.figures))
    settings = services.settings
    return {
        "name": settings.site.name,
        "name_zh": settings.site.name_zh or settings.site.name,
        "hazards": [{"kind": kind.value, "en": name.en, "zh": name.zh} for kind, name in HAZARD_NAMES.items()],
        "cameras": [public_camera(camera) for camera in settings.camera if camera.enabled],
        "retention": {
            "outside_incident_hours": settings.retention.outside_incident_hours,
            "incident_clip_days": settings.retention.incident_clip_days,
        },
        "alarms": {"kinds": finished(services.public_figures[1])},
        "at_s": services.public_figures[0],
    }


def finished(figures: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Incidents that are over, and how many of them were false alarms, by kind. What is going on now is not for the public."""
    return {
        kind: {"incidents": row["incidents"] - row["open"], "false_alarms": row["false_alarms"]}
        for kind, row in sorted(figures["kinds"].items())
    }


def public_camera(camera: Camera) -> dict[str, Any]:
    hazards = sorted({HazardKind(zone.hazard).value for zone in camera.zones})
    return {
        "id": camera.id,
        "name": camera.name,
        "name_zh": camera.name_zh or camera.name,
        "purpose": camera.purpose,
        "purpose_zh": camera.purpose_zh or camera.purpose,
        "position": list(camera.position),
        "hazards": hazards,
        "zones": [
            {"name": zone.name or zone.id, "name_zh": zone.name_zh or zone.name or zone.id, "hazard": zone.hazard}
            for zone in camera.zones
        ],
    }
