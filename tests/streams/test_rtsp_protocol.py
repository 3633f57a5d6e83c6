"""RTSP and RTP as bytes: any split, any junk, and what is packetised comes out again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import rtp
from streams import rtsp_protocol as rtsp
from streams.h264 import ParameterSets
from tests.streams import coded

_token = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ-", min_size=1, max_size=12)
_value = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), max_size=30)
_request = st.builds(
    lambda method, headers, body: (method, "rtsp://h/x", headers, body),
    st.sampled_from(rtsp.METHODS),
    st.dictionaries(_token.filter(lambda t: t.lower() != "content-length"), _value, max_size=4),
    st.binary(max_size=50),
)
_Item = rtsp.Interleaved | tuple[str, str, dict[str, str], bytes]
_frame = st.builds(rtsp.Interleaved, st.integers(0, 255), st.binary(max_size=60))


def _bytes_of(item: _Item) -> bytes:
    if isinstance(item, rtsp.Interleaved):
        return rtsp.interleaved(item.channel, item.data)
    method, url, headers, body = item
    lines = [f"{method} {url} RTSP/1.0", *(f"{k}: {v}" for k, v in headers.items()), f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@given(st.lists(st.one_of(_request, _frame), max_size=6), st.data())
def test_requests_and_frames_come_out_whole_however_the_bytes_are_cut(items: list[_Item], data: st.DataObject) -> None:
    stream = b"".join(_bytes_of(item) for item in items)
    parser, found, rest = rtsp.Parser(), [], stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += parser.feed(rest[:size])
        rest = rest[size:]
    assert len(found) == len(items)
    for item, got in zip(items, found, strict=True):
        if isinstance(got, rtsp.Interleaved) or isinstance(item, rtsp.Interleaved):
            assert got == item
        else:
            method, url, headers, body = item
            assert (got.method, got.url, got.body) == (method, url, body)
            assert set(got.headers) == {k.lower() for k in headers} | {"content-length"}


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_junk_is_an_rtsp_error_or_nothing(pieces: list[bytes]) -> None:
    parser = rtsp.Parser()
    try:
        for piece in pieces:
            parser.feed(piece)
    except rtsp.RtspError as error:
        rtsp.response(error.status, "")  # there is an answer to it


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("PLAY x RTSP/2.0\r\n\r\n", 505),
        ("PLAY x RTSP/1.0\r\nno colon\r\n\r\n", 400),
        ("PLAY x RTSP/1.0\r\nContent-Length: -1\r\n\r\n", 400),
        ("PLAY x RTSP/1.0\r\nContent-Length: ٣\r\n\r\n", 400),
        ("PLAY x RTSP/1.0\r\nContent-Length: 99999999999\r\n\r\n", 413),
        ("A" * 20_000, 413),
    ],
)
def test_each_kind_of_nonsense_has_its_answer(text: str, status: int) -> None:
    with pytest.raises(rtsp.RtspError) as caught:
        rtsp.Parser().feed(text.encode())
    assert caught.value.status == status


def test_the_digest_of_the_standard() -> None:  # RFC 2617, 3.5
    fields = {"qop": "auth", "nc": "00000001", "cnonce": "0a4f113b"}
    answer = rtsp.digest_response(
        user="Mufasa", password="Circle Of Life", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        method="GET", uri="/dir/index.html", qop=fields,
    )  # fmt: skip
    assert answer == "6629fae49393a05397450978507c4ef1"


def _authorised(password: str, *, nonce: str = "n1", method: str = "PLAY") -> rtsp.Request:
    answer = rtsp.digest_response(user="u", password=password, realm="r", nonce=nonce, method="PLAY", uri="rtsp://h/x")
    value = f'Digest username="u", realm="r", nonce="{nonce}", uri="rtsp://h/x", response="{answer}"'
    return rtsp.Request(method, "rtsp://h/x", {"authorization": value})


def test_digest_opens_to_the_right_password_nonce_and_method_only() -> None:
    assert rtsp.digest_ok(_authorised("p"), "u", "p", "r", "n1")
    assert not rtsp.digest_ok(_authorised("q"), "u", "p", "r", "n1")
    assert not rtsp.digest_ok(_authorised("p", nonce="old"), "u", "p", "r", "n1")
    assert not rtsp.digest_ok(_authorised("p", method="TEARDOWN"), "u", "p", "r", "n1")
    assert not rtsp.digest_ok(rtsp.Request("PLAY", "x", {"authorization": "Basic dTpw"}), "u", "p", "r", "n1")
    assert not rtsp.digest_ok(rtsp.Request("PLAY", "x"), "u", "p", "r", "n1")


@pytest.mark.parametrize(
    ("transport", "channels"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=0-1", (0, 1)),
        ("RTP/AVP/TCP;unicast;interleaved=4", (4, 5)),
        ("RTP/AVP;unicast;client_port=5000-5001,RTP/AVP/TCP;interleaved=2-3", (2, 3)),
        ("RTP/AVP/TCP", (0, 1)),
        ("RTP/AVP;unicast;client_port=5000-5001", None),
        ("RTP/AVP/UDP;unicast;client_port=1-2", None),
        ("RTP/AVP/TCP;interleaved=255", None),
        ("", None),
    ],
)
def test_only_tcp_is_accepted(transport: str, channels: tuple[int, int] | None) -> None:
    assert rtsp.tcp_channels(transport) == channels


def unpacketise(payloads: list[bytes]) -> list[bytes]:
    """RFC 6184 the other way, written for this test."""
    nals: list[bytes] = []
    for payload in payloads:
        kind = payload[0] & 0x1F
        if kind == 24:
            at = 1
            while at < len(payload):
                size = int.from_bytes(payload[at : at + 2], "big")
                nals.append(payload[at + 2 : at + 2 + size])
                at += 2 + size
        elif kind == 28:
            if payload[1] & 0x80:
                nals.append(bytes([(payload[0] & 0xE0) | (payload[1] & 0x1F)]))
            nals[-1] += payload[2:]
        else:
            nals.append(payload)
    return nals


_nal = st.builds(
    lambda ref, kind, body: bytes([ref << 5 | kind]) + body, st.integers(0, 3), st.integers(1, 12), st.binary(max_size=400)
)


@given(st.lists(_nal, min_size=1, max_size=8), st.integers(20, 200))
def test_what_is_packetised_fits_and_comes_out_again(nals: list[bytes], most: int) -> None:
    payloads = rtp.packetise(nals, most)
    assert all(len(p) <= most for p in payloads)
    assert unpacketise(payloads) == nals


def test_sender_report_has_whole_words() -> None:
    report = rtp.sender_report(1, 1_800_000_000.5, 2**33, 5, 6)
    assert len(report) % 4 == 0
    first = 4 * (int.from_bytes(report[2:4], "big") + 1)
    assert len(report) == first + 4 * (int.from_bytes(report[first + 2 : first + 4], "big") + 1)


def test_the_sdp_tells_the_parameter_sets() -> None:
    sets: ParameterSets = coded.packets(1)[0].sets
    text = rtp.sdp("x", sets, (160, 96), 10.0).decode()
    assert "sprop-parameter-sets=" in text
    assert f"profile-level-id={sets.sps[0][1:4].hex()}" in text
