"""Zones: what is inside, what overlaps, and what a person is told about a polygon that cannot be used."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision import zones

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
L_SHAPE = ((0.0, 0.0), (0.6, 0.0), (0.6, 0.3), (0.3, 0.3), (0.3, 0.6), (0.0, 0.6))
UNIT = st.floats(0, 1)


@st.composite
def stars(draw: st.DrawFn) -> tuple[tuple[float, float], ...]:
    """Simple polygons, not convex in general: corners at growing angles around a middle."""
    n = draw(st.integers(3, 9))
    radii = draw(st.lists(st.floats(0.08, 0.4), min_size=n, max_size=n))
    turn = draw(st.floats(0, 2 * math.pi))
    return tuple(
        (0.5 + r * math.cos(turn + 2 * math.pi * i / n), 0.5 + r * math.sin(turn + 2 * math.pi * i / n))
        for i, r in enumerate(radii)
    )


@pytest.mark.parametrize(
    ("polygon", "says"),
    [
        (((0.1, 0.1), (0.5, 0.5)), "at least 3 corners, has 2"),
        (((0.1, 0.1), (1.2, 0.5), (0.5, 0.9)), "corner 2 (1.2, 0.5) lies outside"),
        (((0.1, 0.1), (math.nan, 0.5), (0.5, 0.9)), "corner 2"),
        (((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)), "crosses itself: the edge from corner 1 to 2"),
        (((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.1)), "are the same point"),
        (((0.1, 0.1), (0.5, 0.5), (0.9, 0.9)), "too thin"),
    ],
)
def test_a_bad_polygon_is_refused_with_its_place_and_reason(polygon: tuple[tuple[float, float], ...], says: str) -> None:
    with pytest.raises(zones.BadPolygon) as refused:
        zones.check_polygon(polygon, "camera 'gate', zone 'strip'")
    assert says in str(refused.value)
    assert str(refused.value).startswith("camera 'gate', zone 'strip'")


@given(stars())
def test_simple_polygons_pass(polygon: tuple[tuple[float, float], ...]) -> None:
    assert zones.polygon_fault(polygon) is None


def test_inside_and_outside_of_a_bent_zone() -> None:
    assert zones.contains(L_SHAPE, (0.1, 0.5))
    assert zones.contains(L_SHAPE, (0.5, 0.1))
    assert not zones.contains(L_SHAPE, (0.5, 0.5))
    assert zones.distance(L_SHAPE, (0.1, 0.5)) == 0
    assert zones.distance(L_SHAPE, (0.3, 0.7)) == pytest.approx(0.1)


def test_overlap_is_the_share_of_the_box() -> None:
    assert zones.overlap(SQUARE, (0.3, 0.3, 0.5, 0.5)) == pytest.approx(1)
    assert zones.overlap(SQUARE, (0.0, 0.2, 0.4, 0.8)) == pytest.approx(0.5)
    assert zones.overlap(SQUARE, (0.85, 0.85, 1, 1)) == 0
    assert zones.overlap(SQUARE, (0.5, 0.5, 0.5, 0.5)) == 0
    assert zones.overlap(L_SHAPE, (0.0, 0.0, 0.6, 0.6)) == pytest.approx(0.75)


@given(stars(), UNIT, UNIT, st.floats(0.02, 0.5), st.floats(0.02, 0.5))
def test_overlap_agrees_with_counting_points(
    polygon: tuple[tuple[float, float], ...], x: float, y: float, w: float, h: float
) -> None:
    points = [(x + w * (i + 0.5) / 24, y + h * (j + 0.5) / 24) for i in range(24) for j in range(24)]
    counted = sum(zones.contains(polygon, p) for p in points) / len(points)
    assert zones.overlap(polygon, (x, y, x + w, y + h)) == pytest.approx(counted, abs=0.09)
