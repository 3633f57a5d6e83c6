"""`callout bench detect`: how well and how fast a detector finds people, and how well they are covered, on annotated video.

The truth file has a line per annotated frame: its number (1 = the first decoded frame), then `x,y,w,h` boxes in pixels;
a box that begins with `i` is a region to ignore.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np

from configs.settings import environment
from models import store
from models.errors import ModelError
from models.manifest import ModelEntry
from vision import redact
from vision.detections import Box, Detection
from vision.detector import Detector, FaceDetector
from vision.evaluate import FrameFound, FrameTruth, quality
from vision.frame import Frame, Planes

AP50_LEAST = 0.86  # the bar
HEAD_RECALL_LEAST = 0.95
HEAD_SHARE = 0.2  # the upper fifth of a person's box, its middle half: the head
HEAD_COVERED = 0.9  # covered: nine tenths of the head's area
COVER_EVERY_S = 0.3  # between the inferences that the cover lives on: a little slower than streams.infer_per_s
MEASURE_FLOOR = 0.01  # AP is the area under the whole curve, so the detector's own floor is taken away for it
TIMED_RUNS = 60


@dataclass(frozen=True, slots=True)
class Row:
    """What is printed. `ms_1t` is the median CPU time of the network alone, `detect_ms` with letterbox, decoding, NMS.

    Heads are those of annotated people: at the instant of an inference, and in the frames from there to the next one.
    """

    model: str
    sha256: str
    frames: int
    people: int
    ap50: float
    recall_at_p90: float
    score_at_p90: float
    ms_1t: float
    detect_ms: float
    head_recall_at_inference: float
    head_recall_between: float
    covered_share: float
    ok: bool


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="callout bench detect", description=__doc__)
    parser.add_argument("--model", action="append", help="a model's name (again for more); default: nanodet_g_416_int8")
    parser.add_argument("--video", type=Path, help="default: footage/vtest.avi of the assets folder")
    parser.add_argument("--truth", type=Path, help="default: the video's name with _gt.txt")
    parser.add_argument("--json", action="store_true", help="print one JSON object a model as the last lines")
    parser.add_argument("--break", dest="broken", choices=("shift", "blind"), help="plant a defect that must fail the bar")
    return parser


def run(words: Sequence[str]) -> int:
    """0: every model meets its bar; 1: one does not; 2: something is missing."""
    args = _parser().parse_args(words)
    assets = environment().assets
    video = args.video or (assets / "footage" / "vtest.avi" if assets else None)
    if video is None:
        return _fail("no video. Give --video and --truth, or set CALLOUT_ASSETS to a folder with footage/vtest.avi")
    truth_file = args.truth or video.with_name(f"{video.stem}_gt.txt")
    for path in (video, truth_file):
        if not path.is_file():
            return _fail(f"no such file: {path}")
    cv2.setNumThreads(1)
    try:
        truth = read_truth(truth_file)
    except ValueError as error:
        return _fail(str(error))
    rows: list[Row] = []
    faces: list[dict[str, Any]] = []
    for name in args.model or ["nanodet_g_416_int8"]:
        try:
            found = store.find(name, assets)
            if found.entry.task == "faces":
                faces.append(measure_faces(found, video, truth))
                continue
            rows.append(measure(found.entry, found.path, video, truth, args.broken))
        except (ModelError, ValueError) as error:
            return _fail(str(error))
    _print(rows, faces, as_json=args.json)
    return 0 if all(row.ok for row in rows) else 1


def _print(rows: list[Row], faces: list[dict[str, Any]], *, as_json: bool) -> None:
    columns = ("AP50", "recall at p .9", "network ms", "detect ms", "heads covered", "picture covered")
    if rows:
        print(f"{'model':<22}" + "".join(f"{column:>17}" for column in columns))
    for row in rows:
        print(
            f"{row.model:<22}{row.ap50:>17.3f}{row.recall_at_p90:>17.3f}{row.ms_1t:>17.1f}{row.detect_ms:>17.1f}"
            f"{row.head_recall_between:>17.3f}{row.covered_share:>17.3f}" + ("" if row.ok else "   below the bar")
        )
    for face in faces:
        print(
            f"{face['model']}: a face in {face['heads_with_a_face']} of {face['heads']} heads, "
            f"network {face['ms_1t']} ms, detect {face['detect_ms']} ms"
        )
    if as_json:
        for line in [*(asdict(row) for row in rows), *faces]:
            print(json.dumps(line))


def measure_faces(found: store.FoundModel, video: Path, truth: dict[int, FrameTruth]) -> dict[str, Any]:
    """How many of the annotated heads a face detector finds at all. On surveillance pictures: few, hence whole people are
    covered. No bar: the figure is there to be known."""
    detector = FaceDetector(found.entry, found.path)
    heads = hits = 0
    sample: Frame | None = None
    for number, frame in frames(video):
        if number not in truth:
            continue
        sample = frame
        centres = [
            ((d.box[0] + d.box[2]) / 2 * frame.width, (d.box[1] + d.box[3]) / 2 * frame.height) for d in detector.detect(frame)
        ]
        for x1, y1, x2, y2 in truth[number].boxes.tolist():
            bottom = y1 + HEAD_SHARE * (y2 - y1)
            heads += 1
            hits += any(x1 <= x <= x2 and y1 <= y <= bottom for x, y in centres)
    if sample is None:
        raise ValueError(f"{video} has none of the annotated frames")
    network_ms, detect_ms = _timed(detector, sample)
    figures = {"heads": heads, "heads_with_a_face": hits, "ms_1t": round(network_ms, 2), "detect_ms": round(detect_ms, 2)}
    return {"model": found.entry.name, "sha256": detector.sha256, "frames": len(truth), **figures}


def read_truth(path: Path) -> dict[int, FrameTruth]:
    """Frame number → truth. Raises ValueError with the line that cannot be read."""
    truth = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            frame, *boxes = line.split()
            rows = [(box.startswith("i"), [float(side) for side in box.removeprefix("i").split(",")]) for box in boxes]
            truth[int(frame)] = FrameTruth(_corners([r for i, r in rows if not i]), _corners([r for i, r in rows if i]))
        except (ValueError, IndexError):
            raise ValueError(f"{path}:{number}: expected `frame x,y,w,h …`, got {line[:60]!r}") from None
    return truth


def measure(entry: ModelEntry, path: Path, video: Path, truth: dict[int, FrameTruth], broken: str | None) -> Row:
    """Runs the detector on every frame of the video; figures are taken on the annotated ones."""
    open_floor = replace(entry.scores, floor=(("person", MEASURE_FLOOR), ("default", 0.99)))
    detector = Detector(replace(entry, scores=open_floor), path)
    people: dict[int, tuple[Detection, ...]] = {}
    times: dict[int, float] = {}
    sample: Frame | None = None
    for number, frame in frames(video):
        people[number] = _broken(tuple(d for d in detector.detect(frame) if d.label == "person"), broken)
        times[number] = frame.captured_at_s
        sample = frame
    if sample is None or not truth.keys() <= people.keys():
        raise ValueError(f"{video} has {len(people)} frames, the truth speaks of frame {max(truth)}")
    size = (sample.width, sample.height)
    figures = quality(list(truth.values()), [_found(people[number], size) for number in truth])
    floor = entry.scores.floor_for("person")
    heads = Heads(truth, size)
    for phase in range(heads.phases(times)):
        heads.play({n: tuple(d for d in found if d.score >= floor) for n, found in people.items()}, times, phase)
    network_ms, detect_ms = _timed(Detector(entry, path), sample)
    return Row(
        model=entry.name,
        sha256=detector.sha256,
        frames=len(truth),
        people=figures.true_boxes,
        ap50=round(figures.ap50, 4),
        recall_at_p90=round(figures.recall_at_p90, 4),
        score_at_p90=round(figures.score_at_p90, 3),
        ms_1t=round(network_ms, 2),
        detect_ms=round(detect_ms, 2),
        head_recall_at_inference=round(heads.recall(fresh=True), 4),
        head_recall_between=round(heads.recall(fresh=False), 4),
        covered_share=round(heads.share(), 4),
        ok=figures.ap50 >= AP50_LEAST and heads.recall(fresh=False) >= HEAD_RECALL_LEAST,
    )


def frames(video: Path) -> Iterator[tuple[int, Frame]]:
    """(1, first frame), (2, second) … as the decoder's own planes, stamped with the video's time."""
    with av.open(str(video)) as container:
        for number, picture in enumerate(container.decode(video=0), 1):
            raw = picture if picture.format.name in {"yuv420p", "yuvj420p"} else picture.reformat(format="yuv420p")
            y, u, v = (
                np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
                for plane in raw.planes
            )
            yield number, Frame.from_planes("bench", float(picture.time or 0.0), number, Planes(y, u, v))


class Heads:
    """Counts the true heads that the cover covers. The inferences are played at every phase against the annotated frames."""

    def __init__(self, truth: dict[int, FrameTruth], size: tuple[int, int]) -> None:
        self._truth = truth
        self._width, self._height = size
        self._counts = {True: [0, 0], False: [0, 0]}
        self._shares: list[float] = []

    def phases(self, times: dict[int, float]) -> int:
        """The frames from one inference to the next."""
        ordered = sorted(times.values())
        return max(1, round(COVER_EVERY_S / statistics.median(b - a for a, b in pairwise(ordered))))

    def play(self, people: dict[int, tuple[Detection, ...]], times: dict[int, float], phase: int) -> None:
        state, aspect, begun = redact.CoverState(), self._width / self._height, False
        for number, at_s in sorted(times.items()):
            fresh = number % self.phases(times) == phase
            if fresh:
                state, _ = redact.step(state, people[number], at_s, aspect=aspect)
                begun = True
            if begun and number in self._truth:
                self._count(self._truth[number], redact.boxes_at(state, at_s, aspect=aspect), fresh=fresh)

    def _count(self, truth: FrameTruth, boxes: tuple[Box, ...], *, fresh: bool) -> None:
        mask = np.zeros((self._height, self._width, 3), np.uint8)
        redact.cover(mask, boxes)
        hidden = mask[:, :, 0] > 0
        self._shares.append(float(hidden.mean()))
        for x1, y1, x2, y2 in truth.boxes.tolist():
            quarter = (x2 - x1) / 4
            top, bottom = max(0, round(y1)), round(y1 + HEAD_SHARE * (y2 - y1))
            head = hidden[top:bottom, max(0, round(x1 + quarter)) : round(x2 - quarter)]
            if head.size:
                self._counts[fresh][0] += bool(head.mean() >= HEAD_COVERED)
                self._counts[fresh][1] += 1

    def recall(self, *, fresh: bool) -> float:
        right, total = self._counts[fresh]
        return right / total if total else 0.0

    def share(self) -> float:
        return statistics.fmean(self._shares)


def _timed(detector: Detector, frame: Frame) -> tuple[float, float]:
    """Median CPU milliseconds of the network alone and of all of `detect`, taken in turns."""
    tensor = detector.tensor(frame)
    network_ms, detect_ms = [], []
    for _ in range(TIMED_RUNS):
        start = time.process_time()
        detector.infer(tensor)
        middle = time.process_time()
        detector.detect(frame)
        network_ms.append((middle - start) * 1000)
        detect_ms.append((time.process_time() - middle) * 1000)
    return statistics.median(network_ms), statistics.median(detect_ms)


def _found(people: tuple[Detection, ...], size: tuple[int, int]) -> FrameFound:
    boxes = np.array([d.box for d in people], np.float32).reshape(-1, 4) * np.array([*size, *size], np.float32)
    return FrameFound(boxes, np.array([d.score for d in people], np.float32))


def _corners(boxes: list[list[float]]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.float32).reshape(-1, 4)


def _broken(found: tuple[Detection, ...], how: str | None) -> tuple[Detection, ...]:
    if how == "blind":
        return ()
    if how == "shift":
        return tuple(replace(d, box=_shifted(d.box)) for d in found)
    return found


def _shifted(box: Box) -> Box:
    return (box[0], box[1] * 0.9, box[2], box[3] * 0.9)  # as if the letterbox were centred


def _fail(problem: str) -> int:
    print(f"callout bench detect: {problem}", file=sys.stderr)
    return 2
