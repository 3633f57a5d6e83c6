"""Where a picture lies in a network's input, and that its planes give the same colours as its BGR."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.frame import Frame, Image, Planes
from vision.letterbox import draw, fit, fit_free, to_bgr

SIDES = st.integers(16, 4000)
UNIT = st.floats(0, 1)


@given(SIDES, SIDES, st.sampled_from((320, 416, 640)), UNIT, UNIT)
def test_a_point_goes_into_the_letterbox_and_back(width: int, height: int, side: int, x: float, y: float) -> None:
    box = fit(width, height, side, side)
    there = box.to_canvas((x, y, x, y))
    assert 0 <= there[0] <= box.content_width <= side
    assert 0 <= there[1] <= box.content_height <= side
    assert box.to_fractions(*there) == pytest.approx((x, y, x, y), abs=1e-9)


@given(SIDES, SIDES)
def test_the_shape_of_the_picture_is_kept_to_a_pixel(width: int, height: int) -> None:
    box = fit(width, height, 416, 416)
    assert 416 in {box.content_width, box.content_height}
    scale = min(416 / width, 416 / height)
    assert abs(box.content_width - width * scale) <= 1
    assert abs(box.content_height - height * scale) <= 1


@given(SIDES, SIDES)
def test_a_free_network_gets_the_smallest_canvas_that_its_stride_allows(width: int, height: int) -> None:
    box = fit_free(width, height, 640, 32)
    assert box.canvas_width % 32 == box.canvas_height % 32 == 0
    assert 0 <= box.canvas_width - box.content_width < 32
    assert 0 <= box.canvas_height - box.content_height < 32


def test_boxes_are_cut_off_at_the_picture() -> None:
    box = fit(1920, 1080, 416, 416)
    assert box.to_fractions(-5, -5, 500, 500) == (0, 0, 1, 1)


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="0×10"):
        fit(0, 10, 416, 416)


@pytest.mark.parametrize("size", [(640, 360), (361, 641), (1281, 721)])
@pytest.mark.parametrize("full_range", [False, True])
def test_planes_and_bgr_give_the_same_network_picture(size: tuple[int, int], full_range: bool) -> None:
    width, height = size
    bgr = smooth(width, height)
    box = fit(width, height, 416, 416)
    from_planes = draw(Frame.from_planes("c", 0, 0, to_planes(bgr, full_range=full_range)), box, 114)
    from_bgr = draw(Frame.from_bgr("c", 0, 0, bgr), box, 114)
    assert np.abs(from_planes.astype(int) - from_bgr).max() <= 6
    assert (from_planes[box.content_height :] == 114).all()
    assert (from_planes[:, box.content_width :] == 114).all()


def test_padded_rows_are_read_right() -> None:
    bgr = smooth(640, 360)
    tight = to_planes(bgr)
    y, u, v = (np.pad(p, ((0, 0), (0, 64)), constant_values=255)[:, : p.shape[1]] for p in (tight.y, tight.u, tight.v))
    padded = Planes(y, u, v)
    box = fit(640, 360, 416, 416)
    first, second = (draw(Frame.from_planes("c", 0, 0, planes), box, 0) for planes in (tight, padded))
    assert (first == second).all()


def test_a_frame_without_a_picture_or_with_odd_planes_is_refused() -> None:
    with pytest.raises(ValueError, match="camera c: frame 7 holds no picture"):
        draw(Frame("c", 0, 7, 640, 360), fit(640, 360, 416, 416), 0)
    y = np.zeros((360, 640), np.uint8)
    with pytest.raises(ValueError, match="camera c: 640×360 needs chroma planes"):
        Frame.from_planes("c", 0, 0, Planes(y, y, y))
    with pytest.raises(ValueError, match="3 channels, not 4"):
        Frame.from_bgr("c", 0, 0, np.zeros((4, 4, 4), np.uint8))


def test_a_thumbnail_has_the_size_that_was_asked_for() -> None:
    assert to_bgr(Frame.from_planes("c", 0, 0, to_planes(smooth(640, 360))), 321, 181).shape == (181, 321, 3)


def smooth(width: int, height: int) -> Image:
    """Colours that change slowly, so that chroma's half resolution hides nothing."""
    xs, ys = np.meshgrid(np.linspace(30, 220, width), np.linspace(30, 220, height))
    return np.stack((xs, ys, (xs + ys) / 2), axis=2).astype(np.uint8)


def to_planes(bgr: Image, *, full_range: bool = False) -> Planes:
    """By the definition in ITU-R BT.601 (BT.709 from 720 lines on), not by the code that is tested."""
    blue, green, red = (bgr[:, :, k].astype(float) for k in range(3))
    k_red, k_blue = (0.2126, 0.0722) if bgr.shape[0] >= 720 else (0.299, 0.114)
    luma = k_red * red + (1 - k_red - k_blue) * green + k_blue * blue
    u, v = (blue - luma) / (2 * (1 - k_blue)), (red - luma) / (2 * (1 - k_red))
    y_out = luma if full_range else 16 + luma * 219 / 255
    chroma = 1.0 if full_range else 224 / 255
    height, width = luma.shape
    half = ((width + 1) // 2, (height + 1) // 2)
    u_out, v_out = (cv2.resize(128 + c * chroma, half, interpolation=cv2.INTER_AREA) for c in (u, v))
    rounded = [np.rint(p).clip(0, 255).astype(np.uint8) for p in (y_out, u_out, v_out)]
    return Planes(rounded[0], rounded[1], rounded[2], full_range=full_range)
