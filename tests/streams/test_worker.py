"""A whole stream worker on real RTSP: what one camera, one disk or one detector does wrong stays its own."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import structlog

from configs.settings import environment
from models import store
from streams.packet import VideoPacket
from streams.recorder import RESERVE_BYTES
from streams.source import DecodedFrame, Source
from streams.virtual_camera import Auth, Running
from streams.virtual_player import Faults
from streams.worker import Disk
from tests.streams import coded
from tests.streams.worker_kit import DETECTOR, Eyes, Sink, Viewer, camera, eventually, intrusion, is_mosaic, working
from vision.detector import Detector, FaceDetector

PASSWORD = "Tr0ub4dor&3"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    noise = np.random.default_rng(2).integers(30, 220, (240, 320, 3), dtype=np.uint8)
    picture = lambda n: np.roll(noise, n * 5, 1)  # noqa: E731  # all of it moves: the gate always opens
    return coded.make_file(
        tmp_path_factory.mktemp("clips") / "gate.mp4", frames=60, fps=15, gop=15, size=(320, 240), picture=picture
    )


@pytest.fixture(scope="module")
def playing(clip: Path) -> Iterator[Running]:
    with Running([clip, coded.CAMPUS]) as running:
        yield running


@pytest.fixture(scope="module")
def models() -> tuple[Detector, FaceDetector]:
    cv2.setNumThreads(1)
    assets = environment().assets
    found, faces = store.find(DETECTOR, assets), store.find("centerface_int8", assets)
    return Detector(found.entry, found.path), FaceDetector(faces.entry, faces.path)


# -- what it is for --------------------------------------------------------------------------------------------------------


def test_an_event_arrives_with_its_clip_and_a_picture_in_which_people_are_covered(
    tmp_path: Path, playing: Running, models: tuple[Detector, FaceDetector]
) -> None:
    sink = Sink()
    watched = camera("campus", playing.url("campus"), intrusion(1.0))
    with working(tmp_path, [watched], sink, *models, streams={"post_roll_s": 0.5, "clip_max_s": 2.5}):
        eventually(lambda: bool(sink.sightings), 30)
        first = sink.sightings[0]
        eventually(lambda: any(c["clip"] == first.clip and c["state"] == "closed" for c in sink.clips), 20)
        with Viewer(tmp_path / "feed.sock", "campus", "clear") as viewer:
            eventually(lambda: len(viewer.pictures) > 2)
    assert (first.camera, first.kind.value, first.zone) == ("campus", "intrusion", "all")
    assert first.evidence.model_sha256 == models[0].sha256
    assert first.score >= 0.48

    opened, closed = (next(c for c in sink.clips if c["clip"] == first.clip and c["state"] == s) for s in ("open", "closed"))
    assert opened["started_at_s"] <= first.began_at_s
    data = (tmp_path / "clips" / closed["file"]).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (closed["bytes"], closed["sha256"])
    with av.open(str(tmp_path / "clips" / closed["file"])) as played:
        frames = list(played.decode(video=0))
    assert (frames[0].width, frames[0].height) == (768, 576)
    assert len(frames) == pytest.approx((closed["ended_at_s"] - closed["started_at_s"]) * 10, abs=4)

    jpeg = (tmp_path / "thumbnails" / f"{first.evidence.thumbnail_sha256}.jpg").read_bytes()
    assert hashlib.sha256(jpeg).hexdigest() == first.evidence.thumbnail_sha256
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape[:2] == (480, 640)
    assert first.box is not None
    x1, y1, x2, y2 = first.box
    person = picture[int(y1 * 480) : int(y2 * 480), int(x1 * 640) : int(x2 * 640)].astype(int)
    assert person.size > 300
    assert float((np.abs(person - 28) <= 10).all(axis=2).mean()) > 0.97  # solid, and no longer anybody
    assert float((np.abs(picture.astype(int) - 28) <= 10).all(axis=2).mean()) < 0.5  # the place is still to be seen

    labels = {label for view in sink.views for label, *_ in view["boxes"]}
    assert "person" in labels
    assert {(s.width, s.height) for s in viewer.streams} == {(768, 576)}
    assert not list(tmp_path.rglob("*.new"))


# -- cameras that fail -----------------------------------------------------------------------------------------------------


def test_one_bad_camera_says_what_it_is_and_the_other_goes_on(tmp_path: Path, clip: Path, playing: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        nobody = probe.getsockname()[1]
    sink = Sink()
    with (
        structlog.testing.capture_logs() as logs,
        Running([clip], auth=Auth("admin", "right")) as locked,
        Running([clip], faults=Faults(fin_after_s=0.3)) as leaving,
    ):
        cameras = [
            camera("good", playing.url("gate")),
            camera("refused", f"rtsp://admin:{PASSWORD}@127.0.0.1:{nobody}/gate"),
            camera("locked", f"rtsp://admin:{PASSWORD}@127.0.0.1:{locked.server.port}/gate"),
            camera("leaving", f"rtsp://admin:{PASSWORD}@127.0.0.1:{leaving.server.port}/gate"),
        ]
        began_s = time.time()
        with working(tmp_path, cameras, sink) as worker:
            eventually(lambda: [sink.state(n) for n in ("refused", "locked")] == ["unreachable", "unauthorised"])
            eventually(lambda: any(h["camera"] == "leaving" and "ended the connection" in h["reason"] for h in sink.healths))
            eventually(lambda: worker.members["leaving"].thread.counters.reconnects >= 2)
            before = worker.members["good"].thread.counters.frames
            eventually(lambda: worker.members["good"].thread.counters.frames > before + 15)
            eventually(lambda: sink.last("good")["fps"] > 10 and sink.last("good")["inferred_per_s"] > 3)
            refused, locked_out = sink.last("refused"), sink.last("locked")
            tries = worker.members["locked"].thread.counters.reconnects
    good = sink.last("good")
    assert (good["state"], good["reason"], good["width"], good["height"], good["codec"]) == ("live", "", 320, 240, "h264")
    assert "connection refused" in refused["reason"]
    assert "电源和网络" in refused["reason_zh"]
    assert "user name or the password" in locked_out["reason"]
    assert "密码" in locked_out["reason_zh"]
    for bad in (refused, locked_out):
        assert began_s <= bad["since_s"] <= began_s + 5  # when it began, not the last try
    assert tries == 1  # a refused password is not tried again at once: the camera would lock the account
    everything = json.dumps([sink.healths, sink.clips, sink.views, logs], default=repr)
    assert PASSWORD not in everything
    assert "Tr0ub4dor" not in everything


def test_a_camera_that_comes_back_is_live_again_and_is_not_hammered_meanwhile(tmp_path: Path, clip: Path) -> None:
    sink, tries = Sink(), list[float]()

    def opened(url: str, **options: Any) -> Source:
        tries.append(time.monotonic())
        return Source.open(url, **options)

    with Running([clip]) as first:
        port = first.server.port
        with working(tmp_path, [camera("gate", first.url("gate"))], sink, open_source=opened) as worker:
            eventually(lambda: sink.state("gate") == "live")
            first.__exit__(None, None, None)
            eventually(lambda: sink.state("gate") == "unreachable")
            away_s = sink.last("gate")["since_s"]
            eventually(lambda: len(tries) >= 4)
            assert sink.last("gate")["since_s"] == away_s  # still the same outage
            gaps = np.diff(tries[1:4])
            assert gaps.tolist() == sorted(gaps.tolist())
            assert gaps[-1] >= 0.45  # 0.25, 0.5, 1 s with chance 0
            with Running([clip], port=port):
                eventually(lambda: sink.state("gate") == "live", 20)
                frames = worker.members["gate"].thread.counters.frames
                eventually(lambda: worker.members["gate"].thread.counters.frames > frames + 5)
    assert sink.last("gate")["since_s"] > away_s
    assert {h["state"] for h in sink.healths} <= {"connecting", "live", "unreachable"}


def test_hundreds_of_connections_leave_no_descriptor_behind(tmp_path: Path, clip: Path) -> None:
    folder = next(path for path in (Path("/proc/self/fd"), Path("/dev/fd")) if path.is_dir())
    with Running([clip], faults=Faults(fin_after_s=0.0)) as leaving:
        cameras = [camera("a", leaving.url("gate")), camera("b", "rtsp://127.0.0.1:9/x"), camera("c", leaving.url("no-such"))]
        with working(tmp_path, cameras, Sink(), chance=lambda: -1.0) as worker:  # -1: no wait at all
            threads = [worker.members[name].thread for name in "abc"]
            eventually(lambda: all(t.counters.reconnects > 10 for t in threads))
            before = len(os.listdir(folder))  # noqa: PTH208  # names only, and at once
            reached = [t.counters.reconnects + 40 for t in threads]
            eventually(lambda: all(t.counters.reconnects > r for t, r in zip(threads, reached, strict=True)), 30)
            assert len(os.listdir(folder)) <= before + 12  # noqa: PTH208  # what is open in this very moment


class _Tripping(Source):
    """A source on whose third picture our own code fails."""

    def decode(self, packet: VideoPacket) -> list[DecodedFrame]:
        if packet.seq == 3:
            raise ZeroDivisionError(f"while at {PASSWORD}")
        return super().decode(packet)


def test_a_defect_of_ours_on_one_camera_is_said_and_the_camera_is_tried_again(tmp_path: Path, playing: Running) -> None:
    sink = Sink()
    with (
        structlog.testing.capture_logs(),
        working(tmp_path, [camera("gate", playing.url("gate"))], sink, open_source=_Tripping.open) as worker,
    ):
        eventually(lambda: worker.members["gate"].thread.counters.reconnects >= 2)
        eventually(lambda: any("ZeroDivisionError" in h["reason"] and "出错" in h["reason_zh"] for h in sink.healths))
    assert PASSWORD not in json.dumps(sink.healths)


def test_damaged_pictures_never_reach_the_detector(tmp_path: Path) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    picture = lambda n: np.roll(noise, n * 7, 1)  # noqa: E731  # as above, faster
    clip = coded.make_file(tmp_path / "gate.mp4", frames=60, fps=30, gop=10, size=(320, 240), picture=picture)
    damaged: set[float] = set()

    class Noting(Source):
        def decode(self, packet: VideoPacket) -> list[DecodedFrame]:
            frames = super().decode(packet)
            damaged.update(frame.captured_at_s for frame in frames if frame.corrupt)
            return frames

    eyes, sink = Eyes(()), Sink()
    with Running([clip], faults=Faults(drop_share=0.03, seed=4)) as lossy:
        cameras = [camera("gate", lossy.url("gate"))]
        with working(tmp_path, cameras, sink, eyes, open_source=Noting.open, streams={"infer_per_s": 30.0}) as worker:
            eventually(lambda: len(damaged) >= 20 and len(eyes.shown) >= 10, 30)
            assert worker.members["gate"].thread.counters.corrupt >= 20
    assert damaged.isdisjoint(eyes.shown)
    assert any("packets are lost" in h["reason"] and h["state"] == "degraded" for h in sink.healths)


def test_b_frames_are_told_to_viewers_and_on_the_tile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = coded.make_file(tmp_path / "b.mp4", frames=60, fps=15, gop=15, b_frames=2)
    monkeypatch.setattr("streams.clip_file.h264.has_b_slice", lambda _: False)  # a camera that is set up so
    with Running([path]) as playing:
        monkeypatch.undo()
        sink = Sink()
        with working(tmp_path, [camera("b", playing.url("b"))], sink):
            eventually(lambda: sink.state("b") == "degraded")
            assert "Baseline" in sink.last("b")["reason"]
            assert "B 帧" in sink.last("b")["reason_zh"]
            with Viewer(tmp_path / "feed.sock", "b", "clear") as viewer:
                eventually(lambda: viewer.gone is not None)
            assert viewer.gone is not None
            assert viewer.gone.code == "b_frames"


# -- the disk --------------------------------------------------------------------------------------------------------------


def test_a_full_disk_takes_clips_and_not_sightings_and_is_told_until_there_is_room(tmp_path: Path, playing: Running) -> None:
    room = [RESERVE_BYTES - 1]
    sink, disk = Sink(), Disk(room=lambda _: room[0])
    with working(tmp_path, [camera("gate", playing.url("gate"), intrusion())], sink, disk=disk):
        eventually(lambda: bool(sink.sightings))
        eventually(lambda: sink.state("gate") == "degraded")
        assert sink.sightings[0].clip == ""
        assert "is full" in sink.last("gate")["reason"]
        assert "已满" in sink.last("gate")["reason_zh"]
        assert sink.clips == []
        assert list((tmp_path / "clips").iterdir()) == []
        room[0] = RESERVE_BYTES * 2
        eventually(lambda: sink.state("gate") == "live")  # by itself, without waiting for the next event
        eventually(lambda: any(sighting.clip for sighting in sink.sightings))
        room[0] = 0  # while a clip is open
        eventually(lambda: bool(sink.closed()))
    assert coded.decoded_count(tmp_path / "clips" / sink.closed()[0]["file"]) > 5


def test_a_thumbnail_that_cannot_be_written_does_not_keep_the_sighting(tmp_path: Path, playing: Running) -> None:
    sink = Sink()
    with working(tmp_path, [camera("gate", playing.url("gate"), intrusion(1.0))], sink):
        (tmp_path / "thumbnails").rmdir()
        eventually(lambda: bool(sink.sightings))
    assert sink.sightings[0].evidence.thumbnail_sha256 == ""
    assert sink.sightings[0].clip


# -- the detector ----------------------------------------------------------------------------------------------------------


def test_the_wall_fails_closed_before_the_first_look_and_whenever_the_detector_fails(tmp_path: Path, playing: Running) -> None:
    eyes, sink = Eyes(()), Sink()
    eyes.free.clear()
    with (
        working(tmp_path, [camera("gate", playing.url("gate"))], sink, eyes) as worker,
        Viewer(tmp_path / "feed.sock", "gate") as wall,
    ):
        eventually(lambda: len(wall.pictures) >= 10)
        assert all(is_mosaic(p) for p in wall.pictures)
        eyes.free.set()
        eventually(lambda: not is_mosaic(wall.pictures[-1]))
        assert wall.pictures[-1].shape == (240, 320)

        eyes.failing = True
        eventually(lambda: worker.members["gate"].parts.wall.cover.failed)  # at once, not when the last boxes have grown old
        eventually(lambda: is_mosaic(wall.pictures[-1]))
        seen = len(wall.pictures)
        eventually(lambda: len(wall.pictures) > seen + 20)
        assert all(is_mosaic(p) for p in wall.pictures[seen:])
        eventually(lambda: sink.state("gate") == "degraded")
        assert "detector fails (RuntimeError)" in sink.last("gate")["reason"]
        assert "检测器出错" in sink.last("gate")["reason_zh"]

        eyes.failing = False
        eventually(lambda: not is_mosaic(wall.pictures[-1]))
        eventually(lambda: sink.state("gate") == "live")


def test_people_on_the_wall_are_under_solid_boxes(tmp_path: Path, playing: Running) -> None:
    with (
        working(tmp_path, [camera("gate", playing.url("gate"))], Sink(), Eyes()),
        Viewer(tmp_path / "feed.sock", "gate") as wall,
    ):
        eventually(lambda: bool(wall.pictures) and not is_mosaic(wall.pictures[-1]))
        eventually(lambda: float(wall.pictures[-1][80:200, 135:185].std()) < 3)
        picture = wall.pictures[-1]
    assert abs(float(picture[80:200, 135:185].mean()) - 28) < 8  # full-range grey of the fill
    assert float(picture[20:60, 20:80].std()) > 15


def test_a_stuck_detector_is_noticed_and_the_cameras_go_on(tmp_path: Path, playing: Running) -> None:
    eyes, sink = Eyes(()), Sink()
    with working(tmp_path, [camera("gate", playing.url("gate"))], sink, eyes, stuck_after_s=0.4) as worker:
        eventually(lambda: len(eyes.shown) > 2)
        assert worker.alive
        eyes.free.clear()
        eventually(lambda: not worker.alive)
        frames = worker.members["gate"].thread.counters.frames
        eventually(lambda: worker.members["gate"].thread.counters.frames > frames + 10)
        assert worker.looker.passed_over["gate"] > 0
        eyes.free.set()
        eventually(lambda: worker.alive)


def test_rules_that_cannot_be_applied_are_said_and_fail_closed(tmp_path: Path, playing: Running) -> None:
    bow_tie = ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9))
    crossed = camera("gate", playing.url("gate"), intrusion().__class__("tie", "intrusion", bow_tie))
    good = camera("good", playing.url("gate"), intrusion())
    sink = Sink()
    with (
        structlog.testing.capture_logs() as logs,
        working(tmp_path, [crossed, good], sink, Eyes()),
        Viewer(tmp_path / "feed.sock", "gate") as wall,
    ):
        eventually(lambda: sink.state("gate") == "degraded")
        assert "rules fail" in sink.last("gate")["reason"]
        eventually(lambda: len(wall.pictures) > 5)
        assert all(is_mosaic(p) for p in wall.pictures)
        eventually(lambda: any(s.camera == "good" for s in sink.sightings))
    assert sum(entry["event"] == "look.failed" for entry in logs) == 1  # not once a frame


# -- clips over time -------------------------------------------------------------------------------------------------------


def test_an_event_that_outlasts_its_clip_gets_another(tmp_path: Path, playing: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vision.hazards.episode.REPEAT_S", 0.5)
    sink = Sink()
    watched = camera("gate", playing.url("gate"), intrusion())
    with working(tmp_path, [watched], sink, streams={"clip_max_s": 2.0, "pre_roll_s": 0.5, "post_roll_s": 0.5}):
        eventually(lambda: len(sink.closed()) >= 2, 20)
    assert len({s.began_at_s for s in sink.sightings}) == 1  # one event
    assert all("Clips cannot" not in h["reason"] for h in sink.healths)
    names = [clip["file"] for clip in sink.closed()]
    assert len(set(names)) == len(names)
    assert all(coded.decoded_count(tmp_path / "clips" / name) > 5 for name in names)


def test_a_worker_that_ends_closes_its_clips_and_a_closed_clip_is_told_until_the_bus_has_it(
    tmp_path: Path, playing: Running
) -> None:
    sink, watched = Sink(deaf=True), camera("gate", playing.url("gate"), intrusion())
    with working(tmp_path, [watched], sink, streams={"post_roll_s": 30.0}):
        eventually(lambda: any(clip["state"] == "open" for clip in sink.clips))
        assert len(list((tmp_path / "clips").glob("*.open"))) == 1
    (closed,) = sink.closed()  # at the worker's end, though the event went on
    assert len(list((tmp_path / "clips").glob("*.open"))) == 1  # nobody has heard it yet

    again = Sink()
    with working(tmp_path, [watched], again, Eyes(())):
        eventually(lambda: bool(again.closed()))
        (told,) = again.closed()
    assert {k: told[k] for k in ("clip", "file", "bytes", "sha256")} == {
        k: closed[k] for k in ("clip", "file", "bytes", "sha256")
    }
    assert list((tmp_path / "clips").glob("*.open")) == []


def test_a_worker_with_a_silent_camera_ends_in_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and never says a word
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x"
        with working(tmp_path, [camera(f"silent-{n}", url) for n in range(6)], Sink()) as worker:
            eventually(lambda: all(m.runner.is_alive() for m in worker.members.values()))
            time.sleep(0.2)  # let them all get into the connection; nothing is asserted of it
            began_s = time.monotonic()
            worker.close()
            assert time.monotonic() - began_s < 4
