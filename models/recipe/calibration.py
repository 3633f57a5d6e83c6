"""Pictures to calibrate the quantisation on: evenly spaced frames of clips, letterboxed as Callout does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from onnxruntime.quantization import CalibrationDataReader


class Pictures(CalibrationDataReader):  # type: ignore[misc,unused-ignore] # onnxruntime ships no types
    """Hands the quantiser one prepared input after the other."""

    def __init__(self, name: str, inputs: list[np.ndarray[Any, Any]]) -> None:
        self._left = iter([{name: value} for value in inputs])

    def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
        return next(self._left, None)


def letterboxed(folder: Path, clips: dict[str, int], side: int) -> list[np.ndarray[Any, Any]]:
    """`clips`: file → how many frames of it. Returns BGR uint8 side × side × 3, picture at the top left, pad 0."""
    pictures: list[np.ndarray[Any, Any]] = []
    for clip, count in clips.items():
        frames = _frames(folder / clip)
        if not frames:
            raise SystemExit(f"{folder / clip}: no frame could be read")
        chosen = np.linspace(0, len(frames) - 1, count).astype(int)
        pictures.extend(_letterbox(frames[index], side) for index in chosen)
    return pictures


def _frames(path: Path) -> list[np.ndarray[Any, Any]]:
    frames: list[np.ndarray[Any, Any]] = []
    reader = cv2.VideoCapture(str(path))
    while True:
        ok, frame = reader.read()
        if not ok:
            return frames
        frames.append(frame)


def _letterbox(frame: np.ndarray[Any, Any], side: int) -> np.ndarray[Any, Any]:
    scale = min(side / frame.shape[0], side / frame.shape[1])
    height, width = round(frame.shape[0] * scale), round(frame.shape[1] * scale)
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[:height, :width] = cv2.resize(frame, (width, height))
    return canvas
