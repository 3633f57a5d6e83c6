"""The feed server of a stream worker: a unix socket on which the live process asks for one camera and view per connection.

A thread for each connection (one per camera and view that somebody watches, all from the one live process), so that a
reader who does not read holds up nobody. The camera's own thread only ever touches Fanout.push.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from streams.fanout import Fanout, Reader
from streams.feed import FeedError, Gone, View, Watch, encode, receive

__all__ = ["Fanout", "FeedServer"]

log = structlog.get_logger(__name__)

CONNECTIONS_MAX = 256
ASK_TIMEOUT_S = 5.0  # from connecting to saying what one wants
SEND_TIMEOUT_S = 20.0  # a reader that takes nothing for so long is dead
LOOK_EVERY_S = 1.0  # how often a silent camera's connection is checked for a reader who left


class FeedServer:
    """Serves `resolve(camera, view)` on a unix socket; None from it means that this worker has no such camera.

    `start()` binds (a stale socket file is replaced) and returns; `close()` lets everybody go and joins the threads.
    """

    def __init__(self, path: Path, resolve: Callable[[str, View], Fanout | None]) -> None:
        self._path = path
        self._resolve = resolve
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._readers: set[Reader] = set()
        self._acceptor: threading.Thread | None = None
        self._closing = threading.Event()

    def start(self) -> FeedServer:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path.unlink(missing_ok=True)
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            raise OSError(error.errno, f"the feed socket cannot be made: {error.strerror}", str(self._path)) from error
        self._path.chmod(0o600)
        listener.listen(64)
        listener.settimeout(LOOK_EVERY_S)
        self._listener = listener
        self._acceptor = threading.Thread(target=self._accept, name="feed-accept", daemon=True)
        self._acceptor.start()
        return self

    def close(self) -> None:
        self._closing.set()
        if self._listener is not None:
            _shut(self._listener)
            self._listener.close()
        with self._lock:
            connections = dict(self._connections)
            readers = set(self._readers)
        for reader in readers:
            reader.close()
        for connection in connections:
            _shut(connection)
        for thread in (*connections.values(), self._acceptor):
            if thread is not None:
                thread.join(timeout=2 * LOOK_EVERY_S)
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> FeedServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        assert self._listener is not None
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return  # closed
            with self._lock:
                if len(self._connections) >= CONNECTIONS_MAX:
                    connection.close()
                    log.warning("feed.refused", reason="too many connections", limit=CONNECTIONS_MAX)
                    continue
                thread = threading.Thread(target=self._serve, args=(connection,), name="feed-reader", daemon=True)
                self._connections[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(ASK_TIMEOUT_S)
            wanted = receive(connection)
            if not isinstance(wanted, Watch):
                raise FeedError(f"the first message is a watch, not {type(wanted).__name__}")
            connection.settimeout(SEND_TIMEOUT_S)
            fanout = self._resolve(wanted.camera, wanted.view)
            if fanout is None:
                connection.sendall(encode(Gone("no_camera", f'This worker has no camera "{wanted.camera}".')))
                return
            self._pass_on(connection, fanout)
        except FeedError as error:
            log.warning("feed.bad_request", reason=str(error))
        except OSError as error:
            log.info("feed.reader_lost", reason=str(error))
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()

    def _pass_on(self, connection: socket.socket, fanout: Fanout) -> None:
        reader = fanout.join()
        with self._lock:
            self._readers.add(reader)
        try:
            while not self._closing.is_set():
                message = reader.next(LOOK_EVERY_S)
                if message is None:
                    if _left(connection):
                        return
                    continue
                connection.sendall(encode(message))
                if isinstance(message, Gone):
                    return
        finally:
            with self._lock:
                self._readers.discard(reader)
            reader.close()


def _left(connection: socket.socket) -> bool:
    """Whether the reader hung up. Asked of poll: recv waits for the socket's whole time-out, whatever its flags say."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0)) and connection.recv(1) == b""


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        connection.close()  # it was closed by the other side in the meantime
