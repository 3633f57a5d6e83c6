"""/api/v1/cameras: the cameras that the account may see, with their health. Never their addresses (they carry passwords)."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter

from configs.schema import Camera
from web.accounts_store import SessionRow
from web.deps import Here, requires
from web.policy import Permission

router = APIRouter(prefix="/api/v1", tags=["cameras"])


@router.get("/cameras", summary="Cameras in your groups and jurisdiction")
async def cameras(services: Here, session: Annotated[SessionRow, requires(Permission.CAMERA_READ)]) -> dict[str, Any]:
    """Place, purpose, zones, footprint on the map and the newest health of each."""
    now_s = services.now()
    return {
        "cameras": [
            {**camera_json(camera), "health": services.health.of(camera.id, now_s)}
            for camera in services.settings.camera
            if camera.enabled and services.scope.sees_camera(session.account, camera.id)
        ]
    }


def camera_json(camera: Camera) -> dict[str, Any]:
    return {
        "id": camera.id,
        "name": camera.name,
        "name_zh": camera.name_zh or camera.name,
        "purpose": camera.purpose,
        "purpose_zh": camera.purpose_zh or camera.purpose,
        "group": camera.group,
        "jurisdiction": camera.jurisdiction,
        "position": list(camera.position),
        "heading_deg": camera.heading_deg,
        "zones": [
            {
                "id": zone.id,
                "name": zone.name or zone.id,
                "name_zh": zone.name_zh or zone.name or zone.id,
                "hazard": zone.hazard,
                "polygon": [list(corner) for corner in zone.polygon],
            }
            for zone in camera.zones
        ],
        "footprint": footprint(camera),
    }


def footprint(camera: Camera) -> list[list[float]] | None:
    """The ground between the four calibration points, as a simple polygon [[lat, lon] × 4]; None without calibration.

    This is the part of the view that was measured, not everything that the camera sees (that reaches to the horizon).
    """
    points = camera.calibration
    if len(points) != 4:
        return None
    middle_x = sum(point.picture[0] for point in points) / 4
    middle_y = sum(point.picture[1] for point in points) / 4
    around = sorted(points, key=lambda point: math.atan2(point.picture[1] - middle_y, point.picture[0] - middle_x))
    return [list(point.ground) for point in around]
