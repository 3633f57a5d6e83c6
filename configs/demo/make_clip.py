#!/usr/bin/env python3
"""Cut the demo's clip from vtest.avi of Debian's package opencv-doc.

    make_clip.py vtest.avi campus.mp4

Every run with the same PyAV writes the same bytes. H.264 Constrained Baseline without B-frames, so that every browser plays
the packets as they are; a key frame every two seconds, so that a viewer who joins late soon sees a picture.
"""

from __future__ import annotations

import hashlib
import sys
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import PictureType

SOURCE_SHA256 = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
FPS = 10
FRAMES = 500  # the first 50 s
GOP = 20


def main() -> int:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if digest != SOURCE_SHA256:
        sys.stderr.write(f"{source} is not the file of opencv-doc 4.6.0+dfsg-12: its sha256 is {digest}, not {SOURCE_SHA256}\n")
        return 1
    with (
        av.open(str(source)) as clip,
        av.open(str(target), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as out,
    ):
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = clip.streams.video[0].width, clip.streams.video[0].height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, FPS)
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {
            "preset": "veryslow",
            "profile": "baseline",
            "crf": "29",
            "flags": "+bitexact",
            "x264-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=0:threads=1:vbv-maxrate=900:vbv-bufsize=900",
        }
        for number, frame in enumerate(clip.decode(video=0)):
            if number == FRAMES:
                break
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            frame.pict_type = PictureType.NONE  # what the old codec chose is not ours
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    data = target.read_bytes()
    sys.stdout.write(f"{target}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
