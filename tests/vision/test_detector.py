"""The detectors on real pictures, and what they refuse to load."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest

from configs.settings import environment
from models import store
from models.errors import ModelMissing, ModelRefused, WrongHash
from models.manifest import Input, ModelEntry, Output
from vision.association import iou
from vision.detections import Detection
from vision.detector import Detector, DetectorFailed, FaceDetector
from vision.frame import Frame, Planes
from vision.tracker import TrackerState, step

ROOT = Path(__file__).resolve().parents[2]
CAMPUS = ROOT / "configs" / "demo" / "campus.mp4"
ASSETS = environment(os.environ).assets


def frames(path: Path, every: int, most: int) -> Iterator[Frame]:
    with av.open(str(path)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number >= every * most:
                return
            if number % every:
                continue
            raw = picture.reformat(format="yuv420p")
            y, u, v = (
                np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
                for plane in raw.planes
            )
            yield Frame.from_planes("campus", 1000 + float(picture.time or 0), number, Planes(y, u, v))


@pytest.fixture(scope="module")
def detector() -> Detector:
    found = store.find("nanodet_g_416_int8")
    return Detector(found.entry, found.path)


@pytest.fixture(scope="module")
def street() -> Frame:
    return next(frames(CAMPUS, 1, 1))


def sure(found: tuple[Detection, ...], label: str, least: float = 0.48) -> list[Detection]:
    return [d for d in found if d.label == label and d.score >= least]


def test_it_finds_the_people_of_the_demo_clip(detector: Detector, street: Frame) -> None:
    found = detector.detect(street)
    people = sure(found, "person")
    assert 2 <= len(people) <= 8
    for detection in people:
        x1, y1, x2, y2 = detection.box
        assert 0 <= x1 < x2 <= 1
        assert 0 <= y1 < y2 <= 1
        assert 1.2 < (y2 - y1) * street.height / ((x2 - x1) * street.width) < 5
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    assert all(d.score >= detector.entry.scores.floor_for(d.label) for d in found)
    assert any(d.score < 0.48 for d in found if d.label == "person")  # the faint ones come too, for covering


def test_planes_and_bgr_see_the_same(detector: Detector, street: Frame) -> None:
    with av.open(str(CAMPUS)) as container:
        bgr = np.asarray(next(container.decode(video=0)).to_ndarray(format="bgr24"), np.uint8)
    from_planes = sure(detector.detect(street), "person", 0.55)
    from_bgr = sure(detector.detect(Frame.from_bgr("campus", 0, 0, bgr)), "person", 0.45)
    assert from_planes
    for detection in from_planes:
        assert any(iou(detection.box, other.box) > 0.8 for other in from_bgr)


def test_the_same_frame_gives_the_same_answer_from_several_threads(detector: Detector, street: Frame) -> None:
    expected = detector.detect(street)
    with ThreadPoolExecutor(3) as pool:
        assert all(answer == expected for answer in pool.map(detector.detect, [street] * 6))


def test_people_walking_through_the_demo_clip_keep_their_numbers(detector: Detector) -> None:
    state, numbers, seen = TrackerState(), set[int](), 0
    for frame in frames(CAMPUS, 3, 40):  # about 3 a second over 12 s
        state, tracks = step(state, detector.detect(frame), frame.captured_at_s, aspect=frame.width / frame.height)
        people = [t for t in tracks if t.label == "person" and t.last_seen_s == frame.captured_at_s]
        numbers |= {t.id for t in people}
        seen += len(people)
    assert seen > 150
    assert len(numbers) < seen / 10  # a number lasts ten looks or more in the mean


def test_faces_come_as_boxes_to_cover_and_nothing_else(street: Frame) -> None:
    found = store.find("centerface_int8")
    for detection in FaceDetector(found.entry, found.path).detect(street):
        assert detection.label == "face-for-blurring"


def test_a_black_picture_has_nobody(detector: Detector) -> None:
    assert sure(detector.detect(Frame.from_bgr("c", 0, 0, np.zeros((360, 640, 3), np.uint8))), "person") == []


def changed(**changes: Any) -> tuple[ModelEntry, Path]:
    found = store.find("nanodet_g_416_int8")
    return replace(found.entry, **changes), found.path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"classes": ("person", "age", "emotion")}, "vocabulary.*: age, emotion"),
        ({"classes": ("person", "car")}, "80 numbers a box for 2 classes"),
        ({"outputs": (Output("boxes", ("N", 2100, 4)), Output("scores", ("N", 3549, 80)))}, "its output boxes is .*3549.*2100"),
        ({"outputs": (Output("boxes", ("N", 3549, 4)),)}, "its outputs are .*boxes.*scores"),
        ({"input": Input("images", "float32", ("N", 416, 416, 3), "nhwc", "bgr", 0)}, "its input is .*uint8.*float32"),
        ({"input": Input("x", "uint8", ("N", 416, 416, 3), "nhwc", "bgr", 0)}, "its inputs are .*images"),
        ({"task": "faces"}, "it is for faces, not for objects"),
    ],
)
def test_a_model_that_is_not_what_the_manifest_says_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelRefused, match=says):
        Detector(*changed(**changes))


def test_a_detector_of_objects_is_no_detector_of_faces() -> None:
    with pytest.raises(ModelRefused, match="it is for objects, not for faces"):
        FaceDetector(*changed())


def test_another_file_under_the_right_name_is_refused(tmp_path: Path) -> None:
    entry, path = changed()
    other = tmp_path / path.name
    other.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WrongHash, match=entry.sha256[0]):
        Detector(entry, other)
    with pytest.raises(ModelMissing):
        Detector(entry, tmp_path / "absent.onnx")


def test_a_file_that_is_no_model_is_refused_even_with_a_hash(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"not a model")
    entry, _ = changed(sha256=(hashlib.sha256(b"not a model").hexdigest(),))
    with pytest.raises(ModelRefused, match="cannot load it"):
        Detector(entry, path)


def test_numbers_that_are_none_fail_loudly(detector: Detector, street: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def run(self, *_: Any) -> list[Any]:
            return [np.full((1, 3549, 4), np.nan, np.float32), np.full((1, 3549, 80), np.nan, np.float32)]

    monkeypatch.setattr(detector, "_session", Broken())
    with pytest.raises(DetectorFailed, match="nanodet_g_416_int8"):
        detector.detect(street)


@pytest.mark.needs("models/yolox_nano_416.onnx")
def test_the_other_detector_sees_the_same_people(street: Frame, detector: Detector) -> None:
    found = store.find("yolox_nano_416", ASSETS)
    others = sure(Detector(found.entry, found.path).detect(street), "person", 0.3)
    mine = sure(detector.detect(street), "person", 0.7)
    assert mine
    for person in mine:
        assert any(iou(person.box, other.box) > 0.5 for other in others)
