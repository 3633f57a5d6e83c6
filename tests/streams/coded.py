"""Coded pictures for the tests of streams/: small, real H.264 made by the encoder, as packets or as files."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType

from streams import h264
from streams.packet import VideoPacket

CAMPUS = Path(__file__).resolve().parents[2] / "configs" / "demo" / "campus.mp4"
Picture = Callable[[int], "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]"]


def moving(size: tuple[int, int] = (160, 96)) -> Picture:
    """A bright square that walks over a noisy ground."""
    width, height = size
    ground = np.random.default_rng(1).integers(60, 90, (height, width, 3), dtype=np.uint8)

    def draw(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        picture = ground.copy()
        left = (number * 4) % (width - 24)
        picture[20:44, left : left + 24] = 230
        return picture

    return draw


def make_file(
    path: Path,
    *,
    frames: int = 30,
    fps: int = 10,
    gop: int = 10,
    codec: str = "libx264",
    b_frames: int = 0,
    size: tuple[int, int] = (160, 96),
    picture: Picture | None = None,
) -> Path:
    draw = picture or moving(size)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        stream.codec_context.gop_size = gop
        if codec == "libx264":
            stream.codec_context.options = {
                "preset": "veryfast",
                "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={b_frames}:b-adapt=0:threads=1",
            }
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, fps), PictureType.NONE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@lru_cache(maxsize=8)
def _units(frames: int, fps: int, gop: int) -> tuple[tuple[bytes, bool], ...]:
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = 160, 96, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, fps), Fraction(fps)
    codec.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:threads=1",
    }
    draw, units = moving(), []
    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, fps)
        units += [(bytes(packet), packet.is_keyframe) for packet in codec.encode(frame)]
    return tuple(units)


def packets(frames: int = 40, *, fps: int = 10, gop: int = 10, began_s: float = 1000.0) -> list[VideoPacket]:
    """Packets as a Source gives them: real pictures, `began_s` the capture time of the first."""
    sets = h264.ParameterSets()
    made = []
    for number, (data, key) in enumerate(_units(frames, fps, gop)):
        found = h264.find_parameter_sets(h264.split_annexb(data)) if key else h264.ParameterSets()
        sets = found or sets
        at_90k = round(number * 90_000 / fps)
        made.append(VideoPacket(data, len(data), key, at_90k, at_90k, began_s + number / fps, number, sets, bool(found)))
    return made


def decoded_count(path: Path) -> int:
    """How many pictures of a file decode without an error."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))
