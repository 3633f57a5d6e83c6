"""Clips and thumbnails that have had their time are taken away, each with a proof in the record (SCOPE rule 3).

What goes, and by which rule, is said by dispatch/retention.py. The order is the point: the proof is committed first, then the
file goes. A crash in between leaves a proof and a file, which the next run takes away.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import structlog

from configs.layout import Layout
from dispatch.retention import CLIPS, THUMBNAILS, Doomed, OnDisk
from dispatch.views import SYSTEM
from web.deps import Services

log = structlog.get_logger(__name__)

FRESH_S = 3600.0  # a clip with a marker that has not grown for so long is not being written: its worker is gone for good
STILL_S = 60.0  # without a marker: how long a file must have been left alone


class Janitor:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._refused: set[str] = set()  # files that the disk did not let go, already on the record

    async def clean(self, now_s: float, heard_s: float) -> int:
        """How many files went. Raises OSError when the media folder cannot be read, StoreFailed when the proof cannot be kept."""
        services = self._services
        found = await asyncio.to_thread(lambda: list(look(services.layout, now_s)))
        removable = await asyncio.to_thread(services.desk.removable, found, now_s, heard_s)
        went = 0
        for file in removable.left_over:
            went += await self._take_away(file, "")
        for doomed in removable.due:
            proved = await self._hashed(doomed)
            if proved is None or not await services.on_desk(services.desk.remove, proved, now_s, heard_s):
                continue
            if proved.present:
                went += await self._take_away(proved.file, proved.incidents[0] if proved.incidents else "")
        if removable.due or removable.left_over:
            log.info("retention.cleaned", files=went, due=len(removable.due), left_over=len(removable.left_over))
        return went

    async def _hashed(self, doomed: Doomed) -> Doomed | None:
        """With its sha256, which the recorder may not have told. None: it cannot be read now, so nothing is proved yet."""
        if doomed.sha256 or not doomed.present:
            return doomed
        try:
            return replace(doomed, sha256=await asyncio.to_thread(sha256_of, place_of(self._services.layout, doomed.file)))
        except OSError as error:
            log.error("retention.unreadable", file=doomed.file, reason=error.strerror)
            return None

    async def _take_away(self, file: str, incident: str) -> bool:
        """The file, and the marker of a clip whose worker never came back. A disk that refuses is on the record, once."""
        path = place_of(self._services.layout, file)
        try:
            await asyncio.to_thread(_unlink, path)
        except OSError as error:
            log.error("retention.not_deleted", file=file, reason=error.strerror)
            if file not in self._refused:
                services = self._services
                detail = {"file": path.name, "reason": error.strerror or str(error)}
                now_s = services.now()
                await services.on_desk(services.desk.record, SYSTEM, "media.not_deleted", path.stem, detail, now_s, incident)
                self._refused.add(file)
            return False
        self._refused.discard(file)
        self._services.counters.add("media_deleted")
        return True


def look(layout: Layout, now_s: float) -> Iterator[OnDisk]:
    """Every clip and thumbnail that lies there. Errors: OSError."""
    for folder, prefix, end in ((layout.clips, CLIPS, ".mp4"), (layout.thumbnails, THUMBNAILS, ".jpg")):
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.endswith(end) or not entry.is_file(follow_symlinks=False):
                    continue
                try:
                    seen = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # gone meanwhile
                age_s = now_s - seen.st_mtime
                marked = prefix == CLIPS and Path(entry.path).with_suffix(".open").exists()
                writing = age_s < (FRESH_S if marked else STILL_S)
                yield OnDisk(prefix + entry.name, seen.st_size, seen.st_mtime, writing)


def place_of(layout: Layout, file: str) -> Path:
    folder = layout.clips if file.startswith(CLIPS) else layout.thumbnails
    return folder / Path(file).name


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_suffix(".open").unlink(missing_ok=True)
