"""◦ The clock of one viewer's video: which RTP timestamp a picture gets.

A browser takes the first picture's arrival as its reference and shows the rest by their timestamps. So a GOP that comes out
of a cache in one burst, stamped as it was filmed, is played two seconds late for ever. Here cached pictures follow each other
by a millisecond, live ones by their own distance, and what strays too far from the wall clock (a source that began anew, a
stall, a camera whose clock runs fast) is pulled back at once.
"""

from __future__ import annotations

TICKS_PER_S = 90_000
BURST_TICKS = 90  # 1 ms between pictures that are to be shown as fast as they can be decoded
AHEAD_TICKS = 22_500  # 250 ms before the wall clock: pictures that came in a bunch; more would become standing delay
BEHIND_TICKS = 22_500


class Timeline:
    """Gives growing timestamps in 90 kHz ticks, beginning at 0."""

    def __init__(self) -> None:
        self._ticks = 0
        self._pts_90k: int | None = None
        self._anchor_s = 0.0
        self._anchor_ticks = 0

    def step(self, pts_90k: int, *, cached: bool, now_s: float) -> int:
        """The timestamp of the next picture in sending order; `now_s` is any clock that only grows."""
        last = self._pts_90k
        self._pts_90k = pts_90k
        if last is None:
            self._anchor(now_s)
            return self._ticks
        if cached:
            self._ticks += BURST_TICKS
            self._anchor(now_s)
            return self._ticks
        wall = self._anchor_ticks + round((now_s - self._anchor_s) * TICKS_PER_S)
        due = self._ticks + (pts_90k - last)
        if not wall - BEHIND_TICKS <= due <= wall + AHEAD_TICKS:
            due = wall
        self._ticks = max(due, self._ticks + BURST_TICKS)
        return self._ticks

    def _anchor(self, now_s: float) -> None:
        self._anchor_s = now_s
        self._anchor_ticks = self._ticks
