"""What a camera sends, measured over some seconds, and what to change in its settings: `callout camera check URL`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from streams.health import CORRUPT_SHARE
from streams.source import Source
from streams.timestamps import HZ

GOP_ASKED_S = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """`fps`, `kbit_s`, `gop_s` as measured; `gop_s` is None when no second key frame came. `advice` is (English, Chinese)."""

    place: str
    codec: str
    width: int
    height: int
    fps: float
    kbit_s: float
    gop_s: float | None
    b_frames: bool
    first_picture_s: float
    pictures: int
    corrupt: int
    advice: tuple[tuple[str, str], ...]


def check(url: str, *, seconds: float = 6.0, clock: Callable[[], float] = time.monotonic) -> Report:
    """Watch a camera for `seconds` and decode everything. Errors: SourceError, as a worker would meet it."""
    began_s = clock()
    first_picture_s = 0.0
    sizes: list[int] = []
    times: list[int] = []
    keys: list[int] = []
    pictures = corrupt = 0
    with Source.open(url) as source:
        for packet in source.packets():
            sizes.append(packet.size)
            times.append(packet.pts_90k)
            if packet.key:
                keys.append(packet.pts_90k)
            for frame in source.decode(packet):
                pictures, corrupt = pictures + 1, corrupt + frame.corrupt
                first_picture_s = first_picture_s or clock() - began_s
            if clock() - began_s >= seconds:
                break
        span_s = max((times[-1] - times[0]) / HZ, 1e-6)
        # The first packet has no time of its own: GOPs are measured between the key frames after it, where there are two.
        steps = [b - a for a, b in pairwise(keys)]
        gop_s = max(steps) / HZ if steps else None
        info, b_frames = source.info, source.b_frames
    advice = _advice(gop_s, span_s, b_frames=b_frames, lost=corrupt / pictures if pictures else 1.0)
    fps, kbit_s = (len(times) - 1) / span_s, sum(sizes[1:]) * 8 / 1000 / span_s
    return Report(
        source.place, info.codec, info.width, info.height, fps, kbit_s, gop_s, b_frames,
        first_picture_s, pictures, corrupt, advice,
    )  # fmt: skip


def _advice(gop_s: float | None, span_s: float, *, b_frames: bool, lost: float) -> tuple[tuple[str, str], ...]:
    advice: list[tuple[str, str]] = []
    longest_s = span_s if gop_s is None else gop_s
    if longest_s > GOP_ASKED_S + 0.1:
        advice.append(
            (
                f"Key frames are {longest_s:.1f} s apart or more: set the I-frame interval to 2 s, or viewers wait.",
                f"关键帧间隔达 {longest_s:.1f} 秒或更长：请将 I 帧间隔设为 2 秒，否则观看者需等待画面。",
            )
        )
    if b_frames:
        advice.append(
            (
                "The stream has B-frames and cannot be shown live: set the H.264 profile to Baseline, or B-frames to 0.",
                "码流含 B 帧，无法实时显示：请将 H.264 档次设为 Baseline，或将 B 帧数设为 0。",
            )
        )
    if lost > CORRUPT_SHARE:
        advice.append(
            (
                f"{lost:.0%} of the pictures are damaged: look at the network between the camera and here.",
                f"{lost:.0%} 的画面受损：请检查摄像机与服务器之间的网络。",
            )
        )
    return tuple(advice)
