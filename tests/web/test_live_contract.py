"""One contract for the live process, over the fake that the other tests use and over the real client at a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streams import feed
from tests.web.web_kit import FakeLive
from web.deps import Live
from web.live_client import LiveAway, LiveClient

PLAY = feed.Play("p1", "gate", "clear", None)
OFFER = feed.Offer("s1", "gate", "wall", "v=0\r\n", 1_800_000_000.0)


@asynccontextmanager
async def fake(_: Path, behind: FakeLive) -> AsyncIterator[Live]:
    yield behind


@asynccontextmanager
async def real(folder: Path, behind: FakeLive) -> AsyncIterator[Live]:
    """The client at a unix socket, behind which the same fake answers in the frames of the protocol."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        message = await feed.receive_async(reader)
        try:
            if isinstance(message, feed.Offer):
                writer.write(feed.encode(await behind.offer(message)))
            elif isinstance(message, feed.Play):
                body = await behind.play(message)
                if isinstance(body, feed.Refused):
                    writer.write(feed.encode(body))
                else:
                    async for data in body:
                        writer.write(data)
                        await writer.drain()
            elif isinstance(message, feed.Close):
                await behind.close(message.session)
                writer.write(feed.encode(feed.Done()))
            else:
                writer.write(feed.encode(feed.Sessions(await behind.sessions())))
            await writer.drain()
        except LiveAway:
            pass  # hangs up without an answer
        writer.close()

    server = await asyncio.start_unix_server(answer, folder / "live.sock")
    try:
        yield LiveClient(folder / "live.sock")
    finally:
        server.close()


@pytest.mark.parametrize("make", [fake, real])
def test_contract(tmp_path: Path, make: Callable[..., object]) -> None:
    async def run() -> None:
        behind = FakeLive()
        async with make(tmp_path, behind) as live:  # type: ignore[attr-defined]
            answer = await live.offer(OFFER)
            assert isinstance(answer, feed.Answer)
            assert answer.sdp.startswith("v=0")
            assert await live.sessions() == (feed.SessionState("s1", "gate", "wall", "live"),)
            await live.close("s1")
            await live.close("s1")  # closing what is gone is no error
            assert await live.sessions() == ()
            behind.refuse = feed.Refused("no_video", "dark")
            assert await live.offer(OFFER) == feed.Refused("no_video", "dark")
            assert await live.play(PLAY) == feed.Refused("no_video", "dark")
            behind.refuse = None
            body = await live.play(PLAY)
            assert not isinstance(body, feed.Refused)
            decoder, got = feed.Decoder(), []
            async for data in body:
                got += decoder.receive(data)
                if any(isinstance(one, feed.Packet) for one in got):
                    await behind.close(PLAY.session)
            assert isinstance(got[0], feed.Stream)
            assert isinstance(got[-1], feed.Gone)
            behind.away = True
            for ask in (lambda: live.offer(OFFER), lambda: live.close("s1"), live.sessions, lambda: live.play(PLAY)):
                with pytest.raises(LiveAway):
                    await ask()

    asyncio.run(run())


def test_no_live_process_at_all(tmp_path: Path) -> None:
    async def run() -> None:
        with pytest.raises(LiveAway):
            await LiveClient(tmp_path / "nobody.sock").sessions()

    asyncio.run(run())
