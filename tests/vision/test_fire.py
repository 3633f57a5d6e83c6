"""Suspected fire: the rule on described regions, then features and rule together on real footage and on marked composites."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from configs.schema import Zone
from tests.vision import footage
from tests.vision.footage import ASSETS, CAMPUS, Frames, clip, still
from tests.vision.hazard_kit import T0, events, flame, run, seconds
from vision import fire_features
from vision.detections import Observation, Track
from vision.hazards import fire
from vision.sighting import Finding

WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
YARD = Zone("yard", "fire", WHOLE, dwell_s=2.0)

needs_assets = pytest.mark.needs("footage")


def watch(frames: Frames, zone: Zone = YARD, tracks: tuple[Track, ...] = ()) -> tuple[list[Finding], float]:
    """All findings, and the highest smoothed score on the way. Every frame is observed, without any help from a detector."""
    features, state, found, highest = None, fire.initial(zone), [], 0.0
    for t, picture in frames:
        features, regions = fire_features.step(features, picture, T0 + t, tracks)
        state, findings = fire.step(state, Observation(T0 + t, tracks, regions), T0 + t)
        found.extend(findings)
        highest = max([highest, *(s.score for s in state.suspects)])
    return found, highest


def test_a_region_that_behaves_like_flame_is_told_once_and_then_every_five_seconds() -> None:
    found = run(fire, YARD, seconds(16, hz=8), lambda _: [], lambda t: [flame(age_s=t - 2)] if t >= 2 else [])
    assert events(found) == [1]
    assert 4 <= found[0].at_s - T0 <= 5
    assert found[0].began_at_s - T0 == 2
    assert [b.at_s - a.at_s for a, b in pairwise(found)] == [5.0, 5.0]
    assert dict(found[0].measured)["flicker"] == 1.0


@pytest.mark.parametrize(
    "lacks",
    [
        {"flicker": 0.55},  # a person walking past, a vest
        {"glow": 0.03},  # one dye in sun and shade
        {"texture": 0.05},
        {"unison": 0.95},  # a lamp
        {"restless": 0.01},  # a flag
        {"residual": 0.3},  # something that moved, a camera that trembles
        {"colour": 0.05},
    ],
)
def test_no_amount_of_the_rest_makes_up_for_evidence_that_is_missing(lacks: dict[str, float]) -> None:
    assert fire.evidence(flame(**lacks)) == 0
    assert run(fire, YARD, seconds(20, hz=8), lambda _: [], lambda t: [flame(age_s=t, **lacks)]) == []


def test_outside_the_zone_and_explained_by_somebody_is_nothing() -> None:
    left = Zone("left", "fire", ((0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.0, 1.0)))
    assert run(fire, left, seconds(20), lambda _: [], lambda t: [flame(age_s=t)]) == []
    assert run(fire, YARD, seconds(20), lambda _: [], lambda t: [flame(age_s=t, explained=True)]) == []
    assert run(fire, YARD, seconds(20), lambda _: [], lambda _: []) == []


def test_a_fire_hidden_for_a_moment_is_one_event_and_one_put_out_ends() -> None:
    found = run(fire, YARD, seconds(60, hz=8), lambda _: [], lambda t: [flame(age_s=t)] if t < 30 and int(t) % 10 != 9 else [])
    assert events(found) == [1]
    assert found[-1].at_s - T0 <= 36


def test_a_clock_set_back_keeps_the_event() -> None:
    times = [*seconds(10, hz=8), *(t - 3600 for t in seconds(10, 10.125, hz=8))]
    assert events(run(fire, YARD, times, lambda _: [], lambda t: [flame(age_s=t % 3600)])) == [1]


def test_a_computed_flame_before_the_shipped_picture_is_found_and_the_picture_alone_is_not() -> None:
    """Works without any asset: the flame is SYNTHETIC, the background is the shipped clip's first picture."""
    background = still(CAMPUS, 0)
    found, _ = watch(footage.synthetic_fire(background, start_s=4))
    assert events(found) == [1]
    assert 6 <= found[0].at_s - T0 <= 9
    assert found[0].box is not None
    middle = ((found[0].box[0] + found[0].box[2]) / 2 * background.shape[1], (found[0].box[1] + found[0].box[3]) / 2 * 240)
    assert middle == pytest.approx((138, 150), abs=15)
    assert watch(footage.synthetic_fire(background, start_s=99))[0] == []


def test_a_person_or_a_passing_car_explains_a_region_and_a_parked_one_does_not() -> None:
    background = still(CAMPUS, 0)
    width = background.shape[1]
    around = (110 / width, 0.4, 170 / width, 0.8)

    def found_with(label: str, speed: float, score: float = 0.7) -> bool:
        track = Track(1, label, score, around, T0, T0, speed_per_s=speed)
        return bool(watch(footage.synthetic_fire(background), tracks=(track,))[0])

    assert not found_with("person", 0.0)
    assert not found_with("car", 0.1)
    assert found_with("car", 0.0)  # it may be the car that burns
    assert found_with("person", 0.0, score=0.2)  # a faint box explains nothing


@pytest.mark.parametrize("blink_hz", [1.0, 1.5, 3.1])
def test_a_lamp_that_blinks_is_no_fire(blink_hz: float) -> None:
    assert watch(footage.synthetic_lamp(still(CAMPUS, 0), blink_hz=blink_hz))[0] == []


@pytest.mark.parametrize("by_px", [0.5, 1.5, 4.0])
def test_a_trembling_camera_makes_no_fire(by_px: float) -> None:
    assert watch(footage.shaken(still(CAMPUS, 0), by_px=by_px))[0] == []


def test_the_shipped_campus_clip_is_silent() -> None:
    found, highest = watch(clip(CAMPUS, hz=8, height=240))
    assert found == []
    assert highest < fire.ENTER


def test_gaps_new_sizes_and_clocks_break_nothing() -> None:
    rng = np.random.default_rng(1)
    state = None
    for at_s, size in (
        (0, (180, 320)),
        (1, (180, 320)),
        (9, (180, 320)),
        (9.1, (240, 426)),
        (3, (240, 426)),
        (3.2, (7, 9)),
        (3.4, (7, 9)),
    ):
        state, regions = fire_features.step(state, rng.integers(0, 255, (*size, 3), np.uint8), T0 + at_s)
        assert regions == ()
    state, _ = fire_features.step(state, rng.integers(0, 255, (1080, 1920, 3), np.uint8), T0 + 4)
    assert state.luma.shape == (240, 426)


def test_a_step_costs_little() -> None:
    """Bound: 4 ms of CPU a frame at 426×240 in the mean while it burns (measured 3.0 on the development machine)."""
    frames = list(footage.synthetic_fire(still(CAMPUS, 0), start_s=0))
    began = time.thread_time()
    state = None
    for t, picture in frames:
        state, _ = fire_features.step(state, picture, T0 + t)
    per_frame_ms = (time.thread_time() - began) / len(frames) * 1000
    print(f"{per_frame_ms:.2f} ms a frame")
    assert per_frame_ms < 8  # twice the bound: other work runs beside the tests


@needs_assets
@pytest.mark.parametrize(("hz", "height"), [(5, 240), (8, 240), (8, 180), (15, 240)])
def test_the_burning_house_is_found_within_five_seconds(hz: float, height: int) -> None:
    found, _ = watch(clip(ASSETS / "furg_house6.mp4", hz=hz, height=height, until_s=12))
    assert events(found) == [1]
    assert found[0].at_s - T0 <= 5
    assert found[0].box is not None
    x, y = (found[0].box[0] + found[0].box[2]) / 2 * 426, (found[0].box[1] + found[0].box[3]) / 2 * 240
    windows = ((176, 84, 24, 33), (154, 152, 17, 44))  # the clip's own boxes of its first frame
    assert any(left - 5 <= x <= left + w + 5 and top - 5 <= y <= top + h + 5 for left, top, w, h in windows)


@needs_assets
@pytest.mark.parametrize(
    ("name", "loops", "hz"),
    [
        ("vtest.avi", 1, 8),
        ("intel_car-detection.mp4", 1, 8),
        ("intel_one-by-one-person.mp4", 1, 8),
        ("intel_preview_person-bicycle-car-detection.gif", 4, 8),
        ("intel_preview_worker-zone-detection.gif", 4, 5),
        ("intel_preview_worker-zone-detection.gif", 4, 8),
        ("intel_preview_worker-zone-detection.gif", 4, 15),
    ],
)
def test_real_footage_without_fire_is_silent_without_a_detectors_help(name: str, loops: int, hz: float) -> None:
    found, highest = watch(clip(ASSETS / name, hz=hz, height=240, loops=loops, until_s=80))
    print(f"{name} at {hz} Hz: highest score {highest:.2f}")
    assert found == []


def backgrounds() -> list[tuple[str, float]]:
    return [("vtest.avi", 0), ("intel_car-detection.mp4", 0), ("intel_preview_person-bicycle-car-detection.gif", 0)]


@needs_assets
@pytest.mark.parametrize("light", [1.0, 0.15])
@pytest.mark.parametrize("background", backgrounds(), ids=lambda b: Path(b[0]).stem)
def test_composite_fire_that_begins_in_a_still_scene_is_found(background: tuple[str, float], light: float) -> None:
    """COMPOSITE. The fire begins at 6 s at a quarter of its size and grows for 10 s."""
    frames = footage.composite_fire(still(ASSETS / background[0], background[1]), light=light)
    found, _ = watch(footage.compressed(frames))
    assert events(found) == [1]
    assert 6 < found[0].at_s - T0 <= 12.5


@needs_assets
@pytest.mark.parametrize(("swing_hz", "swing_px"), [(0.7, 2), (0.7, 6), (0.7, 15), (1.5, 2), (1.5, 6)])
def test_composite_vest_that_swings_is_no_fire(swing_hz: float, swing_px: float) -> None:
    """COMPOSITE. Known to fail, and said so in the card: 15 px at 1.5 Hz and faster, which no worker does for long."""
    frames = footage.composite_vest(still(ASSETS / "vtest.avi", 0), swing_hz=swing_hz, swing_px=swing_px)
    assert watch(footage.compressed(frames))[0] == []
