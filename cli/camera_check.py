"""`callout camera check URL`: opens a camera as a worker would and says what it sends, and what to change on it."""

from __future__ import annotations

import sys

from streams.check import check
from streams.source_errors import SourceError


def run(url: str, seconds: float) -> int:
    try:
        found = check(url, seconds=seconds)
    except SourceError as error:
        print(f"callout: {error.text}", file=sys.stderr)
        return 1
    gop = f"{found.gop_s:.1f} s" if found.gop_s is not None else "longer than the check"
    print(f"{found.place}")
    print(f"  {found.codec} {found.width}×{found.height}, {found.fps:.1f} pictures a second, {found.kbit_s:.0f} kbit/s")
    b_frames = "with B-frames" if found.b_frames else "no B-frames"
    print(f"  first picture after {found.first_picture_s:.2f} s; key frame every {gop}; {b_frames}")
    print(f"  {found.pictures} pictures looked at, {found.corrupt} damaged")
    for english, _ in found.advice:
        print(f"  → {english}")
    if not found.advice:
        print("  Good as it is.")
    return 0
