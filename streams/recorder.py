"""An incident's clip: fragmented MP4 from the ring's pre-roll on, without re-encoding, playable at every moment.

Each fragment (at most a second) is one write. `kill -9` therefore tears at most the last one; `recover` cuts it off at the next
start. While a clip is written a marker file stands beside it, so that what was open is known without a database.
A full disk ends the clip, not the camera: `problem` says so, detection goes on, and the next event tries again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Literal, Protocol

import structlog

from streams import fmp4
from streams.h264 import AUD, FILLER, PPS, SPS, nal_type, split_annexb, to_lengths
from streams.packet import VideoPacket
from streams.ring import Ring
from streams.timestamps import HZ

FRAGMENT_S = 1.0
RETRY_S = 5.0  # after a failed write, how soon the next attempt may be
_NOT_IN_SAMPLES = frozenset({SPS, PPS, AUD, FILLER})  # the header holds the sets; the rest is only of use in a byte stream

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClipEvent:
    """What the bus hears of a clip (stream `callout:clips`). `file` is its name in the clips' folder."""

    clip: str
    camera: str
    state: Literal["open", "closed"]
    file: str
    started_at_s: float
    ended_at_s: float | None = None
    bytes: int = 0
    sha256: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Problem:
    """Why clips cannot be written now: code disk_full | write_failed, in both languages."""

    code: str
    text: str
    text_zh: str


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


class _Clip:
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


class Recorder:
    """One camera's clips. All methods are called from the camera's thread. At most one clip is open at a time:
    what happens while it is open extends it, so that two hazards in one picture share one clip.
    """

    def __init__(
        self,
        camera: str,
        folder: Path,
        ring: Ring,
        *,
        pre_roll_s: float,
        post_roll_s: float,
        max_s: float,
        on_event: Callable[[ClipEvent], None],
        opener: Callable[[Path], ClipFile] = open_new,
    ) -> None:
        self._camera, self._folder, self._ring = camera, folder, ring
        self._pre_roll_s, self._post_roll_s, self._max_s = pre_roll_s, post_roll_s, max_s
        self._on_event, self._opener = on_event, opener
        self._clip: _Clip | None = None
        self._id = ""
        self._until_s = 0.0
        self._retry_s = 0.0
        self.problem: Problem | None = None

    @property
    def clip(self) -> str:
        """The open clip's id, or ""."""
        return self._id

    def record(self, event_at_s: float, now_s: float, clip: str) -> str:
        """Something happened: start a clip named `clip` with the pre-roll, or extend the open one. Returns the id of the
        clip that holds the event, "" when none can be written (see `problem`).
        """
        self.tick(now_s)
        if self._clip is None:
            self._start(clip, event_at_s, now_s)
        elif event_at_s + self._post_roll_s > self._until_s:
            self._until_s = min(event_at_s + self._post_roll_s, self._clip.started_at_s + self._max_s)
        return self._id

    def feed(self, packet: VideoPacket) -> None:
        """The next packet, after it went into the ring."""
        if self._clip is None:
            return
        if packet.key and packet.sets != self._clip.sets:
            self.close()  # the camera changed its picture: that is another file
            return
        if packet.captured_at_s > self._until_s:
            self.close()
            return
        self._guarded(lambda clip: clip.add(packet))

    def tick(self, now_s: float) -> None:
        """Close what is over even if no packet comes any more."""
        if self._clip is not None and now_s > self._until_s + FRAGMENT_S:
            self.close()

    def close(self) -> None:
        """End the open clip, if any: at its end, at a lost connection that will not go on, at shutdown."""
        clip = self._clip
        if clip is None:
            return
        digests: list[str] = []
        self._guarded(lambda c: digests.append(c.finish()))
        if digests:
            self._ended(clip, digests[0])

    def _start(self, name: str, event_at_s: float, now_s: float) -> None:
        if not name or "/" in name or name.startswith("."):
            raise ValueError(f"{name!r} cannot be the name of a clip: letters, digits and dashes only")
        packets = self._ring.since(event_at_s - self._pre_roll_s)
        packets = _of_one_picture(packets)
        if not packets or now_s < self._retry_s:
            return
        path, first = self._folder / f"{name}.mp4", packets[0]
        try:
            marker = json.dumps({"clip": name, "camera": self._camera, "started_at_s": first.captured_at_s})
            _marker(path).write_text(marker)
            self._clip, self._id = _Clip(self._opener(path), first), name
        except OSError as error:
            _marker(path).unlink(missing_ok=True)
            self._failed(error, now_s)
            return
        self._until_s = min(event_at_s + self._post_roll_s, first.captured_at_s + self._max_s)
        self._retry_s = 0.0

        def write(clip: _Clip) -> None:
            clip.begin()
            for packet in packets:
                clip.add(packet)

        if self._guarded(write):
            self.problem = None
            self._on_event(ClipEvent(name, self._camera, "open", path.name, first.captured_at_s))

    def _guarded(self, write: Callable[[_Clip], None]) -> bool:
        """Run a write on the open clip. On failure cut the clip to what is whole, close it and note the problem."""
        clip = self._clip
        assert clip is not None
        try:
            write(clip)
        except OSError as error:
            self._failed(error, clip.ended_at_s)
            self._ended(clip, clip.cut())
            return False
        return True

    def _ended(self, clip: _Clip, sha256: str) -> None:
        path = self._folder / f"{self._id}.mp4"
        name, self._id, self._clip = self._id, "", None
        if not clip.playable:
            path.unlink(missing_ok=True)
        else:
            self._on_event(
                ClipEvent(name, self._camera, "closed", path.name, clip.started_at_s, clip.ended_at_s, clip.bytes, sha256)
            )
        # Last: until here a restart would find the marker and say "closed" again, which does no harm.
        _marker(path).unlink(missing_ok=True)

    def _failed(self, error: OSError, now_s: float) -> None:
        self._retry_s = now_s + RETRY_S
        self.problem = problem_of(error, self._folder)
        log.error("clip.write_failed", camera=self._camera, code=self.problem.code, error=error.strerror)


def problem_of(error: OSError, folder: Path) -> Problem:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Problem(
            "disk_full",
            f"The disk of {folder} is full: no clips are being kept. Free space there; detection goes on.",
            f"{folder} 所在磁盘已满：无法保存录像。请清理空间；检测仍在继续。",
        )
    return Problem(
        "write_failed",
        f"Clips cannot be written to {folder}: {error.strerror}. Detection goes on.",
        f"无法将录像写入 {folder}：{error.strerror}。检测仍在继续。",
    )


def _of_one_picture(packets: tuple[VideoPacket, ...]) -> tuple[VideoPacket, ...]:
    """The newest packets that share one set of parameters: an MP4 track has one. Empty when these are not known."""
    if not packets or not packets[-1].sets:
        return ()
    start = len(packets)
    while start and packets[start - 1].sets == packets[-1].sets:
        start -= 1
    while start < len(packets) and not packets[start].key:
        start += 1
    return packets[start:]


def _marker(path: Path) -> Path:
    return path.with_suffix(".open")


@dataclass(frozen=True, slots=True)
class Repaired:
    """What `repair` found: bytes that stay, bytes cut off, seconds that play, sha256 of what stays. bytes 0: nothing plays."""

    bytes: int
    cut: int
    seconds: float
    sha256: str


def repair(path: Path) -> Repaired:
    """Cut a torn clip back to its last whole fragment. A whole file stays as it is. Errors: OSError."""
    with path.open("r+b") as file:
        good = fmp4.whole(file)
        size = file.seek(0, 2)
        if good.bytes < size:
            file.truncate(good.bytes)
            os.fsync(file.fileno())
        file.seek(0)
        digest = _sha256(file)
    return Repaired(good.bytes, size - good.bytes, good.duration_90k / HZ, digest)


def _sha256(file: BufferedRandom) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def recover(folder: Path, cameras: Iterable[str]) -> Iterator[ClipEvent]:
    """At a worker's start, before its cameras: close what a dead worker of these cameras left open, and say so.

    A file in which nothing plays is removed. The marker goes after the event was taken, so that none is lost in between.
    """
    mine = frozenset(cameras)
    for marker in sorted(folder.glob("*.open")):
        try:
            noted = json.loads(marker.read_text())
            clip, camera, started_at_s = str(noted["clip"]), str(noted["camera"]), float(noted["started_at_s"])
        except (ValueError, KeyError, TypeError):
            log.warning("clip.marker_unreadable", file=marker.name)  # torn while being written: its clip holds nothing yet
            clip, camera, started_at_s = marker.stem, "", 0.0
        if camera and camera not in mine:
            continue
        path = folder / f"{marker.stem}.mp4"
        if path.exists():
            found = repair(path)
            log.info("clip.recovered", clip=clip, camera=camera, seconds=round(found.seconds, 2), cut_bytes=found.cut)
            if not found.bytes:
                path.unlink()
            elif camera:
                ended_at_s = started_at_s + found.seconds
                yield ClipEvent(clip, camera, "closed", path.name, started_at_s, ended_at_s, found.bytes, found.sha256)
        marker.unlink(missing_ok=True)
