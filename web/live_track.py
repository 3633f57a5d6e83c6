"""aiortc, made fit for passing H.264 on: a track of coded packets, paced sending, loopback candidates, H.264 answers only.

aiortc has its home in webrtc.py and here. What is reached into (aiortc 1.16, aioice 0.11) is held by tests/live/test_webrtc.py:
each of the four places says why no public door does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from fractions import Fraction
from typing import Any

import aiortc.rtcrtpsender
import av
from aioice import Candidate
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCRtpTransceiver
from aiortc.codecs import CODECS
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpCodecParameters

from web.live_hub import Viewer
from web.timeline import Timeline

TIME_BASE = Fraction(1, 90_000)
LOOPBACK = "127.0.0.1"
RESTART_EVERY_S = 1.0  # a browser that keeps asking for key frames gets the GOP again this often at most
PACE_BYTES_S = 4_000_000  # 32 Mbit/s: a key frame of 100 KB leaves within 25 ms
PACE_BURST_BYTES = 40_000  # half of what a Chromium's receive buffer holds (64 KiB asked for, doubled by Linux, less overhead)
HISTORY_PACKETS = 1024  # for retransmission; aiortc keeps 128, less than one large key frame

# High and Main beside Baseline: a camera's High stream under a Baseline answer plays in Chrome and is black in Safari.
_PROFILES = {"42e01f": 0x42, "42001f": 0x42, "4d001f": 0x4D, "64001f": 0x64, "640c1f": 0x64}


class FeedTrack(MediaStreamTrack):
    """The pictures of one Viewer as av.Packets: aiortc sends those as they are."""

    kind = "video"

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.sent = 0
        self._viewer = viewer
        self._timeline = Timeline()
        self._restarted_s = 0.0

    async def recv(self) -> av.Packet:  # type: ignore[type-arg]  # a packet of no stream
        picture = await self._viewer.get()
        if picture is None:
            self.stop()
            raise MediaStreamError
        packet = av.Packet(picture.data)
        packet.pts = self._timeline.step(picture.pts_90k, cached=picture.cached, now_s=time.monotonic())
        packet.time_base = TIME_BASE
        self.sent += 1
        return packet

    def key_frame_wanted(self) -> None:
        """The browser lost its way (PLI or FIR): it gets the current GOP again instead of waiting for the camera's next key."""
        now_s = time.monotonic()
        if self.sent and now_s - self._restarted_s >= RESTART_EVERY_S:
            self._restarted_s = now_s
            self._viewer.restart()


class Pace:
    """A token bucket for one peer: how long to wait before so many more bytes may leave."""

    def __init__(self, *, bytes_s: float = PACE_BYTES_S, burst_bytes: float = PACE_BURST_BYTES) -> None:
        self._bytes_s = bytes_s
        self._burst_bytes = burst_bytes
        self._tokens = burst_bytes
        self._at_s: float | None = None

    def wait_s(self, size: int, now_s: float) -> float:
        passed_s = 0.0 if self._at_s is None else now_s - self._at_s
        self._at_s = now_s
        self._tokens = min(self._burst_bytes, self._tokens + passed_s * self._bytes_s) - size
        return max(0.0, -self._tokens / self._bytes_s)


def prepare() -> None:
    """Once per process: the profiles that we answer with, and a longer memory for retransmission.

    Both are module constants of aiortc without a parameter.
    """
    aiortc.rtcrtpsender.RTP_HISTORY_SIZE = HISTORY_PACKETS  # type: ignore[attr-defined]  # it came in by import
    known = {codec.parameters.get("profile-level-id") for codec in CODECS["video"]}
    payload_type = max(codec.payloadType for codec in CODECS["video"] if codec.payloadType is not None) + 1
    for profile in _PROFILES:
        if profile in known:
            continue
        parameters: dict[str, int | str | None] = {
            "level-asymmetry-allowed": "1",
            "packetization-mode": "1",
            "profile-level-id": profile,
        }
        feedback = [RTCRtcpFeedback(type="nack"), RTCRtcpFeedback(type="nack", parameter="pli")]
        CODECS["video"] += [
            RTCRtpCodecParameters("video/H264", 90_000, payloadType=payload_type, rtcpFeedback=feedback, parameters=parameters),
            RTCRtpCodecParameters("video/rtx", 90_000, payloadType=payload_type + 1, parameters={"apt": payload_type}),
        ]
        payload_type += 2


def preferences(profile_level_id: str) -> list[aiortc.rtcrtpparameters.RTCRtpCodecCapability]:
    """H.264 (packetization-mode 1) with the stream's own profile first, then Baseline, then the rest; RTX; nothing else."""
    own = int(profile_level_id[:2], 16) if profile_level_id else 0x42

    def rank(profile: str) -> int:
        return 0 if _PROFILES.get(profile) == own else 1 if _PROFILES.get(profile) == 0x42 else 2

    codecs = RTCRtpSender.getCapabilities("video").codecs
    h264 = [codec for codec in codecs if codec.mimeType == "video/H264"]
    h264.sort(key=lambda codec: rank(str(codec.parameters.get("profile-level-id"))))
    return h264 + [codec for codec in codecs if codec.mimeType == "video/rtx"]


def peer_connection() -> RTCPeerConnection:
    """Without STUN servers: aiortc's default asks Google's, which costs seconds offline and tells a stranger who watches."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def add_track(peer: RTCPeerConnection, track: FeedTrack, profile_level_id: str) -> RTCRtpTransceiver:
    """The one video section, send-only, H.264 only, paced, reachable over loopback, answering PLI from the cache."""
    transceiver = peer.addTransceiver(track, direction="sendonly")
    transceiver.setCodecPreferences(preferences(profile_level_id))
    # aiortc notes a PLI for its encoder only; packets have none.
    transceiver.sender._send_keyframe = track.key_frame_wanted  # type: ignore[method-assign]  # see above
    # A burst of a whole GOP overruns the browser's socket; aiortc sends as fast as the track gives.
    dtls = transceiver.sender.transport
    dtls._send_rtp = _paced(dtls._send_rtp)  # type: ignore[method-assign, assignment]  # see above
    # aioice leaves 127.0.0.1 out; a host without a network has nothing else.
    connection = dtls.transport.iceGatherer._connection
    gather = connection.get_component_candidates

    async def with_loopback(component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:  # noqa: ASYNC109  aioice's signature
        return await gather(component, [*addresses, LOOPBACK], timeout)

    connection.get_component_candidates = with_loopback  # type: ignore[method-assign]  # see above
    return transceiver


def _paced(send: Callable[[bytes], Coroutine[Any, Any, None]]) -> Callable[[bytes], Coroutine[Any, Any, None]]:
    pace = Pace()

    async def send_paced(data: bytes) -> None:
        wait_s = pace.wait_s(len(data), time.monotonic())
        if wait_s > 0.001:  # asyncio's clock is no finer
            await asyncio.sleep(wait_s)
        await send(data)

    return send_paced
