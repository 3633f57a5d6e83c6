"""The background tasks, on the real desk: from the bus to the consoles, through a bus that breaks, and in time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from streams import feed
from tests.web.web_kit import NOW_S, FakeBus, House, house, sighting, until
from web import tasks
from web.hub import Console


def console(h: House, name: str = "operator") -> Console:
    """A console of a session that lives, without a socket."""
    known = h.services.accounts.store.account(name)
    assert known is not None
    made = Console(h.services.accounts.open_session(known[0], h.clock()).session.id, known[0])
    h.services.hub.join(made)
    return made


async def message(made: Console, kind: str) -> dict[str, Any]:
    """The next message of the kind."""
    async with asyncio.timeout(5):
        while True:
            found: dict[str, Any] = json.loads(await made.queue.get() or "{}")
            if found.get("type") == kind:
                return found


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "WATCH_EVERY_S", 0.05)
    monkeypatch.setattr(tasks, "LONGEST_SLEEP_S", 0.05)


def test_a_sighting_on_the_bus_becomes_an_incident_on_the_console(tmp_path: Path) -> None:
    async def run() -> None:
        bus = FakeBus()
        async with house(tmp_path, bus=bus, background=True) as h:
            screen = console(h)
            bus.sightings.append(("1-0", sighting().to_json()))
            shown = (await message(screen, "incident"))["incident"]
            assert shown["camera"] == "gate"
            await until(lambda: "1-0" in bus.acked)
            assert h.services.counters.counts["sightings_received"] == 1

    asyncio.run(run())


def test_poison_is_put_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        bus = FakeBus()
        async with house(tmp_path, bus=bus, background=True) as h:
            texts = ["{", '{"kind": "riot"}', sighting("nowhere").to_json(), sighting().to_json()]
            bus.sightings += [(f"{number}-0", text) for number, text in enumerate(texts, 1)]
            await until(lambda: len(bus.acked) == 4)
            assert [message_id for message_id, _ in bus.aside] == ["1-0", "2-0", "3-0"]
            assert all(why for _, why in bus.aside)
            assert len(h.desk.incidents("open")) == 1
            assert all(h.services.tasks_running.values())

    asyncio.run(run())


def test_a_bus_that_restarts_loses_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        bus = FakeBus()
        async with house(tmp_path, bus=bus, background=True) as h:
            bus.broken = True
            await until(lambda: not h.services.tasks_running["sightings"])
            bus.sightings.append(("1-0", sighting().to_json()))
            ready = await h.browser().get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["parts"]["sightings"] is False
            bus.broken = False
            await until(lambda: "1-0" in bus.acked and h.services.tasks_running["sightings"])
            await until(lambda: h.services.tasks_running["clips"])
            assert (await h.browser().get("/readyz")).json()["ready"] is True
            assert h.services.counters.counts["task_failures"] >= 1

    asyncio.run(run())


def test_a_full_disk_leaves_the_message_on_the_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dispatch.errors import StoreFailed

    async def run() -> None:
        bus = FakeBus()
        async with house(tmp_path, bus=bus, background=True) as h:
            real, full = h.desk.receive, True

            def receive(*arguments: Any) -> Any:
                if full:
                    raise StoreFailed("callout.db", "No space left on device")
                return real(*arguments)

            monkeypatch.setattr(h.desk, "receive", receive)
            bus.sightings.append(("1-0", sighting().to_json()))
            await until(lambda: not h.services.tasks_running["sightings"])
            assert bus.acked == []
            full = False
            await until(lambda: bus.acked == ["1-0"])
            assert bus.aside == []

    asyncio.run(run())


def test_health_and_boxes_reach_the_consoles_that_may_see_them(tmp_path: Path) -> None:
    async def run() -> None:
        bus = FakeBus()
        bus.healths = [{"camera": "gate", "state": "unreachable", "reason": "no route", "at_s": NOW_S}]
        async with house(tmp_path, bus=bus, background=True) as h:
            await until(lambda: h.services.health.of("gate", NOW_S)["state"] == "unreachable")
            screen, depot = console(h), console(h, "depot-operator")
            screen.watch = depot.watch = frozenset({"gate"})
            bus.messages.put_nowait(("health", {"camera": "gate", "state": "live", "at_s": NOW_S + 1}))
            assert (await message(screen, "camera"))["health"]["state"] == "live"
            bus.messages.put_nowait(("view", {"camera": "gate", "at_s": NOW_S, "boxes": [["person", 0.9, 0, 0, 1, 1, 7]]}))
            assert (await message(screen, "boxes"))["boxes"] == [["person", 0.9, 0, 0, 1, 1, 7]]
            kinds = [json.loads(depot.queue.get_nowait() or "")["type"] for _ in range(depot.queue.qsize())]
            assert "camera" not in kinds
            h.clock.advance(30)
            silent = await message(screen, "camera")
            assert silent["health"]["state"] == "stalled"

    asyncio.run(run())


def test_an_offer_that_nobody_answers_times_out(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, background=True) as h:
            operator = await h.signed_in("operator")
            await h.responding()
            seen = await h.opened()
            confirmed = await operator.post(
                f"/api/v1/incidents/{seen['id']}/confirm", json={}, headers={"If-Match": f'"{seen["version"]}"'}
            )
            path = f"/api/v1/incidents/{seen['id']}/assignments"
            assert confirmed.status_code == 200, confirmed.text
            assert (await operator.post(path, json={"unit": "patrol"})).status_code == 201
            screen = console(h)
            h.clock.advance(31)
            while True:
                found = await message(screen, "assignment")
                if found["assignment"]["state"] == "timed_out":
                    break

    asyncio.run(run())


def test_pictures_end_with_their_grant_their_session_and_the_live_process(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, background=True) as h:
            operator = await h.signed_in("operator")
            seen = await h.opened()
            given = (await operator.post(f"/api/v1/incidents/{seen['id']}/grants", json={"purpose": "look"})).json()
            sdp = {"Content-Type": "application/sdp"}
            assert (await operator.post(given["whep"], content="v=0\r\n", headers=sdp)).status_code == 201
            assert (await operator.post("/whep/wall/gate", content="v=0\r\n", headers=sdp)).status_code == 201
            wall = next(one.session for one in h.services.watching.all() if one.view == "wall")
            h.clock.advance(61)
            await until(lambda: [one.view for one in h.services.watching.all()] == ["wall"])
            del h.live.open[wall]  # the browser's tab was closed: the live process noticed
            await until(lambda: len(h.services.watching) == 0)
            assert (await operator.post("/whep/wall/gate", content="v=0\r\n", headers=sdp)).status_code == 201
            h.services.accounts.set_password("operator", "an entirely new one")
            await until(lambda: len(h.services.watching) == 0 and not h.live.open)
            h.live.open["left-over"] = feed.Offer("left-over", "gate", "wall", "v=0")
            await until(lambda: "left-over" in h.live.closed)
            reasons = {entry.detail["why"] for entry in h.desk.audit(limit=1000) if entry.action == "live.ended"}
            assert reasons == {"grant_ended", "disconnected", "signed_out"}

    asyncio.run(run())


def test_stopping_the_server_writes_down_that_the_watching_ended(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            async with h.services_running():
                operator = await h.signed_in("operator")
                sdp = {"Content-Type": "application/sdp"}
                assert (await operator.post("/whep/wall/gate", content="v=0\r\n", headers=sdp)).status_code == 201
            ended = [entry for entry in h.desk.audit(limit=1000) if entry.action == "live.ended"]
            assert [entry.detail["why"] for entry in ended] == ["server_stopped"]

    asyncio.run(run())


def test_an_open_console_is_not_idle_but_ends_with_its_session(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, background=True) as h:
            screen = console(h)
            accounts, session = h.services.accounts, screen.session

            def used() -> bool:
                row = accounts.session(session, h.clock())
                return row is not None and row.used_at_s == h.clock()

            for _ in range(4):
                h.clock.advance(3500)
                await until(used)
            accounts.end_session(session)

            def told() -> bool:
                return None in [screen.queue.get_nowait() for _ in range(screen.queue.qsize())]

            await until(told)

    asyncio.run(run())
