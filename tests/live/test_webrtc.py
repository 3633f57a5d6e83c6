"""The live process's server against aiortc as the browser: what it answers, refuses, and ends by itself.

Also the contract with what web/live_track.py reaches into: H.264 only, loopback offered, GOP first, PLI answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from streams.feed import Answer, Close, Decoder, Gone, Offer, Packet, Play, Refused, Stream
from streams.live import FeedServer
from tests.live.live_kit import SIZE, Camera, clip
from web.live_client import LiveAway, LiveClient
from web.live_hub import Feed, Viewer
from web.live_track import Pace
from web.offer_sdp import BadOffer, checked
from web.webrtc import LiveServer, Session


def test_a_session_is_over_at_its_time_also_when_the_clock_is_set_back(tmp_path: Path) -> None:
    async def run() -> None:
        viewer = Viewer(Feed(tmp_path / "no.sock", "cam", "clear", 1.0, lambda _: None))
        session = Session("s", "cam", "clear", 1060.0, viewer, opened_s=5.0, term_s=60.0)
        assert session.over(1059.0, 64.0) is None
        assert session.over(1060.0, 64.0) == "expired"
        assert session.over(400.0, 64.0) is None
        assert session.over(400.0, 65.0) == "expired"
        viewer.close()
        await viewer._feed.close()

    asyncio.run(run())


@dataclass
class Browser:
    """A peer that receives: aiortc's other half."""

    peer: RTCPeerConnection
    tracks: list[MediaStreamTrack]

    @classmethod
    def open(cls) -> Browser:
        browser = cls(RTCPeerConnection(RTCConfiguration(iceServers=[])), [])
        browser.peer.addTransceiver("video", direction="recvonly")
        browser.peer.on("track", browser.tracks.append)
        return browser

    async def offer(self) -> str:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        sdp: str = self.peer.localDescription.sdp
        return sdp

    async def accept(self, sdp: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))


def live(folder: Path, camera: Camera, journey: Callable[[LiveClient], Awaitable[None]], *, sessions_max: int = 4) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        server = LiveServer(
            folder / "live",
            lambda name: folder / "feed" if name == "cam" else None,
            sessions_max=sessions_max,
            picture_within_s=4.0,
        )
        serving = asyncio.create_task(server.run(stop))
        async with asyncio.timeout(40):
            while not (folder / "live").exists():  # noqa: ASYNC110  state beyond this loop: no event tells
                await asyncio.sleep(0.01)
            await journey(LiveClient(folder / "live"))
            stop.set()
            await serving
        assert not (folder / "live").exists()

    with FeedServer(folder / "feed", lambda name, view: camera.fanout if name == "cam" else None):
        asyncio.run(run())


@pytest.fixture
def camera() -> Iterator[Camera]:
    camera = Camera(start_at=10).start()
    yield camera
    camera.stop()


async def answered(client: LiveClient, browser: Browser, session: str = "s", expires_at_s: float | None = None) -> str:
    reply = await client.offer(Offer(session, "cam", "clear", await browser.offer(), expires_at_s))
    assert isinstance(reply, Answer), reply
    return reply.sdp


def test_the_answer_is_h264_only_over_loopback_too_and_pictures_arrive(tmp_path: Path, camera: Camera) -> None:
    async def journey(client: LiveClient) -> None:
        browser = Browser.open()
        sdp = await answered(client, browser)
        codecs = {line.split()[1] for line in sdp.splitlines() if line.startswith("a=rtpmap:")}
        assert codecs == {"H264/90000", "rtx/90000"}
        assert "packetization-mode=1" in sdp
        assert "a=sendonly" in sdp
        assert any(line.startswith("a=candidate:") and " 127.0.0.1 " in line for line in sdp.splitlines())
        await browser.accept(sdp)
        frame = await browser.tracks[0].recv()
        assert (frame.width, frame.height) == SIZE  # type: ignore[union-attr]  # decoded: a VideoFrame
        for _ in range(20):
            await browser.tracks[0].recv()
        (state,) = await client.sessions()
        assert (state.session, state.camera, state.view, state.state) == ("s", "cam", "clear", "live")
        await client.close("s")
        assert await client.sessions() == ()
        await client.close("s")  # twice is fine
        await browser.peer.close()

    live(tmp_path, camera, journey)


def test_a_session_ends_by_itself_at_its_time_and_when_its_browser_leaves(tmp_path: Path, camera: Camera) -> None:
    async def journey(client: LiveClient) -> None:
        staying, leaving = Browser.open(), Browser.open()
        expires_at_s = time.time() + 3
        await staying.accept(await answered(client, staying, "a", expires_at_s))
        await leaving.accept(await answered(client, leaving, "b"))
        await staying.tracks[0].recv()
        await leaving.tracks[0].recv()
        await leaving.peer.close()
        while {s.session for s in await client.sessions()} != {"a"}:  # noqa: ASYNC110  state beyond this loop: no event tells
            await asyncio.sleep(0.02)
        assert time.time() < expires_at_s, "leaving was not noticed before the other's time was over"
        while await client.sessions():  # noqa: ASYNC110  state beyond this loop: no event tells
            await asyncio.sleep(0.02)
        assert expires_at_s <= time.time() < expires_at_s + 2
        await staying.peer.close()

    live(tmp_path, camera, journey)


def test_what_cannot_be_answered_says_why(tmp_path: Path, camera: Camera) -> None:
    async def journey(client: LiveClient) -> None:
        browser = Browser.open()
        sdp = await browser.offer()

        async def refusal(offer: Offer) -> str:
            reply = await client.offer(offer)
            assert isinstance(reply, Refused), reply
            assert reply.detail
            return reply.code

        assert await refusal(Offer("x", "nobody", "clear", sdp)) == "no_camera"
        assert await refusal(Offer("x", "cam", "clear", "hello")) == "bad_sdp"
        assert await refusal(Offer("x", "cam", "clear", sdp.replace("H264", "AV1"))) == "bad_sdp"
        assert await refusal(Offer("x", "cam", "clear", sdp.replace("packetization-mode=1", "packetization-mode=0"))) == "bad_sdp"
        await answered(client, browser, "one")
        assert await refusal(Offer("one", "cam", "clear", sdp)) == "busy"
        assert await refusal(Offer("two", "cam", "clear", sdp)) == "busy"
        await client.close("one")
        camera.stop()
        camera.fanout.gone("no_video", "gone")
        while isinstance(await client.offer(Offer("y", "cam", "clear", sdp)), Answer):
            await client.close("y")  # the news has not come round yet
        assert await refusal(Offer("x", "cam", "clear", sdp)) == "no_video"
        await browser.peer.close()

    live(tmp_path, camera, journey, sessions_max=1)


def test_b_frames_are_refused_with_words(tmp_path: Path) -> None:
    camera = Camera(units=clip(2, "high")).start()

    async def journey(client: LiveClient) -> None:
        browser = Browser.open()
        sdp = await browser.offer()
        deadline = time.monotonic() + 5
        while camera.fanout.refused is None and time.monotonic() < deadline:  # noqa: ASYNC110  state beyond this loop: no event tells
            await asyncio.sleep(0.02)
        reply = await client.offer(Offer("x", "cam", "clear", sdp))
        assert isinstance(reply, Refused)
        assert reply.code == "b_frames"
        assert "B-frames" in reply.detail
        await browser.peer.close()

    try:
        live(tmp_path, camera, journey)
    finally:
        camera.stop()


def test_a_lost_browser_gets_the_gop_again_when_it_asks(tmp_path: Path, camera: Camera) -> None:
    async def journey(client: LiveClient) -> None:
        browser = Browser.open()
        await browser.accept(await answered(client, browser))
        for _ in range(3):
            await browser.tracks[0].recv()
        receiver = browser.peer.getReceivers()[0]
        source = next(iter(receiver._RTCRtpReceiver__active_ssrc))  # type: ignore[attr-defined]  # aiortc asks only on loss
        keys = 0
        await receiver._send_rtcp_pli(source)
        async with asyncio.timeout(1.2):  # the next key frame of the camera itself may be two seconds away
            while keys < 1:
                frame = await browser.tracks[0].recv()
                keys += frame.key_frame  # type: ignore[union-attr]  # decoded: a VideoFrame
        await browser.peer.close()

    live(tmp_path, camera, journey)


def test_the_detour_gives_the_feed_itself_until_it_is_closed(tmp_path: Path, camera: Camera) -> None:
    async def journey(client: LiveClient) -> None:
        assert isinstance(await client.play(Play("x", "nobody", "clear")), Refused)
        feed = await client.play(Play("p", "cam", "clear", time.time() + 60))
        assert not isinstance(feed, Refused)
        decoder, messages = Decoder(), []
        async for data in feed:
            messages += decoder.receive(data)
            if len(messages) == 20:
                assert [(s.session, s.state) for s in await client.sessions()] == [("p", "live")]
                await client.close("p")
        assert isinstance(messages[0], Stream)
        assert isinstance(messages[1], Packet)
        assert messages[1].key
        assert isinstance(messages[-1], Gone)
        assert await client.sessions() == ()
        left = await client.play(Play("q", "cam", "clear"))
        assert not isinstance(left, Refused)
        await anext(left)
        await left.aclose()
        while await client.sessions():  # noqa: ASYNC110  another process's state: there is no event to wait for
            await asyncio.sleep(0.02)

    live(tmp_path, camera, journey)


def test_web_is_told_when_the_live_process_is_away(tmp_path: Path) -> None:
    async def journey() -> None:
        with pytest.raises(LiveAway, match="does not answer"):
            await LiveClient(tmp_path / "none").close("x")

    asyncio.run(journey())


def test_an_offer_is_cleaned_of_its_addresses() -> None:
    offer = "\r\n".join(
        ["v=0", "m=video 9 UDP/TLS/RTP/SAVPF 102", "a=ice-ufrag:a", "a=ice-pwd:b", "a=fingerprint:x", "a=mid:0", "a=recvonly",
         "a=rtpmap:102 H264/90000", "a=candidate:1 1 udp 1 abc.local 9 typ host", "a=end-of-candidates"]
    )  # fmt: skip
    cleaned = checked(offer)
    assert "candidate" not in cleaned
    assert "a=ice-ufrag:a" in cleaned
    for broken, says in (
        (offer + "\r\nm=audio 9 x 1", "exactly one section"),
        (offer.replace("a=recvonly", "a=sendonly"), "ready to receive"),
        (offer.replace("a=ice-pwd:b", ""), "ice-pwd"),
        (offer + "\r\n" + "a=x\r\n" * 2000, "lines"),
        (offer + "x" * 70_000, "64 KiB"),
        ("", "v=0"),
    ):
        with pytest.raises(BadOffer, match=says):
            checked(broken)


def test_a_burst_is_spread_out() -> None:
    pace = Pace(bytes_s=1_000_000, burst_bytes=10_000)
    assert [pace.wait_s(5_000, 1.0) for _ in range(3)] == [0.0, 0.0, 0.005]
    assert pace.wait_s(5_000, 1.5) == 0.0


def test_only_orders_are_taken_on_the_control_socket(tmp_path: Path, camera: Camera) -> None:
    async def journey(client: LiveClient) -> None:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "live"))
        writer.write(b"\0\0\0\x02{}")
        assert await reader.read() == b""
        writer.close()
        assert await client.sessions() == ()
        await client.close(Close("never was").session)

    live(tmp_path, camera, journey)
