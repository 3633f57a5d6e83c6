"""A camera's failures over real sockets: each has its name, none loses a picture that came, none shows a password."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from streams import gate, h264, health
from streams.check import check
from streams.redact import redact_url
from streams.source import Source
from streams.source_errors import SourceError, Why
from streams.virtual_camera import Auth, Running
from streams.virtual_player import Faults
from tests.streams import coded

PASSWORD = "Tr0ub4dor&3"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coded.make_file(tmp_path_factory.mktemp("clips") / "gate.mp4", frames=60, fps=20, gop=10)


def _watch(url: str, *, most: int = 10_000, **options: float) -> tuple[int, int, SourceError | None]:
    """(packets, pictures, how it ended)."""
    packets = pictures = 0
    try:
        with Source.open(url, **options) as source:  # type: ignore[arg-type]  # the two time-outs
            for packet in source.packets():
                packets += 1
                pictures += len(source.decode(packet))
                if packets == most:
                    return packets, pictures, None
    except SourceError as error:
        return packets, pictures, error
    raise AssertionError("a camera has no end of its own")


def test_the_first_key_frame_has_no_time_and_is_not_lost(clip: Path) -> None:
    with Running([clip]) as camera, Source.open(camera.url("gate")) as source:
        times, arrivals = [], []
        for packet in source.packets():
            frames = source.decode(packet)
            assert len(frames) == 1
            assert not frames[0].corrupt
            if packet.seq == 0:
                assert packet.raw.pts is None  # type: ignore[attr-defined]  # the trap itself: av.Packet without a time
                assert packet.key
            times.append(packet.pts_90k)
            arrivals.append(packet.captured_at_s)
            if packet.seq == 20:
                break
    assert np.diff(times[1:]).tolist() == [4500] * 19
    assert 0 < times[1] <= 9000
    assert np.all(np.diff(arrivals) >= 0)
    assert arrivals[-1] == pytest.approx(time.time(), abs=2)


def test_what_is_decoded_is_what_was_filmed(clip: Path) -> None:
    with Running([clip]) as camera, Source.open(camera.url("gate")) as source:
        assert (source.info.codec, source.info.width, source.info.height, source.info.fps) == ("h264", 160, 96, 20.0)
        packet = next(source.packets())
        (frame,) = source.decode(packet)
        planes = frame.planes
        assert planes.y.shape == (96, 160)
        assert planes.u.shape == planes.v.shape == (48, 80)
        i420 = np.concatenate([np.ascontiguousarray(p).reshape(-1) for p in (planes.y, planes.u, planes.v)])
        bgr = cv2.cvtColor(i420.reshape(144, 160), cv2.COLOR_YUV2BGR_I420)
        expected = coded.moving()(0)[:, :, ::-1]
        assert float(np.abs(bgr.astype(int) - expected.astype(int)).mean()) < 8
        assert packet.data.startswith(h264.START_CODE)
        assert h264.find_parameter_sets(h264.split_annexb(packet.data)) == packet.sets
        feed = packet.for_feed()
        assert (feed.key, feed.pts_90k, feed.data) == (True, 0, packet.data)


@pytest.mark.parametrize("size", [(162, 98), (100, 54), (426, 240)])
def test_odd_strides_are_cut_off(tmp_path: Path, size: tuple[int, int]) -> None:
    path = coded.make_file(tmp_path / "odd.mp4", frames=10, size=size)
    with Running([path]) as camera, Source.open(camera.url("odd")) as source:
        (frame,) = source.decode(next(source.packets()))
        assert frame.luma.shape == (size[1], size[0])
        assert frame.planes.u.shape == ((size[1] + 1) // 2, (size[0] + 1) // 2)
        assert frame.luma[30, 10] > 180  # the square
        assert frame.luma[50, size[0] - 2] < 120  # the ground, not the padding


@pytest.mark.parametrize("fault", [Faults(fin_after_s=0.4), Faults(rst_after_s=0.4)])
def test_fin_and_rst_are_failures_not_silence(clip: Path, fault: Faults) -> None:
    with Running([clip], faults=fault) as camera:
        packets, pictures, error = _watch(camera.url("gate"))
    assert error is not None
    assert error.why is Why.ENDED
    assert packets == pictures >= 6


def test_a_camera_that_falls_silent_is_stalled(clip: Path) -> None:
    with Running([clip], faults=Faults(stall_after_s=0.3)) as camera:
        began_s = time.monotonic()
        packets, _, error = _watch(camera.url("gate"), read_timeout_s=0.7)
    assert error is not None
    assert error.why is Why.STALLED
    assert packets >= 5
    assert time.monotonic() - began_s < 5


def test_after_a_failure_a_new_connection_goes_on_in_time(clip: Path) -> None:
    with Running([clip], faults=Faults(fin_after_s=0.3)) as camera:
        line, last = None, -1
        for _ in range(2):
            with Source.open(camera.url("gate"), timeline=line) as source:
                stamps: list[int] = []
                with pytest.raises(SourceError):
                    stamps.extend(packet.pts_90k for packet in source.packets())
            assert stamps == sorted(set(stamps))
            assert stamps[0] > last
            last = stamps[-1]
            line = source.timeline


def test_lost_packets_flag_pictures_and_raise_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    path = coded.make_file(
        tmp_path / "busy.mp4", frames=60, fps=30, gop=15, size=(320, 240), picture=lambda n: np.roll(noise, n * 7, 1)
    )
    whole = corrupt = 0
    state = health.packet(health.connecting(0.0), 0.0)
    with Running([path], faults=Faults(drop_share=0.02, seed=4)) as camera, Source.open(camera.url("busy")) as source:
        for packet in source.packets():
            for frame in source.decode(packet):
                corrupt, whole = corrupt + frame.corrupt, whole + (not frame.corrupt)
                state = health.decoded(state, packet.captured_at_s, corrupt=frame.corrupt)
            if packet.seq == 75:
                break
    assert corrupt >= 5
    assert whole >= 5
    assert state.corrupt_share > 0


def test_a_frozen_picture_is_noticed_and_a_moving_one_is_not(clip: Path) -> None:
    def look(camera: Running, seconds: float) -> tuple[bool, bool]:
        state, late = health.Freeze(), None
        with Source.open(camera.url("gate")) as source:
            for packet in source.packets():
                for frame in source.decode(packet):
                    state = health.look(state, hash(gate.thumbnail(frame.luma).tobytes()), packet.captured_at_s, key=packet.key)
                late = late or health.frozen_since(state, packet.captured_at_s, after_s=0.5)
                if packet.pts_90k > seconds * 90_000:
                    return late is not None, health.frozen_since(state, packet.captured_at_s, after_s=0.5) is not None
        return False, False

    with Running([clip]) as camera:
        assert look(camera, 1.5) == (False, False)
    with Running([clip], faults=Faults(freeze_after_s=0.4)) as camera:
        assert look(camera, 1.8) == (True, True)


def test_skipped_packets_mean_nothing_until_the_next_key_frame(clip: Path) -> None:
    with Running([clip]) as camera, Source.open(camera.url("gate")) as source:
        decoded = []
        for packet in source.packets():
            if packet.seq not in {3, 4}:
                decoded += [packet.seq for _ in source.decode(packet)]
            if packet.seq == 12:
                break
    assert decoded == [0, 1, 2, 10, 11, 12]


def test_b_frames_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = coded.make_file(tmp_path / "b.mp4", frames=30, fps=20, gop=15, b_frames=2)
    # The virtual camera refuses such a file, rightly: make it look away, to be a camera that is set up so.
    monkeypatch.setattr("streams.clip_file.h264.has_b_slice", lambda _: False)
    with Running([path]) as camera:
        monkeypatch.undo()
        with Source.open(camera.url("b")) as source:
            for packet in source.packets():
                source.decode(packet)
                if packet.seq == 10:
                    break
            assert source.b_frames


def _says(error: SourceError) -> str:
    return "".join([*traceback.format_exception(error), repr(error), error.text, error.text_zh])


def test_wrong_password_wrong_path_no_camera(clip: Path) -> None:
    with Running([clip], auth=Auth("admin", "right")) as camera:
        for who, why in [(f"admin:{PASSWORD}@", Why.UNAUTHORISED), ("", Why.UNAUTHORISED)]:
            with pytest.raises(SourceError) as caught:
                Source.open(f"rtsp://{who}127.0.0.1:{camera.server.port}/gate")
            assert caught.value.why is why
            assert PASSWORD not in _says(caught.value)
        with pytest.raises(SourceError) as caught:
            Source.open(camera.url("nothing-here"))
        assert caught.value.why is Why.NOT_FOUND
        assert "right" not in _says(caught.value)
        port = camera.server.port
    with pytest.raises(SourceError, match="refused") as caught:
        Source.open(f"rtsp://admin:{PASSWORD}@127.0.0.1:{port}/gate")
    assert caught.value.why is Why.UNREACHABLE
    assert PASSWORD not in _says(caught.value)
    with pytest.raises(SourceError, match="host name is not known") as caught:
        Source.open(f"rtsp://admin:{PASSWORD}@no-such-host.invalid/gate")
    assert caught.value.why is Why.UNREACHABLE
    assert PASSWORD not in _says(caught.value)


@contextmanager
def _answering(answer: bytes) -> Iterator[int]:
    """A TCP server that gives one answer to whatever comes; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()
        held: list[socket.socket] = []

        def run() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                held.append(connection)
                if answer:
                    connection.recv(4096)
                    connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            thread.join(5)
            for connection in held:
                connection.close()


def test_what_is_no_camera_says_so() -> None:
    with _answering(b"HTTP/1.0 200 OK\r\n\r\nhello") as port, pytest.raises(SourceError, match="not RTSP video") as caught:
        Source.open(f"rtsp://127.0.0.1:{port}/x")
    assert caught.value.why is Why.NOT_VIDEO
    with _answering(b"") as port, pytest.raises(SourceError, match="no answer in time") as caught:
        Source.open(f"rtsp://127.0.0.1:{port}/x", open_timeout_s=0.5)
    assert caught.value.why is Why.UNREACHABLE
    with pytest.raises(SourceError) as caught:
        Source.open("nonsense://somewhere")
    assert caught.value.why is Why.NOT_VIDEO


def test_a_file_or_another_codec_is_refused_with_the_remedy(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(SourceError, match="callout camera play"):
        Source.open(str(clip))
    with pytest.raises(SourceError, match=r"H\.264") as caught:
        Source.open(str(coded.make_file(tmp_path / "old.avi", codec="mpeg4")))
    assert caught.value.why is Why.UNSUPPORTED_CODEC
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(SourceError):
        Source.open(str(text))


def test_every_reason_has_both_languages() -> None:
    for why in Why:
        error = SourceError(why, redact_url(f"rtsp://admin:{PASSWORD}@cam/1"), "x")
        assert "cam" in error.text
        assert any("\u4e00" <= c <= "\u9fff" for c in error.text_zh)
        assert PASSWORD not in _says(error)


def test_camera_check_measures_and_advises(clip: Path, tmp_path: Path) -> None:
    slow = coded.make_file(tmp_path / "slow.mp4", frames=80, fps=20, gop=80)
    with Running([clip, slow]) as camera:
        good = check(camera.url("gate"), seconds=2.0)
        bad = check(camera.url("slow"), seconds=2.6)
    assert (good.codec, good.width, good.height, good.b_frames, good.corrupt) == ("h264", 160, 96, False, 0)
    assert good.fps == pytest.approx(20, abs=1.5)
    assert good.gop_s == pytest.approx(0.5, abs=0.1)
    assert good.kbit_s > 1
    assert 0 < good.first_picture_s < 1.9
    assert good.advice == ()
    assert ["I-frame" in english and "关键帧" in chinese for english, chinese in bad.advice] == [True]
