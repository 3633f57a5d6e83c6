"""◦ One coded picture as it came from the camera: held by reference, turned into bytes only for those who need bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import SupportsBytes

from streams import gop
from streams.h264 import ParameterSets


@dataclass(frozen=True, slots=True, eq=False)
class VideoPacket:
    """An access unit. `dts_90k` and `pts_90k` lie on the repaired line (timestamps.py); they differ only with B-frames.

    `captured_at_s` is unix seconds, `seq` counts this connection's packets (a gap: some were skipped), `size` is in bytes.
    `raw` is the demuxer's own packet or plain bytes, Annex B. `sets` are the parameter sets that hold from here on.
    """

    raw: SupportsBytes = field(repr=False)
    size: int
    key: bool
    dts_90k: int
    pts_90k: int
    captured_at_s: float
    seq: int
    sets: ParameterSets = field(default_factory=ParameterSets, repr=False)
    sets_inside: bool = True  # whether `raw` itself begins with the parameter sets, when it is a key frame

    @property
    def data(self) -> bytes:
        """Annex B, with SPS and PPS in front of each key frame. Copies: ask once."""
        data = bytes(self.raw)
        return self.sets.annexb() + data if self.key and not self.sets_inside and self.sets else data

    def for_feed(self) -> gop.Packet:
        return gop.Packet(self.pts_90k, self.key, self.captured_at_s, self.data)
