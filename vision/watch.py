"""One camera's watch: its observations through the rules of its zones, and findings made into sightings. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from configs.schema import Camera, Zone
from vision import zones
from vision.detections import Observation
from vision.ground import ASPECT, GroundModel, ground_model
from vision.hazards import RULES, RuleState
from vision.sighting import Evidence, Finding, Ground, HazardKind, Sighting


@dataclass(frozen=True, slots=True)
class WatchState:
    """What all rules of one camera remember: one entry per zone, in the zones' order."""

    rules: tuple[RuleState, ...]


class Watch:
    """The rules of one camera's zones. Holds only what the settings say; `state` goes in and comes out of `step`."""

    def __init__(self, camera: Camera, aspect: float = ASPECT) -> None:
        """`aspect` is the picture's width over its height. Raises BadPolygon or BadCalibration, naming the camera."""
        self.camera = camera
        self.ground = ground_model(camera, aspect)
        for zone in camera.zones:
            zones.check_polygon(zone.polygon, f"camera {camera.id!r}, zone {zone.id!r}")
        self._zones: tuple[tuple[Zone, HazardKind], ...] = tuple((z, HazardKind(z.hazard)) for z in camera.zones)

    @property
    def needs_fire_features(self) -> bool:
        """Whether `vision.fire_features` must be run on this camera's frames (8 a second, gate or no gate)."""
        return any(kind is HazardKind.FIRE for _, kind in self._zones)

    @property
    def needs_detector(self) -> bool:
        return any(kind is not HazardKind.FIRE for _, kind in self._zones)

    def initial(self) -> WatchState:
        return WatchState(tuple(RULES[kind].initial(zone) for zone, kind in self._zones))

    def step(self, state: WatchState, observation: Observation) -> tuple[WatchState, tuple[Finding, ...]]:
        """One observed frame through all rules, at the observation's own time. Findings in the zones' order."""
        after: list[RuleState] = []
        findings: list[Finding] = []
        for (zone, kind), before in zip(self._zones, state.rules, strict=True):
            rule_state, found = RULES[kind].step(before, observation, observation.at_s)
            after.append(rule_state)
            findings.extend(_with_density(f, zone, self.ground) for f in found)
        return WatchState(tuple(after)), tuple(findings)

    def place(self, finding: Finding) -> Ground | None:
        """The finding's ground point; None when only the camera's own position is known (`self.ground.camera_position()`)."""
        return None if finding.foot is None else self.ground.place(finding.foot)


def rule_name(kind: HazardKind) -> str:
    """The rule and its version, for the evidence."""
    return RULES[kind].name


def evidence_of(finding: Finding, model_sha256: str, thumbnail_sha256: str = "") -> Evidence:
    """The finding's figures as evidence. `model_sha256` is the detector's; empty for fire, which uses none."""
    return Evidence(
        model_sha256=model_sha256,
        rule=rule_name(finding.kind),
        thresholds=finding.thresholds,
        measured=finding.measured,
        thumbnail_sha256=thumbnail_sha256,
    )


def sighting_id(finding: Finding, camera: str) -> str:
    """Deterministic: the same camera, kind, zone, beginning and instant (in milliseconds) always give the same id, so that a
    sighting that is sent twice is received once. 32 hex digits.
    """
    parts = (camera, finding.kind.value, finding.zone, f"{finding.began_at_s * 1000:.0f}", f"{finding.at_s * 1000:.0f}")
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def sighting(finding: Finding, camera: str, ground: Ground | None, evidence: Evidence, clip: str = "") -> Sighting:
    """The message that leaves vision. `ground` None says that only the camera's position is known."""
    return Sighting(
        id=sighting_id(finding, camera),
        kind=finding.kind,
        camera=camera,
        zone=finding.zone,
        at_s=finding.at_s,
        began_at_s=finding.began_at_s,
        score=finding.score,
        box=finding.box,
        ground=ground,
        evidence=evidence,
        clip=clip,
    )


def _with_density(finding: Finding, zone: Zone, ground: GroundModel) -> Finding:
    """Crowding on a calibrated camera also says people per square metre: from about 4 on a crowd can become a crush."""
    if finding.kind is not HazardKind.CROWDING:
        return finding
    area_m2 = ground.area_m2(zone.polygon)
    if not area_m2:
        return finding
    people = dict(finding.measured)["people"]
    return replace(finding, measured=(*finding.measured, ("people_per_m2", round(people / area_m2, 3))))
