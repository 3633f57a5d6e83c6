"""What of a picture must not be seen, and how it is made unseen. Fails closed: when in doubt the whole picture goes.

People are covered whole, with solid fill: a light blur can be undone, and clothes and gait tell too. `step` takes what the
hazard inference found anyway, down to its lowest score; `must_pixelate` decides per shown frame whether those boxes may
still be trusted; `cover` and `pixelate` work in place, on BGR or on I420 planes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2

from models.vocabulary import PEOPLE
from vision import association
from vision.detections import Box, Detection
from vision.frame import Image, Planes

COVERED_LABELS = PEOPLE | {"head", "face-for-blurring"}

HOLD_STEPS = 4  # inferences that a box outlives its last detection: people flicker at low scores
MARGIN = 0.10  # of the box's sides, on each side: detectors cut at elbows and hair
UNKNOWN_SPEED_SIZES_PER_S = 1.0  # of somebody just seen for the first time: a brisk walk
DOUBT = 0.5  # share of the known speed by which the prediction may be wrong
REACH_SIZES_MOST = 0.5  # however long ago: growth without end would cover the street for a flicker

BOXES_TRUSTED_S = 1.6  # over a still picture: the gate infers at least once a second
BOXES_TRUSTED_MOVED_S = 0.7  # while something moves

FILL_Y, FILL_CHROMA = 40, 128
FILL_BGR = (28, 28, 28)  # the same grey after the limited-range conversion
MOSAIC_BLOCKS = 16  # along the longer side: a face as high as half the picture becomes 4 blocks


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody who is covered: the last box, when it was seen, its speed (fractions a second; None: not yet known)."""

    box: Box
    seen_s: float
    velocity: tuple[float, float] | None = None
    missed: int = 0


@dataclass(frozen=True, slots=True)
class CoverState:
    """What is covered in one camera's view."""

    held: tuple[Held, ...] = ()
    at_s: float = -math.inf


def step(
    state: CoverState, detections: Sequence[Detection], now_s: float, *, aspect: float = 16 / 9
) -> tuple[CoverState, tuple[Box, ...]]:
    """One inference on the frame captured at `now_s`: the new state, and the boxes to cover in that very frame.

    Takes detections of people, heads and faces at any score and leaves out the rest. For a later frame ask `boxes_at`.
    When time goes backwards the old boxes are held as if just missed.
    """
    seen = sorted((d for d in detections if d.label in COVERED_LABELS), key=lambda d: (-d.score, d.box))
    gaps_s = [max(0.0, now_s - item.seen_s) for item in state.held]
    predicted = [association.shifted(h.box, h.velocity or (0.0, 0.0), gap_s) for h, gap_s in zip(state.held, gaps_s, strict=True)]
    costs = association.costs(predicted, [detection.box for detection in seen], gaps_s, aspect)
    origin = {new: state.held[old] for old, new in association.pair(costs)}
    renewed = [_renewed(origin.get(new), detection, now_s) for new, detection in enumerate(seen)]
    used = {id(item) for item in origin.values()}
    missed = [
        Held(item.box, item.seen_s, item.velocity, item.missed + 1)
        for item in state.held
        if id(item) not in used and item.missed < HOLD_STEPS
    ]
    after = CoverState(held=tuple(renewed + missed), at_s=now_s)
    return after, boxes_at(after, now_s, aspect=aspect)


def boxes_at(state: CoverState, at_s: float, *, aspect: float = 16 / 9) -> tuple[Box, ...]:
    """The boxes to cover in a frame captured at `at_s`, grown by how far everybody may have come since the inference."""
    return tuple(_grown(item, abs(at_s - item.seen_s), aspect) for item in state.held)


def must_pixelate(last_inference_at_s: float | None, frame_at_s: float, *, moved: bool, detector_failed: bool = False) -> bool:
    """True when the boxes do not cover for this frame: then the whole frame is pixelated.

    No inference yet, a failed detector, boxes older than 1.6 s (0.7 s while the picture moved), boxes from as far in the
    future, and any time that is not a number: all the same.
    """
    if last_inference_at_s is None or detector_failed:
        return True
    trusted_s = BOXES_TRUSTED_MOVED_S if moved else BOXES_TRUSTED_S
    return not -trusted_s <= frame_at_s - last_inference_at_s <= trusted_s


def cover(picture: Image | Planes, boxes: Iterable[Box]) -> None:
    """Fills the boxes (fractions) in place. On planes they are widened to even pixels, so that no colour is left at an edge."""
    height, width = picture.y.shape if isinstance(picture, Planes) else picture.shape[:2]
    for box in boxes:
        x1, y1 = _down(box[0] * width), _down(box[1] * height)
        x2, y2 = _up(box[2] * width, width), _up(box[3] * height, height)
        if x1 >= x2 or y1 >= y2:
            continue
        if isinstance(picture, Planes):
            picture.y[y1:y2, x1:x2] = FILL_Y
            halves = (slice(y1 // 2, (y2 + 1) // 2), slice(x1 // 2, (x2 + 1) // 2))
            picture.u[halves] = FILL_CHROMA
            picture.v[halves] = FILL_CHROMA
        else:
            picture[y1:y2, x1:x2] = FILL_BGR


def pixelate(picture: Image | Planes) -> None:
    """Turns the whole picture into a mosaic of 16 blocks along its longer side, in place."""
    for plane in (picture.y, picture.u, picture.v) if isinstance(picture, Planes) else (picture,):
        height, width = plane.shape[:2]
        longer = max(height, width)
        columns, rows = max(1, width * MOSAIC_BLOCKS // longer), max(1, height * MOSAIC_BLOCKS // longer)
        small = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)
        plane[...] = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)


def _renewed(before: Held | None, detection: Detection, now_s: float) -> Held:
    if before is None:
        return Held(detection.box, now_s)
    gap_s = now_s - before.seen_s
    if gap_s <= 0:
        return Held(detection.box, now_s, before.velocity)
    share = 1.0 if before.velocity is None else 0.5
    start, end = association.centre(before.box), association.centre(detection.box)
    return Held(detection.box, now_s, association.blend(before.velocity or (0.0, 0.0), start, end, gap_s, share))


def _grown(item: Held, age_s: float, aspect: float) -> Box:
    x1, y1, x2, y2 = item.box
    width, height = x2 - x1, y2 - y1
    size = math.sqrt(max(0.0, width * height * aspect))  # in picture heights
    if item.velocity is None:
        dx = dy = 0.0
        reach = UNKNOWN_SPEED_SIZES_PER_S * size * age_s
    else:
        dx, dy = item.velocity[0] * age_s, item.velocity[1] * age_s
        reach = DOUBT * math.hypot(dx * aspect, dy)
    reach = min(reach, REACH_SIZES_MOST * size)
    side_x, side_y = MARGIN * width + reach / aspect, MARGIN * height + reach
    return (
        max(0.0, x1 + min(dx, 0.0) - side_x),
        max(0.0, y1 + min(dy, 0.0) - side_y),
        min(1.0, x2 + max(dx, 0.0) + side_x),
        min(1.0, y2 + max(dy, 0.0) + side_y),
    )


def _down(pixels: float) -> int:
    return max(0, int(pixels) // 2 * 2)


def _up(pixels: float, most: int) -> int:
    return min(most, -(-math.ceil(pixels) // 2) * 2)
