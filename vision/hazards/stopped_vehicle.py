"""Stopped vehicle: a vehicle that stays where it is, in a lane meant to flow, for `dwell_s`. Pure.

A *spot* is a place where a vehicle has been seen still: one track, seen VERIFY_S apart with its box hardly moved, or boxes of
tracks that begin there (TIGHT_HITS) almost on top of each other. Only that makes a spot believed, so vehicles driving through
one after another do not add up to a stopped one. A believed spot outlives missed detections (tiny detectors drop cars for
seconds) and a new track number, and dies when its vehicle is seen elsewhere.

Out of scope: queues. A vehicle waiting at a light or in a jam is stopped too; choose `dwell_s` longer than the red phase, and
a zone where nobody has a reason to wait. (Rules like these won the AI City traffic-anomaly challenges: background modelling,
detection, tracking.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from configs.schema import Zone
from models.vocabulary import VEHICLES
from vision import zones
from vision.detections import Box, Observation, Track
from vision.hazards.episode import ALARM_SCORE, NONE_YET, Best, Episode, advance, score_of, seen_now, settle_clock
from vision.sighting import Finding, HazardKind

STILL = 0.25  # of the box's width and height: detectors' boxes jitter by up to about a tenth of it
SIZE_RATIO = 0.6  # the smaller over the larger width (height) of two boxes of one still vehicle
VERIFY_S = 1.0  # a spot is believed when one track has been still on it this long
MIN_DWELL_S = 3.0  # a vehicle that stands for less is manoeuvring, whatever the settings say
MISSED_S = 6.0  # a believed spot outlives this long without a detection
UNBELIEVED_S = 3.0
TIGHT, TIGHT_HITS, TIGHT_S = 0.08, 5, 4.0  # or: so many boxes of whatever tracks, so near to one place, over so long
SEEN_ELSEWHERE_S = 1.0  # its track drives off, and no other vehicle is seen on the spot within this: it is gone
LEAVE_S = 3.0
IN_ZONE = 0.5  # of the box, for views from above, where the box's foot may lie outside the lane
MEMORY_S = 10.0  # of the best score


@dataclass(frozen=True, slots=True)
class Spot:
    anchor: Box
    hits: int
    since_s: float
    last_s: float
    track: int
    track_since_s: float
    best: Best
    believed: bool = False
    left_s: float | None = None  # since when its track is seen elsewhere

    def shifted(self, by_s: float) -> Spot:
        return replace(
            self,
            since_s=self.since_s + by_s,
            last_s=self.last_s + by_s,
            track_since_s=self.track_since_s + by_s,
            best=self.best.shifted(by_s),
            left_s=None if self.left_s is None else self.left_s + by_s,
        )


@dataclass(frozen=True, slots=True)
class State:
    zone: Zone
    now_s: float | None = None
    spots: tuple[Spot, ...] = ()
    episode: Episode = NONE_YET


def initial(zone: Zone) -> State:
    return State(zone)


def step(state: State, observation: Observation, now_s: float) -> tuple[State, tuple[Finding, ...]]:
    """One observed frame at `now_s` (unix seconds, its capture time). Returns the new state and what is to be told."""
    now_s, by_s = settle_clock(state.now_s, now_s)
    spots = tuple(s.shifted(by_s) for s in state.spots) if by_s else state.spots
    spots = _update(spots, state.zone, seen_now(observation, VEHICLES), now_s)
    dwell_s = max(state.zone.dwell_s, MIN_DWELL_S)
    standing = [s for s in spots if s.believed and s.left_s is None]
    dwelt = [s for s in standing if s.last_s - s.since_s >= dwell_s and s.best.score >= ALARM_SCORE]
    episode, due = advance(
        state.episode.shifted(by_s),
        since_s=min((s.since_s for s in dwelt), default=None),
        evident=any(s.last_s - s.since_s >= dwell_s for s in standing),
        now_s=now_s,
        leave_s=LEAVE_S,
    )
    state = replace(state, now_s=now_s, spots=spots, episode=episode)
    if not due or episode.began_s is None:
        return state, ()
    told = min(dwelt or standing, key=lambda s: (s.since_s, s.anchor))
    finding = Finding(
        kind=HazardKind.STOPPED_VEHICLE,
        zone=state.zone.id,
        event=episode.event,
        began_at_s=episode.began_s,
        at_s=now_s,
        score=round(told.best.score, 3),
        box=told.anchor,
        foot=((told.anchor[0] + told.anchor[2]) / 2, told.anchor[3]),
        measured=(("stopped_s", round(told.last_s - told.since_s, 2)), ("detections", float(told.hits))),
        thresholds=(("dwell_s", dwell_s), ("still", STILL), ("score", ALARM_SCORE)),
    )
    return state, (finding,)


def _update(spots: tuple[Spot, ...], zone: Zone, tracks: list[Track], now_s: float) -> tuple[Spot, ...]:
    held: list[Spot] = []
    taken: set[int] = set()
    for spot in sorted(spots, key=lambda s: (-s.hits, s.since_s, s.anchor)):
        here = [t for t in tracks if t.id not in taken and _on(spot.anchor, t.box)]
        # Its own track before others, then the surest.
        track = min(here, key=lambda t: (t.id != spot.track, -t.score, t.id), default=None)
        if track is not None:
            taken.add(track.id)
            held.append(_supported(spot, track, now_s))
            continue
        elsewhere = any(t.id == spot.track for t in tracks)
        left_s = (now_s if spot.left_s is None else spot.left_s) if elsewhere or spot.left_s is not None else None
        gone = left_s is not None and (not spot.believed or now_s - left_s > SEEN_ELSEWHERE_S)
        if not gone and now_s - spot.last_s <= (MISSED_S if spot.believed else UNBELIEVED_S):
            held.append(replace(spot, left_s=left_s))
    new = (t for t in tracks if t.id not in taken and _in_zone(zone, t))
    held.extend(Spot(t.box, 1, now_s, now_s, t.id, now_s, Best(score_of(t), now_s)) for t in new)
    return tuple(held)


def _in_zone(zone: Zone, track: Track) -> bool:
    return zones.contains(zone.polygon, track.foot) or zones.overlap(zone.polygon, track.box) >= IN_ZONE


def _supported(spot: Spot, track: Track, now_s: float) -> Spot:
    same = track.id == spot.track
    blinked = track.first_seen_s >= now_s - 1e-3 and _on(spot.anchor, track.box, TIGHT)
    if not same and not spot.believed and not blinked:
        # Another track on a spot that nobody has yet been still on: two vehicles driving through, as likely as one.
        return Spot(track.box, 1, now_s, now_s, track.id, now_s, Best(score_of(track), now_s))
    track_since_s = spot.track_since_s if same else now_s
    tight = spot.hits + 1 >= TIGHT_HITS and now_s - spot.since_s >= TIGHT_S
    anchor = spot.anchor if spot.hits >= 5 else _mean(spot.anchor, spot.hits, track.box)
    return Spot(
        anchor=anchor,  # the mean of the first five boxes, then fixed: a vehicle that creeps on leaves its anchor
        hits=spot.hits + 1,
        since_s=spot.since_s,
        last_s=now_s,
        track=track.id,
        track_since_s=track_since_s,
        best=spot.best
        if spot.best.score > score_of(track) and now_s - spot.best.at_s <= MEMORY_S
        else Best(score_of(track), now_s),
        believed=spot.believed or (spot.hits >= 2 and now_s - track_since_s >= VERIFY_S) or tight,
        left_s=None,
    )


def _mean(anchor: Box, hits: int, box: Box) -> Box:
    a, b, c, d = ((old * hits + new) / (hits + 1) for old, new in zip(anchor, box, strict=True))
    return (a, b, c, d)


def _on(anchor: Box, box: Box, still: float = STILL) -> bool:
    """Is this box the same still vehicle? Its middle hardly moved, its size hardly changed."""
    for low, high in ((0, 2), (1, 3)):
        size, other = anchor[high] - anchor[low], box[high] - box[low]
        if min(size, other) <= 0 or min(size, other) < SIZE_RATIO * max(size, other):
            return False
        if abs((anchor[low] + anchor[high]) - (box[low] + box[high])) / 2 > still * size:
            return False
    return True
