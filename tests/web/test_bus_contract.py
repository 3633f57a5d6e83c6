"""One contract for the bus, over the fake that the tests of the tasks use and over dispatch's own at a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from configs.layout import Layout
from dispatch.bus import AsyncBus, Bus
from dispatch.embedded import EmbeddedValkey
from tests.web.web_kit import NOW_S, FakeBus, sighting
from web.tasks import WebBus


class FakeSide:
    """What a worker does to the fake."""

    def __init__(self, bus: FakeBus) -> None:
        self.bus = bus

    def sighting(self) -> None:
        self.bus.sightings.append((f"{len(self.bus.sightings) + 1}-0", sighting().to_json()))

    def clip(self, message: dict[str, Any]) -> None:
        self.bus.clips.append((f"{len(self.bus.clips) + 1}-0", json.dumps(message)))

    def health(self, message: dict[str, Any]) -> None:
        self.bus.healths.append(message)
        self.bus.publish("health", message)

    def view(self, message: dict[str, Any]) -> None:
        self.bus.publish("view", message)


class RealSide:
    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def sighting(self) -> None:
        self.bus.publish_sighting(sighting())

    def clip(self, message: dict[str, Any]) -> None:
        self.bus.publish_clip(message)

    def health(self, message: dict[str, Any]) -> None:
        self.bus.publish_health(message)

    def view(self, message: dict[str, Any]) -> None:
        self.bus.publish_view(message)


@asynccontextmanager
async def fake(_: Path) -> AsyncIterator[tuple[WebBus, FakeSide]]:
    bus = FakeBus()
    yield bus, FakeSide(bus)


@asynccontextmanager
async def real(folder: Path) -> AsyncIterator[tuple[WebBus, RealSide]]:
    layout = Layout(folder)
    layout.make()
    server = EmbeddedValkey(layout)
    await asyncio.to_thread(server.start)
    worker, bus = Bus(server.url), AsyncBus(server.url)
    try:
        yield bus, RealSide(worker)
    finally:
        await bus.close()
        worker.close()
        await asyncio.to_thread(server.stop)


@pytest.mark.parametrize("make", [fake, real])
def test_contract(tmp_path: Path, make: Callable[..., Any]) -> None:
    async def run() -> None:
        async with make(tmp_path) as (bus, worker), asyncio.timeout(20):
            assert await bus.take_sightings(5, 0.01) == []
            worker.sighting()
            [(first, text)] = await bus.take_sightings(5, 1.0)
            assert json.loads(text)["camera"] == "gate"
            assert await bus.take_sightings(5, 0.01) == [(first, text)], "again, until it is acknowledged"
            await bus.ack_sighting(first)
            assert await bus.take_sightings(5, 0.01) == []
            worker.sighting()
            [(second, text)] = await bus.take_sightings(5, 1.0)
            await bus.put_aside(second, text, "not a sighting")
            assert await bus.take_sightings(5, 0.01) == []
            worker.clip({"clip": "c"})
            [(clip, text)] = await bus.take_clips(5, 1.0)
            assert json.loads(text) == {"clip": "c"}
            await bus.ack_clip(clip)
            assert await bus.take_clips(5, 0.01) == []
            published = bus.published()
            waiting = asyncio.ensure_future(anext(published))
            health = {"camera": "gate", "state": "live", "at_s": NOW_S}
            while not waiting.done():  # what is published before the subscription stands is not heard
                worker.health(health)
                await asyncio.wait([waiting], timeout=0.1)
            assert await waiting == ("health", health)
            worker.view({"camera": "gate", "boxes": []})
            while (heard := await anext(published))[0] != "view":
                assert heard == ("health", health)
            assert heard == ("view", {"camera": "gate", "boxes": []})
            assert health in await bus.health()
            await published.aclose()

    asyncio.run(run())
