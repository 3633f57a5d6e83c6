"""The measure itself: small cases whose figures can be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.decode import Floats
from vision.evaluate import FrameFound, FrameTruth, match, quality

A, B, FAR = [0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]


def f32(values: object) -> Floats:
    return np.array(values, np.float32)


def truth(*boxes: list[int], ignored: list[list[int]] | None = None) -> FrameTruth:
    return FrameTruth(f32(boxes).reshape(-1, 4), f32(ignored or []).reshape(-1, 4))


def found(*scored: tuple[list[int], float]) -> FrameFound:
    return FrameFound(f32([box for box, _ in scored]).reshape(-1, 4), f32([score for _, score in scored]))


def test_all_found_and_nothing_else_is_one() -> None:
    figures = quality([truth(A, B)], [found((A, 0.9), (B, 0.8))])
    assert (figures.ap50, figures.recall_at_p90) == (1.0, 1.0)
    assert figures.score_at_p90 == pytest.approx(0.8)


def test_ap_is_the_area_under_the_envelope() -> None:
    # right, wrong, right of two: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1
    figures = quality([truth(A, B)], [found((A, 0.9), (FAR, 0.8), (B, 0.7))])
    assert figures.ap50 == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert figures.recall_at_p90 == 0.5


def test_a_true_box_is_taken_once() -> None:
    assert match(truth(A), found((A, 0.75), (A, 0.5))) == [(0.75, True), (0.5, False)]


def test_what_lies_in_an_ignored_region_counts_neither_way() -> None:
    assert match(truth(A, ignored=[FAR]), found((FAR, 0.75), ([52, 52, 56, 56], 0.5), (A, 0.25))) == [(0.25, True)]


def test_no_detection_at_all_is_zero() -> None:
    figures = quality([truth(A)], [found()])
    assert (figures.ap50, figures.recall_at_p90, figures.score_at_p90) == (0, 0, 1)


def test_frames_must_pair_up_and_hold_something() -> None:
    with pytest.raises(ValueError, match="1 frames of truth, 0"):
        quality([truth(A)], [])
    with pytest.raises(ValueError, match="nothing to measure"):
        quality([truth()], [found()])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30))
def test_figures_stay_between_nothing_and_all(marks: list[tuple[float, bool]]) -> None:
    scored = [
        ([100 * k, 0, 100 * k + 10, 10] if right else [100 * k, 500, 100 * k + 10, 510], s) for k, (s, right) in enumerate(marks)
    ]
    true = truth(*([100 * k, 0, 100 * k + 10, 10] for k in range(31)))
    figures = quality([true], [found(*scored)])
    hits = sum(right for _, right in marks)
    assert 0 <= figures.recall_at_p90 <= hits / 31 + 1e-9
    assert 0 <= figures.ap50 <= hits / 31 + 1e-9
