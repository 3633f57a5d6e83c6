"""◦ What Callout must know of H.264 (ITU-T H.264, clause 7.3 and annex B): NAL units, parameter sets, picture size, B slices.

An access unit (one coded picture) travels as Annex B: NAL units behind start codes. MP4 wants lengths instead, RTP neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

START_CODE = b"\x00\x00\x00\x01"
SLICE, IDR, SEI, SPS, PPS, AUD, FILLER = 1, 5, 6, 7, 8, 9, 12
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
B_SLICES = frozenset({1, 6})  # slice_type, table 7-6


def split_annexb(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B access unit, without start codes. Bytes before the first start code are dropped."""
    nals: list[bytes] = []
    at = data.find(b"\x00\x00\x01")
    while at != -1:
        begin = at + 3
        at = data.find(b"\x00\x00\x01", begin)
        nal = data[begin:] if at == -1 else data[begin:at]
        # A NAL unit never ends in a zero byte: what is there belongs to the next start code (or is trailing padding).
        nal = nal.rstrip(b"\x00")
        if nal:
            nals.append(nal)
    return nals


def nal_type(nal: bytes) -> int:
    return nal[0] & 0x1F


def join_annexb(nals: Iterable[bytes]) -> bytes:
    return b"".join(START_CODE + nal for nal in nals)


def to_lengths(nals: Iterable[bytes]) -> bytes:
    """NAL units behind 4-byte lengths, as MP4 samples hold them."""
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


def from_lengths(data: bytes, length_size: int) -> list[bytes]:
    """The NAL units of an MP4 sample. Raises ValueError when a length runs past the end."""
    nals, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + length_size], "big")
        at += length_size
        if at + size > len(data):
            raise ValueError(f"a NAL unit of {size} bytes runs past the end of its sample")
        if size:
            nals.append(data[at : at + size])
        at += size
    return nals


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The sequence and picture parameter sets, without start codes: what a decoder needs before the first picture."""

    sps: tuple[bytes, ...] = ()
    pps: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sps and self.pps)

    def annexb(self) -> bytes:
        return join_annexb(self.sps + self.pps)

    def avcc(self) -> bytes:
        """AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1) with 4-byte lengths."""
        first = self.sps[0]
        out = bytes([1, first[1], first[2], first[3], 0xFF, 0xE0 | len(self.sps)])
        out += b"".join(len(s).to_bytes(2, "big") + s for s in self.sps)
        out += bytes([len(self.pps)]) + b"".join(len(p).to_bytes(2, "big") + p for p in self.pps)
        if first[1] in _HIGH_PROFILES:
            chroma, luma_bits, chroma_bits = _high_fields(first)
            out += bytes([0xFC | chroma, 0xF8 | luma_bits, 0xF8 | chroma_bits, 0])
        return out


def find_parameter_sets(nals: Iterable[bytes]) -> ParameterSets:
    found = tuple(nals)
    return ParameterSets(
        tuple(dict.fromkeys(n for n in found if nal_type(n) == SPS and len(n) > 3)),
        tuple(dict.fromkeys(n for n in found if nal_type(n) == PPS)),
    )


def parse_extradata(extradata: bytes) -> tuple[ParameterSets, int]:
    """The parameter sets (perhaps empty) of a codec's extradata, and the size of its length fields (0: Annex B)."""
    if not extradata or extradata[0] != 1:
        return find_parameter_sets(split_annexb(extradata)), 0
    if len(extradata) < 7:
        raise ValueError("the avcC record is cut short")
    nals: list[bytes] = []
    at, count = 6, extradata[5] & 0x1F
    for group in range(2):
        for _ in range(count):
            size = int.from_bytes(extradata[at : at + 2], "big")
            nals.append(extradata[at + 2 : at + 2 + size])
            at += 2 + size
        if group == 0:
            count = extradata[at] if at < len(extradata) else 0
            at += 1
    return find_parameter_sets(n for n in nals if n), (extradata[4] & 3) + 1


class _Bits:
    """Reads bits and Exp-Golomb numbers (clause 9.1) of a NAL unit's payload; past the end it raises ValueError."""

    def __init__(self, nal: bytes, limit: int = 256) -> None:
        raw = nal[:limit].replace(b"\x00\x00\x03", b"\x00\x00")  # emulation prevention, 7.4.1
        self._value, self._left = int.from_bytes(raw, "big"), len(raw) * 8

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the NAL unit ends too early")
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("not an Exp-Golomb number")
        return (1 << zeros) - 1 + (self.take(zeros) if zeros else 0)

    def se(self) -> int:
        k = self.ue()
        return (k + 1) // 2 if k % 2 else -(k // 2)


def _high_fields(sps: bytes) -> tuple[int, int, int]:
    bits = _Bits(sps)
    bits.take(32)
    bits.ue()
    chroma = bits.ue()
    if chroma == 3:
        bits.take(1)
    return chroma, bits.ue(), bits.ue()


def picture_size(sps: bytes) -> tuple[int, int]:
    """(width, height) in pixels, after cropping (7.3.2.1.1). Raises ValueError when the SPS makes no sense."""
    bits = _Bits(sps)
    bits.take(8)
    profile = bits.take(8)
    bits.take(16)
    bits.ue()
    chroma = 1
    if profile in _HIGH_PROFILES:
        chroma = bits.ue()
        if chroma == 3:
            bits.take(1)
        bits.ue()
        bits.ue()
        bits.take(1)
        if bits.take(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.ue()
    order_type = bits.ue()
    if order_type == 0:
        bits.ue()
    elif order_type == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue()):
            bits.se()
    bits.ue()
    bits.take(1)
    width, rows = (bits.ue() + 1) * 16, bits.ue() + 1
    frames_only = bits.take(1)
    if not frames_only:
        bits.take(1)
    height = rows * 16 * (2 - frames_only)
    bits.take(1)
    if bits.take(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        width -= (left + right) * (2 if chroma in {1, 2} else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1) * (2 - frames_only)
    if width <= 0 or height <= 0:
        raise ValueError(f"a picture of {width}×{height}")
    return width, height


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def is_b_slice(nal: bytes) -> bool:
    """Whether a slice NAL unit is bidirectionally predicted. Only the first bytes are looked at."""
    if nal_type(nal) not in {SLICE, IDR}:
        return False
    bits = _Bits(nal, 24)
    bits.take(8)
    bits.ue()  # first_mb_in_slice
    return bits.ue() in B_SLICES


def has_b_slice(access_unit_start: bytes) -> bool:
    """Whether the access unit's first slice (within the bytes given) is a B slice; False when it cannot be read."""
    for nal in split_annexb(access_unit_start):
        if nal_type(nal) == SLICE:
            try:
                return is_b_slice(nal)
            except ValueError:
                return False
    return False
