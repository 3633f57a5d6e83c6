"""The wall's encoder: what comes out is decoded again and compared."""

from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streams.annexb import picture_of
from streams.encoder import Encoded, WallEncoder
from streams.h264 import has_b_slice

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def planes(width: int, height: int, shift: int = 0) -> Planes:
    """A soft moving gradient: it survives scaling and compression."""
    y = (96 + 64 * np.sin(np.add.outer(np.arange(height), np.arange(width) + shift) / 40)).astype(np.uint8)
    half = ((height + 1) // 2, (width + 1) // 2)
    return y, np.full(half, 110, np.uint8), np.full(half, 150, np.uint8)


def decoded(units: list[Encoded]) -> list[av.VideoFrame]:
    decoder = av.CodecContext.create("h264", "r")
    return [frame for unit in units for frame in decoder.decode(av.Packet(unit.data))] + decoder.decode(None)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ((1920, 1080), (640, 360)),
        ((1280, 720), (640, 360)),
        ((768, 576), (480, 360)),
        ((426, 240), (426, 240)),
        ((355, 241), (354, 240)),
    ],
)
def test_a_picture_is_scaled_to_at_most_360_lines_and_looks_the_same(source: tuple[int, int], shown: tuple[int, int]) -> None:
    encoder = WallEncoder()
    units = [unit for number in range(5) for unit in encoder.encode(*planes(*source, number), pts_90k=number * 9000)]
    assert encoder.size_px == shown
    seen = picture_of(units[0].data)
    assert seen is not None
    assert (seen.width, seen.height) == shown
    frame = decoded(units)[0]
    got = frame.to_ndarray(format="yuv420p")[: shown[1], : shown[0]].astype(float)
    y = planes(*source)[0]
    rows = np.arange(shown[1]) * source[1] // shown[1]
    columns = np.arange(shown[0]) * source[0] // shown[0]
    assert np.abs(got - y[np.ix_(rows, columns)]).mean() < 6


def test_each_picture_comes_out_at_once_baseline_and_with_a_key_frame_every_two_seconds() -> None:
    encoder = WallEncoder(fps=10)
    units = []
    for number in range(60):
        out = encoder.encode(*planes(640, 360, number), pts_90k=number * 9000)
        assert len(out) == 1
        units += out
    assert [unit.pts_90k for unit in units] == [number * 9000 for number in range(60)]
    assert [number for number, unit in enumerate(units) if unit.key] == [0, 20, 40]
    assert not any(has_b_slice(unit.data) for unit in units)
    seen = picture_of(units[20].data)
    assert seen is not None
    assert seen.profile_level_id.startswith("42c0")
    assert len(decoded(units[20:])) == 40  # decoding begins at any key frame


def test_a_key_frame_can_be_forced_for_a_first_viewer() -> None:
    encoder = WallEncoder(fps=10)
    keys = [encoder.encode(*planes(320, 240, n), pts_90k=n * 9000, key=n == 7)[0].key for n in range(12)]
    assert [n for n, key in enumerate(keys) if key] == [0, 7]


def test_another_size_begins_another_stream_and_a_source_that_began_anew_goes_on() -> None:
    encoder = WallEncoder()
    encoder.encode(*planes(640, 360), pts_90k=900_000)
    (unit,) = encoder.encode(*planes(320, 240), pts_90k=909_000)
    assert unit.key
    assert encoder.size_px == (320, 240)
    (unit,) = encoder.encode(*planes(320, 240), pts_90k=0)
    assert unit.key
    assert encoder.encode(*planes(320, 240), pts_90k=0) == []


def test_planes_that_do_not_belong_together_are_refused() -> None:
    y, u, _ = planes(640, 360)
    with pytest.raises(ValueError, match="do not belong together"):
        WallEncoder().encode(y, u, u[:-1], 0)
