"""What the tests of a whole worker are made of: a sink that keeps, eyes that obey, somebody who watches the wall."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from configs import schema
from models.manifest import load
from streams.feed import Gone, Packet, Stream, View, Watch, encode, receive
from streams.worker import Folders, Worker
from vision.detections import Detection
from vision.frame import Frame
from vision.redact import MOSAIC_BLOCKS
from vision.sighting import Sighting

WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
SOMEBODY = (Detection("person", 0.9, (0.4, 0.3, 0.6, 0.9)),)
DETECTOR = "nanodet_g_416_int8"


def eventually(condition: Callable[[], bool], within_s: float = 15.0, *, every_s: float = 0.02) -> None:
    """Returns as soon as it holds; fails the test when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every_s)


@dataclass
class Sink:
    """Keeps what a worker says, as it would go over the bus. `deaf`: takes messages and tells nobody that they are out."""

    sightings: list[Sighting] = field(default_factory=list)
    clips: list[dict[str, Any]] = field(default_factory=list)
    healths: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    deaf: bool = False

    def sighting(self, sighting: Sighting) -> None:
        self.sightings.append(Sighting.from_json(sighting.to_json()))

    def clip(self, message: dict[str, Any], told: Callable[[], None]) -> None:
        self.clips.append(json.loads(json.dumps(message)))
        if not self.deaf:
            told()

    def health(self, message: dict[str, Any]) -> None:
        self.healths.append(json.loads(json.dumps(message)))

    def view(self, message: dict[str, Any]) -> None:
        self.views.append(json.loads(json.dumps(message)))

    def state(self, camera: str) -> str:
        return str(self.last(camera).get("state", ""))

    def last(self, camera: str) -> dict[str, Any]:
        return next((h for h in reversed(self.healths) if h["camera"] == camera), {})

    def closed(self) -> list[dict[str, Any]]:
        return [clip for clip in self.clips if clip["state"] == "closed"]


class Eyes:
    """Sees what it is told to, fails or hangs when it is told to, and remembers the capture times of what it was shown."""

    sha256 = "0" * 64

    def __init__(self, sees: Sequence[Detection] = SOMEBODY) -> None:
        self.sees = sees
        self.failing = False
        self.free = threading.Event()
        self.free.set()
        self.shown: list[float] = []

    def detect(self, frame: Frame) -> Sequence[Detection]:
        self.free.wait(30)
        if self.failing:
            raise RuntimeError("the accelerator is gone")
        self.shown.append(frame.captured_at_s)
        return self.sees


class NoFaces:
    def detect(self, frame: Frame) -> Sequence[Detection]:
        return ()


def camera(name: str, url: str, *zones: schema.Zone) -> schema.Camera:
    return schema.Camera(name, name, url, (60.17, 24.94), "a test", zones=zones)


def intrusion(dwell_s: float = 0.3) -> schema.Zone:
    return schema.Zone("all", "intrusion", WHOLE, dwell_s=dwell_s)


@contextmanager
def working(
    folder: Path, cameras: Sequence[schema.Camera], sink: Sink, eyes: Any = None, faces: Any = None, **options: Any
) -> Iterator[Worker]:
    """A worker at work. `streams` among the options are settings that differ from these."""
    folders = Folders(folder / "clips", folder / "thumbnails", folder / "feed.sock")
    for made in (folders.clips, folders.thumbnails):
        made.mkdir(exist_ok=True)
    settings = {"infer_per_s": 8.0, "pre_roll_s": 1.0, "post_roll_s": 1.0, "clip_max_s": 30.0, **options.pop("streams", {})}
    scores = load().entry(DETECTOR).scores
    worker = Worker(
        cameras, schema.Streams(**settings), folders,
        eyes=eyes or Eyes(), scores=scores, faces=faces or NoFaces(), sink=sink, **{"chance": lambda: 0.0, **options},
    )  # fmt: skip
    stop = threading.Event()
    worker.start()
    ticking = threading.Thread(target=worker.run, args=(stop,), daemon=True)
    ticking.start()
    try:
        yield worker
    finally:
        stop.set()
        ticking.join(5)
        worker.close()


class Viewer:
    """Watches one camera's feed and decodes it: `pictures` are luma planes, `gone` why it ended."""

    def __init__(self, socket_path: Path, name: str, view: View = "wall") -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(socket_path))
        self._socket.settimeout(20)
        self._socket.sendall(encode(Watch(name, view)))
        self.streams: list[Stream] = []
        self.pictures: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
        self.gone: Gone | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Viewer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def _run(self) -> None:
        decoder = av.CodecContext.create("h264", "r")
        assert isinstance(decoder, av.VideoCodecContext)
        try:
            while (message := receive(self._socket)) is not None:
                if isinstance(message, Packet):
                    for frame in decoder.decode(av.Packet(message.data)):
                        self.pictures.append(np.asarray(frame.to_ndarray(format="gray"), np.uint8))
                elif isinstance(message, Stream):
                    self.streams.append(message)
                elif isinstance(message, Gone):
                    self.gone = message
                    return
        except OSError:
            return


def is_mosaic(luma: np.ndarray[Any, np.dtype[np.uint8]]) -> bool:
    """Whether the whole picture is flat inside the blocks of redact.pixelate (a coded picture rings a little)."""
    height, width = luma.shape
    side = max(height, width) / MOSAIC_BLOCKS
    spreads = [
        float(luma[round(y * side) + 3 : round((y + 1) * side) - 3, round(x * side) + 3 : round((x + 1) * side) - 3].std())
        for y in range(int(height / side))
        for x in range(int(width / side))
    ]
    return float(np.percentile(spreads, 90)) < 3.0
