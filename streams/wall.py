"""One camera's covered picture: people under solid boxes, encoded once and only while somebody watches. Fails closed.

`show` runs in the camera's thread; what to cover comes from the looker's thread as one frozen value, swapped whole.
"""

from __future__ import annotations

import math
from collections import deque
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


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A picture, copied, that nobody was looked for in yet."""

    planes: Planes
    pts_90k: int
    at_s: float
    moved: bool
    corrupt: bool


class Wall:
    """A picture in which something moved waits until the detector has seen it or a later one: whoever steps into the view between
    two inferences is then covered too. The wait is as long as boxes are trusted; after it the picture is pixelated.
    """

    def __init__(self, *, height_px: int, fps: float = 10.0) -> None:
        self.cover = Cover()
        self._waiting: deque[_Waiting] = deque()
        self._size: tuple[int, ...] = ()
        self._since_s = -math.inf  # boxes found before this moment are of another picture
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
        """Takes a copy of the picture, and hands on to the viewers, covered, what has waited long enough.

        A corrupt one is pixelated: nobody was looked for in it."""
        if planes.y.shape != self._size:
            self._waiting.clear()
            self._since_s = at_s if self._size else self._since_s
            self._size = planes.y.shape
        if self._waiting and not 0 <= at_s - self._waiting[-1].at_s < redact.BOXES_TRUSTED_S:
            self._waiting.clear()  # of an earlier viewing
        own = Planes(planes.y.copy(), planes.u.copy(), planes.v.copy(), planes.full_range)
        self._waiting.append(_Waiting(own, pts_90k, at_s, moved, corrupt))
        while self._waiting and self._may_go(self._waiting[0], at_s):
            self._hand_on(self._waiting.popleft())

    def _may_go(self, first: _Waiting, now_s: float) -> bool:
        cover = self.cover
        if first.corrupt or not first.moved or cover.failed or self._seen_since(cover, first.at_s):
            return True
        return not 0 <= now_s - first.at_s < redact.BOXES_TRUSTED_MOVED_S

    def _seen_since(self, cover: Cover, at_s: float) -> bool:
        return cover.inferred_at_s is not None and cover.inferred_at_s >= at_s

    def _hand_on(self, picture: _Waiting) -> None:
        cover, own, at_s = self.cover, picture.planes, picture.at_s
        blind = redact.must_pixelate(cover.inferred_at_s, at_s, moved=picture.moved, detector_failed=cover.failed)
        unseen = picture.moved and not self._seen_since(cover, at_s)
        of_another = not self._seen_since(cover, self._since_s)
        if picture.corrupt or blind or unseen or of_another:
            redact.pixelate(own)
            self.pixelated += 1
        else:
            aspect = own.y.shape[1] / own.y.shape[0]
            redact.cover(own, redact.boxes_at(cover.state, at_s, aspect=aspect))
        key, self._key_wanted = self._key_wanted, False
        try:
            units = self._encoder.encode(np.asarray(own.y), np.asarray(own.u), np.asarray(own.v), picture.pts_90k, key=key)
        except av.error.FFmpegError as error:
            log.error("wall.encoder_failed", error=error.strerror)
            self._encoder = WallEncoder(height_px=self._height_px, fps=self._fps)
            self._key_wanted = True
            return
        for unit in units:
            self.fanout.push(unit.data, unit.pts_90k, unit.key, at_s)
        self.shown += 1

    def reset(self) -> None:
        """The camera is connected again: whoever was covered before may stand elsewhere now."""
        self._waiting.clear()
        found_s = self.cover.inferred_at_s
        self._since_s = -math.inf if found_s is None else math.nextafter(found_s, math.inf)
        self._key_wanted = True
        self.fanout.reset()

    def gone(self, code: str, detail: str) -> None:
        self._waiting.clear()
        self.fanout.gone(code, detail)

    def _want_key(self) -> None:
        self._key_wanted = True
