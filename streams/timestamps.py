"""Timestamps that can be relied on, made from those that cameras send. Pure.

Cameras send None (the first key frame over RTSP nearly always), repeat a value, step back, jump by hours when their clock is set,
and wrap at 2**32. Out of this comes one strictly rising line in 90 kHz that goes on over reconnects.
"""

from __future__ import annotations

from dataclasses import dataclass

HZ = 90_000
WRAP = 1 << 32  # RTP timestamps have 32 bits (RFC 3550, 5.1)
MAX_GAP_S = 10.0  # a longer step is not a pause but a new clock
# A camera's clock may run slow against ours by this much; it bounds how long one early packet skews capture times.
DRIFT = 0.001
CLOCK_STEP_S = 30.0  # no stall holds packets back so long: read time-outs end it first. Our own clock was set forward


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is remembered between packets: the camera's last value, our last value and when that packet arrived."""

    raw: int | None = None
    out: int | None = None
    arrived_s: float = 0.0
    repairs: int = 0


def step(line: Timeline, raw: int | None, arrived_s: float) -> tuple[Timeline, int]:
    """The next packet's time in 90 kHz: strictly above the last one, true to the camera's steps wherever these can be true.

    `raw` is the camera's value in 90 kHz or None; `arrived_s` our clock. A step that cannot be true (back, standing, missing,
    over MAX_GAP_S) is replaced by the time that passed here, at most MAX_GAP_S.
    """
    if line.out is None:
        return Timeline(raw, 0, arrived_s, 0), 0
    delta: int | None = None
    if raw is not None and line.raw is not None:
        delta = raw - line.raw
        if delta < -(WRAP >> 1):
            delta += WRAP
        if not 0 < delta <= MAX_GAP_S * HZ:
            delta = None
    repairs = line.repairs
    if delta is None:
        passed = min(max(arrived_s - line.arrived_s, 0.0), MAX_GAP_S)
        delta = max(1, round(passed * HZ))
        repairs += 1
    out = line.out + delta
    return Timeline(raw, out, arrived_s, repairs), out


def restarted(line: Timeline) -> Timeline:
    """The line at a new connection: the camera's values begin anew, ours go on."""
    return Timeline(None, line.out, line.arrived_s, line.repairs)


@dataclass(frozen=True, slots=True)
class CaptureClock:
    """Where the 90 kHz line lies in unix time: the least delay seen, so that a burst after a stall keeps its true times."""

    offset_s: float | None = None
    out: int = 0
    captured_s: float = 0.0


def captured_at(clock: CaptureClock, out: int, arrived_s: float) -> tuple[CaptureClock, float]:
    """Unix seconds by which the picture was captured: never after `arrived_s`, and never falling unless our own clock does."""
    offset_s = arrived_s - out / HZ
    stepped = clock.offset_s is not None and offset_s - clock.offset_s > CLOCK_STEP_S
    if clock.offset_s is not None and out >= clock.out and not stepped:
        offset_s = min(offset_s, clock.offset_s + DRIFT * (out - clock.out) / HZ)
    captured_s = min(arrived_s, max(clock.captured_s, out / HZ + offset_s))
    return CaptureClock(offset_s, out, captured_s), captured_s
