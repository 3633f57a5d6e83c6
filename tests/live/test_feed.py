"""The feed protocol: what is written is read again, in whatever pieces; what is no message says so."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import feed
from streams.feed import (
    Answer,
    Close,
    Decoder,
    Done,
    FeedError,
    Gone,
    Message,
    Offer,
    Packet,
    Play,
    Refused,
    Sessions,
    SessionState,
    Status,
    Stream,
    View,
    Watch,
    encode,
)

names = st.text(max_size=40)
views: st.SearchStrategy[View] = st.sampled_from(["clear", "wall"])
seconds = st.floats(min_value=0, max_value=4e9, allow_nan=False)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Watch, names, views),
    st.builds(Stream, names, st.integers(1, 8192), st.integers(1, 8192), names),
    st.builds(Packet, st.integers(-(2**40), 2**40), st.booleans(), seconds, st.binary(max_size=300), st.booleans()),
    st.builds(Gone, names, names),
    st.builds(Offer, names, names, views, st.text(max_size=300), st.none() | seconds),
    st.builds(Play, names, names, views, st.none() | seconds),
    st.builds(Close, names),
    st.just(Status()),
    st.builds(Answer, st.text(max_size=300)),
    st.builds(Refused, names, names),
    st.just(Done()),
    st.builds(Sessions, st.lists(st.builds(SessionState, names, names, views, names), max_size=3).map(tuple)),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy with other work
@given(st.lists(messages, max_size=6), st.integers(1, 50))
def test_what_is_written_is_read_again_in_any_pieces(sent: list[Message], piece: int) -> None:
    data = b"".join(map(encode, sent))
    decoder = Decoder()
    received = [message for at in range(0, len(data), piece) for message in decoder.receive(data[at : at + piece])]
    assert received == sent
    assert decoder.at_rest


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy with other work
@given(messages)
def test_the_socket_readers_agree_with_the_decoder(message: Message) -> None:
    near, far = socket.socketpair()
    with near, far:
        near.sendall(encode(message))
        near.shutdown(socket.SHUT_WR)
        assert feed.receive(far) == message
        assert feed.receive(far) is None

    async def read() -> list[Message | None]:
        reader = asyncio.StreamReader()
        reader.feed_data(encode(message))
        reader.feed_eof()
        return [await feed.receive_async(reader), await feed.receive_async(reader)]

    assert asyncio.run(read()) == [message, None]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy with other work
@given(st.binary(max_size=200))
def test_noise_is_refused_or_waits_for_more_but_never_crashes(noise: bytes) -> None:
    with suppress(FeedError):
        Decoder().receive(noise)


def framed(header: object, payload: bytes = b"") -> bytes:
    data = json.dumps(header).encode()
    return len(data).to_bytes(4, "big") + data + payload


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ((feed.MAX_HEADER_BYTES + 1).to_bytes(4, "big"), "a header of 262145 bytes; 262144 is the most"),
        (framed({"type": "packet", "size": feed.MAX_PAYLOAD_BYTES + 1}), "a payload of"),
        (framed({"type": "packet", "size": -1}), "a payload of -1 bytes"),
        (framed({"op": "watch", "camera": "a", "view": "naked"}), "view is"),
        (framed({"op": "watch", "camera": 7, "view": "wall"}), '"camera" is a text'),
        (framed({"op": "dance"}), "'dance'"),
        (framed([1]), "not a JSON object"),
        (framed({"type": "packet", "pts_90k": True, "key": True, "captured_at_s": 0.0}), '"pts_90k" is a whole number'),
        (framed({"type": "packet", "pts_90k": 1, "key": True, "captured_at_s": float("nan")}), '"captured_at_s" is a time'),
        (framed({"op": "close", "session": "a", "size": 2}, b"ab"), "only packets carry a payload"),
        ((3).to_bytes(4, "big") + b"\xff{}", "not JSON"),
    ],
)
def test_what_is_no_message_is_named(data: bytes, says: str) -> None:
    with pytest.raises(FeedError) as error:
        Decoder().receive(data)
    assert says in str(error.value)


def test_a_connection_that_ends_in_the_middle_is_an_error() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.sendall(encode(Close("abc"))[:-2])
        near.shutdown(socket.SHUT_WR)
        with pytest.raises(FeedError, match="in the middle"):
            feed.receive(far)


def test_a_message_too_large_to_be_read_is_not_written() -> None:
    with pytest.raises(FeedError):
        encode(Answer("x" * feed.MAX_HEADER_BYTES))
