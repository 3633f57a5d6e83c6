"""One camera's covered picture: people under solid boxes, encoded once and only while somebody watches. Fails closed.

`show` runs in the camera's thread; what to cover comes from the looker's thread as one frozen value, swapped whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import av.error
import numpy as np
import structlog

from streams.encoder import WallEncoder
from streams.fanout import Fanout
from vision import redact
from vision.frame import Planes

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Cover:
    """What the newest inference says of who is where. `inferred_at_s` None: no inference yet. `failed`: the detector is down."""

    state: redact.CoverState = field(default_factory=redact.CoverState)
    inferred_at_s: float | None = None
    failed: bool = False


class Wall:
    def __init__(self, *, height_px: int, fps: float = 10.0) -> None:
        self.cover = Cover()
        self.pixelated = 0  # frames that were pixelated whole
        self.shown = 0
        self._height_px, self._fps = height_px, fps
        self._encoder = WallEncoder(height_px=height_px, fps=fps)
        self._key_wanted = True
        self.fanout = Fanout(on_watched=self._want_key)

    @property
    def watched(self) -> bool:
        return self.fanout.watched

    def show(self, planes: Planes, pts_90k: int, at_s: float, *, moved: bool, corrupt: bool) -> None:
        """Covers a copy of the picture and hands it to the viewers. A corrupt one is pixelated: nobody was looked for in it."""
        cover = self.cover
        own = Planes(planes.y.copy(), planes.u.copy(), planes.v.copy(), planes.full_range)
        if corrupt or redact.must_pixelate(cover.inferred_at_s, at_s, moved=moved, detector_failed=cover.failed):
            redact.pixelate(own)
            self.pixelated += 1
        else:
            aspect = planes.y.shape[1] / planes.y.shape[0]
            redact.cover(own, redact.boxes_at(cover.state, at_s, aspect=aspect))
        key, self._key_wanted = self._key_wanted, False
        try:
            units = self._encoder.encode(np.asarray(own.y), np.asarray(own.u), np.asarray(own.v), pts_90k, key=key)
        except av.error.FFmpegError as error:
            log.error("wall.encoder_failed", error=error.strerror)
            self._encoder = WallEncoder(height_px=self._height_px, fps=self._fps)
            self._key_wanted = True
            return
        for unit in units:
            self.fanout.push(unit.data, unit.pts_90k, unit.key, at_s)
        self.shown += 1

    def reset(self) -> None:
        self._key_wanted = True
        self.fanout.reset()

    def gone(self, code: str, detail: str) -> None:
        self.fanout.gone(code, detail)

    def _want_key(self) -> None:
        self._key_wanted = True
