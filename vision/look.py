"""Everything that is made of one camera's frames, in one pure step: tracks, what to cover, findings.

Two rhythms: frames that went through the detector (`see`), and frames looked at only for flicker (`feel`), which fire needs eight
times a second while people and vehicles are looked for less often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2

from configs.schema import Camera
from models.manifest import Scores
from models.vocabulary import HAZARD_CLASSES, PEOPLE, VEHICLES
from vision import fire_features, redact, tracker
from vision.detections import Detection, Observation, Track
from vision.frame import Frame, Image
from vision.letterbox import fit, to_bgr
from vision.sighting import Finding
from vision.watch import Watch, WatchState

FEATURE_SIDE_PX = 426
RELEVANT = PEOPLE | VEHICLES | frozenset(HAZARD_CLASSES)  # what a rule or a viewer can use: not benches, kites and toothbrushes


@dataclass(frozen=True, slots=True, eq=False)
class LookState:
    """What is remembered of one camera. `inferred_at_s` is the capture time of the last frame that the detector saw."""

    tracks: tracker.TrackerState
    cover: redact.CoverState
    watched: WatchState
    burning: WatchState
    features: fire_features.State | None = None
    inferred_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What one frame gave. `tracks` are those seen in this very frame, sure enough to be shown."""

    findings: tuple[Finding, ...]
    tracks: tuple[Track, ...] = ()


class Look:
    """One camera's eyes. Holds only what the settings say; the state goes in and comes out."""

    def __init__(self, camera: Camera, scores: Scores, *, aspect: float) -> None:
        """Raises BadPolygon or BadCalibration, naming the camera."""
        fire = tuple(zone for zone in camera.zones if zone.hazard == "fire")
        others = tuple(zone for zone in camera.zones if zone.hazard != "fire")
        self.watch = Watch(replace(camera, zones=others), aspect)
        self.fire_watch = Watch(replace(camera, zones=fire), aspect)
        self._scores = scores
        self._aspect = aspect

    @property
    def needs_features(self) -> bool:
        return self.fire_watch.needs_fire_features

    def initial(self) -> LookState:
        return LookState(tracker.TrackerState(), redact.CoverState(), self.watch.initial(), self.fire_watch.initial())

    def see(self, state: LookState, frame: Frame, detections: Sequence[Detection]) -> tuple[LookState, Looked]:
        """A frame and what the detector found in it, down to its floors."""
        at_s = frame.captured_at_s
        relevant = [d for d in detections if d.label in RELEVANT]
        tracks_state, tracks = tracker.step(state.tracks, relevant, at_s, scores=self._scores, aspect=self._aspect)
        cover, _ = redact.step(state.cover, detections, at_s, aspect=self._aspect)
        observation = Observation(at_s, tracks, (), frame.width, frame.height)
        watched, findings = self.watch.step(state.watched, observation)
        shown = tuple(t for t in tracks if t.last_seen_s >= at_s and _sure(t) >= self._scores.alarm_for(t.label))
        after = replace(state, tracks=tracks_state, cover=cover, watched=watched, inferred_at_s=at_s)
        return after, Looked(findings, shown)

    def feel(self, state: LookState, frame: Frame) -> tuple[LookState, Looked]:
        """A frame for flicker alone. Does nothing on a camera without a fire zone."""
        if not self.needs_features:
            return state, Looked(())
        at_s = frame.captured_at_s
        tracks = tuple(item.track for item in state.tracks.live)
        features, regions = fire_features.step(state.features, small(frame), at_s, tracks)
        observation = Observation(at_s, tracks, regions, frame.width, frame.height)
        burning, findings = self.fire_watch.step(state.burning, observation)
        return replace(state, features=features, burning=burning), Looked(findings)


def small(frame: Frame) -> Image:
    """The frame at most 426 pixels wide and high, BGR: scaled as planes first, which costs a fraction."""
    box = fit(frame.width, frame.height, min(FEATURE_SIDE_PX, frame.width), min(FEATURE_SIDE_PX, frame.height))
    return to_bgr(frame, box.content_width, box.content_height)


def thumbnail(
    frame: Frame, people: Sequence[Detection], faces: Sequence[Detection], held: redact.CoverState, *, width_px: int = 640
) -> bytes:
    """A JPEG of the frame with everybody covered: who was found in it, and who was lately and may only have flickered out.
    Raises ValueError when it cannot be coded."""
    width = min(width_px, frame.width)
    picture = to_bgr(frame, width, max(1, round(frame.height * width / frame.width)))
    at_s, aspect = frame.captured_at_s, frame.width / frame.height
    _, boxes = redact.step(redact.CoverState(), [*people, *faces], at_s, aspect=aspect)
    redact.cover(picture, (*boxes, *redact.boxes_at(held, at_s, aspect=aspect)))
    done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 82])
    if not done:
        raise ValueError(f"camera {frame.camera}: the thumbnail could not be coded")
    return jpeg.tobytes()


def _sure(track: Track) -> float:
    return track.score if track.newest_score is None else track.newest_score
