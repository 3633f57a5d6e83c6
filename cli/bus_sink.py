"""What a stream worker says goes out through here: a bounded queue and one thread, so that a bus that is away stops no camera.

Sightings and clip events wait until the bus takes them; boxes and health are only worth their moment and give way.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from dispatch.bus import BusError

from vision.sighting import Sighting

log = structlog.get_logger()

KEEP = 20_000  # sightings and clip events that may wait: hours of them
RETRY_S = 0.5


class Publisher(Protocol):
    def publish_sighting(self, sighting: Sighting) -> None: ...
    def publish_clip(self, message: dict[str, Any]) -> None: ...
    def publish_health(self, message: dict[str, Any]) -> None: ...
    def publish_view(self, message: dict[str, Any]) -> None: ...


class BusSink:
    """Implements `streams.worker.Sink`. `close()` tries to empty the queue first."""

    def __init__(self, bus: Publisher) -> None:
        self._bus = bus
        self._lasting: queue.Queue[Callable[[], None]] = queue.Queue(KEEP)
        self._fleeting: queue.Queue[Callable[[], None]] = queue.Queue(64)
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bus-sink", daemon=True)
        self.lost = 0

    def start(self) -> None:
        self._thread.start()

    def close(self, within_s: float = 2.0) -> None:
        self._closing.set()
        self._wake.set()
        self._thread.join(within_s)

    def sighting(self, sighting: Sighting) -> None:
        self._keep(lambda: self._bus.publish_sighting(sighting))

    def clip(self, message: dict[str, Any]) -> None:
        self._keep(lambda: self._bus.publish_clip(message))

    def health(self, message: dict[str, Any]) -> None:
        self._show(lambda: self._bus.publish_health(message))

    def view(self, message: dict[str, Any]) -> None:
        self._show(lambda: self._bus.publish_view(message))

    def _keep(self, send: Callable[[], None]) -> None:
        try:
            self._lasting.put_nowait(send)
        except queue.Full:
            self.lost += 1
            log.error("bus.queue_full", lost=self.lost)
        self._wake.set()

    def _show(self, send: Callable[[], None]) -> None:
        try:
            self._fleeting.put_nowait(send)
        except queue.Full:
            return
        self._wake.set()

    def _run(self) -> None:
        away = False
        pending: Callable[[], None] | None = None
        while True:
            if pending is None:
                pending = self._next()
            if pending is None:
                if self._closing.is_set():
                    return
                self._wake.wait(1.0)
                self._wake.clear()
                continue
            try:
                pending()
            except BusError as error:
                if not away:
                    log.error("bus.away", reason=str(error), waiting=self._lasting.qsize() + 1)
                away = True
                if self._closing.wait(RETRY_S):
                    return
            else:
                pending = None
                if away:
                    log.info("bus.back", waiting=self._lasting.qsize())
                away = False

    def _next(self) -> Callable[[], None] | None:
        for source in (self._lasting, self._fleeting):
            try:
                return source.get_nowait()
            except queue.Empty:
                continue
        return None
