"""From ways to a graph whose nodes are junctions: split, measure, keep the part that one can leave and come back to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from dispatch.eta import Floats, Ints, distance_m


@dataclass(frozen=True, slots=True)
class Way:
    """One road: node ids, their places, and metres a second along and against it."""

    nodes: Sequence[int]
    lat: Sequence[float]
    lon: Sequence[float]
    along: float
    against: float


@dataclass(frozen=True, slots=True)
class Graph:
    """M edges between N junctions for one mode. `ahead_s`/`back_s`: seconds from u to v and from v to u, inf where not allowed.

    Edge i's shape is `lat/lon[offset[i]:offset[i+1]]`, from u to v. Parallel edges and loops are kept."""

    nodes: int
    u: Ints
    v: Ints
    ahead_s: Floats
    back_s: Floats
    length_m: Floats
    offset: Ints
    lat: Floats
    lon: Floats

    @property
    def edges(self) -> int:
        return len(self.u)


def assemble(ways: Iterable[Way], breaks: frozenset[int] = frozenset()) -> tuple[Graph, int]:
    """The graph of the largest strongly connected part, and how many edges were left out.

    `breaks` are nodes that nobody passes (a bollard for cars): roads end there on both sides."""
    ways = list(ways)
    seen: dict[int, int] = {}
    for way in ways:
        for node in way.nodes:
            seen[node] = seen.get(node, 0) + 1
        for end in (way.nodes[0], way.nodes[-1]):
            seen[end] = seen[end] + 1
    index: dict[int, int] = {}
    u: list[int] = []
    v: list[int] = []
    speed: list[tuple[float, float]] = []
    lats: list[Sequence[float]] = []
    lons: list[Sequence[float]] = []
    count = 0

    def number(node: int) -> int:
        nonlocal count
        if node in breaks:
            count += 1
            return count - 1
        if node not in index:
            index[node] = count
            count += 1
        return index[node]

    for way in ways:
        start = 0
        for k in range(1, len(way.nodes)):
            node = way.nodes[k]
            if k < len(way.nodes) - 1 and seen[node] < 2 and node not in breaks:
                continue
            u.append(number(way.nodes[start]))
            v.append(number(node))
            speed.append((way.along, way.against))
            lats.append(way.lat[start : k + 1])
            lons.append(way.lon[start : k + 1])
            start = k
    return _largest(count, _Edges(u, v, speed, lats, lons))


@dataclass(frozen=True, slots=True)
class _Edges:
    u: list[int]
    v: list[int]
    speed: list[tuple[float, float]]
    lats: list[Sequence[float]]
    lons: list[Sequence[float]]


def _largest(count: int, edges: _Edges) -> tuple[Graph, int]:
    u, v, speed, lats, lons = edges.u, edges.v, edges.speed, edges.lats, edges.lons
    if not u:
        return empty(), 0
    us, vs = np.array(u, np.int64), np.array(v, np.int64)
    fast = np.array(speed, np.float64)
    ahead, back = fast[:, 0] > 0, fast[:, 1] > 0
    rows = np.concatenate([us[ahead], vs[back]])
    cols = np.concatenate([vs[ahead], us[back]])
    _, label = connected_components(csr_array((np.ones(len(rows)), (rows, cols)), shape=(count, count)), connection="strong")
    sizes = np.array([len(part) for part in lats], np.int64)
    lat, lon = (
        np.concatenate([np.asarray(p, np.float64) for p in lats]),
        np.concatenate([np.asarray(p, np.float64) for p in lons]),
    )
    length = _lengths(lat, lon, np.concatenate([[0], np.cumsum(sizes)]))
    inside = label[us] == label[vs]
    # The largest by length of road, not by junctions: a ring road has one junction.
    biggest = int(np.bincount(label[us][inside], length[inside], minlength=1).argmax())
    keep = inside & (label[us] == biggest)
    chosen = np.flatnonzero(keep)
    points = np.repeat(keep, sizes)
    lat, lon, length = lat[points], lon[points], length[chosen]
    offset = np.concatenate([[0], np.cumsum(sizes[chosen])]).astype(np.int64)
    real = length > 0.01  # two nodes on one spot make no road
    with np.errstate(divide="ignore"):
        ahead_s, back_s = length / fast[chosen, 0], length / fast[chosen, 1]
    used, flat = np.unique(np.concatenate([us[chosen], vs[chosen]]), return_inverse=True)
    graph = Graph(
        nodes=len(used),
        u=flat[: len(chosen)].astype(np.int64),
        v=flat[len(chosen) :].astype(np.int64),
        ahead_s=np.where(real, ahead_s, np.where(ahead[chosen], 0.001, np.inf)),
        back_s=np.where(real, back_s, np.where(back[chosen], 0.001, np.inf)),
        length_m=length,
        offset=offset,
        lat=lat,
        lon=lon,
    )
    return graph, len(u) - len(chosen)


def _lengths(lat: Floats, lon: Floats, offset: Ints) -> Floats:
    """Metres of each edge's shape."""
    if len(lat) < 2:
        return np.zeros(len(offset) - 1)
    step = np.asarray(distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:]), dtype=np.float64)
    step[offset[1:-1] - 1] = 0.0  # from the end of one edge to the start of the next
    total = np.concatenate([[0.0], np.cumsum(step)])
    return np.asarray(total[offset[1:] - 1] - total[offset[:-1]], dtype=np.float64)


def empty() -> Graph:
    none, zero = np.zeros(0), np.zeros(0, np.int64)
    return Graph(0, zero, zero, none, none, none, np.zeros(1, np.int64), none, none)
