"""From one producer of coded pictures to any number of readers: the camera's thread pushes, readers wait on their own queue.

Nothing here blocks the camera's thread: a push appends references under a lock and wakes the readers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from streams.annexb import Picture, picture_of
from streams.feed import Backlog, Gone, GopCache, Message, Packet, Stream
from streams.h264 import has_b_slice

B_FRAMES = (
    "This camera sends B-frames (pictures out of order), which a browser cannot play live. "
    "Switch its encoder to the Baseline profile or set B-frames to 0."
)
# A leaky bucket: three odd pictures within about twenty are B-frames; a single one after packet loss is not.
ODD_PICTURE, ODD_ENOUGH = 30, 70
SLICE_WITHIN = 2048  # bytes; in front of a picture's first slice stand at most a delimiter and a little SEI


class Fanout:
    """One camera's pictures in one view.

    `push` from one thread, readers from others. `watched` says whether anybody reads: the wall's encoder runs only then, and
    `on_watched` is called (in the reader's thread) when the first one comes, so that a key frame can be forced.
    """

    def __init__(self, *, on_watched: Callable[[], None] | None = None) -> None:
        self._on_watched = on_watched
        self._condition = threading.Condition()
        self._gop = GopCache()
        self._readers: set[Reader] = set()
        self._picture: Picture | None = None
        self._gone: Gone | None = None
        self._last_pts_90k: int | None = None
        self._out_of_order = 0

    @property
    def watched(self) -> bool:
        return bool(self._readers)

    @property
    def viewers(self) -> int:
        return len(self._readers)

    @property
    def refused(self) -> Gone | None:
        """Why readers are turned away at the moment, if they are."""
        return self._gone

    def push(self, data: bytes, pts_90k: int, key: bool, captured_at_s: float) -> None:
        """One access unit: Annex B, SPS and PPS in front of a key frame (annexb.AnnexB does both).

        A stream with B-frames turns its readers away with code b_frames and takes no more pictures, until `reset`.
        """
        packet = Packet(pts_90k, key, captured_at_s, data)
        with self._condition:
            if self._gone is not None and self._gone.code == "b_frames":
                return
            if self._reordered(packet):
                self._turn_away(Gone("b_frames", B_FRAMES))
                return
            self._gone = None
            if key:
                picture = picture_of(data)
                if picture is not None and picture != self._picture:
                    self._picture = picture
                    self._tell(_stream(picture))
            self._gop.push(packet)
            self._tell(packet)

    def reset(self) -> None:
        """The source begins anew (reconnected, or was changed): what is cached no longer leads to what follows."""
        with self._condition:
            self._gop.clear()
            self._gone = None
            self._last_pts_90k = None
            self._out_of_order = 0

    def gone(self, code: str, detail: str) -> None:
        """No pictures for now: readers are told and let go; new ones are turned away until the next push."""
        with self._condition:
            self._gop.clear()
            self._turn_away(Gone(code, detail))

    def join(self) -> Reader:
        """A reader that begins at the last key frame. The caller closes it."""
        with self._condition:
            if self._on_watched is not None and not self._readers:
                self._gop.clear()  # pictures are made for readers alone: what is left is of an earlier viewing, and old
            reader = Reader(self, self._condition, self._gop.packets())
            if self._picture is not None:
                reader.tell(_stream(self._picture))
            if self._gone is not None:
                reader.tell(self._gone)
            first = not self._readers
            self._readers.add(reader)
        if first and self._on_watched is not None:
            self._on_watched()
        return reader

    def leave(self, reader: Reader) -> None:
        with self._condition:
            self._readers.discard(reader)
            reader.closed = True
            self._condition.notify_all()

    def _reordered(self, packet: Packet) -> bool:
        """Whether the stream has shown often enough that it is decoded in another order than it is shown."""
        last = self._last_pts_90k
        backwards = last is not None and -90_000 < packet.pts_90k - last < 0  # further back is a source that began anew
        if packet.key or last is None or packet.pts_90k > last or not backwards:
            self._last_pts_90k = packet.pts_90k
        if (backwards and not packet.key) or (not packet.key and has_b_slice(packet.data[:SLICE_WITHIN])):
            self._out_of_order += ODD_PICTURE
        else:
            self._out_of_order = max(0, self._out_of_order - 1)
        return self._out_of_order >= ODD_ENOUGH

    def _turn_away(self, gone: Gone) -> None:
        if self._gone != gone:
            self._gone = gone
            self._tell(gone)

    def _tell(self, message: Message) -> None:
        for reader in self._readers:
            reader.tell(message)
        if self._readers:
            self._condition.notify_all()


class Reader:
    """One reader's queue. Slow: it falls back to a key frame. It ends after a Gone, or when it is closed."""

    def __init__(self, fanout: Fanout, condition: threading.Condition, gop: list[Packet]) -> None:
        self.closed = False
        self._fanout = fanout
        self._condition = condition
        self._backlog = Backlog(gop)
        self._stream: Stream | None = None
        self._gone: Gone | None = None

    @property
    def dropped(self) -> int:
        return self._backlog.dropped

    def tell(self, message: Message) -> None:
        """Called with the condition held."""
        match message:
            case Packet():
                self._backlog.push(message)
            case Stream():
                self._stream = message
            case Gone():
                self._gone = message
            case _:
                raise TypeError(f"a feed carries no {type(message).__name__}")

    def next(self, timeout_s: float) -> Message | None:
        """The next message; None after timeout_s without one, or once the reader is closed."""
        with self._condition:
            if not self._condition.wait_for(self._ready, timeout_s) or self.closed:
                return None
            if self._stream is not None:
                message: Message | None = self._stream
                self._stream = None
            elif self._gone is not None:
                message = self._gone
            else:
                message = self._backlog.pop()
            return message

    def close(self) -> None:
        self._fanout.leave(self)

    def _ready(self) -> bool:
        return self.closed or self._stream is not None or self._gone is not None or len(self._backlog) > 0


def _stream(picture: Picture) -> Stream:
    return Stream("h264", picture.width, picture.height, picture.profile_level_id)
