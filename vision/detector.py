"""Runs a model of the manifest on frames. The only module that imports onnxruntime."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from models import store
from models.errors import ModelRefused
from models.manifest import ModelEntry, Shape, outside_vocabulary
from vision import decode
from vision.detections import Detection
from vision.frame import Frame
from vision.letterbox import Letterbox, draw, fit, fit_free

Candidates = tuple[decode.Floats, decode.Floats, decode.Ints]
DTYPES = {"uint8": "tensor(uint8)", "float32": "tensor(float)"}


class DetectorFailed(RuntimeError):
    """An inference gave nothing that can be used. What was to be covered by it must be pixelated."""


class Detector:
    """One model, one session, one thread. `detect` may be called from several threads at once.

    `sha256` is the hash of the file that is loaded: it belongs into the evidence of what the detector saw.
    """

    task = "objects"

    def __init__(self, entry: ModelEntry, path: Path, *, only: Collection[str] | None = None) -> None:
        """`only` these labels are looked for; None: all of the model's. Reads and checks the file. Raises WrongHash,
        ModelMissing, or ModelRefused: classes outside the closed vocabulary, another task, or inputs and outputs that are not
        the manifest's."""
        if foreign := outside_vocabulary(entry.classes):
            raise ModelRefused(entry.name, f"it says what Callout may not hear (models/vocabulary.py): {', '.join(foreign)}")
        if entry.task != self.task:
            raise ModelRefused(entry.name, f"it is for {entry.task}, not for {self.task}: correct [detector] in the settings")
        content, self.sha256 = store.read(entry, path)
        self.entry = entry
        self._session = _session(entry, content)
        _check_signature(entry, self._session)
        self._outputs = [output.name for output in entry.outputs]
        wanted = entry.classes if only is None else only
        floors = [entry.scores.floor_for(label) if label in wanted else np.inf for label in entry.classes]
        self._floors = np.array(floors, np.float32)
        self._decode = self._decoder()

    def detect(self, frame: Frame) -> tuple[Detection, ...]:
        """What is in the frame, best first, down to each label's floor (`entry.scores`): consumers take from their own
        limit on. Raises ValueError for a frame without a picture, DetectorFailed."""
        box = self.letterbox(frame.width, frame.height)
        boxes, scores, classes = self._decode(self.infer(self.tensor(frame)))
        kept = decode.suppress(boxes, scores, classes, self.entry.decode.nms_iou)
        found = []
        for corners, score, label in zip(boxes[kept].tolist(), scores[kept].tolist(), classes[kept].tolist(), strict=True):
            place = box.to_fractions(*corners)
            if place[0] < place[2] and place[1] < place[3]:
                found.append(Detection(self.entry.classes[label], min(score, 1.0), place))
        return tuple(found)

    def letterbox(self, width: int, height: int) -> Letterbox:
        """Where a picture of this size lies in the network's input."""
        wanted = self.entry.input
        canvas_height, canvas_width = wanted.size_px
        if canvas_height:
            return fit(width, height, canvas_width, canvas_height)
        return fit_free(width, height, wanted.longest_px, wanted.multiple_px)

    def tensor(self, frame: Frame) -> np.ndarray[Any, Any]:
        """The network's input for a frame, with the batch in front."""
        wanted = self.entry.input
        picture = draw(frame, self.letterbox(frame.width, frame.height), wanted.pad)
        if wanted.colour == "rgb":
            picture = picture[:, :, ::-1]
        if wanted.layout == "nchw":
            picture = picture.transpose(2, 0, 1)
        return np.ascontiguousarray(picture[None], wanted.dtype)

    def infer(self, tensor: np.ndarray[Any, Any]) -> list[decode.Floats]:
        """The network's raw outputs for one input, without the batch. Raises DetectorFailed for numbers that are none: to
        take them for an empty street would uncover everybody."""
        raw = [np.asarray(output[0]) for output in self._session.run(self._outputs, {self.entry.input.name: tensor})]
        if not all(math.isfinite(float(output.sum())) for output in raw):
            raise DetectorFailed(f"the model {self.entry.name} gave numbers that are none (NaN or infinite)")
        return raw

    def _decoder(self) -> Callable[[list[decode.Floats]], Candidates]:
        entry, floors = self.entry, self._floors
        if entry.decode.kind == "boxes_and_scores":
            return lambda raw: decode.boxes_and_scores(raw[0], raw[1], floors)
        if entry.decode.kind == "yolox":
            grid, strides = decode.yolox_grid(entry.decode.strides, *entry.input.size_px)
            return lambda raw: decode.yolox(raw[0], grid, strides, floors)
        return lambda raw: decode.centerface(raw[0], raw[1], raw[2], float(floors[0]))


class FaceDetector(Detector):
    """Faces, for one purpose: to cover them. Boxes and scores only; the model's facial points are never read."""

    task = "faces"


def _session(entry: ModelEntry, content: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # one session per core: threads only add waiting
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors share no base class; the file is to blame for any
        raise ModelRefused(entry.name, f"ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from None


def _check_signature(entry: ModelEntry, session: ort.InferenceSession) -> None:
    inputs = {i.name: (i.type, i.shape) for i in session.get_inputs()}
    wanted = entry.input
    if list(inputs) != [wanted.name]:
        raise ModelRefused(entry.name, f"its inputs are {list(inputs)}, the manifest says [{wanted.name!r}]")
    kind, shape = inputs[wanted.name]
    if kind != DTYPES[wanted.dtype] or not _fits(shape, wanted.shape):
        raise ModelRefused(entry.name, f"its input is {kind} {shape}, the manifest says {wanted.dtype} {list(wanted.shape)}")
    outputs = {o.name: o.shape for o in session.get_outputs()}
    named = {output.name for output in entry.outputs} | set(entry.unused_outputs)
    if set(outputs) != named:
        raise ModelRefused(entry.name, f"its outputs are {sorted(outputs)}, the manifest says {sorted(named)}")
    for output in entry.outputs:
        if not _fits(outputs[output.name], output.shape):
            raise ModelRefused(
                entry.name, f"its output {output.name} is {outputs[output.name]}, the manifest says {list(output.shape)}"
            )
    last = entry.outputs[-1].shape[-1]
    extra = {"boxes_and_scores": 0, "yolox": 5}.get(entry.decode.kind)
    if extra is not None and last != len(entry.classes) + extra:
        raise ModelRefused(entry.name, f"it tells {last} numbers a box for {len(entry.classes)} classes")


def _fits(found: list[int | str | None], wanted: Shape) -> bool:
    return len(found) == len(wanted) and all(not isinstance(w, int) or f == w for f, w in zip(found, wanted, strict=True))
