"""The virtual camera over its socket: what a player sees, several players, the loop's seam, slow and broken clients."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from streams import rtsp_protocol as rtsp
from streams import virtual_player
from streams.clip_file import ClipError, load
from streams.source import Source
from streams.virtual_camera import Auth, Running, VirtualCameraError, load_all, serve
from tests.streams import coded


class Client:
    """A bare RTSP client: sends text, reads answers and RTP packets."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.buffer, self.cseq = b"", 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def _need(self, count: int) -> None:
        while len(self.buffer) < count:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data

    def ask(self, method: str, url: str, **headers: str) -> tuple[int, str]:
        """(status, whole answer with its body). RTP packets in between are dropped."""
        self.cseq += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self.cseq}", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        self.sock.sendall("\r\n".join(lines).encode())
        while True:
            self._need(1)
            if self.buffer[:1] == b"$":
                self.rtp()
                continue
            while b"\r\n\r\n" not in self.buffer:
                self._need(len(self.buffer) + 1)
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            size = int(m[1]) if (m := re.search(rb"Content-Length: (\d+)", head)) else 0
            self._need(size)
            body, self.buffer = self.buffer[:size], self.buffer[size:]
            assert f"CSeq: {self.cseq}" in head.decode()
            return int(head.split(b" ")[1]), (head + b"\r\n\r\n" + body).decode()

    def rtp(self) -> tuple[int, bytes]:
        """(channel, packet)."""
        self._need(4)
        size = int.from_bytes(self.buffer[2:4], "big")
        self._need(4 + size)
        channel, data, self.buffer = self.buffer[1], self.buffer[4 : 4 + size], self.buffer[4 + size :]
        return channel, data

    def play(self, url: str) -> None:
        assert self.ask("SETUP", f"{url}/trackID=0", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")[0] == 200
        _, answer = self.ask("SETUP", f"{url}/trackID=0", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        found = re.search(r"Session: (\w+)", answer)
        assert found
        assert self.ask("PLAY", url, Session=found[1])[0] == 200


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coded.make_file(tmp_path_factory.mktemp("clips") / "short.mp4", frames=12, fps=20, gop=6)


def test_the_conversation_of_a_player(short: Path) -> None:
    with Running([short]) as camera, Client(camera.server.port) as client:
        url = camera.url("short")
        status, answer = client.ask("OPTIONS", url)
        assert status == 200
        assert "DESCRIBE" in answer
        status, answer = client.ask("DESCRIBE", url, Accept="application/sdp")
        assert status == 200
        assert "a=rtpmap:96 H264/90000" in answer
        assert client.ask("DESCRIBE", camera.url("nope"))[0] == 404
        assert client.ask("PLAY", url)[0] == 455
        assert client.ask("SETUP", f"{url}/trackID=0", Transport="RTP/AVP;unicast;client_port=5000-5001")[0] == 461
        assert client.ask("RECORD", url)[0] == 405
        client.play(url)
        assert client.ask("GET_PARAMETER", url)[0] == 200
        assert client.ask("SETUP", url, Transport="RTP/AVP/TCP")[0] == 455
        channel, packet = client.rtp()
        assert channel in {0, 1}
        assert packet[0] & 0xC0 == 0x80
        assert client.ask("PAUSE", url)[0] == 200
        assert client.ask("PLAY", url, Session="wrong")[0] == 454
        assert client.ask("TEARDOWN", url)[0] == 200
        with pytest.raises(EOFError):
            client.rtp()


def test_a_wrong_session_or_junk_ends_politely(short: Path) -> None:
    with Running([short]) as camera, Client(camera.server.port) as client:
        client.sock.sendall(b"hello there\r\n\r\n")
        client._need(20)
        assert client.buffer.startswith(b"RTSP/1.0 400")


def test_timestamps_and_sequence_rise_over_the_seam_of_the_loop(short: Path) -> None:
    stamps: list[int] = []
    sequences: list[int] = []
    reports = 0
    with Running([short]) as camera, Client(camera.server.port) as client:
        client.play(camera.url("short"))
        began_s = time.monotonic()
        while len(stamps) < 40:  # three times round
            channel, packet = client.rtp()
            if channel == 1:
                reports += 1
                continue
            sequences.append(int.from_bytes(packet[2:4], "big"))
            if packet[1] & 0x80:
                stamps.append(int.from_bytes(packet[4:8], "big"))
        took_s = time.monotonic() - began_s
    assert {(b - a) & 0xFFFFFFFF for a, b in pairwise(stamps)} == {4500}
    assert {(b - a) & 0xFFFF for a, b in pairwise(sequences)} == {1}
    assert reports >= 1
    assert took_s > 39 / 20 - 0.4  # paced in real time


def test_several_clients_and_files_each_get_theirs(short: Path, tmp_path: Path) -> None:
    other = coded.make_file(tmp_path / "other.mp4", frames=20, size=(192, 112))
    with Running([short, other]) as camera:
        with Source.open(camera.url("short")) as a, Source.open(camera.url("other")) as b, Source.open(camera.url("short")) as c:
            sizes = [(s.info.width, s.info.height) for s in (a, b, c)]
            counts = [sum(len(s.decode(p)) for p, _ in zip(s.packets(), range(5), strict=False)) for s in (a, b, c)]
        assert camera.server.connections == 3
    assert sizes == [(160, 96), (192, 112), (160, 96)]
    assert counts == [5, 5, 5]


def test_start_client_begins_at_the_first_picture_and_start_shared_at_a_later_key_frame(tmp_path: Path) -> None:
    clip = coded.make_file(tmp_path / "clip.mp4", frames=40, fps=20, gop=10)
    first = load(clip).units[0]

    def first_packets(camera: Running) -> bytes:
        with Client(camera.server.port) as client:
            client.play(camera.url("clip"))
            parts = b""
            while True:
                channel, packet = client.rtp()
                if channel == 0:
                    parts += packet[12:]
                    if packet[1] & 0x80:
                        return parts

    with Running([clip], start="client") as camera:
        time.sleep(0.6)  # so that the shared clock is past the first GOP
        assert first_packets(camera) == b"".join(first.payloads)
    with Running([clip], start="shared") as camera:
        deadline = time.monotonic() + 5
        while time.monotonic() - camera.server.began_s < 0.6:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        got = first_packets(camera)
    keys = [b"".join(unit.payloads) for unit in load(clip).units if unit.key]
    assert got in keys[1:]


def test_a_slow_client_costs_pictures_not_memory(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(asyncio.WriteTransport):
        """A transport whose other end takes nothing."""

        def __init__(self) -> None:
            super().__init__()
            self.waiting = 0

        def get_write_buffer_size(self) -> int:
            return self.waiting

        def write(self, data: object) -> None:
            self.waiting += len(data)  # type: ignore[arg-type]  # bytes

        def is_closing(self) -> bool:
            return False

    monkeypatch.setattr(virtual_player, "BEHIND_BYTES", 3000)
    monkeypatch.setattr(virtual_player, "GIVE_UP_S", 0.5)
    clip, transport = load(short), Full()
    player = virtual_player.Player(clip, (0, 1), faults=virtual_player.Faults())
    player.start(time.monotonic(), None)
    asyncio.run(asyncio.wait_for(player.run(transport), 10))  # gives the client up by itself
    largest = max(sum(len(p) + 16 for p in unit.payloads) for unit in clip.units)
    assert transport.waiting <= 3000 + largest + 200
    assert player.left_out > 3


def test_digest_auth_opens_to_the_right_password_only(short: Path) -> None:
    with Running([short], auth=Auth("admin", "s3 cret")) as camera:
        with Source.open(camera.url("short")) as source:
            assert next(source.packets()).key
        with Client(camera.server.port) as client:
            status, answer = client.ask("DESCRIBE", camera.url("short", with_auth=False))
            assert status == 401
            assert 'WWW-Authenticate: Digest realm="' in answer
    assert "s3 cret" not in repr(Auth("admin", "s3 cret"))


@pytest.mark.needs("program:ffprobe")  # an extra check; PyAV is the one that counts
def test_ffprobe_plays_it(short: Path) -> None:
    with Running([short], auth=Auth("admin", "secret")) as camera:
        done = subprocess.run(
            ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", camera.url("short")],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.stdout.strip() == "h264,160,96", done.stderr


def test_files_that_cannot_be_served_say_why_and_what_to_do(tmp_path: Path, short: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a video " * 100)
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"\x00" * 5000)
    mpeg4 = coded.make_file(tmp_path / "old.avi", codec="mpeg4")
    b_frames = coded.make_file(tmp_path / "b.mp4", b_frames=2)
    for path, words in [
        (text, "not a video"),
        (junk, "not a video"),
        (tmp_path / "nowhere.mp4", "no such file"),
        (mpeg4, "--transcode"),
        (b_frames, "B-frames"),
    ]:
        with pytest.raises(ClipError, match=words) as caught:
            load(path)
        assert str(path) in str(caught.value)
        assert path.name in caught.value.text_zh
    other = tmp_path / "other"
    other.mkdir()
    twin = shutil.copy(short, other / "short.mp4")
    with pytest.raises(VirtualCameraError, match="already served as /short"):
        load_all([short, Path(twin)])


def test_a_port_in_use_is_a_clear_error(short: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(VirtualCameraError, match=f"127.0.0.1:{port}.*--port"):
            asyncio.run(serve([short], port=port))
        with pytest.raises(VirtualCameraError), Running([short], port=port):
            pass


def test_serve_calls_back_with_its_port_and_ends_when_cancelled(short: Path) -> None:
    async def run() -> int:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve([short], port=0, on_ready=lambda server: ready.set_result(server.port)))
        port = await asyncio.wait_for(ready, 10)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        task.cancel()
        await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 5)
        writer.close()
        return port

    port = asyncio.run(run())
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_the_parser_is_the_one_that_the_server_uses() -> None:
    assert rtsp.stem_of("rtsp://h:1/campus/trackID=0?x=1") == "campus"
    assert rtsp.stem_of("*") == ""
