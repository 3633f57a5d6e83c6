"""Did anything change in the picture? A 160×90 luma difference against the frame that was last looked at. Pure.

Compared with the last *inferred* frame, not the previous one, so that slow movement adds up until it shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 160, 90
LEVEL = 16  # grey levels that noise and coding do not reach
CHANGED_PX = 3  # of 14,400: a person of 10×25 px in a 768×576 picture covers eight

Luma = NDArray[np.uint8]


def thumbnail(y: Luma) -> Luma:
    """(90, 160) luma of a (height, width) luma plane. Linear sampling: 15–20 µs, whatever the size of the picture."""
    small = cv2.resize(y, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Gate:
    reference: Luma | None = None


def changed_px(gate: Gate, thumb: Luma) -> int:
    """How many of the thumbnail's pixels differ by more than LEVEL from the frame last looked at; all, when there is none."""
    if gate.reference is None or gate.reference.shape != thumb.shape:
        return thumb.size
    return int(np.count_nonzero(cv2.absdiff(gate.reference, thumb) > LEVEL))


def changed(gate: Gate, thumb: Luma) -> bool:
    return changed_px(gate, thumb) >= CHANGED_PX


def looked(thumb: Luma) -> Gate:
    """The gate after a frame was looked at."""
    return Gate(thumb)
