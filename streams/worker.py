"""A stream worker: its cameras, one detector, one feed socket. Runs in a process of its own under the supervisor."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import structlog

from configs.schema import Camera, Streams
from models.manifest import Scores
from streams import health
from streams.camera import CameraThread, Doors, Parts
from streams.clip_recovery import recover
from streams.clip_writer import ClipFile, marker_of, open_new
from streams.fanout import Fanout
from streams.live import FeedServer
from streams.looker import Looker
from streams.recorder import ClipEvent, Recorder, forget, free_bytes
from streams.ring import Ring
from streams.source import Source
from streams.wall import Wall
from streams.watcher import CameraWatcher, Faces, Sink
from vision.detections import Detection
from vision.frame import Frame
from vision.hazards.episode import REPEAT_S
from vision.look import Look

log = structlog.get_logger()

TICK_S = 1.0
RING_SLACK_S = 5.0  # dwell and detection come after the instant that the pre-roll counts from
CLOSE_CAMERAS_S, CLOSE_LOOKER_S = 1.5, 1.0  # a camera that sends nothing holds its thread for seconds: it is left behind
STUCK_AFTER_S = 15.0  # one frame in the detector for so long: the worker is wedged, and stops beating


class Eyes(Protocol):
    sha256: str

    def detect(self, frame: Frame) -> Sequence[Detection]: ...


@dataclass(frozen=True, slots=True)
class Folders:
    clips: Path
    thumbnails: Path
    feed_socket: Path


@dataclass(frozen=True, slots=True)
class Disk:
    """How clips come to the disk, so that tests can give a full one."""

    opener: Callable[[Path], ClipFile] = open_new
    room: Callable[[Path], int] = free_bytes


@dataclass(slots=True)
class _Member:
    parts: Parts
    thread: CameraThread
    runner: threading.Thread


class Worker:
    """`start()` returns once the feed socket is open; `run(stop)` ticks until stopped; `close()` ends all threads."""

    def __init__(
        self,
        cameras: Sequence[Camera],
        streams: Streams,
        folders: Folders,
        *,
        eyes: Eyes,
        scores: Scores,
        faces: Faces,
        sink: Sink,
        open_source: Callable[..., Source] = Source.open,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        disk: Disk | None = None,
        stuck_after_s: float = STUCK_AFTER_S,
    ) -> None:
        self._cameras, self._streams, self._folders = tuple(cameras), streams, folders
        self._eyes, self._scores, self._faces, self._sink = eyes, scores, faces, sink
        self._open_source, self._clock, self._chance = open_source, clock, chance
        self._disk, self._stuck_after_s = disk or Disk(), stuck_after_s
        self._stop = threading.Event()
        self.looker = Looker(eyes)
        self.members: dict[str, _Member] = {}
        self._feed = FeedServer(folders.feed_socket, self._fanout)

    def start(self) -> None:
        for event in recover(self._folders.clips, [camera.id for camera in self._cameras], on_closed=_later):
            self._clip(event)
        for camera in self._cameras:
            self.members[camera.id] = self._member(camera)
        self.looker.start()
        self._feed.start()
        for member in self.members.values():
            member.runner.start()

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(TICK_S):
            now_s = self._clock()
            for member in self.members.values():
                member.thread.tick(now_s)

    @property
    def alive(self) -> bool:
        """False when the detector hangs in one frame: then the supervisor ends this process and starts another."""
        return not self.looker.wedged(time.monotonic(), self._stuck_after_s)

    def close(self) -> None:
        """Ends within seconds, also when cameras hang. Clips are closed last: until then their packets still come."""
        self._stop.set()
        self._feed.close()
        self.looker.close(CLOSE_LOOKER_S)
        deadline = time.monotonic() + CLOSE_CAMERAS_S
        for member in self.members.values():
            if member.runner.ident is not None:
                member.runner.join(max(0.0, deadline - time.monotonic()))
        for member in self.members.values():
            with member.parts.lock:
                member.parts.recorder.close()

    def _fanout(self, camera: str, view: str) -> Fanout | None:
        member = self.members.get(camera)
        if member is None:
            return None
        return member.parts.wall.fanout if view == "wall" else member.parts.clear

    def _member(self, camera: Camera) -> _Member:
        streams = self._streams
        ring = Ring(streams.pre_roll_s + RING_SLACK_S)
        recorder = Recorder(
            camera.id,
            self._folders.clips,
            ring,
            pre_roll_s=streams.pre_roll_s,
            post_roll_s=max(streams.post_roll_s, REPEAT_S + 1.0),  # an event that lasts has one clip, not one for each telling
            max_s=streams.clip_max_s,
            on_event=self._clip,
            opener=self._disk.opener,
            room=self._disk.room,
            on_closed=_later,
        )
        lock = threading.Lock()
        wall, clear = Wall(height_px=streams.wall_height_px), Fanout()
        watcher = CameraWatcher(
            lambda aspect: Look(camera, self._scores, aspect=aspect),
            camera.id,
            looker=self.looker,
            sink=self._sink,
            recorder=recorder,
            recorder_lock=lock,
            wall=wall,
            faces=self._faces,
            model_sha256=self._eyes.sha256,
            thumbnails=self._folders.thumbnails,
            needs_features=any(zone.hazard == "fire" for zone in camera.zones),
            on_inferred=lambda: self._inferred(camera.id),
            on_trouble=lambda code, problem: self._trouble(camera.id, code, problem),
        )
        doors = Doors(
            open_source=self._open_source,
            clock=self._clock,
            chance=self._chance,
            on_health=lambda state, facts: self._healthy(camera.id, state, facts),
        )
        parts = Parts(ring, recorder, clear, wall, watcher, lock)
        thread = CameraThread(
            camera.id,
            camera.url,
            parts,
            infer_per_s=streams.infer_per_s,
            still_infer_per_s=streams.still_infer_per_s,
            doors=doors,
        )
        runner = threading.Thread(target=thread.run, args=(self._stop,), name=f"camera-{camera.id}", daemon=True)
        return _Member(parts, thread, runner)

    def _clip(self, event: ClipEvent) -> None:
        """A closed clip's marker stays until the bus has the event: a worker that dies before says it again at its next start."""
        marker = marker_of(self._folders.clips / event.file)
        self._sink.clip(asdict(event), (lambda: forget(marker)) if event.state == "closed" else _nothing)

    def _inferred(self, camera: str) -> None:
        self.members[camera].thread.inferred += 1

    def _trouble(self, camera: str, code: str, problem: health.Problem | None) -> None:
        self.members[camera].thread.trouble(code, problem)

    def _healthy(self, camera: str, state: health.Health, facts: health.Facts) -> None:
        self._sink.health(json.loads(health.to_json(camera, state, facts, self._clock())))


def _later(marker: Path) -> None:
    """The marker goes when the sink has told of its clip."""


def _nothing() -> None:
    pass
