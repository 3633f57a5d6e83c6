"""Response plans: the shipped file is whole, and whatever is wrong in one is named with its line."""

from __future__ import annotations

import pytest

from configs.errors import ConfigError
from configs.schema import Unit
from dispatch import plan
from vision.sighting import HazardKind

TEXT = plan.DEFAULT.read_text(encoding="utf-8")


def test_every_hazard_has_a_plan_in_both_languages() -> None:
    plans = plan.load()
    assert set(plans.plans) == set(HazardKind)
    for kind in HazardKind:
        found = plans.of(kind)
        assert found.name
        assert found.name_zh
        assert found.name != found.name_zh
        assert found.count >= 1
    assert plans.of("fire").priority == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "fire"', 'kind = "protest"', "unknown hazard kind “protest”"),
        ('skills = ["fire"]', 'skills = ["fier"]', "unknown skill “fier”. Did you mean “fire”?"),
        ("priority = 1", "priority = 9", "priority must be a whole number from 1 to 5"),
        ("count = 2", "count = true", "count must be a whole number"),
        ('tiers = ["professional"]', 'tiers = ["police"]', "unknown tier “police”"),
        ('skills = ["traffic"]', "skills = []", "skills must be a list of at least one of"),
        ('kind = "intrusion"', 'kind = "fire"', "a second plan for “fire”"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, said: str) -> None:
    text = TEXT.replace(old, new)
    with pytest.raises(ConfigError) as error:
        plan.parse(text, "plans.toml")
    assert said in str(error.value)
    where = str(error.value).split(":")
    assert where[0] == "plans.toml"
    line = text.splitlines()[int(where[1]) - 1]
    assert new in line or "[[plan]]" in line


def test_a_misspelt_key_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"plans.toml:\d+: unknown key “tier”. Did you mean “tiers”"):
        plan.parse(TEXT.replace('tiers = ["professional"]', 'tier = ["professional"]'), "plans.toml")


def test_a_kind_without_a_plan_is_refused() -> None:
    cut = TEXT[: TEXT.rindex("[[plan]]")]
    with pytest.raises(ConfigError, match="stopped_vehicle"):
        plan.parse(cut, "plans.toml")


def test_a_unit_with_a_skill_that_nobody_declared_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"u1.*frist_aid.*first_aid"):
        plan.load().check_units([Unit("u1", "U", (0, 0), skills=("frist_aid",))])
