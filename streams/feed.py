"""◦ The feed protocol: how coded pictures leave a stream worker, and how the live process is asked for a session.

A message is a 4-byte big-endian length, a UTF-8 JSON header of that length, then header["size"] payload bytes (0 if absent).
Bytes and messages only (sans I/O): `encode`, `Decoder`. The thin readers and writers on sockets stand at the end.

    client → worker   Watch                          one per connection
    worker → client   Stream, Packet…, Gone          pictures since the last key frame, then live
    web → live        Offer, Play, Close, Status
    live → web        Answer, Refused, Done, Sessions; to Play: Stream, Packet…, Gone
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from streams.gop import Backlog, GopCache, Packet

__all__ = [
    "Answer", "Backlog", "Close", "Decoder", "Done", "FeedError", "Gone", "GopCache", "Message", "Offer", "Packet", "Play",
    "Refused", "SessionState", "Sessions", "Status", "Stream", "View", "Watch", "decode", "encode", "receive", "receive_async",
    "view_of",
]  # fmt: skip

View = Literal["clear", "wall"]
MAX_HEADER_BYTES = 256 * 1024  # an SDP of 64 KiB with every character escaped still fits
MAX_PAYLOAD_BYTES = 16 * 1024 * 1024  # one 4K key frame, ten times over
MAX_NAME = 200
MAX_TEXT = 2000
_LENGTH_BYTES = 4


class FeedError(ValueError):
    """The other side sent what is no message of this protocol: the connection is of no more use."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Give me this camera's pictures, clear or with people covered (the wall)."""

    camera: str
    view: View


@dataclass(frozen=True, slots=True)
class Stream:
    """What follows: codec ("h264"), size in pixels and SDP's profile-level-id. Comes again when they change."""

    codec: str
    width: int
    height: int
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """No (more) pictures, and why: code no_camera | no_video | b_frames, and a text for people."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Offer:
    """Open a WebRTC session. It ends at expires_at_s (unix seconds) by itself; None: it has no term of its own."""

    session: str
    camera: str
    view: View
    sdp: str
    expires_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Play:
    """The detour for browsers that no UDP reaches: Stream and Packets come on this very connection, then Gone."""

    session: str
    camera: str
    view: View
    expires_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Close:
    session: str


@dataclass(frozen=True, slots=True)
class Status:
    pass


@dataclass(frozen=True, slots=True)
class Answer:
    sdp: str


@dataclass(frozen=True, slots=True)
class Refused:
    """code no_camera | no_video | b_frames | bad_sdp | busy, and a text for people."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Done:
    pass


@dataclass(frozen=True, slots=True)
class SessionState:
    """state: connecting | live | stalled | closing."""

    session: str
    camera: str
    view: View
    state: str


@dataclass(frozen=True, slots=True)
class Sessions:
    sessions: tuple[SessionState, ...]


Message = Watch | Stream | Packet | Gone | Offer | Play | Close | Status | Answer | Refused | Done | Sessions


def view_of(text: object) -> View:
    if text == "clear":
        return "clear"
    if text == "wall":
        return "wall"
    raise FeedError(f'view is "clear" or "wall", not {str(text)[:40]!r}')


def _header(message: Message) -> dict[str, object]:  # noqa: PLR0911  one arm for each message: a table would hide the fields
    match message:
        case Packet():
            return {
                "type": "packet", "pts_90k": message.pts_90k, "key": message.key, "captured_at_s": message.captured_at_s,
                "size": len(message.data), **({"cached": True} if message.cached else {}),
            }  # fmt: skip
        case Watch():
            return {"op": "watch", "camera": message.camera, "view": message.view}
        case Stream():
            return {
                "type": "stream", "codec": message.codec, "width": message.width, "height": message.height,
                "profile": message.profile,
            }  # fmt: skip
        case Gone():
            return {"type": "gone", "code": message.code, "detail": message.detail}
        case Offer():
            return {
                "op": "offer", "session": message.session, "camera": message.camera, "view": message.view,
                "sdp": message.sdp, "expires_at_s": message.expires_at_s,
            }  # fmt: skip
        case Play():
            return {
                "op": "play", "session": message.session, "camera": message.camera, "view": message.view,
                "expires_at_s": message.expires_at_s,
            }  # fmt: skip
        case Close():
            return {"op": "close", "session": message.session}
        case Status():
            return {"op": "status"}
        case Answer():
            return {"type": "answer", "sdp": message.sdp}
        case Refused():
            return {"type": "error", "code": message.code, "detail": message.detail}
        case Done():
            return {"type": "ok"}
        case Sessions():
            rows = [{"session": s.session, "camera": s.camera, "view": s.view, "state": s.state} for s in message.sessions]
            return {"type": "status", "sessions": rows}


def encode(message: Message) -> bytes:
    """Errors: FeedError when the message is larger than any reader would take."""
    header = json.dumps(_header(message), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    payload = message.data if isinstance(message, Packet) else b""
    _check_sizes(len(header), len(payload))
    return len(header).to_bytes(_LENGTH_BYTES, "big") + header + payload


def _check_sizes(header_bytes: int, payload_bytes: int) -> None:
    if header_bytes > MAX_HEADER_BYTES:
        raise FeedError(f"a header of {header_bytes} bytes; {MAX_HEADER_BYTES} is the most")
    if payload_bytes > MAX_PAYLOAD_BYTES:
        raise FeedError(f"a payload of {payload_bytes} bytes; {MAX_PAYLOAD_BYTES} is the most")


def _parse_header(data: bytes) -> tuple[dict[str, object], int]:
    """The header and the size of the payload that follows it."""
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"a header that is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise FeedError("a header that is not a JSON object")
    size = _whole(header, "size") if "size" in header else 0
    if size < 0:
        raise FeedError(f"a payload of {size} bytes")
    _check_sizes(len(data), size)
    return header, size


def decode(header: Mapping[str, object], payload: bytes = b"") -> Message:
    """One message out of its parsed header. Errors: FeedError names the field."""
    build = _BUILDERS.get(str(header.get("op") or header.get("type")))
    if build is None:
        raise FeedError(f"neither op nor type of this protocol: {str(header.get('op') or header.get('type'))[:40]!r}")
    if payload and build is not _packet:
        raise FeedError("only packets carry a payload")
    return build(header, payload)


def _text(header: Mapping[str, object], name: str, most: int = MAX_NAME) -> str:
    value = header.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise FeedError(f'"{name}" is a text of at most {most} characters, not {str(value)[:40]!r}')
    return value


def _whole(header: Mapping[str, object], name: str) -> int:
    value = header.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise FeedError(f'"{name}" is a whole number, not {str(value)[:40]!r}')
    return value


def _seconds(header: Mapping[str, object], name: str) -> float:
    value = header.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 1e12:
        raise FeedError(f'"{name}" is a time in unix seconds, not {str(value)[:40]!r}')
    return float(value)


def _packet(header: Mapping[str, object], payload: bytes) -> Message:
    if not isinstance(header.get("key"), bool):
        raise FeedError('"key" is true or false')
    return Packet(
        pts_90k=_whole(header, "pts_90k"),
        key=header["key"] is True,
        captured_at_s=_seconds(header, "captured_at_s"),
        data=payload,
        cached=header.get("cached") is True,
    )


def _term(header: Mapping[str, object]) -> float | None:
    return None if header.get("expires_at_s") is None else _seconds(header, "expires_at_s")


def _offer(header: Mapping[str, object], _: bytes) -> Message:
    return Offer(
        _text(header, "session"), _text(header, "camera"), view_of(header.get("view")),
        _text(header, "sdp", MAX_HEADER_BYTES), _term(header),
    )  # fmt: skip


def _sessions(header: Mapping[str, object], _: bytes) -> Message:
    rows = header.get("sessions")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FeedError('"sessions" is a list of objects')
    return Sessions(
        tuple(
            SessionState(_text(row, "session"), _text(row, "camera"), view_of(row.get("view")), _text(row, "state"))
            for row in rows
        )
    )


_BUILDERS: dict[str, Callable[[Mapping[str, object], bytes], Message]] = {
    "watch": lambda h, _: Watch(_text(h, "camera"), view_of(h.get("view"))),
    "stream": lambda h, _: Stream(
        _text(h, "codec"), _whole(h, "width"), _whole(h, "height"), _text(h, "profile") if "profile" in h else ""
    ),
    "packet": _packet,
    "gone": lambda h, _: Gone(_text(h, "code"), _text(h, "detail", MAX_TEXT)),
    "offer": _offer,
    "play": lambda h, _: Play(_text(h, "session"), _text(h, "camera"), view_of(h.get("view")), _term(h)),
    "close": lambda h, _: Close(_text(h, "session")),
    "status": lambda h, _: _sessions(h, b"") if "type" in h else Status(),
    "answer": lambda h, _: Answer(_text(h, "sdp", MAX_HEADER_BYTES)),
    "error": lambda h, _: Refused(_text(h, "code"), _text(h, "detail", MAX_TEXT)),
    "ok": lambda h, _: Done(),
}


class Decoder:
    """Bytes in, messages out, in whatever pieces they come. `at_rest` is False in the middle of a message."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def at_rest(self) -> bool:
        return not self._buffer

    def receive(self, data: bytes) -> list[Message]:
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= _LENGTH_BYTES:
            head_end = _LENGTH_BYTES + int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
            _check_sizes(head_end - _LENGTH_BYTES, 0)
            if len(self._buffer) < head_end:
                break
            header, size = _parse_header(bytes(self._buffer[_LENGTH_BYTES:head_end]))
            if len(self._buffer) < head_end + size:
                break
            messages.append(decode(header, bytes(self._buffer[head_end : head_end + size])))
            del self._buffer[: head_end + size]
        return messages


def receive(sock: socket.socket) -> Message | None:
    """The next message of a blocking socket; None at its orderly end. Errors: FeedError, OSError, TimeoutError."""
    head = _exactly(sock, _LENGTH_BYTES)
    if head is None:
        return None
    length = int.from_bytes(head, "big")
    _check_sizes(length, 0)
    header, size = _parse_header(_exactly(sock, length) or b"")
    return decode(header, (_exactly(sock, size) or b"") if size else b"")


def _exactly(sock: socket.socket, count: int) -> bytes | None:
    """`count` bytes; None when the connection ended before the first of four."""
    parts = bytearray()
    while len(parts) < count:
        data = sock.recv(min(count - len(parts), 1 << 20))
        if not data:
            if parts or count != _LENGTH_BYTES:
                raise FeedError("the connection ended in the middle of a message")
            return None
        parts += data
    return bytes(parts)


async def receive_async(reader: asyncio.StreamReader) -> Message | None:
    """The next message; None at the orderly end of the connection. Errors: FeedError, OSError."""
    try:
        head = await reader.readexactly(_LENGTH_BYTES)
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise FeedError("the connection ended in the middle of a message") from end
        return None
    try:
        length = int.from_bytes(head, "big")
        _check_sizes(length, 0)
        header, size = _parse_header(await reader.readexactly(length))
        return decode(header, await reader.readexactly(size) if size else b"")
    except asyncio.IncompleteReadError as end:
        raise FeedError("the connection ended in the middle of a message") from end
