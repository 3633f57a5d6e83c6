"""RTSP 1.0 (RFC 2326) without sockets: bytes in, requests and interleaved frames out; responses as bytes. Pure.

Digest authentication is that of RFC 2617 with MD5, since that is what cameras and players speak.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024
METHODS = ("OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "GET_PARAMETER", "SET_PARAMETER", "TEARDOWN")
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    413: "Request Entity Too Large",
    454: "Session Not Found",
    455: "Method Not Valid In This State",
    461: "Unsupported Transport",
    505: "RTSP Version Not Supported",
    551: "Option not supported",
}


class RtspError(ValueError):
    """What came is no RTSP: answer with `status` and close, since nobody knows where the next message begins."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` have lower-case names; of repeated ones the values are joined by commas."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def cseq(self) -> str:
        return self.headers.get("cseq", "")


@dataclass(frozen=True, slots=True)
class Interleaved:
    """An RTP or RTCP packet inside the connection (RFC 2326, 10.12)."""

    channel: int
    data: bytes


class Parser:
    """Feed it bytes in any pieces; it gives what is complete. After an RtspError it is of no more use."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request | Interleaved]:
        """Errors: RtspError."""
        self._buffer += data
        found: list[Request | Interleaved] = []
        while (item := self._next()) is not None:
            found.append(item)
        return found

    def _next(self) -> Request | Interleaved | None:
        buffer = self._buffer
        while buffer[:2] == b"\r\n":  # some players send an empty line as a sign of life
            del buffer[:2]
        if not buffer:
            return None
        if buffer[0] == 0x24:
            return self._interleaved()
        end = buffer.find(b"\r\n\r\n")
        if end == -1 or end > MAX_HEAD_BYTES:
            if len(buffer) > MAX_HEAD_BYTES:
                raise RtspError(413, f"a request of more than {MAX_HEAD_BYTES} bytes")
            return None
        method, url, headers = _parse_head(bytes(buffer[:end]))
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise RtspError(400, "Content-Length is not a number")
        size = int(length[:9])
        if size > MAX_BODY_BYTES:
            raise RtspError(413, f"a body of {size} bytes; {MAX_BODY_BYTES} is the most")
        if len(buffer) < end + 4 + size:
            return None
        body = bytes(buffer[end + 4 : end + 4 + size])
        del buffer[: end + 4 + size]
        return Request(method, url, headers, body)

    def _interleaved(self) -> Interleaved | None:
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        size = int.from_bytes(buffer[2:4], "big")
        if len(buffer) < 4 + size:
            return None
        item = Interleaved(buffer[1], bytes(buffer[4 : 4 + size]))
        del buffer[: 4 + size]
        return item


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    try:
        lines = head.decode("utf-8").split("\r\n")
    except UnicodeDecodeError:
        raise RtspError(400, "a request that is not text") from None
    parts = lines[0].split(" ")
    if len(parts) != 3 or not all(parts):
        raise RtspError(400, "the first line is not METHOD URL RTSP/1.0")
    method, url, version = parts
    if version != "RTSP/1.0":
        raise RtspError(505 if version.startswith("RTSP/") else 400, f"not RTSP/1.0 but {version[:20]}")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise RtspError(400, "a header line that is not Name: value")
        key, text = name.lower(), value.strip()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return method, url, headers


def response(status: int, cseq: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    lines = [f"RTSP/1.0 {status} {REASONS[status]}"]
    if cseq:
        lines.append(f"CSeq: {cseq}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + body


def interleaved(channel: int, data: bytes) -> bytes:
    return b"$" + bytes([channel]) + len(data).to_bytes(2, "big") + data


def tcp_channels(transport: str) -> tuple[int, int] | None:
    """The channels for RTP and RTCP of the first acceptable transport in a Transport header; None: only UDP is offered."""
    for offer in transport.split(","):
        fields = [part.strip() for part in offer.split(";")]
        if fields[0].upper() != "RTP/AVP/TCP" or "multicast" in fields:
            continue
        for part in fields[1:]:
            match = re.fullmatch(r"interleaved=(\d{1,3})(?:-(\d{1,3}))?", part)
            if match:
                first = int(match[1])
                second = int(match[2]) if match[2] else first + 1
                return (first, second) if first < 256 and second < 256 else None
        return 0, 1
    return None


def stem_of(url: str) -> str:
    """The first part of the path of rtsp://host:port/stem/trackID=0, or "" (also for the url *)."""
    path = url.split("://", 1)[-1].split("/", 1)
    return path[1].split("?", 1)[0].split("/", 1)[0] if len(path) == 2 else ""


def digest_challenge(realm: str, nonce: str) -> str:
    return f'Digest realm="{realm}", nonce="{nonce}"'


def digest_fields(authorization: str) -> dict[str, str]:
    """The fields of `Authorization: Digest …`; empty for any other scheme."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "digest":
        return {}
    pairs = re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([^,\s]*))', rest)
    return {name.lower(): quoted or plain for name, quoted, plain in pairs}


def digest_response(
    *, user: str, password: str, realm: str, nonce: str, method: str, uri: str, qop: Mapping[str, str] | None = None
) -> str:
    """The `response` field (RFC 2617, 3.2.2.1); `qop` holds qop, nc and cnonce when the client uses them."""
    ha1, ha2 = _md5(f"{user}:{realm}:{password}"), _md5(f"{method}:{uri}")
    if qop and qop.get("qop"):
        return _md5(f"{ha1}:{nonce}:{qop.get('nc', '')}:{qop.get('cnonce', '')}:{qop['qop']}:{ha2}")
    return _md5(f"{ha1}:{nonce}:{ha2}")


def digest_ok(request: Request, user: str, password: str, realm: str, nonce: str) -> bool:
    """Whether the request proves that its sender knows the password, for this very nonce and method."""
    got = digest_fields(request.headers.get("authorization", ""))
    if not got or got.get("username") != user or got.get("nonce") != nonce or got.get("realm") != realm:
        return False
    expected = digest_response(
        user=user, password=password, realm=realm, nonce=nonce, method=request.method, uri=got.get("uri", ""), qop=got
    )
    return hmac.compare_digest(expected.encode(), got.get("response", "").lower().encode())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
