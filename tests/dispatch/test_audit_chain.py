"""The record: an edit, a removal and a reordering are each told, with the place; the database itself refuses all three."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch import audit
from dispatch.errors import StoreFailed
from dispatch.service import Desk
from dispatch.store import read_audit
from dispatch.views import AuditEntry
from tests.dispatch.conftest import Desks
from tests.dispatch.dispatch_kit import NOW_S, OPERATOR, confirmed, responder, sighting

EDITS: list[dict[str, Any]] = [
    {"actor": "kim"},
    {"at_s": NOW_S},
    {"detail": {}},
    {"action": "dismiss"},
    {"role": "commander"},
    {"entity": "i99"},
]


def chain(count: int) -> list[AuditEntry]:
    out: list[AuditEntry] = []
    for seq in range(1, count + 1):
        prev = out[-1].hash if out else audit.GENESIS
        bare = AuditEntry(
            seq, NOW_S + seq / 7, "olga", "operator", "incident.confirm", f"i{seq}", {"n": seq, "名": "值"}, "", prev
        )
        out.append(replace(bare, hash=audit.hash_of(bare)))
    return out


@given(st.integers(1, 12), st.data())
def test_any_single_edit_is_told_with_its_place(count: int, data: st.DataObject) -> None:
    entries = chain(count)
    assert audit.verify(entries, count).verified
    at = data.draw(st.integers(0, count - 1))
    change = data.draw(st.sampled_from(EDITS))
    entries[at] = replace(entries[at], **change)
    verdict = audit.verify(entries, count)
    assert (verdict.verified, verdict.broken_at, verdict.what) == (False, at + 1, "edited")
    assert verdict.en
    assert verdict.zh


@given(st.integers(1, 12), st.data())
def test_any_removal_is_told(count: int, data: st.DataObject) -> None:
    entries = chain(count)
    at = data.draw(st.integers(0, count - 1))
    del entries[at]
    verdict = audit.verify(entries, count)
    assert (verdict.verified, verdict.what) == (False, "removed")
    assert verdict.broken_at == (at + 2 if at < count - 1 else count)


@given(st.integers(2, 12), st.data())
def test_any_reordering_is_told(count: int, data: st.DataObject) -> None:
    entries = chain(count)
    i, j = sorted(data.draw(st.lists(st.integers(0, count - 1), min_size=2, max_size=2, unique=True)))
    entries[i], entries[j] = replace(entries[j], seq=i + 1), replace(entries[i], seq=j + 1)
    verdict = audit.verify(entries, count)
    assert (verdict.verified, verdict.broken_at, verdict.what) == (False, i + 1, "reordered")


def test_a_chain_made_anew_is_told_by_a_hash_noted_elsewhere() -> None:
    noted = {3: chain(5)[2].hash}
    forged: list[AuditEntry] = []
    for entry in chain(5):
        prev = forged[-1].hash if forged else audit.GENESIS
        bare = replace(entry, actor="nobody", prev=prev)
        forged.append(replace(bare, hash=audit.hash_of(bare)))
    assert audit.verify(forged, 5).verified
    assert audit.verify(forged, 5, noted).broken_at == 3


def test_the_database_refuses_edits_and_removals(desk: Desk, tmp_path: Path) -> None:
    confirmed(desk)
    db = sqlite3.connect(tmp_path / "callout.db")
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", "DELETE FROM audit WHERE seq = 1"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    ("statement", "what", "where"),
    [
        ("UPDATE audit SET detail = replace(detail, '0.8', '0.1') WHERE seq = 1", "edited", 1),
        ("UPDATE audit SET detail = 'x' WHERE seq = 2", "edited", 2),
        ("DELETE FROM audit WHERE seq = 2", "removed", 3),
        ("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)", "removed", 4),
        ("UPDATE audit SET seq = -seq; UPDATE audit SET seq = 3 WHERE seq = -2; UPDATE audit SET seq = 2 WHERE seq = -3; "
         "UPDATE audit SET seq = -seq WHERE seq < 0", "reordered", 2),
    ],
)  # fmt: skip
def test_who_has_the_file_and_tampers_is_told(desks: Desks, tmp_path: Path, statement: str, what: str, where: int) -> None:
    desk = desks()
    incident = confirmed(desk)
    desk.act(incident, "note", note="smoke seen", actor=OPERATOR, now_s=NOW_S + 1)
    desk.unit_state("u1", "available", actor=responder("u1"), now_s=NOW_S + 1)
    assert desk.verify_audit().entries == 4
    assert desk.verify_audit().ok
    desk.close()
    db = sqlite3.connect(tmp_path / "callout.db")
    db.executescript(f"DROP TRIGGER audit_is_never_edited; DROP TRIGGER audit_is_never_removed; {statement};")
    db.close()
    verdict = read_audit(tmp_path / "callout.db")
    assert (verdict.verified, verdict.what, verdict.broken_at) == (False, what, where)
    assert str(where) in str(verdict)


def test_the_record_is_checked_beside_a_running_desk_and_a_missing_one_is_named(desk: Desk, tmp_path: Path) -> None:
    confirmed(desk)
    assert read_audit(tmp_path / "callout.db").verified
    with pytest.raises(StoreFailed, match=r"nothing\.db"):
        read_audit(tmp_path / "nothing.db")


def test_who_watched_is_on_the_record(desk: Desk) -> None:
    incident = desk.receive(sighting(), NOW_S).id
    desk.watched(OPERATOR, "cam-1", "wall", None, "sess-1", NOW_S + 1)
    desk.watched(OPERATOR, "cam-1", "clear", incident, "sess-2", NOW_S + 2)
    entries = desk.audit()
    seen = [(e.actor, e.action, e.detail["view"]) for e in entries if e.action == "watched"]
    assert seen == [("olga", "watched", "wall"), ("olga", "watched", "clear")]
    assert [e.action for e in desk.audit(incident)] == ["incident.received", "watched", "incident.triage"]
    assert desk.incident(incident).state == "triage"
