"""One side of `bench pipeline`, in a process of its own so that its CPU time is its own: `ours` or the `bound`.

ours: the real worker (demux, ring, clip, gate, sampler, detector, tracker, hazards) on live RTSP cameras.
bound: what bare PyAV and bare ONNX Runtime cost on the same cameras: one thread per camera decodes every frame; one session with
one thread runs a prepared input. No gate, no scaling, no tracking, no ring.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from configs import schema
from configs.settings import ROOT, environment, parse
from models import store
from models.manifest import ModelEntry
from streams.packet import VideoPacket
from streams.source import DecodedFrame, Source
from streams.worker import Folders, Worker
from vision.detector import Detector, FaceDetector
from vision.frame import Frame
from vision.look import RELEVANT
from vision.sighting import Sighting

SETTLE_S = 3.0


class _Counting:
    """A sink that only counts: the bus is not part of the pipeline's cost."""

    def __init__(self) -> None:
        self.sightings = 0

    def sighting(self, sighting: Sighting) -> None:
        self.sightings += 1

    def clip(self, message: dict[str, Any], told: Callable[[], None]) -> None: ...
    def health(self, message: dict[str, Any]) -> None: ...
    def view(self, message: dict[str, Any]) -> None: ...


class _Timed(Detector):
    """Notes what each bare inference costs inside the worker, beside the decoding threads: the bound's runs alone."""

    def __init__(self, entry: ModelEntry, path: Path) -> None:
        super().__init__(entry, path, only=RELEVANT)
        self.costs: list[float] = []

    def infer(self, tensor: Any) -> Any:
        began = time.thread_time()
        try:
            return super().infer(tensor)
        finally:
            self.costs.append(time.thread_time() - began)


class _SlowSource(Source):
    """The planted defect `slow`: every frame is converted at full size, three times over, before anybody asks for it."""

    def decode(self, packet: VideoPacket) -> list[DecodedFrame]:
        frames = super().decode(packet)
        for frame in frames:
            for format_ in ("rgb24", "bgr24", "bgra"):
                frame._frame.to_ndarray(format=format_)
        return frames


def ours(urls: list[str], seconds: float, model: str, rate: float, defect: str) -> dict[str, Any]:
    assets = environment().assets
    found, faces = store.find(model, assets), store.find("centerface_int8", assets)
    cameras = [_camera(f"cam-{index}", url) for index, url in enumerate(urls)]
    sink, eyes = _Counting(), _Timed(found.entry, found.path)
    with tempfile.TemporaryDirectory(prefix="callout-") as folder:
        root = Path(folder)
        worker = Worker(
            cameras,
            schema.Streams(infer_per_s=rate, pre_roll_s=8, post_roll_s=4, clip_max_s=30),
            Folders(root, root, root / "feed.sock"),
            eyes=eyes,
            scores=found.entry.scores,
            faces=FaceDetector(faces.entry, faces.path),
            sink=sink,
            open_source=_SlowSource.open if defect == "slow" else Source.open,
        )
        worker.start()
        stop = threading.Event()
        ticking = threading.Thread(target=worker.run, args=(stop,), daemon=True)
        ticking.start()
        time.sleep(SETTLE_S)
        before = _counts(worker)
        cpu, wall = time.process_time(), time.monotonic()
        time.sleep(seconds)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        after = _counts(worker)
        stop.set()
        worker.close()
    frames, looked, passed_over = (b - a for a, b in zip(before, after, strict=True))
    return {
        "cpu_s_per_camera_s": cpu / wall / len(urls),
        "fps": frames / wall / len(urls),
        "rate": looked / wall / len(urls),
        "dropped": passed_over,
        "sightings": sink.sightings,
        "infer_cpu_s": statistics.median(eyes.costs),
    }


def bound(urls: list[str], seconds: float, model: str) -> dict[str, Any]:
    infer_s = _inference(model)
    frames, stop = [0] * len(urls), threading.Event()
    threads = [threading.Thread(target=_decode, args=(url, stop, frames, index), daemon=True) for index, url in enumerate(urls)]
    for thread in threads:
        thread.start()
    time.sleep(SETTLE_S)
    count, cpu, wall = sum(frames), time.process_time(), time.monotonic()
    time.sleep(seconds)
    cpu, wall, count = time.process_time() - cpu, time.monotonic() - wall, sum(frames) - count
    stop.set()
    for thread in threads:  # an interpreter that ends under a decoding thread crashes
        thread.join(5)
    return {"decode_cpu_s": cpu / wall / len(urls), "infer_cpu_s": infer_s, "fps": count / wall / len(urls)}


def _inference(model: str) -> float:
    """Median CPU seconds of one bare session.run on a prepared input."""
    found = store.find(model, environment().assets)
    detector = Detector(found.entry, found.path)
    width, height = found.entry.input.size_px
    picture = np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
    tensor = detector.tensor(Frame.from_bgr("bench", 0.0, 0, picture))
    costs = []
    for index in range(65):
        began = time.process_time()
        detector.infer(tensor)
        if index >= 5:
            costs.append(time.process_time() - began)
    return statistics.median(costs)


def _decode(url: str, stop: threading.Event, frames: list[int], index: int) -> None:
    options = {"rtsp_transport": "tcp", "probesize": "32", "analyzeduration": "0"}
    with av.open(url, options=options, timeout=(10, 10)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        for packet in _until(stop, container, stream):
            if packet.size:
                frames[index] += len(packet.decode())


def _until(stop: threading.Event, container: Any, stream: Any) -> Iterator[Any]:
    for packet in container.demux(stream):
        if stop.is_set():
            return
        yield packet


def _counts(worker: Worker) -> tuple[int, int, int]:
    threads = [member.thread for member in worker.members.values()]
    looker = worker.looker
    return sum(t.counters.frames for t in threads), sum(looker.looked.values()), sum(looker.passed_over.values())


def _camera(name: str, url: str) -> schema.Camera:
    """The demo's campus camera, zones, calibration and all, and a live lane over the whole picture."""
    text = (ROOT / "configs" / "demo" / "cameras" / "campus.toml").read_text(encoding="utf-8").replace("{port}", "0")
    campus = parse(text.replace('jurisdiction = "centre"', ""), "campus.toml").camera[0]
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    lane = schema.Zone("lane", "stopped_vehicle", whole, dwell_s=10)
    return dataclasses.replace(campus, id=name, url=url, zones=(*campus.zones, lane))


if __name__ == "__main__":
    side, text = sys.argv[1:]
    settings = json.loads(text)
    cv2.setNumThreads(1)
    print(json.dumps(ours(**settings) if side == "ours" else bound(**settings)))
