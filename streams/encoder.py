"""The wall's encoder: I420 planes, people already covered, to H.264 access units of at most 360 lines.

Constrained Baseline (no B-frames, plays everywhere), no look-ahead, one thread, SPS and PPS before each key frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

Plane = NDArray[np.uint8]

TIME_BASE = Fraction(1, 90_000)
MAX_KBIT_S = 900


def _filter(source: tuple[int, ...], size: tuple[int, int]) -> int:
    """Averaging is best and cheap for whole ratios (1080 → 360), ten times dearer for others: below 2 linear does as well."""
    whole = source[0] % size[1] == 0 and source[1] % size[0] == 0
    return cv2.INTER_AREA if whole or source[0] > 2 * size[1] else cv2.INTER_LINEAR


@dataclass(frozen=True, slots=True)
class Encoded:
    """One access unit, Annex B: what Fanout.push takes."""

    data: bytes
    pts_90k: int
    key: bool


class WallEncoder:
    """Encodes one camera's covered pictures. `fps` is what to expect; pts count. A key frame comes at least each `gop_s`.

    A change of the input's size begins a new stream by itself.
    """

    def __init__(self, *, height_px: int = 360, fps: float = 10.0, gop_s: float = 2.0) -> None:
        self._height_px = height_px
        self._fps = fps
        self._gop_s = gop_s
        self._codec: av.VideoCodecContext | None = None
        self._source: tuple[int, int] | None = None
        self._size = (0, 0)
        self._last_key_90k: int | None = None
        self._last_pts_90k: int | None = None

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of what comes out; (0, 0) before the first picture."""
        return self._size

    def encode(self, y: Plane, u: Plane, v: Plane, pts_90k: int, *, key: bool = False) -> list[Encoded]:
        """Planes: uint8, y (h, w), u and v (⌈h/2⌉, ⌈w/2⌉). Usually one access unit comes back, at once.

        `key` forces a key frame (a first viewer came). Pictures whose pts does not grow are passed over.
        Errors: ValueError when the planes do not belong together; av.FFmpegError from the encoder.
        """
        height, width = y.shape
        if u.shape != v.shape or u.shape != ((height + 1) // 2, (width + 1) // 2):
            raise ValueError(f"I420 planes of {y.shape}, {u.shape}, {v.shape} do not belong together")
        if self._source != (width, height) or self._jumped(pts_90k):
            self._open(width, height)
        if self._last_pts_90k is not None and pts_90k <= self._last_pts_90k:
            return []
        assert self._codec is not None
        frame = self._frame(y, u, v)
        frame.pts = pts_90k
        frame.time_base = TIME_BASE
        due = self._last_key_90k is None or pts_90k - self._last_key_90k >= self._gop_s * 90_000
        frame.pict_type = PictureType.I if key or due else PictureType.NONE
        self._last_pts_90k = pts_90k
        out = [Encoded(bytes(p), pts_90k if p.pts is None else p.pts, p.is_keyframe) for p in self._codec.encode(frame)]
        if any(unit.key for unit in out):
            self._last_key_90k = pts_90k
        return out

    def _jumped(self, pts_90k: int) -> bool:
        """A source that began anew far back: without a new encoder all of its pictures would be passed over."""
        return self._last_pts_90k is not None and pts_90k < self._last_pts_90k - 90_000

    def _frame(self, y: Plane, u: Plane, v: Plane) -> av.VideoFrame:
        width, height = self._size
        frame = av.VideoFrame(width, height, "yuv420p")
        halves = (width // 2, height // 2)
        for plane, source, size in zip(frame.planes, (y, u, v), (self._size, halves, halves), strict=True):
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
            if (source.shape[1], source.shape[0]) == size:
                rows[:] = source
            else:
                cv2.resize(source, size, dst=rows, interpolation=_filter(source.shape, size))
        return frame

    def _open(self, width: int, height: int) -> None:
        out_height = min(self._height_px, height) // 2 * 2
        self._size = (max(2, round(width * out_height / height / 2) * 2), max(2, out_height))
        self._source = (width, height)
        self._last_key_90k = None
        self._last_pts_90k = None
        codec = av.CodecContext.create("libx264", "w")
        codec.width, codec.height = self._size
        codec.pix_fmt = "yuv420p"
        codec.time_base = TIME_BASE
        codec.framerate = Fraction(self._fps).limit_denominator(1000)
        codec.gop_size = max(1, round(self._fps * self._gop_s * 4))  # `due` above decides; this is only the last resort
        codec.max_b_frames = 0
        codec.thread_count = 1
        codec.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "baseline",
            "forced-idr": "1",
            "crf": "27",
            "maxrate": f"{MAX_KBIT_S}k",
            "bufsize": f"{MAX_KBIT_S}k",
            "x264-params": "repeat-headers=1:annexb=1:scenecut=0:sliced-threads=0",
        }
        self._codec = codec
