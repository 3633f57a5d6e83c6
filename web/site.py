"""/api/v1/site and the base map: what a page must know before it shows anything."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from configs.schema import Settings
from dispatch.incident import DISMISS_REASONS
from web.accounts_store import SessionRow
from web.deps import Here, requires
from web.hazard_names import HAZARD_NAMES
from web.policy import Permission
from web.problems import Text, not_found

router = APIRouter(prefix="/api/v1", tags=["site"])

META = "meta.json"  # what `callout map build` writes about its folder: bounds, files
MARGIN = 0.15  # of the extent of cameras and bases, where there is no map file to take the bounds from
MARGIN_MIN_DEG = 0.005


@router.get("/site", summary="The site: names, map, hazards, reasons, time limits")
async def site(services: Here, _: Annotated[SessionRow, requires(Permission.SITE_READ)]) -> dict[str, Any]:
    """What does not change while the server runs, for console and phone."""
    settings = services.settings
    built = await asyncio.to_thread(built_map, services.layout.map)
    bounds = built.bounds if built else placed_bounds(settings)
    (south, west), (north, east) = bounds
    return {
        "name": settings.site.name,
        "name_zh": settings.site.name_zh or settings.site.name,
        "map": {
            "center": [(south + north) / 2, (west + east) / 2],
            "bounds": [[south, west], [north, east]],
            "attribution": settings.map.attribution,
            "basemap_url": "/api/v1/map/basemap" if built else None,
        },
        "hazards": [{"kind": kind.value, "en": name.en, "zh": name.zh} for kind, name in HAZARD_NAMES.items()],
        "dismiss_reasons": [{"code": code, "en": en, "zh": zh} for code, en, zh in DISMISS_REASONS],
        "grant_s": settings.dispatch.grant_s,
        "offer_timeout_s": settings.dispatch.offer_timeout_s,
    }


@router.get("/map/basemap", summary="The base map as GeoJSON")
async def basemap(request: Request, services: Here, _: Annotated[SessionRow, requires(Permission.SITE_READ)]) -> Response:
    """Water, green, buildings, roads and rails out of OpenStreetMap (ODbL). Packed with gzip and cacheable by ETag."""
    built = await asyncio.to_thread(built_map, services.layout.map)
    if built is None:
        raise not_found(Text("A base map (make it with `callout map build`)", "底图（可用 `callout map build` 生成）"))
    etag = f'"{built.basemap.name.split(".")[0]}"'  # the name holds the digest of the extract
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    body = await asyncio.to_thread(built.basemap.read_bytes)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        body = await asyncio.to_thread(gzip.decompress, body)
    return Response(body, media_type="application/geo+json", headers=headers)


Bounds = tuple[tuple[float, float], tuple[float, float]]  # (south, west), (north, east)


@dataclass(frozen=True, slots=True)
class BuiltMap:
    bounds: Bounds
    basemap: Path  # gzipped GeoJSON


def built_map(folder: Path) -> BuiltMap | None:
    """What `callout map build` made in the folder; None where it made nothing yet (or nothing readable)."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        (south, west), (north, east) = meta["bounds"]
        basemap = folder / Path(str(meta["files"]["basemap"])).name
        bounds = (float(south), float(west)), (float(north), float(east))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return BuiltMap(bounds, basemap) if basemap.is_file() else None


def placed_bounds(settings: Settings) -> Bounds:
    """Around all cameras and bases, with a margin; a small box around (0, 0) on a site that has neither."""
    places = [camera.position for camera in settings.camera] + [unit.base for unit in settings.unit]
    lats, lons = [place[0] for place in places] or [0.0], [place[1] for place in places] or [0.0]
    lat_margin = max(MARGIN * (max(lats) - min(lats)), MARGIN_MIN_DEG)
    lon_margin = max(MARGIN * (max(lons) - min(lons)), MARGIN_MIN_DEG)
    return (min(lats) - lat_margin, min(lons) - lon_margin), (max(lats) + lat_margin, max(lons) + lon_margin)
