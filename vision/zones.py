"""Zones: polygons in fractions of the picture, and what lies inside them. Pure; no numpy, a zone has a handful of corners."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from vision.detections import Box

Point = tuple[float, float]
Polygon = Sequence[Point]

MIN_AREA = 1e-4  # of the picture: one hundredth of its width by one hundredth of its height


class BadPolygon(ValueError):
    """A zone's polygon cannot be used; the text says which corner and why."""


def polygon_fault(polygon: Polygon) -> str | None:
    """What is wrong with a polygon, in one sentence for the person who wrote it; None when it is sound.

    Corners are (x, y) fractions, (0, 0) top left. The last corner must not repeat the first.
    """
    if len(polygon) < 3:
        return f"needs at least 3 corners, has {len(polygon)}"
    for i, (x, y) in enumerate(polygon, 1):
        if not (math.isfinite(x) and math.isfinite(y) and 0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
            return f"corner {i} ({x:g}, {y:g}) lies outside the picture: fractions run from 0 to 1 of its width and height"
    n = len(polygon)
    for i in range(n):
        if math.dist(polygon[i], polygon[(i + 1) % n]) < 1e-6:
            return f"corners {i + 1} and {(i + 1) % n + 1} are the same point"
    for i in range(n):
        for j in range(i + 1, n):
            beside = j == i + 1 or (i == 0 and j == n - 1)
            if not beside and _cross(polygon[i], polygon[i + 1], polygon[j], polygon[(j + 1) % n]):
                return (
                    f"crosses itself: the edge from corner {i + 1} to {i + 2} meets the edge from corner {j + 1} "
                    f"to {(j + 1) % n + 1}; list the corners in order around the zone"
                )
    if area(polygon) < MIN_AREA:
        return f"is too thin: it covers {area(polygon):.6f} of the picture, at least {MIN_AREA:g} is needed"
    return None


def check_polygon(polygon: Polygon, where: str) -> None:
    """Raise BadPolygon, with `where` (camera and zone) in front, when the polygon cannot be used."""
    fault = polygon_fault(polygon)
    if fault:
        raise BadPolygon(f"{where}: the polygon {fault}")


def area(polygon: Polygon) -> float:
    """Area as a fraction of the picture (shoelace formula)."""
    closed = [*polygon, polygon[0]] if polygon else []
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(closed))) / 2


def contains(polygon: Polygon, point: Point) -> bool:
    """Is the point inside? By counting the edges that a ray to the right crosses (even-odd rule)."""
    x, y = point
    inside = False
    x1, y1 = polygon[-1]
    for x2, y2 in polygon:
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
        x1, y1 = x2, y2
    return inside


def distance(polygon: Polygon, point: Point) -> float:
    """Distance from the point to the zone in fractions of the picture; 0 inside."""
    if contains(polygon, point):
        return 0.0
    n = len(polygon)
    return min(_to_segment(point, polygon[i], polygon[(i + 1) % n]) for i in range(n))


def overlap(polygon: Polygon, box: Box) -> float:
    """Share of the box that lies in the zone, 0..1 (Sutherland–Hodgman: the polygon clipped by the box's four sides)."""
    x1, y1, x2, y2 = box
    size = (x2 - x1) * (y2 - y1)
    if x2 <= x1 or y2 <= y1 or size <= 0:
        return 0.0
    clipped: list[Point] = list(polygon)
    for axis, limit, sign in ((0, x1, 1.0), (0, x2, -1.0), (1, y1, 1.0), (1, y2, -1.0)):
        clipped = _clip(clipped, axis, limit, sign)
        if len(clipped) < 3:
            return 0.0
    return min(1.0, area(clipped) / size)


def _clip(points: list[Point], axis: int, limit: float, sign: float) -> list[Point]:
    kept: list[Point] = []
    for i, b in enumerate(points):
        a = points[i - 1]
        in_a, in_b = sign * (a[axis] - limit) >= 0, sign * (b[axis] - limit) >= 0
        if in_a != in_b:
            t = (limit - a[axis]) / (b[axis] - a[axis])
            kept.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
        if in_b:
            kept.append(b)
    return kept


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Do the segments ab and cd meet? Touching counts: a corner on another edge makes two zones of one."""
    if _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0:
        return True
    return any(_to_segment(p, q, r) < 1e-9 for p, q, r in ((a, c, d), (b, c, d), (c, a, b), (d, a, b)))


def _to_segment(p: Point, a: Point, b: Point) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    length2 = dx * dx + dy * dy
    t = 0.0 if length2 == 0 else max(0.0, min(1.0, ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length2))
    return math.hypot(p[0] - a[0] - t * dx, p[1] - a[1] - t * dy)
