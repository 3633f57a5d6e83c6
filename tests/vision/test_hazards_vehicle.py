"""Stopped vehicle on synthetic tracks: standing is found through jitter and blinking detections, driving is not."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema import Zone
from tests.vision.hazard_kit import SQUARE, T0, car, events, person, run, seconds
from vision.detections import Track
from vision.hazards import stopped_vehicle

LANE = Zone("lane", "stopped_vehicle", SQUARE, dwell_s=10.0)
WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def test_a_car_that_drives_in_and_stops_is_told_after_the_dwell() -> None:
    found = run(stopped_vehicle, LANE, seconds(40), lambda t: [car(1, min(0.5, 0.1 + 0.1 * t), 0.5)])
    assert events(found) == [1]
    assert 4 <= found[0].began_at_s - T0 <= 5
    assert 14 <= found[0].at_s - T0 <= 15.5
    assert [round(b.at_s - a.at_s, 2) for a, b in pairwise(found)] == [5.0] * (len(found) - 1)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.25, 1.0), st.integers(0, 2**16))
def test_a_stopped_car_is_found_though_the_detector_blinks_and_its_box_trembles(share: float, seed: int) -> None:
    """Seen in a quarter of the frames or more; boxes jitter by 5 % of their size; a gap may be 6 s at the most."""
    rng = random.Random(seed)

    def tracks(t: float) -> list[Track]:
        if rng.random() > share:
            return []
        return [car(1, 0.5 + rng.gauss(0, 0.006), 0.5 + rng.gauss(0, 0.005), size=(0.12 * rng.uniform(0.93, 1.07), 0.1))]

    found = run(stopped_vehicle, LANE, seconds(60), tracks)
    assert found
    assert found[0].at_s - T0 < 25


def test_a_stopped_car_that_gets_new_numbers_is_one_event() -> None:
    found = run(stopped_vehicle, LANE, seconds(60), lambda t: [car(1 + int(t / 3), 0.5, 0.5)])
    assert events(found) == [1]


def test_single_sightings_with_ever_new_numbers_are_enough_when_they_fall_on_one_place() -> None:
    found = run(stopped_vehicle, LANE, seconds(40), lambda t: [car(1 + int(t * 4), 0.5, 0.5)] if int(t * 4) % 6 == 0 else [])
    assert events(found) == [1]


@pytest.mark.parametrize("speed_per_s", [0.05, 0.1, 0.3, 0.6])
def test_driving_through_slowly_or_fast_is_nothing(speed_per_s: float) -> None:
    zone = Zone("lane", "stopped_vehicle", WHOLE, dwell_s=3.0)
    found = run(
        stopped_vehicle, zone, seconds(30), lambda t: [car(1, -0.05 + speed_per_s * t, 0.5)] if speed_per_s * t < 1.1 else []
    )
    assert found == []


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 0.8), st.floats(0.4, 4.0), st.integers(0, 2**16))
def test_a_stream_of_cars_is_nothing(speed_per_s: float, headway_s: float, seed: int) -> None:
    """One car after another on the same line, each a new number, a third of the detections missed."""
    rng = random.Random(seed)
    zone = Zone("lane", "stopped_vehicle", WHOLE, dwell_s=5.0)

    def tracks(t: float) -> list[Track]:
        first, last = int((t - 1.2 / speed_per_s) / headway_s), int(t / headway_s)
        cars = [(k, speed_per_s * (t - k * headway_s)) for k in range(max(0, first), last + 1)]
        return [car(k + 1, x, 0.5 + rng.gauss(0, 0.004)) for k, x in cars if 0 < x < 1 and rng.random() > 0.33]

    assert run(stopped_vehicle, zone, seconds(60), tracks) == []


def test_cars_that_stop_for_two_seconds_one_after_another_do_not_add_up() -> None:
    def place(t: float) -> float:
        phase = t % 5
        return 0.1 + 0.2 * phase if phase < 2 else 0.5 if phase < 4 else 0.5 + 0.4 * (phase - 4)

    found = run(stopped_vehicle, LANE, seconds(60), lambda t: [car(1 + int(t / 5), place(t), 0.5)])
    assert found == []


def test_a_car_passing_in_front_does_not_end_it() -> None:
    def tracks(t: float) -> list[Track]:
        passing = [car(50, 0.1 + 0.3 * (t - 20), 0.55)] if 20 <= t <= 22.5 else []
        hidden = 21 <= t <= 22
        return passing + ([] if hidden else [car(1, 0.5, 0.5)])

    assert events(run(stopped_vehicle, LANE, seconds(60), tracks)) == [1]


def test_driving_off_ends_the_event_and_stopping_again_is_another() -> None:
    def place(t: float) -> float:
        return 0.4 if t < 20 else min(0.62, 0.4 + 0.05 * (t - 20))

    found = run(stopped_vehicle, LANE, seconds(60), lambda t: [car(1, place(t), 0.5)])
    assert events(found) == [1, 2]


def test_outside_the_lane_people_and_unsure_boxes_are_nothing() -> None:
    zone = LANE
    assert run(stopped_vehicle, zone, seconds(30), lambda _: [car(1, 0.15, 0.5)]) == []
    assert run(stopped_vehicle, zone, seconds(30), lambda _: [person(1, 0.5, 0.5)]) == []
    assert run(stopped_vehicle, zone, seconds(30), lambda _: [car(1, 0.5, 0.5, score=0.4)]) == []
    assert run(stopped_vehicle, zone, seconds(30), lambda _: []) == []


def test_a_short_dwell_in_the_settings_is_held_to_three_seconds() -> None:
    zone = Zone("lane", "stopped_vehicle", SQUARE, dwell_s=0.0)
    found = run(stopped_vehicle, zone, seconds(10), lambda _: [car(1, 0.5, 0.5)])
    assert found[0].at_s - T0 == 3.0
    assert dict(found[0].thresholds)["dwell_s"] == 3.0


@pytest.mark.parametrize("by_s", [-3600.0, -0.4])
def test_a_clock_set_back_keeps_what_has_lasted(by_s: float) -> None:
    times = seconds(8) + [t + by_s for t in seconds(12, 8.25)]
    found = run(stopped_vehicle, LANE, times, lambda _: [car(1, 0.5, 0.5)])
    assert events(found) == [1]
