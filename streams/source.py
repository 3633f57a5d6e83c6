"""A camera, opened: coded pictures as they come, decoded on demand. The only place where Callout opens a camera.

Traps that are handled here, each with a test: the first key frame has no timestamp; FIN and RST end the iterator without a word;
a silent camera raises after twice the time-out; error messages of the library hold the password; lost RTP packets raise nothing.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from streams import h264, timestamps
from streams.packet import VideoPacket
from streams.redact import redact_url
from streams.source_errors import SourceError, Why
from vision.frame import Planes

# probesize/analyzeduration: the parameter sets in the SDP say all; probing costs a second and nobuffer would throw packets away.
OPTIONS = {"rtsp_transport": "tcp", "probesize": "32", "analyzeduration": "0"}
OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 4.0  # PyAV raises after up to twice this
LOOK_FOR_B_FRAMES = 300  # packets; then the camera's profile is known
_I420 = frozenset({"yuv420p", "yuvj420p"})

Luma = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """`fps` is what the camera announces, 0 when it does not; `width`, `height` in pixels."""

    codec: str
    width: int
    height: int
    fps: float


class DecodedFrame:
    """A decoded picture. `luma` and `planes` are views on the decoder's own memory, rows perhaps padded: read, never write.

    `corrupt`: parts of it were guessed, since packets were lost. Keep it from the detector.
    """

    __slots__ = ("_frame", "captured_at_s", "corrupt", "height", "key", "pts_90k", "width")

    def __init__(self, frame: av.VideoFrame, packet: VideoPacket, *, corrupt: bool) -> None:
        self._frame = frame if frame.format.name in _I420 else frame.reformat(format="yuv420p")
        self.captured_at_s, self.pts_90k = packet.captured_at_s, packet.pts_90k
        self.width, self.height = frame.width, frame.height
        self.key, self.corrupt = packet.key, corrupt

    @property
    def luma(self) -> Luma:
        """(height, width) uint8."""
        return _view(self._frame.planes[0], self.width, self.height)

    @property
    def planes(self) -> Planes:
        """I420 without a copy: y (height, width), u and v (half, rounded up)."""
        half = (self.width + 1) // 2, (self.height + 1) // 2
        _, u, v = self._frame.planes
        return Planes(self.luma, _view(u, *half), _view(v, *half), full_range=self._frame.color_range == _FULL_RANGE)


_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


def _view(plane: av.video.plane.VideoPlane, width: int, height: int) -> Luma:
    rows: Luma = np.frombuffer(memoryview(plane), np.uint8)
    return rows[: plane.line_size * height].reshape(height, plane.line_size)[:, :width]


class Source:
    """One connection to one camera. Use it from one thread; `last_packet_s` may be read by a watchdog from another.

    with Source.open(url, timeline=timeline) as source:
        for packet in source.packets():      # raises SourceError; never just ends
            for frame in source.decode(packet): ...
    timeline = source.timeline               # so that the next connection's times go on from here
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        place: str,
        timeline: timestamps.Timeline,
        clock: Callable[[], float],
    ) -> None:
        self._container, self.place, self._clock = container, place, clock
        self._stream = _h264_stream(container, place)
        self._decoder = self._stream.codec_context
        self._decoder.thread_count = 1  # thread_type stays as it is: AUTO adds 80 ms
        self._sets, self._length_size = h264.parse_extradata(self._decoder.extradata or b"")
        self._capture = timestamps.CaptureClock()
        self._decoded_seq: int | None = None
        self.timeline = timestamps.restarted(timeline)
        self.last_packet_s = clock()
        self.b_frames = False
        self.info = self._describe()

    @classmethod
    def open(
        cls,
        url: str,
        *,
        timeline: timestamps.Timeline | None = None,
        clock: Callable[[], float] = time.time,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> Source:
        """Connect. Errors: SourceError (unreachable, unauthorised, not_found, not_video, unsupported_codec)."""
        place, began_s = redact_url(url), time.monotonic()
        try:
            container = av.open(url, "r", options=OPTIONS, timeout=(open_timeout_s, read_timeout_s))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            # "from None": the library's message holds the url with its password, and a traceback would show it.
            raise _open_error(error, url, place, time.monotonic() - began_s >= open_timeout_s * 0.9) from None
        try:
            return cls(container, place, timeline or timestamps.Timeline(), clock)
        except BaseException:
            container.close()
            raise

    def __enter__(self) -> Source:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    def packets(self) -> Iterator[VideoPacket]:
        """The pictures from the first key frame on. Errors: SourceError (stalled, ended): a camera has no end of its own."""
        seq, started = 0, False
        try:
            for packet in self._container.demux(self._stream):
                if not packet.size:
                    continue
                self.last_packet_s = self._clock()
                if not started and not packet.is_keyframe:
                    continue
                made = self._packet(packet, seq)
                if made is not None:
                    started, seq = True, seq + 1
                    yield made
        except av.error.FFmpegError as error:
            why, detail = _read_error(error)
            raise SourceError(why, self.place, detail) from None
        raise SourceError(Why.ENDED, self.place, "it closed the connection")

    def decode(self, packet: VideoPacket) -> list[DecodedFrame]:
        """The pictures that this packet completes (nearly always one). After packets were left out: nothing until a key frame."""
        follows = self._decoded_seq is not None and packet.seq == self._decoded_seq + 1
        if not follows and not packet.key:
            return []
        raw = packet.raw
        assert isinstance(raw, av.Packet), "only packets of this source are decoded"
        if not follows and self._decoded_seq is not None:
            self._decoder.flush_buffers()
        self._decoded_seq = packet.seq
        try:
            frames = self._decoder.decode(raw)
        except av.error.FFmpegError:
            return []  # a picture too damaged to be guessed
        return [DecodedFrame(frame, packet, corrupt=frame.is_corrupt or raw.is_corrupt) for frame in frames]

    def _packet(self, packet: av.Packet[av.VideoStream], seq: int) -> VideoPacket | None:
        inside = False
        if packet.is_keyframe:
            found = h264.find_parameter_sets(h264.split_annexb(bytes(packet)))
            inside = bool(found)
            if inside and found != self._sets:
                self._sets, self.info = found, self._describe(found)
            if not self._sets:
                return None  # nobody can decode this yet
        elif seq < LOOK_FOR_B_FRAMES and not self.b_frames:
            self.b_frames = h264.has_b_slice(bytes(memoryview(packet)[:256]))
        raw = packet.dts if packet.dts is not None else packet.pts
        base = packet.time_base
        raw_90k = None if raw is None else round(raw * base * timestamps.HZ)
        self.timeline, dts = timestamps.step(self.timeline, raw_90k, self.last_packet_s)
        self._capture, captured_at_s = timestamps.captured_at(self._capture, dts, self.last_packet_s)
        offset = packet.pts - packet.dts if packet.pts is not None and packet.dts is not None else 0
        pts = dts + max(0, round(offset * base * timestamps.HZ))
        return VideoPacket(packet, packet.size, packet.is_keyframe, dts, pts, captured_at_s, seq, self._sets, inside)

    def _describe(self, sets: h264.ParameterSets | None = None) -> StreamInfo:
        known = sets or self._sets
        width, height = self._decoder.width, self._decoder.height
        if known:
            try:
                width, height = h264.picture_size(known.sps[0])
            except ValueError:
                raise SourceError(Why.NOT_VIDEO, self.place, "its H.264 parameters make no sense") from None
        return StreamInfo("h264", width, height, float(self._stream.average_rate or 0))


def _h264_stream(container: av.container.InputContainer, place: str) -> av.VideoStream:
    if not container.streams.video:
        raise SourceError(Why.NOT_VIDEO, place, "no video track")
    stream = container.streams.video[0]
    codec = stream.codec_context.name if stream.codec_context is not None else "an unknown codec"
    if codec != "h264":
        raise SourceError(Why.UNSUPPORTED_CODEC, place, codec)
    if (stream.codec_context.extradata or b"")[:1] == b"\x01":
        raise SourceError(Why.NOT_VIDEO, place, "a file, not a live stream; `callout camera play FILE` serves it as a camera")
    return stream


def _open_error(error: Exception, url: str, place: str, timed_out: bool) -> SourceError:
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return SourceError(Why.UNAUTHORISED, place)
    if isinstance(error, av.error.HTTPNotFoundError):
        return SourceError(Why.NOT_FOUND, place)
    if isinstance(error, av.error.HTTPError):
        return SourceError(Why.NOT_VIDEO, place, "it refuses the request")
    if isinstance(error, av.error.ConnectionRefusedError):
        return SourceError(Why.UNREACHABLE, place, "connection refused")
    if isinstance(error, av.error.ProtocolNotFoundError):
        return SourceError(Why.NOT_VIDEO, place, "a url that does not begin with rtsp://")
    if timed_out or isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return SourceError(Why.UNREACHABLE, place, "no answer in time")
    unreachable = _diagnose(url)
    if unreachable:
        return SourceError(Why.UNREACHABLE, place, unreachable)
    return SourceError(Why.NOT_VIDEO, place, "what answers there is not RTSP video")


def _diagnose(url: str) -> str:
    """Why nobody can connect to the url's host, "" when one can: the library says "Input/output error" to all of it."""
    try:
        parts = urlsplit(url)
        if not parts.hostname:
            return ""
        with socket.create_connection((parts.hostname, parts.port or 554), timeout=2.0):
            return ""
    except ValueError:
        return ""
    except socket.gaierror:
        return "its host name is not known"
    except OSError as error:
        return error.strerror or "no answer in time"


def _read_error(error: av.error.FFmpegError) -> tuple[Why, str]:
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return Why.STALLED, "no packet in time"
    if isinstance(error, av.error.ConnectionResetError | av.error.BrokenPipeError):
        return Why.ENDED, "it reset the connection"
    return Why.ENDED, error.strerror or "read error"
