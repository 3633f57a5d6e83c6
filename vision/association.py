"""Which box of this frame is which box of the frames before: shared by the tracker and the cover of people.

At 1–5 inferences a second a walking person's boxes may no longer overlap, so nearness counts beside overlap. Distances
are in sizes of the object itself (the root of its area), which makes them hold at any depth of the scene.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vision.detections import Box

Floats = NDArray[np.float64]

GATE_SIZES = 0.5  # how far a box may jump by itself, in sizes of the object: the detector's own jitter
GATE_SIZES_PER_S = 2.0  # and for its movement: a runner does about 2 of his sizes a second
GATE_SIZES_MOST = 2.5
HEIGHT_RATIO_LEAST = 0.5  # boxes that differ more in height are not the same thing, however near
WIDE_ENOUGH_IOU = 0.2


def costs(
    predicted: Sequence[Box], seen: Sequence[Box], gaps_s: Sequence[float], aspect: float, *, reach: float = 1.0
) -> list[tuple[float, int, int]]:
    """(cost, index in `predicted`, index in `seen`) of all pairs that can be one thing: lower is better.

    `predicted[i]` is where a thing should be that was unseen for `gaps_s[i]`. `aspect` is the picture's width over its height,
    for boxes are fractions of both; `reach` shortens how far is near. All pairs at once: a busy picture has a thousand.
    """
    if not predicted or not seen:
        return []
    old, new = np.asarray(predicted, np.float64)[:, None], np.asarray(seen, np.float64)[None]
    old_sides, new_sides = old[..., 2:] - old[..., :2], new[..., 2:] - new[..., :2]
    overlap = _overlap(old, new, old_sides, new_sides)
    apart = (old[..., :2] + old[..., 2:] - new[..., :2] - new[..., 2:]) / 2
    size = np.sqrt(np.maximum(np.maximum(old_sides, 0).prod(-1), np.maximum(new_sides, 0).prod(-1)) * aspect)
    gates = reach * np.minimum(GATE_SIZES + GATE_SIZES_PER_S * np.asarray(gaps_s, np.float64), GATE_SIZES_MOST)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.nan_to_num(np.hypot(apart[..., 0] * aspect, apart[..., 1]) / size / gates, nan=np.inf, posinf=np.inf)
    shorter, taller = np.minimum(old_sides[..., 1], new_sides[..., 1]), np.maximum(old_sides[..., 1], new_sides[..., 1])
    possible = (overlap >= WIDE_ENOUGH_IOU) | ((shorter >= HEIGHT_RATIO_LEAST * taller) & (away <= 1))
    price = np.minimum(away, 2.0) - overlap
    rows, columns = np.nonzero(possible)
    return list(zip(price[rows, columns].tolist(), rows.tolist(), columns.tolist(), strict=True))


def overlaps(boxes: Sequence[Box]) -> NDArray[np.float64]:
    """(n, n) intersection over union of all pairs of n boxes."""
    rows = np.asarray(boxes, np.float64).reshape(-1, 4)
    old, new = rows[:, None], rows[None]
    return _overlap(old, new, old[..., 2:] - old[..., :2], new[..., 2:] - new[..., :2])


def _overlap(old: Floats, new: Floats, old_sides: Floats, new_sides: Floats) -> Floats:
    """Intersection over union of all pairs; 0 for boxes without area."""
    shared = np.minimum(old[..., 2:], new[..., 2:]) - np.maximum(old[..., :2], new[..., :2])
    both = np.maximum(shared, 0).prod(-1)
    union = np.maximum(old_sides, 0).prod(-1) + np.maximum(new_sides, 0).prod(-1) - both
    return np.asarray(np.divide(both, union, out=np.zeros_like(both), where=both > 0), np.float64)


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
