"""The bench of the detector: reads its truth strictly, tells every field, and fails when a defect is planted."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from cli import bench_detect
from models import store
from vision.detector import Detector

CAMPUS = Path(__file__).resolve().parents[2] / "configs" / "demo" / "campus.mp4"
FRAMES = 24


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_detect, "TIMED_RUNS", 5)


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The first frames of the demo clip, with the detector's own sure boxes as truth: this tests the bench, not the detector."""
    folder = tmp_path_factory.mktemp("bench")
    video, truth = folder / "short.mp4", folder / "short_gt.txt"
    with av.open(str(CAMPUS)) as source, av.open(str(video), "w") as target:
        out = target.add_stream_from_template(source.streams.video[0])
        for count, packet in enumerate(p for p in source.demux(video=0) if p.size):
            if count == FRAMES:
                break
            packet.stream = out
            target.mux(packet)
    found = store.find("nanodet_g_416_int8")
    detector = Detector(found.entry, found.path)
    lines = []
    for number, frame in bench_detect.frames(video):
        if number % 5 == 0:
            people = [d.box for d in detector.detect(frame) if d.label == "person" and d.score >= 0.15]
            pixels = [
                (x1 * frame.width, y1 * frame.height, (x2 - x1) * frame.width, (y2 - y1) * frame.height)
                for x1, y1, x2, y2 in people
            ]
            lines.append(" ".join([str(number), *(",".join(f"{side:.1f}" for side in box) for box in pixels), "i0,0,1,1"]))
    truth.write_text("\n".join(lines), encoding="utf-8")
    return video, truth


def test_it_tells_every_field_and_passes(annotated: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_detect.run(["--video", str(annotated[0]), "--json"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert row["model"] == "nanodet_g_416_int8"
    assert row["ap50"] > 0.98
    assert row["recall_at_p90"] > 0.98
    assert 1 < row["ms_1t"] <= row["detect_ms"] * 1.2
    assert row["head_recall_between"] > 0.95


@pytest.mark.parametrize("defect", ["shift", "blind"])
def test_a_planted_defect_fails_the_bar(annotated: tuple[Path, Path], defect: str) -> None:
    assert bench_detect.run(["--video", str(annotated[0]), "--break", defect]) == 1


def test_faces_are_counted_against_heads(annotated: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_detect.run(["--video", str(annotated[0]), "--model", "centerface_int8", "--json"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert row["heads_with_a_face"] <= row["heads"]


def test_what_is_missing_or_wrong_is_said(
    annotated: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video, truth = annotated
    bad = tmp_path / "gt.txt"
    bad.write_text("5 1,2,3,4\nfive 1,2,3,4\n", encoding="utf-8")
    for words, says in (
        (["--video", str(tmp_path / "absent.mp4")], "no such file"),
        (["--video", str(video), "--truth", str(bad)], f"{bad}:2: expected `frame x,y,w,h"),
        (["--video", str(video), "--truth", str(truth), "--model", "nano"], "There is no model 'nano'"),
    ):
        assert bench_detect.run(words) == 2
        assert says in capsys.readouterr().err
    bad.write_text("9999 1,2,3,4\n", encoding="utf-8")
    assert bench_detect.run(["--video", str(video), "--truth", str(bad)]) == 2
    assert "the truth speaks of frame 9999" in capsys.readouterr().err
