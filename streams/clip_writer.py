"""One clip's file: packets in, whole fragments out, each with one write."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

import structlog

from streams import fmp4
from streams.h264 import AUD, FILLER, PPS, SPS, nal_type, split_annexb, to_lengths
from streams.packet import VideoPacket
from streams.timestamps import HZ

FRAGMENT_S = 1.0
_NOT_IN_SAMPLES = frozenset({SPS, PPS, AUD, FILLER})  # the header holds the sets; the rest is only of use in a byte stream

log = structlog.get_logger()


def marker_of(path: Path) -> Path:
    """The file that stands beside a clip while it is written."""
    return path.with_suffix(".open")


class ClipFile(Protocol):
    """Where a clip is written: a binary file as `open(…, "xb", buffering=0)` gives it."""

    def write(self, data: bytes, /) -> int | None: ...
    def truncate(self, size: int, /) -> int: ...
    def flush(self) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


def open_new(path: Path) -> ClipFile:
    return path.open("xb", buffering=0)


def write_all(file: ClipFile, data: bytes) -> None:
    """A raw file may write less than asked (a nearly full disk does): ask again, until the error that says why comes."""
    view = memoryview(data)
    while view:
        done = file.write(view)  # type: ignore[arg-type]  # any bytes-like object will do; the Protocol keeps it simple
        view = view[done or 0 :]


class ClipWriter:
    """One open clip. Samples wait for the next one's time, since a sample's duration is the step to it."""

    def __init__(self, file: ClipFile, first: VideoPacket) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._pending: list[fmp4.Sample] = []
        self._last: VideoPacket | None = None
        self._origin_90k = first.dts_90k
        self._fragment_90k = first.dts_90k
        self._fragments = 0
        self.sets = first.sets
        self.started_at_s = self.ended_at_s = first.captured_at_s
        self.bytes = 0

    def begin(self) -> None:
        self._write(fmp4.header(self.sets, self.started_at_s))

    def add(self, packet: VideoPacket) -> None:
        last = self._last
        if last is not None:
            self._pending.append(_sample(last, max(1, packet.dts_90k - last.dts_90k)))
            if packet.dts_90k - self._fragment_90k >= FRAGMENT_S * HZ or packet.key:
                self._flush(packet.dts_90k)
        self._last = packet
        self.ended_at_s = packet.captured_at_s

    def finish(self) -> str:
        """Write what waits, make it last and return the sha256."""
        if self._last is not None:
            self._pending.append(_sample(self._last, self._pending[-1].duration_90k if self._pending else HZ // 25))
            self._last = None
        self._flush(self._fragment_90k)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def cut(self) -> str:
        """After a failed write: back to the last whole fragment, then close. Never raises."""
        for step in (lambda: self._file.truncate(self.bytes), self._file.close):
            try:
                step()
            except OSError as error:
                log.warning("clip.cut_failed", error=error.strerror)
        return self._digest.hexdigest()

    @property
    def playable(self) -> bool:
        return self._fragments > 0

    def _flush(self, next_90k: int) -> None:
        if self._pending:
            number = self._fragments + 1
            self._write(fmp4.fragment(number, self._fragment_90k - self._origin_90k, self._pending))
            self._fragments, self._pending = number, []
        self._fragment_90k = next_90k

    def _write(self, data: bytes) -> None:
        write_all(self._file, data)
        self._digest.update(data)
        self.bytes += len(data)


def _sample(packet: VideoPacket, duration_90k: int) -> fmp4.Sample:
    nals = (nal for nal in split_annexb(bytes(packet.raw)) if nal_type(nal) not in _NOT_IN_SAMPLES)
    return fmp4.Sample(to_lengths(nals), duration_90k, packet.key, packet.pts_90k - packet.dts_90k)
