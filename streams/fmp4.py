"""Fragmented MP4 (ISO/IEC 14496-12) for one H.264 track: write it, walk it, find where it was torn. Pure: bytes in, bytes out.

A fragment (moof + mdat) is complete in itself. So a file that ends in the middle of
one is cut back to the last whole one, and plays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from streams.h264 import ParameterSets, picture_size

TIMESCALE = 90_000
_SYNC, _NOT_SYNC = 0x02000000, 0x01010000  # sample flags: depends on nothing / depends on others and is no sync sample
_MATRIX = b"".join(v.to_bytes(4, "big") for v in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
_EPOCH_1904_S = 2_082_844_800


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture: NAL units behind 4-byte lengths, times in 90 kHz; `offset_90k` is pts − dts."""

    data: bytes
    duration_90k: int
    key: bool
    offset_90k: int = 0


def _u(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "big")


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return _u(len(body) + 8) + kind + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, _u(version, 1), _u(flags, 3), *parts)


def header(sets: ParameterSets, began_at_s: float) -> bytes:
    """ftyp and moov: everything before the first fragment. Raises ValueError when the parameter sets cannot be read."""
    width, height = picture_size(sets.sps[0])
    made = _u(int(began_at_s) + _EPOCH_1904_S)
    entry = box(
        b"avc1",
        bytes(6) + _u(1, 2) + bytes(16) + _u(width, 2) + _u(height, 2) + _u(0x480000) * 2 + bytes(4) + _u(1, 2) + bytes(32),
        _u(24, 2) + b"\xff\xff",
        box(b"avcC", sets.avcc()),
    )
    tables = (_full(kind, 0, 0, _u(0) * count) for kind, count in ((b"stts", 1), (b"stsc", 1), (b"stsz", 2), (b"stco", 1)))
    stbl = box(b"stbl", _full(b"stsd", 0, 0, _u(1), entry), *tables)
    dinf = box(b"dinf", _full(b"dref", 0, 0, _u(1), _full(b"url ", 0, 1)))
    minf = box(b"minf", _full(b"vmhd", 0, 1, bytes(8)), dinf, stbl)
    mdhd = _full(b"mdhd", 0, 0, made * 2, _u(TIMESCALE), _u(0), _u(0x55C4, 2), bytes(2))
    hdlr = _full(b"hdlr", 0, 0, bytes(4), b"vide", bytes(12), b"video\0")
    tkhd = _full(b"tkhd", 0, 3, made * 2, _u(1), bytes(24), _MATRIX, _u(width << 16), _u(height << 16))
    mvhd = _full(b"mvhd", 0, 0, made * 2, _u(TIMESCALE), _u(0), _u(0x10000), _u(0x100, 2), bytes(10), _MATRIX, bytes(24), _u(2))
    trex = _full(b"trex", 0, 0, _u(1), _u(1), _u(0), _u(0), _u(0))
    moov = box(b"moov", mvhd, box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, minf)), box(b"mvex", trex))
    return box(b"ftyp", b"iso5", _u(512), b"iso5iso6mp41avc1") + moov


def fragment(number: int, start_90k: int, samples: Sequence[Sample]) -> bytes:
    """One moof and mdat. `number` counts from 1; `start_90k` is the decode time of the first sample from the clip's start."""
    rows = b"".join(
        _u(s.duration_90k) + _u(len(s.data)) + _u(_SYNC if s.key else _NOT_SYNC) + s.offset_90k.to_bytes(4, "big", signed=True)
        for s in samples
    )
    tfhd = _full(b"tfhd", 0, 0x020000, _u(1))  # offsets count from the start of this moof
    tfdt = _full(b"tfdt", 1, 0, _u(start_90k, 8))
    mfhd = _full(b"mfhd", 0, 0, _u(number))
    # The data offset is the size of the moof plus the header of the mdat; 20 bytes of trun stand before its rows.
    moof_size = 8 + len(mfhd) + 8 + len(tfhd) + len(tfdt) + 20 + len(rows)
    trun = _full(b"trun", 1, 0x000F01, _u(len(samples)), _u(moof_size + 8), rows)
    return box(b"moof", mfhd, box(b"traf", tfhd, tfdt, trun)) + box(b"mdat", *(s.data for s in samples))


@dataclass(frozen=True, slots=True)
class Whole:
    """How much of a file is whole: bytes up to the end of the last complete fragment, how many there are, and their length."""

    bytes: int
    fragments: int
    duration_90k: int


def _boxes(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, offset, size) of the complete boxes from here to `end`."""
    at = file.tell()
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1 and len(head) == 16:
            size = int.from_bytes(head[8:16], "big")
        if size < 8 or at + size > end:
            return
        yield head[4:8], at, size
        at += size


def whole(file: BinaryIO) -> Whole:
    """Walk a file that `header` and `fragment` wrote, however it ends. `bytes` is 0 when not even one fragment is whole."""
    end = file.seek(0, 2)
    file.seek(0)
    good, fragments, duration, seen_moov, moof = 0, 0, 0, False, b""
    for kind, at, size in _boxes(file, end):
        if kind == b"moov":
            seen_moov = True
        elif kind == b"moof":
            file.seek(at)
            moof = file.read(size)
        elif kind == b"mdat" and moof and seen_moov:
            try:
                until, data_bytes = _moof_facts(moof)
            except (ValueError, IndexError):
                break
            if data_bytes != size - 8:
                break
            good, fragments, duration, moof = at + size, fragments + 1, max(duration, until), b""
    return Whole(good, fragments, duration)


def _moof_facts(moof: bytes) -> tuple[int, int]:
    """(end of the fragment in 90 kHz, bytes of its samples)."""
    tfdt, trun = moof.index(b"tfdt"), moof.index(b"trun")
    start = int.from_bytes(moof[tfdt + 8 : tfdt + 16], "big")
    count = int.from_bytes(moof[trun + 8 : trun + 12], "big")
    rows = moof[trun + 16 : trun + 16 + 16 * count]
    if len(rows) != 16 * count:
        raise ValueError("a trun shorter than its count")
    durations = sum(int.from_bytes(rows[i : i + 4], "big") for i in range(0, len(rows), 16))
    return start + durations, sum(int.from_bytes(rows[i + 4 : i + 8], "big") for i in range(0, len(rows), 16))
