"""One camera of a stream worker: one thread that demuxes once and hands packets by reference to ring, clip, live and decoder.

The thread never waits for the detector, the bus or a viewer. `run` retries for ever; `run_once` raises SourceError.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from streams import backoff, gate, health, sampler, timestamps
from streams.fanout import Fanout
from streams.health import Problem
from streams.packet import VideoPacket
from streams.recorder import Recorder
from streams.redact import redact_url
from streams.ring import Ring
from streams.source import DecodedFrame, Source
from streams.source_errors import SourceError, Why
from streams.wall import Wall
from vision.frame import Frame

log = structlog.get_logger()

HEALTH_EVERY_S = 1.0
REFUSED_WAIT_S = 20.0  # after a refused password, at least half of it: many cameras lock an account after a few tries
FEATURES_EVERY_S = 0.115  # a little under 1/8 s, so that 10 frames a second give 8 to 10 looks


class Watcher(Protocol):
    """Takes the frames that are to be looked at. `moved`: whether the gate saw a change since the last one that was looked at."""

    needs_features: bool

    def offer(self, frame: Frame, *, detect: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """Effects that a camera needs, so that tests can give their own."""

    open_source: Callable[..., Source] = Source.open
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = lambda: 0.5
    on_health: Callable[[health.Health, health.Facts], None] = lambda state, facts: None


@dataclass(slots=True)
class Counters:
    """Since the worker's start. `passed_over`: frames that were due to be looked at and were replaced by newer ones."""

    packets: int = 0
    frames: int = 0
    corrupt: int = 0
    offered: int = 0
    reconnects: int = 0


@dataclass(slots=True)
class _Rates:
    """Frames and inferences a second, over the last whole health interval."""

    at_s: float = 0.0
    frames: int = 0
    inferred: int = 0
    fps: float = 0.0
    inferred_per_s: float = 0.0


@dataclass(slots=True)
class Parts:
    """What one camera's packets and frames go to."""

    ring: Ring
    recorder: Recorder
    clear: Fanout
    wall: Wall
    watcher: Watcher
    lock: threading.Lock = field(default_factory=threading.Lock)  # the recorder is used by this thread and by the looker's


class CameraThread:
    def __init__(
        self, camera: str, url: str, parts: Parts, *, infer_per_s: float, still_infer_per_s: float, doors: Doors
    ) -> None:
        self.camera = camera
        self.counters = Counters()
        self._url = url
        self._parts = parts
        self._doors = doors
        self._sampler = sampler.Sampler(infer_per_s, still_infer_per_s)
        self._gate = gate.Gate()
        self._timeline: timestamps.Timeline | None = None
        self._health = health.connecting(doors.clock())
        self._freeze = health.Freeze()
        self._rates = _Rates(at_s=doors.clock())
        self._unlooked = False  # something moved, and no look has followed yet
        self._features_at_s = 0.0
        self._connected_s = 0.0
        self._size = (0, 0)
        self._health_lock = threading.Lock()
        self.inferred = 0  # counted up by the looker

    @property
    def health(self) -> health.Health:
        return self._health

    def run(self, stop: threading.Event) -> None:
        """Connects again and again, with back-off; returns only when `stop` is set."""
        tries = backoff.Backoff()
        self._report(self._doors.clock(), force=True)
        while not stop.is_set():
            self._connected_s = 0.0
            try:
                self.run_once(stop)
                continue
            except SourceError as error:
                lost = error
            except Exception as error:
                log.exception("camera.failed", camera=self.camera)
                lost = SourceError(Why.FAILED, redact_url(self._url), type(error).__name__)
            held_s = self._doors.clock() - self._connected_s if self._connected_s else 0.0
            least_s = REFUSED_WAIT_S if lost.why is Why.UNAUTHORISED else 0.0
            tries, wait_s = backoff.failed(tries, held_s=held_s, chance=self._doors.chance(), least_s=least_s)
            self._lost(lost, wait_s)
            stop.wait(wait_s)

    def run_once(self, stop: threading.Event) -> None:
        """One connection. Raises SourceError at its end, unless `stop` was set."""
        with self._doors.open_source(self._url, timeline=self._timeline, clock=self._doors.clock) as source:
            self._connected_s = self._doors.clock()
            self._parts.clear.reset()
            self._parts.wall.reset()
            self._freeze = health.Freeze()
            reordered = False
            log.info("camera.connected", camera=self.camera, width=source.info.width, height=source.info.height)
            try:
                for packet in source.packets():
                    if stop.is_set():
                        return
                    self._size = (source.info.width, source.info.height)
                    self._packet(packet)
                    for frame in source.decode(packet):
                        self._frame(frame)
                    if source.b_frames and not reordered:
                        reordered = True
                        told = SourceError(Why.B_FRAMES, source.place)
                        self._parts.clear.gone(Why.B_FRAMES.value, told.text)
                        self.trouble(told.why.value, Problem(told.why.value, told.text, told.text_zh))
            finally:
                self._timeline = source.timeline

    def tick(self, now_s: float) -> None:
        """Called by the worker about once a second, also while no packet comes: stalls show, clips end, health is heard."""
        with self._parts.lock:
            self._parts.recorder.tick(now_s)
        with self._health_lock:
            before = self._health
            self._health = health.tick(before, now_s)
        if self._health.state is not before.state:
            log.warning("camera.state", camera=self.camera, state=self._health.state.value, reason=self._health.reason)
        self._report(now_s, force=self._health.state is not before.state)

    def trouble(self, code: str, problem: Problem | None) -> None:
        """Something is wrong with this camera while its pictures come; None: no longer. From any thread."""
        now_s = self._doors.clock()
        with self._health_lock:
            before = self._health.state
            if problem is not None:
                self._health = health.with_problem(self._health, problem, now_s)
            elif any(known.code == code for known in self._health.problems):
                self._health = health.without_problem(self._health, code, now_s)
            changed = self._health.state is not before
        if changed:
            self._changed(now_s)

    def _changed(self, now_s: float) -> None:
        log.info("camera.state", camera=self.camera, state=self._health.state.value, reason=self._health.reason)
        self._report(now_s, force=True)

    def _packet(self, packet: VideoPacket) -> None:
        parts, now_s = self._parts, self._doors.clock()
        self.counters.packets += 1
        parts.ring.append(packet)
        with parts.lock:
            parts.recorder.feed(packet)
            problem = parts.recorder.problem
        parts.clear.push(packet.data, packet.pts_90k, packet.key, packet.captured_at_s)
        with self._health_lock:
            before = self._health.state
            self._health = health.packet(self._health, now_s)
            for code in {"disk_full", "write_failed"} & {known.code for known in self._health.problems}:
                if problem is None or problem.code != code:
                    self._health = health.without_problem(self._health, code, now_s)
            if problem is not None:
                told = Problem(problem.code, problem.text, problem.text_zh)
                self._health = health.with_problem(self._health, told, now_s)
            changed = self._health.state is not before
        if changed:
            self._changed(now_s)

    def _frame(self, decoded: DecodedFrame) -> None:
        now_s = self._doors.clock()
        self.counters.frames += 1
        self.counters.corrupt += decoded.corrupt
        with self._health_lock:
            self._health = health.decoded(self._health, now_s, corrupt=decoded.corrupt)
        thumb = gate.thumbnail(decoded.luma)
        self._look_for_freeze(thumb, decoded.key, now_s)
        moved = gate.changed(self._gate, thumb)
        at_s = decoded.captured_at_s
        detect = False
        if not decoded.corrupt:
            self._unlooked |= moved
            self._sampler, detect = sampler.offer(self._sampler, at_s, changed=self._unlooked)
            features = self._parts.watcher.needs_features and not 0 <= at_s - self._features_at_s < FEATURES_EVERY_S
            if detect or features:
                frame = Frame.from_planes(self.camera, at_s, self.counters.frames, decoded.planes)
                self._parts.watcher.offer(frame, detect=detect)
                self.counters.offered += detect
                if features:
                    self._features_at_s = at_s
        if detect:
            self._gate = gate.looked(thumb)
            self._unlooked = False
        if self._parts.wall.watched:
            self._parts.wall.show(decoded.planes, decoded.pts_90k, at_s, moved=moved or detect, corrupt=decoded.corrupt)

    def _look_for_freeze(self, thumb: gate.Luma, key: bool, now_s: float) -> None:
        self._freeze = health.look(self._freeze, zlib.crc32(thumb.tobytes()), now_s, key=key)
        since_s = health.frozen_since(self._freeze, now_s)
        frozen = any(p.code == "frozen" for p in self._health.problems)
        with self._health_lock:
            if since_s is not None:
                self._health = health.with_problem(self._health, health.frozen_problem(since_s, now_s), now_s)
            elif frozen:
                self._health = health.without_problem(self._health, "frozen", now_s)

    def _lost(self, error: SourceError, wait_s: float) -> None:
        now_s = self._doors.clock()
        self.counters.reconnects += 1
        self._parts.clear.gone(error.why.value, error.text)
        self._parts.wall.gone(error.why.value, error.text)
        with self._health_lock:
            before = self._health.state
            self._health = health.failed(self._health, error, now_s)
        if self._health.state is not before or self.counters.reconnects % 20 == 1:
            log.warning("camera.lost", camera=self.camera, why=error.why.value, reason=error.text, again_in_s=round(wait_s, 1))
        self._report(now_s, force=True)

    def _report(self, now_s: float, *, force: bool) -> None:
        rates = self._rates
        passed_s = now_s - rates.at_s
        if passed_s >= HEALTH_EVERY_S:
            self._rates = rates = replace(
                rates,
                at_s=now_s,
                frames=self.counters.frames,
                inferred=self.inferred,
                fps=(self.counters.frames - rates.frames) / passed_s,
                inferred_per_s=(self.inferred - rates.inferred) / passed_s,
            )
        elif not force:
            return
        facts = health.Facts(round(rates.fps, 1), round(rates.inferred_per_s, 1), *self._size, "h264" if self._size[0] else "")
        self._doors.on_health(self._health, facts)
