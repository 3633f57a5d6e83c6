"""A site as the commands see it: its settings file, where its data lies, which worker serves which camera."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configs import settings as reader
from configs.layout import Layout
from configs.schema import Camera, Settings

Role = Literal["all", "web", "streams"]
CLAIM_WAIT_S = 10.0  # longer than the children of a killed Callout take to end


class SiteError(Exception):
    """Why the site cannot be run, and what to do."""


@dataclass(frozen=True, slots=True)
class Site:
    path: Path
    settings: Settings
    layout: Layout

    @property
    def osm(self) -> Path | None:
        return reader.resolve(self.path, self.settings.map.osm) if self.settings.map.osm else None

    @property
    def workers(self) -> int:
        """Stream workers: as set, else one per core, and never more than there are cameras."""
        wanted = self.settings.streams.workers or len(os.sched_getaffinity(0))
        return max(1, min(wanted, len(self.cameras)))

    @property
    def cameras(self) -> tuple[Camera, ...]:
        return tuple(camera for camera in self.settings.camera if camera.enabled)

    @property
    def worker_of(self) -> dict[str, int]:
        return {camera.id: index % self.workers for index, camera in enumerate(self.cameras)}

    def cameras_of(self, worker: int) -> tuple[Camera, ...]:
        return tuple(camera for camera in self.cameras if self.worker_of[camera.id] == worker)

    @property
    def bus_url(self) -> str:
        return self.settings.bus.url or f"unix://{self.layout.bus_socket}"


def open_site(path: Path) -> Site:
    """Raises ConfigError with file and line."""
    settings = reader.load(path)
    return Site(path.resolve(), settings, Layout(reader.resolve(path.resolve(), settings.data.folder)))


def claim(layout: Layout, role: Role = "all", wait_s: float = CLAIM_WAIT_S) -> tuple[int, ...]:
    """One Callout for each data folder and role (`all` is both). Returns descriptors that children inherit: the claim holds until
    the last of them is gone. Raises SiteError.

    Waits a little, for the children of a Callout that was killed to notice it.
    """
    layout.make()
    handles: list[int] = []
    deadline = time.monotonic() + wait_s
    for part in ("web", "streams") if role == "all" else (role,):
        handles.append(os.open(layout.root / f"{part}.lock", os.O_RDWR | os.O_CREAT, 0o600))
        while not _locked(handles[-1]):
            if time.monotonic() > deadline:
                release(handles)
                raise SiteError(
                    f"another Callout runs on the data folder {layout.root}. End it, or give this one its own: [data] folder"
                )
            time.sleep(0.05)
    return tuple(handles)


def release(handles: Iterable[int]) -> None:
    for handle in handles:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
