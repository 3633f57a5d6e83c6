"""Where somebody is who follows a route at a given pace. Pure: used by the simulated responders and to draw who is under way."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LonLat = tuple[float, float]

EARTH_RADIUS_M = 6_371_008.8
SPEED_M_PER_S = {"foot": 1.4, "bicycle": 4.5, "car": 8.5}  # for stretches whose travel time nobody gave


def distance_m(a: LonLat, b: LonLat) -> float:
    """Great-circle distance by the haversine formula, in metres."""
    (lon1, lat1), (lon2, lat2) = a, b
    p1, p2 = math.radians(lat1), math.radians(lat2)
    h = math.sin((p2 - p1) / 2) ** 2 + math.cos(p1) * math.cos(p2) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


@dataclass(frozen=True, slots=True)
class Journey:
    """A polyline with the metres passed at each of its points, and the whole time it takes."""

    points: tuple[LonLat, ...]
    passed_m: tuple[float, ...]
    duration_s: float

    @property
    def length_m(self) -> float:
        return self.passed_m[-1]


def length_m(points: Sequence[LonLat]) -> float:
    return sum(distance_m(a, b) for a, b in pairwise(points))


def rest(route: Sequence[LonLat], here: LonLat) -> list[LonLat]:
    """The part of a route that lies ahead of somebody who is somewhere along it: from its nearest point on."""
    if not route:
        return []
    nearest = min(range(len(route)), key=lambda index: distance_m(route[index], here))
    return list(route[nearest:])


def journey(points: Sequence[LonLat], *, duration_s: float | None = None, mode: str = "foot", pace: float = 1.0) -> Journey:
    """Without a duration the mode's usual speed is taken, times `pace`. Raises ValueError for a route without points."""
    if not points:
        raise ValueError("a route needs at least one point")
    passed = [0.0]
    for a, b in pairwise(points):
        passed.append(passed[-1] + distance_m(a, b))
    took = duration_s if duration_s is not None else passed[-1] / (SPEED_M_PER_S[mode] * pace)
    return Journey(tuple((float(lon), float(lat)) for lon, lat in points), tuple(passed), max(0.0, took))


def at(route: Journey, elapsed_s: float) -> tuple[LonLat, bool]:
    """Where one is `elapsed_s` after setting out, at an even pace, and whether that is the end."""
    if elapsed_s >= route.duration_s or route.duration_s <= 0 or route.length_m <= 0:
        return route.points[-1], True
    gone = max(0.0, elapsed_s) / route.duration_s * route.length_m
    index = min(bisect.bisect_right(route.passed_m, gone), len(route.points) - 1)
    start, end = route.passed_m[index - 1], route.passed_m[index]
    share = (gone - start) / (end - start) if end > start else 0.0
    (lon1, lat1), (lon2, lat2) = route.points[index - 1], route.points[index]
    return (lon1 + (lon2 - lon1) * share, lat1 + (lat2 - lat1) * share), False
