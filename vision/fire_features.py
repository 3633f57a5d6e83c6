"""Flame-like regions of a picture, from its pixels over the last seconds. Pure over arrays; about 1 ms a frame at 426×240.

Colour alone takes red walls and safety vests for fire, so each region is measured for what burning does and paint does not:
- flicker: the brightness of one and the same pixel reverses several times a second (after Töreyin et al. 2006, "Computer
  vision based method for real-time fire and flame detection"). What moves past brightens and darkens a pixel once or twice.
- glow: within the region brighter means yellower, as for any body that glows (hotter is brighter and shorter in wavelength).
  One dye in sun and shade keeps its ratio of green to red.
- unison: flames flicker each place for itself; a lamp or a switched-on sign goes up and down as one.
- restless: the flame-coloured area itself jumps from frame to frame; a flag's or a vest's stays what it was.
- residual: what changes in a waving vest or a shaken picture can be had by moving the last frame's pixels (dense optical
  flow); flames come and go. (After Mueller et al. 2013, "Optical flow estimation for flame detection in videos".)
- texture, core, colour share, growth and age.
The colour rule is YCrCb after Celik & Demirel 2009, with the mean-based terms left out: they fail when the fire fills the view.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.vocabulary import PEOPLE, VEHICLES
from vision.detections import Box, FireRegion, Track

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

PERIOD_S = 0.09  # frames closer than this to the last are skipped: 8 to 10 a second is what flicker needs
GAP_S = 2.0  # after a longer gap, or a new size, everything starts anew
STEP = 12  # grey levels: smaller changes are noise and compression
FLICKER_TAU_S = 2.0
COLOUR_TAU_S = 1.0
HOT_RATE = 1.0  # reversals a second for a pixel to belong to a region
RECENT_COLOUR = 0.15  # of the last second flame-coloured
SHAKEN = 0.4  # of the picture changed at once, not in flame colours: the camera moved, the light was switched; not counted
MIN_AREA = 0.0006  # of the picture
MOST_REGIONS = 8  # the largest ones
MOST_MOVED = 3  # regions for which optical flow is run
MARGIN_PX = 8  # of a region's surroundings
SMOOTH_S = 1.0
FLOW_LEAST_PX, FLOW_MOST_PX = 12, 64
LIT_LEAST_PX = 12
BURNT_OUT = 235  # red near the sensor's limit
KEEP_S = 1.5  # a region that is not there for this long is forgotten
WIDE_PX = 480  # wider frames are first scaled down to 426
SURE_TRACK = 0.35  # a track must be this sure to explain a region away
MOVING_PER_S = 0.02  # picture widths a second


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of one region from frame to frame."""

    box: Box
    first_s: float
    last_s: float
    first_area: float
    net: float = 0.0
    gross: float = 0.0
    restless: float | None = None
    residual: float | None = None
    glow: float | None = None
    texture: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Arrays are height × width: `luma` and flame-coloured `mask` (0/255) of the last frame, masks of each pixel's last
    direction of change, and leaky means (0..255) of reversing and of being flame-coloured.
    """

    began_s: float
    at_s: float
    luma: Bytes
    mask: Bytes
    rose: Bytes
    fell: Bytes
    turns: Floats
    flame: Floats
    seen: tuple[Seen, ...] = ()
    regions: tuple[FireRegion, ...] = ()


def step(
    state: State | None, frame_bgr: Bytes, at_s: float, tracks: Sequence[Track] = ()
) -> tuple[State, tuple[FireRegion, ...]]:
    """One frame (height × width × 3, BGR, uint8; best 320 to 480 wide) captured at `at_s`. `None` is the initial state.

    Frames may come at any rate; 8 a second are enough and fewer than 5 blunt the flicker. Returns the new state and the
    regions, largest first; `tracks` are the camera's newest and serve only to set `explained`.
    """
    frame = frame_bgr
    if frame.shape[1] > WIDE_PX:
        height = max(1, round(frame.shape[0] * 426 / frame.shape[1]))
        frame = np.asarray(cv2.resize(frame, (426, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if state is not None and state.luma.shape == frame.shape[:2] and -1.0 < at_s - state.at_s < PERIOD_S:
        return state, state.regions
    luma, flame = _luma_and_flame(frame)
    if state is None or state.luma.shape != luma.shape or not 0 < at_s - state.at_s <= GAP_S:
        nothing, zeros = np.zeros_like(luma), np.zeros(luma.shape, np.float32)
        return State(at_s, at_s, luma, flame, nothing, nothing, zeros, flame.astype(np.float32)), ()
    dt = at_s - state.at_s
    before = _relit(state.luma, luma)
    rises, falls = _above(_minus(luma, before), STEP), _above(_minus(before, luma), STEP)
    other = cv2.bitwise_and(cv2.bitwise_or(rises, falls), cv2.bitwise_not(flame))
    if cv2.countNonZero(other) > SHAKEN * luma.size:
        return replace(state, at_s=at_s, luma=luma, mask=flame), state.regions
    turned = cv2.bitwise_or(cv2.bitwise_and(rises, state.fell), cv2.bitwise_and(falls, state.rose))
    rose = cv2.bitwise_or(rises, cv2.bitwise_and(state.rose, cv2.bitwise_not(falls)))
    fell = cv2.bitwise_or(falls, cv2.bitwise_and(state.fell, cv2.bitwise_not(rises)))
    turns, flames = state.turns.copy(), state.flame.copy()
    cv2.accumulateWeighted(turned, turns, 1 - math.exp(-dt / FLICKER_TAU_S))
    cv2.accumulateWeighted(flame, flames, 1 - math.exp(-dt / COLOUR_TAU_S))
    # A leaky mean that began at nothing is too low for its first seconds: divide by what it can have reached.
    per_s = 1 / (255 * dt * (1 - math.exp(-(at_s - state.began_s) / FLICKER_TAU_S)))
    hot = _bytes(cv2.bitwise_and(_above(turns, HOT_RATE / per_s), _above(flames, RECENT_COLOUR * 255)))
    seen: tuple[Seen, ...] = tuple(s for s in state.seen if at_s - s.last_s <= KEEP_S)
    regions: tuple[FireRegion, ...] = ()
    if cv2.countNonZero(hot) >= MIN_AREA * hot.size / 2:
        planes = _Planes(frame, luma, flame, rises, falls, turns * np.float32(per_s / flame_rate(dt)), flames)
        seen, regions = _regions(hot, planes, _Before(before, state.mask, dt), seen, at_s=at_s, tracks=tracks)
    new = State(state.began_s, at_s, luma, flame, _bytes(rose), _bytes(fell), turns, flames, seen, regions)
    return new, regions


@dataclass(frozen=True, slots=True, eq=False)
class _Before:
    """The last frame, for what is measured between two."""

    luma: Bytes
    mask: Bytes
    dt_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _Planes:
    frame: Bytes
    luma: Bytes
    flame: Bytes
    rises: Bytes
    falls: Bytes
    rate: Floats
    flames: Floats

    def cut(self, x: int, y: int, w: int, h: int, inside: NDArray[np.bool_]) -> _Planes:
        """The pixels of one region, as flat arrays."""

        def of(plane: Any) -> Any:
            return plane[y : y + h, x : x + w][inside]

        return _Planes(*(of(p) for p in (self.frame, self.luma, self.flame, self.rises, self.falls, self.rate, self.flames)))


def _luma_and_flame(frame: Bytes) -> tuple[Bytes, Bytes]:
    """Luma, and the mask of flame-coloured pixels: red over green over blue, red bright, Cr well over Cb."""
    blue, green, red = cv2.split(frame)
    luma, cr, cb = cv2.split(cv2.cvtColor(frame, cv2.COLOR_BGR2YCrCb))
    flame = cv2.bitwise_and(_above(_minus(cr, cb), 39), _above(_bytes(red), 139))
    flame = cv2.bitwise_and(flame, _above(_minus(red, green), 0))
    flame = cv2.bitwise_and(flame, cv2.bitwise_not(_above(_minus(blue, green), 8)))
    return _bytes(luma), _bytes(flame)


def flame_rate(dt_s: float) -> float:
    """Reversals a second of a flame's pixel that is looked at every dt_s: 1.8 at 4 Hz, 2.8 at 8 Hz, 3.4 at 12 Hz.

    Independent samples reverse in two of three steps (1.5 dt for one reversal); a flame keeps its brightness for a tenth of a
    second, which adds a constant. Fitted to measured medians of 1.65, 2.1, 2.8 and 3.2 at 4, 5, 8 and 12 Hz (furg_house6).
    """
    return 1 / (1.5 * dt_s + 0.17)


def _relit(before: Bytes, luma: Bytes) -> Bytes:
    """The last luma with this frame's general brightness: a camera that adjusts its exposure makes nothing flicker."""
    shift = round(float(np.median(luma[::8, ::8].astype(np.int16) - before[::8, ::8])))
    if shift > 0:
        return _bytes(cv2.add(before, np.full_like(before, shift)))
    return _bytes(cv2.subtract(before, np.full_like(before, -shift))) if shift < 0 else before


def _regions(
    hot: Bytes, planes: _Planes, before: _Before, seen: tuple[Seen, ...], *, at_s: float, tracks: Sequence[Track]
) -> tuple[tuple[Seen, ...], tuple[FireRegion, ...]]:
    """The connected parts of `hot`, each joined to what is remembered at its place."""
    height, width = hot.shape
    dense = _above(_bytes(cv2.blur(hot, (7, 7))), 64)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(dense, connectivity=8)
    order = sorted(range(1, count), key=lambda i: -int(stats[i, cv2.CC_STAT_AREA]))
    left: list[Seen] = list(seen)
    regions: list[FireRegion] = []
    kept: list[Seen] = []
    for i in order[:MOST_REGIONS]:
        x, y, w, h, pixels = (int(v) for v in stats[i])
        if pixels < MIN_AREA * hot.size:
            break
        box, area = (x / width, y / height, (x + w) / width, (y + h) / height), pixels / hot.size
        part = planes.cut(x, y, w, h, np.asarray(labels[y : y + h, x : x + w] == i))
        earlier = [s for s in left if covered(s.box, box) > 0.3 or covered(box, s.box) > 0.3]
        left = [s for s in left if s not in earlier]
        first = min(earlier, key=lambda s: s.first_s, default=Seen(box, at_s, at_s, area))
        up, down = float((part.rises > 0).sum()), float((part.falls > 0).sum())
        now = replace(
            first, box=box, last_s=at_s, net=0.9 * first.net + abs(up - down), gross=0.9 * first.gross + up + down
        )  # fmt: skip
        now = _lit(_between(now, planes, before, (x, y, w, h), moved=len(kept) < MOST_MOVED), part, before.dt_s)
        kept.append(now)
        explained = any(_explains(track, box) for track in tracks)
        regions.append(_measured(now, area, part, at_s=at_s, explained=explained))
    return (*kept, *left), tuple(regions)


def _lit(seen: Seen, part: _Planes, dt_s: float) -> Seen:
    """With the glow and texture of the region's lit pixels; `part` holds its pixels alone (one row each)."""
    pixels, luma = part.frame.astype(np.float32), part.luma.astype(np.float32)
    red = pixels[:, 2]
    # The flame itself and its burnt-out core, which is too bright to have a colour.
    lit = (part.flame > 0) | ((red >= BURNT_OUT) & (red >= pixels[:, 0]))
    if int(lit.sum()) < LIT_LEAST_PX:
        return seen
    ratio, light = pixels[lit, 1] / np.maximum(red[lit], 1), luma[lit]
    texture, glow = float(light.std()) / 128, 0.0
    if texture > 0.01 and float(ratio.std()) > 1e-3:
        rising = float(np.corrcoef(ratio, light)[0, 1])
        low, high = np.percentile(ratio, (10, 90))
        glow = max(0.0, rising) * float(high - low)
    return replace(seen, glow=_smooth(seen.glow, glow, dt_s), texture=_smooth(seen.texture, texture, dt_s))


def _measured(seen: Seen, area: float, part: _Planes, *, at_s: float, explained: bool) -> FireRegion:
    return FireRegion(
        box=seen.box,
        area=area,
        colour=float(part.flames.mean()) / 255,
        flicker=float(part.rate.mean()),
        texture=seen.texture or 0.0,
        growth=area / seen.first_area,
        age_s=at_s - seen.first_s,
        explained=explained,
        glow=seen.glow or 0.0,
        core=float((part.frame[:, 2] >= BURNT_OUT).mean()),
        unison=seen.net / seen.gross if seen.gross else 1.0,
        restless=seen.restless or 0.0,
        residual=seen.residual or 0.0,
    )


def _between(seen: Seen, planes: _Planes, before: _Before, place_px: tuple[int, int, int, int], *, moved: bool) -> Seen:
    """With what the region's surroundings did from the last frame to this one, smoothed over SMOOTH_S."""
    height, width = planes.luma.shape
    x, y, w, h = place_px
    cut = (
        slice(max(0, y - MARGIN_PX), min(height, y + h + MARGIN_PX)),
        slice(max(0, x - MARGIN_PX), min(width, x + w + MARGIN_PX)),
    )
    was, now = cv2.countNonZero(before.mask[cut]), cv2.countNonZero(planes.flame[cut])
    jump = abs(now - was) / max(1.0, (now + was) / 2)
    restless = _smooth(seen.restless, jump, before.dt_s)
    residual = seen.residual
    if moved:
        rest = _unmoved(np.ascontiguousarray(before.luma[cut]), np.ascontiguousarray(planes.luma[cut]))
        residual = _smooth(residual, rest, before.dt_s)
    return replace(seen, restless=restless, residual=residual)


def _smooth(old: float | None, new: float, dt_s: float) -> float:
    return new if old is None else old + (1 - math.exp(-dt_s / SMOOTH_S)) * (new - old)


def _unmoved(was: Bytes, now: Bytes) -> float:
    """Share of the difference that is left when the pixels of `was` are moved to where dense optical flow finds them."""
    if was.shape[1] > FLOW_MOST_PX or was.shape[0] > FLOW_MOST_PX:
        scale = FLOW_MOST_PX / max(was.shape)
        was, now = (_bytes(cv2.resize(p, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)) for p in (was, now))
    change = float(cv2.absdiff(was, now).mean())
    if change < 1 or min(was.shape) < FLOW_LEAST_PX:
        return 0.0
    # Farneback, not DIS: cv2's DIS reads beyond its arrays when a picture is low and wide (OpenCV 5.0.0, measured).
    flow = cv2.calcOpticalFlowFarneback(was, now, np.zeros((*was.shape, 2), np.float32), 0.5, 3, 11, 2, 5, 1.1, 0)
    columns, rows = np.meshgrid(np.arange(was.shape[1], dtype=np.float32), np.arange(was.shape[0], dtype=np.float32))
    moved = cv2.remap(now, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return min(1.0, float(cv2.absdiff(was, moved).mean()) / change)


def _explains(track: Track, box: Box) -> bool:
    """A person in bright clothes, or a vehicle driving by. Not a standing vehicle: that may be what burns."""
    if track.score < SURE_TRACK or not (
        track.label in PEOPLE or (track.label in VEHICLES and track.speed_per_s > MOVING_PER_S)
    ):  # fmt: skip
        return False
    x1, y1, x2, y2 = track.box
    dx, dy = 0.1 * (x2 - x1), 0.1 * (y2 - y1)
    return covered(box, (x1 - dx, y1 - dy, x2 + dx, y2 + dy)) >= 0.6


def covered(box: Box, by: Box) -> float:
    """Share of `box` that lies in `by`."""
    w, h = min(box[2], by[2]) - max(box[0], by[0]), min(box[3], by[3]) - max(box[1], by[1])
    size = (box[2] - box[0]) * (box[3] - box[1])
    return w * h / size if w > 0 and h > 0 and size > 0 else 0.0


def _above(plane: Bytes | Floats, limit: float) -> Bytes:
    """255 where the plane is over the limit, else 0."""
    return _bytes(cv2.threshold(plane, limit, 255, cv2.THRESH_BINARY)[1])


def _minus(a: object, b: object) -> Bytes:
    """a - b, and 0 where that would be negative."""
    return _bytes(cv2.subtract(_bytes(a), _bytes(b)))


def _bytes(array: object) -> Bytes:
    return np.asarray(array, dtype=np.uint8)
