"""What every child process does: end when the parent is gone, beat, say when it is ready."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from streams.supervisor import BEAT, BEAT_EVERY_S, READY

PULSE_S = 15.0  # an event loop that does not turn for so long hangs

_out = threading.Lock()


def _write(line: str) -> None:
    with _out:
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except (BrokenPipeError, ValueError):
            os._exit(1)  # the parent is gone


def ready(**facts: Any) -> None:
    """Tells the supervisor that this child serves now."""
    _write(f"{READY} {json.dumps(facts)}")


class Pulse:
    """Whether a process still turns: `beat()` is called from its event loop, `alive()` from outside. Before the first beat it is
    starting, and that may take its time."""

    def __init__(self, limit_s: float = PULSE_S, now: Callable[[], float] = time.monotonic) -> None:
        self._limit_s, self._now = limit_s, now
        self._last_s: float | None = None

    def beat(self) -> None:
        self._last_s = self._now()

    def alive(self) -> bool:
        return self._last_s is None or self._now() - self._last_s <= self._limit_s


def grow_up(stop: threading.Event, *, grace_s: float = 5.0, alive: Callable[[], bool] = lambda: True, alone: bool = True) -> None:
    """Sets `stop` when standard input closes (the parent ended) or on SIGTERM; leaves `grace_s` later, whatever hangs.

    Beats as long as `alive()`: a child that says it hangs is ended by the supervisor and started anew.
    Not `alone`: the process watches its standard input and signals itself.
    """

    def leave() -> None:
        stop.set()
        time.sleep(grace_s)
        os._exit(3)

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 64):
            pass
        leave()

    def beat() -> None:
        while not stop.wait(BEAT_EVERY_S):
            if alive():
                _write(BEAT)

    if not alone:
        threading.Thread(target=beat, name="beat", daemon=True).start()
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=leave, daemon=True).start())
    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    threading.Thread(target=beat, name="beat", daemon=True).start()
