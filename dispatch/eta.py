"""How long a unit needs: turnout + travel. The Router protocol, and the straight-line router that says it is degraded. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dispatch.views import LonLat, RouterName

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MODES = ("foot", "bicycle", "car")
EARTH_M = 6_371_008.8
# Straight-line speeds in m/s with a detour factor already in them: a city's roads are about 1.35 times the straight line.
STRAIGHT_M_PER_S = {"foot": 1.4 / 1.35, "bicycle": 4.2 / 1.35, "car": 8.5 / 1.35}


def distance_m(lat1: Any, lon1: Any, lat2: Any, lon2: Any) -> Any:
    """Great-circle distance in metres (haversine); scalars or arrays of degrees."""
    p1, p2 = np.radians(lat1), np.radians(lat2)
    h = np.sin((p2 - p1) / 2) ** 2 + np.cos(p1) * np.cos(p2) * np.sin(np.radians(np.subtract(lon2, lon1)) / 2) ** 2
    return 2 * EARTH_M * np.arcsin(np.sqrt(np.clip(h, 0, 1)))


@dataclass(frozen=True, slots=True)
class Snaps:
    """Where N points touch the road graph of one mode. `edge` −1: no road within reach.

    `along` is the fraction of the edge's length from its first node, `off_m` the straight way from the point to the road."""

    edge: Ints
    along: Floats
    off_m: Floats


@dataclass(frozen=True, slots=True)
class Leg:
    """A way to the incident: GeoJSON points, and the seconds from the start at which each is passed."""

    line: tuple[LonLat, ...]
    at_s: tuple[float, ...]
    distance_m: float

    @property
    def travel_s(self) -> float:
        return self.at_s[-1] if self.at_s else 0.0


class Reach(Protocol):
    """All ways to one place within a limit, for one mode."""

    @property
    def name(self) -> RouterName: ...

    def travel(self, snaps: Snaps, lat: Floats, lon: Floats) -> Floats:
        """Seconds for N units (`snaps` and places of the same N); inf where there is no way within the limit."""
        ...

    def leg(self, lat: float, lon: float) -> Leg | None:
        """The way of one unit from there; None where there is none within the limit."""
        ...


class Router(Protocol):
    """Roads (dispatch.roads.Roads) or, without a map, GreatCircle. `mode` is foot, bicycle or car."""

    def snap(self, mode: str, lat: Floats, lon: Floats) -> Snaps: ...

    def reach(self, mode: str, lat: float, lon: float, limit_s: float) -> Reach: ...


@dataclass(frozen=True, slots=True)
class StraightReach:
    """The great-circle stand-in for one mode and place: it says of itself that it is degraded."""

    mode: str
    lat: float
    lon: float
    limit_s: float
    name: RouterName = "great_circle_degraded"

    def travel(self, snaps: Snaps, lat: Floats, lon: Floats) -> Floats:
        seconds = np.asarray(distance_m(lat, lon, self.lat, self.lon), dtype=np.float64) / STRAIGHT_M_PER_S[self.mode]
        return np.where(seconds <= self.limit_s, seconds, np.inf)

    def leg(self, lat: float, lon: float) -> Leg | None:
        metres = float(distance_m(lat, lon, self.lat, self.lon))
        seconds = metres / STRAIGHT_M_PER_S[self.mode]
        if not math.isfinite(seconds) or seconds > self.limit_s:
            return None
        return Leg(((lon, lat), (self.lon, self.lat)), (0.0, seconds), metres)


class GreatCircle:
    """The router of a site without a map. Every answer of it is marked `great_circle_degraded`."""

    def snap(self, mode: str, lat: Floats, lon: Floats) -> Snaps:
        n = len(lat)
        return Snaps(np.full(n, -1, np.int64), np.zeros(n), np.zeros(n))

    def reach(self, mode: str, lat: float, lon: float, limit_s: float) -> Reach:
        return StraightReach(mode, lat, lon, limit_s)
