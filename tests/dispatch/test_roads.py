"""Roads on small hand-made maps, where every answer can be worked out on paper, and on central Helsinki against brute force."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.brute_routes import BruteRoutes
from configs.settings import environment
from dispatch import roads
from dispatch.eta import MODES, GreatCircle, Leg, distance_m
from dispatch.road_rules import WALK_M_PER_S, speeds
from dispatch.roads import MapError, Roads
from tests.dispatch.dispatch_kit import HELSINKI, helsinki_roads

LAT, LON = 60.0, 25.0
M_LAT = 1 / 111_195.0  # degrees for a metre
M_LON = M_LAT / math.cos(math.radians(LAT))

Point = tuple[float, float]  # metres east, metres north
Ways = list[tuple[list[str], dict[str, str]]]


def at(east_m: float, north_m: float) -> tuple[float, float]:
    return (LAT + north_m * M_LAT, LON + east_m * M_LON)


def town(folder: Path, nodes: Mapping[str, Point], ways: Ways, tags: Mapping[str, dict[str, str]] | None = None) -> Roads:
    """A map of a few ways, written as OSM XML, built and loaded like any other."""
    number = {name: k for k, name in enumerate(nodes, start=1)}
    lines = ['<?xml version="1.0" encoding="UTF-8"?><osm version="0.6">']
    for name, (east, north) in nodes.items():
        lat, lon = at(east, north)
        inner = "".join(f'<tag k="{k}" v="{v}"/>' for k, v in (tags or {}).get(name, {}).items())
        lines.append(f'<node id="{number[name]}" lat="{lat:.7f}" lon="{lon:.7f}" version="1">{inner}</node>')
    for k, (refs, way_tags) in enumerate(ways, start=1):
        inner = "".join(f'<nd ref="{number[r]}"/>' for r in refs)
        inner += "".join(f'<tag k="{a}" v="{b}"/>' for a, b in way_tags.items())
        lines.append(f'<way id="{k}" version="1">{inner}</way>')
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "town.osm"
    file.write_text("\n".join([*lines, "</osm>"]), encoding="utf-8")
    roads.build(file, folder / "map")
    return Roads.load(folder / "map")


def leg(found: Roads, mode: str, start: Point, end: Point) -> Leg:
    way = found.leg(mode, at(*start), at(*end))
    assert way is not None
    return way


SQUARE: dict[str, Point] = {"a": (0, 0), "b": (200, 0), "c": (200, 200), "d": (0, 200)}
STREET = {"highway": "residential", "maxspeed": "40"}  # 40 km/h × 0.75 = 8.33 m/s
CAR = 40 / 3.6 * 0.75


def test_a_one_way_ring_is_driven_round_and_walked_back(tmp_path: Path) -> None:
    ring = town(tmp_path, SQUARE, [(["a", "b", "c", "d", "a"], STREET | {"oneway": "yes"})])
    assert leg(ring, "car", (50, 0), (150, 0)).travel_s == pytest.approx(100 / CAR, abs=0.05)
    assert leg(ring, "car", (150, 0), (50, 0)).travel_s == pytest.approx(700 / CAR, abs=0.1)  # all the way round
    assert leg(ring, "foot", (150, 0), (50, 0)).travel_s == pytest.approx(100 / WALK_M_PER_S, abs=0.1)


def test_a_way_drawn_against_its_traffic(tmp_path: Path) -> None:
    ring = town(tmp_path, SQUARE, [(["a", "b", "c", "d", "a"], STREET | {"oneway": "-1"})])
    assert leg(ring, "car", (150, 0), (50, 0)).travel_s == pytest.approx(100 / CAR, abs=0.05)
    assert leg(ring, "car", (50, 0), (150, 0)).travel_s == pytest.approx(700 / CAR, abs=0.1)


def test_places_touch_the_road_between_its_nodes(tmp_path: Path) -> None:
    street = town(tmp_path, {"a": (0, 0), "b": (1000, 0)}, [(["a", "b"], STREET)])
    lat, lon = at(437, 28)
    snap = street.snap("car", np.array([lat]), np.array([lon]))
    assert snap.along[0] == pytest.approx(0.437, abs=0.001) or snap.along[0] == pytest.approx(0.563, abs=0.001)
    assert snap.off_m[0] == pytest.approx(28, abs=0.1)
    way = leg(street, "car", (437, 28), (837, 0))
    assert way.travel_s == pytest.approx(28 / WALK_M_PER_S + 400 / CAR, abs=0.1)
    assert way.distance_m == pytest.approx(428, abs=0.5)
    assert way.line[0] == (round(lon, 6), round(lat, 6))
    assert list(way.at_s) == sorted(way.at_s)


def test_of_two_roads_between_the_same_corners_the_quicker_is_taken(tmp_path: Path) -> None:
    nodes = SQUARE | {"m": (100, 60)}
    both: Ways = [(["a", "b"], {"highway": "service"}), (["a", "m", "b"], STREET), (["b", "c", "d", "a"], STREET)]
    found = town(tmp_path, nodes, both)
    long_way = 2 * math.hypot(100, 60)
    assert leg(found, "car", (0, 0), (200, 0)).travel_s == pytest.approx(long_way / CAR, abs=0.1)
    assert leg(found, "foot", (0, 0), (200, 0)).travel_s == pytest.approx(200 / WALK_M_PER_S, abs=0.1)


def test_a_bollard_stops_cars_only(tmp_path: Path) -> None:
    nodes = SQUARE | {"m": (100, 0)}
    ways: Ways = [(["a", "m", "b"], STREET), (["b", "c", "d", "a"], STREET)]
    found = town(tmp_path, nodes, ways, {"m": {"barrier": "bollard"}})
    assert leg(found, "car", (90, 0), (110, 0)).travel_s == pytest.approx((90 + 600 + 90) / CAR, abs=0.1)
    assert leg(found, "bicycle", (90, 0), (110, 0)).travel_s == pytest.approx(20 / (16 / 3.6), abs=0.1)
    open_ = town(tmp_path / "open", nodes, ways, {"m": {"barrier": "bollard", "motor_vehicle": "yes"}})
    assert leg(open_, "car", (90, 0), (110, 0)).travel_s == pytest.approx(20 / CAR, abs=0.1)


def test_an_island_that_no_road_leads_to_is_degraded_and_says_so(tmp_path: Path) -> None:
    nodes = SQUARE | {"x": (3000, 0), "y": (3100, 0)}
    found = town(tmp_path, nodes, [(["a", "b", "c", "d", "a"], STREET), (["x", "y"], STREET)])
    assert found.meta.counts["car"]["left_out"] == 1
    reach = found.reach("car", *at(3050, 0), 7200)
    assert reach.name == "great_circle_degraded"
    way = reach.leg(*at(0, 0))
    assert way is not None
    assert len(way.line) == 2
    assert way.distance_m == pytest.approx(3050, rel=0.01)


def test_off_the_map_and_in_the_water_is_degraded(tmp_path: Path) -> None:
    found = town(tmp_path, SQUARE, [(["a", "b", "c", "d", "a"], STREET)])
    assert found.reach("foot", *at(900, 0), 1800).name == "great_circle_degraded"
    assert found.reach("foot", *at(290, 0), 1800).name == "osm"  # 90 m from a road is walked
    assert found.reach("car", 48.2, 16.4, 1800).leg(*at(0, 0)) is None  # another country: beyond any limit


def test_the_limit_is_kept_by_both_answers(tmp_path: Path) -> None:
    street = town(tmp_path, {"a": (0, 0), "b": (5000, 0)}, [(["a", "b"], STREET)])
    lat, lon = np.array([at(k * 500, 0) for k in range(11)]).T
    reach = street.reach("car", *at(0, 0), 300)
    seconds = reach.travel(street.snap("car", lat, lon), lat, lon)
    assert np.array_equal(np.isfinite(seconds), np.arange(11) * 500 / CAR <= 300)
    assert [reach.leg(a, b) is None for a, b in zip(lat, lon, strict=True)] == [not math.isfinite(s) for s in seconds]


def test_a_loop_and_two_nodes_on_one_spot_do_no_harm(tmp_path: Path) -> None:
    nodes = SQUARE | {"a2": (0, 0), "l1": (260, 60), "l2": (260, -60)}
    ways: Ways = [(["a", "b"], STREET), (["b", "l1", "l2", "b"], STREET), (["a", "a2"], STREET), (["a2", "d"], STREET)]
    found = town(tmp_path, nodes, ways)
    round_ = 2 * math.hypot(60, 60) + 120
    assert leg(found, "car", (0, 0), (260, 0)).travel_s == pytest.approx((200 + round_ / 2) / CAR, abs=0.1)
    assert leg(found, "car", (260, 50), (260, -50)).travel_s == pytest.approx(100 / CAR, abs=0.1)
    assert leg(found, "car", (200, 0), (0, 200)).travel_s == pytest.approx(400 / CAR, abs=0.2)


@pytest.mark.parametrize(
    ("tags", "foot", "bicycle", "car"),
    [
        ({"highway": "motorway"}, False, False, True),
        ({"highway": "footway"}, True, True, False),  # a bicycle is pushed
        ({"highway": "steps"}, True, True, False),
        ({"highway": "residential", "access": "private"}, False, False, False),
        ({"highway": "residential", "access": "private", "foot": "yes"}, True, True, False),
        ({"highway": "service", "motor_vehicle": "no"}, True, True, False),
        ({"highway": "residential", "access": "no", "motor_vehicle": "yes"}, False, False, True),
        ({"highway": "cycleway"}, True, True, False),
        ({"highway": "primary", "foot": "no"}, False, True, True),
        ({"highway": "trunk"}, False, False, True),
        ({"highway": "construction"}, False, False, False),
        ({"highway": "proposed", "foot": "yes"}, False, False, False),
        ({}, False, False, False),
    ],
)
def test_who_may_use_what(tags: dict[str, str], foot: bool, bicycle: bool, car: bool) -> None:
    found = speeds(tags)
    assert (found.foot > 0, any(found.bicycle), any(found.car)) == (foot, bicycle, car)


def test_directions_and_speeds() -> None:
    assert speeds({"highway": "motorway"}).car[1] == 0  # one-way without being told
    assert speeds({"highway": "residential", "junction": "roundabout"}).car[1] == 0
    assert speeds({"highway": "residential", "oneway": "yes", "oneway:bicycle": "no"}).bicycle[1] > 2
    assert speeds({"highway": "residential", "oneway": "yes"}).bicycle[1] == pytest.approx(1.2)  # pushed against the traffic
    assert speeds({"highway": "primary", "maxspeed": "30 mph"}).car[0] == pytest.approx(30 * 1.609344 / 3.6 * 0.75)
    assert speeds({"highway": "primary", "maxspeed": "walk"}).car[0] == pytest.approx(40 / 3.6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"this is not a map", "not readable as an OSM extract"),
        (HELSINKI.read_bytes()[:200_000], "not readable as an OSM extract"),
    ],
)
def test_a_file_that_is_no_map_gets_a_clear_answer(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "city.osm.pbf"
    file.write_bytes(content)
    with pytest.raises(MapError, match=said) as error:
        roads.build(file, tmp_path / "map")
    assert str(file) in str(error.value)
    assert not (tmp_path / "map" / roads.META).exists()


def test_missing_files_and_roadless_extracts_are_named(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="no such file"):
        roads.build(tmp_path / "nowhere.osm.pbf", tmp_path / "map")
    with pytest.raises(MapError, match="map build"):
        Roads.load(tmp_path / "map")
    with pytest.raises(MapError, match="no road in it"):
        town(tmp_path, {"a": (0, 0), "b": (9, 0)}, [(["a", "b"], {"building": "yes"})])


def test_a_map_is_built_once_and_anew_when_its_source_changes(tmp_path: Path) -> None:
    first = town(tmp_path, SQUARE, [(["a", "b", "c", "d", "a"], STREET)])
    files = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "map").iterdir()}
    roads.build(tmp_path / "town.osm", tmp_path / "map")
    assert {f.name: f.stat().st_mtime_ns for f in (tmp_path / "map").iterdir()} == files
    second = town(tmp_path, SQUARE, [(["a", "b"], STREET)])
    assert first.meta.source_sha256 != second.meta.source_sha256
    assert len(list((tmp_path / "map").iterdir())) == len(files)  # what the old one needed is gone


def test_a_damaged_map_folder_says_what_to_do(tmp_path: Path) -> None:
    found = town(tmp_path, SQUARE, [(["a", "b", "c", "d", "a"], STREET)])
    file = tmp_path / "map" / found.meta.files["car"]
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(MapError, match="Build the map again"):
        Roads.load(tmp_path / "map")
    (tmp_path / "map" / roads.META).write_text("{")
    with pytest.raises(MapError, match="Build the map again"):
        Roads.load(tmp_path / "map")


def _agree(osm: Path, found: Roads, pairs: int, seed: int) -> None:
    (south, west), (north, east) = found.meta.bounds
    rng = np.random.default_rng(seed)
    for mode in MODES:
        brute = BruteRoutes(osm, mode)
        compared = 0
        for _ in range(pairs):
            start = (rng.uniform(south, north), rng.uniform(west, east))
            end = (rng.uniform(south, north), rng.uniform(west, east))
            reach = found.reach(mode, *end, 7200)
            if reach.name != "osm":
                continue
            lat, lon = np.array([start[0]]), np.array([start[1]])
            seconds = float(reach.travel(found.snap(mode, lat, lon), lat, lon)[0])
            expected = brute.travel_s(start, end)
            if math.isinf(expected) or expected > 7200:
                assert math.isinf(seconds)
                continue
            compared += 1
            assert seconds == pytest.approx(expected, abs=0.1, rel=1e-4)
            way = reach.leg(*start)
            assert way is not None
            assert way.travel_s == pytest.approx(seconds, abs=0.05)
            assert way.distance_m >= float(distance_m(*start, *end)) * 0.999
        assert compared >= pairs / 3


def test_helsinki_agrees_with_brute_force() -> None:
    _agree(HELSINKI, helsinki_roads(), 25, 3)


@pytest.mark.needs("osm/baltimore.osm.pbf")
def test_another_city_agrees_with_brute_force(tmp_path: Path) -> None:
    assets = environment().assets
    assert assets is not None
    extract = assets / "osm" / "baltimore.osm.pbf"
    roads.build(extract, tmp_path)
    _agree(extract, Roads.load(tmp_path), 12, 4)


@settings(max_examples=40, deadline=None)
@given(st.floats(60.1645, 60.1788), st.floats(24.9355, 24.9530), st.sampled_from(MODES))
def test_the_way_of_one_unit_is_what_was_promised_for_all(lat: float, lon: float, mode: str) -> None:
    found = helsinki_roads()
    reach = found.reach(mode, 60.1712, 24.9441, 3600)
    lats, lons = np.array([lat]), np.array([lon])
    seconds = float(reach.travel(found.snap(mode, lats, lons), lats, lons)[0])
    way = reach.leg(lat, lon)
    assert (way is None) == math.isinf(seconds)
    if way is not None:
        assert way.travel_s == pytest.approx(seconds, abs=0.05)
        assert way.line[-1] == (24.9441, 60.1712)
        assert len(way.line) == len(way.at_s)


def test_without_a_map_everything_is_degraded() -> None:
    router = GreatCircle()
    lat, lon = np.array([60.17, 70.0]), np.array([24.94, 24.94])
    reach = router.reach("car", 60.175, 24.94, 1800)
    seconds = reach.travel(router.snap("car", lat, lon), lat, lon)
    assert reach.name == "great_circle_degraded"
    assert seconds[0] == pytest.approx(556 * 1.35 / 8.5, rel=0.01)
    assert math.isinf(seconds[1])
