"""The web side for tests: a real desk on a temporary store, real accounts, a clock that is set by hand, fakes for the live
process and the bus (each held to its contract by a test), and phones and consoles that speak HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI

from configs.layout import Layout
from configs.schema import Account, CalibrationPoint, Camera, Dispatch, Jurisdiction, Settings, Site, Unit, Web, Zone
from dispatch import plan
from dispatch.bus import SIGHTINGS
from dispatch.eta import GreatCircle
from dispatch.service import Desk
from streams import feed
from vision.sighting import Evidence, Ground, HazardKind, Sighting
from web.accounts import Accounts
from web.app import create_app
from web.deps import Services
from web.live_client import LiveAway
from web.tasks import Tasks

NOW_S = 1_800_000_000.0
ORIGIN = "http://callout.test"
PASSWORD = "correct horse battery"
THUMBNAIL = "ab" * 32
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # the tests are about the doors, not about argon2's cost
ROLES = ("operator", "commander", "responder", "auditor", "integrator", "admin")
SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))


def camera(camera_id: str, group: str, jurisdiction: str, **more: Any) -> Camera:
    return Camera(
        id=camera_id,
        name=f"Camera {camera_id}",
        name_zh=f"摄像机 {camera_id}",
        url=f"rtsp://root:hunter2@10.0.0.9/{camera_id}",
        position=(60.17, 24.94),
        purpose="Watches the stairs",
        purpose_zh="监看台阶",
        group=group,
        jurisdiction=jurisdiction,
        zones=(Zone("stairs", "intrusion", SQUARE, name="Stairs", name_zh="台阶"),),
        **more,
    )


def settings(**web: Any) -> Settings:
    corners = (((0.9, 0.9), (60.1701, 24.9402)), ((0.1, 0.1), (60.1703, 24.9400)), ((0.9, 0.1), (60.1703, 24.9402)))
    calibration = tuple(CalibrationPoint(*c) for c in (*corners, ((0.1, 0.9), (60.1701, 24.9400))))
    return Settings(
        site=Site("Testville", "测试市"),
        web=Web(**web),
        dispatch=Dispatch(grant_s=60.0, offer_timeout_s=30.0),
        jurisdiction=(Jurisdiction("city", "City", level="district"), Jurisdiction("centre", "Centre", parent="city"),
                      Jurisdiction("north", "North", level="district")),
        camera=(camera("gate", "square", "centre", calibration=calibration), camera("yard", "depot", "centre"),
                camera("bridge", "square", "north")),
        unit=(Unit("patrol", "Patrol", (60.171, 24.941), name_zh="巡逻", skills=("first_aid", "crowd_control"),
                   jurisdiction="centre", account="responder"),
              Unit("engine", "Engine", (60.172, 24.942), skills=("fire", "rescue", "first_aid", "crowd_control"), mode="car",
                   jurisdiction="centre", account="other-responder"),
              Unit("northern", "Northern", (60.2, 24.9), jurisdiction="north")),
        account=(Account("operator", "operator", "Olga", "city", ("square",)),
                 Account("depot-operator", "operator", "", "city", ("depot",)),
                 Account("north-operator", "operator", "", "north", ("square",)),
                 Account("commander", "commander", "", "city", ("square", "depot")),
                 Account("responder", "responder", "Riku", "city"), Account("other-responder", "responder", "", "city"),
                 Account("auditor", "auditor", "", "city"), Account("integrator", "integrator", "", "city", ("square",)),
                 Account("admin", "administrator", "", "city")),
    )  # fmt: skip


class Clock:
    def __init__(self, now_s: float = NOW_S) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


class FakeLive:
    """The live process without video. Held to `web.live_client.LiveClient` by test_live_contract."""

    def __init__(self) -> None:
        self.open: dict[str, feed.Offer | feed.Play] = {}
        self.closed: list[str] = []
        self.refuse: feed.Refused | None = None
        self.away = False

    async def offer(self, offer: feed.Offer) -> feed.Answer | feed.Refused:
        self._there()
        if self.refuse is not None:
            return self.refuse
        self.open[offer.session] = offer
        return feed.Answer("v=0\r\no=- answer\r\n")

    async def play(self, play: feed.Play) -> feed.Refused | AsyncGenerator[bytes]:
        self._there()
        if self.refuse is not None:
            return self.refuse
        self.open[play.session] = play

        async def body() -> AsyncGenerator[bytes]:
            yield feed.encode(feed.Stream("h264", 640, 360))
            while play.session in self.open:
                yield feed.encode(feed.Packet(pts_90k=0, key=True, captured_at_s=NOW_S, data=b"picture"))
                await asyncio.sleep(0.01)
            yield feed.encode(feed.Gone("closed", "as asked"))

        return body()

    async def close(self, session: str) -> None:
        self._there()
        self.closed.append(session)
        self.open.pop(session, None)

    async def sessions(self) -> tuple[feed.SessionState, ...]:
        self._there()
        return tuple(feed.SessionState(one.session, one.camera, one.view, "live") for one in self.open.values())

    def _there(self) -> None:
        if self.away:
            raise LiveAway("the live process does not answer (away)")


class FakeBus:
    """The bus in memory, with what the tasks ask of it. `broken` makes every call fail, as a bus that restarts does."""

    def __init__(self) -> None:
        self.sightings: list[tuple[str, str]] = []
        self.clips: list[tuple[str, str]] = []
        self.acked: list[str] = []
        self.acked_clips: list[str] = []
        self.aside: list[tuple[str, str]] = []
        self.healths: list[dict[str, Any]] = []
        self.messages: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.broken = False

    async def take_sightings(self, limit: int, wait_s: float) -> Sequence[tuple[str, str]]:
        return await self._take(self.sightings, self.acked, limit)

    async def take_clips(self, limit: int, wait_s: float) -> Sequence[tuple[str, str]]:
        return await self._take(self.clips, self.acked_clips, limit)

    async def _take(self, rows: list[tuple[str, str]], acked: list[str], limit: int) -> Sequence[tuple[str, str]]:
        await asyncio.sleep(0.01)
        if self.broken:
            raise ConnectionError("the bus is restarting")
        return [row for row in rows if row[0] not in acked][:limit]

    async def ack_sighting(self, message_id: str) -> None:
        self.acked.append(message_id)

    async def ack_clip(self, message_id: str) -> None:
        self.acked_clips.append(message_id)

    async def put_aside(self, message_id: str, text: str, why: str, stream: str = SIGHTINGS) -> None:
        self.aside.append((message_id, why))
        (self.acked if stream == SIGHTINGS else self.acked_clips).append(message_id)

    async def health(self) -> Sequence[dict[str, Any]]:
        return self.healths

    async def close(self) -> None:
        self.broken = True

    def publish(self, kind: str, message: dict[str, Any]) -> None:
        self.messages.put_nowait((kind, message))

    async def published(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        while True:
            yield await self.messages.get()


def sighting(camera_id: str = "gate", number: int = 1, at_s: float = NOW_S, **more: Any) -> Sighting:
    values: dict[str, Any] = {
        "id": f"{camera_id}-{number}", "kind": HazardKind.INTRUSION, "camera": camera_id, "zone": "stairs", "at_s": at_s,
        "began_at_s": at_s - 1, "score": 0.8, "box": (0.1, 0.2, 0.3, 0.6), "ground": Ground(60.1702, 24.9401, 3.0),
        "evidence": Evidence("m" * 64, "intrusion", thumbnail_sha256=THUMBNAIL), "clip": "",
    }  # fmt: skip
    return Sighting(**{**values, **more})


@dataclass
class House:
    """One running app with what stands behind it."""

    app: FastAPI
    services: Services
    desk: Desk
    live: FakeLive
    bus: FakeBus | None
    clock: Clock
    layout: Layout
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def browser(self, **headers: str) -> httpx.AsyncClient:
        """A browser that nobody signed in at."""
        transport = httpx.ASGITransport(self.app, client=("192.0.2.7", 4711))
        client = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN, **headers})
        self.clients.append(client)
        return client

    async def signed_in(self, name: str, **headers: str) -> httpx.AsyncClient:
        client = self.browser(**headers)
        answer = await client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["X-Callout-CSRF"] = answer.json()["csrf"]
        return client

    async def opened(self, camera_id: str = "gate", number: int = 1, **more: Any) -> dict[str, Any]:
        """An incident that a camera raised."""
        seen = sighting(camera_id, number, self.clock(), **more)
        view = await self.services.on_desk(self.desk.receive, seen, self.clock())
        return view.as_json()

    def services_running(self) -> Any:
        """The background tasks, as a context."""
        return Tasks(self.services, self.bus).running()

    async def responding(self, name: str = "responder") -> httpx.AsyncClient:
        """A responder on duty, with a position."""
        phone = await self.signed_in(name)
        answer = await phone.post("/api/v1/units/me/state", json={"state": "available"})
        assert answer.status_code == 200, answer.text
        place = {"lat": 60.1705, "lon": 24.9405, "accuracy_m": 5, "client_time_s": self.clock()}
        answer = await phone.post("/api/v1/units/me/position", json=place)
        assert answer.status_code == 200, answer.text
        return phone


@asynccontextmanager
async def house(folder: Path, *, bus: FakeBus | None = None, background: bool = False, **web: Any) -> AsyncIterator[House]:
    """`background`: with the tasks (outbox, deadlines, bus); without them a test sees only what its requests do."""
    layout = Layout(folder)
    layout.make()
    clock, live, site = Clock(), FakeLive(), settings(**web)
    desk = Desk.open(layout.store, site, GreatCircle(), plan.load())
    accounts = Accounts.open(layout.root, session_s=12 * 3600, hasher=CHEAP)
    for account in site.account:
        accounts.ensure(account, PASSWORD)
    app = create_app(site, layout, desk, bus, live, clock, accounts=accounts)
    made = House(app, app.state.services, desk, live, bus, clock, layout)
    try:
        if background:
            async with app.router.lifespan_context(app):
                yield made
        else:
            yield made
    finally:
        for client in made.clients:
            await client.aclose()
        made.services.desk_thread.shutdown(wait=True)
        accounts.close()
        desk.close()


async def until(check: Any, within_s: float = 5.0) -> Any:
    """Polls until `check()` is truthy, and returns that."""
    async with asyncio.timeout(within_s):
        while not (found := check()):  # noqa: ASYNC110  what it waits for lies in other threads and in the store too
            await asyncio.sleep(0.01)
    return found


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, checked for what all of them have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.text)
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"] == f"urn:callout:problem:{code}"
    assert body["title"]
    assert body["detail"]
    return body
