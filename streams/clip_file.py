"""A video file as the virtual camera serves it: its H.264 access units in memory, cut into RTP payloads once for all clients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av

from streams import h264, rtp

HZ = 90_000
MAX_BYTES = 1 << 30
_NOT_VIDEO = frozenset({"tty", "bin", "xbin", "adf", "idf", "image2"})  # FFmpeg shows any text file as a "video"
SERVED_GOP_S = 2.0  # a camera with rarer key frames keeps whoever joins in the dark


class ClipError(Exception):
    """A file that cannot be served, with what to do about it. `text_zh` says the same in Chinese."""

    def __init__(self, path: Path, what: str, what_zh: str) -> None:
        super().__init__(f"{path}: {what}")
        self.text_zh = f"{path}：{what_zh}"


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One picture: `at_90k` from the clip's start, its RTP payloads, and whether it is a key frame."""

    at_90k: int
    key: bool
    payloads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Clip:
    """`length_90k` is the time after which it begins anew; `keys` are the indices of the key frames."""

    name: str
    units: tuple[AccessUnit, ...]
    length_90k: int
    sets: h264.ParameterSets
    size: tuple[int, int]
    fps: float
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file holds, found without decoding it. `gop_s` is the longest distance between key frames."""

    codec: str
    seconds: float
    fps: float
    gop_s: float
    b_frames: bool
    size: tuple[int, int]

    @property
    def servable(self) -> bool:
        return self.codec == "h264" and not self.b_frames and self.gop_s <= SERVED_GOP_S + 0.001


def _open(path: Path) -> av.container.InputContainer:
    if not path.is_file():
        raise ClipError(path, "there is no such file.", "没有这个文件。")
    try:
        container = av.open(str(path))
        if container.format.name not in _NOT_VIDEO and not container.format.name.endswith("_pipe"):
            return container
        container.close()
        raise ClipError(path, "is a text or a picture, not a video.", "是文本或图片，不是视频。")
    except (av.error.FFmpegError, OSError) as error:
        raise ClipError(
            path,
            f"is not a video that can be read ({error.strerror}). Give an H.264 file: .mp4, .mkv, .ts or .h264.",
            f"不是可读取的视频（{error.strerror}）。请提供 H.264 文件：.mp4、.mkv、.ts 或 .h264。",
        ) from None


def _video(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    if not container.streams.video:
        raise ClipError(path, "holds no video. Give an H.264 file.", "不含视频。请提供 H.264 文件。")
    return container.streams.video[0]


def facts(path: Path) -> Facts:
    """Errors: ClipError for what is no video."""
    with _open(path) as container:
        stream = _video(path, container)
        base = stream.time_base or 0
        codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
        times: list[float] = []
        keys: list[float] = []
        reordered = bool(stream.codec_context is not None and stream.codec_context.has_b_frames)
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                at_s = float((packet.dts if packet.dts is not None else len(times)) * base)
                times.append(at_s)
                if packet.is_keyframe:
                    keys.append(at_s)
                reordered = reordered or (packet.pts is not None and packet.dts is not None and packet.pts < packet.dts)
        except av.error.FFmpegError:
            if not times:  # a damaged end is played up to there
                raise ClipError(path, "holds no pictures that can be read.", "不含可读取的画面。") from None
        if not times:
            raise ClipError(path, "holds no pictures.", "不含画面。")
        rate = float(stream.average_rate or 25)
        seconds = max(times) - min(times) + 1 / rate
        ends = [*keys[1:], max(times) + 1 / rate]
        gop_s = max((end - begin for begin, end in zip(keys, ends, strict=True)), default=seconds)
        return Facts(codec, seconds, rate, gop_s, reordered, (stream.width, stream.height))


def load(path: Path, name: str = "") -> Clip:
    """Read a whole H.264 file for serving; memory is about the file's size. Errors: ClipError names the file and what to do."""
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise ClipError(path, "is over 1 GiB, and is served from memory. Cut it.", "超过 1 GiB，而服务时需载入内存。请截短。")
    with _open(path) as container:
        stream = _video(path, container)
        codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
        if codec != "h264":
            raise ClipError(
                path,
                f"is {codec}; a camera sends H.264. `callout camera play --transcode` makes a copy that can be served.",
                f"是 {codec}；摄像机发送的是 H.264。`callout camera play --transcode` 可生成可供播放的副本。",
            )
        return _read(path, container, stream, name or path.stem)


def _read(path: Path, container: av.container.InputContainer, stream: av.VideoStream, name: str) -> Clip:
    sets, length_size = h264.parse_extradata(stream.codec_context.extradata or b"")
    rate = float(stream.average_rate or 25)
    base = stream.time_base
    rows: list[tuple[int, bool, list[bytes]]] = []
    for packet in container.demux(stream):
        if not packet.size:
            continue
        data = bytes(packet)
        nals = h264.from_lengths(data, length_size) if length_size else h264.split_annexb(data)
        nals = [nal for nal in nals if h264.nal_type(nal) not in {h264.AUD, h264.FILLER}]
        if any(h264.nal_type(nal) == h264.SLICE and h264.has_b_slice(h264.START_CODE + nal[:32]) for nal in nals):
            raise ClipError(
                path,
                "holds B-frames, which cannot be shown live. `callout camera play --transcode` makes a copy without.",
                "含有 B 帧，无法实时显示。`callout camera play --transcode` 可生成不含 B 帧的副本。",
            )
        sets = sets or h264.find_parameter_sets(nals)
        key = any(h264.nal_type(nal) == h264.IDR for nal in nals)
        if (rows or key) and nals:
            known = packet.dts is not None and base is not None
            at = round(packet.dts * base * HZ) if known else round(len(rows) * HZ / rate)  # type: ignore[operator]  # `known`
            rows.append((at, key, nals))
    if not rows or not sets:
        raise ClipError(path, "holds no whole H.264 picture.", "不含完整的 H.264 画面。")
    return _clip(name, rows, sets, rate)


def _clip(name: str, rows: list[tuple[int, bool, list[bytes]]], sets: h264.ParameterSets, rate: float) -> Clip:
    first = rows[0][0]
    units: list[AccessUnit] = []
    for at, key, nals in rows:
        at_90k = at - first if not units else max(at - first, units[-1].at_90k + 1)
        # A client that missed the SDP's sets, or a decoder that was reset, finds them before every key frame.
        inside = any(h264.nal_type(nal) == h264.SPS for nal in nals)
        whole = [*sets.sps, *sets.pps, *nals] if key and not inside else nals
        units.append(AccessUnit(at_90k, key, tuple(rtp.packetise(whole))))
    length = units[-1].at_90k + max(1, units[-1].at_90k // (len(units) - 1) if len(units) > 1 else round(HZ / rate))
    keys = tuple(index for index, unit in enumerate(units) if unit.key)
    return Clip(name, tuple(units), length, sets, h264.picture_size(sets.sps[0]), rate, keys)
