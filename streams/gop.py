"""◦ What both ends of a feed keep: the pictures since the last key frame, and a queue that never grows without bound.

A decoder can begin at a key frame only. So whoever joins gets the current GOP (group of pictures) first, and a reader who
is too slow loses everything up to a key frame, never a single picture out of the middle.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

GOP_MAX_BYTES = 12 * 1024 * 1024  # 10 s at 9.6 Mbit/s
GOP_MAX_S = 12.0  # cameras are asked for 2 s; some send 5 s and a few 10 s
BACKLOG_MAX_BYTES = 16 * 1024 * 1024
BACKLOG_MAX_PACKETS = 400


@dataclass(frozen=True, slots=True)
class Packet:
    """One coded picture (access unit): H.264 Annex B, with SPS and PPS in front of each key frame.

    `captured_at_s` is unix time at which the picture reached us; `cached` says that it came out of a GOP cache at a join,
    so that it is older than its arrival suggests and is to be shown as fast as it can be decoded.
    """

    pts_90k: int
    key: bool
    captured_at_s: float
    data: bytes
    cached: bool = False


class GopCache:
    """The packets from the last key frame on. A GOP above the bounds is forgotten: who joins then waits for the next key."""

    def __init__(self, *, max_bytes: int = GOP_MAX_BYTES, max_s: float = GOP_MAX_S) -> None:
        self._max_bytes = max_bytes
        self._max_s = max_s
        self._packets: list[Packet] = []
        self._bytes = 0

    def push(self, packet: Packet) -> None:
        if packet.key:
            self._packets = []
            self._bytes = 0
        elif not self._packets:
            return
        self._packets.append(packet)
        self._bytes += len(packet.data)
        if self._bytes > self._max_bytes or packet.captured_at_s - self._packets[0].captured_at_s > self._max_s:
            self.clear()

    def clear(self) -> None:
        self._packets = []
        self._bytes = 0

    def packets(self) -> list[Packet]:
        """The GOP so far, each packet marked as cached; empty when a new reader has to wait for a key frame."""
        return [packet if packet.cached else replace(packet, cached=True) for packet in self._packets]


class Backlog:
    """The queue of one reader, bounded in bytes and packets.

    Over the bounds it falls back to the newest key frame that it holds; with none but the one it began at it drops all and
    waits for the next. So memory is bounded and whatever comes out can be decoded. `dropped` counts packets lost.
    """

    def __init__(
        self,
        gop: list[Packet],
        *,
        max_bytes: int = BACKLOG_MAX_BYTES,
        max_packets: int = BACKLOG_MAX_PACKETS,
    ) -> None:
        self.dropped = 0
        self._max_bytes = max_bytes
        self._max_packets = max_packets
        self._queue: deque[Packet] = deque()
        self._bytes = 0
        self._wait_for_key = True
        self.restart(gop)

    def __len__(self) -> int:
        return len(self._queue)

    def restart(self, gop: list[Packet]) -> None:
        """Begin again at the key frame of this GOP: at a join, and when the reader's decoder lost its way."""
        self._queue.clear()
        self._bytes = 0
        self._wait_for_key = True
        for packet in gop:
            self._append(packet)

    def push(self, packet: Packet) -> None:
        if self._wait_for_key and not packet.key:
            self.dropped += 1
            return
        self._append(packet)
        if self._over():
            self._fall_back()

    def pop(self) -> Packet | None:
        if not self._queue:
            return None
        packet = self._queue.popleft()
        self._bytes -= len(packet.data)
        return packet

    def _append(self, packet: Packet) -> None:
        self._queue.append(packet)
        self._bytes += len(packet.data)
        self._wait_for_key = False

    def _over(self) -> bool:
        return self._bytes > self._max_bytes or len(self._queue) > self._max_packets

    def _fall_back(self) -> None:
        newest_key = max((index for index, packet in enumerate(self._queue) if packet.key), default=0)
        for _ in range(newest_key):
            self.pop()
            self.dropped += 1
        if self._over():
            self.dropped += len(self._queue)
            self._queue.clear()
            self._bytes = 0
            self._wait_for_key = True
