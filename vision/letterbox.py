"""From a frame to a network's picture: scaled, at the top left of the canvas, the rest padded.

Planes are scaled first and turned into colour at the small size: cheaper than converting the whole picture.
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

    The content's sides are whole pixels, so its two scales may differ by that much.
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
        content_width=max(1, min(round(width * scale), canvas_width)),
        content_height=max(1, min(round(height * scale), canvas_height)),
    )


def fit_free(width: int, height: int, longest_px: int, multiple_px: int) -> Letterbox:
    """The same for a network of free size: the longer side gets `longest_px`, the canvas is as small as the multiple allows."""
    box = fit(width, height, longest_px, longest_px)
    return Letterbox(
        width=width,
        height=height,
        canvas_width=-(-box.content_width // multiple_px) * multiple_px,
        canvas_height=-(-box.content_height // multiple_px) * multiple_px,
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
    """The whole frame as BGR of this size, for thumbnails."""
    return draw(frame, Letterbox(frame.width, frame.height, width, height, width, height), 0)


def _from_planes(planes: Planes, width: int, height: int) -> Image:
    """Colour is scaled to the small picture's full size. Halved once more, as I420 would have it, it costs YOLOX-nano .025
    of AP50 on our test video; done so it costs 0.2 ms more."""
    scaled = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in (planes.y, planes.u, planes.v)]
    return np.asarray(cv2.transform(cv2.merge(scaled), _to_bgr_matrix(planes)), np.uint8)


def _to_bgr_matrix(planes: Planes) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Y, U, V, 1 → B, G, R by ITU-R BT.601 (small pictures) or BT.709 (from 720 lines on, as decoders assume too)."""
    red, blue = (0.2126, 0.0722) if planes.y.shape[0] >= 720 else (0.299, 0.114)
    green = 1 - red - blue
    luma, chroma, black = (1.0, 1.0, 0.0) if planes.full_range else (255 / 219, 255 / 224, 16.0)
    from_u = np.array([2 * (1 - blue), -2 * blue * (1 - blue) / green, 0.0]) * chroma
    from_v = np.array([0.0, -2 * red * (1 - red) / green, 2 * (1 - red)]) * chroma
    return np.column_stack((np.full(3, luma), from_u, from_v, -luma * black - 128 * (from_u + from_v))).astype(np.float32)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
