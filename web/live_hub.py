"""One connection to a stream worker for each camera and view that somebody watches, shared by all of its viewers.

The hub keeps the current GOP, so a viewer's first picture does not wait for a key frame; reconnects when the worker goes;
and lets go of a feed a few seconds after its last viewer, so that the worker's wall encoder rests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import structlog

from streams.feed import Backlog, FeedError, Gone, GopCache, Packet, Stream, View, Watch, encode, receive_async

log = structlog.get_logger(__name__)

LINGER_S = 4.0
RETRY_FIRST_S = 0.2
RETRY_MOST_S = 2.0  # a worker is on this machine: asking is cheap, and people are looking at a frozen picture
STALL_S = 3.0
BUFFER_BYTES = 1 << 20


class NoFeed(Exception):
    """There is nothing to show: `code` no_camera | no_video | b_frames, and a text for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class LiveHub:
    """`socket_of(camera)` gives the feed socket of the worker that owns the camera, or None if nobody does."""

    def __init__(self, socket_of: Callable[[str], Path | None], *, linger_s: float = LINGER_S) -> None:
        self._socket_of = socket_of
        self._linger_s = linger_s
        self._feeds: dict[tuple[str, View], Feed] = {}

    @property
    def open_feeds(self) -> list[tuple[str, View]]:
        return list(self._feeds)

    async def subscribe(self, camera: str, view: View, *, within_s: float) -> Viewer:
        """A viewer of a feed that has pictures. Errors: NoFeed, when it has none within `within_s`."""
        path = self._socket_of(camera)
        if path is None:
            raise NoFeed("no_camera", f'There is no camera "{camera}" here.')
        feed = self._feeds.get((camera, view))
        if feed is None:
            feed = self._feeds[camera, view] = Feed(path, camera, view, self._linger_s, self._forget)
        viewer = Viewer(feed)
        feed.add(viewer)
        try:
            await feed.ready(within_s)
        except BaseException:
            viewer.close()
            raise
        return viewer

    async def close(self) -> None:
        for feed in list(self._feeds.values()):
            await feed.close()

    def _forget(self, feed: Feed) -> None:
        if self._feeds.get((feed.camera, feed.view)) is feed:
            del self._feeds[feed.camera, feed.view]


class Feed:
    """The shared connection. Runs from its first viewer until a while after its last."""

    def __init__(self, path: Path, camera: str, view: View, linger_s: float, forget: Callable[[Feed], None]) -> None:
        self.camera = camera
        self.view: View = view
        self.stream: Stream | None = None
        self.gop = GopCache()
        self._path = path
        self._linger_s = linger_s
        self._forget = forget
        self._viewers: set[Viewer] = set()
        self._settled = asyncio.Event()  # pictures came, or the worker said why not
        self._ask_again = asyncio.Event()
        self._gone: Gone | None = None
        self._last_packet_s: float | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._run(), name=f"feed {camera} {view}")

    def add(self, viewer: Viewer) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._viewers.add(viewer)

    def remove(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        if not self._viewers and self._linger is None and not self._task.done():
            self._linger = asyncio.get_running_loop().call_later(self._linger_s, self._end)

    @property
    def stalled(self) -> bool:
        """No picture for a while: the worker's camera is away, or the worker itself."""
        return self._last_packet_s is None or asyncio.get_running_loop().time() - self._last_packet_s > STALL_S

    async def ready(self, within_s: float) -> None:
        if self._gone is not None and self._settled.is_set():  # an old reason must not keep anybody out: ask again, now
            self._gone = None
            self._ask_again.set()
        if self.stalled:
            self._settled.clear()  # an old picture must not pass for a live one
        try:
            async with asyncio.timeout(within_s):
                await self._settled.wait()
        except TimeoutError:
            raise NoFeed("no_video", f'No picture came from camera "{self.camera}" within {within_s:.0f} seconds.') from None
        if self._gone is not None:
            raise NoFeed(self._gone.code, self._gone.detail)

    async def close(self) -> None:
        self._end()
        await asyncio.gather(self._task, return_exceptions=True)

    def _end(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._task.cancel()
        self._forget(self)
        for viewer in list(self._viewers):
            viewer.end()

    async def _run(self) -> None:
        wait_s = RETRY_FIRST_S
        while True:
            try:
                if await self._run_once():
                    wait_s = RETRY_FIRST_S
            except (OSError, FeedError) as error:
                log.info("live.feed_lost", camera=self.camera, view=self.view, reason=str(error), again_in_s=wait_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._ask_again.wait()
            self._ask_again.clear()
            wait_s = min(wait_s * 2, RETRY_MOST_S)

    async def _run_once(self) -> bool:
        """One connection, to its end. True when pictures came over it."""
        reader, writer = await asyncio.open_unix_connection(str(self._path), limit=BUFFER_BYTES)
        any_packet = False
        try:
            writer.write(encode(Watch(self.camera, self.view)))
            await writer.drain()
            while (message := await receive_async(reader)) is not None:
                match message:
                    case Packet():
                        any_packet = True
                        self._packet(message)
                    case Stream():
                        self.stream = message
                    case Gone():
                        self._gone = message
                        self._last_packet_s = None
                        self._settled.set()
                        break
                    case _:
                        raise FeedError(f"a feed carries no {type(message).__name__}")
        finally:
            self.gop.clear()  # what comes next is another stream
            if self._gone is None:
                self._settled.clear()  # a new viewer waits for pictures again
            writer.close()
        return any_packet

    def _packet(self, packet: Packet) -> None:
        self._last_packet_s = asyncio.get_running_loop().time()
        self._gone = None
        self.gop.push(packet)
        self._settled.set()
        for viewer in self._viewers:
            viewer.push(packet)


class Viewer:
    """One viewer's queue. It begins with the GOP so far at the first `get`, not at the subscription: connecting takes a while."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._backlog: Backlog | None = None
        self._more = asyncio.Event()
        self._ended = False
        self.taken = 0

    @property
    def stream(self) -> Stream | None:
        return self._feed.stream

    @property
    def stalled(self) -> bool:
        return self._feed.stalled

    @property
    def dropped(self) -> int:
        return self._backlog.dropped if self._backlog is not None else 0

    def push(self, packet: Packet) -> None:
        if self._backlog is not None:
            self._backlog.push(packet)
            if len(self._backlog):
                self._more.set()

    def restart(self) -> None:
        """The viewer's decoder lost its way: send the current GOP again, as fast as it takes it."""
        if self._backlog is not None:
            self._backlog.restart(self._feed.gop.packets())
            self._more.set()

    async def get(self) -> Packet | None:
        """The next picture; None once the viewer or the hub is closed."""
        if self._backlog is None:
            self._backlog = Backlog(self._feed.gop.packets())
        while not self._ended:
            packet = self._backlog.pop()
            if packet is not None:
                self.taken += 1
                return packet
            self._more.clear()
            await self._more.wait()
        return None

    def close(self) -> None:
        self.end()
        self._feed.remove(self)

    def end(self) -> None:
        self._ended = True
        self._more.set()
