"""Accounts and sessions on disk: the only SQL of web, in a file of its own (accounts.db) beside the dispatch store.

Blocking and thread-safe; every call is one short statement or transaction. No clock here: times are parameters.
A session's token is never stored, only its SHA-256: a copy of this file opens no session.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from configs.schema import Account, Role

AccountsStoreError = sqlite3.Error  # the name by which the command line knows it: a full disk, a file that is no database

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    name          TEXT PRIMARY KEY,
    role          TEXT NOT NULL,
    display       TEXT NOT NULL DEFAULT '',
    jurisdiction  TEXT NOT NULL DEFAULT '',
    groups        TEXT NOT NULL DEFAULT '[]',
    password_hash TEXT NOT NULL DEFAULT '',
    in_settings   INTEGER NOT NULL  -- 1: made from the settings file, and ends when it is taken out of it
) STRICT;
CREATE TABLE IF NOT EXISTS session (
    token_sha256  TEXT PRIMARY KEY,
    account       TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    csrf          TEXT NOT NULL,
    opened_at_s   REAL NOT NULL,
    used_at_s     REAL NOT NULL,
    expires_at_s  REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS session_account ON session (account);
"""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """`id` is the SHA-256 of the token, `used_at_s` the last use in unix seconds (kept to the minute)."""

    id: str
    account: Account
    csrf: str
    opened_at_s: float
    used_at_s: float
    expires_at_s: float


class AccountsStore:
    """One connection, one lock. `path` is made with mode 0600."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600, exist_ok=True)
        self._lock = threading.Lock()
        # NORMAL: a power cut may lose the last seconds of sessions, never the file; and no request waits for the disk
        self._sql = sqlite3.connect(path, timeout=10.0, check_same_thread=False, isolation_level=None)
        try:
            self._sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;" + SCHEMA)
        except sqlite3.Error:
            self._sql.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._sql.close()

    def accounts(self) -> list[Account]:
        with self._lock:
            rows = self._sql.execute("SELECT name, role, display, jurisdiction, groups FROM account ORDER BY name").fetchall()
        return [_account(*row) for row in rows]

    def account(self, name: str) -> tuple[Account, str] | None:
        """The account and its password hash ('' when no password was ever set)."""
        with self._lock:
            row = self._sql.execute(
                "SELECT name, role, display, jurisdiction, groups, password_hash FROM account WHERE name = ?", (name,)
            ).fetchone()
        return None if row is None else (_account(*row[:5]), str(row[5]))

    def put(self, account: Account, *, in_settings: bool) -> None:
        """Adds the account, or changes everything of it but its password."""
        groups = json.dumps(list(account.groups))
        values = (account.name, account.role, account.display, account.jurisdiction, groups, int(in_settings))
        with self._lock:
            self._sql.execute(
                "INSERT INTO account (name, role, display, jurisdiction, groups, in_settings) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET role = excluded.role, display = excluded.display,"
                " jurisdiction = excluded.jurisdiction, groups = excluded.groups, in_settings = excluded.in_settings",
                values,
            )

    def set_password_hash(self, name: str, password_hash: str, *, end_sessions: bool) -> bool:
        """False when there is no such account. A new password ends the sessions that the old one opened."""
        with self._lock:
            self._sql.execute("BEGIN IMMEDIATE")
            changed = self._sql.execute("UPDATE account SET password_hash = ? WHERE name = ?", (password_hash, name)).rowcount
            if end_sessions:
                self._sql.execute("DELETE FROM session WHERE account = ?", (name,))
            self._sql.execute("COMMIT")
        return changed == 1

    def remove(self, name: str) -> bool:
        with self._lock:
            return self._sql.execute("DELETE FROM account WHERE name = ?", (name,)).rowcount == 1

    def keep_only(self, in_settings: Iterable[str]) -> int:
        """Removes the accounts that came from the settings and are no longer in them, with their sessions. How many."""
        with self._lock:
            return self._sql.execute(
                "DELETE FROM account WHERE in_settings = 1 AND name NOT IN (SELECT value FROM json_each(?))",
                (json.dumps(list(in_settings)),),
            ).rowcount

    def add_session(self, token_sha256: str, account: str, csrf: str, now_s: float, expires_at_s: float) -> None:
        with self._lock:
            self._sql.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?)", (token_sha256, account, csrf, now_s, now_s, expires_at_s)
            )

    def session(self, token_sha256: str) -> SessionRow | None:
        with self._lock:
            row = self._sql.execute(
                "SELECT name, role, display, jurisdiction, groups, token_sha256, csrf, opened_at_s, used_at_s, expires_at_s"
                " FROM session JOIN account ON account.name = session.account WHERE token_sha256 = ?",
                (token_sha256,),
            ).fetchone()
        if row is None:
            return None
        return SessionRow(str(row[5]), _account(*row[:5]), str(row[6]), float(row[7]), float(row[8]), float(row[9]))

    def touch_session(self, token_sha256: str, now_s: float) -> None:
        with self._lock:
            self._sql.execute("UPDATE session SET used_at_s = ? WHERE token_sha256 = ?", (now_s, token_sha256))

    def end_session(self, token_sha256: str) -> None:
        with self._lock:
            self._sql.execute("DELETE FROM session WHERE token_sha256 = ?", (token_sha256,))

    def purge(self, *, expired_before_s: float, idle_before_s: float) -> int:
        """Deletes the sessions that are over. How many."""
        with self._lock:
            return self._sql.execute(
                "DELETE FROM session WHERE expires_at_s <= ? OR used_at_s <= ?", (expired_before_s, idle_before_s)
            ).rowcount


def _account(name: str, role: str, display: str, jurisdiction: str, groups: str) -> Account:
    return Account(name, cast("Role", role), display, jurisdiction, tuple(str(group) for group in json.loads(groups)))
