"""An incident's clip: fragmented MP4 from the ring's pre-roll on, without re-encoding, playable at every moment.

Each fragment (at most a second) is one write. `kill -9` therefore tears at most the last one; clip_recovery cuts it off at
the next start. While a clip is written a marker file stands beside it, so that what was open is known without a database.
A full disk ends the clip, not the camera: `problem` says so, detection goes on, and the next event tries again. The last of
the disk is left to the store: decisions and their record matter more than one more clip.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import structlog

from streams.clip_writer import FRAGMENT_S, ClipFile, ClipWriter, marker_of, open_new
from streams.packet import VideoPacket
from streams.ring import Ring

RETRY_S = 5.0  # after a failed write, how soon the next attempt may be
RESERVE_BYTES = 64 * 1024 * 1024  # of the disk, left for what is not video

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


def free_bytes(folder: Path) -> int:
    """What may still be written into the folder. Errors: OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def forget(marker: Path) -> None:
    marker.unlink(missing_ok=True)


class Recorder:
    """One camera's clips. Calls must not overlap (a worker holds one lock around them). At most one clip is open at a time:
    what happens while it is open extends it, so that two hazards in one picture share one clip.

    `on_closed` takes away the marker of a closed clip; who sends events over a bus does it once the event is out.
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
        room: Callable[[Path], int] = free_bytes,
        on_closed: Callable[[Path], None] = forget,
    ) -> None:
        self._camera, self._folder, self._ring = camera, folder, ring
        self._pre_roll_s, self._post_roll_s, self._max_s = pre_roll_s, post_roll_s, max_s
        self._on_event, self._opener, self._room, self._on_closed = on_event, opener, room, on_closed
        self._clip: ClipWriter | None = None
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
        """Close what is over even if no packet comes, and look at the disk: `problem` is known before an event is lost."""
        fault = self._fault()
        if fault is not None:
            if self.problem is None:
                self._failed(fault, now_s)
            self._retry_s = now_s + RETRY_S
            self.close()
        elif self.problem is not None and now_s >= self._retry_s:
            self.problem = None
        if self._clip is not None and now_s > self._until_s + FRAGMENT_S:
            self.close()

    def _fault(self) -> OSError | None:
        try:
            if self._room(self._folder) < RESERVE_BYTES:
                return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            return error
        return None

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
        name, first = self._unused(name), packets[0]
        path = self._folder / f"{name}.mp4"
        try:
            marker = json.dumps({"clip": name, "camera": self._camera, "started_at_s": first.captured_at_s})
            scratch = path.with_suffix(".marker")
            scratch.write_text(marker)
            scratch.replace(marker_of(path))  # whole or not there: another worker may be looking for torn ones
            self._clip, self._id = ClipWriter(self._opener(path), first), name
        except OSError as error:
            for left in (marker_of(path), path.with_suffix(".marker")):
                left.unlink(missing_ok=True)
            self._failed(error, now_s)
            return
        self._until_s = min(event_at_s + self._post_roll_s, first.captured_at_s + self._max_s)
        self._retry_s = 0.0

        def write(clip: ClipWriter) -> None:
            clip.begin()
            for packet in packets:
                clip.add(packet)

        if self._guarded(write):
            self.problem = None
            self._on_event(ClipEvent(name, self._camera, "open", path.name, first.captured_at_s))

    def _unused(self, name: str) -> str:
        """The name, or with a number behind it: an event outlives its clip when that reached its longest or the disk was full."""
        taken = (n for n in range(2, 1000) if not (self._folder / f"{name}-{n}.mp4").exists())
        return f"{name}-{next(taken)}" if (self._folder / f"{name}.mp4").exists() else name

    def _guarded(self, write: Callable[[ClipWriter], None]) -> bool:
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

    def _ended(self, clip: ClipWriter, sha256: str) -> None:
        path = self._folder / f"{self._id}.mp4"
        name, self._id, self._clip = self._id, "", None
        if not clip.playable:
            path.unlink(missing_ok=True)
            forget(marker_of(path))
            return
        self._on_event(ClipEvent(name, self._camera, "closed", path.name, clip.started_at_s, clip.ended_at_s, clip.bytes, sha256))
        # Last: until here a restart would find the marker and say "closed" again, which does no harm.
        self._on_closed(marker_of(path))

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
