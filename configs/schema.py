"""The settings, as frozen data. Every key is documented in site.example.toml (tests/configs holds the two together).

Units are in the names: `_s` seconds, `_deg` degrees clockwise from north, `_m` metres. Positions are WGS84 (lat, lon).
Places in a picture are fractions of its width and height, (0, 0) at the top left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Fraction2 = tuple[float, float]
LatLon = tuple[float, float]

ZoneHazard = Literal["intrusion", "crowding", "stopped_vehicle", "fire"]
Role = Literal["operator", "commander", "responder", "auditor", "integrator", "administrator"]
TravelMode = Literal["foot", "bicycle", "car"]
Level = Literal["grid", "community", "sub-district", "district"]


@dataclass(frozen=True, slots=True)
class Site:
    name: str = "Callout"
    name_zh: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    folder: str = "var/site"


@dataclass(frozen=True, slots=True)
class Web:
    host: str = "127.0.0.1"
    port: int = 8080
    public_origins: tuple[str, ...] = ()  # further origins that a browser may come from, behind a proxy
    session_hours: float = 12.0


@dataclass(frozen=True, slots=True)
class Bus:
    url: str = ""  # empty: the embedded Valkey


@dataclass(frozen=True, slots=True)
class Map:
    osm: str = ""  # an OSM extract (.osm.pbf), relative to the settings file
    attribution: str = "© OpenStreetMap contributors (ODbL)"


@dataclass(frozen=True, slots=True)
class Detector:
    model: str = "nanodet_g_416_int8"
    faces: str = "centerface_int8"


@dataclass(frozen=True, slots=True)
class Streams:
    workers: int = 0  # 0: one per core
    infer_per_s: float = 4.0
    still_infer_per_s: float = 1.0  # what the gate may never go below
    pre_roll_s: float = 10.0
    post_roll_s: float = 10.0
    clip_max_s: float = 180.0
    wall_height_px: int = 360


@dataclass(frozen=True, slots=True)
class Dispatch:
    offer_timeout_s: float = 30.0
    merge_quiet_s: float = 120.0  # a sighting joins an incident seen less than this ago
    grant_s: float = 300.0  # life of one clear view
    travel_limit_s: float = 1800.0  # how far out a unit is looked for
    lost_contact_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Retention:
    outside_incident_hours: float = 0.0  # 72 at the most, held in code
    incident_clip_days: float = 30.0


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    id: str
    name: str
    name_zh: str = ""
    level: Level = "community"
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Zone:
    """An area of one camera's picture in which one hazard is looked for."""

    id: str
    hazard: ZoneHazard
    polygon: tuple[Fraction2, ...]
    name: str = ""
    name_zh: str = ""
    dwell_s: float = 1.0  # intrusion, stopped_vehicle, fire: how long it must last
    limit: int = 0  # crowding: more people than this
    sustained_s: float = 3.0  # crowding: how long above the limit


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    picture: Fraction2
    ground: LatLon


@dataclass(frozen=True, slots=True)
class Camera:
    id: str
    name: str
    url: str
    position: LatLon
    purpose: str  # why this camera films; shown to everybody
    name_zh: str = ""
    purpose_zh: str = ""
    heading_deg: float = 0.0
    group: str = "default"
    jurisdiction: str = ""
    calibration: tuple[CalibrationPoint, ...] = ()  # none, or four
    zones: tuple[Zone, ...] = ()
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Unit:
    id: str
    name: str
    base: LatLon
    name_zh: str = ""
    skills: tuple[str, ...] = ()
    mode: TravelMode = "foot"
    tier: Literal["volunteer", "auxiliary", "professional"] = "professional"
    turnout_s: float = 30.0
    jurisdiction: str = ""
    account: str = ""  # the responder who carries this unit's phone


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who works with Callout. Passwords are never in a file: `./callout user password NAME`."""

    name: str
    role: Role
    display: str = ""
    jurisdiction: str = ""
    groups: tuple[str, ...] = ()  # camera groups that this account may see


@dataclass(frozen=True, slots=True)
class Settings:
    site: Site = field(default_factory=Site)
    data: Data = field(default_factory=Data)
    web: Web = field(default_factory=Web)
    bus: Bus = field(default_factory=Bus)
    map: Map = field(default_factory=Map)
    detector: Detector = field(default_factory=Detector)
    streams: Streams = field(default_factory=Streams)
    dispatch: Dispatch = field(default_factory=Dispatch)
    retention: Retention = field(default_factory=Retention)
    jurisdiction: tuple[Jurisdiction, ...] = ()
    camera: tuple[Camera, ...] = ()
    unit: tuple[Unit, ...] = ()
    account: tuple[Account, ...] = ()
