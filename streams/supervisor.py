"""Keeps child processes alive: starts them, listens to their heart-beat, restarts what ends or hangs.

A child gets a pipe as standard input that closes when this process dies, however it dies: children that see it end stop
themselves, so kill -9 of the parent leaves no orphan. Its standard output is a line protocol (`BEAT`, `READY {json}`).
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

READY = "CALLOUT READY"
BEAT = "CALLOUT BEAT"
BEAT_EVERY_S = 1.0
WEDGED_AFTER_S = 20.0
STABLE_AFTER_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep alive. `argv` is started as it is; its standard error goes to `log_file`."""

    name: str
    argv: tuple[str, ...]
    log_file: Path
    once: bool = False  # its end is not a failure


def restart_delay_s(failures: int) -> float:
    """0.5, 1, 2 … 15 s: pure, so that its shape has a test of its own."""
    return min(15.0, 0.5 * 2 ** max(0, failures - 1)) if failures else 0.0


@dataclass(slots=True)
class _Running:
    child: Child
    process: subprocess.Popen[str] | None = None
    started_s: float = 0.0
    beat_s: float = 0.0
    failures: int = 0
    not_before_s: float = 0.0
    restarts: int = 0
    ready: dict[str, Any] | None = None
    done: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Supervisor:
    """`start()` spawns all; `run(stop)` watches until `stop` is set; `close()` ends them in reverse order."""

    def __init__(
        self,
        children: Iterable[Child],
        *,
        pass_fds: tuple[int, ...] = (),
        now: Callable[[], float] = time.monotonic,
        environ: dict[str, str] | None = None,
    ) -> None:
        self._all = {child.name: _Running(child) for child in children}
        self._pass_fds = pass_fds
        self._now = now
        self._environ = environ

    def start(self) -> None:
        for running in self._all.values():
            self._spawn(running)

    def ready(self, name: str) -> dict[str, Any] | None:
        """What the child said when it was ready, or None while it is not."""
        return self._all[name].ready

    def restarts(self, name: str) -> int:
        return self._all[name].restarts

    def pid(self, name: str) -> int | None:
        process = self._all[name].process
        return process.pid if process is not None and process.poll() is None else None

    def wait_ready(self, names: Iterable[str], timeout_s: float) -> list[str]:
        """Watches until all are ready; returns the names that are not by then."""
        deadline = self._now() + timeout_s
        waiting = list(names)
        while waiting and self._now() < deadline:
            self.step()
            waiting = [name for name in waiting if self._all[name].ready is None]
            time.sleep(0.05)
        return waiting

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(0.2):
            self.step()

    def step(self) -> None:
        """One look at every child: restart what ended, kill what hangs."""
        now = self._now()
        for running in self._all.values():
            process = running.process
            if running.done:
                continue
            if process is None:
                if now >= running.not_before_s:
                    self._spawn(running)
            elif (code := process.poll()) is not None:
                self._ended(running, code, now)
            elif now - running.beat_s > WEDGED_AFTER_S:
                log.error("child.wedged", name=running.child.name, silent_s=round(now - running.beat_s, 1))
                process.kill()
            elif running.failures and now - running.started_s > STABLE_AFTER_S:
                running.failures = 0

    def close(self, grace_s: float = 4.0) -> None:
        """Closes the children's standard input, waits, and kills what is left by then."""
        living = [r for r in reversed(self._all.values()) if r.process is not None and r.process.poll() is None]
        for running in living:
            running.done = True
            assert running.process is not None
            if running.process.stdin is not None:
                running.process.stdin.close()
        deadline = time.monotonic() + grace_s
        for running in living:
            assert running.process is not None
            try:
                running.process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("child.killed", name=running.child.name, reason="did not end in time")
                running.process.kill()
                running.process.wait(5)

    def _spawn(self, running: _Running) -> None:
        child = running.child
        child.log_file.parent.mkdir(parents=True, exist_ok=True)
        with child.log_file.open("a", encoding="utf-8") as sink:
            running.process = subprocess.Popen(
                child.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                text=True,
                pass_fds=self._pass_fds,
                env=self._environ,
            )
        running.started_s = running.beat_s = self._now()
        running.ready = None
        threading.Thread(target=self._listen, args=(running, running.process), name=f"listen-{child.name}", daemon=True).start()

    def _listen(self, running: _Running, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if running.process is not process:
                    return
                running.beat_s = self._now()
                if line.startswith(READY):
                    running.ready = json.loads(line[len(READY) :] or "{}")

    def _ended(self, running: _Running, code: int, now: float) -> None:
        if running.process is not None and running.process.stdin is not None:
            running.process.stdin.close()
        running.process = None
        if running.child.once and code == 0:
            running.done = True
            return
        running.failures += 1
        running.restarts += 1
        running.not_before_s = now + restart_delay_s(running.failures)
        log.error("child.ended", name=running.child.name, code=code, again_in_s=restart_delay_s(running.failures))
