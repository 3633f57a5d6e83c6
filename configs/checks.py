"""What types alone cannot say about settings. Pure: yields (path, message) for everything that is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from configs.schema import Camera, LatLon, Settings

Problem = tuple[tuple[str | int, ...], str]

VIDEO_OUTSIDE_INCIDENT_MAX_HOURS = 72.0  # SCOPE: held in code, so that nobody can type it away
_ID = re.compile(r"^[a-z0-9][a-z0-9_-]{0,39}$")


def problems(settings: Settings) -> Iterator[Problem]:
    yield from _ids(settings)
    yield from _numbers(settings)
    yield from _references(settings)
    for index, camera in enumerate(settings.camera):
        yield from _camera(camera, ("camera", index))
    for index, unit in enumerate(settings.unit):
        yield from _position(unit.base, ("unit", index, "base"))


def _ids(settings: Settings) -> Iterator[Problem]:
    named = {
        "camera": [c.id for c in settings.camera],
        "unit": [u.id for u in settings.unit],
        "jurisdiction": [j.id for j in settings.jurisdiction],
        "account": [a.name for a in settings.account],
    }
    for table, ids in named.items():
        key = "name" if table == "account" else "id"
        for index, value in enumerate(ids):
            if not _ID.match(value):
                yield (
                    (table, index, key),
                    f"`{value}` is not usable as {key}: small letters, digits, - and _, at most 40, a letter or digit first",
                )
            if value in ids[:index]:
                yield (table, index, key), f"the {table} `{value}` stands twice in this file; each {key} may stand once"


def _numbers(settings: Settings) -> Iterator[Problem]:
    outside = settings.retention.outside_incident_hours
    if not 0 <= outside <= VIDEO_OUTSIDE_INCIDENT_MAX_HOURS:
        yield (
            ("retention", "outside_incident_hours"),
            f"`{outside:g}` hours: video outside an incident may be kept {VIDEO_OUTSIDE_INCIDENT_MAX_HOURS:g} hours at the most",
        )
    if not 0 <= settings.retention.incident_clip_days < math.inf:
        yield (
            ("retention", "incident_clip_days"),
            f"`{settings.retention.incident_clip_days:g}` days: from 0 (deleted when the incident ends) up",
        )
    if not 0 <= settings.web.port <= 65535:
        yield ("web", "port"), f"`{settings.web.port}` is not a port; 0 (any free one) to 65535"
    if not 0 <= settings.streams.workers <= 256:
        yield ("streams", "workers"), f"`{settings.streams.workers}` workers; 0 (one per core) to 256"
    positive = {
        ("streams", "infer_per_s"): settings.streams.infer_per_s,
        ("streams", "still_infer_per_s"): settings.streams.still_infer_per_s,
        ("streams", "post_roll_s"): settings.streams.post_roll_s,
        ("streams", "clip_max_s"): settings.streams.clip_max_s,
        ("streams", "wall_height_px"): settings.streams.wall_height_px,
        ("dispatch", "offer_timeout_s"): settings.dispatch.offer_timeout_s,
        ("dispatch", "merge_quiet_s"): settings.dispatch.merge_quiet_s,
        ("dispatch", "grant_s"): settings.dispatch.grant_s,
        ("dispatch", "travel_limit_s"): settings.dispatch.travel_limit_s,
        ("dispatch", "lost_contact_s"): settings.dispatch.lost_contact_s,
        ("web", "session_hours"): settings.web.session_hours,
    }
    for path, value in positive.items():
        if value <= 0:
            yield path, f"`{'.'.join(path)}` is {value:g}; it must be more than 0"
    if settings.streams.still_infer_per_s < 1:
        yield ("streams", "still_infer_per_s"), "still hazards need at least 1 inference a second; set 1 or more"
    if settings.streams.pre_roll_s < 0:
        yield ("streams", "pre_roll_s"), "`streams.pre_roll_s` may not be negative"


def _references(settings: Settings) -> Iterator[Problem]:
    places = {j.id for j in settings.jurisdiction}
    accounts = {a.name: a for a in settings.account}
    groups = {c.group for c in settings.camera}
    for table, rows in (("jurisdiction", [(j.parent) for j in settings.jurisdiction]),):
        for index, parent in enumerate(rows):
            if parent and parent not in places:
                yield (table, index, "parent"), f"no jurisdiction `{parent}` in this file"
    for table, named in (
        ("camera", [c.jurisdiction for c in settings.camera]),
        ("unit", [u.jurisdiction for u in settings.unit]),
        ("account", [a.jurisdiction for a in settings.account]),
    ):
        for index, place in enumerate(named):
            if place and place not in places:
                yield (table, index, "jurisdiction"), f"no jurisdiction `{place}` in this file"
    for index, unit in enumerate(settings.unit):
        if unit.account and unit.account not in accounts:
            yield ("unit", index, "account"), f"no account `{unit.account}` in this file"
        elif unit.account and accounts[unit.account].role != "responder":
            yield ("unit", index, "account"), f"the account `{unit.account}` is not a responder"
        if unit.account and unit.account in [u.account for u in settings.unit[:index]]:
            yield ("unit", index, "account"), f"the account `{unit.account}` already carries another unit's phone"
    for index, account in enumerate(settings.account):
        for group in account.groups:
            if group not in groups:
                yield ("account", index, "groups"), f"no camera is in the group `{group}`"


def _camera(camera: Camera, path: tuple[str | int, ...]) -> Iterator[Problem]:
    yield from _position(camera.position, (*path, "position"))
    if not camera.purpose.strip():
        yield (
            (*path, "purpose"),
            f"camera `{camera.id}` needs a written purpose: why it films, in a sentence that anybody may read",
        )
    if not camera.url.startswith(("rtsp://", "rtsps://")):
        yield (*path, "url"), f"camera `{camera.id}`: the URL must begin with rtsp:// or rtsps://"
    if camera.calibration and len(camera.calibration) != 4:
        yield (
            (*path, "calibration"),
            f"camera `{camera.id}` has {len(camera.calibration)} calibration points; it needs none or four",
        )
    for point in camera.calibration:
        yield from _position(point.ground, (*path, "calibration"))
    for index, zone in enumerate(camera.zones):
        here = (*path, "zones", index)
        if zone.id in [z.id for z in camera.zones[:index]]:
            yield here, f"camera `{camera.id}` has two zones `{zone.id}`"
        if len(zone.polygon) < 3:
            yield here, f"zone `{zone.id}` of camera `{camera.id}` needs at least three corners"
        if any(not (0 <= x <= 1 and 0 <= y <= 1) for x, y in zone.polygon):
            yield here, f"zone `{zone.id}` of camera `{camera.id}`: corners are fractions of the picture, 0 to 1"
        if zone.hazard == "crowding" and zone.limit < 1:
            yield (
                here,
                f"zone `{zone.id}` of camera `{camera.id}` looks for crowding: give `limit`, the most people that are safe there",
            )


def _position(position: LatLon, path: tuple[str | int, ...]) -> Iterator[Problem]:
    lat, lon = position
    if not (-90 <= lat <= 90 and -180 <= lon <= 180) or (lat, lon) == (0.0, 0.0):
        yield path, f"{list(position)} is not a place: [latitude, longitude] in degrees"
