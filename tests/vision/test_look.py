"""A still picture of an event: everybody covered, also who flickered out of the detector in that very frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vision import redact
from vision.detections import Detection
from vision.frame import Frame, Planes
from vision.look import thumbnail

LEFT, RIGHT = Detection("person", 0.5, (0.1, 0.2, 0.3, 0.8)), Detection("person", 0.2, (0.6, 0.2, 0.8, 0.8))
FACE = Detection("face-for-blurring", 0.5, (0.45, 0.1, 0.5, 0.2))


def frame(at_s: float) -> Frame:
    half = np.full((240, 320), 128, np.uint8)
    return Frame.from_planes("gate", at_s, 1, Planes(np.full((480, 640), 200, np.uint8), half, half.copy(), full_range=False))


def is_covered(jpeg: bytes, person: Detection) -> bool:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    x1, y1, x2, y2 = (round(v * side) for v, side in zip(person.box, (640, 480, 640, 480), strict=True))
    return bool((np.abs(picture[y1:y2, x1:x2].astype(int) - 28) <= 10).all())


@pytest.mark.parametrize("found", [[LEFT, RIGHT], [LEFT], []])
def test_a_still_covers_who_is_found_in_it_and_who_was_found_just_before(found: list[Detection]) -> None:
    held, _ = redact.step(redact.CoverState(), [LEFT, RIGHT], 9.8)
    held, _ = redact.step(held, found, 10.0)
    jpeg = thumbnail(frame(10.0), found, [FACE], held)
    assert all(is_covered(jpeg, one) for one in (LEFT, RIGHT, FACE))
    assert not is_covered(jpeg, Detection("person", 1.0, (0.9, 0.1, 1.0, 0.9)))
