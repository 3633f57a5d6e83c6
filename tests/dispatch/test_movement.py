"""Who follows a route stays on it, comes forward at an even pace, and arrives."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.movement import SPEED_M_PER_S, at, distance_m, journey, length_m, rest

_place = st.tuples(st.floats(24.90, 25.00), st.floats(60.10, 60.20))
_route = st.lists(_place, min_size=1, max_size=12)


@given(_route, st.just(0.0) | st.floats(0.01, 5000), st.floats(-100, 6000), st.floats(0, 100))
def test_one_comes_forward_along_the_route_and_arrives(
    route: list[tuple[float, float]], duration_s: float, at_s: float, more_s: float
) -> None:
    way = journey(route, duration_s=duration_s)
    (first, there), (later, there_later) = at(way, at_s), at(way, at_s + more_s)
    assert at(way, duration_s) == (route[-1], True)
    assert there_later or not there  # nobody comes away again
    assert there == (at_s >= duration_s or duration_s == 0 or way.length_m == 0)  # a way of no time is over before it begins
    if at_s <= 0 and not there:
        assert first == pytest.approx(route[0], abs=1e-9)
    for place in (first, later):  # on one of the route's legs
        detours = [distance_m(a, place) + distance_m(place, b) - distance_m(a, b) for a, b in itertools.pairwise(route)]
        assert min(detours, default=0) < 0.5
    assert distance_m(first, later) <= way.length_m * (more_s / duration_s if duration_s else 1) + 0.5


@given(_route, st.sampled_from(sorted(SPEED_M_PER_S)), st.floats(0.5, 20))
def test_without_a_time_the_modes_speed_is_taken_at_its_pace(route: list[tuple[float, float]], mode: str, pace: float) -> None:
    way = journey(route, mode=mode, pace=pace)
    assert way.duration_s == pytest.approx(length_m(route) / SPEED_M_PER_S[mode] / pace)


@given(_route, st.floats(0, 1))
def test_the_rest_of_a_route_is_its_end(route: list[tuple[float, float]], share: float) -> None:
    here, _ = at(journey(route, duration_s=100), 100 * share)
    left = rest(route, here)
    assert left == route[len(route) - len(left) :]
    assert left[-1] == route[-1]
    assert length_m(left) <= length_m(route)


def test_known_distances_and_odd_routes() -> None:
    assert distance_m((24.9442, 60.17125), (24.9442, 60.18125)) == pytest.approx(1112, abs=2)
    assert distance_m((24.0, 60.0), (24.0, 60.0)) == 0
    assert rest([], (24.0, 60.0)) == []
    assert at(journey([(24.0, 60.0)] * 3, duration_s=50), 1) == ((24.0, 60.0), True)  # already there
    assert journey([(24.0, 60.0), (24.1, 60.0)], duration_s=-5).duration_s == 0
    with pytest.raises(ValueError, match="at least one point"):
        journey([])
