"""The worker's side: fan-out and feed server, over a real unix socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from streams.fanout import Fanout
from streams.feed import FeedError, Gone, Message, Packet, Stream, View, Watch, encode, receive
from streams.live import FeedServer
from tests.live.live_kit import FPS, GOP, SIZE, Camera, clip, until


@pytest.fixture
def cameras() -> dict[str, Fanout]:
    return {"cam": Fanout()}


@pytest.fixture
def server(tmp_path: Path, cameras: dict[str, Fanout]) -> Iterator[Path]:
    path = tmp_path / "feed.sock"

    def resolve(camera: str, view: View) -> Fanout | None:
        return cameras.get(camera)

    with FeedServer(path, resolve):
        yield path


def ask(path: Path, camera: str = "cam") -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(10)
    sock.connect(str(path))
    sock.sendall(encode(Watch(camera, "clear")))
    return sock


def push(fanout: Fanout, first: int, last: int, units: tuple[tuple[bytes, bool, int], ...] | None = None) -> None:
    for data, key, number in (units or clip())[first:last]:
        fanout.push(data, number * 90_000 // FPS, key, 1000.0 + number / FPS)


def take(sock: socket.socket, count: int) -> list[Message]:
    out = [receive(sock) for _ in range(count)]
    return [message for message in out if message is not None]


def test_a_reader_gets_the_stream_the_gop_so_far_and_then_live(server: Path, cameras: dict[str, Fanout]) -> None:
    push(cameras["cam"], 0, GOP + 5)
    with ask(server) as sock:
        stream, *cached = take(sock, 6)
        assert isinstance(stream, Stream)
        assert (stream.codec, stream.width, stream.height) == ("h264", *SIZE)
        assert [(p.key, p.cached) for p in cached if isinstance(p, Packet)] == [(True, True)] + [(False, True)] * 4
        push(cameras["cam"], GOP + 5, GOP + 6)
        (live,) = take(sock, 1)
        assert isinstance(live, Packet)
        assert not live.cached
        assert live.data == clip()[GOP + 5][0]
        assert live.captured_at_s == pytest.approx(1000.0 + (GOP + 5) / FPS)


def test_watched_follows_the_readers_and_the_first_one_is_announced(tmp_path: Path) -> None:
    asked: list[int] = []
    fanout = Fanout(on_watched=lambda: asked.append(1))
    with FeedServer(tmp_path / "feed.sock", lambda camera, view: fanout):
        assert not fanout.watched
        with ask(tmp_path / "feed.sock"), ask(tmp_path / "feed.sock"):
            until(lambda: fanout.viewers == 2, "two readers")
            assert asked == [1]
        until(lambda: not fanout.watched, "readers that left are noticed without a packet")


def test_a_reader_that_does_not_read_loses_up_to_a_key_frame_and_holds_up_nobody(
    server: Path, cameras: dict[str, Fanout]
) -> None:
    fanout = cameras["cam"]
    padding = b"\0\0\0\1\x0c" + b"\xff" * 100_000  # filler data (NAL type 12): pictures of 100 KB
    with ask(server) as slow:
        until(lambda: fanout.watched, "a reader")
        began = time.monotonic()
        for number in range(600):
            data, key, _ = clip()[number % 120]
            fanout.push(data + padding, number * 6000, key, 1000.0 + number / FPS)
        assert time.monotonic() - began < 5, "the camera's thread was held up"
        received: list[int] = []
        while not received or received[-1] != 599:
            message = receive(slow)
            if isinstance(message, Packet):
                received.append(message.pts_90k // 6000)
        gaps = [b for a, b in pairwise(received) if b != a + 1]
        assert gaps, "nothing was dropped: 60 MB were queued"
        assert all(number % GOP == 0 for number in gaps), "a reader went on in the middle of a GOP"


def test_b_frames_are_refused_with_words(server: Path, cameras: dict[str, Fanout]) -> None:
    units = clip(2, "high")
    for data, key, number in units[:20]:
        cameras["cam"].push(data, (number + 2) * 6000, key, 1000.0)
    with ask(server) as sock:
        gone = next(message for message in take(sock, 2) if isinstance(message, Gone))
        assert gone.code == "b_frames"
        assert "Baseline" in gone.detail
        assert receive(sock) is None
    # An hour later somebody has set the camera right, and its source reconnects.
    cameras["cam"].reset()
    push(cameras["cam"], 0, 3)
    with ask(server) as sock:
        assert isinstance(take(sock, 2)[1], Packet)


def test_b_slices_are_seen_where_timestamps_were_made_to_rise(cameras: dict[str, Fanout]) -> None:
    fanout = cameras["cam"]
    for order, (data, key, _) in enumerate(clip(2, "high")[:30]):
        fanout.push(data, order * 6000, key, 1000.0)
    assert fanout.refused is not None
    assert fanout.refused.code == "b_frames"


def test_one_step_back_after_packet_loss_is_no_b_frame(cameras: dict[str, Fanout]) -> None:
    push(cameras["cam"], 0, 10)
    push(cameras["cam"], 8, 60)
    assert cameras["cam"].refused is None


def test_gone_lets_readers_go_and_the_next_picture_lets_them_in_again(server: Path, cameras: dict[str, Fanout]) -> None:
    push(cameras["cam"], 0, 3)
    with ask(server) as sock:
        take(sock, 4)
        cameras["cam"].gone("no_video", "The camera does not answer since 12:00.")
        assert take(sock, 1) == [Gone("no_video", "The camera does not answer since 12:00.")]
        assert receive(sock) is None
    push(cameras["cam"], GOP, GOP + 1)
    with ask(server) as sock:
        assert [type(m) for m in take(sock, 2)] == [Stream, Packet]


def test_unknown_cameras_and_bad_requests_end_the_connection_with_a_reason(server: Path) -> None:
    with ask(server, "nobody") as sock:
        (gone,) = take(sock, 1)
        assert isinstance(gone, Gone)
        assert gone.code == "no_camera"
        assert "nobody" in gone.detail
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.connect(str(server))
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(FeedError, ConnectionResetError):
            assert receive(sock) is None


def test_a_server_closes_in_order_and_its_path_can_be_used_again(tmp_path: Path) -> None:
    path = tmp_path / "feed.sock"
    path.touch()  # left behind by a worker that was killed
    camera = Camera().start()
    try:
        for _ in range(2):
            server = FeedServer(path, lambda camera_id, view: camera.fanout).start()
            with ask(path) as sock:
                take(sock, 2)
                began = time.monotonic()
                server.close()
                assert time.monotonic() - began < 3
            assert not path.exists()
    finally:
        camera.stop()
