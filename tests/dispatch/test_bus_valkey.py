"""The bus and its embedded server: at least once, poison put aside, the orphan of a killed parent ended, nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from configs.layout import Layout
from configs.settings import ROOT, environment
from dispatch import bus as bus_
from dispatch import embedded
from dispatch.bus import AsyncBus, Bus, BusError
from dispatch.embedded import EmbeddedError, EmbeddedValkey
from tests.dispatch.dispatch_kit import NOW_S, sighting
from vision.sighting import Sighting

KEYS = (bus_.SIGHTINGS, bus_.CLIPS, bus_.DEAD, bus_.HEALTH)
OWN_REDIS = environment().test_redis


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = EmbeddedValkey(Layout(tmp_path_factory.mktemp("valkey")))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(params=["valkey", *(["redis"] if OWN_REDIS else [])])
def url(request: pytest.FixtureRequest, valkey: str) -> Iterator[str]:
    """An empty bus: the embedded one, and yours when CALLOUT_TEST_REDIS names it."""
    found = valkey if request.param == "valkey" else OWN_REDIS
    client = redis.Redis.from_url(found)
    client.delete(*KEYS)
    yield found
    client.delete(*KEYS)
    client.close()


@contextlib.asynccontextmanager
async def listening(url: str, **options: Any) -> Any:
    reader = AsyncBus(url, **options)
    try:
        yield reader
    finally:
        await reader.close()


def test_what_was_published_comes_until_it_is_acknowledged(url: str) -> None:
    worker = Bus(url)
    for k in range(3):
        worker.publish_sighting(sighting(k))
    worker.publish_clip({"clip": "c1", "state": "open"})
    worker.close()

    async def run() -> None:
        async with listening(url) as reader:
            first = await reader.take_sightings(2, 0.1)
            assert [Sighting.from_json(text) for _, text in first] == [sighting(0), sighting(1)]
            assert await reader.take_sightings(2, 0.1) == first  # not acknowledged: again
        async with listening(url) as reader:  # after a restart, too
            assert await reader.take_sightings(2, 0.1) == first
            for message_id, _ in first:
                await reader.ack_sighting(message_id)
            ((last, text),) = await reader.take_sightings(10, 0.1)
            assert Sighting.from_json(text).id == "s2"
            await reader.ack_sighting(last)
            assert await reader.take_sightings(10, 0.05) == []
            ((clip, text),) = await reader.take_clips(10, 0.1)
            assert json.loads(text)["clip"] == "c1"
            await reader.ack_clip(clip)

    asyncio.run(run())
    client = redis.Redis.from_url(url)
    assert client.xlen(bus_.SIGHTINGS) == client.xlen(bus_.CLIPS) == 0  # what is done does not pile up
    client.close()


def test_what_another_reader_took_and_never_finished_is_taken_over(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_, "STALE_MS", 1)
    worker = Bus(url)
    worker.publish_sighting(sighting(1))
    worker.close()

    async def run() -> None:
        async with listening(url, consumer="gone") as gone, listening(url) as reader:
            assert len(await gone.take_sightings(10, 0.1)) == 1
            await asyncio.sleep(0.01)
            assert len(await reader.take_sightings(10, 0.1)) == 1

    asyncio.run(run())


def test_poison_is_put_aside_with_its_reason(url: str) -> None:
    client = redis.Redis.from_url(url)
    client.xadd(bus_.SIGHTINGS, {"json": "{not json"})
    client.xadd(bus_.SIGHTINGS, {"other": "field"})
    client.close()

    async def run() -> None:
        async with listening(url) as reader:
            for message_id, text in await reader.take_sightings(10, 0.1):
                with pytest.raises(ValueError, match="not a sighting"):
                    Sighting.from_json(text)
                await reader.put_aside(message_id, text, "not a sighting")
            assert await reader.take_sightings(10, 0.05) == []
            assert {d["json"] for d in await reader.dead()} == {"{not json", ""}
            assert {d["why"] for d in await reader.dead()} == {"not a sighting"}

    asyncio.run(run())


def test_health_is_kept_and_published_and_boxes_are_published(url: str) -> None:
    worker = Bus(url)
    worker.publish_health({"camera": "cam-1", "state": "live", "reason_zh": "正常"})
    worker.publish_health({"camera": "cam-1", "state": "stalled"})

    async def run() -> None:
        async with listening(url) as reader:
            assert await reader.health() == [{"camera": "cam-1", "state": "stalled"}]
            heard: list[tuple[str, dict[str, Any]]] = []

            async def hear() -> None:
                async for kind, message in reader.published():
                    heard.append((kind, message))
                    if kind == "view":
                        return

            task = asyncio.create_task(hear())
            deadline = time.monotonic() + 10
            while not task.done() and time.monotonic() < deadline:
                await asyncio.to_thread(worker.publish_health, {"camera": "cam-2", "state": "live"})
                await asyncio.to_thread(worker.publish_view, {"camera": "cam-1", "at_s": NOW_S, "boxes": []})
                await asyncio.sleep(0.02)
            await task
            assert ("view", {"camera": "cam-1", "at_s": NOW_S, "boxes": []}) in heard
            assert all(kind in ("health", "view") for kind, _ in heard)

    asyncio.run(run())
    worker.close()


def test_a_server_that_lost_its_data_is_begun_anew(url: str) -> None:
    async def run() -> None:
        async with listening(url) as reader:
            assert await reader.take_sightings(1, 0.05) == []
            client = redis.Redis.from_url(url)
            client.delete(bus_.SIGHTINGS)
            client.close()
            worker = Bus(url)
            worker.publish_sighting(sighting(1))
            worker.close()
            assert len(await reader.take_sightings(1, 0.1)) == 1

    asyncio.run(run())


def test_an_absent_server_is_named_without_its_password() -> None:
    absent = Bus("redis://user:s3cret@127.0.0.1:1/0")
    for call in (absent.check, lambda: absent.publish_sighting(sighting())):
        with pytest.raises(BusError) as error:
            call()
        assert "127.0.0.1:1" in str(error.value)
        assert "s3cret" not in str(error.value)

    async def run() -> None:
        async with listening("unix:///nowhere/valkey.sock") as reader:
            with pytest.raises(BusError, match=r"/nowhere/valkey\.sock"):
                await reader.take_sightings(1, 0.1)

    asyncio.run(run())
    with pytest.raises(BusError, match="url"):
        Bus("http://example.org")


def until(true: Any, within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


PARENT = """
    import sys, time
    from pathlib import Path
    from configs.layout import Layout
    from dispatch.embedded import EmbeddedValkey
    server = EmbeddedValkey(Layout(Path(sys.argv[1])))
    server.start()
    print(server.process_id, flush=True)
    time.sleep(60)
"""


def test_the_orphan_of_a_killed_parent_is_ended_and_nothing_is_lost(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "site")
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(layout.root)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    worker = Bus(f"unix://{layout.bus_socket}")
    worker.publish_sighting(sighting(7))
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    parent.stdout.close()
    worker.publish_sighting(sighting(8))  # it lives on, alone
    server = EmbeddedValkey(layout)
    server.start()
    try:
        assert server.process_id != orphan
        until(lambda: not embedded._alive(orphan))  # the same look that start() takes
        assert layout.bus_socket.stat().st_mode & 0o777 == 0o700
        assert layout.run.stat().st_mode & 0o777 == 0o700

        async def run() -> list[str]:
            async with listening(server.url) as reader:
                return [Sighting.from_json(text).id for _, text in await reader.take_sightings(10, 0.5)]

        assert asyncio.run(run()) == ["s7", "s8"]
        listens = Path(f"/proc/{server.process_id}/net/tcp")
        if listens.exists():
            config = redis.Redis.from_url(server.url)
            assert config.config_get("port") in ({"port": "0"}, {b"port": b"0"})  # no TCP port at all
            config.close()
    finally:
        worker.close()
        server.stop()
    assert not layout.bus_socket.exists() or not embedded._alive(server.process_id or -1)


def test_a_server_that_is_killed_under_us_comes_back_with_its_data(tmp_path: Path) -> None:
    server = EmbeddedValkey(Layout(tmp_path))
    server.start()
    worker = Bus(server.url)
    try:
        worker.publish_sighting(sighting(1))
        worker.publish_clip({"clip": "c"})
        first = server.process_id
        assert first is not None
        until((tmp_path / "bus" / "appendonlydir").is_dir)
        os.kill(first, signal.SIGKILL)

        def back() -> bool:
            try:
                return worker.check().process_id != first
            except BusError:
                return False

        until(back)

        async def run() -> None:
            async with listening(server.url) as reader:
                assert len(await reader.take_sightings(10, 0.2)) == 1
                assert len(await reader.take_clips(10, 0.2)) == 1

        asyncio.run(run())
    finally:
        worker.close()
        server.stop()
    assert not embedded._alive(first)


def test_a_socket_left_behind_does_not_stop_a_start(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    layout.bus_socket.write_text("")
    server = EmbeddedValkey(layout)
    server.start()
    server.stop()
    server.start()  # and it can be started again
    server.stop()


def test_a_damaged_file_of_the_bus_is_said(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    server = EmbeddedValkey(layout)
    server.start()
    server.stop()
    for file in (layout.bus / "appendonlydir").iterdir():
        file.write_bytes(b"not what it was")
    with pytest.raises(EmbeddedError, match="ended at once"):
        server.start()


def test_a_data_folder_whose_path_is_long_has_its_socket_elsewhere(tmp_path: Path) -> None:
    server = EmbeddedValkey(Layout(tmp_path / ("long" * 20)))
    server.start()
    try:
        worker = Bus(server.url)
        assert worker.check().version >= (6, 2)
        worker.close()
    finally:
        server.stop()
