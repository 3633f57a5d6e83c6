"""Keeps child processes alive: starts them, listens to their heart-beat, restarts what ends or hangs.

A child gets a pipe as standard input that closes when this process dies, however it dies: children that see it end stop
themselves, so kill -9 of the parent leaves no orphan. Its standard output is a line protocol (`BEAT`, `READY {json}`).
A child that ends with HOPELESS before it was ever ready says that trying again helps nobody: its settings are wrong.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

READY = "CALLOUT READY"
BEAT = "CALLOUT BEAT"
BEAT_EVERY_S = 1.0
HOPELESS = 78  # EX_CONFIG of sysexits.h
LOG_MOST_BYTES = 8 * 1024 * 1024  # then the log's content moves to NAME.log.1, in place of what was there
LOGS_EVERY_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep alive. `argv` is started as it is; its standard error goes to `log_file`."""

    name: str
    argv: tuple[str, ...]
    log_file: Path
    once: bool = False  # its end is not a failure


@dataclass(frozen=True, slots=True)
class Limits:
    """`wedged_after_s` without a beat a child is killed; after `stable_after_s` its earlier failures are forgotten."""

    wedged_after_s: float = 20.0
    stable_after_s: float = 30.0
    log_most_bytes: int = LOG_MOST_BYTES


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
    was_ready: bool = False
    done: bool = False
    hopeless: bool = False


class Supervisor:
    """`start()` spawns all; `run(stop)` watches until `stop` is set; `close()` ends them in reverse order."""

    def __init__(
        self,
        children: Iterable[Child],
        *,
        pass_fds: tuple[int, ...] = (),
        now: Callable[[], float] = time.monotonic,
        environ: dict[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._all = {child.name: _Running(child) for child in children}
        self._limits = limits or Limits()
        self._logs_s = now()
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

    def wait_ready(self, names: Iterable[str], timeout_s: float, stop: threading.Event | None = None) -> list[str]:
        """Watches until all are ready, are hopeless, or `stop` is set; returns the names that are not ready."""
        stop = stop or threading.Event()
        deadline = self._now() + timeout_s
        waiting = list(names)
        while self._now() < deadline:
            self.step()
            waiting = [name for name in waiting if self._all[name].ready is None]
            if all(self._all[name].hopeless for name in waiting) or stop.wait(0.05):
                break
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
            elif now - running.beat_s > self._limits.wedged_after_s:
                log.error("child.wedged", name=running.child.name, silent_s=round(now - running.beat_s, 1))
                process.kill()
                running.beat_s = now  # it may take the system a moment
            elif running.failures and now - running.started_s > self._limits.stable_after_s:
                running.failures = 0
        if now - self._logs_s > LOGS_EVERY_S:
            self._logs_s = now
            for running in self._all.values():
                cap(running.child.log_file, self._limits.log_most_bytes)

    def close(self, grace_s: float = 6.0) -> None:
        """Closes the children's standard input, waits, and kills what is left by then."""
        for running in self._all.values():
            running.done = True
        processes = [(r.child.name, r.process) for r in reversed(self._all.values()) if r.process is not None]
        for _, process in processes:
            if process.stdin is not None:
                process.stdin.close()
        deadline = time.monotonic() + grace_s
        for name, process in processes:
            try:
                process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("child.killed", name=name, reason="did not end in time")
                process.kill()
                process.wait(5)

    def _spawn(self, running: _Running) -> None:
        child = running.child
        running.started_s = running.beat_s = self._now()
        running.ready = None
        try:
            child.log_file.parent.mkdir(parents=True, exist_ok=True)
            cap(child.log_file, self._limits.log_most_bytes)
            with child.log_file.open("a", encoding="utf-8") as sink:  # appending, as `cap` needs it
                running.process = subprocess.Popen(
                    child.argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=sink,
                    text=True,
                    errors="replace",
                    pass_fds=self._pass_fds,
                    env=self._environ,
                )
        except OSError as error:  # no memory, no disk: the next attempt may do
            log.error("child.not_started", name=child.name, error=str(error))
            self._failed(running, running.started_s)
            return
        threading.Thread(target=self._listen, args=(running, running.process), name=f"listen-{child.name}", daemon=True).start()

    def _listen(self, running: _Running, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if running.process is not process:
                    return
                if line.startswith((READY, BEAT)):  # whatever else a library prints is no sign of life
                    running.beat_s = self._now()
                if line.startswith(READY):
                    running.ready, running.was_ready = _facts(line[len(READY) :]), True

    def _ended(self, running: _Running, code: int, now: float) -> None:
        if running.process is not None and running.process.stdin is not None:
            running.process.stdin.close()
        running.process = None
        if running.child.once and code == 0:
            running.done = True
            return
        running.ready = None
        if code == HOPELESS and not running.was_ready:
            running.done = running.hopeless = True
            log.error("child.hopeless", name=running.child.name)
            return
        self._failed(running, now)
        log.error("child.ended", name=running.child.name, code=code, again_in_s=restart_delay_s(running.failures))

    def _failed(self, running: _Running, now: float) -> None:
        running.failures += 1
        running.restarts += 1
        running.not_before_s = now + restart_delay_s(running.failures)


def cap(file: Path, most_bytes: int) -> None:
    """Moves a log's content to NAME.1 when it is longer. The file stays the same, since a child may have it open for appending:
    what it writes in this very moment may be lost.
    """
    try:
        if file.stat().st_size > most_bytes:
            shutil.copyfile(file, file.with_name(file.name + ".1"))
            with file.open("r+b") as content:
                content.truncate()
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("log.not_capped", file=str(file), error=error.strerror)


def _facts(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
