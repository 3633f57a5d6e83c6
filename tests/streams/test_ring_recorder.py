"""The ring and the recorder: a clip begins before the event, plays at every moment, survives kill -9 and a full disk."""

from __future__ import annotations

import errno
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.clip_recovery import recover, repair
from streams.clip_writer import ClipFile, open_new
from streams.h264 import ParameterSets
from streams.packet import VideoPacket
from streams.recorder import ClipEvent, Recorder, problem_of
from streams.ring import Ring
from tests.streams import coded

# -- ring ------------------------------------------------------------------------------------------------------------------

_stream = st.lists(st.tuples(st.integers(1, 500), st.booleans(), st.floats(0.01, 1.0)), max_size=80)


def _packets(rows: list[tuple[int, bool, float]]) -> list[VideoPacket]:
    at_s, made = 100.0, []
    for seq, (size, key, gap_s) in enumerate(rows):
        at_s += gap_s
        made.append(VideoPacket(b"", size, key, seq, seq, at_s, seq, ParameterSets((b"s",), (b"p",))))
    return made


@given(_stream, st.floats(0.1, 5.0), st.integers(50, 3000), st.floats(95, 150))
def test_ring_holds_whole_gops_within_its_bounds(
    rows: list[tuple[int, bool, float]], keep_s: float, most: int, at_s: float
) -> None:
    ring = Ring(keep_s, max_bytes=most)
    packets = _packets(rows)
    for packet in packets:
        ring.append(packet)
        held = ring.since(0.0)
        assert ring.bytes == sum(p.size for p in held) <= most
        assert [p.seq for p in held] == list(range(held[0].seq, packet.seq + 1)) if held else True
        if held:
            assert held[0].key
            # A pre-roll of keep_s is whole, unless the camera is too young or the bytes ran out; and no second GOP too many.
            later = [p for p in held[1:] if p.key]
            assert not later or later[0].captured_at_s > packet.captured_at_s - keep_s
    since = ring.since(at_s)
    if since:
        assert since[0].key
        assert since[-1] is packets[-1]
        assert since[0].captured_at_s <= at_s or since[0] is ring.since(0.0)[0]


@given(_stream, st.floats(0.1, 5.0))
def test_ring_always_reaches_back_as_far_as_it_promises(rows: list[tuple[int, bool, float]], keep_s: float) -> None:
    ring, first_key_s = Ring(keep_s), None
    for packet in _packets(rows):
        ring.append(packet)
        first_key_s = packet.captured_at_s if packet.key and first_key_s is None else first_key_s
        if first_key_s is not None:
            wanted_s = packet.captured_at_s - keep_s
            begins_s = ring.since(wanted_s)[0].captured_at_s
            assert begins_s <= wanted_s if first_key_s <= wanted_s else begins_s == first_key_s


# -- recorder --------------------------------------------------------------------------------------------------------------


class Desk:
    """A recorder over a ring, as a worker has them."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.ring = Ring(20)
        self.events: list[ClipEvent] = []
        fixed = {"pre_roll_s": 2.0, "post_roll_s": 1.0, "max_s": 60.0, **options}
        self.recorder = Recorder("gate", folder, self.ring, on_event=self.events.append, **fixed)  # type: ignore[arg-type]  # options

    def feed(self, packets: list[VideoPacket]) -> None:
        for packet in packets:
            self.ring.append(packet)
            self.recorder.feed(packet)


def test_a_clip_begins_before_the_event_ends_after_it_and_says_what_it_is(tmp_path: Path) -> None:
    desk, packets = Desk(tmp_path), coded.packets(80)
    desk.feed(packets[:35])
    assert desk.recorder.record(1003.3, 1003.4, "clip-1") == "clip-1"
    assert [e.state for e in desk.events] == ["open"]
    assert (tmp_path / "clip-1.open").exists()
    desk.feed(packets[35:])
    opened, closed = desk.events
    assert opened.started_at_s <= 1003.3 - 2.0
    assert (closed.state, closed.file, closed.camera) == ("closed", "clip-1.mp4", "gate")
    assert closed.ended_at_s is not None
    assert 1004.2 <= closed.ended_at_s <= 1004.4
    data = (tmp_path / closed.file).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (closed.bytes, closed.sha256)
    assert coded.decoded_count(tmp_path / closed.file) == 34  # 1.0 … 4.3
    assert not (tmp_path / "clip-1.open").exists()
    assert set(json.loads(closed.to_json())) == {
        "clip", "camera", "state", "file", "started_at_s", "ended_at_s", "bytes", "sha256",
    }  # fmt: skip
    with av.open(str(tmp_path / closed.file)) as clip:
        times = [frame.time for frame in clip.decode(video=0)]
    assert times == pytest.approx([n / 10 for n in range(34)], abs=0.001)


def test_further_events_extend_the_clip_up_to_its_longest(tmp_path: Path) -> None:
    desk, packets = Desk(tmp_path, max_s=5.0), coded.packets(120)
    desk.feed(packets[:30])
    names = {desk.recorder.record(1002.9, 1002.9, "one")}
    for at in range(30, 60, 5):
        desk.feed(packets[at : at + 5])
        names.add(desk.recorder.record(1000 + at / 10, 1000 + at / 10, f"other-{at}"))
        if desk.recorder.clip != "one":
            break
    desk.feed(packets[60:])
    assert names >= {"one"}
    closed = [e for e in desk.events if e.state == "closed"]
    assert closed[0].ended_at_s is not None
    assert 4.5 <= closed[0].ended_at_s - closed[0].started_at_s <= 5.1


def test_an_open_clip_plays_while_it_grows(tmp_path: Path) -> None:
    desk, packets = Desk(tmp_path, post_roll_s=30.0), coded.packets(80)
    desk.feed(packets[:30])
    desk.recorder.record(1002.9, 1002.9, "one")
    counts = []
    for at in range(30, 80, 10):
        desk.feed(packets[at : at + 10])
        counts.append(coded.decoded_count(tmp_path / "one.mp4"))
    desk.recorder.close()
    assert counts == sorted(set(counts))
    assert 80 - counts[-1] <= 11  # at most a second waits


def test_a_lost_camera_closes_its_clip_by_the_clock(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.feed(coded.packets(30))
    desk.recorder.record(1002.9, 1002.9, "one")
    desk.recorder.tick(1004.0)
    assert desk.recorder.clip == "one"
    desk.recorder.tick(1006.0)
    assert [e.state for e in desk.events] == ["open", "closed"]
    assert coded.decoded_count(tmp_path / "one.mp4") == 30  # all that the ring held from 1000.0 on


def test_a_camera_that_changes_its_picture_gets_a_new_clip(tmp_path: Path) -> None:
    desk, packets = Desk(tmp_path, post_roll_s=30.0), coded.packets(40)
    desk.feed(packets[:30])
    desk.recorder.record(1002.9, 1002.9, "one")
    other = ParameterSets((packets[0].sets.sps[0] + b"\x01",), packets[0].sets.pps)
    changed = packets[30]
    desk.feed([VideoPacket(changed.raw, changed.size, True, changed.dts_90k, changed.pts_90k, changed.captured_at_s, 30, other)])
    assert [e.state for e in desk.events] == ["open", "closed"]


def test_no_clip_without_pictures_and_no_clip_outside_its_folder(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.recorder.record(5.0, 5.0, "one") == ""
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="name of a clip"):
        desk.recorder.record(5.0, 5.0, "../one")


# -- a full disk -----------------------------------------------------------------------------------------------------------


def _trouble(desk: Desk) -> str:
    return desk.recorder.problem.code if desk.recorder.problem else ""


class TinyDisk:
    """A folder in which only so many bytes fit, in all files together. `room` may be raised later."""

    def __init__(self, room: int) -> None:
        self.room = room

    def open(self, path: Path) -> ClipFile:
        return _TinyFile(self, path)


class _TinyFile:
    def __init__(self, disk: TinyDisk, path: Path) -> None:
        self._disk, self._file = disk, open_new(path)

    def write(self, data: bytes, /) -> int:
        if not self._disk.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        fits = min(self._disk.room, len(data))
        self._file.write(data[:fits])
        self._disk.room -= fits
        return fits

    def truncate(self, size: int, /) -> int:
        return self._file.truncate(size)

    def flush(self) -> None:
        self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


@settings(max_examples=25, deadline=None)
@given(room=st.integers(0, 60_000))
def test_a_full_disk_ends_the_clip_where_it_was_whole_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, room: int
) -> None:
    folder = tmp_path_factory.mktemp("full")
    disk = TinyDisk(room)
    desk, packets = Desk(folder, post_roll_s=30.0, opener=disk.open), coded.packets(80)
    desk.feed(packets[:30])
    desk.recorder.record(1002.9, 1002.9, "one")
    desk.feed(packets[30:70])
    if desk.recorder.clip:  # it all fitted
        desk.recorder.close()
        return
    assert _trouble(desk) == "disk_full"
    assert list(folder.glob("*.open")) == []
    if [e.state for e in desk.events] == ["open", "closed"]:
        data = (folder / "one.mp4").read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (desk.events[1].bytes, desk.events[1].sha256)
        assert coded.decoded_count(folder / "one.mp4") > 0
    elif not desk.events:
        assert list(folder.iterdir()) == []
    disk.room = 10_000_000
    desk.feed(packets[70:])
    assert desk.recorder.record(1007.9, 1020.0, "two") == "two"
    assert _trouble(desk) == ""
    desk.recorder.close()


def test_a_folder_that_cannot_be_written_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "gone")
    desk.feed(coded.packets(30))
    assert desk.recorder.record(1002.9, 1002.9, "one") == ""
    assert _trouble(desk) == "write_failed"
    assert desk.recorder.record(1003.0, 1003.0, "two") == ""  # not tried again at once
    assert desk.events == []


def test_a_full_disk_is_told_in_both_languages(tmp_path: Path) -> None:
    problem = problem_of(OSError(errno.ENOSPC, "No space left on device"), tmp_path)
    assert "is full" in problem.text
    assert "已满" in problem.text_zh


# -- kill -9 ---------------------------------------------------------------------------------------------------------------

_WRITER = """
import sys, time
from pathlib import Path
from streams.recorder import Recorder
from streams.ring import Ring
from tests.streams import coded
ring = Ring(20)
recorder = Recorder("gate", Path(sys.argv[1]), ring, pre_roll_s=2, post_roll_s=1000, max_s=1000, on_event=lambda e: None)
packets = coded.packets(600)
for packet in packets:
    ring.append(packet)
    recorder.feed(packet)
    if packet.seq == 30:
        recorder.record(packet.captured_at_s, packet.captured_at_s, "killed")
    if packet.seq == 200:
        print("far enough", flush=True)
    if packet.seq > 200:
        time.sleep(0.005)
"""


def test_a_killed_writer_leaves_a_clip_that_plays_and_is_closed_at_the_next_start(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], cwd=root, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"far enough\n"
        time.sleep(0.02)
        child.kill()
    assert coded.decoded_count(tmp_path / "killed.mp4") >= 150  # even before any repair
    assert list(recover(tmp_path, ["another camera"])) == []  # a worker closes the clips of its own cameras only
    (event,) = recover(tmp_path, ["gate"])
    assert (event.clip, event.camera, event.state) == ("killed", "gate", "closed")
    data = (tmp_path / "killed.mp4").read_bytes()
    assert (event.bytes, event.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert event.ended_at_s is not None
    assert coded.decoded_count(tmp_path / "killed.mp4") == pytest.approx((event.ended_at_s - event.started_at_s) * 10, abs=1)
    assert list(recover(tmp_path, ["gate"])) == []


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 40_000), junk=st.binary(max_size=40))
def test_a_clip_torn_anywhere_is_repaired_to_its_last_whole_fragment(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    desk = Desk(folder, post_roll_s=100.0)
    desk.feed(coded.packets(40))
    desk.recorder.record(1003.9, 1003.9, "one")
    desk.recorder.close()
    path = folder / "one.mp4"
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)] if cut else whole + junk)
    found = repair(path)
    left = path.read_bytes()
    assert (found.bytes, found.sha256) == (len(left), hashlib.sha256(left).hexdigest())
    assert whole.startswith(left)
    if left:
        assert coded.decoded_count(path) == pytest.approx(found.seconds * 10, abs=0.5)
    assert repair(path).cut == 0


def test_markers_of_clips_that_never_were_are_swept(tmp_path: Path) -> None:
    (tmp_path / "torn.open").write_text('{"clip": "to')
    (tmp_path / "gone.open").write_text('{"clip": "gone", "camera": "gate", "started_at_s": 5.0}')
    (tmp_path / "empty.open").write_text('{"clip": "empty", "camera": "gate", "started_at_s": 5.0}')
    (tmp_path / "empty.mp4").write_bytes(b"\x00\x00\x00\x10ftypiso5")
    assert list(recover(tmp_path, ["gate"])) == []
    assert list(tmp_path.iterdir()) == []
