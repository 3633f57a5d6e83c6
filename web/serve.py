"""Runs the web side with uvicorn until it is told to stop. The port is bound first, so that "in use" has a clear answer."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from web.deps import Services

GRACEFUL_S = 1  # for requests that are under way; with what follows it stays below the 3 s that a child process has to leave


class ServeError(Exception):
    """Why the page cannot be served at the address, and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page is served. `url` is for this machine's browser, also when every address is listened on."""

    host: str
    port: int

    @property
    def url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104  shown, not bound
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}"


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ServeError naming the port and what to do."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ServeError(f"the address `{host}` of [web] host is unknown here: {error.strerror or error}") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ServeError(_why(host, port, error)) from None
    listener.setblocking(False)
    return listener


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use by another program. End it, or give Callout another port: [web] port"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} may not be opened by this user. Take one above 1023: [web] port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine has no address {host}: [web] host"
    return f"port {port} on {host} cannot be opened: {error.strerror}"


def run_web(
    app: FastAPI,
    host: str,
    port: int,
    ready: Callable[[Address], None],
    stop: threading.Event | None = None,
    *,
    on_tick: Callable[[], None] = lambda: None,
) -> None:
    """Serves until `stop` is set (or, without one, until SIGINT or SIGTERM). Calls `ready` once it answers, `on_tick` several
    times a second as long as the event loop turns. Raises ServeError."""
    listener = bind(host, port)
    services: Services = app.state.services
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=64 * 1024,
        proxy_headers=bool(services.settings.web.public_origins),  # a proxy on this machine, and only where one is declared
        forwarded_allow_ips="127.0.0.1,::1",
        timeout_graceful_shutdown=GRACEFUL_S,
    )
    try:
        address = Address(host, listener.getsockname()[1])
        _Server(config, services, ready=lambda: ready(address), stop=stop, on_tick=on_tick).run(sockets=[listener])
    finally:
        listener.close()


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        services: Services,
        *,
        ready: Callable[[], None],
        stop: threading.Event | None,
        on_tick: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._services, self._ready, self._stop, self._on_tick = services, ready, stop, on_tick

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """With `stop` given, signals are the caller's business: Ctrl-C reaches every process of the group, the parent decides."""
        if self._stop is not None:
            yield
            return
        with super().capture_signals():
            yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        self._on_tick()
        if self._stop is not None and self._stop.is_set():
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._services.stopping = True
        self._services.hub.end_all()
        await super().shutdown(sockets=sockets)
