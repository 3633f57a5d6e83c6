"""How well boxes fit the truth: AP50 and the recall that a precision allows. Plain data in, figures out.

Matching as in PASCAL VOC 2010+ (Everingham et al. 2015): detections of all frames in order of score, each takes the
free true box of its frame that it overlaps most, at IoU ≥ 0.5. A detection that fits an ignored region instead counts
neither way. AP is the area under the precision envelope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vision.decode import Floats, area, iou_table


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """The true boxes of one frame and the regions to ignore, both (n, 4) x1 y1 x2 y2 in any one unit."""

    boxes: Floats
    ignored: Floats


@dataclass(frozen=True, slots=True)
class FrameFound:
    """What was found in the same frame: (n, 4) boxes in the same unit, (n,) scores."""

    boxes: Floats
    scores: Floats


@dataclass(frozen=True, slots=True)
class Quality:
    """`score_at_p90` is the lowest score down to which precision stays at .9 or more: the threshold it takes."""

    ap50: float
    recall_at_p90: float
    score_at_p90: float
    true_boxes: int
    found_boxes: int


def quality(truth: Sequence[FrameTruth], found: Sequence[FrameFound], iou: float = 0.5, precision: float = 0.9) -> Quality:
    """Raises ValueError when the frames do not pair up or there is nothing to find."""
    if len(truth) != len(found):
        raise ValueError(f"{len(truth)} frames of truth, {len(found)} frames of detections")
    total = sum(len(frame.boxes) for frame in truth)
    if total == 0:
        raise ValueError("no true box in any frame: there is nothing to measure")
    scores, hits = [], []
    for true, seen in zip(truth, found, strict=True):
        for score, fits in match(true, seen, iou):
            scores.append(score)
            hits.append(fits)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    hit = np.asarray(hits, np.bool_)[order]
    right = np.cumsum(hit)
    precisions = right / np.arange(1, len(hit) + 1)
    recalls = right / total
    good = np.flatnonzero(precisions >= precision)
    last = int(good[-1]) if len(good) else -1
    return Quality(
        ap50=_area_under(recalls, precisions),
        recall_at_p90=float(recalls[last]) if last >= 0 else 0.0,
        score_at_p90=float(np.asarray(scores)[order][last]) if last >= 0 else 1.0,
        true_boxes=total,
        found_boxes=len(hit),
    )


def match(true: FrameTruth, seen: FrameFound, iou: float = 0.5) -> list[tuple[float, bool]]:
    """(score, right?) of each detection of a frame that counts, best first. Each true box is taken once."""
    table = iou_table(seen.boxes, true.boxes)
    spared = _in_ignored(seen.boxes, true.ignored, iou)
    free = np.ones(len(true.boxes), np.bool_)
    counted: list[tuple[float, bool]] = []
    for index in np.argsort(-seen.scores, kind="stable"):
        row = np.where(free, table[index], 0.0)
        best = int(np.argmax(row)) if len(row) else -1
        if best >= 0 and row[best] >= iou:
            free[best] = False
            counted.append((float(seen.scores[index]), True))
        elif not spared[index]:
            counted.append((float(seen.scores[index]), False))
    return counted


def _in_ignored(boxes: Floats, ignored: Floats, iou: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """True where half of the box or more lies in one ignored region, or the two fit each other."""
    if not len(boxes) or not len(ignored):
        return np.zeros(len(boxes), np.bool_)
    low = np.maximum(boxes[:, None, :2], ignored[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], ignored[None, :, 2:])
    inside = np.prod(np.clip(high - low, 0, None), axis=2) / np.maximum(area(boxes), 1e-9)[:, None]
    return np.asarray(((inside >= 0.5) | (iou_table(boxes, ignored) >= iou)).any(axis=1), np.bool_)


def _area_under(
    recalls: np.ndarray[tuple[int], np.dtype[np.float64]], precisions: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> float:
    if not len(recalls):
        return 0.0
    envelope = np.maximum.accumulate(precisions[::-1])[::-1]
    steps = np.diff(np.concatenate(([0.0], recalls)))
    return float(np.sum(steps * envelope))
