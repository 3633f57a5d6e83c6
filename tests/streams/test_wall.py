"""The wall by itself: what it hands on covered, what it holds back, what it pixelates."""

from __future__ import annotations

import av
import numpy as np
import pytest

from streams.feed import Packet
from streams.wall import Cover, Wall
from tests.streams.worker_kit import is_mosaic
from vision import redact
from vision.detections import Detection
from vision.frame import Planes

SIZE = (320, 240)
EDGE = Detection("person", 0.5, (0.05, 0.2, 0.25, 0.9))
GREY_OF_COVER = 28  # redact.FILL_Y, decoded to the full range


def planes(size: tuple[int, int] = SIZE) -> Planes:
    width, height = size
    noise = np.random.default_rng(3).integers(60, 220, (height // 8, width // 8), np.uint8)
    y = np.kron(noise, np.ones((8, 8), np.uint8))
    half = np.full((height // 2, width // 2), 128, np.uint8)
    return Planes(y, half, half.copy(), full_range=False)


def seen(*people: Detection, at_s: float) -> Cover:
    state, _ = redact.step(redact.CoverState(), people, at_s)
    return Cover(state, at_s)


class Screen:
    """Looks at a wall, and decodes what it is given."""

    def __init__(self, wall: Wall) -> None:
        self._reader = wall.fanout.join()
        self._decoder = av.CodecContext.create("h264", "r")

    def pictures(self) -> list[np.ndarray]:  # type: ignore[type-arg]
        out = []
        while (message := self._reader.next(0.0)) is not None:
            if isinstance(message, Packet):
                assert isinstance(self._decoder, av.VideoCodecContext)
                out += [frame.to_ndarray(format="gray") for frame in self._decoder.decode(av.Packet(message.data))]
        return out


def show(wall: Wall, at_s: float, *, moved: bool = True, size: tuple[int, int] = SIZE) -> None:
    wall.show(planes(size), round(at_s * 90_000), at_s, moved=moved, corrupt=False)


def covered(picture: np.ndarray) -> bool:  # type: ignore[type-arg]
    return abs(float(picture[100:180, 25:70].mean()) - GREY_OF_COVER) < 8 and not is_mosaic(picture)


def test_whoever_steps_in_between_two_inferences_is_never_shown() -> None:
    wall = Wall(height_px=240)
    screen = Screen(wall)
    wall.cover = seen(at_s=10.0)  # nobody there yet
    show(wall, 10.0)
    (before,) = screen.pictures()
    assert not covered(before)
    assert not is_mosaic(before)
    for at_s in (10.1, 10.2):  # somebody is in these pictures, and nobody has looked
        show(wall, at_s)
        assert screen.pictures() == []
    wall.cover = seen(EDGE, at_s=10.2)
    show(wall, 10.3)
    assert [covered(picture) for picture in screen.pictures()] == [True, True]


def test_a_still_picture_waits_for_nobody() -> None:
    wall = Wall(height_px=240)
    screen = Screen(wall)
    wall.cover = seen(EDGE, at_s=10.0)
    show(wall, 10.4, moved=False)
    assert [covered(picture) for picture in screen.pictures()] == [True]


def test_a_picture_that_nobody_looks_at_in_time_is_pixelated() -> None:
    wall = Wall(height_px=240)
    screen = Screen(wall)
    wall.cover = seen(EDGE, at_s=10.0)
    for number in range(1, 10):
        show(wall, 10.0 + number / 10)
    pictures = screen.pictures()
    assert len(pictures) == 2
    assert all(is_mosaic(picture) for picture in pictures)


@pytest.mark.parametrize("change", ["connected again", "another size"])
def test_boxes_of_another_picture_cover_nothing(change: str) -> None:
    wall = Wall(height_px=240)
    screen = Screen(wall)
    wall.cover = seen(EDGE, at_s=10.0)
    show(wall, 10.0)
    screen.pictures()
    if change == "connected again":
        wall.reset()
    size = SIZE if change == "connected again" else (160, 120)
    show(wall, 10.2, moved=False, size=size)
    assert [is_mosaic(picture) for picture in screen.pictures()] == [True]
    wall.cover = seen(EDGE, at_s=10.2)
    show(wall, 10.3, moved=False, size=size)
    assert [is_mosaic(picture) for picture in screen.pictures()] == [False]


def test_a_new_viewer_sees_nothing_of_an_earlier_viewing() -> None:
    wall = Wall(height_px=240)
    first = wall.fanout.join()
    wall.cover = seen(EDGE, at_s=10.0)
    show(wall, 10.0)
    show(wall, 10.1)  # waits
    first.close()
    screen = Screen(wall)
    assert screen.pictures() == []
    wall.cover = seen(EDGE, at_s=600.0)
    show(wall, 600.0)
    assert len(screen.pictures()) == 1
