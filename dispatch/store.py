"""The truth: SQLite in WAL mode with synchronous=FULL, one writer. The home of sqlite3.

A command is one `with store.write() as tx:`: state, journal, audit entry and outbox row are kept together or not at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from dispatch import audit, rows
from dispatch.assignment import Assignment
from dispatch.errors import StoreFailed, Taken
from dispatch.escalate import Deadline
from dispatch.event import Event
from dispatch.incident import ENDED, Incident
from dispatch.unit import State as UnitState
from dispatch.unit import Unit
from dispatch.views import AuditEntry, AuditVerdict
from vision.sighting import Sighting

StoreError = StoreFailed  # the name by which the command line knows it
SCHEMA = Path(__file__).with_name("schema")
_OPEN = tuple(f"'{s}'" for s in sorted(ENDED))
NOT_ENDED = f"state NOT IN ({', '.join(_OPEN)})"

# Column names are our own constants: nothing of a message is ever put into the text of a statement.
_INSERT_INCIDENT = f"INSERT INTO incident ({', '.join(rows.INCIDENT)}) VALUES ({', '.join('?' * len(rows.INCIDENT))})"  # noqa: S608  # our own column names
_UPDATE_INCIDENT = f"UPDATE incident SET {', '.join(f'{c} = ?' for c in rows.INCIDENT)} WHERE id = ? AND version <= ?"  # noqa: S608  # our own column names
_INSERT_ASSIGNMENT = f"INSERT INTO assignment ({', '.join(rows.ASSIGNMENT)}) VALUES ({', '.join('?' * len(rows.ASSIGNMENT))})"  # noqa: S608  # our own column names
_UPDATE_ASSIGNMENT = f"UPDATE assignment SET {', '.join(f'{c} = ?' for c in rows.ASSIGNMENT)} WHERE id = ? AND version < ?"  # noqa: S608  # our own column names
_INSERT_AUDIT = (
    "INSERT INTO audit (seq, at_s, actor, role, action, entity, incident, detail, prev, hash) VALUES (?,?,?,?,?,?,?,?,?,?)"
)
_NAMED = "CASE WHEN json_valid(detail) THEN json_extract(detail, '$.incident') END"
_OF_INCIDENT = " UNION ".join(
    f"SELECT seq FROM audit WHERE {what} = :incident"  # noqa: S608  # our own column names
    for what in ("incident <> '' AND incident", _NAMED, "entity")
)
_INSERT_OUTBOX = "INSERT INTO outbox (kind, entity, at_s) VALUES (?, ?, ?)"


class Reader:
    """Queries. Used on its own for reading, and inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def incident(self, id_: str) -> Incident | None:
        row = self._db.execute("SELECT * FROM incident WHERE id = ?", (id_,)).fetchone()
        return None if row is None else rows.incident_of(row)

    def incidents(self, *, open_only: bool, cameras: Iterable[str] | None, limit: int) -> list[Incident]:
        where, values = ["1"], []
        if open_only:
            where.append(NOT_ENDED)
        if cameras is not None:
            where.append("camera IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(sorted(cameras)))
        sql = f"SELECT * FROM incident WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?"  # noqa: S608  # constants only
        return [rows.incident_of(r) for r in self._db.execute(sql, (*values, limit))]

    def candidates(self, camera: str, kind: str, zone: str, since_s: float) -> list[Incident]:
        """Incidents that a sighting may join: open ones, and those dismissed since then."""
        sql = f"SELECT * FROM incident WHERE camera = ? AND kind = ? AND zone = ? AND ({NOT_ENDED} OR dismissed_at_s >= ?)"  # noqa: S608
        return [rows.incident_of(r) for r in self._db.execute(sql, (camera, kind, zone, since_s))]

    def sighting_incident(self, sighting: str) -> str | None:
        row = self._db.execute("SELECT incident FROM sighting WHERE id = ?", (sighting,)).fetchone()
        return None if row is None else str(row[0])

    def assignment(self, id_: str) -> Assignment | None:
        row = self._db.execute("SELECT * FROM assignment WHERE id = ?", (id_,)).fetchone()
        return None if row is None else rows.assignment_of(row)

    def assignments(self, incidents: Iterable[str]) -> dict[str, list[Assignment]]:
        out: dict[str, list[Assignment]] = {}
        sql = "SELECT * FROM assignment WHERE incident IN (SELECT value FROM json_each(?)) ORDER BY offered_at_s, rowid"
        for row in self._db.execute(sql, (json.dumps(list(incidents)),)):
            out.setdefault(row["incident"], []).append(rows.assignment_of(row))
        return out

    def active_assignments(self) -> list[Assignment]:
        return [rows.assignment_of(r) for r in self._db.execute("SELECT * FROM assignment WHERE cleared_at_s IS NULL")]

    def active_of(self, unit: str) -> Assignment | None:
        row = self._db.execute("SELECT * FROM assignment WHERE unit = ? AND cleared_at_s IS NULL", (unit,)).fetchone()
        return None if row is None else rows.assignment_of(row)

    def clips(self, incidents: Iterable[str]) -> dict[str, list[sqlite3.Row]]:
        out: dict[str, list[sqlite3.Row]] = {}
        sql = (
            "SELECT l.incident, c.*, d.at_s AS deleted_at_s FROM incident_clip l JOIN clip c ON c.id = l.clip "
            "LEFT JOIN deletion d ON d.file = 'clips/' || c.file "
            "WHERE l.incident IN (SELECT value FROM json_each(?)) ORDER BY c.started_at_s"
        )
        for row in self._db.execute(sql, (json.dumps(list(incidents)),)):
            out.setdefault(row["incident"], []).append(row)
        return out

    def clip_file(self, clip: str) -> str | None:
        row = self._db.execute("SELECT file FROM clip WHERE id = ?", (clip,)).fetchone()
        return None if row is None else str(row[0])

    def incidents_of_clip(self, clip: str) -> list[str]:
        return [r[0] for r in self._db.execute("SELECT incident FROM incident_clip WHERE clip = ?", (clip,))]

    def clips_by_file(self, names: Iterable[str]) -> list[sqlite3.Row]:
        sql = "SELECT * FROM clip WHERE file IN (SELECT value FROM json_each(?))"
        return self._db.execute(sql, (json.dumps(list(names)),)).fetchall()

    def clips_not_deleted(self) -> list[sqlite3.Row]:
        sql = "SELECT * FROM clip WHERE NOT EXISTS (SELECT 1 FROM deletion d WHERE d.file = 'clips/' || clip.file)"
        return self._db.execute(sql).fetchall()

    def deletions(self, files: Iterable[str]) -> dict[str, sqlite3.Row]:
        sql = "SELECT * FROM deletion WHERE file IN (SELECT value FROM json_each(?))"
        return {row["file"]: row for row in self._db.execute(sql, (json.dumps(list(files)),))}

    def incidents_of_thumbnail(self, sha256: str) -> list[str]:
        sql = (
            "SELECT incident FROM sighting WHERE json_extract(body, '$.evidence.thumbnail_sha256') = ?1 "
            "UNION SELECT id FROM incident WHERE thumbnail_sha256 = ?1"
        )
        return [r[0] for r in self._db.execute(sql, (sha256,))]

    def incident_ended_at_s(self, id_: str) -> float | None:
        """When it was ended, for the last time; None while it is open."""
        codes = "'incident.close', 'incident.dismiss', 'incident.cancel', 'incident.duplicate'"
        last = f"(SELECT max(at_s) FROM journal WHERE incident = i.id AND code IN ({codes}))"  # noqa: S608  # constants only
        sql = f"SELECT coalesce({last}, i.updated_at_s) FROM incident i WHERE i.id = ? AND NOT ({NOT_ENDED})"  # noqa: S608
        row = self._db.execute(sql, (id_,)).fetchone()
        return None if row is None else float(row[0])

    def newest_sightings(self, incidents: Iterable[str]) -> dict[str, str]:
        """The newest sighting of each, as JSON."""
        sql = (
            "SELECT i.value AS incident, (SELECT body FROM sighting WHERE incident = i.value ORDER BY at_s DESC LIMIT 1) AS body "
            "FROM json_each(?) i"
        )
        return {r["incident"]: r["body"] for r in self._db.execute(sql, (json.dumps(list(incidents)),)) if r["body"]}

    def journals(self, incidents: Iterable[str]) -> dict[str, list[sqlite3.Row]]:
        out: dict[str, list[sqlite3.Row]] = {}
        sql = "SELECT * FROM journal WHERE incident IN (SELECT value FROM json_each(?)) ORDER BY seq"
        for row in self._db.execute(sql, (json.dumps(list(incidents)),)):
            out.setdefault(row["incident"], []).append(row)
        return out

    def units(self) -> dict[str, Unit]:
        return {
            r["id"]: Unit(r["id"], r["version"], UnitState(r["state"]), r["contact_at_s"])
            for r in self._db.execute("SELECT * FROM unit")
        }

    def positions(self) -> dict[str, sqlite3.Row]:
        return {r["unit"]: r for r in self._db.execute("SELECT * FROM unit_position")}

    def deadlines(self, until_s: float) -> list[Deadline]:
        sql = "SELECT kind, entity, due_at_s FROM deadline WHERE due_at_s <= ? ORDER BY due_at_s LIMIT 1000"
        return [Deadline(*r) for r in self._db.execute(sql, (until_s,))]

    def next_deadline_s(self) -> float | None:
        value = self._db.execute("SELECT min(due_at_s) FROM deadline").fetchone()[0]
        return None if value is None else float(value)

    def grant(self, id_: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute("SELECT * FROM access_grant WHERE id = ?", (id_,)).fetchone()
        return row

    def live_grants(self, incident: str) -> list[str]:
        sql = "SELECT id FROM access_grant WHERE incident = ? AND ended_at_s IS NULL"
        return [r[0] for r in self._db.execute(sql, (incident,))]

    def remembered(self, actor: str, key: str) -> tuple[str, str] | None:
        row = self._db.execute("SELECT asked, entity FROM idempotency WHERE actor = ? AND key = ?", (actor, key)).fetchone()
        return None if row is None else (row[0], row[1])

    def audit(self, incident: str | None, limit: int) -> list[AuditEntry]:
        """The newest `limit` entries, oldest first. What belongs to an incident also by the part that is under the hash."""
        where = "" if incident is None else f"WHERE seq IN ({_OF_INCIDENT})"
        sql = f"SELECT * FROM (SELECT * FROM audit {where} ORDER BY seq DESC LIMIT :limit) ORDER BY seq"  # noqa: S608  # constants only
        return [_entry(r) for r in self._db.execute(sql, {"incident": incident, "limit": limit})]

    def audit_chain(self) -> Iterator[AuditEntry]:
        return (_entry(r) for r in self._db.execute("SELECT * FROM audit ORDER BY seq"))

    def audit_last_seq(self) -> int:
        """The number of the newest entry ever written: SQLite keeps it apart from the table."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
        return 0 if row is None else int(row[0])

    def outbox(self, limit: int) -> list[sqlite3.Row]:
        return self._db.execute("SELECT * FROM outbox ORDER BY seq LIMIT ?", (limit,)).fetchall()

    def counts(self) -> list[sqlite3.Row]:
        return self._db.execute("SELECT kind, state, count(*) AS n FROM incident GROUP BY kind, state").fetchall()

    def outbox_length(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM outbox").fetchone()[0])


class Tx(Reader):
    """One transaction's writes. Nothing of it is seen by others, or survives, unless the block ends well."""

    def __init__(self, connection: sqlite3.Connection, head: tuple[int, str]) -> None:
        super().__init__(connection)
        self.head = head

    def next_number(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(number), 0) + 1 FROM incident").fetchone()[0])

    def add_incident(self, incident: Incident) -> None:
        self._db.execute(_INSERT_INCIDENT, rows.incident_row(incident))

    def put_incident(self, incident: Incident) -> None:
        self._db.execute(_UPDATE_INCIDENT, (*rows.incident_row(incident), incident.id, incident.version))

    def add_sighting(self, sighting: Sighting, incident: str) -> None:
        values = (sighting.id, incident, sighting.at_s, sighting.score, sighting.to_json())
        self._db.execute("INSERT INTO sighting (id, incident, at_s, score, body) VALUES (?, ?, ?, ?, ?)", values)
        if sighting.clip:
            self._db.execute("INSERT OR IGNORE INTO incident_clip (incident, clip) VALUES (?, ?)", (incident, sighting.clip))

    def put_clip(self, values: Mapping[str, Any]) -> None:
        """A clip that is closed stays closed, whatever comes late."""
        self._db.execute(
            "INSERT INTO clip (id, camera, state, file, started_at_s, ended_at_s, bytes, sha256) "
            "VALUES (:clip, :camera, :state, :file, :started_at_s, :ended_at_s, :bytes, :sha256) ON CONFLICT (id) DO UPDATE SET "
            "state = excluded.state, file = excluded.file, ended_at_s = excluded.ended_at_s, bytes = excluded.bytes, "
            "sha256 = excluded.sha256 WHERE clip.state <> 'closed'",
            dict(values),
        )

    def put_deletion(self, file: str, at_s: float, how: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO deletion (file, at_s, how) VALUES (?, ?, ?)", (file, at_s, how))

    def add_assignment(self, assignment: Assignment) -> None:
        """Raises Taken when the unit already holds an active one: the unique index decides, not a look beforehand."""
        try:
            self._db.execute(_INSERT_ASSIGNMENT, rows.assignment_row(assignment))
        except sqlite3.IntegrityError:
            held = self.active_of(assignment.unit)
            other = None if held is None else self.incident(held.incident)
            if held is None or other is None:
                raise
            raise Taken(assignment.unit, str(other.number)) from None

    def put_assignment(self, assignment: Assignment) -> None:
        self._db.execute(_UPDATE_ASSIGNMENT, (*rows.assignment_row(assignment), assignment.id, assignment.version))

    def put_unit(self, unit: Unit) -> None:
        self._db.execute(
            "INSERT INTO unit (id, version, state, contact_at_s) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "version = excluded.version, state = excluded.state, contact_at_s = excluded.contact_at_s",
            (unit.id, unit.version, str(unit.state), unit.contact_at_s),
        )

    def put_position(self, unit: str, lat: float, lon: float, accuracy_m: float, at_s: float) -> None:  # a row
        sql = "INSERT OR REPLACE INTO unit_position (unit, lat, lon, accuracy_m, at_s) VALUES (?, ?, ?, ?, ?)"
        self._db.execute(sql, (unit, lat, lon, accuracy_m, at_s))

    def forget_position(self, unit: str) -> None:
        self._db.execute("DELETE FROM unit_position WHERE unit = ?", (unit,))

    def put_deadline(self, deadline: Deadline) -> None:
        sql = "INSERT OR REPLACE INTO deadline (kind, entity, due_at_s) VALUES (?, ?, ?)"
        self._db.execute(sql, (deadline.kind, deadline.entity, deadline.due_at_s))

    def end_deadline(self, kind: str, entity: str) -> None:
        self._db.execute("DELETE FROM deadline WHERE kind = ? AND entity = ?", (kind, entity))

    def add_grant(self, values: tuple[Any, ...]) -> None:
        columns = "id, incident, camera, actor, purpose, opened_at_s, expires_at_s"
        self._db.execute(f"INSERT INTO access_grant ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608  # constants

    def end_grant(self, id_: str, now_s: float) -> None:
        self._db.execute("UPDATE access_grant SET ended_at_s = ? WHERE id = ? AND ended_at_s IS NULL", (now_s, id_))

    def remember(self, actor: str, key: str, asked: str, entity: str, now_s: float) -> None:  # a row
        sql = "INSERT INTO idempotency (actor, key, asked, entity, at_s) VALUES (?, ?, ?, ?, ?)"
        self._db.execute(sql, (actor, key, asked, entity, now_s))

    def forget_keys(self, before_s: float) -> None:
        self._db.execute("DELETE FROM idempotency WHERE at_s < ?", (before_s,))

    def add_journal(self, incident: str, event: Event) -> None:
        sql = "INSERT INTO journal (incident, at_s, actor, code, facts) VALUES (?, ?, ?, ?, ?)"
        self._db.execute(sql, (incident, event.at_s, event.actor.name, event.code, audit.canonical(dict(event.facts))))

    def add_audit(self, event: Event, incident: str = "") -> None:
        seq, prev = self.head[0] + 1, self.head[1]
        named = {"incident": incident} if incident and incident != event.entity else {}  # under the hash; the column is not
        actor, detail, at_s = event.actor, audit.canonical({**event.facts, **named}), float(event.at_s)
        hash_ = audit.link(prev, audit.entry_text(event.code, actor.name, at_s, detail, event.entity, actor.role, seq))
        values = (seq, at_s, actor.name, actor.role, event.code, event.entity, incident, detail, prev, hash_)
        self._db.execute(_INSERT_AUDIT, values)
        self.head = (seq, hash_)

    def add_outbox(self, kind: str, entity: str, now_s: float) -> None:
        self._db.execute(_INSERT_OUTBOX, (kind, entity, now_s))

    def done(self, seqs: Iterable[int]) -> None:
        sql = "DELETE FROM outbox WHERE seq <= ?1 AND (kind, entity) = (SELECT kind, entity FROM outbox WHERE seq = ?1)"
        self._db.executemany(sql, [(s,) for s in seqs])


class Store:
    """One file, one process: a second one is refused, so that nobody's memory of it grows stale."""

    def __init__(self, path: Path, *, exclusive: bool = True) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._read_lock = threading.Lock()
        self._guard = _guard(path) if exclusive else None
        with ExitStack() as undo:
            undo.callback(self._unguard)
            try:
                self._db = undo.enter_context(closing(_connect(path)))
                _upgrade(self._db, path)
                self._reads = undo.enter_context(closing(_connect(path)))
                self._head = self._find_head()
            except sqlite3.Error as error:
                raise StoreFailed(str(path), _words(error)) from error
            undo.pop_all()  # open, and kept so

    def _find_head(self) -> tuple[int, str]:
        row = self._db.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        return (0, audit.GENESIS) if row is None else (int(row[0]), str(row[1]))

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """Raises StoreFailed (disk full, file unwritable, damaged): then nothing of the block is kept."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                tx = Tx(self._db, self._head)
                yield tx
                self._db.execute("COMMIT")
                self._head = tx.head
            except sqlite3.IntegrityError as error:
                self._rollback()
                raise StoreFailed(str(self.path), f"refused by the schema: {error}") from error
            except sqlite3.Error as error:
                self._rollback()
                raise StoreFailed(str(self.path), _words(error)) from error
            except BaseException:
                self._rollback()
                raise

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """One consistent look, beside the writer."""
        with self._read_lock:
            try:
                self._reads.execute("BEGIN")
                yield Reader(self._reads)
            except sqlite3.Error as error:
                raise StoreFailed(str(self.path), _words(error)) from error
            finally:
                if self._reads.in_transaction:
                    self._reads.execute("ROLLBACK")

    def close(self) -> None:
        with self._lock, self._read_lock:
            self._reads.close()
            self._db.close()
            self._unguard()

    def _unguard(self) -> None:
        if self._guard is not None:
            os.close(self._guard)
            self._guard = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def read_audit(path: Path) -> AuditVerdict:
    """`callout audit verify`: walks the chain of a store's file, also beside a running Callout; nothing is written."""
    if not path.is_file():
        raise StoreFailed(str(path), "there is no store here")
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        db.row_factory = sqlite3.Row
        try:
            db.execute("BEGIN")
            reader = Reader(db)
            return audit.verify(reader.audit_chain(), reader.audit_last_seq())
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StoreFailed(str(path), _words(error)) from error


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0, cached_statements=256)
    try:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        db.close()
        raise
    return db


def _upgrade(db: sqlite3.Connection, path: Path) -> None:
    """Runs the schema files that this store has not seen yet, each in its own transaction."""
    steps = sorted(SCHEMA.glob("[0-9][0-9][0-9]_*.sql"))
    have = int(db.execute("PRAGMA user_version").fetchone()[0])
    if have > len(steps):
        raise StoreFailed(
            str(path), f"it was written by a newer Callout (schema {have}, this one knows {len(steps)}): update Callout"
        )
    for number, step in enumerate(steps[have:], start=have + 1):
        db.executescript(f"BEGIN IMMEDIATE; {step.read_text(encoding='utf-8')}\nPRAGMA user_version = {number}; COMMIT;")


def _guard(path: Path) -> int:
    """Holds the store for this process; the system lets go of it however the process ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreFailed(str(path), error.strerror or str(error)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StoreFailed(str(path), "another Callout is running with this data folder: stop it first") from None
    return handle


def _words(error: sqlite3.Error) -> str:
    text = str(error)
    if "disk is full" in text:
        return "the disk is full"
    if "malformed" in text or "not a database" in text:
        return f"the file is damaged: {text}. Restore it from a backup"
    return text


def _entry(row: sqlite3.Row) -> AuditEntry:
    try:
        detail = json.loads(row["detail"])
    except ValueError:
        detail = {"unreadable": row["detail"]}  # edited into nonsense: its hash will say so
    return AuditEntry(
        row["seq"], row["at_s"], row["actor"], row["role"], row["action"], row["entity"], detail, row["hash"], row["prev"]
    )
