"""Who is watching which picture now. Pure bookkeeping: the audit entries are written by web/whep.py and web/tasks.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from configs.schema import Account


@dataclass(frozen=True, slots=True)
class Viewing:
    """One live picture on one screen. `session` is the live session, `web_session` the login that it was opened with."""

    session: str
    web_session: str
    account: Account
    camera: str
    view: str  # wall | clear
    incident: str | None
    grant: str | None
    started_at_s: float


class Watching:
    """All viewings that are open. `add` comes before the live process is asked, so that nothing is watched unlisted."""

    def __init__(self) -> None:
        self._open: dict[str, Viewing] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, viewing: Viewing) -> None:
        self._open[viewing.session] = viewing

    def get(self, session: str) -> Viewing | None:
        return self._open.get(session)

    def end(self, session: str) -> Viewing | None:
        return self._open.pop(session, None)

    def all(self) -> list[Viewing]:
        return list(self._open.values())

    def of_grant(self, grant: str) -> list[Viewing]:
        return [one for one in self._open.values() if one.grant == grant]

    def of_web_session(self, web_session: str) -> list[Viewing]:
        return [one for one in self._open.values() if one.web_session == web_session]

    def gone(self, living: Iterable[str], *, started_before_s: float) -> list[Viewing]:
        """Viewings that the live process no longer has. Younger ones are left: their offer may be on its way."""
        there = set(living)
        return [one for one in self._open.values() if one.session not in there and one.started_at_s < started_before_s]
