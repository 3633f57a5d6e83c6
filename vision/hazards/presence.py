"""Who is inside a zone and since when, over missed frames, jitter at the edge and a tracker that loses its number. Pure.

Intrusion and crowding both stand on this. A presence is a track number, times and a foot point: nothing about who it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from configs.schema import Zone
from vision import zones
from vision.detections import Box, Track
from vision.hazards.episode import Best, score_of

EDGE = 0.012  # of the picture: somebody inside stays inside until this far beyond the edge
HANDOVER_DISTANCE = 0.06  # of the picture: a lost track and a new one this near to it are one presence


@dataclass(frozen=True, slots=True)
class Presence:
    track: int
    since_s: float
    last_s: float
    foot: tuple[float, float]
    box: Box
    best: Best

    def shifted(self, by_s: float) -> Presence:
        return replace(self, since_s=self.since_s + by_s, last_s=self.last_s + by_s, best=self.best.shifted(by_s))


def update(
    present: tuple[Presence, ...], zone: Zone, tracks: Iterable[Track], now_s: float, keep_s: float
) -> tuple[Presence, ...]:
    """The presences after one frame: those seen in the zone now, and those not seen anywhere for at most keep_s.

    A new track takes over the times of a lost one at the same place: it is the detector that blinked, not a second person.
    """
    seen = {track.id: track for track in sorted(tracks, key=lambda t: t.id)}
    known = {p.track: p for p in present}
    lost = {p.track: p for p in present if p.track not in seen and now_s - p.last_s <= keep_s}
    inside: list[Presence] = []
    fresh: list[Track] = []
    for track in seen.values():
        before = known.get(track.id)
        # A track that was lost for long under the same number starts anew.
        if before is not None and now_s - before.last_s <= keep_s:
            if zones.distance(zone.polygon, track.foot) <= EDGE:
                best = before.best.seen(score_of(track), now_s)
                inside.append(replace(before, last_s=now_s, foot=track.foot, box=track.box, best=best))
        elif zones.contains(zone.polygon, track.foot):
            fresh.append(track)
    for track in fresh:
        near = min(lost.values(), key=lambda p: (math.dist(p.foot, track.foot), p.track), default=None)
        if near is not None and math.dist(near.foot, track.foot) <= HANDOVER_DISTANCE:
            del lost[near.track]
            best = near.best.seen(score_of(track), now_s)
            inside.append(replace(near, track=track.id, last_s=now_s, foot=track.foot, box=track.box, best=best))
        else:
            inside.append(Presence(track.id, now_s, now_s, track.foot, track.box, Best(score_of(track), now_s)))
    return tuple(sorted((*inside, *lost.values()), key=lambda p: p.track))
