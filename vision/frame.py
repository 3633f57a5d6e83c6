"""One decoded picture of one camera, as the decoder's own planes or as BGR. Nothing is copied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """I420: y (height × width), u and v (each half of it, rounded up), uint8. Rows may be padded (strided views).

    `full_range`: the luma uses 0..255 (yuvj420p, many network cameras) instead of 16..235.
    """

    y: Image
    u: Image
    v: Image
    full_range: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """`captured_at_s` in unix seconds, `seq` counts the frames of this camera. One of `planes` and `bgr` is there."""

    camera: str
    captured_at_s: float
    seq: int
    width: int
    height: int
    planes: Planes | None = None
    bgr: Image | None = None

    @classmethod
    def from_planes(cls, camera: str, captured_at_s: float, seq: int, planes: Planes) -> Frame:
        """Raises ValueError when the planes are not those of one I420 picture."""
        height, width = planes.y.shape
        half = ((height + 1) // 2, (width + 1) // 2)
        if planes.u.shape != half or planes.v.shape != half:
            raise ValueError(
                f"camera {camera}: {width}×{height} needs chroma planes of {half}, not {planes.u.shape}, {planes.v.shape}"
            )
        return cls(camera, captured_at_s, seq, width, height, planes=planes)

    @classmethod
    def from_bgr(cls, camera: str, captured_at_s: float, seq: int, bgr: Image) -> Frame:
        """`bgr` is height × width × 3, uint8."""
        height, width, channels = bgr.shape
        if channels != 3:
            raise ValueError(f"camera {camera}: a BGR picture has 3 channels, not {channels}")
        return cls(camera, captured_at_s, seq, width, height, bgr=bgr)
