"""Copies that can be served: of GIF, AVI and of MP4 with B-frames or rare key frames; made once, never half."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import av
import pytest

from streams import transcode
from streams.clip_file import ClipError, facts, load
from tests.streams import coded

FOOTAGE = Path(os.environ.get("CALLOUT_ASSETS", Path(__file__).resolve().parents[3] / "shared")) / "footage"


def _gif(path: Path) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 121, 81, "rgb8"  # odd sides, as GIFs have them
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(coded.moving((121, 81))(number), format="rgb24").reformat(format="rgb8")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_any_clip_becomes_servable(tmp_path: Path) -> None:
    sources = [
        (_gif(tmp_path / "a.gif"), 2.5),
        (coded.make_file(tmp_path / "b.avi", codec="mpeg4", frames=40), 4.0),
        (coded.make_file(tmp_path / "c.mp4", frames=60, gop=60, b_frames=2), 6.0),
        (coded.make_file(tmp_path / "d.mp4", frames=75, fps=25, gop=75), 3.0),
    ]
    for path, seconds in sources:
        shares: list[float] = []
        copy = transcode.served(path, tmp_path / "cache", shares.append)
        found = facts(copy)
        assert found.servable
        assert found.gop_s <= 1.001
        assert found.seconds == pytest.approx(seconds, abs=0.15)
        assert copy.stem == path.stem  # so that its address stays the same
        assert load(copy).fps == pytest.approx(facts(path).fps, rel=0.05)
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        stamp = copy.stat().st_mtime_ns
        assert transcode.served(path, tmp_path / "cache").stat().st_mtime_ns == stamp
    assert not list((tmp_path / "cache").rglob(".making-*"))


def test_a_servable_file_is_served_as_it_is(tmp_path: Path) -> None:
    path = coded.make_file(tmp_path / "good.mp4")
    assert transcode.served(path, tmp_path / "cache") == path
    assert not (tmp_path / "cache").exists()


def test_an_interrupted_copy_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    path = coded.make_file(tmp_path / "long.mp4", frames=60, gop=60)

    def stop(share: float) -> None:
        if share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transcode.served(path, tmp_path / "cache", stop)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert facts(transcode.served(path, tmp_path / "cache")).servable


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello " * 1000)
    with pytest.raises(ClipError, match="not a video"):
        transcode.served(path, tmp_path / "cache")


def test_the_clip_that_ships_is_the_one_in_its_provenance_and_can_be_served() -> None:
    found = facts(coded.CAMPUS)
    assert found.servable
    assert (found.size, found.fps) == ((768, 576), 10.0)
    assert 40 <= found.seconds <= 60
    clip = load(coded.CAMPUS)
    assert clip.sets.sps[0][1] in {66, 77}  # Baseline or Main: what every browser plays
    provenance = (coded.CAMPUS.parent / "PROVENANCE.md").read_text()
    for path in (coded.CAMPUS, coded.CAMPUS.with_name("helsinki.osm.pbf")):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in provenance
    assert coded.CAMPUS.stat().st_size < 3_000_000


@pytest.mark.parametrize("name", ["intel_preview_worker-zone-detection.gif", "furg_house6.mp4"])
def test_real_footage_where_it_is_at_hand(name: str, tmp_path: Path) -> None:
    path = FOOTAGE / name
    if not path.exists():
        path = coded.make_file(tmp_path / "stand-in.mp4", frames=60, gop=60)  # the same case, made here
    assert facts(transcode.served(path, tmp_path / "cache")).servable
