"""The fan-out to the consoles: who is connected, who may receive what, and what happens to the slow ones.

Every console has a bounded queue. When it is full the console is told to load everything afresh ("resync") and what
it missed is dropped: a slow console never holds up the others nor fills the memory. Boxes are worth one picture only,
so they are left out first. Runs on the event loop's thread; no I/O here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from configs.schema import Account
from web.policy import INTEGRATOR, RESPONDER, Permission, Scope, may

QUEUE_MAX = 256
BOXES_MAX = 64  # with more than this waiting, boxes are skipped
RESYNC = '{"type":"resync"}'


@dataclass(eq=False, slots=True)
class Console:
    """One WebSocket. `watch` are the cameras whose boxes it asked for."""

    session: str
    account: Account
    queue: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))
    watch: frozenset[str] = frozenset()
    skipped: int = 0

    def put(self, text: str) -> bool:
        """False when the console was too slow: its queue now holds one "resync" in place of what it missed."""
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.skipped += self.queue.qsize() + 1
            self.clear()
            self.queue.put_nowait(RESYNC)
            return False
        return True

    def end(self) -> None:
        """Asks the console's sender to close the socket."""
        self.clear()
        self.queue.put_nowait(None)

    def clear(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()


class Hub:
    """The consoles that are connected now."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._consoles: set[Console] = set()
        self.resyncs = 0

    def __len__(self) -> int:
        return len(self._consoles)

    def join(self, console: Console) -> None:
        self._consoles.add(console)

    def leave(self, console: Console) -> None:
        self._consoles.discard(console)

    def sessions(self) -> set[str]:
        return {console.session for console in self._consoles}

    def count(self, session: str) -> int:
        return sum(console.session == session for console in self._consoles)

    def renew(self, session: str, account: Account) -> None:
        """The account as it is now: a changed role or group works in open consoles too."""
        for console in self._consoles:
            if console.session == session:
                console.account = account
                console.watch = frozenset(one for one in console.watch if self._scope.sees_camera(account, one))

    def end_session(self, session: str) -> None:
        for console in [one for one in self._consoles if one.session == session]:
            console.end()

    def end_all(self) -> None:
        for console in list(self._consoles):
            console.end()

    def publish(self, message: Mapping[str, Any], *, camera: str = "", unit: str = "") -> None:
        """One message of the outbox or of the bus to everybody who may see it, each in the form that they may see."""
        shared: str | None = None
        for console in list(self._consoles):
            if console.account.role == RESPONDER:
                own = self._for_responder(console.account, message, unit)
                text = None if own is None else _json(own)
            elif self._sees(console.account, message, camera, unit):
                shared = shared if shared is not None else _json(message)
                text = shared
            else:
                text = None
            if text is not None and not console.put(text):
                self.resyncs += 1

    def boxes(self, camera: str, message: Mapping[str, Any]) -> None:
        """Boxes go to consoles that watch this camera (`watch` holds only cameras that the account may see)."""
        text: str | None = None
        for console in list(self._consoles):
            if camera in console.watch and console.queue.qsize() < BOXES_MAX:
                text = text if text is not None else _json(message)
                console.put(text)

    def _sees(self, account: Account, message: Mapping[str, Any], camera: str, unit: str) -> bool:
        kind = message.get("type")
        if kind == "unit":
            return may(account.role, Permission.UNIT_READ) and self._scope.sees_unit(account, unit)
        if kind == "assignment" and account.role == INTEGRATOR:
            return False
        return self._scope.sees_camera(account, camera)

    def _for_responder(self, account: Account, message: Mapping[str, Any], unit: str) -> dict[str, Any] | None:
        own_unit = self._scope.units_of.get(account.name)
        if own_unit is None:
            return None
        kind = message.get("type")
        if kind == "incident":
            incident = message["incident"]
            if not any(one["unit"] == own_unit for one in incident["assignments"]):
                return None
            if not self._scope.sees_incident(account, incident):
                return {"type": "incident_gone", "id": incident["id"]}
            return {**message, "incident": self._scope.incident_for(account, incident)}
        if kind in ("unit", "assignment") and unit == own_unit:
            return dict(message)
        return None


def _json(message: Mapping[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)
