"""Real footage for the hazard rules, and pictures made from it. COMPOSITES are marked: no clip here shows a fire that begins or
a car that stops, so those are put together from real pictures (or, where it says synthetic, computed)."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
ASSETS = Path(os.environ.get("CALLOUT_ASSETS", ROOT.parent / "shared")) / "footage"
CAMPUS = ROOT / "configs" / "demo" / "campus.mp4"  # shipped

Frames = Iterator[tuple[float, np.ndarray]]


def clip(path: Path, *, hz: float, height: int = 0, until_s: float = math.inf, loops: int = 1) -> Frames:
    """(seconds, BGR) at about `hz` a second; height 0 keeps the clip's size."""
    due_s = base_s = at_s = 0.0
    for _ in range(loops):
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                at_s = base_s + float(frame.time or 0)
                if at_s > until_s:
                    return
                if at_s < due_s - 1e-6:
                    continue
                due_s = at_s + 1 / hz - 1e-3
                width = round(height * frame.width / frame.height) if height else 0
                picture = frame.to_ndarray(format="bgr24")
                yield at_s, cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) if height else picture
        base_s = at_s + 0.06


def still(path: Path, at_s: float, height: int = 240) -> np.ndarray:
    return next(picture for t, picture in clip(path, hz=100, height=height) if t >= at_s)


def noisy(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With a camera's noise, so that a still picture is not stiller than real ones."""
    return np.clip(picture + rng.normal(0, 2.5, picture.shape), 0, 255).astype(np.uint8)


def composite_fire(
    background: np.ndarray, *, hz: float = 8, start_s: float = 6, grow_s: float = 10, scale: float = 1, light: float = 1
) -> Frames:
    """COMPOSITE: flames of furg_house6's middle window, growing in a still picture from `start_s` on; by night `light` is low."""
    rng = np.random.default_rng(1)
    flames = [p[30:118, 170:248] for _, p in clip(ASSETS / "furg_house6.mp4", hz=hz, height=240)]
    dark = np.percentile(np.stack(flames), 10, axis=0).sum(axis=2)
    back = background.astype(np.float32) * light
    for i in range(int(14 * hz)):
        picture, t = back.copy(), i / hz
        if t >= start_s:
            k = (i + int((8 - start_s) * hz)) % len(flames)
            size = scale * min(1.0, 0.25 + 0.75 * (t - start_s) / grow_s)
            cover = np.clip((flames[k].astype(np.float32).sum(axis=2) - dark) / 90, 0, 1).astype(np.float32)
            flame = cv2.resize(flames[k], None, fx=size, fy=size, interpolation=cv2.INTER_AREA).astype(np.float32)
            cover = cv2.resize(cover, flame.shape[1::-1], interpolation=cv2.INTER_AREA)[..., None]
            bottom, left = int(0.75 * len(back)), int(0.35 * back.shape[1] - flame.shape[1] / 2)
            place = picture[bottom - len(flame) : bottom, left : left + flame.shape[1]]
            place[:] = place * (1 - cover) + flame * cover
        yield t, noisy(picture, rng)


def composite_vest(background: np.ndarray, *, hz: float = 8, swing_hz: float, swing_px: float) -> Frames:
    """COMPOSITE: the orange vest of the worker clip, cut out and swung in one place for 12 s (no person box explains it)."""
    rng = np.random.default_rng(2)
    vest = still(ASSETS / "intel_preview_worker-zone-detection.gif", 3.6)[75:145, 98:142]
    for i in range(int(12 * hz)):
        t = i / hz
        picture = background.copy()
        part = cv2.resize(vest, None, fx=1 + 0.1 * math.sin(2 * math.pi * 1.3 * swing_hz * t), fy=1)
        left, top = int(130 + swing_px * math.sin(2 * math.pi * swing_hz * t)), 120
        picture[top : top + len(part), left : left + part.shape[1]] = part
        yield t, noisy(picture, rng)


def synthetic_fire(background: np.ndarray, *, hz: float = 8, start_s: float = 4) -> Frames:
    """SYNTHETIC: a computed flame (smoothed noise, new five times a second, red to yellow to white by its heat)."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:60, :36].astype(np.float32)
    for i in range(int(11 * hz)):
        picture, t = background.astype(np.float32), i / hz
        if t >= start_s:
            turbulence = cv2.resize(rng.random((10, 6)).astype(np.float32), (36, 60), interpolation=cv2.INTER_CUBIC)
            body = np.clip(1.4 - np.abs(columns - 18) / 16 - (60 - rows) / 60, 0, 1)
            heat = np.clip(body * (0.35 + 1.3 * turbulence), 0, 1)[..., None]
            colour = (
                np.concatenate([np.clip(3 * heat - 2, 0, 1), np.clip(2 * heat - 0.7, 0, 1), np.clip(3 * heat, 0, 1)], axis=2)
                * 255
            )
            place = picture[120:180, 120:156]
            place[:] = place * (1 - np.clip(3 * heat, 0, 1)) + colour * np.clip(3 * heat, 0, 1)
        yield t, noisy(picture, rng)


def synthetic_lamp(background: np.ndarray, *, hz: float = 8, blink_hz: float, light: float = 0.2) -> Frames:
    """SYNTHETIC: an amber warning lamp that blinks, by night."""
    rng = np.random.default_rng(4)
    rows, columns = np.mgrid[: background.shape[0], : background.shape[1]]
    glow = np.exp(-(((columns - 130) ** 2 + (rows - 120) ** 2) / 81))[..., None] * (120, 420, 700)
    for i in range(int(12 * hz)):
        on = 1.0 if (i / hz * blink_hz) % 1 < 0.5 else 0.05
        yield i / hz, noisy(background * light + on * glow, rng)


def shaken(background: np.ndarray, *, hz: float = 8, by_px: float) -> Frames:
    """A real picture as a trembling camera would see it."""
    rng = np.random.default_rng(5)
    for i in range(int(12 * hz)):
        move = np.array([[1, 0, rng.normal(0, by_px)], [0, 1, rng.normal(0, by_px)]], np.float32)
        yield i / hz, cv2.warpAffine(background, move, background.shape[1::-1], borderMode=cv2.BORDER_REFLECT)


def compressed(frames: Frames, *, hz: int = 8, crf: int = 30) -> Frames:
    """The same through H.264, as a camera would send it."""
    buffer, times, stream = io.BytesIO(), [], None
    with av.open(buffer, "w", format="mp4") as out:
        for t, picture in frames:
            if stream is None:
                stream = out.add_stream("libx264", rate=Fraction(hz))
                stream.width, stream.height, stream.pix_fmt = picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2, "yuv420p"
                stream.options = {"crf": str(crf), "preset": "veryfast"}
            times.append(t)
            even = np.ascontiguousarray(picture[: stream.height, : stream.width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="bgr24")))
        if stream is not None:
            out.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as container:
        for t, frame in zip(times, container.decode(video=0), strict=True):
            yield t, frame.to_ndarray(format="bgr24")
