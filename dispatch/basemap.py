"""The console's background map from the same OSM extract: GeoJSON features in five layers, small enough to send whole. Pure.

A feature's properties are `layer` (water, green, building, road, rail), `class` (roads: the highway class) and `name`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

Ring = Sequence[tuple[float, float]]  # lon, lat
Feature = dict[str, Any]
Bounds = tuple[float, float, float, float]  # south, west, north, east

TOLERANCE_DEG = 1e-5  # about one metre
EDGE_GAP = 0.08  # of the box's side
_GREEN_LANDUSE = frozenset(
    [
        "grass",
        "forest",
        "meadow",
        "recreation_ground",
        "village_green",
        "cemetery",
        "allotments",
        "orchard",
        "vineyard",
        "greenfield",
        "farmland",
    ]
)
_GREEN_LEISURE = frozenset({"park", "garden", "pitch", "playground", "golf_course", "nature_reserve", "common", "dog_park"})
_GREEN_NATURAL = frozenset({"wood", "scrub", "heath", "grassland", "wetland"})
_DRAWN_ROADS = frozenset(
    [
        "motorway",
        "trunk",
        "primary",
        "secondary",
        "tertiary",
        "unclassified",
        "residential",
        "living_street",
        "service",
        "pedestrian",
        "footway",
        "cycleway",
        "path",
        "steps",
        "track",
        "road",
        "bridleway",
    ]
)
_RAIL = frozenset({"rail", "light_rail", "tram", "subway", "narrow_gauge", "funicular", "monorail"})


def area_layer(tags: Mapping[str, str]) -> str:
    """water, green, building, or nothing."""
    if tags.get("building", "no") != "no":
        return "building"
    if (
        tags.get("natural") == "water"
        or tags.get("waterway") in ("riverbank", "dock")
        or tags.get("landuse") in ("basin", "reservoir")
    ):
        return "water"
    if tags.get("landuse") in _GREEN_LANDUSE or tags.get("leisure") in _GREEN_LEISURE or tags.get("natural") in _GREEN_NATURAL:
        return "green"
    return ""


def line_layer(tags: Mapping[str, str]) -> tuple[str, str]:
    """(layer, class) of a way that is drawn as a line; ("", "") for others. Tunnels of rail are left out."""
    road = tags.get("highway", "").removesuffix("_link")
    if road in _DRAWN_ROADS:
        return ("road", road)
    if tags.get("railway") in _RAIL and tags.get("tunnel", "no") == "no":
        return ("rail", tags["railway"])
    if tags.get("waterway") in ("river", "canal", "stream") and tags.get("tunnel", "no") == "no":
        return ("water", tags["waterway"])
    return ("", "")


def feature(kind: str, coordinates: Any, layer: str, class_: str = "", name: str = "") -> Feature:
    properties = {"layer": layer} | ({"class": class_} if class_ else {}) | ({"name": name} if name else {})
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


def simplify(points: Ring, tolerance_deg: float = TOLERANCE_DEG) -> list[tuple[float, float]]:
    """Douglas-Peucker on degrees (longitude narrowed by the latitude), to six decimals. Ends are kept."""
    n = len(points)
    if n <= 2:
        return [(round(x, 6), round(y, 6)) for x, y in points]
    narrow = math.cos(math.radians(points[0][1]))
    keep = [False] * n
    keep[0] = keep[-1] = True
    todo = [(0, n - 1)]
    while todo:
        first, last = todo.pop()
        worst, at = 0.0, -1
        for k in range(first + 1, last):
            d = _off_line(points[k], points[first], points[last], narrow)
            if d > worst:
                worst, at = d, k
        if at > 0 and (worst > tolerance_deg):
            keep[at] = True
            todo += [(first, at), (at, last)]
    return [(round(x, 6), round(y, 6)) for (x, y), kept in zip(points, keep, strict=True) if kept]


def simplify_ring(ring: Ring) -> list[tuple[float, float]]:
    """A closed ring stays closed and keeps at least four points; [] when nothing of it is left."""
    if len(ring) < 4:
        return []
    middle = len(ring) // 2
    out = simplify(ring[: middle + 1])[:-1] + simplify(ring[middle:])
    return out if len(out) >= 4 else []


def _off_line(p: tuple[float, float], a: tuple[float, float], b: tuple[float, float], narrow: float) -> float:
    px, py, bx, by = (p[0] - a[0]) * narrow, p[1] - a[1], (b[0] - a[0]) * narrow, b[1] - a[1]
    square = bx * bx + by * by
    t = 0.0 if square == 0 else max(0.0, min(1.0, (px * bx + py * by) / square))
    return math.hypot(px - t * bx, py - t * by)


def join(lines: Iterable[Ring]) -> list[list[tuple[float, float]]]:
    """Coastline ways joined end to start into chains (their direction matters: the water is on the right)."""
    chains = [list(line) for line in lines if len(line) > 1]
    merged = True
    while merged:
        merged = False
        starts = {chain[0]: k for k, chain in enumerate(chains) if chain[0] != chain[-1]}
        for k, chain in enumerate(chains):
            other = starts.get(chain[-1])
            if other is not None and other != k and chain[0] != chain[-1]:
                chain.extend(chains[other][1:])
                del chains[other]
                merged = True
                break
    return chains


def sea(coast: Iterable[Ring], bounds: Bounds) -> list[list[list[tuple[float, float]]]]:
    """Polygons (outer ring, then islands) of the sea inside the bounds. [] where the coastline does not cross them whole."""
    chains = join(coast)
    loops = [c for c in chains if c[0] == c[-1] and len(c) > 3]
    pieces = [_to_edge(piece, bounds) for c in chains if c[0] != c[-1] for piece in _clip(c, bounds)]
    if any(_around(p[0], bounds) is None or _around(p[-1], bounds) is None for p in pieces):
        return []  # a coast that ends inside the extract: no telling on which side of its end the water is
    rings: list[list[tuple[float, float]]] = []
    left = list(pieces)
    while left:
        ring = left.pop()
        entered = _around(ring[0], bounds) or 0.0
        ring = list(ring)
        while True:
            here = _around(ring[-1], bounds) or 0.0
            back = (entered - here) % 4 or 4.0
            reach = [(((_around(p[0], bounds) or 0.0) - here) % 4, k) for k, p in enumerate(left)]
            gap, k = min(reach, default=(back, -1))
            nearest = min(gap, back)
            corners = [c for c in range(math.floor(here) + 1, math.floor(here) + 6) if c < here + nearest]
            ring += [_corner(c % 4, bounds) for c in corners]
            if gap >= back or k < 0:
                ring.append(ring[0])
                rings.append(ring)
                break
            ring += left.pop(k)
    islands = [loop for loop in loops if _signed(loop) > 0 and any(_inside(p, bounds) for p in loop)]
    polygons = [[ring] for ring in rings]
    if not polygons and islands:  # islands alone: everything around them is sea
        polygons = [[[_corner(k % 4, bounds) for k in range(5)]]]
    for island in islands:
        for polygon in polygons:
            if _contains(polygon[0], island[0]):
                polygon.append(island)
                break
    return polygons + [[loop] for loop in loops if _signed(loop) < 0]


def _inside(p: tuple[float, float], b: Bounds) -> bool:
    return b[1] <= p[0] <= b[3] and b[0] <= p[1] <= b[2]


def _around(p: tuple[float, float], b: Bounds) -> float | None:
    """How far round the box, clockwise from the north-west corner (0..4); None away from its edge."""
    x, y = (p[0] - b[1]) / (b[3] - b[1]), (p[1] - b[0]) / (b[2] - b[0])
    e = 1e-9
    if abs(y - 1) < e:
        return x % 4
    if abs(x - 1) < e:
        return 1 + (1 - y)
    if abs(y) < e:
        return 2 + (1 - x)
    return 3 + y if abs(x) < e else None


def _corner(k: int, b: Bounds) -> tuple[float, float]:
    return [(b[1], b[2]), (b[3], b[2]), (b[3], b[0]), (b[1], b[0])][k]


def _clip(line: Ring, b: Bounds) -> list[list[tuple[float, float]]]:
    """The parts of a line inside the box (Liang-Barsky, segment by segment)."""
    out: list[list[tuple[float, float]]] = []
    open_piece: list[tuple[float, float]] = []
    for p, q in pairwise(line):
        t0, t1 = 0.0, 1.0
        dx, dy = q[0] - p[0], q[1] - p[1]
        for delta, room in ((-dx, p[0] - b[1]), (dx, b[3] - p[0]), (-dy, p[1] - b[0]), (dy, b[2] - p[1])):
            if delta == 0:
                t1 = -1.0 if room < 0 else t1
            elif delta < 0:
                t0 = max(t0, room / delta)
            else:
                t1 = min(t1, room / delta)
        if t0 > t1:
            continue
        start, end = (p[0] + t0 * dx, p[1] + t0 * dy), (p[0] + t1 * dx, p[1] + t1 * dy)
        if not open_piece:
            open_piece = [start]
        open_piece.append(end)
        if t1 < 1:
            out.append(open_piece)
            open_piece = []
    return [*out, open_piece] if open_piece else out


def _to_edge(piece: list[tuple[float, float]], b: Bounds) -> list[tuple[float, float]]:
    """Extracts cut at nodes end a little inside the box: such an end is led on to the nearest side of it."""

    def lead(p: tuple[float, float]) -> list[tuple[float, float]]:
        if _around(p, b) is not None:
            return []
        x, y = (p[0] - b[1]) / (b[3] - b[1]), (p[1] - b[0]) / (b[2] - b[0])
        sides = [(x, (b[1], p[1])), (1 - x, (b[3], p[1])), (y, (p[0], b[0])), (1 - y, (p[0], b[2]))]
        gap, end = min(sides)
        return [end] if gap < EDGE_GAP else []

    return lead(piece[0]) + piece + lead(piece[-1])


def _signed(ring: Ring) -> float:
    """Twice the signed area: above 0 when counter-clockwise."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))


def _contains(ring: Ring, p: tuple[float, float]) -> bool:
    inside = False
    for a, b in pairwise(ring):
        if (a[1] > p[1]) != (b[1] > p[1]) and p[0] < (b[0] - a[0]) * (p[1] - a[1]) / (b[1] - a[1]) + a[0]:
            inside = not inside
    return inside
