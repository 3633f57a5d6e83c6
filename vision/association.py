"""Which box of this frame is which box of the frames before: shared by the tracker and the cover of people.

At 1–5 inferences a second a walking person's boxes may no longer overlap, so nearness counts beside overlap. Distances
are in sizes of the object itself (the root of its area), which makes them hold at any depth of the scene.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vision.detections import Box

GATE_SIZES = 0.5  # how far a box may jump by itself, in sizes of the object: the detector's own jitter
GATE_SIZES_PER_S = 2.0  # and for its movement: a runner does about 2 of his sizes a second
GATE_SIZES_MOST = 2.5
HEIGHT_RATIO_LEAST = 0.5  # boxes that differ more in height are not the same thing, however near
WIDE_ENOUGH_IOU = 0.2


def cost(predicted: Box, seen: Box, gap_s: float, aspect: float, *, reach: float = 1.0) -> float | None:
    """How badly `seen` fits a thing predicted at `predicted` after `gap_s` unseen: lower is better, None: cannot be it.

    `aspect` is the picture's width over its height, for boxes are fractions of both; `reach` shortens how far is near.
    """
    gate = reach * min(GATE_SIZES + GATE_SIZES_PER_S * gap_s, GATE_SIZES_MOST)
    tall, small = (predicted[3] - predicted[1], seen[3] - seen[1])
    wide, slim = (predicted[2] - predicted[0], seen[2] - seen[0])
    dx, dy = abs(predicted[0] + predicted[2] - seen[0] - seen[2]), abs(predicted[1] + predicted[3] - seen[1] - seen[3])
    if (dx >= wide + slim or dy >= tall + small) and (
        (dx * aspect) ** 2 + dy**2 > 4 * gate**2 * max(wide * tall, slim * small) * aspect
    ):
        return None  # apart and too far: nearly all pairs of a busy picture end here, so it is said without a call
    overlap = iou(predicted, seen)
    if overlap < WIDE_ENOUGH_IOU and min(tall, small) < HEIGHT_RATIO_LEAST * max(tall, small):
        return None
    away = distance_sizes(predicted, seen, aspect) / gate
    if overlap < WIDE_ENOUGH_IOU and away > 1:
        return None
    return min(away, 2.0) - overlap


def pair(costs: Sequence[tuple[float, int, int]]) -> list[tuple[int, int]]:
    """Cheapest first, each side once; ties by the two indices, so that the same input always gives the same pairs."""
    taken_old: set[int] = set()
    taken_new: set[int] = set()
    pairs = []
    for _, old, new in sorted(costs):
        if old not in taken_old and new not in taken_new:
            taken_old.add(old)
            taken_new.add(new)
            pairs.append((old, new))
    return pairs


def distance_sizes(first: Box, second: Box, aspect: float) -> float:
    """Between the boxes' centres, in sizes of the larger one."""
    dx = (first[0] + first[2] - second[0] - second[2]) / 2 * aspect
    dy = (first[1] + first[3] - second[1] - second[3]) / 2
    size = math.sqrt(max(area(first), area(second)) * aspect)
    return math.hypot(dx, dy) / size if size > 0 else math.inf


def iou(first: Box, second: Box) -> float:
    """Intersection over union; 0 for boxes without area."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    overlap = width * height
    return overlap / (area(first) + area(second) - overlap)


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def shifted(box: Box, velocity: tuple[float, float], by_s: float) -> Box:
    """The box after `by_s` seconds at `velocity` (fractions a second); it may leave the picture."""
    dx, dy = velocity[0] * by_s, velocity[1] * by_s
    return (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy)


def centre(box: Box) -> tuple[float, float]:
    return ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)


def blend(
    old: tuple[float, float], start: tuple[float, float], end: tuple[float, float], gap_s: float, share: float
) -> tuple[float, float]:
    """An exponential mean of velocities: `share` of what was seen between two points, the rest of `old`."""
    return (
        old[0] + share * ((end[0] - start[0]) / gap_s - old[0]),
        old[1] + share * ((end[1] - start[1]) / gap_s - old[1]),
    )
