"""One client's picture stream: which access unit is due when, its RTP packets, and the faults that tests ask for."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import struct
import time
from bisect import bisect_left
from dataclasses import dataclass

from streams import rtp, rtsp_protocol
from streams.clip_file import AccessUnit, Clip

HZ = 90_000
REPORT_EVERY_S = 5.0
BEHIND_BYTES = 1 << 20  # what may wait for a slow client; above it pictures are left out up to the next key frame
GIVE_UP_S = 20.0  # a client that takes nothing for so long is gone


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on purpose, in seconds after PLAY. `drop_share` of the RTP packets is lost (seeded: the same each time).

    `freeze_after_s`: the same key frame again and again, with good timestamps. `stall_after_s`: connected, and silent.
    """

    stall_after_s: float | None = None
    freeze_after_s: float | None = None
    fin_after_s: float | None = None
    rst_after_s: float | None = None
    drop_share: float = 0.0
    seed: int = 1


class Player:
    """Plays a clip in a loop to one client. `start` sets its clock; `run` sends until cancelled or the client is gone."""

    def __init__(self, clip: Clip, channels: tuple[int, int], *, faults: Faults) -> None:
        self._clip, self._channels, self._faults = clip, channels, faults
        self._random = random.Random(faults.seed)  # noqa: S311  losses for tests, nothing secret
        self._ssrc = secrets.randbits(32)
        self._base = secrets.randbits(32)
        self.sequence = secrets.randbits(16)
        self._index = 0
        self._loops = 0
        self._zero_s = 0.0  # monotonic time at which the clip's first loop began for this client
        self._sent_packets = self._sent_octets = 0
        self._started_s = 0.0
        self._report_s = 0.0
        self._skipping = False
        self._stuck_since_s: float | None = None
        self.left_out = 0

    def start(self, now_s: float, shared_zero_s: float | None) -> None:
        """Begin (or go on after a pause) at a key frame: the clip's first one, or the next one of the shared clock."""
        self._started_s = self._report_s = now_s
        if shared_zero_s is None:
            self._index, self._loops, self._zero_s = 0, self._loops + (1 if self._sent_packets else 0), now_s
            self._zero_s -= self._loops * self._clip.length_90k / HZ
            return
        self._zero_s = shared_zero_s
        self._loops, position = divmod(round((now_s - shared_zero_s) * HZ), self._clip.length_90k)
        keys = self._clip.keys
        following = bisect_left([self._clip.units[k].at_90k for k in keys], position)
        if following == len(keys):
            self._loops, following = self._loops + 1, 0
        self._index = keys[following]

    @property
    def next_timestamp(self) -> int:
        """RTP time of the next access unit: rises over the loop's seam."""
        return (self._base + self._at_90k(self._clip.units[self._index])) & 0xFFFFFFFF

    def _at_90k(self, unit: AccessUnit) -> int:
        return self._loops * self._clip.length_90k + unit.at_90k

    async def run(self, transport: asyncio.WriteTransport) -> None:
        faults = self._faults
        while not transport.is_closing():
            unit = self._clip.units[self._index]
            wait_s = self._zero_s + self._at_90k(unit) / HZ - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            played_s = time.monotonic() - self._started_s
            if faults.rst_after_s is not None and played_s >= faults.rst_after_s:
                reset(transport)
                return
            if faults.fin_after_s is not None and played_s >= faults.fin_after_s:
                if transport.can_write_eof():
                    transport.write_eof()
                transport.close()
                return
            if faults.stall_after_s is not None and played_s >= faults.stall_after_s:
                await asyncio.Event().wait()
            frozen = faults.freeze_after_s is not None and played_s >= faults.freeze_after_s
            if not self._send(transport, self._clip.units[0] if frozen else unit):
                return
            self._index += 1
            if self._index == len(self._clip.units):
                self._index, self._loops = 0, self._loops + 1

    def _send(self, transport: asyncio.WriteTransport, unit: AccessUnit) -> bool:
        """Hand one access unit to the transport, or leave it out for a slow client. False: give the client up."""
        now_s = time.monotonic()
        behind = transport.get_write_buffer_size()
        self._stuck_since_s = None if behind < BEHIND_BYTES else (self._stuck_since_s or now_s)
        if self._stuck_since_s is not None and now_s - self._stuck_since_s > GIVE_UP_S:
            return False
        self._skipping = behind >= BEHIND_BYTES or (self._skipping and not unit.key)
        if self._skipping:
            self.left_out += 1
            return True
        stamp, last = self.next_timestamp, len(unit.payloads) - 1
        parts: list[bytes] = []
        for number, payload in enumerate(unit.payloads):
            head = rtp.header(self.sequence, stamp, self._ssrc, marker=number == last)
            self.sequence = (self.sequence + 1) & 0xFFFF
            if self._faults.drop_share and self._random.random() < self._faults.drop_share:
                continue
            parts += (b"$", bytes([self._channels[0]]), (len(head) + len(payload)).to_bytes(2, "big"), head, payload)
            self._sent_packets += 1
            self._sent_octets += len(payload)
        if now_s >= self._report_s:
            self._report_s = now_s + REPORT_EVERY_S
            report = rtp.sender_report(self._ssrc, time.time(), stamp, self._sent_packets, self._sent_octets)
            parts.append(rtsp_protocol.interleaved(self._channels[1], report))
        transport.write(b"".join(parts))
        return True


def reset(transport: asyncio.WriteTransport) -> None:
    """End a connection with RST instead of FIN: what a camera that lost its power, or a firewall, does."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
