"""A real RTSP server for video files: what demo, tests and integrators use in place of a camera.

RTSP 1.0 with RTP inside the connection (TCP), digest authentication when asked for, paced in real time, looping for ever with
timestamps that rise over the seam. Each file is rtsp://host:port/<file name without its ending>.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

import structlog

from streams import rtp
from streams import rtsp_protocol as rtsp
from streams.clip_file import Clip, ClipError, load
from streams.virtual_player import Faults, Player

REALM = "Callout virtual camera"
IDLE_S = 120.0  # a connection that neither plays nor asks
PUBLIC = ", ".join(rtsp.METHODS)

log = structlog.get_logger()


class VirtualCameraError(Exception):
    """The server cannot start: what, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Auth:
    user: str
    password: str = field(repr=False)


def load_all(files: Sequence[Path]) -> dict[str, Clip]:
    """The clips by their names. Errors: ClipError for a file that cannot be served, VirtualCameraError for two of one name."""
    clips: dict[str, Clip] = {}
    for path in files:
        if path.stem in clips:
            raise VirtualCameraError(f"{path}: another file is already served as /{path.stem}. Rename one of them.")
        clips[path.stem] = load(path)
    return clips


class Server:
    """`async with Server(clips) as server:` serves until the block ends. `port` 0 takes a free one; see `server.port`."""

    def __init__(
        self,
        clips: Mapping[str, Clip],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        auth: Auth | None = None,
        start: Literal["shared", "client"] = "shared",
        faults: Faults | None = None,
    ) -> None:
        self.clips = dict(clips)
        self.host, self.port = host, port
        self.auth, self.start = auth, start
        self.faults = faults or Faults()
        self.began_s = time.monotonic()
        self.connections = 0  # ever accepted
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    def url(self, name: str, *, with_auth: bool = True) -> str:
        who = f"{self.auth.user}:{self.auth.password}@" if self.auth and with_auth else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"rtsp://{who}{host}:{self.port}/{name}"

    async def __aenter__(self) -> Server:
        try:
            self._server = await asyncio.start_server(self._accept, self.host, self.port)
        except OSError as error:
            raise VirtualCameraError(
                f"cannot listen on {self.host}:{self.port} ({error.strerror}). Choose another with --port; 0 takes a free one."
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await _Connection(self, reader, writer).run()
        except (OSError, asyncio.CancelledError):
            pass  # the client is gone, or we are: either way this connection is over
        finally:
            self._open.discard(task)
            writer.transport.abort()


class _Connection:
    """One client: answers its requests, and plays at most one clip to it."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._nonce = secrets.token_hex(16)
        self._session = secrets.token_hex(4)
        self._clip: Clip | None = None
        self._channels = (0, 1)
        self._player: Player | None = None
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        parser = rtsp.Parser()
        try:
            while True:
                timeout_s = None if self._task is not None else IDLE_S
                async with asyncio.timeout(timeout_s):
                    data = await self._reader.read(65536)
                if not data:
                    return
                for item in parser.feed(data):
                    if isinstance(item, rtsp.Request) and not await self._answer(item):
                        return
        except rtsp.RtspError as error:
            self._writer.write(rtsp.response(error.status, ""))
            await self._writer.drain()
        except TimeoutError:
            return
        finally:
            await self._stop()

    async def _answer(self, request: rtsp.Request) -> bool:  # noqa: PLR0911  one arm for each method
        """Answer one request; False when the connection is over."""
        server = self._server
        if server.auth and request.method != "OPTIONS":
            proven = rtsp.digest_ok(request, server.auth.user, server.auth.password, REALM, self._nonce)
            if not proven:
                return await self._send(request, 401, {"WWW-Authenticate": rtsp.digest_challenge(REALM, self._nonce)})
        match request.method:
            case "OPTIONS":
                return await self._send(request, 200, {"Public": PUBLIC})
            case "DESCRIBE":
                return await self._describe(request)
            case "SETUP":
                return await self._setup(request)
            case "GET_PARAMETER" | "SET_PARAMETER":
                return await self._send(request, 200, self._named())
            case "PLAY":
                return await self._play(request)
            case "PAUSE":
                await self._stop()
                return await self._send(request, 200, self._named())
            case "TEARDOWN":
                await self._stop()
                await self._send(request, 200, self._named())
                return False
        return await self._send(request, 405, {"Allow": PUBLIC})

    async def _describe(self, request: rtsp.Request) -> bool:
        clip = self._server.clips.get(rtsp.stem_of(request.url))
        if clip is None:
            return await self._send(request, 404)
        base = self._server.url(clip.name, with_auth=False)
        body = rtp.sdp(clip.name, clip.sets, clip.size, clip.fps)
        return await self._send(request, 200, {"Content-Base": f"{base}/", "Content-Type": "application/sdp"}, body)

    async def _setup(self, request: rtsp.Request) -> bool:
        clip = self._server.clips.get(rtsp.stem_of(request.url))
        if clip is None:
            return await self._send(request, 404)
        if self._task is not None:
            return await self._send(request, 455)
        channels = rtsp.tcp_channels(request.headers.get("transport", ""))
        if channels is None:
            return await self._send(request, 461)
        self._clip, self._channels = clip, channels
        transport = f"RTP/AVP/TCP;unicast;interleaved={channels[0]}-{channels[1]}"
        return await self._send(request, 200, {"Transport": transport, "Session": f"{self._session};timeout=60"})

    async def _play(self, request: rtsp.Request) -> bool:
        if self._clip is None:
            return await self._send(request, 455)
        if request.headers.get("session", "").split(";")[0] != self._session:
            return await self._send(request, 454)
        if self._task is None:
            server = self._server
            shared_s = server.began_s if server.start == "shared" else None
            if self._player is None:
                self._player = Player(self._clip, self._channels, faults=server.faults)
            self._player.start(time.monotonic(), shared_s)
            url = f"{server.url(self._clip.name, with_auth=False)}/trackID=0"
            info = f"url={url};seq={self._player.sequence};rtptime={self._player.next_timestamp}"
            await self._send(request, 200, {**self._named(), "Range": "npt=now-", "RTP-Info": info})
            self._task = asyncio.create_task(self._player.run(self._writer.transport))
            self._task.add_done_callback(self._played)
            return True
        return await self._send(request, 200, self._named())

    def _played(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, OSError):
            log.error("virtual_camera.player_failed", clip=self._clip.name if self._clip else "", error=repr(error))
        self._writer.transport.abort()  # the reader then sees the end

    def _named(self) -> dict[str, str]:
        return {"Session": self._session} if self._clip is not None else {}

    async def _send(
        self, request: rtsp.Request, status: int, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> bool:
        self._writer.write(rtsp.response(status, request.cseq, headers, body))
        await self._writer.drain()
        return True

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task


async def serve(
    files: Sequence[Path],
    host: str = "127.0.0.1",
    port: int = 8554,
    auth: Auth | None = None,
    on_ready: Callable[[Server], None] | None = None,
    *,
    start: Literal["shared", "client"] = "shared",
    faults: Faults | None = None,
) -> None:
    """Serve until cancelled. `on_ready` is called once the port is open. Errors: ClipError, VirtualCameraError."""
    clips = await asyncio.to_thread(load_all, files)
    async with Server(clips, host, port, auth=auth, start=start, faults=faults) as server:
        if on_ready is not None:
            on_ready(server)
        await asyncio.Event().wait()


class Running:
    """`with Running([path]) as camera:` the same server on a thread of its own, for tests and tools that are not asyncio."""

    def __init__(
        self,
        files: Sequence[Path],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        auth: Auth | None = None,
        start: Literal["shared", "client"] = "client",
        faults: Faults | None = None,
    ) -> None:
        def make() -> Server:
            return Server(load_all(files), host, port, auth=auth, start=start, faults=faults)

        self._make: Callable[[], Server] = make
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="virtual-camera", daemon=True)
        self.server: Server

    def __enter__(self) -> Running:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def url(self, name: str, *, with_auth: bool = True) -> str:
        return self.server.url(name, with_auth=with_auth)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self._make() as self.server:
                self._ready.set()
                await self._stop.wait()
        except (ClipError, VirtualCameraError, OSError) as error:
            self._failure = error
            self._ready.set()
