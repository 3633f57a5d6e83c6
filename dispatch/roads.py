"""Routing on the road graphs of a map folder: snap to edges, one bounded reverse Dijkstra, ETA for all units at once.

From the incident outwards on reversed edges (Dijkstra 1959, scipy's csgraph): one search answers for every unit.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from dispatch.eta import MODES, Floats, Ints, Leg, Reach, Snaps, StraightReach
from dispatch.road_graph import Graph
from dispatch.road_rules import WALK_M_PER_S
from dispatch.roads_build import META, MapError, Meta, basemap_path, build, read_meta
from dispatch.views import LonLat, RouterName

__all__ = ["META", "MapError", "Meta", "Roads", "basemap_path", "build", "load_graph", "read_meta"]

OFF_ROAD_MAX_M = 300.0  # farther from a road than this, the road network has no answer
_SAMPLE_M = 25.0
_M_PER_DEG = 111_194.93
_FREE = 1e-6  # a weight of no time that is still an edge


class Roads:
    """The router of a site with a map (the `Router` protocol). Immutable after `load`: any thread may ask."""

    def __init__(self, meta: Meta, graphs: dict[str, Graph]) -> None:
        self.meta = meta
        self._networks = {mode: _Network(graph) for mode, graph in graphs.items()}

    @classmethod
    def load(cls, folder: Path) -> Roads:
        """Raises MapError when the folder holds no map, or a damaged one."""
        meta = read_meta(folder)
        return cls(meta, {mode: load_graph(folder, meta, mode) for mode in MODES})

    def snap(self, mode: str, lat: Floats, lon: Floats) -> Snaps:
        """The nearest point on any edge of the mode for each of N places; edge −1 beyond OFF_ROAD_MAX_M."""
        return self._networks[mode].snap(np.asarray(lat, np.float64), np.asarray(lon, np.float64))

    def reach(self, mode: str, lat: float, lon: float, limit_s: float) -> Reach:
        """All ways to the place within `limit_s`. In water or off the map: the straight line, which says that it is degraded."""
        network = self._networks[mode]
        target = network.snap(np.array([lat]), np.array([lon]))
        if target.edge[0] < 0:
            return StraightReach(mode, lat, lon, limit_s)
        return RoadReach(network, target, lat, lon, limit_s)

    def leg(self, mode: str, start: tuple[float, float], end: tuple[float, float], limit_s: float = 7200.0) -> Leg | None:
        """The way from start to end (lat, lon), with the time at each of its points. For simulated responders, too."""
        return self.reach(mode, end[0], end[1], limit_s).leg(start[0], start[1])


class RoadReach:
    """The tree of shortest times to one place. `travel` and `leg` agree to the millisecond."""

    name: RouterName = "osm"

    def __init__(self, network: _Network, target: Snaps, lat: float, lon: float, limit_s: float) -> None:
        self._network, self._lat, self._lon, self._limit_s = network, lat, lon, limit_s
        self._edge, self._along = int(target.edge[0]), float(target.along[0])
        self._walk_s = float(target.off_m[0]) / WALK_M_PER_S
        self._dist, self._next = network.search(self._edge, self._along, limit_s)

    def travel(self, snaps: Snaps, lat: Floats, lon: Floats) -> Floats:
        """Seconds for N units; inf where no road leads here within the limit."""
        return self._choose(snaps)[0]

    def _choose(self, snaps: Snaps) -> tuple[Floats, NDArray[np.int8]]:
        """Seconds, and by which end of its edge each unit leaves: 0 at v, 1 at u, 2 straight along, 3 straight against."""
        g = self._network.graph
        e, f = snaps.edge, snaps.along
        ahead, back = g.ahead_s[e], g.back_s[e]
        with np.errstate(invalid="ignore"):
            ways = np.stack([
                (1 - f) * ahead + self._dist[g.v[e]],
                f * back + self._dist[g.u[e]],
                np.where((e == self._edge) & (f <= self._along), (self._along - f) * ahead, np.inf),
                np.where((e == self._edge) & (f >= self._along), (f - self._along) * back, np.inf),
            ])  # fmt: skip
        ways = np.where(np.isnan(ways), np.inf, ways)  # 0 × inf: at the end of an edge that is closed that way
        choice = np.argmin(ways, axis=0).astype(np.int8)
        seconds = ways.min(axis=0) + snaps.off_m / WALK_M_PER_S + self._walk_s
        return np.where((snaps.edge >= 0) & (seconds <= self._limit_s), seconds, np.inf), choice

    def leg(self, lat: float, lon: float) -> Leg | None:
        """The way of one unit from where it stands; None when there is none within the limit."""
        net, g = self._network, self._network.graph
        start = net.snap(np.array([lat]), np.array([lon]))
        seconds, choice = self._choose(start)
        if not np.isfinite(seconds[0]):
            return None
        edge, along, how = int(start.edge[0]), float(start.along[0]), int(choice[0])
        trail = _Trail((lon, lat))
        trail.go(net.point(edge, along), float(start.off_m[0]) / WALK_M_PER_S)
        if how >= 2:
            net.follow(trail, edge, along, self._along)
        else:
            net.follow(trail, edge, along, 1.0 if how == 0 else 0.0)
            here = int(g.v[edge] if how == 0 else g.u[edge])
            while self._next[here] != g.nodes:
                ahead = int(self._next[here])
                best, forward = net.edge_between(here, ahead)
                net.follow(trail, best, 0.0 if forward else 1.0, 1.0 if forward else 0.0)
                here = ahead
            at_u = here == g.u[self._edge] and (
                here != g.v[self._edge] or self._along * g.ahead_s[self._edge] <= (1 - self._along) * g.back_s[self._edge]
            )
            net.follow(trail, self._edge, 0.0 if at_u else 1.0, self._along)
        trail.go((self._lon, self._lat), self._walk_s)
        return trail.leg()


class _Trail:
    """A way under construction: points, times, metres."""

    def __init__(self, start: LonLat) -> None:
        self._line, self._at_s, self._metres = [start], [0.0], 0.0

    def go(self, point: LonLat, seconds: float) -> None:
        (lon1, lat1), (lon2, lat2) = self._line[-1], point
        metres = float(np.hypot((lon2 - lon1) * np.cos(np.radians(lat1)), lat2 - lat1)) * _M_PER_DEG
        if metres < 0.01 and seconds < 0.001:
            return
        self._line.append(point)
        self._at_s.append(self._at_s[-1] + seconds)
        self._metres += metres

    def leg(self) -> Leg:
        line = tuple((round(lon, 6), round(lat, 6)) for lon, lat in self._line)
        return Leg(line, tuple(round(s, 3) for s in self._at_s), self._metres)


class _Network:
    """One mode's graph, made ready: the reversed matrix with a place for the target, and a tree of points on its edges."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        if not graph.edges:
            return
        self._lat0 = float(graph.lat.mean())
        self._lon0 = float(graph.lon.mean())
        self._narrow = float(np.cos(np.radians(self._lat0)))
        self._shape()
        self._matrix()

    def _plane(self, lat: Floats, lon: Floats) -> Floats:
        return np.stack([(lon - self._lon0) * self._narrow * _M_PER_DEG, (lat - self._lat0) * _M_PER_DEG], axis=-1)

    def _shape(self) -> None:
        g = self.graph
        xy = self._plane(g.lat, g.lon)
        owner = np.repeat(np.arange(g.edges), np.diff(g.offset))
        first = np.flatnonzero(owner[:-1] == owner[1:])  # points that begin a piece of an edge
        self._a, self._b, self._of = xy[first], xy[first + 1], owner[first]
        self._long = np.hypot(*(self._b - self._a).T)
        total = np.concatenate([[0.0], np.cumsum(self._long)])
        piece_of_edge = np.searchsorted(self._of, np.arange(g.edges))
        self._before = total[:-1] - total[piece_of_edge[self._of]]
        self._size = np.maximum(total[np.append(piece_of_edge[1:], len(first))] - total[piece_of_edge], 1e-9)
        samples = np.maximum(np.ceil(self._long / _SAMPLE_M).astype(np.int64), 1)
        self._sample_of = np.repeat(np.arange(len(first)), samples)
        rank = np.arange(len(self._sample_of)) - np.repeat(np.cumsum(samples) - samples, samples)
        t = ((rank + 0.5) / samples[self._sample_of])[:, None]
        self._tree = cKDTree(self._a[self._sample_of] * (1 - t) + self._b[self._sample_of] * t)
        self._half_m = float((self._long / samples).max()) / 2

    def _matrix(self) -> None:
        """Reversed edges in rows by their end, the quickest of parallel ones; row N is the target's, two places long."""
        g = self.graph
        tail = np.concatenate([g.u, g.v])
        head = np.concatenate([g.v, g.u])
        weight = np.concatenate([g.ahead_s, g.back_s])
        edge = np.concatenate([np.arange(g.edges), np.arange(g.edges)])
        forward = np.concatenate([np.ones(g.edges, bool), np.zeros(g.edges, bool)])
        open_ = np.flatnonzero(np.isfinite(weight) & (tail != head))
        order = open_[np.lexsort((weight[open_], tail[open_], head[open_]))]
        first = np.ones(len(order), bool)
        first[1:] = (tail[order][1:] != tail[order][:-1]) | (head[order][1:] != head[order][:-1])
        order = order[first]
        self._edge_of, self._forward = edge[order], forward[order]
        counts = np.bincount(head[order], minlength=g.nodes)
        self._indptr = np.concatenate([[0], np.cumsum(counts), [len(order) + 2]]).astype(np.int32)
        self._indices = np.concatenate([tail[order], [g.nodes, g.nodes]]).astype(np.int32)
        self._data = np.concatenate([np.maximum(weight[order], _FREE), [_FREE, _FREE]])

    def search(self, edge: int, along: float, limit_s: float) -> tuple[Floats, NDArray[np.int32]]:
        """(seconds to the target, next node on the way to it) for each node; the target itself is number N."""
        g = self.graph
        indices, data = self._indices.copy(), self._data.copy()
        u, v = int(g.u[edge]), int(g.v[edge])
        to_u = along * g.ahead_s[edge] if np.isfinite(g.ahead_s[edge]) else np.inf
        to_v = (1 - along) * g.back_s[edge] if np.isfinite(g.back_s[edge]) else np.inf
        if u == v:
            to_u, to_v = min(to_u, to_v), np.inf
        for slot, node, weight in ((-2, u, to_u), (-1, v, to_v)):
            if np.isfinite(weight):
                indices[slot], data[slot] = node, max(weight, _FREE)
        matrix = csr_array((data, indices, self._indptr), shape=(g.nodes + 1, g.nodes + 1))
        source = np.array([g.nodes])
        dist, before = dijkstra(matrix, directed=True, indices=source, limit=limit_s, return_predecessors=True)
        return dist[0], before[0]

    def edge_between(self, tail: int, head: int) -> tuple[int, bool]:
        """The quickest edge from one node to its neighbour, and whether it is travelled from u to v."""
        row = slice(self._indptr[head], self._indptr[head + 1])
        k = int(self._indptr[head] + np.flatnonzero(self._indices[row] == tail)[0])
        return int(self._edge_of[k]), bool(self._forward[k])

    def snap(self, lat: Floats, lon: Floats) -> Snaps:
        n = len(lat)
        out = Snaps(np.full(n, -1, np.int64), np.zeros(n), np.full(n, np.inf))
        finite = np.flatnonzero(np.isfinite(lat) & np.isfinite(lon))
        if not self.graph.edges or not len(finite):
            return out
        points = self._plane(lat[finite], lon[finite])
        k = min(8, len(self._sample_of))
        far, near = self._tree.query(points, k=k, distance_upper_bound=OFF_ROAD_MAX_M + self._half_m)
        far, near = np.reshape(far, (len(points), k)), np.reshape(near, (len(points), k))
        piece, t, off = self._project(points, np.where(np.isfinite(far), near, 0), np.isfinite(far))
        # A piece whose nearest sample is not among the k could still come closer than the best found: look again there.
        for i in np.flatnonzero(np.isfinite(off) & np.isfinite(far[:, -1]) & (far[:, -1] < off + self._half_m)):
            around = np.array(self._tree.query_ball_point(points[i], off[i] + self._half_m), np.int64)[None, :]
            if around.size:
                found = self._project(points[i : i + 1], around, np.ones(around.shape, bool))
                if found[2][0] < off[i]:
                    piece[i], t[i], off[i] = found[0][0], found[1][0], found[2][0]
        hit = off <= OFF_ROAD_MAX_M
        chosen, where = piece[hit], finite[hit]
        out.edge[where] = self._of[chosen]
        along = (self._before[chosen] + t[hit] * self._long[chosen]) / self._size[self._of[chosen]]
        out.along[where] = np.clip(along, 0.0, 1.0)
        out.off_m[where] = off[hit]
        return out

    def _project(self, points: Floats, samples: Ints, real: NDArray[np.bool_]) -> tuple[Ints, Floats, Floats]:
        """For each point, among its candidate samples' pieces: the piece, the fraction along it, and the metres to it."""
        pieces = self._sample_of[samples]
        a, d = self._a[pieces], self._b[pieces] - self._a[pieces]
        square = np.maximum((d**2).sum(-1), 1e-12)
        t = np.clip(((points[:, None, :] - a) * d).sum(-1) / square, 0.0, 1.0)
        gap = np.where(real, np.hypot(*np.moveaxis(a + t[..., None] * d - points[:, None, :], -1, 0)), np.inf)
        best = gap.argmin(axis=1)
        rows = np.arange(len(points))
        return pieces[rows, best], t[rows, best], gap[rows, best]

    def point(self, edge: int, along: float) -> LonLat:
        lon, lat, _ = self._part(edge, along, along)
        return (float(lon[0]), float(lat[0]))

    def follow(self, trail: _Trail, edge: int, start: float, end: float) -> None:
        """Adds the part of an edge between two fractions of it, in the direction of travel."""
        whole_s = float(self.graph.ahead_s[edge] if end >= start else self.graph.back_s[edge])
        lon, lat, at = self._part(edge, start, end)
        for k in range(1, len(at)):
            trail.go((float(lon[k]), float(lat[k])), abs(float(at[k] - at[k - 1])) * whole_s)

    def _part(self, edge: int, start: float, end: float) -> tuple[Floats, Floats, Floats]:
        g = self.graph
        rows = slice(g.offset[edge], g.offset[edge + 1])
        lon, lat = g.lon[rows], g.lat[rows]
        first = int(np.searchsorted(self._of, edge))
        at = np.append(self._before[first : first + len(lon) - 1], self._size[edge]) / self._size[edge]
        low, high = min(start, end), max(start, end)
        inner = np.flatnonzero((at > low) & (at < high))
        stops = np.concatenate([[low], at[inner], [high]])
        lons, lats = np.interp(stops, at, lon), np.interp(stops, at, lat)
        return (lons, lats, stops) if end >= start else (lons[::-1], lats[::-1], stops[::-1])


def load_graph(folder: Path, meta: Meta, mode: str) -> Graph:
    """One mode's graph of a map folder. Raises MapError when it is damaged or missing."""
    path = folder / meta.files.get(mode, f"{mode}.npz")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            fields: dict[str, Any] = {name: arrays[name] for name in Graph.__slots__}
            graph = Graph(**(fields | {"nodes": int(fields["nodes"])}))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise MapError(f"{path}: damaged or missing ({error}). Build the map again: ./callout map build FILE.osm.pbf") from None
    return graph
