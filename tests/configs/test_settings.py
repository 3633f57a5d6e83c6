"""Settings: what is misspelt or wrong is said with file, line and the nearest thing that is known."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from pathlib import Path
from typing import Any

import pytest

from configs import schema, settings
from configs.errors import ConfigError

GOOD = """
[site]
name = "Here"

[[jurisdiction]]
id = "centre"
name = "Centre"

[[camera]]
id = "gate"
name = "Gate"
url = "rtsp://127.0.0.1:554/x"
position = [60.17, 24.94]
purpose = "Sees whether the gate burns."
jurisdiction = "centre"

[[camera.zones]]
id = "strip"
hazard = "intrusion"
polygon = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]

[[account]]
name = "riku"
role = "responder"

[[unit]]
id = "one"
name = "One"
base = [60.17, 24.95]
account = "riku"
"""


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        settings.parse(text, "site.toml")
    return caught.value


def test_a_good_file_is_read_into_typed_settings() -> None:
    site = settings.parse(GOOD, "site.toml")
    assert site.camera[0].zones[0].polygon[2] == (0.9, 0.9)
    assert site.unit[0].base == (60.17, 24.95)
    assert site.dispatch.offer_timeout_s == 30.0


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('hazard = "intrusion"', 'hazzard = "intrusion"', 19, "did you mean `hazard`"),
        ('hazard = "intrusion"', 'hazard = "intrusoin"', 19, "did you mean `intrusion`"),
        ('hazard = "intrusion"', 'hazard = "loud"', 19, "it may be intrusion"),
        ('role = "responder"', 'role = "operator"', 30, "is not a responder"),
        ('name = "Here"', "nam = 3", 3, "did you mean `name`"),
        ('name = "Here"', "name = 3", 3, "must be a text, not `3`"),
        ("position = [60.17, 24.94]", "position = [60.17]", 13, "must have 2 values, not 1"),
        ("position = [60.17, 24.94]", "position = [0, 0]", 13, "not a place"),
        ('purpose = "Sees whether the gate burns."', 'purpose = " "', 14, "written purpose"),
        ('url = "rtsp://127.0.0.1:554/x"', 'url = "file:///etc/passwd"', 12, "rtsp://"),
        ('jurisdiction = "centre"', 'jurisdiction = "moon"', 15, "no jurisdiction `moon`"),
        ("[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]", "[[0.1, 0.1], [0.9, 1.1], [0.9, 0.9]]", 17, "fractions"),
        ('hazard = "intrusion"', 'hazard = "crowding"', 17, "give `limit`"),
        ('id = "one"', 'id = "One!"', 27, "not usable as id"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    error = refused(GOOD.replace(old, new, 1))
    assert error.where == f"site.toml:{line}", str(error)
    assert words in error.message


def test_text_that_is_not_toml_names_the_line() -> None:
    assert "site.toml" in str(refused("[site\nname=1"))
    assert "line 1" in str(refused("[site\nname=1"))


def test_a_second_camera_of_the_same_name_is_refused_at_its_own_line() -> None:
    twice = GOOD + GOOD[GOOD.index("[[camera]]") : GOOD.index("[[camera.zones]]")]
    error = refused(twice)
    assert "stands twice" in error.message
    assert int(error.where.rsplit(":", 1)[1]) > 30


def test_video_outside_an_incident_is_kept_72_hours_at_the_most() -> None:
    assert "72 hours at the most" in refused("[retention]\noutside_incident_hours = 73\n").message
    assert settings.parse("[retention]\noutside_incident_hours = 72\n", "x").retention.outside_incident_hours == 72


def test_a_missing_file_says_where_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"site\.example\.toml"):
        settings.load(tmp_path / "none.toml")


def test_assets_come_from_the_environment_only_when_named_or_beside(tmp_path: Path) -> None:
    assert settings.environment({"CALLOUT_ASSETS": str(tmp_path)}).assets == tmp_path


def test_the_example_is_valid_and_documents_every_key() -> None:
    path = settings.ROOT / "configs" / "site.example.toml"
    settings.load(path)
    raw = tomllib.loads(path.read_text())

    def missing(kind: type, table: dict[str, Any], where: str) -> list[str]:
        lacking = [f"{where}.{f.name}" for f in dataclasses.fields(kind) if f.name not in table]
        for field in dataclasses.fields(kind):
            hint = typing.get_type_hints(kind)[field.name]
            inner = next((h for h in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(h)), None)
            if inner is not None and field.name in table:
                value = table[field.name]
                lacking += missing(inner, value[0] if isinstance(value, list) else value, f"{where}.{field.name}")
        return lacking

    assert missing(schema.Settings, raw, "") == []


def test_the_example_shows_the_values_that_hold_when_a_key_is_left_out() -> None:
    example = settings.load(settings.ROOT / "configs" / "site.example.toml")
    plain = schema.Settings()
    for name in ("site", "data", "web", "bus", "detector", "streams", "dispatch", "retention"):
        assert getattr(example, name) == getattr(plain, name), name
