"""Crowding: more people in a zone than its `limit`, for `sustained_s`. The risk of a crush, nothing about who came or why. Pure.

Leaving needs fewer people than entering (LEAVE_SHARE), for LEAVE_S: a crowd that sways about its limit is one event.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from configs.schema import Zone
from models.vocabulary import PEOPLE
from vision.detections import Observation
from vision.hazards.episode import ALARM_SCORE, NONE_YET, Episode, advance, seen_now, settle_clock
from vision.hazards.presence import Presence, update
from vision.sighting import Finding, HazardKind

KEEP_S = 1.5  # somebody who is hidden or missed is still counted this long
DIP_S = 1.5  # a count that falls to the limit for less than this does not restart the clock
LEAVE_S = 5.0
LEAVE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class State:
    zone: Zone
    now_s: float | None = None
    inside: tuple[Presence, ...] = ()
    over_since_s: float | None = None
    over_last_s: float | None = None
    episode: Episode = NONE_YET


def initial(zone: Zone) -> State:
    return State(zone)


def leave_count(limit: int) -> int:
    """At or under this many people the event may end: nine tenths of the limit, and always under it."""
    return max(0, min(limit - 1, math.floor(limit * LEAVE_SHARE)))


def step(state: State, observation: Observation, now_s: float) -> tuple[State, tuple[Finding, ...]]:
    """One observed frame at `now_s` (unix seconds, its capture time). Returns the new state and what is to be told."""
    now_s, by_s = settle_clock(state.now_s, now_s)
    inside = tuple(p.shifted(by_s) for p in state.inside) if by_s else state.inside
    since_s, last_s = _shift(state.over_since_s, by_s), _shift(state.over_last_s, by_s)
    inside = update(inside, state.zone, seen_now(observation, PEOPLE), now_s, KEEP_S)
    counted = [p for p in inside if p.best.score >= ALARM_SCORE]
    limit = state.zone.limit
    if last_s is not None and now_s - last_s > DIP_S:
        since_s = last_s = None
    if len(counted) > limit:
        since_s, last_s = (now_s if since_s is None else since_s), now_s
    lasted = since_s is not None and last_s is not None and last_s - since_s >= state.zone.sustained_s and last_s == now_s
    episode, due = advance(
        state.episode.shifted(by_s),
        since_s=since_s if lasted else None,
        evident=len(counted) > leave_count(limit),
        now_s=now_s,
        leave_s=LEAVE_S,
    )
    state = replace(state, now_s=now_s, inside=inside, over_since_s=since_s, over_last_s=last_s, episode=episode)
    if not due or episode.began_s is None:
        return state, ()
    boxes = [p.box for p in counted]
    finding = Finding(
        kind=HazardKind.CROWDING,
        zone=state.zone.id,
        event=episode.event,
        began_at_s=episode.began_s,
        at_s=now_s,
        # As sure as the least sure of the people that it takes to be over the limit.
        score=round(sorted((p.best.score for p in counted), reverse=True)[min(limit, len(counted) - 1)], 3),
        box=(min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)),
        foot=(sum(p.foot[0] for p in counted) / len(counted), sum(p.foot[1] for p in counted) / len(counted)),
        measured=(("people", float(len(counted))), ("over_limit_s", round(now_s - episode.began_s, 2))),
        thresholds=(("limit", float(limit)), ("sustained_s", state.zone.sustained_s), ("score", ALARM_SCORE)),
    )
    return state, (finding,)


def _shift(at_s: float | None, by_s: float) -> float | None:
    return None if at_s is None else at_s + by_s
