"""`callout bench store`: incident + audit entry + outbox row in one durable transaction, against bare sqlite3.

The bound is a loop that inserts the same three rows, already made, into plain tables with the same settings (WAL,
synchronous=FULL) and nothing else: no indexes, no hash chain, no objects. Both take turns every 25 transactions of the same run.
"""

from __future__ import annotations

import argparse
import gc
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from dispatch import audit, rows
from dispatch.event import Event
from dispatch.incident import Incident, Place
from dispatch.store import Store
from dispatch.views import Actor

BAR_RATIO = 0.6
ACTOR = Actor("callout", "system")
NOW_S = 1_800_000_000.0
SLICE = 25
Rows = tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="callout bench store", description=__doc__)
    parser.add_argument("--transactions", type=int, default=1000, help="in each round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", type=Path, help="where the stores lie: a folder on the disk to be measured")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--break", dest="defect", choices=("slow",), help="plant a defect that must make it fail")
    return parser


def run(argv: Sequence[str]) -> int:
    args = arguments().parse_args(argv)
    transactions = min(args.transactions, 200) if args.defect else args.transactions
    ours: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory(prefix="callout-bench-", dir=args.folder) as name:
        folder = Path(name)
        try:
            for k in range(args.rounds + 1):
                rates = _round(folder, k, transactions, args.defect)
                if k:  # the first round warms up
                    ours.append(rates[0])
                    bare.append(rates[1])
        except OSError as error:
            print(f"callout: {folder}: {error}", file=sys.stderr)
            return 2
    ratios = [o / b for o, b in zip(ours, bare, strict=True)]
    figures: dict[str, Any] = {
        "tx_per_s": round(statistics.median(ours), 1),
        "bare_tx_per_s": round(statistics.median(bare), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "tx_per_s_spread": [round(min(ours), 1), round(max(ours), 1)],
        "transactions": transactions,
        "rounds": args.rounds,
        "bar_ratio": BAR_RATIO,
    }
    figures["passed"] = figures["ratio"] >= BAR_RATIO
    print(f"{'':>10} {'median tx/s':>12} {'least':>10} {'most':>10}")
    for label, values in (("Callout", ours), ("bare", bare)):
        print(f"{label:>10} {statistics.median(values):>12.0f} {min(values):>10.0f} {max(values):>10.0f}")
    verdict = "passed" if figures["passed"] else "MISSED"
    print(f"ratio {figures['ratio']} ({min(ratios):.3f} to {max(ratios):.3f} by round); bar ≥ {BAR_RATIO}: {verdict}")
    if args.json:
        print(json.dumps(figures))
    return 0 if figures["passed"] else 1


def incident(number: int) -> Incident:
    place = Place(60.17, 24.94, 5.0)
    return Incident(
        f"{number:016x}", number, "fire", "camera-1", "zone-1", place, 1, NOW_S, NOW_S, NOW_S, NOW_S, score=0.8,
        box=(0.1, 0.2, 0.3, 0.4), thumbnail_sha256="0" * 64,
    )  # fmt: skip


def event(id_: str) -> Event:
    facts = {"sighting": id_, "camera": "camera-1", "kind": "fire", "zone": "zone-1", "score": 0.8, "rule": "fire-1"}
    return Event("incident.received", id_, NOW_S, ACTOR, facts)


def _round(folder: Path, number: int, transactions: int, defect: str | None) -> tuple[float, float]:
    """Transactions a second of both, in turn by SLICE of them: a disk that is slow for a second is slow for both."""
    seconds = [0.0, 0.0]
    with Store(folder / f"ours-{number}.db") as store, closing(_bare_store(folder / f"bare-{number}.db")) as db:
        ready = _ready(transactions)
        gc.collect()
        for start in range(0, transactions, SLICE):
            end = min(start + SLICE, transactions)
            sides = (lambda: _ours(store, start, end, defect), lambda: _bare(db, ready[start:end]))  # noqa: B023  # called at once
            for side in (0, 1) if start // SLICE % 2 else (1, 0):
                began = time.perf_counter()
                sides[side]()
                seconds[side] += time.perf_counter() - began
    return transactions / seconds[0], transactions / seconds[1]


def _ours(store: Store, start: int, end: int, defect: str | None) -> None:
    """Through the store's own door. The defect `slow` verifies the whole chain at every step."""
    for number in range(start + 1, end + 1):
        new = incident(number)
        with store.write() as tx:
            tx.add_incident(new)
            tx.add_audit(event(new.id), new.id)
            tx.add_outbox("incident", new.id, NOW_S)
            if defect == "slow":
                assert audit.verify(tx.audit_chain(), tx.audit_last_seq()).verified


def _bare_store(path: Path) -> sqlite3.Connection:
    """What SQLite itself can do here: the same settings, plain tables."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"CREATE TABLE incident ({', '.join(rows.INCIDENT)})")
    db.execute("CREATE TABLE audit (seq, at_s, actor, role, action, entity, incident, detail, prev, hash)")
    db.execute("CREATE TABLE outbox (kind, entity, at_s)")
    return db


def _ready(transactions: int) -> list[Rows]:
    """The same rows, made beforehand."""
    ready: list[Rows] = []
    prev = audit.GENESIS
    for number in range(1, transactions + 1):
        new, said = incident(number), event(f"{number:016x}")
        detail = audit.canonical(dict(said.facts))
        text = audit.entry_text(said.code, ACTOR.name, NOW_S, detail, new.id, ACTOR.role, number)
        hash_ = audit.link(prev, text)
        entry = (number, NOW_S, ACTOR.name, ACTOR.role, said.code, new.id, new.id, detail, prev, hash_)
        ready.append((rows.incident_row(new), entry, ("incident", new.id, NOW_S)))
        prev = hash_
    return ready


def _bare(db: sqlite3.Connection, ready: list[Rows]) -> None:
    marks = ", ".join("?" * len(rows.INCIDENT))
    for row, entry, message in ready:
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"INSERT INTO incident VALUES ({marks})", row)  # noqa: S608  # question marks only
        db.execute("INSERT INTO audit VALUES (?,?,?,?,?,?,?,?,?,?)", entry)
        db.execute("INSERT INTO outbox VALUES (?,?,?)", message)
        db.execute("COMMIT")
