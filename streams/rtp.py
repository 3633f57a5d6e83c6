"""RTP for H.264 (RFC 3550, RFC 6184): NAL units into payloads, headers, sender reports, and the SDP that announces them. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from struct import pack

from streams.h264 import ParameterSets

PAYLOAD_MAX = 1400  # fits an Ethernet frame with every header, should somebody relay it over UDP
PAYLOAD_TYPE = 96
HZ = 90_000
_NTP_EPOCH_S = 2_208_988_800
_STAP_A, _FU_A = 24, 28


def packetise(nals: Sequence[bytes], most: int = PAYLOAD_MAX) -> list[bytes]:
    """The payloads of one access unit: small NAL units together (STAP-A), fitting ones alone, large ones in parts (FU-A)."""
    payloads: list[bytes] = []
    small: list[bytes] = []
    for nal in nals:
        if len(nal) > most:
            payloads += [*_together(small), *_parts(nal, most)]
            small = []
            continue
        if small and 1 + sum(2 + len(n) for n in small) + 2 + len(nal) > most:
            payloads += _together(small)
            small = []
        small.append(nal)
    return payloads + _together(small)


def _together(nals: list[bytes]) -> list[bytes]:
    if len(nals) < 2:
        return list(nals)
    importance = max(nal[0] & 0x60 for nal in nals)  # nal_ref_idc: the highest of all
    return [bytes([importance | _STAP_A]) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)]


def _parts(nal: bytes, most: int) -> list[bytes]:
    indicator, kind, body, room = (nal[0] & 0xE0) | _FU_A, nal[0] & 0x1F, nal[1:], most - 2
    pieces = [body[at : at + room] for at in range(0, len(body), room)]
    ends = len(pieces) - 1
    return [bytes([indicator, kind | (0x80 if i == 0 else 0) | (0x40 if i == ends else 0)]) + p for i, p in enumerate(pieces)]


def header(sequence: int, timestamp: int, ssrc: int, *, marker: bool) -> bytes:
    """The 12 bytes before a payload. The marker is on the last packet of an access unit."""
    return pack("!BBHII", 0x80, PAYLOAD_TYPE | (0x80 if marker else 0), sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)


def sender_report(ssrc: int, at_s: float, timestamp: int, packets: int, octets: int) -> bytes:
    """RTCP SR: at unix time `at_s` the media clock stood at `timestamp`. With the CNAME that RFC 3550 (6.1) asks for."""
    seconds = int(at_s)
    ntp = ((seconds + _NTP_EPOCH_S) << 32) | int((at_s - seconds) * (1 << 32))
    report = pack(
        "!BBHIQIII", 0x80, 200, 6, ssrc, ntp & (2**64 - 1), timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
    )
    name = b"callout"
    item = pack("!IBB", ssrc, 1, len(name)) + name
    item += bytes(4 - len(item) % 4)  # at least one zero ends the list
    return report + pack("!BBH", 0x81, 202, len(item) // 4) + item


def sdp(name: str, sets: ParameterSets, size: tuple[int, int], fps: float) -> bytes:
    """The session description of one H.264 track, with the parameter sets, so that a player knows the picture before it comes."""
    first = sets.sps[0]
    sprop = ",".join(base64.b64encode(nal).decode() for nal in sets.sps + sets.pps)
    lines = (
        "v=0",
        "o=- 0 0 IN IP4 0.0.0.0",
        f"s={name}",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} H264/{HZ}",
        f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={first[1:4].hex()};sprop-parameter-sets={sprop}",
        f"a=framerate:{fps:g}",
        f"a=x-dimensions:{size[0]},{size[1]}",
        "a=control:trackID=0",
        "",
    )
    return "\r\n".join(lines).encode()
