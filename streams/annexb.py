"""◦ Access units as a live viewer needs them: Annex B, with SPS and PPS in front of each key frame. The parsing is h264.py's."""

from __future__ import annotations

from dataclasses import dataclass

from streams.h264 import (
    AUD,
    SPS,
    ParameterSets,
    find_parameter_sets,
    from_lengths,
    join_annexb,
    nal_type,
    parse_extradata,
    picture_size,
    split_annexb,
)


class AnnexB:
    """Makes what a demuxer gives into Annex B, with SPS and PPS in front of each key frame.

    `extradata` tells the kind: avcC means NAL units with a length in front (MP4, FLV), anything else means that packets are
    Annex B already (RTSP, MPEG-TS). Errors: ValueError, when avcC is cut short or a length points outside the packet.
    """

    def __init__(self, extradata: bytes = b"") -> None:
        self._sets, self._length_bytes = parse_extradata(extradata)

    def __call__(self, packet: bytes, *, key: bool) -> bytes:
        if not key and not self._length_bytes:
            return packet
        nals = from_lengths(packet, self._length_bytes) if self._length_bytes else split_annexb(packet)
        if key:
            own = find_parameter_sets(nals)
            if own:
                self._sets = own
            else:
                missing = (() if own.sps else self._sets.sps) + (() if own.pps else self._sets.pps)
                delimiters = [nal for nal in nals if nal_type(nal) == AUD]
                rest = [nal for nal in nals if nal_type(nal) != AUD]
                return join_annexb([*delimiters, *missing, *rest])
        return join_annexb(nals) if self._length_bytes else packet


@dataclass(frozen=True, slots=True)
class Picture:
    """Size in pixels after cropping, and profile and level as SDP's profile-level-id writes them (RFC 6184, 8.1)."""

    width: int
    height: int
    profile_level_id: str


def picture_of(access_unit: bytes) -> Picture | None:
    """What an access unit's first SPS says; None when it holds none that can be read."""
    sets: ParameterSets = find_parameter_sets(nal for nal in split_annexb(access_unit) if nal_type(nal) == SPS)
    for sps in sets.sps:
        try:
            width, height = picture_size(sps)
        except ValueError:
            continue
        return Picture(width, height, sps[1:4].hex())
    return None
