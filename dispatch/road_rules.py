"""Which road may be used by whom, how fast and in which direction, from OSM tags. Pure.

Speeds are what a responder makes without blue lights and without traffic data: for cars the posted limit times 0.75 where it
is tagged, else a value by class; https://wiki.openstreetmap.org/wiki/OSM_tags_for_routing is the source of the access rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KMH = 1 / 3.6
WALK_M_PER_S = 1.4
PUSH_M_PER_S = 1.2  # a bicycle that is pushed
STEPS_M_PER_S = 0.7

CAR_KMH = {
    "motorway": 90, "motorway_link": 50, "trunk": 70, "trunk_link": 45, "primary": 40, "primary_link": 35, "secondary": 37,
    "secondary_link": 32, "tertiary": 33, "tertiary_link": 28, "unclassified": 28, "residential": 25, "living_street": 12,
    "service": 15, "road": 20, "track": 10,
}  # fmt: skip
BICYCLE_KMH = {
    "primary": 16, "primary_link": 16, "secondary": 16, "secondary_link": 16, "tertiary": 16, "tertiary_link": 16,
    "unclassified": 16, "residential": 16, "living_street": 12, "service": 13, "road": 14, "track": 11, "cycleway": 17,
    "path": 12, "trunk": 15, "trunk_link": 15,
}  # fmt: skip
FOOT_CLASSES = frozenset(BICYCLE_KMH) | {"footway", "pedestrian", "steps", "corridor", "platform", "bridleway", "elevator"}
FOOT_CLASSES -= {"trunk", "trunk_link"}

NO = frozenset({"no", "private", "agricultural", "forestry", "military", "emergency_only", "delivery_only"})
YES = frozenset({"yes", "designated", "permissive", "official", "destination", "customers", "delivery"})
# A barrier that stops a car unless its tags say otherwise.
CAR_BARRIERS = frozenset(
    [
        "bollard",
        "block",
        "cycle_barrier",
        "kissing_gate",
        "stile",
        "turnstile",
        "jersey_barrier",
        "log",
        "debris",
        "motorcycle_barrier",
        "planter",
    ]
)


@dataclass(frozen=True, slots=True)
class Speeds:
    """Metres a second along the way and against it, by mode; 0 means that it may not be used so."""

    foot: float
    bicycle: tuple[float, float]
    car: tuple[float, float]

    @property
    def any(self) -> bool:
        return self.foot > 0 or any(self.bicycle) or any(self.car)

    def of(self, mode: str) -> tuple[float, float]:
        return (self.foot, self.foot) if mode == "foot" else self.bicycle if mode == "bicycle" else self.car


def speeds(tags: Mapping[str, str]) -> Speeds:
    """What a way with these tags allows. A way without a known `highway` class allows nothing."""
    road = tags.get("highway", "")
    foot = _foot(road, tags)
    return Speeds(foot, _bicycle(road, tags, foot), _car(road, tags))


def stops_cars(tags: Mapping[str, str]) -> bool:
    """Whether a node with these tags lets no car through."""
    if tags.get("barrier", "") not in CAR_BARRIERS:
        return False
    return not _permitted(tags, ("motorcar", "motor_vehicle", "vehicle", "access"), default=False)


def _permitted(tags: Mapping[str, str], keys: tuple[str, ...], *, default: bool) -> bool:
    """The most specific key that says anything decides."""
    for key in keys:
        value = tags.get(key, "")
        if value in NO:
            return False
        if value in YES:
            return True
    return default


def _foot(road: str, tags: Mapping[str, str]) -> float:
    known = road in FOOT_CLASSES or (road in ("trunk", "trunk_link") and tags.get("foot") in YES)
    if not known or not _permitted(tags, ("foot", "access"), default=True):
        return 0.0
    return STEPS_M_PER_S if road == "steps" else WALK_M_PER_S


def _direction(road: str, tags: Mapping[str, str]) -> int:
    """1 along only, −1 against only, 0 both."""
    value = tags.get("oneway", "")
    if value in ("yes", "true", "1"):
        return 1
    if value in ("-1", "reverse"):
        return -1
    if value in ("no", "false", "0"):
        return 0
    return 1 if tags.get("junction") in ("roundabout", "circular") or road in ("motorway", "motorway_link") else 0


def _directed(speed: float, direction: int) -> tuple[float, float]:
    return (speed if direction >= 0 else 0.0, speed if direction <= 0 else 0.0)


def _bicycle(road: str, tags: Mapping[str, str], foot: float) -> tuple[float, float]:
    """Ridden where it may be ridden, pushed where one may walk."""
    pushed = min(foot, PUSH_M_PER_S)
    ridden = 0.0
    says = tags.get("bicycle", "")
    if (
        road in BICYCLE_KMH
        and says not in ("no", "dismount", "use_sidepath")
        and _permitted(tags, ("bicycle", "vehicle", "access"), default=road not in ("trunk", "trunk_link"))
    ):
        ridden = BICYCLE_KMH[road] * KMH
    elif road in ("footway", "pedestrian", "bridleway") and says in YES:
        ridden = 12 * KMH
    direction = _direction(road, tags)
    contraflow = tags.get("oneway:bicycle") == "no" or any(
        tags.get(key, "").startswith("opposite") for key in ("cycleway", "cycleway:left", "cycleway:right")
    )
    along, against = _directed(ridden, 0 if contraflow else direction)
    return (max(along, pushed), max(against, pushed))


def _car(road: str, tags: Mapping[str, str]) -> tuple[float, float]:
    if road not in CAR_KMH or not _permitted(tags, ("motorcar", "motor_vehicle", "vehicle", "access"), default=True):
        return (0.0, 0.0)
    speed = CAR_KMH[road] * KMH
    limit = _limit_m_per_s(tags.get("maxspeed", ""))
    if limit > 0 and road != "service":
        speed = limit * 0.75
    return _directed(speed, _direction(road, tags))


def _limit_m_per_s(value: str) -> float:
    """`50` or `30 mph`; 0 where it is neither."""
    number, _, unit = value.partition(" ")
    try:
        posted = float(number)
    except ValueError:
        return 0.0
    if not 0 < posted < 200:
        return 0.0
    return posted * (1.609344 if unit.strip() == "mph" else 1.0) * KMH
