"""The store under a full disk, a kill -9 at any point, damage, and versions of its schema."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from configs.settings import ROOT
from dispatch.assignment import Assignment
from dispatch.errors import StoreFailed, Taken
from dispatch.event import Event
from dispatch.store import Store
from dispatch.views import SYSTEM
from tests.dispatch.conftest import Desks
from tests.dispatch.dispatch_kit import COMMANDER, NOW_S, confirmed, on_duty, open_desk, sighting

BUSY = """
    import sys, itertools
    from pathlib import Path
    from tests.dispatch.dispatch_kit import *
    desk = open_desk(Path(sys.argv[1]), settings(4, offer_timeout_s=5.0))
    start = len(desk.incidents("all", limit=100000))
    on_duty(desk, NOW_S + start * 10)
    print("ready", flush=True)
    for n in itertools.count(start * 10 + 1):
        now_s = NOW_S + n
        desk.position("u1", 60.17, 24.94, 5.0, None, now_s)
        for unit in desk.units():
            held = desk.mine(unit.id).assignment
            if held is not None:
                action = {"accepted": "en_route", "en_route": "on_scene", "on_scene": "clear"}
                action["offered"] = ("accept", "decline")[n % 2]
                if held.answer_by_s > now_s or held.state != "offered":
                    desk.answer(held.id, action[held.state], actor=responder(unit.id), now_s=now_s)
            elif n % 5 == 0:
                desk.unit_state(unit.id, "available", actor=responder(unit.id), now_s=now_s)
        shown = desk.receive(sighting(n, now_s, zone=f"z{n}"), now_s)
        print("kept", shown.id, flush=True)
        desk.act(shown.id, "confirm", actor=OPERATOR, now_s=now_s)
        free = [u.id for u in desk.units() if u.state == "available" and u.committed_to is None]
        if free:
            desk.offer(shown.id, free[0], actor=COMMANDER, now_s=now_s)
        desk.due(now_s)
"""


def test_killed_at_any_point_nothing_promised_is_lost_and_nothing_half_is_kept(tmp_path: Path) -> None:
    rng = random.Random(5)
    promised: set[str] = set()
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(BUSY), str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.02, 0.4))  # the moment of the kill is the point, not a wait for something
        finally:
            child.send_signal(signal.SIGKILL)
        promised |= {line.split()[1] for line in child.stdout.read().splitlines() if line.startswith("kept ") and len(line) == 21}
        child.stdout.close()
        child.wait(10)
        _whole(tmp_path / "callout.db", promised)
    assert len(promised) > 20


def _whole(path: Path, promised: set[str]) -> None:
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    kept = {r[0] for r in db.execute("SELECT id FROM incident")}
    assert promised <= kept
    told = {r[0] for r in db.execute("SELECT entity FROM outbox WHERE kind = 'incident'")}
    recorded = {r[0] for r in db.execute("SELECT entity FROM audit WHERE action = 'incident.received'")}
    assert kept == told == recorded  # state, record and message came together
    offers = {r[0] for r in db.execute("SELECT id FROM assignment")}
    assert offers == {r[0] for r in db.execute("SELECT entity FROM audit WHERE action LIKE 'assignment.offered%'")}
    waiting = {r[0] for r in db.execute("SELECT id FROM assignment WHERE state = 'offered'")}
    assert waiting == {r[0] for r in db.execute("SELECT entity FROM deadline WHERE kind = 'answer'")}
    twice = db.execute("SELECT unit FROM assignment WHERE cleared_at_s IS NULL GROUP BY unit HAVING count(*) > 1").fetchall()
    assert twice == []
    db.close()
    desk = open_desk(path.parent)
    try:
        assert desk.verify_audit().verified
    finally:
        desk.close()


def test_a_full_disk_is_said_and_nothing_half_is_kept(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    on_duty(desk)
    first = confirmed(desk)
    db = desk._store._db  # the only way to a full disk without one: SQLite's own limit
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    entries, refused = desk.verify_audit().entries, None
    for k in range(2, 400):
        try:
            desk.receive(sighting(k, NOW_S + k, zone=f"z{k}"), NOW_S + k)
        except StoreFailed as error:
            refused = error
            break
        entries += 1
    assert refused is not None
    assert "the disk is full" in str(refused)
    assert str(tmp_path / "callout.db") in str(refused)
    assert "磁盘" in refused.zh
    assert desk.verify_audit().entries == entries
    assert len(desk.incidents()) == entries - len([e for e in desk.audit() if e.action != "incident.received"])
    with pytest.raises(StoreFailed):
        desk.offer(first, "u0", actor=COMMANDER, now_s=NOW_S)
    assert desk.unit("u0").committed_to is None  # memory did not run ahead of the disk
    db.execute("PRAGMA max_page_count = 1000000")
    assert desk.offer(first, "u0", actor=COMMANDER, now_s=NOW_S).state == "offered"  # room again: it goes on
    assert desk.verify_audit().verified
    desk.close()


def test_the_slot_is_held_by_the_database_itself(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    on_duty(desk)
    one, two = confirmed(desk, 1, zone="a"), confirmed(desk, 2, zone="b")
    desk.offer(one, "u0", actor=COMMANDER, now_s=NOW_S)
    desk.close()
    with Store(tmp_path / "callout.db") as store:
        with pytest.raises(Taken) as refusal, store.write() as tx:
            tx.add_assignment(Assignment("x", two, "u0", NOW_S, NOW_S + 30))
        assert refusal.value.by == "1"
        with store.read() as reader:
            assert reader.assignment("x") is None


def test_an_error_in_the_middle_takes_everything_back(tmp_path: Path) -> None:
    with Store(tmp_path / "callout.db") as store:
        with pytest.raises(ZeroDivisionError):
            _break_off(store)
        with store.write() as tx:
            tx.add_audit(Event("c", "d", NOW_S, SYSTEM))
        with store.read() as reader:
            assert [e.action for e in reader.audit(None, 10)] == ["c"]
            assert reader.outbox(10) == []


def _break_off(store: Store) -> None:
    with store.write() as tx:
        tx.add_audit(Event("a", "b", NOW_S, SYSTEM))
        tx.add_outbox("incident", "b", NOW_S)
        raise ZeroDivisionError


def test_what_is_not_a_store_or_newer_than_us_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is a letter, not a database " * 100)
    with pytest.raises(StoreFailed, match="damaged"):
        Store(tmp_path / "text.db")
    Store(tmp_path / "new.db").close()
    db = sqlite3.connect(tmp_path / "new.db")
    db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(StoreFailed, match="newer Callout"):
        Store(tmp_path / "new.db")


def test_the_settings_that_make_a_commit_last(tmp_path: Path) -> None:
    with Store(tmp_path / "callout.db") as store:
        db = store._db  # what the promise rests on
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_no_table_of_the_public(desks: Desks, tmp_path: Path) -> None:
    desk = desks()
    confirmed(desk)
    db = sqlite3.connect(tmp_path / "callout.db")
    tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {f"{t}.{row[1]}" for t in tables for row in db.execute("SELECT * FROM pragma_table_info(?)", (t,))}
    db.close()
    for word in ("person", "face", "plate", "embedding", "appearance", "identity"):
        assert not [c for c in columns if word in c.lower()]
