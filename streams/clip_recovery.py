"""What a worker does about its predecessor's clips: cut them back to what is whole, close them, say so."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path

import structlog

from streams import fmp4
from streams.recorder import ClipEvent, forget
from streams.timestamps import HZ

log = structlog.get_logger()


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


def recover(folder: Path, cameras: Iterable[str], *, on_closed: Callable[[Path], None] = forget) -> Iterator[ClipEvent]:
    """At a worker's start, before its cameras: close what a dead worker of these cameras left open, and say so.

    A file in which nothing plays is removed. The marker goes after the event was taken, so that none is lost in between.
    What cannot be read or repaired is logged and left: a damaged clip keeps no camera from starting.
    """
    mine = frozenset(cameras)
    for marker in sorted(folder.glob("*.open")):
        try:
            noted = json.loads(marker.read_text())
            clip, camera, started_at_s = str(noted["clip"]), str(noted["camera"]), float(noted["started_at_s"])
        except OSError as error:
            log.warning("clip.marker_unreadable", file=marker.name, error=error.strerror)
            continue
        except (ValueError, KeyError, TypeError):
            log.warning("clip.marker_unreadable", file=marker.name)  # torn while being written: its clip holds nothing yet
            clip, camera, started_at_s = marker.stem, "", 0.0
        if camera and camera not in mine:
            continue
        path = folder / f"{marker.stem}.mp4"
        if path.exists():
            try:
                found = repair(path)
            except OSError as error:
                log.error("clip.not_repaired", clip=clip, camera=camera, error=error.strerror)
                continue
            log.info("clip.recovered", clip=clip, camera=camera, seconds=round(found.seconds, 2), cut_bytes=found.cut)
            if not found.bytes:
                path.unlink(missing_ok=True)
            elif camera:
                ended_at_s = started_at_s + found.seconds
                yield ClipEvent(clip, camera, "closed", path.name, started_at_s, ended_at_s, found.bytes, found.sha256)
                on_closed(marker)
                continue
        forget(marker)
