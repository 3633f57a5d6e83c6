"""The one thread of a worker that looks at frames: newest frame wins, cameras take turns, what is passed over is counted.

A camera's thread puts a frame in and goes on; it never waits for the detector. A detector that fails is not hidden: the camera is
told, its wall pixelates, its health says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from vision.detections import Detection
from vision.frame import Frame

log = structlog.get_logger()

TELL_EVERY_S = 60.0


class Eyes(Protocol):
    """What finds things in a frame; `vision.detector.Detector` is one."""

    def detect(self, frame: Frame) -> Sequence[Detection]: ...


@dataclass(frozen=True, slots=True)
class Task:
    """A frame to be looked at. `detect`: run the detector too, not only the flicker features."""

    frame: Frame
    detect: bool
    done: Callable[[Frame, Sequence[Detection] | None, str], None]  # detections: None when none were asked for; why it failed


class Looker:
    """`offer` from any thread; `start` and `close` from one."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._condition = threading.Condition()
        self._waiting: dict[str, Task] = {}  # insertion order is the order of turns
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="looker", daemon=True)
        self.passed_over: dict[str, int] = {}
        self.looked: dict[str, int] = {}
        self.busy_since_s: float | None = None
        self._told_s: dict[str, float] = {}

    def start(self) -> None:
        self._thread.start()

    def close(self, within_s: float = 5.0) -> None:
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def offer(self, task: Task) -> None:
        """Replaces this camera's waiting frame, if there is one; its turn stays, and so does its wish for the detector."""
        camera = task.frame.camera
        with self._condition:
            waiting = self._waiting.get(camera)
            if waiting is not None:
                if waiting.detect:
                    self.passed_over[camera] = self.passed_over.get(camera, 0) + 1
                task = replace(task, detect=task.detect or waiting.detect)
            self._waiting[camera] = task
            self._condition.notify()

    def detect_now(self, frame: Frame) -> Sequence[Detection]:
        """For the looker's own thread, inside `done`: what is in this very frame. Raises whatever the detector raises."""
        return self._eyes.detect(frame)

    def wedged(self, now_s: float, limit_s: float) -> bool:
        """Whether one frame has been looked at for longer than `limit_s`."""
        since = self.busy_since_s
        return since is not None and now_s - since > limit_s

    def _run(self) -> None:
        while (task := self._next()) is not None:
            camera = task.frame.camera
            self.busy_since_s = time.monotonic()
            found: Sequence[Detection] | None = None
            failed = ""
            if task.detect:
                try:
                    found = self._eyes.detect(task.frame)
                    self.looked[camera] = self.looked.get(camera, 0) + 1
                except Exception as error:  # noqa: BLE001  # whatever a model's runtime raises: this camera fails closed, the rest go on
                    failed = type(error).__name__
                    if self._is_news(camera):
                        log.error("detector.failed", camera=camera, error=f"{failed}: {error}")
            try:
                task.done(task.frame, found, failed)
            except Exception:
                if self._is_news(camera):
                    log.exception("look.failed", camera=camera)
            self.busy_since_s = None

    def _is_news(self, camera: str) -> bool:
        """Once a minute for each camera: a failure that comes with every frame would fill the disk with its log."""
        now_s = time.monotonic()
        if now_s - self._told_s.get(camera, float("-inf")) < TELL_EVERY_S:
            return False
        self._told_s[camera] = now_s
        return True

    def _next(self) -> Task | None:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            camera = next(iter(self._waiting))
            return self._waiting.pop(camera)
