"""The manifest: what it may say, and the closed vocabulary that it cannot widen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.errors import BadManifest
from models.manifest import DEFAULT_PATH, load
from models.vocabulary import CLASSES, COCO_80

TEXT = DEFAULT_PATH.read_text(encoding="utf-8")


def changed(tmp_path: Path, old: str, new: str) -> Path:
    assert old in TEXT
    path = tmp_path / "manifest.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_vocabulary_has_the_eighty_and_no_trait_of_a_person() -> None:
    assert len(COCO_80) == len(set(COCO_80)) == 80
    people = {label for label in CLASSES if re.search("face|person|head|age|gender|emotion|plate|man$|woman", label)}
    assert people == {"person", "person-down", "head", "face-for-blurring", "skateboard"} - {"skateboard"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('classes = ["face-for-blurring"]', 'classes = ["face-for-blurring", "age"]', "closed vocabulary.*: age"),
        ('classes = ["face-for-blurring"]', 'classes = ["person"]', "face-for-blurring and nothing else"),
        ('task = "faces"', 'task = "recognition"', "task is 'recognition'; it may be objects, faces"),
        ("nms_iou = 0.5", "nms = 0.5", "nms_iou is missing"),
        ('licence = "MIT"', 'licence = "MIT"\nlicense = "MIT"', "centerface_int8: unknown license"),
        ('sha256 = ["633e', 'sha256 = ["633E', "64-digit"),
        ('name = "centerface_int8"', 'name = "yolox_nano_416"', "given twice: yolox_nano_416"),
        ('https = "https://', 'https = "http://', "https://"),
        ('shipped = "files/nano', 'shipped = "../files/nano', "stay inside"),
        ("default = 0.25", "other = 0.25", "needs a default"),
        ("multiple_px = 32", "", "longest_px and multiple_px"),
        ("[model.decode]", "[model.decode", "Expected"),
    ],
)
def test_a_mistake_is_named_with_its_model_and_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(BadManifest, match=says):
        load(changed(tmp_path, old, new))


def test_people_alarm_above_a_traffic_light_and_are_covered_far_below() -> None:
    scores = load().entry("nanodet_g_416_int8").scores
    assert scores.alarm_for("person") >= 0.48
    assert scores.floor_for("person") <= 0.15
    assert scores.floor_for("car") == dict(scores.floor)["default"]
