"""From a frame to a network's picture: scaled, at the top left of the canvas, the rest padded.

Planes are scaled first and turned into colour at the small size: 2–4 times cheaper than converting the whole picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vision.detections import Box
from vision.frame import Frame, Image, Planes


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture of `width`×`height` lies in a canvas: its `content` at the top left. All in pixels.

    The content's sides are even (I420 needs it), so its two scales may differ by less than a pixel.
    """

    width: int
    height: int
    canvas_width: int
    canvas_height: int
    content_width: int
    content_height: int

    def to_fractions(self, x1: float, y1: float, x2: float, y2: float) -> Box:
        """A box in canvas pixels → fractions of the picture, cut off at its edges."""
        return (
            _unit(x1 / self.content_width),
            _unit(y1 / self.content_height),
            _unit(x2 / self.content_width),
            _unit(y2 / self.content_height),
        )

    def to_canvas(self, box: Box) -> tuple[float, float, float, float]:
        """Fractions of the picture → canvas pixels."""
        width, height = self.content_width, self.content_height
        return (box[0] * width, box[1] * height, box[2] * width, box[3] * height)


def fit(width: int, height: int, canvas_width: int, canvas_height: int) -> Letterbox:
    """The largest content that keeps the picture's shape. Raises ValueError for an empty picture."""
    if min(width, height) < 1:
        raise ValueError(f"a picture of {width}×{height} has nothing to look at")
    scale = min(canvas_width / width, canvas_height / height)
    return Letterbox(
        width=width,
        height=height,
        canvas_width=canvas_width,
        canvas_height=canvas_height,
        content_width=_even(width * scale, canvas_width),
        content_height=_even(height * scale, canvas_height),
    )


def fit_free(width: int, height: int, longest_px: int, multiple_px: int) -> Letterbox:
    """The same for a network of free size: the longer side gets `longest_px`, the canvas is as small as the multiple allows."""
    box = fit(width, height, longest_px, longest_px)
    return Letterbox(
        width=width,
        height=height,
        canvas_width=_up(box.content_width, multiple_px),
        canvas_height=_up(box.content_height, multiple_px),
        content_width=box.content_width,
        content_height=box.content_height,
    )


def draw(frame: Frame, box: Letterbox, pad: int) -> Image:
    """The canvas as BGR, canvas_height × canvas_width × 3. Raises ValueError when the frame holds no picture."""
    canvas = np.empty((box.canvas_height, box.canvas_width, 3), np.uint8)
    width, height = box.content_width, box.content_height
    canvas[height:] = pad
    canvas[:height, width:] = pad
    if frame.planes is not None:
        canvas[:height, :width] = _from_planes(frame.planes, width, height)
    elif frame.bgr is not None:
        canvas[:height, :width] = cv2.resize(frame.bgr, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        raise ValueError(f"camera {frame.camera}: frame {frame.seq} holds no picture")
    return canvas


def to_bgr(frame: Frame, width: int, height: int) -> Image:
    """The whole frame as BGR of this size (rounded down to even), for thumbnails."""
    width, height = max(2, width - width % 2), max(2, height - height % 2)
    return draw(frame, Letterbox(frame.width, frame.height, width, height, width, height), 0)


def _from_planes(planes: Planes, width: int, height: int) -> Image:
    i420 = np.empty((height * 3 // 2, width), np.uint8)
    flat = i420.reshape(-1)
    luma, chroma = width * height, width * height // 4
    _scale(planes.y, i420[:height])
    _scale(planes.u, flat[luma : luma + chroma].reshape(height // 2, width // 2))
    _scale(planes.v, flat[luma + chroma :].reshape(height // 2, width // 2))
    if planes.full_range:  # the I420 conversion takes 16..235; squeeze the small luma into it
        cv2.convertScaleAbs(i420[:height], i420[:height], 219 / 255, 16)
        cv2.convertScaleAbs(i420[height:], i420[height:], 224 / 255, 128 * (1 - 224 / 255))
    return np.asarray(cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420), np.uint8)


def _scale(plane: Image, into: Image) -> None:
    cv2.resize(plane, (into.shape[1], into.shape[0]), into, interpolation=cv2.INTER_LINEAR)


def _even(length: float, most: int) -> int:
    return max(2, min(2 * round(length / 2), most - most % 2))


def _up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
