"""From raw outputs to boxes: suppression's promises, and the decoders against their definitions done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision import decode


def f32(values: object) -> decode.Floats:
    return np.array(values, np.float32)


@st.composite
def candidates(draw: st.DrawFn) -> tuple[decode.Floats, decode.Floats, decode.Ints]:
    count = draw(st.integers(0, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = generator.uniform(0, 60, (count, 2))
    boxes = np.concatenate((corners, corners + generator.uniform(0, 40, (count, 2))), axis=1).astype(np.float32)
    scores = generator.choice(np.linspace(0.1, 1, 12), count).astype(np.float32)  # ties are meant
    return boxes, scores, generator.integers(0, 3, count)


@settings(deadline=None)
@given(candidates(), st.floats(0.1, 0.9))
def test_suppression_keeps_the_best_and_only_what_does_not_clash(
    given_boxes: tuple[decode.Floats, decode.Floats, decode.Ints], limit: float
) -> None:
    boxes, scores, classes = given_boxes
    kept = decode.suppress(boxes, scores, classes, limit)
    table = decode.iou_table(boxes, boxes)
    assert list(scores[kept]) == sorted(scores[kept], reverse=True)
    for place, first in enumerate(kept):
        for second in kept[place + 1 :]:
            assert classes[first] != classes[second] or table[first, second] <= limit
    for lost in set(range(len(boxes))) - set(kept.tolist()):
        assert any(classes[k] == classes[lost] and table[k, lost] > limit and scores[k] >= scores[lost] for k in kept)


@settings(deadline=None)
@given(candidates(), st.floats(0.1, 0.9), st.floats(0.2, 0.9))
def test_filtering_by_score_before_or_after_suppression_is_the_same(
    given_boxes: tuple[decode.Floats, decode.Floats, decode.Ints], limit: float, floor: float
) -> None:
    boxes, scores, classes = given_boxes
    after = [k for k in decode.suppress(boxes, scores, classes, limit) if scores[k] >= floor]
    strong = np.flatnonzero(scores >= floor)
    before = strong[decode.suppress(boxes[strong], scores[strong], classes[strong], limit)]
    assert after == before.tolist()


def test_suppression_is_bounded_whatever_the_picture() -> None:
    count = decode.MOST_CANDIDATES * 3
    boxes = np.tile(np.arange(count, dtype=np.float32)[:, None], (1, 4)) + f32([0, 0, 0.5, 0.5])
    assert len(decode.suppress(boxes, np.ones(count, np.float32), np.zeros(count, np.intp), 0.5)) == decode.MOST_CANDIDATES


def test_boxes_without_area_overlap_nothing() -> None:
    point, turned = f32([[1, 1, 1, 1]]), f32([[5, 5, 1, 1]])
    for first in (point, turned):
        assert decode.iou_table(first, f32([[0, 0, 9, 9]]))[0, 0] == 0


def test_yolox_by_its_definition() -> None:
    grid, strides = decode.yolox_grid((8, 16), 32, 32)
    assert len(grid) == 16 + 4
    output = np.zeros((20, 5 + 2), np.float32)
    cell = 16 + 3  # second stride, x 1, y 1
    output[cell] = [0.25, 0.5, np.log(2), np.log(3), 0.8, 0.5, 0.9]
    boxes, scores, classes = decode.yolox(output, grid, strides, f32([0.3, 0.3]))
    assert classes.tolist() == [0, 1]
    assert scores == pytest.approx([0.4, 0.72])
    for box in boxes:
        assert box == pytest.approx([20 - 16, 24 - 24, 20 + 16, 24 + 24])


def test_centerface_by_its_definition() -> None:
    heat, size, offset = np.zeros((1, 4, 6), np.float32), np.zeros((2, 4, 6), np.float32), np.zeros((2, 4, 6), np.float32)
    heat[0, 2, 3], size[:, 2, 3], offset[:, 2, 3] = 0.9, (np.log(5), np.log(2)), (0.25, -0.25)
    boxes, scores, classes = decode.centerface(heat, size, offset, 0.5)
    centre_y, centre_x = (2 + 0.25 + 0.5) * 4, (3 - 0.25 + 0.5) * 4
    assert boxes[0] == pytest.approx([centre_x - 4, centre_y - 10, centre_x + 4, centre_y + 10])
    assert scores == pytest.approx([0.9])
    assert classes.tolist() == [0]


def test_a_wild_size_does_not_overflow() -> None:
    grid, strides = decode.yolox_grid((8,), 8, 8)
    boxes, _, _ = decode.yolox(f32([[0, 0, 1000, 1000, 1, 1]]), grid, strides, f32([0.5]))
    assert np.isfinite(boxes).all()


def test_each_class_has_its_own_floor() -> None:
    scores = f32([[0.2, 0.2], [0.5, 0.3]])
    boxes = f32([[0, 0, 1, 1], [2, 2, 3, 3]])
    found = decode.boxes_and_scores(boxes, scores, f32([0.15, 0.25]))
    assert [(c, round(float(s), 2)) for s, c in zip(found[1], found[2], strict=True)] == [(0, 0.2), (0, 0.5), (1, 0.3)]
