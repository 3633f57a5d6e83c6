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
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np

from configs.settings import environment
from models import store
from models.errors import ModelError
from vision import redact
from vision.detections import Box, Detection
from vision.detector import Detector
from vision.evaluate import FrameFound, FrameTruth, Quality, quality
from vision.frame import Frame, Planes

AP50_LEAST = 0.86  # the bar
HEAD_RECALL_LEAST = 0.95
HEAD_SHARE = 0.2  # the upper fifth of a person's box, its middle half: the head
HEAD_COVERED = 0.9  # covered: nine tenths of the head's area
INFER_PER_S = 4.0  # as streams.infer_per_s
TIMED_RUNS = 60


@dataclass(frozen=True, slots=True)
class Row:
    """What is printed. `ms_1t` is the median CPU time of the network alone, `detect_ms` with letterbox, decoding, NMS."""

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


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", action="append", help="a model's name (again for more); default: nanodet_g_416_int8")
    parser.add_argument("--video", type=Path, help="default: footage/vtest.avi of the assets folder")
    parser.add_argument("--truth", type=Path, help="default: the video's name with _gt.txt")
    parser.add_argument("--json", action="store_true", help="print one JSON object a model as the last lines")
    parser.add_argument("--break", dest="broken", choices=("shift", "blind"), help="plant a defect that must fail the bar")


def run(args: argparse.Namespace) -> int:
    """0: every model meets its bar; 1: one does not; 2: something is missing."""
    assets = environment().assets
    video = args.video or (assets / "footage" / "vtest.avi" if assets else None)
    if video is None:
        return _fail("no video. Give --video and --truth, or set CALLOUT_ASSETS to a folder with footage/vtest.avi")
    truth_file = args.truth or video.with_name(f"{video.stem}_gt.txt")
    for path in (video, truth_file):
        if not path.is_file():
            return _fail(f"no such file: {path}")
    cv2.setNumThreads(1)
    truth = read_truth(truth_file)
    rows = []
    for name in args.model or ["nanodet_g_416_int8"]:
        try:
            found = store.find(name, assets)
            detector = Detector(found.entry, found.path)
        except ModelError as error:
            return _fail(str(error))
        rows.append(measure(detector, video, truth, args.broken))
    print(
        f"{'model':<22}{'AP50':>7}{'recall at p .9':>16}{'network ms':>12}{'detect ms':>11}{'heads covered':>15}{'picture covered':>17}"
    )
    for row in rows:
        print(
            f"{row.model:<22}{row.ap50:>7.3f}{row.recall_at_p90:>16.3f}{row.ms_1t:>12.1f}{row.detect_ms:>11.1f}"
            f"{row.head_recall_between:>15.3f}{row.covered_share:>17.3f}" + ("" if row.ok else "   below the bar")
        )
    if args.json:
        for row in rows:
            print(json.dumps(asdict(row)))
    return 0 if all(row.ok for row in rows) else 1


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


def measure(detector: Detector, video: Path, truth: dict[int, FrameTruth], broken: str | None) -> Row:
    """Runs the detector on every annotated frame, and the cover of people on the whole video at 4 inferences a second."""
    seen: list[FrameFound] = []
    heads = _Heads(detector)
    sample: Frame | None = None
    for number, frame in frames(video):
        if number in truth:
            found = _broken(detector.detect(frame), broken)
            seen.append(_people(found, frame))
            sample = frame
        heads.frame(frame, truth.get(number), broken)
    figures = quality(list(truth.values()), seen)
    assert sample is not None
    network_ms, detect_ms = _timed(detector, sample)
    return _row(detector, figures, len(seen), network_ms, detect_ms, heads)


def frames(video: Path) -> Iterator[tuple[int, Frame]]:
    """(1, first frame), (2, second) … as the decoder's own planes, stamped with the video's time."""
    with av.open(str(video)) as container:
        for number, picture in enumerate(container.decode(video=0), 1):
            raw = picture if picture.format.name in {"yuv420p", "yuvj420p"} else picture.reformat(format="yuv420p")
            y, u, v = (
                np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width] for plane in raw.planes
            )
            yield number, Frame.from_planes("bench", float(picture.time or 0.0), number, Planes(y, u, v))


class _Heads:
    """Counts true heads that the cover covers: at the instant of an inference, and in the frames until the next one."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._state = redact.CoverState()
        self._next_s = 0.0
        self._counts = {True: [0, 0], False: [0, 0]}
        self._shares: list[float] = []

    def frame(self, frame: Frame, truth: FrameTruth | None, broken: str | None) -> None:
        aspect, at_s = frame.width / frame.height, frame.captured_at_s
        fresh = at_s >= self._next_s - 1e-6
        if fresh:
            self._next_s = max(self._next_s + 1 / INFER_PER_S, at_s)
            self._state, _ = redact.step(self._state, _broken(self._detector.detect(frame), broken), at_s, aspect=aspect)
        if truth is None:
            return
        mask = np.zeros((frame.height, frame.width, 3), np.uint8)
        redact.cover(mask, redact.boxes_at(self._state, at_s, aspect=aspect))
        hidden = mask[:, :, 0] > 0
        self._shares.append(float(hidden.mean()))
        for x1, y1, x2, y2 in truth.boxes.tolist():
            quarter = (x2 - x1) / 4
            top, bottom = max(0, round(y1)), round(y1 + HEAD_SHARE * (y2 - y1))
            head = hidden[top:bottom, max(0, round(x1 + quarter)) : round(x2 - quarter)]
            self._counts[fresh][0] += bool(head.size and head.mean() >= HEAD_COVERED)
            self._counts[fresh][1] += 1

    def recall(self, *, fresh: bool) -> float:
        right, total = self._counts[fresh]
        return right / total if total else 0.0

    def share(self) -> float:
        return statistics.fmean(self._shares)


def _row(detector: Detector, figures: Quality, count: int, network_ms: float, detect_ms: float, heads: _Heads) -> Row:
    between = heads.recall(fresh=False)
    return Row(
        model=detector.entry.name,
        sha256=detector.sha256,
        frames=count,
        people=figures.true_boxes,
        ap50=round(figures.ap50, 4),
        recall_at_p90=round(figures.recall_at_p90, 4),
        score_at_p90=round(figures.score_at_p90, 3),
        ms_1t=round(network_ms, 2),
        detect_ms=round(detect_ms, 2),
        head_recall_at_inference=round(heads.recall(fresh=True), 4),
        head_recall_between=round(between, 4),
        covered_share=round(heads.share(), 4),
        ok=figures.ap50 >= AP50_LEAST and between >= HEAD_RECALL_LEAST,
    )


def _timed(detector: Detector, frame: Frame) -> tuple[float, float]:
    """Median CPU milliseconds of the network alone and of all of `detect`."""
    tensor = detector.tensor(frame)
    costs: tuple[list[float], list[float]] = ([], [])
    for _ in range(TIMED_RUNS):
        for kind, call in enumerate((lambda: detector.infer(tensor), lambda: detector.detect(frame))):
            start = time.process_time()
            call()
            costs[kind].append((time.process_time() - start) * 1000)
    return statistics.median(costs[0]), statistics.median(costs[1])


def _people(found: tuple[Detection, ...], frame: Frame) -> FrameFound:
    people = [d for d in found if d.label == "person"]
    scale = np.array([frame.width, frame.height, frame.width, frame.height], np.float32)
    boxes = np.array([d.box for d in people], np.float32).reshape(-1, 4) * scale
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="callout bench detect", description=__doc__)
    arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
