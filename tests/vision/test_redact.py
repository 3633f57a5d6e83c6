"""What must not be seen is not seen: the rules that fail closed, and the pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision import redact
from vision.detections import Box, Detection
from vision.frame import Image, Planes

UNIT = st.floats(0, 1)
BOXES = st.tuples(UNIT, UNIT, UNIT, UNIT).map(lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])))
TIMES = st.floats(allow_nan=True, allow_infinity=True)


def person(box: Box, score: float = 0.7, label: str = "person") -> Detection:
    return Detection(label, score, box)


def inside(inner: Box, outer: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


@given(TIMES, TIMES, st.booleans(), st.booleans())
def test_the_whole_picture_goes_unless_the_boxes_are_fresh(last_s: float, frame_s: float, moved: bool, failed: bool) -> None:
    shown = not redact.must_pixelate(last_s, frame_s, moved=moved, detector_failed=failed)
    fresh = not failed and abs(frame_s - last_s) <= (0.7 if moved else 1.6)  # false for what is not a number
    assert shown == fresh


def test_no_inference_yet_or_a_failed_one_shows_nothing() -> None:
    assert redact.must_pixelate(None, 10, moved=False)
    assert redact.must_pixelate(10, 10, moved=False, detector_failed=True)
    assert not redact.must_pixelate(10, 10.5, moved=True)
    assert redact.must_pixelate(10, 10.75, moved=True)
    assert not redact.must_pixelate(10, 11.5, moved=False)
    assert redact.must_pixelate(10, 11.7, moved=False)
    assert redact.must_pixelate(math.nan, 10, moved=False)
    assert redact.must_pixelate(20, 10, moved=False)


@given(st.lists(st.builds(person, box=BOXES, score=st.floats(0.15, 1)), max_size=5))
def test_everybody_who_is_detected_is_covered_in_that_frame(people: list[Detection]) -> None:
    _, boxes = redact.step(redact.CoverState(), people, 100.0)
    for detection in people:
        assert any(inside(detection.box, box) for box in boxes)
        assert all(0 <= side <= 1 for box in boxes for side in box)


def test_a_person_is_held_for_four_inferences_and_then_let_go() -> None:
    box: Box = (0.4, 0.3, 0.5, 0.6)
    state, _ = redact.step(redact.CoverState(), [person(box, 0.15)], 0)
    for k in range(1, 5):
        state, boxes = redact.step(state, [], k / 4)
        assert any(inside(box, covered) for covered in boxes)
    _, boxes = redact.step(state, [], 5 / 4)
    assert boxes == ()


@given(st.floats(0.0, 1.5), st.floats(0.05, 0.3), st.floats(0, 0.7))
def test_a_walker_is_covered_until_the_next_inference(heights_per_s: float, height: float, later_s: float) -> None:
    def at(time_s: float) -> Box:
        x = 0.2 + heights_per_s * height * 9 / 16 * time_s
        return (x, 0.4, x + height * 0.4 * 9 / 16, 0.4 + height)

    state = redact.CoverState()
    for k in range(5):
        state, _ = redact.step(state, [person(at(k / 4))], k / 4)
    assert any(inside(at(1 + later_s), covered) for covered in redact.boxes_at(state, 1 + later_s))


def test_faces_and_heads_are_covered_and_cars_are_not() -> None:
    box: Box = (0.4, 0.3, 0.5, 0.6)
    for label in ("person", "person-down", "head", "face-for-blurring"):
        assert redact.step(redact.CoverState(), [person(box, label=label)], 0)[1]
    assert redact.step(redact.CoverState(), [person(box, label="car")], 0)[1] == ()


def test_a_later_frame_is_covered_wider() -> None:
    state, (now,) = redact.step(redact.CoverState(), [person((0.4, 0.3, 0.5, 0.6))], 0)
    (later,) = redact.boxes_at(state, 0.5)
    assert inside(now, later)
    assert now != later


def test_time_that_runs_backwards_uncovers_nobody() -> None:
    box: Box = (0.4, 0.3, 0.5, 0.6)
    state, _ = redact.step(redact.CoverState(), [person(box)], 100)
    state, boxes = redact.step(state, [], 50)
    assert any(inside(box, covered) for covered in boxes)
    assert redact.must_pixelate(100, 50, moved=False)


def noise_planes(width: int, height: int) -> Planes:
    generator = np.random.default_rng(3)
    half = ((height + 1) // 2, (width + 1) // 2)
    return Planes(*(generator.integers(50, 255, shape, dtype=np.uint8) for shape in ((height, width), half, half)))  # type: ignore[arg-type] # mypy counts no generator


@given(st.lists(BOXES, max_size=4), st.sampled_from(((64, 48), (65, 49), (640, 360))))
def test_cover_fills_all_of_each_box_and_leaves_the_rest(boxes: list[Box], size: tuple[int, int]) -> None:
    width, height = size
    planes, before = noise_planes(width, height), noise_planes(width, height)
    redact.cover(planes, boxes)
    bgr = np.full((height, width, 3), 200, np.uint8)
    redact.cover(bgr, boxes)
    covered, touched = np.zeros((height, width), np.bool_), np.zeros((height, width), np.bool_)
    for x1, y1, x2, y2 in boxes:
        touched[math.floor(y1 * height) : math.ceil(y2 * height) + 1, math.floor(x1 * width) : math.ceil(x2 * width) + 1] = True
        if x1 < x2 and y1 < y2:
            covered[math.floor(y1 * height) : math.ceil(y2 * height), math.floor(x1 * width) : math.ceil(x2 * width)] = True
    assert (planes.y[covered] == redact.FILL_Y).all()
    assert (bgr[covered] == redact.FILL_BGR).all()
    even = np.pad(covered, ((0, height % 2), (0, width % 2)))
    chroma = even[::2, ::2] | even[1::2, ::2] | even[::2, 1::2] | even[1::2, 1::2]
    for plane in (planes.u, planes.v):
        assert (plane[chroma] == redact.FILL_CHROMA).all()
    far = ~wider(touched, 3)
    assert (planes.y[far] == before.y[far]).all()
    assert (bgr[far] == 200).all()


def wider(mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]], by: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    out = mask.copy()
    for _ in range(by):
        grown = out.copy()
        grown[1:] |= out[:-1]
        grown[:-1] |= out[1:]
        grown[:, 1:] |= out[:, :-1]
        grown[:, :-1] |= out[:, 1:]
        out = grown
    return out


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (65, 49), (8, 6)])
def test_a_pixelated_picture_keeps_a_handful_of_colours(size: tuple[int, int]) -> None:
    width, height = size
    planes = noise_planes(width, height)
    bgr: Image = np.random.default_rng(4).integers(0, 255, (height, width, 3), dtype=np.uint8)
    redact.pixelate(planes)
    redact.pixelate(bgr)
    for plane in (planes.y, planes.u, planes.v):
        assert len(np.unique(plane)) <= 16 * 16
        rows = sum(bool((a != b).any()) for a, b in zip(plane[1:], plane, strict=False))
        assert rows <= 15
    columns = sum(bool((bgr[:, k] != bgr[:, k - 1]).any()) for k in range(1, width))
    assert columns <= 15


def test_both_work_in_place_on_padded_rows() -> None:
    storage = np.full((360, 704), 200, np.uint8)
    planes = Planes(storage[:, :640], np.full((180, 320), 90, np.uint8), np.full((180, 320), 90, np.uint8))
    redact.cover(planes, [(0.9, 0.9, 1.0, 1.0)])
    assert (storage[324:, 576:640] == redact.FILL_Y).all()
    redact.pixelate(planes)
    assert (storage[:, 640:] == 200).all()
