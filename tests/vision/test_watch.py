"""One camera's watch: rules of several zones together, sightings and their ids, and the whole chain on real footage."""

from __future__ import annotations

import functools

import pytest

from configs.schema import CalibrationPoint, Camera, Zone
from models import store
from tests.vision.footage import ASSETS, CAMPUS, Frames, clip
from tests.vision.hazard_kit import T0, flame, person
from vision import tracker
from vision.detections import Observation
from vision.detector import Detector
from vision.frame import Frame
from vision.ground import BadCalibration, LocalFrame
from vision.sighting import Finding, HazardKind, Sighting
from vision.watch import Watch, evidence_of, rule_name, sighting, sighting_id
from vision.zones import BadPolygon

WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
STRIP = Zone("strip", "intrusion", WHOLE, dwell_s=1.0)
CROWD = Zone("square", "crowding", WHOLE, limit=0, sustained_s=1.0)
YARD = Zone("yard", "fire", WHOLE, dwell_s=2.0)
POSITION = (60.17125, 24.9442)
PLACE = LocalFrame(*POSITION)
CALIBRATION = tuple(
    CalibrationPoint(picture, PLACE.to_lat_lon(*metres))
    for picture, metres in (
        ((0.05, 0.35), (-15.0, 40.0)),
        ((0.95, 0.35), (15.0, 40.0)),
        ((0.95, 0.95), (4.0, 6.0)),
        ((0.05, 0.95), (-4.0, 6.0)),
    )
)


def camera(*zones: Zone, calibration: tuple[CalibrationPoint, ...] = CALIBRATION) -> Camera:
    return Camera("gate", "Gate", "rtsp://x", POSITION, "test", calibration=calibration, zones=zones)


def watch_people(one: Watch, seconds: int = 3) -> list[Finding]:
    state, found = one.initial(), []
    for i in range(seconds * 4):
        at_s = T0 + i / 4
        fire = (flame(age_s=i / 4),)
        state, findings = one.step(state, Observation(at_s, (person(1, 0.5, 0.8, at_s=at_s),), fire, 768, 576))
        found.extend(findings)
    return found


def test_each_zone_gets_its_own_rule() -> None:
    found = watch_people(Watch(camera(STRIP, CROWD, YARD)), 8)
    assert {(f.kind, f.zone) for f in found} == {
        (HazardKind.INTRUSION, "strip"),
        (HazardKind.CROWDING, "square"),
        (HazardKind.FIRE, "yard"),
    }


def test_what_a_camera_needs_follows_from_its_zones() -> None:
    assert Watch(camera(YARD)).needs_fire_features
    assert not Watch(camera(YARD)).needs_detector
    assert not Watch(camera(STRIP)).needs_fire_features
    assert Watch(camera(STRIP)).needs_detector
    assert watch_people(Watch(camera())) == []


def test_a_finding_becomes_a_sighting_with_a_place_and_goes_through_json() -> None:
    one = Watch(camera(STRIP))
    finding = watch_people(one)[0]
    ground = one.place(finding)
    assert ground is not None
    east, north = PLACE.to_metres((ground.lat, ground.lon))
    assert 6 < north < 40
    assert abs(east) < 1
    told = sighting(finding, "gate", ground, evidence_of(finding, "ab" * 32, "cd" * 32), "clip-1")
    assert Sighting.from_json(told.to_json()) == told
    assert told.evidence.rule == rule_name(HazardKind.INTRUSION) == "intrusion/1"
    assert dict(told.evidence.thresholds)["dwell_s"] == 1.0


def test_a_camera_without_calibration_gives_no_place() -> None:
    one = Watch(camera(STRIP, calibration=()))
    assert one.place(watch_people(one)[0]) is None
    assert one.ground.camera_position().sigma_m == 50


def test_the_same_event_and_instant_have_the_same_id_and_others_do_not() -> None:
    first = watch_people(Watch(camera(STRIP)))[0]
    again = watch_people(Watch(camera(STRIP)))[0]
    assert sighting_id(first, "gate") == sighting_id(again, "gate")
    others = [f for f in watch_people(Watch(camera(STRIP, CROWD)), 12) if f != first]
    ids = {sighting_id(f, "gate") for f in others} | {sighting_id(first, "gate"), sighting_id(first, "door")}
    assert len(ids) == len(others) + 2


def test_crowding_on_a_calibrated_camera_says_people_per_square_metre() -> None:
    square = Zone("square", "crowding", ((0.2, 0.5), (0.8, 0.5), (0.8, 0.9), (0.2, 0.9)), limit=0, sustained_s=1.0)
    finding = watch_people(Watch(camera(square)))[0]
    assert 0 < dict(finding.measured)["people_per_m2"] < 1
    assert "people_per_m2" not in dict(watch_people(Watch(camera(square, calibration=())))[0].measured)


def test_bad_zones_and_calibrations_name_the_camera() -> None:
    with pytest.raises(BadPolygon, match="camera 'gate', zone 'strip'"):
        Watch(camera(Zone("strip", "intrusion", ((0.1, 0.1), (0.2, 0.2)))))
    with pytest.raises(BadCalibration, match="camera 'gate'"):
        Watch(camera(STRIP, calibration=CALIBRATION[:3]))


@functools.cache
def detector() -> Detector:
    found = store.find("nanodet_g_416_int8")
    return Detector(found.entry, found.path)


def end_to_end(frames: Frames, zone: Zone) -> list[Finding]:
    """Decoded pictures through the default detector, the tracker and the zone's rule, as the worker does it."""
    one, tracks, found = Watch(camera(zone)), tracker.TrackerState(), []
    state = one.initial()
    for seq, (t, picture) in enumerate(frames):
        at_s, (height, width) = T0 + t, picture.shape[:2]
        detections = detector().detect(Frame.from_bgr("gate", at_s, seq, picture))
        tracks, seen = tracker.step(tracks, detections, at_s, scores=detector().entry.scores, aspect=width / height)
        state, findings = one.step(state, Observation(at_s, seen, (), width, height))
        found.extend(findings)
    return found


LAWN = ((0.0, 0.14), (0.15, 0.06), (0.4, 0.06), (0.4, 0.23), (0.0, 0.27))
PATH = ((0.54, 0.42), (0.75, 0.4), (1.0, 0.58), (1.0, 0.85), (0.8, 0.72), (0.54, 0.56))


def test_somebody_crosses_the_far_lawn_of_the_shipped_clip() -> None:
    """Seen with the eye: a person comes from behind the building onto the lawn at 8.7 s and leaves it on the left at 17.5 s."""
    found = end_to_end(clip(CAMPUS, hz=4, until_s=20), Zone("lawn", "intrusion", LAWN, dwell_s=1.0))
    assert {f.event for f in found} == {1}
    assert found[0].began_at_s - T0 == pytest.approx(8.8, abs=0.8)
    assert found[0].at_s - T0 <= 8.7 + 2.5


def test_the_path_of_the_shipped_clip_fills() -> None:
    """Seen with the eye: from 1.8 s on more than three people are on the path (with those at the lamp post's right)."""
    found = end_to_end(clip(CAMPUS, hz=4, until_s=8), Zone("path", "crowding", PATH, limit=3, sustained_s=2.0))
    assert {f.event for f in found} == {1}
    assert found[0].at_s - T0 <= 5.5


needs_assets = pytest.mark.needs("footage")


@needs_assets
def test_the_worker_steps_into_the_taped_zone() -> None:
    """Seen with the eye: his feet cross the striped tape between 2.2 and 2.5 s."""
    zone = Zone("tape", "intrusion", ((0.08, 0.62), (0.33, 0.51), (0.52, 0.48), (0.3, 0.95), (0.16, 0.95)), dwell_s=0.5)
    found = end_to_end(clip(ASSETS / "intel_preview_worker-zone-detection.gif", hz=4), zone)
    assert {f.event for f in found} == {1}
    assert 2.0 <= found[0].began_at_s - T0 <= 3.0
    assert found[0].at_s - T0 <= 3.7


@needs_assets
@pytest.mark.parametrize("name", ["intel_car-detection.mp4", "intel_preview_person-bicycle-car-detection.gif"])
def test_cars_that_drive_through_are_not_stopped_vehicles(name: str) -> None:
    zone = Zone("lane", "stopped_vehicle", WHOLE, dwell_s=3.0)
    assert end_to_end(clip(ASSETS / name, hz=4), zone) == []


def stopping_car() -> Frames:
    """COMPOSITE: the car of the person-bicycle-car clip drives to its place at 0.8 s, and then that picture stands for 15 s."""
    last = None
    for t, picture in clip(ASSETS / "intel_preview_person-bicycle-car-detection.gif", hz=12):
        if t > 0.8:
            break
        last = picture
        yield t, picture
    assert last is not None
    for i in range(60):
        yield 1.0 + i / 4, last


@needs_assets
def test_composite_car_that_stops_is_found_after_the_dwell() -> None:
    found = end_to_end(stopping_car(), Zone("lane", "stopped_vehicle", WHOLE, dwell_s=5.0))
    assert {f.event for f in found} == {1}
    assert 5 <= found[0].at_s - T0 <= 8  # it still crept in its first second
