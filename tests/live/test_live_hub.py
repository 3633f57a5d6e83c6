"""The hub over a real unix socket with real H.264: sharing, joining, losing and finding the worker again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.feed import Packet
from streams.live import FeedServer
from tests.live.live_kit import COUNT, FPS, GOP, SIZE, Camera
from web.live_hub import LiveHub, NoFeed


@pytest.fixture
def camera() -> Iterator[Camera]:
    camera = Camera(start_at=7).start()
    yield camera
    camera.stop()


def serve(path: Path, camera: Camera) -> FeedServer:
    return FeedServer(path, lambda name, view: camera.fanout if name == "cam" else None)


async def eventually(condition: Callable[[], bool], within_s: float = 8.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  state beyond this loop: no event tells
            await asyncio.sleep(0.02)


def number_of(packet: Packet | None) -> int:
    assert packet is not None
    return packet.pts_90k * FPS // 90_000


def test_viewers_share_one_connection_and_each_begins_at_a_key_frame(tmp_path: Path, camera: Camera) -> None:
    async def journey() -> None:
        hub = LiveHub(lambda name: tmp_path / "f", linger_s=0.2)
        first = await hub.subscribe("cam", "clear", within_s=5)
        await eventually(lambda: len(camera.shown_at) > GOP // 2 + 7)
        second = await hub.subscribe("cam", "clear", within_s=5)
        assert camera.fanout.viewers == 1
        for viewer in (first, second):
            async with asyncio.timeout(0.5):  # out of the cache: not at the camera's pace
                packet = await viewer.get()
            assert packet is not None
            assert packet.key
            assert packet.cached
            before = number_of(packet)
            for _ in range(8):
                following = number_of(await viewer.get())
                assert following == before + 1
                before = following
        assert first.stream is not None
        assert (first.stream.width, first.stream.height) == SIZE
        first.close()
        assert hub.open_feeds == [("cam", "clear")]
        second.close()
        assert await second.get() is None
        await eventually(lambda: not hub.open_feeds and not camera.fanout.watched)
        await hub.close()

    with serve(tmp_path / "f", camera):
        asyncio.run(journey())


def test_a_worker_that_dies_and_comes_back_resumes_the_same_viewer_at_a_key_frame(tmp_path: Path, camera: Camera) -> None:
    async def journey() -> None:
        server = serve(tmp_path / "f", camera).start()
        hub = LiveHub(lambda name: tmp_path / "f")
        viewer = await hub.subscribe("cam", "clear", within_s=5)
        await viewer.get()
        await asyncio.to_thread(server.close)
        await eventually(lambda: viewer.stalled)
        server = serve(tmp_path / "f", camera).start()
        await eventually(lambda: not viewer.stalled)
        async with asyncio.timeout(3):
            while not ((packet := await viewer.get()) and packet.key):
                pass
            before = number_of(packet)
            assert number_of(await viewer.get()) == before + 1
        await hub.close()
        await asyncio.to_thread(server.close)

    asyncio.run(journey())


def test_no_camera_no_worker_and_no_pictures_say_so(tmp_path: Path, camera: Camera) -> None:
    async def refused(hub: LiveHub, name: str) -> NoFeed:
        with pytest.raises(NoFeed) as refusal:
            await hub.subscribe(name, "clear", within_s=0.4)
        return refusal.value

    async def journey() -> None:
        hub = LiveHub(lambda name: None if name == "nowhere" else tmp_path / ("f" if name != "away" else "none"), linger_s=0.1)
        assert (await refused(hub, "nowhere")).code == "no_camera"
        assert (await refused(hub, "stranger")).code == "no_camera"
        assert (await refused(hub, "away")).code == "no_video"
        camera.stop()
        camera.fanout.gone("no_video", "The camera does not answer.")
        assert str(await refused(hub, "cam")) == "The camera does not answer."
        camera.start()
        viewer = await hub.subscribe("cam", "clear", within_s=5)  # the hub asks again by itself
        assert number_of(await viewer.get()) % GOP == 0
        await hub.close()
        assert not hub.open_feeds

    with serve(tmp_path / "f", camera):
        asyncio.run(journey())


def test_a_viewer_whose_decoder_lost_its_way_gets_the_gop_again(tmp_path: Path, camera: Camera) -> None:
    async def journey() -> None:
        hub = LiveHub(lambda name: tmp_path / "f")
        viewer = await hub.subscribe("cam", "clear", within_s=5)
        for _ in range(GOP // 3):
            await viewer.get()
        viewer.restart()
        packet = await viewer.get()
        assert packet is not None
        assert packet.key
        assert packet.cached
        assert number_of(packet) % COUNT % GOP == 0
        await hub.close()

    with serve(tmp_path / "f", camera):
        asyncio.run(journey())
