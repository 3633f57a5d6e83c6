"""Suspected fire: a flame-like region that stays in its place and keeps behaving like a flame for `dwell_s`. Pure.

`vision.fire_features` measures the regions; here their evidence is weighed and followed. Every kind of evidence must be
there: the score is a product, so that no amount of red makes up for a lack of flicker. A person confirms (SCOPE).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from configs.schema import Zone
from vision import zones
from vision.detections import Box, FireRegion, Observation
from vision.hazards.episode import NONE_YET, Episode, advance, settle_clock
from vision.sighting import Finding, HazardKind

ENTER, LEAVE = 0.5, 0.3  # of the smoothed score
SMOOTH_S = 1.0
AGE_S = 2.0  # whatever the settings say: flicker is a mean over two seconds
DIP_S = 1.5  # a region that is gone for less goes on
LEAVE_S = 5.0
IN_ZONE = 0.5  # of the region's box


@dataclass(frozen=True, slots=True)
class Suspect:
    """One place that may burn. `high_s` is since when its smoothed score has been over ENTER."""

    box: Box
    last_s: float
    score: float
    region: FireRegion
    began_s: float
    high_s: float | None = None

    def shifted(self, by_s: float) -> Suspect:
        return replace(
            self,
            last_s=self.last_s + by_s,
            began_s=self.began_s + by_s,
            high_s=None if self.high_s is None else self.high_s + by_s,
        )


@dataclass(frozen=True, slots=True)
class State:
    zone: Zone
    now_s: float | None = None
    suspects: tuple[Suspect, ...] = ()
    episode: Episode = NONE_YET


def initial(zone: Zone) -> State:
    return State(zone)


def evidence(region: FireRegion) -> float:
    """0..1: how much a region behaves like flame. Each factor goes from nothing to full between two measured figures: what the
    best of our negatives reached (people, vests, shadows, sunlit floors) and what nine tenths of a real fire's frames had.
    """
    if region.explained:
        return 0.0
    flame = (
        _ramp(region.flicker, 0.66, 0.88)
        * _ramp(region.glow, 0.05, 0.13)
        * _ramp(region.texture, 0.08, 0.16)
        * _ramp(region.restless, 0.025, 0.055)
        * _ramp(region.residual, 0.5, 0.72)
    ) ** 0.5
    in_unison = 1 - _ramp(region.unison, 0.65, 0.9)
    return float(flame * in_unison * _ramp(region.colour, 0.1, 0.25))


def step(state: State, observation: Observation, now_s: float) -> tuple[State, tuple[Finding, ...]]:
    """One observed frame at `now_s` (unix seconds, its capture time). Returns the new state and what is to be told."""
    now_s, by_s = settle_clock(state.now_s, now_s)
    before = tuple(s.shifted(by_s) for s in state.suspects) if by_s else state.suspects
    here = [r for r in observation.fire_regions if _in_zone(state.zone, r.box)]
    suspects = _follow(before, here, now_s)
    need_s = max(state.zone.dwell_s, AGE_S)
    burning = [s for s in suspects if s.high_s is not None and s.region.age_s >= need_s and s.last_s == now_s]
    episode, due = advance(
        state.episode.shifted(by_s),
        since_s=min((s.began_s for s in burning), default=None),
        evident=any(s.score >= LEAVE for s in suspects),
        now_s=now_s,
        leave_s=LEAVE_S,
    )
    state = replace(state, now_s=now_s, suspects=suspects, episode=episode)
    if not due or episode.began_s is None:
        return state, ()
    told = max(burning or suspects, key=lambda s: (s.score, s.region.area, s.box))
    region = told.region
    finding = Finding(
        kind=HazardKind.FIRE,
        zone=state.zone.id,
        event=episode.event,
        began_at_s=episode.began_s,
        at_s=now_s,
        score=round(told.score, 3),
        box=told.box,
        foot=((told.box[0] + told.box[2]) / 2, told.box[3]),
        measured=(
            ("flicker", round(region.flicker, 3)),
            ("glow", round(region.glow, 3)),
            ("texture", round(region.texture, 3)),
            ("unison", round(region.unison, 3)),
            ("restless", round(region.restless, 3)),
            ("residual", round(region.residual, 3)),
            ("colour", round(region.colour, 3)),
            ("growth", round(region.growth, 2)),
            ("area", round(region.area, 5)),
            ("age_s", round(region.age_s, 2)),
        ),
        thresholds=(("dwell_s", need_s), ("score", ENTER)),
    )
    return state, (finding,)


def _follow(before: tuple[Suspect, ...], regions: list[FireRegion], now_s: float) -> tuple[Suspect, ...]:
    """Suspects joined with this frame's regions by place; scores smoothed over SMOOTH_S."""
    left = list(before)
    now: list[Suspect] = []
    for region in sorted(regions, key=lambda r: (-r.area, r.box)):
        same = [s for s in left if _meet(s.box, region.box)]
        left = [s for s in left if s not in same]
        first = min(same, key=lambda s: (s.began_s, s.box), default=None)
        if first is None:
            now.append(Suspect(region.box, now_s, 0.0, region, now_s - region.age_s))
            continue
        old = max(s.score for s in same)
        share = 1 - math.exp(-max(0.0, now_s - first.last_s) / SMOOTH_S)
        score = old + share * (evidence(region) - old)
        high_s = None if score < ENTER else now_s if first.high_s is None else first.high_s
        now.append(Suspect(region.box, now_s, score, region, first.began_s, high_s))
    return (*now, *(s for s in left if now_s - s.last_s <= DIP_S))


def _in_zone(zone: Zone, box: Box) -> bool:
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return zones.contains(zone.polygon, middle) or zones.overlap(zone.polygon, box) >= IN_ZONE


def _meet(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def _ramp(value: float, low: float, high: float) -> float:
    return max(0.0, min(1.0, (value - low) / (high - low)))
