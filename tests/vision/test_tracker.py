"""The tracker's promises: one thing keeps one number, no number comes twice, nothing is remembered for long."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.detections import Box, Detection
from vision.tracker import EXPIRY_S, ONE_MISS_S, TrackerState, step

ASPECT = 16 / 9


def person(x: float, foot: float = 0.7, height: float = 0.2, score: float = 0.7, label: str = "person") -> Detection:
    width = height * 0.4 / ASPECT
    return Detection(label, score, (x - width / 2, foot - height, x + width / 2, foot))


def run(frames: list[tuple[float, list[Detection]]]) -> list[tuple[float, list[int]]]:
    """(time, ids seen in that frame)."""
    state, seen = TrackerState(), []
    for at_s, detections in frames:
        state, tracks = step(state, detections, at_s, aspect=ASPECT)
        seen.append((at_s, [t.id for t in tracks if t.last_seen_s == at_s]))
    return seen


FRAMES = st.lists(
    st.tuples(
        st.floats(0.05, 2.0),
        st.lists(
            st.builds(
                person,
                x=st.floats(0.05, 0.95),
                foot=st.floats(0.3, 1.0),
                height=st.floats(0.03, 0.3),
                score=st.floats(0.15, 1.0),
                label=st.sampled_from(("person", "car", "truck", "bicycle", "dog")),
            ),
            max_size=6,
        ),
    ),
    max_size=12,
)


def timed(frames: list[tuple[float, list[Detection]]]) -> list[tuple[float, list[Detection]]]:
    now, out = 1_000_000.0, []
    for gap, detections in frames:
        now += gap
        out.append((now, detections))
    return out


@given(FRAMES)
def test_no_number_is_used_twice_and_each_is_one_per_frame(frames: list[tuple[float, list[Detection]]]) -> None:
    state, gone, alive = TrackerState(), set[int](), set[int]()
    for at_s, detections in timed(frames):
        state, tracks = step(state, detections, at_s, aspect=ASPECT)
        now = [t.id for t in tracks]
        assert now == sorted(set(now))
        gone |= alive - set(now)
        alive = set(now)
        assert not alive & gone
        assert max(now, default=0) < state.next_id


@given(FRAMES)
def test_the_same_detections_in_any_order_give_the_same_tracks(frames: list[tuple[float, list[Detection]]]) -> None:
    first, second = TrackerState(), TrackerState()
    shuffler = random.Random(1)
    for at_s, detections in timed(frames):
        mixed = list(detections)
        shuffler.shuffle(mixed)
        first, tracks = step(first, detections, at_s, aspect=ASPECT)
        second, again = step(second, mixed, at_s, aspect=ASPECT)
        assert tracks == again
    assert first == second


@given(FRAMES, st.floats(ONE_MISS_S + 0.01, 1e6))
def test_nothing_is_remembered_for_long(frames: list[tuple[float, list[Detection]]], gap_s: float) -> None:
    state, end = TrackerState(), 0.0
    for at_s, detections in timed(frames):
        state, tracks = step(state, detections, at_s, aspect=ASPECT)
        end = at_s
        for track in tracks:
            assert at_s - track.last_seen_s <= ONE_MISS_S
    state, tracks = step(state, [], end + gap_s, aspect=ASPECT)
    assert tracks == ()


@given(FRAMES)
def test_only_a_confident_detection_starts_a_track(frames: list[tuple[float, list[Detection]]]) -> None:
    state = TrackerState()
    for at_s, detections in timed(frames):
        state, tracks = step(state, detections, at_s, aspect=ASPECT)
        for track in tracks:
            assert track.score >= (0.48 if track.label == "person" else 0.40)
            assert track.first_seen_s <= track.last_seen_s <= at_s


@given(
    per_s=st.sampled_from((2.0, 3.0, 4.0, 5.0)),
    heights_per_s=st.floats(0.0, 1.2),  # 1.2 body heights a second: a brisk 2 m/s
    height=st.floats(0.06, 0.3),
    jitter=st.floats(0, 0.08),
    seed=st.integers(0, 1000),
)
def test_somebody_who_crosses_keeps_one_number(
    per_s: float, heights_per_s: float, height: float, jitter: float, seed: int
) -> None:
    noise = random.Random(seed)
    frames = []
    for k in range(30):
        x = 0.1 + heights_per_s * height / ASPECT * k / per_s
        if x < 0.9:
            shake = noise.uniform(-jitter, jitter) * height * 0.4
            frames.append(
                (100 + k / per_s, [person(x + shake, height=height, score=noise.choice((0.2, 0.5, 0.8)) if k > 1 else 0.8)])
            )
    assert {number for _, ids in run(frames) for number in ids} == {1}


def test_two_who_cross_each_other_keep_theirs() -> None:
    frames = []
    for k in range(24):
        x = k / 4 * 0.05
        frames.append((k / 4, [person(0.3 + x, foot=0.70), person(0.6 - x, foot=0.62, height=0.17)]))
    assert all(ids == [1, 2] for _, ids in run(frames))
    state = TrackerState()
    for at_s, detections in frames:
        state, tracks = step(state, detections, at_s, aspect=ASPECT)
    assert tracks[0].foot[0] > 0.5
    assert tracks[1].foot[0] < 0.4


def test_a_moment_behind_a_pole_does_not_end_a_track() -> None:
    frames = [(k / 4, [] if k in {5, 6, 7} else [person(0.3 + 0.01 * k)]) for k in range(16)]
    assert {number for _, ids in run(frames) for number in ids} == {1}


def test_one_missed_inference_a_second_does_not_end_a_track_but_two_do() -> None:
    still = [person(0.5)]
    assert run([(0, still), (1, []), (2, still)])[-1][1] == [1]
    assert run([(0, still), (1, []), (2, []), (3, still)])[-1][1] == [2]


def test_after_the_expiry_the_next_one_is_new() -> None:
    still = [person(0.5)]
    state, _ = step(TrackerState(), still, 0)
    for at_s in (0.4, 0.8, 1.2, EXPIRY_S + 0.1):
        state, _ = step(state, [], at_s)
    assert state.live == ()
    _, tracks = step(state, still, 2.0)
    assert [t.id for t in tracks] == [2]


def test_time_that_runs_backwards_ends_the_tracks_and_their_numbers_stay_used() -> None:
    state, _ = step(TrackerState(), [person(0.5)], 100)
    state, tracks = step(state, [person(0.5)], 50)
    assert [(t.id, t.first_seen_s) for t in tracks] == [(2, 50)]


def test_a_faint_detection_carries_a_track_on_but_starts_none() -> None:
    assert run([(0, [person(0.5, score=0.3)])]) == [(0, [])]
    assert run([(0, [person(0.5)]), (0.25, [person(0.502, score=0.2)])])[-1][1] == [1]


def test_a_traffic_light_at_46_is_nobody() -> None:
    assert run([(k / 4, [person(0.5, score=0.46)]) for k in range(8)])[-1][1] == []


def test_a_lorry_that_flips_its_label_is_one_track() -> None:
    box: Box = (0.3, 0.4, 0.5, 0.6)
    state = TrackerState()
    for k, label in enumerate(("truck", "car", "truck", "bus", "truck")):
        both = [Detection(label, 0.7, box), Detection("car", 0.5, (0.3, 0.4, 0.5, 0.61))]
        state, tracks = step(state, both, k / 4)
        assert [t.id for t in tracks] == [1]
    assert tracks[0].label == "truck"


def test_a_person_and_a_car_in_one_place_are_two() -> None:
    box: Box = (0.3, 0.4, 0.5, 0.6)
    _, tracks = step(TrackerState(), [Detection("person", 0.7, box), Detection("car", 0.7, box)], 0)
    assert sorted(t.label for t in tracks) == ["car", "person"]


def test_speed_is_in_picture_widths_a_second() -> None:
    state = TrackerState()
    for k in range(12):
        state, tracks = step(state, [person(0.2 + 0.03 * k / 4)], k / 4, aspect=ASPECT)
    assert tracks[0].speed_per_s == pytest.approx(0.03, rel=0.01)
    state = TrackerState()
    for k in range(12):
        state, tracks = step(state, [person(0.5, foot=0.5 + 0.04 * k / 4)], k / 4, aspect=ASPECT)
    assert tracks[0].speed_per_s == pytest.approx(0.04 / ASPECT, rel=0.01)


def test_who_is_not_seen_now_is_still_told_with_the_time_of_the_last_look() -> None:
    state, _ = step(TrackerState(), [person(0.5)], 10)
    _, tracks = step(state, [], 10.5)
    assert [(t.id, t.last_seen_s) for t in tracks] == [(1, 10)]
