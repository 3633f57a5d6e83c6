"""Intrusion and crowding on synthetic tracks: when they begin, that they do not chatter, and when they stay silent."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema import Zone
from tests.vision.hazard_kit import SQUARE, T0, car, events, person, run, seconds
from vision import zones
from vision.detections import Observation, Track
from vision.hazards import RULES, crowding, intrusion
from vision.sighting import HazardKind

STRIP = Zone("strip", "intrusion", SQUARE, dwell_s=1.0)
SQUARE_CROWD = Zone("square", "crowding", SQUARE, limit=3, sustained_s=2.0)

PEOPLE = st.lists(
    st.tuples(st.integers(1, 6), st.floats(0, 1), st.floats(0, 1), st.sampled_from([0.2, 0.4, 0.5, 0.9])),
    max_size=6,
    unique_by=lambda p: p[0],
)
FRAMES = st.lists(st.tuples(st.floats(0.05, 3.0), PEOPLE), max_size=40)


def test_the_registry_is_the_closed_list() -> None:
    assert set(RULES) == set(HazardKind)


def test_somebody_who_stays_is_told_once_at_first_and_then_every_five_seconds() -> None:
    found = run(intrusion, STRIP, seconds(21), lambda t: [person(1, 0.5, 0.5)] if t >= 2 else [])
    assert [round(f.at_s - T0, 2) for f in found] == [3.0, 8.0, 13.0, 18.0]
    assert {f.began_at_s - T0 for f in found} == {2.0}
    assert events(found) == [1]
    assert found[0].foot == (0.5, 0.5)
    assert dict(found[0].thresholds) == {"dwell_s": 1.0, "score": 0.48}


def test_walking_through_for_less_than_the_dwell_is_nothing() -> None:
    assert run(intrusion, STRIP, seconds(5), lambda t: [person(1, 0.5, 0.5)] if 2 <= t < 2.9 else []) == []


def test_several_who_pass_one_after_another_do_not_add_up() -> None:
    found = run(
        intrusion,
        STRIP,
        seconds(20),
        lambda t: [person(int(t / 0.75), 0.31 + 0.38 * ((t / 0.75) % 1), 0.5 + 0.19 * (int(t / 0.75) % 2))],
    )
    assert found == []


def test_missed_detections_do_not_end_a_presence() -> None:
    found = run(intrusion, STRIP, seconds(12), lambda t: [person(1, 0.5, 0.5)] if int(t * 4) % 5 == 0 else [])
    assert events(found) == [1]


def test_a_lost_number_is_the_same_presence() -> None:
    found = run(intrusion, STRIP, seconds(8), lambda t: [person(1 + int(t / 0.75), 0.5, 0.5)])
    assert events(found) == [1]
    assert found[0].began_at_s == T0


def test_those_whom_the_tracker_only_remembers_do_not_count() -> None:
    assert run(intrusion, STRIP, seconds(6), lambda t: [person(1, 0.5, 0.5, seen=t < 0.5)]) == []


def test_unsure_tracks_raise_nothing() -> None:
    assert run(intrusion, STRIP, seconds(6), lambda _: [person(1, 0.5, 0.5, score=0.47)]) == []


def test_a_sign_that_took_over_a_passers_track_does_not_count() -> None:
    """The tracker's score is the best ever; what counts is how sure the detector has been of the last three seconds' boxes."""
    sign = replace(person(1, 0.5, 0.5, score=0.9), newest_score=0.25)
    assert run(intrusion, STRIP, seconds(10), lambda _: [sign]) == []
    crowd = Zone("square", "crowding", SQUARE, limit=0, sustained_s=1.0)
    assert run(crowding, crowd, seconds(10), lambda _: [sign]) == []


def test_jitter_at_the_edge_is_one_event() -> None:
    rng = random.Random(3)
    found = run(intrusion, STRIP, seconds(40), lambda _: [person(1, 0.3 + rng.uniform(-0.01, 0.01), 0.5)])
    assert events(found) == [1]


def test_coming_back_is_a_second_event() -> None:
    found = run(intrusion, STRIP, seconds(30), lambda t: [person(1, 0.5 if t < 5 or t > 15 else 0.1, 0.5)])
    assert events(found) == [1, 2]


def test_a_foot_outside_does_not_count_however_much_of_the_box_is_inside() -> None:
    assert run(intrusion, STRIP, seconds(6), lambda _: [person(1, 0.5, 0.75)]) == []


@pytest.mark.parametrize("by_s", [-3600.0, -0.4, 3600.0])
def test_a_clock_that_jumps_breaks_nothing(by_s: float) -> None:
    times = seconds(8) + [t + by_s for t in seconds(16, 8.25)]
    found = run(intrusion, STRIP, times, lambda _: [person(1, 0.5, 0.5)])
    assert events(found) == ([1] if by_s < 0 else [1, 2])  # an hour without a frame ends an event, an hour back does not
    gaps = [b.at_s - a.at_s for a, b in pairwise(found)]
    assert all(g >= 5 or g < 0 for g in gaps)
    assert len(found) <= 7


@given(FRAMES)
def test_nobody_in_the_zone_no_finding(frames: list[tuple[float, list[tuple[int, float, float, float]]]]) -> None:
    at_s = T0
    state, crowd = intrusion.initial(STRIP), crowding.initial(Zone("c", "crowding", SQUARE, limit=0, sustained_s=0.0))
    for gap_s, people in frames:
        at_s += gap_s
        outside = tuple(person(i, x, y, at_s=at_s, score=s) for i, x, y, s in people if not zones.contains(SQUARE, (x, y)))
        others = (car(9, 0.5, 0.5, at_s=at_s),)
        state, told = intrusion.step(state, Observation(at_s, outside + others), at_s)
        crowd, told_crowd = crowding.step(crowd, Observation(at_s, outside + others), at_s)
        assert told == ()
        assert told_crowd == ()


@settings(max_examples=60)
@given(FRAMES, st.randoms(use_true_random=False))
def test_the_order_of_tracks_does_not_matter(
    frames: list[tuple[float, list[tuple[int, float, float, float]]]], rng: random.Random
) -> None:
    for rule, zone in ((intrusion, STRIP), (crowding, SQUARE_CROWD)):
        states = [rule.initial(zone), rule.initial(zone)]
        at_s = T0
        for gap_s, people in frames:
            at_s += gap_s
            tracks = [person(i, x, y, at_s=at_s, score=s) for i, x, y, s in people]
            shuffled = tracks[:]
            rng.shuffle(shuffled)
            told = []
            for k, order in enumerate((tracks, shuffled)):
                states[k], findings = rule.step(states[k], Observation(at_s, tuple(order)), at_s)
                told.append(findings)
            assert told[0] == told[1]
            assert states[0] == states[1]


@given(st.floats(1.5, 60.0), st.floats(1.0, 6.0), st.integers(0, 2**16))
def test_one_presence_is_one_event(stay_s: float, hz: float, seed: int) -> None:
    """Whatever the rate, with a tenth of the frames missed and a trembling foot."""
    rng = random.Random(seed)

    def tracks(t: float) -> list[Track]:
        here = 1 <= t <= 1 + stay_s and (rng.random() > 0.1 or t < 1.3)
        return [person(1, 0.5 + rng.uniform(-0.05, 0.05), 0.5 + rng.uniform(-0.05, 0.05))] if here else []

    found = run(intrusion, STRIP, seconds(stay_s + 8, hz=hz), tracks)
    assert events(found) in ([], [1])
    if stay_s >= 4:
        assert events(found) == [1]
        assert found[0].at_s - T0 <= 1 + STRIP.dwell_s + 3 / hz + 1


def test_a_crowd_over_the_limit_is_told_after_the_sustained_time() -> None:
    spots = [(0.4, 0.4), (0.5, 0.5), (0.6, 0.6), (0.4, 0.6)]
    found = run(crowding, SQUARE_CROWD, seconds(12), lambda t: [person(i, *spots[i]) for i in range(4 if t >= 3 else 3)])
    assert [f.at_s - T0 for f in found] == [5.0, 10.0]
    assert found[0].began_at_s - T0 == 3.0
    assert dict(found[0].measured)["people"] == 4
    assert found[0].box == pytest.approx((0.38, 0.25, 0.62, 0.6))


def test_at_the_limit_is_not_over_it() -> None:
    assert run(crowding, SQUARE_CROWD, seconds(12), lambda _: [person(i, 0.4 + i * 0.1, 0.5) for i in range(3)]) == []


def test_a_moment_over_the_limit_is_nothing() -> None:
    found = run(
        crowding, SQUARE_CROWD, seconds(20), lambda t: [person(i, 0.35 + i * 0.1, 0.5) for i in range(4 if t % 6 < 0.5 else 2)]
    )
    assert found == []


def test_a_crowd_that_sways_about_its_limit_is_one_event() -> None:
    zone = Zone("square", "crowding", SQUARE, limit=10, sustained_s=2.0)
    places = [(0.32 + 0.09 * (i % 4), 0.35 + 0.1 * (i // 4)) for i in range(12)]
    found = run(
        crowding, zone, seconds(60), lambda t: [person(i, *places[i]) for i in range(12 if t < 8 or int(t) % 9 < 3 else 10)]
    )
    assert events(found) == [1]


def test_a_crowd_that_goes_ends_the_event() -> None:
    found = run(
        crowding, SQUARE_CROWD, seconds(60), lambda t: [person(i, 0.35 + i * 0.1, 0.5) for i in range(4 if t % 30 < 10 else 1)]
    )
    assert events(found) == [1, 2]


def test_a_new_number_is_not_one_more_person() -> None:
    found = run(
        crowding, SQUARE_CROWD, seconds(20), lambda t: [person(i + 10 * int(t / 1.25), 0.35 + i * 0.1, 0.5) for i in range(3)]
    )
    assert found == []


def test_limit_zero_means_anybody() -> None:
    zone = Zone("shut", "crowding", SQUARE, limit=0, sustained_s=1.0)
    assert events(run(crowding, zone, seconds(5), lambda _: [person(1, 0.5, 0.5)])) == [1]
    assert run(crowding, zone, seconds(5), lambda _: []) == []
