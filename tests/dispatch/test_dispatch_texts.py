"""What the journal says: the codes that phone and console send become words, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

from dispatch import texts

STATIC = Path(__file__).resolve().parents[2] / "web" / "static"


def test_a_reason_code_becomes_words() -> None:
    facts = {"unit_name": "Bike", "unit_name_zh": "自行车", "reason": "too_far"}
    assert texts.journal("assignment.declined", facts) == ("Bike declined. Too far away", "自行车 已拒绝。距离太远")


def test_what_somebody_wrote_stands_as_it_came() -> None:
    facts = {"unit_name": "Bike", "unit_name_zh": "自行车", "reason": "flat tyre"}
    assert texts.journal("assignment.unable", facts)[0] == "Bike cannot continue. flat tyre"


def test_every_reason_that_the_pages_offer_has_words() -> None:
    keys = re.findall(r'"(?:decline|unable|withdraw)\.(\w+)":', (STATIC / "lib" / "i18n.en.js").read_text(encoding="utf-8"))
    assert set(keys) - {"title", "whom", "why"} <= set(texts.WHY)
