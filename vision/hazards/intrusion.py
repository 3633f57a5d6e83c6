"""Intrusion: a person's foot point inside a danger zone for `dwell_s`. Pure.

Dwell is counted for each person, over frames in which the detector missed them (KEEP_S). The event lasts while anybody is
inside and ends when the zone has been empty for LEAVE_S; a second person in the meantime belongs to the same event.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from configs.schema import Zone
from models.vocabulary import PEOPLE
from vision.detections import Observation
from vision.hazards.episode import ALARM_SCORE, NONE_YET, STAY_SCORE, Episode, advance, seen_now, settle_clock
from vision.hazards.presence import Presence, update
from vision.sighting import Finding, HazardKind

KEEP_S = 2.5  # somebody inside who is not detected is held to be there this long: one miss at one inference a second
LEAVE_S = 2.0  # the zone must be empty this long before the event is over


@dataclass(frozen=True, slots=True)
class State:
    zone: Zone
    now_s: float | None = None
    inside: tuple[Presence, ...] = ()
    episode: Episode = NONE_YET


def initial(zone: Zone) -> State:
    return State(zone)


def step(state: State, observation: Observation, now_s: float) -> tuple[State, tuple[Finding, ...]]:
    """One observed frame at `now_s` (unix seconds, its capture time). Returns the new state and what is to be told."""
    now_s, by_s = settle_clock(state.now_s, now_s)
    inside = tuple(p.shifted(by_s) for p in state.inside) if by_s else state.inside
    episode = state.episode.shifted(by_s)
    inside = update(inside, state.zone, seen_now(observation, PEOPLE), now_s, KEEP_S)
    sure = [p for p in inside if p.best.score >= ALARM_SCORE]
    # Only time in which somebody was really seen counts: holding a missed person may not fill the dwell.
    dwelt = [p for p in sure if p.last_s - p.since_s >= state.zone.dwell_s]
    since_s = min((p.since_s for p in dwelt), default=None)
    staying = [p for p in inside if p.best.score >= STAY_SCORE]
    episode, due = advance(episode, since_s=since_s, evident=bool(staying), now_s=now_s, leave_s=LEAVE_S)
    state = replace(state, now_s=now_s, inside=inside, episode=episode)
    if not due or episode.began_s is None:
        return state, ()
    told = min(dwelt or sure or staying, key=lambda p: (p.since_s, p.track))
    finding = Finding(
        kind=HazardKind.INTRUSION,
        zone=state.zone.id,
        event=episode.event,
        began_at_s=episode.began_s,
        at_s=now_s,
        score=round(told.best.score, 3),
        box=told.box,
        foot=told.foot,
        measured=(("dwell_s", round(told.last_s - told.since_s, 2)), ("people", float(len(sure or staying)))),
        thresholds=(("dwell_s", state.zone.dwell_s), ("score", ALARM_SCORE)),
    )
    return state, (finding,)
