"""The live process: answers WebRTC offers with a camera's H.264, as it came, from the feeds of the stream workers.

A process of its own, so that viewers never hold up detection. It takes orders on one unix socket from web alone (which
asks who may see what) and knows neither accounts nor grants: a session's end comes with its offer.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError

from configs.layout import Layout
from streams.feed import (
    Answer,
    Close,
    Done,
    FeedError,
    Gone,
    Message,
    Offer,
    Play,
    Refused,
    Sessions,
    SessionState,
    Status,
    View,
    encode,
    receive_async,
)
from web.live_hub import LiveHub, NoFeed, Viewer
from web.live_track import FeedTrack, add_track, peer_connection, prepare
from web.offer_sdp import BadOffer, checked

log = structlog.get_logger(__name__)

SESSIONS_MAX = 64
PICTURE_WITHIN_S = 5.0  # how long an offer waits for the camera's first picture
CONNECT_WITHIN_S = 20.0
LOOK_EVERY_S = 0.5
CLOSE_WITHIN_S = 3.0
CONTROL_BUFFER_BYTES = 1 << 20


@dataclass(eq=False)
class Session:
    """One viewer's connection."""

    id: str
    camera: str
    view: View
    expires_at_s: float | None
    viewer: Viewer
    peer: RTCPeerConnection | None = None  # None: played over the control connection
    opened_s: float = field(default_factory=time.monotonic)
    term_s: float | None = None  # how long it may last by a clock that nobody sets
    closing: bool = False

    @property
    def state(self) -> str:
        if self.closing:
            return "closing"
        if self.peer is not None and self.peer.connectionState != "connected":
            return "connecting"
        return "stalled" if self.viewer.stalled else "live"

    def over(self, now_s: float, monotonic_s: float) -> str | None:
        """Why the session must end now, if it must."""
        if self.expires_at_s is not None and now_s >= self.expires_at_s:
            return "expired"
        if self.term_s is not None and monotonic_s - self.opened_s >= self.term_s:
            return "expired"
        if self.peer is None:
            return None  # its connection tells
        if self.peer.connectionState in ("closed", "failed"):
            return "disconnected"
        if self.peer.connectionState != "connected" and monotonic_s - self.opened_s > CONNECT_WITHIN_S:
            return "never connected"
        return None


class LiveServer:
    """`socket_of(camera)` gives a worker's feed socket, or None for a camera that nobody has. Times: unix seconds."""

    def __init__(
        self,
        path: Path,
        socket_of: Callable[[str], Path | None],
        *,
        sessions_max: int = SESSIONS_MAX,
        picture_within_s: float = PICTURE_WITHIN_S,
        now: Callable[[], float] = time.time,
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._hub = LiveHub(socket_of)
        self._sessions_max = sessions_max
        self._picture_within_s = picture_within_s
        self._now, self._on_tick = now, on_tick
        self._sessions: dict[str, Session] = {}
        self._opening: set[str] = set()
        self._closes: set[asyncio.Task[None]] = set()
        self._controls: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set; then every session is closed in order."""
        prepare()
        self._path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._control, str(self._path), limit=CONTROL_BUFFER_BYTES)
        self._path.chmod(0o600)
        janitor = asyncio.create_task(self._watch_over())
        log.info("live.serving", socket=str(self._path))
        try:
            await stop.wait()
        finally:
            server.close()
            janitor.cancel()
            for control in self._controls:
                control.cancel()
            for session in list(self._sessions.values()):
                self._end(session, "shutdown")
            await asyncio.gather(janitor, *self._closes, *self._controls, return_exceptions=True)
            await self._hub.close()
            self._path.unlink(missing_ok=True)

    async def _control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._controls.add(task)
        task.add_done_callback(self._controls.discard)
        try:
            while (message := await receive_async(reader)) is not None:
                if isinstance(message, Play):
                    await self._play(message, reader, writer)
                    return
                writer.write(encode(await self._answer(message)))
                await writer.drain()
        except FeedError as error:
            log.warning("live.bad_request", reason=str(error))
        except OSError as error:
            log.info("live.control_lost", reason=str(error))
        except asyncio.CancelledError:
            pass  # shutdown; asyncio's streams would log a cancelled handler as an error
        finally:
            writer.close()

    async def _answer(self, message: Message) -> Message:
        match message:
            case Offer():
                return await self._offer(message)
            case Close():
                if (session := self._sessions.get(message.session)) is not None:
                    await self._end(session, "asked")
                return Done()
            case Status():
                return Sessions(tuple(SessionState(s.id, s.camera, s.view, s.state) for s in self._sessions.values()))
            case _:
                raise FeedError(f"the live process takes no {type(message).__name__}")

    async def _offer(self, offer: Offer) -> Answer | Refused:
        try:
            sdp = checked(offer.sdp)
            viewer = await self._admit(offer)
        except BadOffer as error:
            return Refused("bad_sdp", str(error))
        except NoFeed as nothing:
            return Refused(nothing.code, nothing.detail)
        try:
            return await self._open(offer, sdp, viewer)
        except BadOffer as error:
            viewer.close()
            return Refused("bad_sdp", str(error))
        except BaseException:
            viewer.close()
            raise

    async def _admit(self, wish: Offer | Play) -> Viewer:
        """A viewer for a new session. Errors: NoFeed (with code busy, too)."""
        if wish.session in self._sessions or wish.session in self._opening:
            raise NoFeed("busy", "A session of this name is open already.")
        if len(self._sessions) + len(self._opening) >= self._sessions_max:
            raise NoFeed("busy", f"{self._sessions_max} people are watching already; close a picture and try again.")
        self._opening.add(wish.session)
        try:
            return await self._hub.subscribe(wish.camera, wish.view, within_s=self._picture_within_s)
        finally:
            self._opening.discard(wish.session)

    def _term_s(self, wish: Offer | Play) -> float | None:
        return None if wish.expires_at_s is None else wish.expires_at_s - self._now()

    async def _play(self, play: Play, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The detour: the feed itself, over the connection that asked for it, until either side ends it."""
        try:
            viewer = await self._admit(play)
        except NoFeed as nothing:
            writer.write(encode(Refused(nothing.code, nothing.detail)))
            return
        session = Session(play.session, play.camera, play.view, play.expires_at_s, viewer, term_s=self._term_s(play))
        self._sessions[play.session] = session
        log.info("live.opened", session=play.session, camera=play.camera, view=play.view, over="http")
        hung_up = asyncio.create_task(reader.read(1))
        hung_up.add_done_callback(lambda _: self._end(session, "disconnected"))
        told = None
        try:
            while (picture := await viewer.get()) is not None:
                if viewer.stream is not None and viewer.stream != told:
                    told = viewer.stream
                    writer.write(encode(told))
                writer.write(encode(picture))
                await writer.drain()  # a slow reader holds up itself: its backlog falls back to key frames
            writer.write(encode(Gone("ended", "This session is over.")))
        finally:
            hung_up.cancel()
            self._end(session, "disconnected")

    async def _open(self, offer: Offer, sdp: str, viewer: Viewer) -> Answer:
        peer = peer_connection()
        track = FeedTrack(viewer)
        try:
            add_track(peer, track, viewer.stream.profile if viewer.stream is not None else "")
            await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            await peer.setLocalDescription(await peer.createAnswer())
        except _AIORTC_REFUSALS as error:
            await peer.close()
            raise BadOffer(
                f"The browser's offer cannot be answered ({error}). It must offer H.264 with packetization-mode=1."
            ) from error
        except BaseException:
            await peer.close()
            raise
        session = Session(
            offer.session, offer.camera, offer.view, offer.expires_at_s, viewer, peer, term_s=self._term_s(offer)
        )  # fmt: skip
        self._sessions[offer.session] = session
        peer.on("connectionstatechange", lambda: self._changed(session))
        log.info("live.opened", session=offer.session, camera=offer.camera, view=offer.view)
        return Answer(peer.localDescription.sdp)

    def _changed(self, session: Session) -> None:
        if session.peer is not None and session.peer.connectionState in ("failed", "closed"):
            self._end(session, "disconnected")

    async def _watch_over(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._on_tick()
            for session in list(self._sessions.values()):
                reason = session.over(self._now(), time.monotonic())
                if reason is not None:
                    self._end(session, reason)

    def _end(self, session: Session, reason: str) -> asyncio.Task[None]:
        """Pictures stop in this very step; the handshakes of a close may take a moment longer."""
        session.viewer.close()
        if session.closing:
            return next((task for task in self._closes if task.get_name() == session.id), asyncio.create_task(_nothing()))
        session.closing = True
        task = asyncio.create_task(self._close(session, reason), name=session.id)
        self._closes.add(task)
        task.add_done_callback(self._closes.discard)
        return task

    async def _close(self, session: Session, reason: str) -> None:
        try:
            if session.peer is not None:
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await session.peer.close()
        except (TimeoutError, ConnectionError) as error:
            log.warning("live.close_unclean", session=session.id, reason=repr(error))
        finally:
            self._sessions.pop(session.id, None)
            log.info("live.closed", session=session.id, camera=session.camera, reason=reason, pictures=session.viewer.taken)


_AIORTC_REFUSALS = (
    ValueError, KeyError, IndexError, AttributeError, AssertionError, TypeError,  # its SDP parser lets all of these through
    InternalError, InvalidAccessError, InvalidStateError, OperationError,
)  # fmt: skip


async def _nothing() -> None:
    pass


def run_live(
    layout: Layout, workers: Mapping[str, int], *, watch_stdin: bool = True, on_tick: Callable[[], None] = lambda: None
) -> None:
    """The live process's main: serves layout.live_socket until SIGTERM, SIGINT or (`watch_stdin`) the end of its stdin.

    `workers` says which worker has which camera (cameras → worker number). `on_tick` is called as long as the event loop turns.
    """

    def socket_of(camera: str) -> Path | None:
        worker = workers.get(camera)
        return None if worker is None else layout.feed_socket(worker)

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if watch_stdin:
            await loop.connect_read_pipe(lambda: _UntilEnd(stop), sys.stdin)
        await LiveServer(layout.live_socket, socket_of, on_tick=on_tick).run(stop)

    asyncio.run(serve())


class _UntilEnd(asyncio.Protocol):
    """The parent holds the other end of our stdin: when it dies, even by SIGKILL, the pipe ends and so do we."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()
