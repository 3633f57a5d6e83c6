"""Hands the newest frame of each camera to the detector: what it has no time for is replaced and counted, never queued."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """One place per camera. `put` never waits; `take` gives the camera that waits longest its turn."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._items: OrderedDict[str, T] = OrderedDict()
        self._replaced: dict[str, int] = {}
        self._closed = False

    def put(self, camera: str, item: T) -> None:
        """The newest wins: an item that still waits is replaced, at its place in the line."""
        with self._ready:
            if camera in self._items:
                self._replaced[camera] = self._replaced.get(camera, 0) + 1
            self._items[camera] = item
            self._ready.notify()

    def take(self, timeout_s: float) -> tuple[str, T] | None:
        """The next (camera, item); None after `timeout_s` without one, or once closed."""
        with self._ready:
            if not self._items and not self._closed:
                self._ready.wait(timeout_s)
            return self._items.popitem(last=False) if self._items and not self._closed else None

    def replaced(self, camera: str) -> int:
        """How many frames of this camera were replaced before anybody looked at them."""
        with self._ready:
            return self._replaced.get(camera, 0)

    def close(self) -> None:
        """Wake everybody who waits; nothing more is given out."""
        with self._ready:
            self._closed = True
            self._items.clear()
            self._ready.notify_all()
