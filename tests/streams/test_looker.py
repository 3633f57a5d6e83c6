"""The looker: newest frame wins, cameras take turns, what is passed over is counted, a wish for the detector is kept."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.looker import Looker, Task
from tests.streams.worker_kit import eventually
from vision.detections import Detection
from vision.frame import Frame, Planes

_PLANES = Planes(np.zeros((16, 16), np.uint8), np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8))


def _frame(camera: str, number: int) -> Frame:
    return Frame.from_planes(camera, float(number), number, _PLANES)


class _Held:
    """Eyes that look at the first frame until they are let go, so that all the others have to wait."""

    def __init__(self) -> None:
        self.go, self.detected = threading.Event(), list[tuple[str, float]]()

    def detect(self, frame: Frame) -> Sequence[Detection]:
        self.go.wait(10)
        self.detected.append((frame.camera, frame.captured_at_s))
        return ()


@settings(max_examples=150, deadline=None)
@given(offers=st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30))
def test_newest_wins_in_fair_turns_and_no_wish_is_lost(offers: list[tuple[str, bool]]) -> None:
    eyes = _Held()
    looker = Looker(eyes)
    done: list[tuple[str, float, bool]] = []
    last = threading.Event()

    def note(frame: Frame, found: Sequence[Detection] | None, failed: str) -> None:
        assert not failed
        done.append((frame.camera, frame.captured_at_s, found is not None))
        if frame.camera == "end":
            last.set()

    looker.start()
    looker.offer(Task(_frame("first", 0), True, note))
    eventually(lambda: looker.busy_since_s is not None, every_s=0.0005)
    for number, (camera, detect) in enumerate(offers, 1):
        looker.offer(Task(_frame(camera, number), detect, note))
    looker.offer(Task(_frame("end", 99), False, note))
    eyes.go.set()
    assert last.wait(10)
    looker.close()

    order = list(dict.fromkeys(camera for camera, _ in offers))  # the turn of a camera is that of its first waiting frame
    assert [camera for camera, _, _ in done] == ["first", *order, "end"]
    for camera, at_s, detected in done[1:-1]:
        mine = [(n, wish) for n, (c, wish) in enumerate(offers, 1) if c == camera]
        assert at_s == mine[-1][0]  # the newest
        assert detected is any(wish for _, wish in mine)
        # An offer is passed over when a newer one takes its place while the detector was wished for.
        carried, over = False, 0
        for index, (_, wish) in enumerate(mine):
            carried = carried or wish
            over += carried and index < len(mine) - 1
        assert looker.passed_over.get(camera, 0) == over
    assert sum(looker.looked.values()) == len(eyes.detected)


def test_a_failing_detector_is_told_to_the_camera_and_logged_once_a_minute() -> None:
    class Broken:
        def detect(self, frame: Frame) -> Sequence[Detection]:
            raise RuntimeError("no")

    looker, told = Looker(Broken()), list[str]()
    with structlog.testing.capture_logs() as logs:
        looker.start()
        for number in range(5):
            looker.offer(Task(_frame("a", number), True, lambda frame, found, failed: told.append(failed)))
            eventually(lambda count=number: len(told) > count)  # type: ignore[misc]  # bound now
        looker.close()
    assert told == ["RuntimeError"] * 5
    assert [entry["event"] for entry in logs] == ["detector.failed"]


def test_a_camera_that_fails_in_its_rules_leaves_the_looker_to_the_others() -> None:
    looker, seen = Looker(_Held()), list[str]()

    def fail(frame: Frame, found: Sequence[Detection] | None, failed: str) -> None:
        raise ValueError("rules")

    with structlog.testing.capture_logs():
        looker.start()
        looker.offer(Task(_frame("bad", 1), False, fail))
        looker.offer(Task(_frame("good", 1), False, lambda frame, found, failed: seen.append(frame.camera)))
        eventually(lambda: seen == ["good"])
        looker.close()
    assert looker.busy_since_s is None
    assert not looker.wedged(1e9, 0.0)


def test_a_stuck_looker_does_not_hold_up_the_end() -> None:
    eyes = _Held()
    looker = Looker(eyes)
    looker.start()
    looker.offer(Task(_frame("a", 1), True, lambda frame, found, failed: None))
    eventually(lambda: looker.busy_since_s is not None)
    assert looker.wedged((looker.busy_since_s or 0) + 16, 15.0)
    looker.close(within_s=0.05)
    eyes.go.set()
