"""What a stream worker says goes out through here: a bounded queue and one thread, so that a bus that is away stops no camera.

Sightings and clip events wait until the bus takes them, in their order; boxes and health are worth only their moment.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from dispatch.bus import BusError
from vision.sighting import Sighting

log = structlog.get_logger()

KEEP = 20_000  # sightings and clip events that may wait: hours of them
KEEP_FLEETING = 64
RETRY_S = 0.5


class Publisher(Protocol):
    def publish_sighting(self, sighting: Sighting) -> None: ...
    def publish_clip(self, message: dict[str, Any]) -> None: ...
    def publish_health(self, message: dict[str, Any]) -> None: ...
    def publish_view(self, message: dict[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Message:
    send: Callable[[], None]
    told: Callable[[], None] | None = None
    fleeting: bool = False


class BusSink:
    """Implements `streams.watcher.Sink`; each call returns at once. `close()` tries to empty the queue first."""

    def __init__(self, bus: Publisher, *, keep: int = KEEP, retry_s: float = RETRY_S) -> None:
        self._bus, self._keep_most, self._retry_s = bus, keep, retry_s
        self._lasting: deque[_Message] = deque()
        self._fleeting: deque[_Message] = deque(maxlen=KEEP_FLEETING)  # the oldest give way
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bus-sink", daemon=True)
        self.lost = 0

    def start(self) -> None:
        self._thread.start()

    def close(self, within_s: float = 2.0) -> None:
        self._closing.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(within_s)
        if self._lasting:
            log.error("bus.not_sent", messages=len(self._lasting))

    @property
    def waiting(self) -> int:
        """Sightings and clip events that the bus has not taken yet."""
        return len(self._lasting)

    def sighting(self, sighting: Sighting) -> None:
        self._put(_Message(lambda: self._bus.publish_sighting(sighting)))

    def clip(self, message: dict[str, Any], told: Callable[[], None]) -> None:
        self._put(_Message(lambda: self._bus.publish_clip(message), told))

    def health(self, message: dict[str, Any]) -> None:
        self._put(_Message(lambda: self._bus.publish_health(message), fleeting=True))

    def view(self, message: dict[str, Any]) -> None:
        self._put(_Message(lambda: self._bus.publish_view(message), fleeting=True))

    def _put(self, message: _Message) -> None:
        with self._changed:
            if message.fleeting:
                self._fleeting.append(message)
            elif len(self._lasting) < self._keep_most:
                self._lasting.append(message)
            else:
                self.lost += 1
                if self.lost in {1, 10, 100} or self.lost % 1000 == 0:
                    log.error("bus.queue_full", lost=self.lost)
            self._changed.notify()

    def _run(self) -> None:
        away = False
        while (message := self._next()) is not None:
            try:
                message.send()
            except BusError as error:
                if not away:
                    log.error("bus.away", reason=str(error), waiting=self.waiting)
                away = True
                self._fleeting.clear()  # by the time the bus is back they say what was, not what is
                if self._closing.wait(self._retry_s):
                    return
                continue
            except Exception:
                log.exception("bus.not_sendable")  # a defect of ours in one message: the others go on
            if away:
                log.info("bus.back", waiting=self.waiting)
            away = False
            self._sent(message)

    def _next(self) -> _Message | None:
        """The oldest that must arrive (it stays in the queue until it did), else the oldest of the rest; None: it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._lasting or self._fleeting or self._closing.is_set())
            if self._lasting:
                return self._lasting[0]
            return self._fleeting.popleft() if self._fleeting else None

    def _sent(self, message: _Message) -> None:
        if message.fleeting:
            return
        with self._changed:
            self._lasting.popleft()
        if message.told is not None:
            try:
                message.told()
            except OSError as error:
                log.error("bus.told_failed", error=error.strerror)
