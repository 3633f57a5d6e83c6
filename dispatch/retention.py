"""When a clip or a thumbnail has had its time. Pure.

Video that an incident holds goes `incident_clip_days` after the incident ended (never while it is open); what no incident
joined goes after `outside_incident_hours`, of which the default is none, and a short grace. What several incidents share is
kept for the last of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from configs.schema import Retention

CLIPS, THUMBNAILS = "clips/", "thumbnails/"  # where each lies, inside the media folder
GRACE_S = 3600.0  # a sighting that names the clip may still be on its way

RuleName = Literal["incident_clip_days", "outside_incident_hours"]


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file of the media folder (`clips/…`, `thumbnails/…`). `changed_at_s` is the file system's word for when it ended."""

    file: str
    bytes: int
    changed_at_s: float
    being_written: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """An incident that a clip or thumbnail belongs to; `ended_at_s` None while it is open."""

    incident: str
    ended_at_s: float | None


@dataclass(frozen=True, slots=True)
class Due:
    """By which rule it goes: `limit_s` have passed since `since_s`."""

    rule: RuleName
    since_s: float
    limit_s: float


@dataclass(frozen=True, slots=True)
class Doomed:
    """One file whose time has come, with what the proof says of it. `present` False: only its row is left."""

    file: str
    due: Due
    incidents: tuple[str, ...]
    clip: str = ""  # "" for a thumbnail
    camera: str = ""
    bytes: int = 0
    sha256: str = ""
    started_at_s: float | None = None
    ended_at_s: float | None = None
    present: bool = True


def due(
    ended_at_s: float,
    holders: Iterable[Holder],
    settings: Retention,
    now_s: float,
    *,
    heard_s: float,
    being_written: bool = False,
) -> Due | None:
    """None: it is kept. `ended_at_s` is when the video ended (a thumbnail: when it was made).

    `heard_s`: every sighting that was on the bus at this moment has been counted. What no incident holds is judged only
    when this lies well behind its end: a bus that was away may still bring the sighting that names it."""
    if being_written:
        return None
    ends: list[float] = []
    for holder in holders:
        if holder.ended_at_s is None:
            return None
        ends.append(holder.ended_at_s)
    if ends:
        since_s, limit_s = max(ended_at_s, *ends), settings.incident_clip_days * 86_400.0
        return Due("incident_clip_days", since_s, limit_s) if now_s - since_s >= limit_s else None
    limit_s = settings.outside_incident_hours * 3600.0 + GRACE_S
    if heard_s - ended_at_s < GRACE_S or now_s - ended_at_s < limit_s:
        return None
    return Due("outside_incident_hours", ended_at_s, limit_s)
