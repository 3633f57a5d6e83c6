"""Short tracks inside one camera's view: which detection is which thing seen before, for seconds.

Two stages as in ByteTrack (Zhang et al. 2022, arXiv:2110.06864): confident detections are paired first and may start
tracks, faint ones only carry on what is there already. A track is matched by where it should be, never by what it looks
like; its number is not used again, means nothing outside this view, and goes when the thing has been gone for a moment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.manifest import Scores
from vision import association
from vision.detections import Detection, Track

EXPIRY_S = 1.5
ONE_MISS_S = 2.5  # at one inference a second a single missed one must not end a track
FAINT_REACH = 0.6  # a faint detection must lie nearer to the track than a sure one
SAME_THING_IOU = 0.6  # a car that is also said to be a truck
VELOCITY_SHARE = 0.5
SHORTEST_GAP_S = 0.02  # below it a velocity is only noise

DEFAULT_SCORES = Scores(floor=(("person", 0.15), ("default", 0.25)), alarm=(("person", 0.48), ("default", 0.40)))

GROUPS = {
    "person": "person",
    "person-down": "person",
    "car": "vehicle",
    "truck": "vehicle",
    "bus": "vehicle",
    "train": "vehicle",
    "bicycle": "cycle",
    "motorcycle": "cycle",
}


@dataclass(frozen=True, slots=True)
class Live:
    """A track with what is needed to find it again. Velocities are fractions of width and height a second."""

    track: Track
    group: str
    velocity: tuple[float, float] = (0.0, 0.0)  # of the box's centre
    foot_velocity: tuple[float, float] = (0.0, 0.0)
    votes: tuple[tuple[str, float], ...] = ()  # label → summed score: a lorry may be called a bus now and then
    misses: int = 0


@dataclass(frozen=True, slots=True)
class TrackerState:
    """Everything that the tracker remembers of one camera."""

    live: tuple[Live, ...] = ()
    next_id: int = 1
    at_s: float = -math.inf


def step(
    state: TrackerState,
    detections: Sequence[Detection],
    now_s: float,
    *,
    scores: Scores = DEFAULT_SCORES,
    aspect: float = 16 / 9,
) -> tuple[TrackerState, tuple[Track, ...]]:
    """One inferred frame, captured at `now_s`. Returns the tracks that live, by id.

    A track with `last_seen_s` < `now_s` was not seen in this frame: its box is where it was last, for at most 1.5 s (one
    missed inference at slow rates). `score` is the best that the thing ever got. `scores` is the model's own
    (`entry.scores`), `aspect` the picture's width over its height. When time goes backwards the tracks end.
    """
    seen = _one_each(detections)
    live = [] if now_s < state.at_s else [item for item in state.live if not _expired(item, now_s)]
    sure = [d for d in seen if d.score >= scores.alarm_for(d.label)]
    faint = [d for d in seen if d.score < scores.alarm_for(d.label)]
    found, lost, unclaimed = _associate(live, sure, now_s, aspect, reach=1.0)
    found_faint, lost, _ = _associate(lost, faint, now_s, aspect, reach=FAINT_REACH)
    missed = [replace(item, misses=item.misses + 1) for item in lost]
    born = [_born(state.next_id + k, detection, now_s) for k, detection in enumerate(unclaimed)]
    kept = sorted(found + found_faint + missed + born, key=lambda item: item.track.id)
    after = TrackerState(live=tuple(kept), next_id=state.next_id + len(born), at_s=now_s)
    return after, tuple(item.track for item in kept)


def group_of(label: str) -> str:
    """Labels of one group may be the same thing seen twice; any other label is its own group."""
    return GROUPS.get(label, label)


def _expired(item: Live, now_s: float) -> bool:
    gap_s = now_s - item.track.last_seen_s
    return gap_s > (ONE_MISS_S if item.misses <= 1 else EXPIRY_S)


def _one_each(detections: Sequence[Detection]) -> list[Detection]:
    """Detections, best first, without those that say the same thing again under another label of the group."""
    ranked = sorted(detections, key=lambda d: (-d.score, d.label, d.box))
    groups = [group_of(detection.label) for detection in ranked]
    same = association.overlaps([detection.box for detection in ranked]) > SAME_THING_IOU
    kept: list[int] = []
    for index in range(len(ranked)):
        if not any(same[index, other] and groups[other] == groups[index] for other in kept):
            kept.append(index)
    return [ranked[index] for index in kept]


def _associate(
    live: list[Live], seen: list[Detection], now_s: float, aspect: float, *, reach: float
) -> tuple[list[Live], list[Live], list[Detection]]:
    """(tracks carried on, tracks without a detection, detections without a track)."""
    gaps_s = [now_s - item.track.last_seen_s for item in live]
    predicted = [association.shifted(item.track.box, item.velocity, gap_s) for item, gap_s in zip(live, gaps_s, strict=True)]
    groups = [group_of(detection.label) for detection in seen]
    possible = association.costs(predicted, [detection.box for detection in seen], gaps_s, aspect, reach=reach)
    costs = [row for row in possible if groups[row[2]] == live[row[1]].group]
    pairs = association.pair(costs)
    carried = [_carried(live[old], seen[new], now_s, aspect) for old, new in pairs]
    olds, news = {old for old, _ in pairs}, {new for _, new in pairs}
    return (
        carried,
        [item for old, item in enumerate(live) if old not in olds],
        [detection for new, detection in enumerate(seen) if new not in news],
    )


def _carried(item: Live, detection: Detection, now_s: float, aspect: float) -> Live:
    track = item.track
    gap_s = now_s - track.last_seen_s
    votes = dict(item.votes)
    votes[detection.label] = votes.get(detection.label, 0.0) + detection.score
    newest = replace(track, box=detection.box)
    velocity, foot_velocity = item.velocity, item.foot_velocity
    if gap_s >= SHORTEST_GAP_S:
        share = 1.0 if track.hits == 1 else VELOCITY_SHARE
        velocity = association.blend(velocity, association.centre(track.box), association.centre(detection.box), gap_s, share)
        foot_velocity = association.blend(foot_velocity, track.foot, newest.foot, gap_s, share)
    return Live(
        track=replace(
            newest,
            label=max(votes, key=lambda label: (votes[label], label)),
            score=max(track.score, detection.score),
            newest_score=detection.score,
            last_seen_s=now_s,
            hits=track.hits + 1,
            speed_per_s=math.hypot(foot_velocity[0], foot_velocity[1] / aspect),
        ),
        group=item.group,
        velocity=velocity,
        foot_velocity=foot_velocity,
        votes=tuple(sorted(votes.items())),
    )


def _born(number: int, detection: Detection, now_s: float) -> Live:
    track = Track(
        id=number,
        label=detection.label,
        score=detection.score,
        newest_score=detection.score,
        box=detection.box,
        first_seen_s=now_s,
        last_seen_s=now_s,
    )
    return Live(track=track, group=group_of(detection.label), votes=((detection.label, detection.score),))
