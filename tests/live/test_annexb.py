"""Annex B out of what demuxers give: real H.264 in MP4 (avcC) and as it is."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest

from streams.annexb import AnnexB, picture_of
from streams.h264 import PPS, SPS, nal_type, split_annexb
from tests.live.live_kit import SIZE, clip, picture


def mp4() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, 15)
        stream.codec_context.options = {"preset": "ultrafast", "tune": "zerolatency"}
        for number in range(20):
            container.mux(stream.encode(picture(number)))
        container.mux(stream.encode(None))
    return out.getvalue()


def test_mp4_samples_become_annex_b_that_decodes_from_the_key_frame_alone() -> None:
    with av.open(io.BytesIO(mp4()), "r") as container:
        stream = container.streams.video[0]
        convert = AnnexB(stream.codec_context.extradata or b"")
        units = [convert(bytes(p), key=p.is_keyframe) for p in container.demux(stream) if p.size]
    assert {SPS, PPS} <= {nal_type(nal) for nal in split_annexb(units[0])}
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for unit in units for frame in decoder.decode(av.Packet(unit))] + decoder.decode(None)
    assert len(frames) == 20
    assert (frames[0].width, frames[0].height) == SIZE


def test_parameter_sets_only_in_the_sdp_are_put_in_front_of_key_frames_only() -> None:
    units = clip()
    bare = b"".join(b"\0\0\0\1" + nal for nal in split_annexb(units[0][0]) if nal_type(nal) not in (SPS, PPS))
    sets = b"".join(b"\0\0\0\1" + nal for nal in split_annexb(units[0][0]) if nal_type(nal) in (SPS, PPS))
    convert = AnnexB(sets)
    assert [nal_type(nal) for nal in split_annexb(convert(bare, key=True))][:2] == [SPS, PPS]
    assert convert(units[0][0], key=True) == units[0][0]  # has its own
    assert convert(units[1][0], key=False) == units[1][0]


def test_sets_that_came_in_band_are_remembered() -> None:
    whole = clip()[0][0]
    bare = b"".join(b"\0\0\1" + nal for nal in split_annexb(whole) if nal_type(nal) not in (SPS, PPS))
    convert = AnnexB()
    assert picture_of(convert(bare, key=True)) is None
    convert(whole, key=True)
    assert picture_of(convert(bare, key=True)) == picture_of(whole)


def test_size_and_profile_are_read_from_the_sps() -> None:
    seen = picture_of(clip()[0][0])
    assert seen is not None
    assert (seen.width, seen.height) == SIZE
    assert seen.profile_level_id.startswith("42c0")


def test_a_length_outside_the_packet_is_an_error() -> None:
    with av.open(io.BytesIO(mp4())) as container:
        convert = AnnexB(container.streams.video[0].codec_context.extradata or b"")
    with pytest.raises(ValueError, match="runs past"):
        convert(b"\0\0\xff\xff\x65", key=True)
