"""A Sighting: the only thing that leaves vision. Small, frozen, no pixels, no identity."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from vision.detections import Box


class HazardKind(StrEnum):
    """The closed list of what a camera may raise. It is code, so that no configuration can add to it (SCOPE)."""

    INTRUSION = "intrusion"
    CROWDING = "crowding"
    STOPPED_VEHICLE = "stopped_vehicle"
    FIRE = "fire"


@dataclass(frozen=True, slots=True)
class Ground:
    """A place on the map with its uncertainty: one standard deviation in metres."""

    lat: float
    lon: float
    sigma_m: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why the rule fired: enough to check it later, nothing about who was there."""

    model_sha256: str
    rule: str
    thresholds: tuple[tuple[str, float], ...] = ()
    measured: tuple[tuple[str, float], ...] = ()
    thumbnail_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a hazard rule returns from a step. `began_at_s` is when the event began, `at_s` when it was last seen.

    `event` numbers the events of one rule in one zone; repeated findings of one event carry the same number.
    """

    kind: HazardKind
    zone: str
    event: int
    began_at_s: float
    at_s: float
    score: float
    box: Box | None
    foot: tuple[float, float] | None
    measured: tuple[tuple[str, float], ...] = ()
    thresholds: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A finding with its camera, place and evidence. `id` is the idempotency key: the same event and instant, the same id."""

    id: str
    kind: HazardKind
    camera: str
    zone: str
    at_s: float
    began_at_s: float
    score: float
    box: Box | None
    ground: Ground | None
    evidence: Evidence
    clip: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Sighting:
        """Raises ValueError with the field's name when the message is not a sighting of this version."""
        try:
            raw: dict[str, Any] = json.loads(text)
            evidence = dict(raw.pop("evidence"))
            evidence["thresholds"] = tuple((str(k), float(v)) for k, v in evidence.get("thresholds", ()))
            evidence["measured"] = tuple((str(k), float(v)) for k, v in evidence.get("measured", ()))
            ground, box = raw.pop("ground"), raw.pop("box")
            kind = HazardKind(raw.pop("kind"))
            return cls(
                kind=kind,
                box=None if box is None else (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                ground=None if ground is None else Ground(**ground),
                evidence=Evidence(**evidence),
                **raw,
            )
        except (KeyError, TypeError, IndexError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a sighting: {error}") from error
