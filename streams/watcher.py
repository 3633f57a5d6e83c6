"""What a worker makes of one camera's looked-at frames: tracks, findings, a clip, a covered thumbnail, sightings, the cover.

Runs in the looker's thread. The rules are vision's and pure; this is the shell around them.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog

from streams.health import Problem
from streams.looker import Looker, Task
from streams.recorder import Recorder
from streams.wall import Cover, Wall
from vision.detections import Detection
from vision.frame import Frame
from vision.look import Look, Looked, LookState, thumbnail
from vision.sighting import Finding, Sighting
from vision.watch import Watch, evidence_of, sighting

log = structlog.get_logger()

_BLIND = {
    "detector_failed": (
        "the detector fails ({why}): no hazard is seen on this camera, and its wall picture is pixelated. See the worker's log.",
        "检测器出错（{why}）：此摄像机目前无法发现险情，墙上画面已打码。详见工作进程日志。",
    ),
    "look_failed": (
        "the rules fail on this camera ({why}): no hazard is seen, and its wall picture is pixelated. See the worker's log.",
        "此摄像机的险情规则出错（{why}）：目前无法发现险情，墙上画面已打码。详见工作进程日志。",
    ),
}


class Sink(Protocol):
    """Where a worker's messages go. None of these may block."""

    def sighting(self, sighting: Sighting) -> None: ...
    def clip(self, message: dict[str, Any], told: Callable[[], None]) -> None: ...  # `told` is called once the message is out
    def health(self, message: dict[str, Any]) -> None: ...
    def view(self, message: dict[str, Any]) -> None: ...


class Faces(Protocol):
    def detect(self, frame: Frame) -> Sequence[Detection]: ...


class CameraWatcher:
    """One camera's watcher. `offer` is called by the camera's thread, everything else runs in the looker's."""

    def __init__(
        self,
        look: Callable[[float], Look],
        camera: str,
        *,
        looker: Looker,
        sink: Sink,
        recorder: Recorder,
        recorder_lock: threading.Lock,
        wall: Wall,
        faces: Faces,
        model_sha256: str,
        thumbnails: Path,
        needs_features: bool,
        on_inferred: Callable[[], None],
        on_trouble: Callable[[str, Problem | None], None],
    ) -> None:
        """`look` makes the rules for a picture's aspect ratio, which is known only once there is a picture."""
        self.needs_features = needs_features
        self._make_look, self._camera = look, camera
        self._looker, self._sink = looker, sink
        self._recorder, self._recorder_lock = recorder, recorder_lock
        self._wall, self._faces, self._model_sha256 = wall, faces, model_sha256
        self._thumbnails, self._on_inferred, self._on_trouble = thumbnails, on_inferred, on_trouble
        self._look: Look | None = None
        self._found_in: tuple[int, Sequence[Detection]] = (-1, ())  # a frame's number, and what the detector found in it
        self._state: LookState | None = None
        self._size = (0, 0)
        self._failing = False
        self._pictured = (-1, "")
        self._pictures: dict[tuple[str, str, int], str] = {}  # of each event: its first thumbnail

    def offer(self, frame: Frame, *, detect: bool) -> None:
        self._looker.offer(Task(frame, detect, self._looked_at))

    def _looked_at(self, frame: Frame, found: Sequence[Detection] | None, failed: str) -> None:
        try:
            self._look_at(frame, found, failed)
        except Exception as error:
            self._blind("look_failed", type(error).__name__)
            raise  # to the looker, which logs it
        if found is not None and self._failing:
            self._failing = False
            for code in _BLIND:
                self._on_trouble(code, None)

    def _blind(self, code: str, why: str) -> None:
        """Nothing is looked for in this camera's picture: its wall pixelates, its health says so."""
        self._failing = True
        state = self._state
        self._wall.cover = Cover(failed=True) if state is None else Cover(state.cover, state.inferred_at_s, failed=True)
        english, chinese = _BLIND[code]
        self._on_trouble(code, Problem(code, english.format(why=why), chinese.format(why=why)))

    def _look_at(self, frame: Frame, found: Sequence[Detection] | None, failed: str) -> None:
        look, state = self._ready(frame)
        if failed:
            self._blind("detector_failed", failed)
        elif found is not None:
            self._found_in = (frame.seq, found)
            state, looked = look.see(state, frame, found)
            self._wall.cover = Cover(state.cover, state.inferred_at_s)
            self._on_inferred()
            self._tell(frame, looked, look.watch)
        state, burning = look.feel(state, frame)
        self._tell(frame, burning, look.fire_watch, boxes=False)
        self._state = state

    def _ready(self, frame: Frame) -> tuple[Look, LookState]:
        if self._look is None or self._state is None or self._size != (frame.width, frame.height):
            self._look = self._make_look(frame.width / frame.height)
            self._state, self._size = self._look.initial(), (frame.width, frame.height)
            self._pictures.clear()  # the rules number their events anew
        return self._look, self._state

    def _tell(self, frame: Frame, looked: Looked, watch: Watch, *, boxes: bool = True) -> None:
        if boxes:
            rows = [[t.label, round(t.score, 3), *(round(v, 4) for v in t.box), t.id] for t in looked.tracks]
            self._sink.view({"camera": self._camera, "at_s": frame.captured_at_s, "boxes": rows})
        for finding in looked.findings:
            self._found(frame, finding, watch)

    def _found(self, frame: Frame, finding: Finding, watch: Watch) -> None:
        event = (finding.kind.value, finding.zone, finding.event)
        name = f"{self._camera}-{int(finding.began_at_s * 1000)}"
        with self._recorder_lock:
            clip = self._recorder.record(finding.at_s, frame.captured_at_s, name)
        if event not in self._pictures:
            self._pictures = {**dict(list(self._pictures.items())[-20:]), event: self._thumbnail(frame)}
            log.info("hazard.seen", camera=self._camera, kind=finding.kind.value, zone=finding.zone, clip=clip)
        model = "" if finding.kind.value == "fire" else self._model_sha256
        evidence = evidence_of(finding, model, self._pictures[event])
        self._sink.sighting(sighting(finding, self._camera, watch.place(finding), evidence, clip))

    def _thumbnail(self, frame: Frame) -> str:
        """Writes the covered picture and returns its sha256; "" when it cannot be made: the sighting goes out without."""
        if self._pictured[0] == frame.seq:
            return self._pictured[1]  # two hazards in one frame share its picture
        try:
            jpeg = thumbnail(frame, self._covered(frame), self._faces.detect(frame), self._wall.cover.state)
            digest = hashlib.sha256(jpeg).hexdigest()
            _keep(self._thumbnails / f"{digest}.jpg", jpeg)
        except Exception as error:  # noqa: BLE001  # a full disk or a failed face model must not keep the sighting back
            log.error("thumbnail.failed", camera=self._camera, error=f"{type(error).__name__}: {error}")
            return ""
        self._pictured = (frame.seq, digest)
        return digest

    def _covered(self, frame: Frame) -> Sequence[Detection]:
        """The people to cover in this very frame: looked for anew where the last detector run is of an older frame."""
        seq, found = self._found_in
        return found if seq == frame.seq else self._looker.detect_now(frame)


def _keep(target: Path, content: bytes) -> None:
    """Whole under its name, or not there at all. Errors: OSError."""
    scratch = target.with_suffix(".new")
    try:
        scratch.write_bytes(content)
        scratch.replace(target)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
