"""Travel times the slow and plain way, to check the router by: no junction graph, no reversed search, no tree of points.

Every OSM node is a node; a unit and the incident are put on the nearest segment by looking at all of them; one forward
Dijkstra with a heap for each unit. It shares with dispatch only the tag rules (dispatch.road_rules), which are its input.
"""

from __future__ import annotations

import heapq
import math
from pathlib import Path
from typing import Any

import numpy as np
import osmium

from dispatch.road_rules import WALK_M_PER_S, speeds, stops_cars

OFF_ROAD_MAX_M = 300.0


class BruteRoutes:
    """One mode's roads. Raises RuntimeError for a file that is not OSM data."""

    def __init__(self, osm: Path, mode: str) -> None:
        self._place: dict[Any, tuple[float, float]] = {}
        self._out: dict[Any, list[tuple[Any, float]]] = {}
        self._segments: list[tuple[Any, Any, float, float]] = []  # from, to, seconds along, seconds against (inf: closed)
        self._read(osm, mode)
        main = self._strong()
        self._segments = [s for s in self._segments if s[0] in main and s[1] in main]
        ends = np.array([[*self._place[a], *self._place[b]] for a, b, _, _ in self._segments])
        self._narrow = math.cos(math.radians(ends[:, 0].mean()))
        self._a = np.stack([ends[:, 1] * self._narrow, ends[:, 0]], axis=1)
        self._b = np.stack([ends[:, 3] * self._narrow, ends[:, 2]], axis=1)

    def _read(self, osm: Path, mode: str) -> None:
        barriers: set[int] = set()
        files: Any = osmium.FileProcessor(str(osm)).with_locations()
        for thing in files:
            if thing.is_node():
                if mode == "car" and "barrier" in thing.tags and stops_cars(dict(thing.tags)):
                    barriers.add(thing.id)
            elif thing.is_way() and "highway" in thing.tags:
                along, against = speeds(dict(thing.tags)).of(mode)
                if along or against:
                    self._way(thing, along, against, barriers)

    def _way(self, way: Any, along: float, against: float, barriers: set[int]) -> None:
        nodes = [(n.ref, n.location) for n in way.nodes]
        for k in range(1, len(nodes)):
            (a, at_a), (b, at_b) = nodes[k - 1], nodes[k]
            if not at_a.valid() or not at_b.valid() or a == b:
                continue
            here: Any = (way.id, k - 1, "after") if a in barriers else a  # nobody passes a barrier: two ends on one spot
            there: Any = (way.id, k, "before") if b in barriers else b
            self._place[here], self._place[there] = (at_a.lat, at_a.lon), (at_b.lat, at_b.lon)
            metres = _metres(self._place[here], self._place[there])
            ahead = metres / along if along else math.inf
            back = metres / against if against else math.inf
            self._segments.append((here, there, ahead, back))
            if along:
                self._out.setdefault(here, []).append((there, ahead))
            if against:
                self._out.setdefault(there, []).append((here, back))

    def _strong(self) -> set[Any]:
        """The largest set of nodes from which each reaches each (Kosaraju)."""
        into: dict[Any, list[Any]] = {}
        for a, ways in self._out.items():
            for b, _ in ways:
                into.setdefault(b, []).append(a)
        order: list[Any] = []
        seen: set[Any] = set()
        for root in self._place:
            stack = [(root, iter(self._out.get(root, ())))] if root not in seen else []
            seen.add(root)
            while stack:
                node, rest = stack[-1]
                for b, _ in rest:
                    if b not in seen:
                        seen.add(b)
                        stack.append((b, iter(self._out.get(b, ()))))
                        break
                else:
                    order.append(node)
                    stack.pop()
        best: set[Any] = set()
        done: set[Any] = set()
        for root in reversed(order):
            if root in done:
                continue
            part, todo = {root}, [root]
            done.add(root)
            while todo:
                for a in into.get(todo.pop(), ()):
                    if a not in done:
                        done.add(a)
                        part.add(a)
                        todo.append(a)
            best = max(best, part, key=len)
        return best

    def _nearest(self, lat: float, lon: float) -> tuple[int, float, float]:
        """(segment, fraction along it, metres to it), by looking at every segment."""
        p = np.array([lon * self._narrow, lat])
        d = self._b - self._a
        t = np.clip(((p - self._a) * d).sum(1) / np.maximum((d * d).sum(1), 1e-18), 0, 1)
        gap = np.hypot(*(self._a + t[:, None] * d - p).T) * 111_194.93
        k = int(gap.argmin())
        return k, float(t[k]), float(gap[k])

    def travel_s(self, start: tuple[float, float], end: tuple[float, float]) -> float:
        """Seconds from start to end (lat, lon); inf where no road leads there."""
        ks, ts, offs = self._nearest(*start)
        ke, te, offe = self._nearest(*end)
        if offs > OFF_ROAD_MAX_M or offe > OFF_ROAD_MAX_M:
            return math.inf
        a, b, ahead, back = self._segments[ks]
        ea, eb, end_ahead, end_back = self._segments[ke]
        best = math.inf
        if ks == ke:
            best = (te - ts) * ahead if te >= ts and math.isfinite(ahead) else best
            best = min(best, (ts - te) * back) if ts >= te and math.isfinite(back) else best
        finish: dict[Any, float] = {}
        for node, part, whole in ((ea, te, end_ahead), (eb, 1 - te, end_back)):
            if math.isfinite(whole):
                finish[node] = min(finish.get(node, math.inf), part * whole)
        queue: list[tuple[float, int, Any]] = []
        for node, part, whole in ((b, 1 - ts, ahead), (a, ts, back)):
            if math.isfinite(whole):
                queue.append((part * whole, len(queue), node))
        heapq.heapify(queue)
        settled: set[Any] = set()
        pushed = len(queue)
        while queue:
            at, _, node = heapq.heappop(queue)
            if at >= best:
                break
            if node in settled:
                continue
            settled.add(node)
            best = min(best, at + finish.get(node, math.inf))
            for other, seconds in self._out.get(node, ()):
                if other not in settled:
                    pushed += 1
                    heapq.heappush(queue, (at + seconds, pushed, other))
        return best + (offs + offe) / WALK_M_PER_S


def _metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    p1, p2 = math.radians(a[0]), math.radians(b[0])
    h = math.sin((p2 - p1) / 2) ** 2 + math.cos(p1) * math.cos(p2) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(h))
