"""The people who work with Callout: their accounts, passwords (argon2id) and sessions.

Used by the routes, by `callout user …` and by the demo. Blocking: argon2 takes tens of milliseconds by design, so
the routes call it in a thread. Time is a parameter.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from configs.schema import Account
from web.accounts_store import AccountsStore, SessionRow
from web.policy import ROLES
from web.problems import Text

FILE = "accounts.db"
PASSWORD_MIN, PASSWORD_MAX = 10, 256  # characters; NIST SP 800-63B asks for length, not for kinds of characters
IDLE_S = 2 * 3600.0  # an open console's WebSocket counts as use: nobody is signed out in front of the wall
TOUCH_S = 60.0
NAME_MAX = 64


class AccountError(ValueError):
    """What is wrong with an account or a password, and what would be right. `text` has both languages."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


@dataclass(frozen=True, slots=True)
class Opened:
    """A fresh session: the `token` goes into the cookie and is kept nowhere else."""

    token: str
    session: SessionRow


class Accounts:
    """`hasher` is a parameter for the tests, which need not pay for argon2's full cost at each login."""

    def __init__(self, store: AccountsStore, *, session_s: float, hasher: PasswordHasher | None = None) -> None:
        self.store = store
        self.session_s = session_s
        self._hasher = hasher or PasswordHasher()
        self._one_at_a_time = threading.Lock()  # each hash takes 64 MiB: a flood of logins may not take the machine's memory
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    @classmethod
    def open(cls, root: Path, *, session_s: float = 12 * 3600.0, hasher: PasswordHasher | None = None) -> Accounts:
        """The accounts of the data folder `root` (`layout.root`)."""
        root.mkdir(parents=True, exist_ok=True)
        return cls(AccountsStore(root / FILE), session_s=session_s, hasher=hasher)

    def close(self) -> None:
        self.store.close()

    # -- accounts
    def ensure(self, account: Account, password: str | None = None) -> bool:
        """Makes the account as the settings say it is. A password is set only where there is none yet:
        True when `password` became the account's password (so the demo prints it once)."""
        check_account(account)
        self.store.put(account, in_settings=True)
        known = self.store.account(account.name)
        if password is None or (known is not None and known[1]):
            return False
        self.set_password(account.name, password)
        return True

    def ensure_all(self, accounts: Sequence[Account]) -> None:
        """The settings' accounts, all and only: who was taken out of the file is signed out and cannot sign in again.
        Accounts of `user add` are kept."""
        for account in accounts:
            self.ensure(account)
        self.store.keep_only(account.name for account in accounts)

    def add(self, account: Account, password: str) -> None:
        """A new account. Raises AccountError when the name is taken or the password too short."""
        check_account(account)
        check_password(password, account.name)
        if self.store.account(account.name) is not None:
            raise AccountError(
                Text(
                    f"There is an account `{account.name}` already. Change its password with `user password`.",
                    f"账户“{account.name}”已存在。可用 `user password` 修改密码。",
                )
            )
        self.store.put(account, in_settings=False)
        self.set_password(account.name, password)

    def set_password(self, name: str, password: str) -> None:
        """Also ends every session of the account. Raises AccountError."""
        check_password(password, name)
        with self._one_at_a_time:
            password_hash = self._hasher.hash(password)
        if not self.store.set_password_hash(name, password_hash, end_sessions=True):
            raise AccountError(
                Text(f"There is no account `{name}`. `user list` shows them.", f"没有账户“{name}”。可用 `user list` 查看。")
            )

    def list(self) -> list[Account]:
        return self.store.accounts()

    def verify(self, name: str, password: str) -> Account | None:
        """The account, or None. An unknown name costs the same work as a wrong password."""
        known = self.store.account(name[:NAME_MAX])
        has_password = known is not None and known[1] != ""
        password_hash = known[1] if known is not None and has_password else self._nobody
        with self._one_at_a_time:
            try:
                self._hasher.verify(password_hash, password[:PASSWORD_MAX])
            except (VerifyMismatchError, InvalidHashError):
                return None
        if known is None or not has_password:
            return None
        if self._hasher.check_needs_rehash(password_hash):
            with self._one_at_a_time:
                renewed = self._hasher.hash(password)
            self.store.set_password_hash(name, renewed, end_sessions=False)
        return known[0]

    # -- sessions
    def open_session(self, account: Account, now_s: float, *, instead_of: str | None = None) -> Opened:
        """A new token at each login, never one that the browser brought along; `instead_of` (that one) ends."""
        if instead_of:
            self.end_session(session_id(instead_of))
        self.store.purge(expired_before_s=now_s, idle_before_s=now_s - IDLE_S)
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        expires_at_s = now_s + self.session_s
        self.store.add_session(session_id(token), account.name, csrf, now_s, expires_at_s)
        return Opened(token, SessionRow(session_id(token), account, csrf, now_s, now_s, expires_at_s))

    def find_session(self, token: str, now_s: float) -> SessionRow | None:
        return self.session(session_id(token), now_s) if token else None

    def session(self, id_: str, now_s: float) -> SessionRow | None:
        """The living session; its account is read afresh each time, so a changed role works at once."""
        row = self.store.session(id_)
        if row is None or now_s >= row.expires_at_s or now_s >= row.used_at_s + IDLE_S:
            return None
        return row

    def used(self, row: SessionRow, now_s: float) -> None:
        """Notes the use, at most once a minute."""
        if now_s - row.used_at_s >= TOUCH_S:
            self.store.touch_session(row.id, now_s)

    def end_session(self, id_: str) -> None:
        self.store.end_session(id_)


def session_id(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def make_password() -> str:
    """Four groups of five letters and digits that are not mistaken for one another: about 99 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def check_account(account: Account) -> None:
    if not account.name or len(account.name) > NAME_MAX or not account.name.isprintable() or account.name.strip() != account.name:
        raise AccountError(
            Text(
                f"An account's name has 1 to {NAME_MAX} printable characters and no space at its ends.",
                f"账户名须为 1 至 {NAME_MAX} 个可见字符，首尾不得有空格。",
            )
        )
    if account.role not in ROLES:
        raise AccountError(
            Text(
                f"`{account.role}` is no role. Roles: {', '.join(ROLES)}.",
                f"没有角色“{account.role}”。可选：{'、'.join(ROLES)}。",
            )
        )


def check_password(password: str, name: str) -> None:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise AccountError(
            Text(
                f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters.",
                f"密码长度须为 {PASSWORD_MIN} 至 {PASSWORD_MAX} 个字符。",
            )
        )
    if password.casefold() == name.casefold():
        raise AccountError(Text("A password may not be the account's name.", "密码不得与账户名相同。"))
