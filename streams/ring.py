"""The last seconds of one camera's coded pictures, whole GOPs only, bounded in time and in bytes.

It gives incidents their pre-roll: a clip can begin before anybody knew that there was something to see. It lives in memory alone
and is overwritten all the time (SCOPE: nothing outside an incident is kept).
"""

from __future__ import annotations

import threading
from collections import deque

from streams.packet import VideoPacket

MAX_BYTES = 48 * 1024 * 1024  # 20 s at 16 Mbit/s, and some


class Ring:
    """Safe to use from several threads; each call is short and copies references, never pictures."""

    def __init__(self, keep_s: float, *, max_bytes: int = MAX_BYTES) -> None:
        self.keep_s = keep_s
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._gops: deque[list[VideoPacket]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        with self._lock:
            return sum(len(gop) for gop in self._gops)

    @property
    def bytes(self) -> int:
        with self._lock:
            return self._bytes

    def append(self, packet: VideoPacket) -> None:
        """The newest packet. Before the first key frame nothing is kept: nobody could decode it."""
        with self._lock:
            if packet.key:
                self._gops.append([packet])
            elif self._gops:
                self._gops[-1].append(packet)
            else:
                return
            self._bytes += packet.size
            self._shrink(packet.captured_at_s)

    def since(self, at_s: float) -> tuple[VideoPacket, ...]:
        """From the newest key frame at or before `at_s` to the newest packet; from the oldest key frame when all are later."""
        with self._lock:
            start = self._gop_at(at_s)
            return tuple(packet for index, gop in enumerate(self._gops) if index >= start for packet in gop)

    def _gop_at(self, at_s: float) -> int:
        for index in range(len(self._gops) - 1, -1, -1):
            if self._gops[index][0].captured_at_s <= at_s:
                return index
        return 0

    def _shrink(self, now_s: float) -> None:
        # A GOP may go when the next one already begins before the time to keep: a pre-roll is then still whole.
        while len(self._gops) > 1 and (self._gops[1][0].captured_at_s <= now_s - self.keep_s or self._bytes > self.max_bytes):
            self._drop_oldest()
        if self._bytes > self.max_bytes:
            self._drop_oldest()  # one endless GOP: wait for the next key frame rather than grow

    def _drop_oldest(self) -> None:
        self._bytes -= sum(packet.size for packet in self._gops.popleft())
