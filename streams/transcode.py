"""Makes copies of clips that a virtual camera can serve: H.264, no B-frames, a key frame at least each second."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.video.frame import PictureType

from streams.clip_file import ClipError, facts

RECIPE = "1"  # part of the cache's key: raise it when the encoding below changes
GOP_S = 1.0
Progress = Callable[[float], None]  # the share that is done, 0..1


def served(path: Path, cache: Path, progress: Progress | None = None) -> Path:
    """The file itself when a virtual camera can serve it as it is, else a copy from the cache, made now if need be.

    Errors: ClipError when it is no video, OSError when the cache cannot be written.
    """
    return path if facts(path).servable else copy(path, cache, progress)


def copy(path: Path, cache: Path, progress: Progress | None = None) -> Path:
    """The servable copy of `path` in `cache`, named by the content's hash, so that it is made once and never stale."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:24]
    target = cache / f"{digest}-{RECIPE}" / f"{path.stem}.mp4"
    if target.exists():
        return target
    known = facts(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its place and renamed when whole: a run that was killed leaves nothing that looks finished.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".making-", suffix=".mp4")
    os.close(handle)
    making = Path(name)
    try:
        _encode(path, making, known.seconds, known.fps, progress or (lambda _: None))
        making.replace(target)
    except av.error.FFmpegError as error:
        raise ClipError(path, f"cannot be transcoded ({error.strerror}).", f"无法转码（{error.strerror}）。") from None
    finally:
        making.unlink(missing_ok=True)
    return target


def _encode(path: Path, target: Path, seconds: float, fps: float, progress: Progress) -> None:
    with av.open(str(path)) as clip, av.open(str(target), "w", options={"movflags": "+faststart"}) as out:
        source = clip.streams.video[0]
        width, height = source.width // 2 * 2, source.height // 2 * 2  # 4:2:0 needs even sides
        stream = out.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        base = Fraction(1, 90_000)
        stream.time_base = stream.codec_context.time_base = base
        stream.codec_context.options = {
            "preset": "fast",
            "profile": "baseline",
            "crf": "23",
            "x264-params": "bframes=0:scenecut=0:keyint=250:threads=2",
        }
        key_s: float | None = None
        last_90k = -1
        for at_s, frame in _pictures(clip, fps):
            key = key_s is None or at_s - key_s + 1 / fps > GOP_S + 0.001  # the next picture would come too late
            key_s = at_s if key else key_s
            picture = frame.reformat(width=width, height=height, format="yuv420p")
            last_90k = max(last_90k + 1, round(at_s * 90_000))
            picture.pts, picture.time_base = last_90k, base
            picture.pict_type = PictureType.I if key else PictureType.NONE
            out.mux(stream.encode(picture))
            progress(min(1.0, at_s / seconds) if seconds else 0.0)
        out.mux(stream.encode(None))
    progress(1.0)


def _pictures(clip: av.container.InputContainer, fps: float) -> Iterator[tuple[float, av.VideoFrame]]:
    """(seconds from the start, picture). Where a picture has no time of its own, the frame rate says it."""
    first: float | None = None
    for number, frame in enumerate(clip.decode(video=0)):
        at_s = number / fps if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
        first = at_s if first is None else first
        yield max(0.0, at_s - first), frame
