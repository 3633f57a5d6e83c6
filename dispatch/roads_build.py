"""Makes a map folder from an OSM extract: one road graph for each mode, the basemap, and meta.json. The home of pyosmium."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import osmium
from osmium.osm import Area

from dispatch import basemap
from dispatch.eta import MODES
from dispatch.road_graph import Graph, Way, assemble
from dispatch.road_rules import Speeds, speeds, stops_cars

FORMAT = 2  # raised when the files or the rules change: an older folder is then built anew
META = "meta.json"
ATTRIBUTION = "© OpenStreetMap contributors (ODbL)"


class MapError(Exception):
    """The extract or the map folder cannot be used; the message says which file and what to do."""


@dataclass(frozen=True, slots=True)
class Meta:
    """`bounds` [[south, west], [north, east]]; `counts` by mode: nodes, edges, edges left out as unreachable."""

    format: int
    source: str
    source_sha256: str
    attribution: str
    bounds: tuple[tuple[float, float], tuple[float, float]]
    counts: dict[str, dict[str, int]]
    files: dict[str, str]


def build(osm_path: Path, out_folder: Path, attribution: str = ATTRIBUTION) -> Meta:
    """Idempotent: a folder already made from the same bytes is left alone. Atomic: meta.json is replaced last.

    Raises MapError for a file that is missing, empty, not OSM data, cut short, or without any road."""
    digest = _sha256(osm_path)
    try:
        made = read_meta(out_folder)
        same = (made.format, made.source_sha256, made.attribution) == (FORMAT, digest, attribution)
        if same and all((out_folder / name).is_file() for name in made.files.values()):
            return made
    except MapError:
        pass  # nothing there yet, or from another version: build it
    read = _read(osm_path)
    out_folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = {}
    for mode in MODES:
        ways = [Way(road.nodes, road.lat, road.lon, *road.speeds.of(mode)) for road in read.roads if any(road.speeds.of(mode))]
        graph, left_out = assemble(ways, frozenset(read.barriers) if mode == "car" else frozenset())
        counts[mode] = {"nodes": graph.nodes, "edges": graph.edges, "left_out": left_out}
        files[mode] = f"{mode}-{digest[:12]}-{FORMAT}.npz"
        _write(out_folder / files[mode], lambda path, graph=graph: save(path, graph))
    if not any(c["edges"] for c in counts.values()):
        raise MapError(f"{osm_path}: no road in it that can be travelled. Is it an extract of a city, with its ways?")
    files["basemap"] = f"basemap-{digest[:12]}-{FORMAT}.geojson.gz"
    collection = {"type": "FeatureCollection", "attribution": attribution, "features": read.features}
    text = json.dumps(collection, separators=(",", ":"), ensure_ascii=False).encode()
    _write(out_folder / files["basemap"], lambda path: path.write_bytes(gzip.compress(text, 9, mtime=0)))
    south, west, north, east = read.bounds
    meta = Meta(FORMAT, osm_path.name, digest, attribution, ((south, west), (north, east)), counts, files)
    _write(out_folder / META, lambda path: path.write_text(json.dumps(asdict(meta), indent=1), encoding="utf-8"))
    for old in out_folder.iterdir():
        if old.suffix in (".npz", ".gz", ".new") and old.name not in files.values():
            old.unlink(missing_ok=True)
    return meta


def read_meta(folder: Path) -> Meta:
    path = folder / META
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        bounds = raw.pop("bounds")
        return Meta(**raw, bounds=((bounds[0][0], bounds[0][1]), (bounds[1][0], bounds[1][1])))
    except FileNotFoundError:
        raise MapError(f"{folder}: no map has been built here. Run: ./callout map build FILE.osm.pbf") from None
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise MapError(f"{path}: not readable as a map's description ({error}). Build the map again.") from None


def basemap_path(folder: Path) -> Path:
    """The gzipped GeoJSON of the console's background."""
    return folder / read_meta(folder).files["basemap"]


def save(path: Path, graph: Graph) -> None:
    with path.open("wb") as file:
        arrays: dict[str, Any] = {name: np.asarray(getattr(graph, name)) for name in Graph.__slots__}
        np.savez_compressed(file, **arrays)


@dataclass(slots=True)
class _Road:
    nodes: list[int]
    lat: list[float]
    lon: list[float]
    speeds: Speeds


@dataclass(slots=True)
class _Extract:
    roads: list[_Road] = field(default_factory=list)
    barriers: set[int] = field(default_factory=set)
    features: list[basemap.Feature] = field(default_factory=list)
    coast: list[list[tuple[float, float]]] = field(default_factory=list)
    bounds: basemap.Bounds = (0.0, 0.0, 0.0, 0.0)


def _read(path: Path) -> _Extract:
    out = _Extract()
    factory = osmium.geom.GeoJSONFactory()
    try:
        with osmium.io.Reader(str(path), osmium.osm.NOTHING) as reader:
            box = reader.header().box()
            header = (box.bottom_left.lat, box.bottom_left.lon, box.top_right.lat, box.top_right.lon) if box.valid() else None
        things: Any = osmium.FileProcessor(str(path)).with_areas().with_filter(osmium.filter.EmptyTagFilter())
        for thing in things:
            tags = dict(thing.tags)
            if thing.is_node():
                if stops_cars(tags):
                    out.barriers.add(thing.id)
            elif thing.is_way():
                _way(out, thing, tags)
            elif thing.is_area():
                _area(out, thing, tags, factory)
    except (RuntimeError, OSError, ValueError) as error:  # pyosmium's own errors are RuntimeErrors
        raise MapError(f"{path}: not readable as an OSM extract ({error}). Fetch it again; .osm.pbf and .osm are read.") from None
    if not out.roads:
        raise MapError(f"{path}: no road in it that can be travelled. Is it an extract of a city, with its ways?")
    lats = [x for road in out.roads for x in road.lat]
    lons = [x for road in out.roads for x in road.lon]
    out.bounds = header or (min(lats), min(lons), max(lats), max(lons))
    for rings in basemap.sea(out.coast, out.bounds):
        simple = [ring for ring in map(basemap.simplify_ring, rings) if ring]
        if simple:
            out.features.insert(0, basemap.feature("Polygon", simple, "water"))
    return out


def _way(out: _Extract, way: Any, tags: dict[str, str]) -> None:
    """The parts of a way whose nodes are in the extract: a cut extract has ways that leave it."""
    rule = speeds(tags)
    layer, class_ = basemap.line_layer(tags)
    coast = tags.get("natural") == "coastline"
    if not (rule.any or layer or coast):
        return
    for part in _parts(way):
        nodes, lat, lon = [p[0] for p in part], [p[1] for p in part], [p[2] for p in part]
        points = list(zip(lon, lat, strict=True))
        if coast:
            out.coast.append(points)
        if rule.any:
            out.roads.append(_Road(nodes, lat, lon, rule))
        if layer:
            line = basemap.simplify(points)
            out.features.append(basemap.feature("LineString", line, layer, class_, tags.get("name", "")))


def _parts(way: Any) -> list[list[tuple[int, float, float]]]:
    parts: list[list[tuple[int, float, float]]] = [[]]
    for node in way.nodes:
        if node.location.valid():
            if not parts[-1] or parts[-1][-1][0] != node.ref:
                parts[-1].append((node.ref, node.location.lat, node.location.lon))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if len(part) > 1]


def _area(out: _Extract, area: Area, tags: dict[str, str], factory: Any) -> None:
    layer = basemap.area_layer(tags)
    if not layer:
        return
    try:
        shape = json.loads(factory.create_multipolygon(area))["coordinates"]
    except RuntimeError:
        return  # a relation whose rings do not close, as cut extracts have them: one patch of colour less
    polygons = [
        [ring for ring in (basemap.simplify_ring([(p[0], p[1]) for p in ring]) for ring in rings) if ring] for rings in shape
    ]
    polygons = [rings for rings in polygons if rings]
    if polygons:
        out.features.append(basemap.feature("MultiPolygon", polygons, layer, name=tags.get("name", "")))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                raise MapError(f"{path}: the file is empty. Fetch the extract again.")
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise MapError(f"{path}: no such file. An extract of your city comes from any OpenStreetMap extract service.") from None
    except OSError as error:
        raise MapError(f"{path}: cannot be read ({error}).") from None


def _write(path: Path, put: Any) -> None:
    """Whole or not at all."""
    new = path.with_name(path.name + ".new")
    try:
        put(new)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise MapError(f"{path}: could not be written ({error}).") from None
