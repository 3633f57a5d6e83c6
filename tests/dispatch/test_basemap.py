"""The background map: layers, small, whole, and the sea on the right side of the coast."""

from __future__ import annotations

import gzip
import itertools
import json

import pytest

from dispatch import basemap
from dispatch.roads import basemap_path
from tests.dispatch.dispatch_kit import helsinki

BOX = (0.0, 0.0, 10.0, 10.0)  # south, west, north, east


def area(ring: list[tuple[float, float]]) -> float:
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring))) / 2


def test_the_shipped_city_has_all_layers() -> None:
    path = basemap_path(helsinki())
    collection = json.loads(gzip.decompress(path.read_bytes()))
    layers = {f["properties"]["layer"] for f in collection["features"]}
    assert layers == {"water", "green", "building", "road", "rail"}
    assert "OpenStreetMap" in collection["attribution"]
    assert path.stat().st_size < 300_000
    names = {f["properties"].get("name") for f in collection["features"]}
    assert "Mannerheimintie" in names
    roads = [f for f in collection["features"] if f["properties"]["layer"] == "road"]
    assert all(f["properties"]["class"] for f in roads)
    lon, lat = roads[0]["geometry"]["coordinates"][0]
    assert 24.9 < lon < 25
    assert 60.1 < lat < 60.2
    assert round(lon, 6) == lon


def test_simplifying_keeps_the_ends_and_the_shape() -> None:
    line = [(k * 1e-4, 1e-7 * (k % 2)) for k in range(50)] + [(50e-4, 3e-4)]
    out = basemap.simplify(line)
    assert out[0] == (0.0, 0.0)
    assert out[-1] == (0.005, 0.0003)
    assert len(out) == 3
    ring = [(0.0, 0.0), (1e-3, 0.0), (1e-3, 1e-3), (0.0, 1e-3), (0.0, 0.0)]
    assert basemap.simplify_ring(ring) == ring
    assert basemap.simplify_ring(ring[:3]) == []


@pytest.mark.parametrize(
    ("coast", "water"),
    [
        ([[(5.0, 0.0), (5.0, 10.0)]], 50.0),  # northwards: land in the west, water in the east
        ([[(5.0, 10.0), (5.0, 0.0)]], 50.0),
        ([[(0.0, 3.0), (10.0, 3.0)]], 30.0),  # eastwards: water in the south
        ([[(10.0, 3.0), (0.0, 3.0)]], 70.0),
        ([[(-5.0, 3.0), (5.0, 3.0)], [(5.0, 3.0), (15.0, 3.0)]], 30.0),  # two ways that go beyond the box
        ([[(2.0, 0.0), (2.0, 10.0)], [(8.0, 10.0), (8.0, 0.0)]], 60.0),  # a strait
        ([[(4.0, 4.0), (6.0, 4.0), (6.0, 6.0), (4.0, 6.0), (4.0, 4.0)]], 96.0),  # an island alone
        ([[(4.0, 4.0), (4.0, 6.0), (6.0, 6.0), (6.0, 4.0), (4.0, 4.0)]], 4.0),  # a lagoon
        ([[(5.0, 0.0), (5.0, 10.0)], [(7.0, 4.0), (8.0, 4.0), (8.0, 5.0), (7.0, 5.0), (7.0, 4.0)]], 49.0),  # with an island
        ([[(5.0, 0.2), (5.0, 9.8)]], 50.0),  # cut a little inside the box
        ([[(5.0, 3.0), (5.0, 6.0)]], 0.0),  # ends in the middle: nobody can tell
        ([], 0.0),
    ],
)
def test_the_water_is_on_the_right_of_the_coast(coast: list[list[tuple[float, float]]], water: float) -> None:
    polygons = basemap.sea(coast, BOX)
    assert sum(area(p[0]) - sum(area(hole) for hole in p[1:]) for p in polygons) == pytest.approx(water)


def test_a_coast_drawn_southwards_has_its_water_in_the_west() -> None:
    (ring,) = basemap.sea([[(5.0, 10.0), (5.0, 0.0)]], BOX)[0]
    assert all(x <= 5 for x, _ in ring)
