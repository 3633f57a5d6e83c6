"""What a worker says reaches the bus in its order, also when the bus is away for a while; no camera waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.bus_sink import KEEP_FLEETING, BusSink
from dispatch.bus import BusError
from tests.streams.worker_kit import eventually
from vision.sighting import Evidence, HazardKind, Sighting


def _sighting(number: int) -> Sighting:
    return Sighting(f"s{number}", HazardKind.INTRUSION, "gate", "all", number, number, 0.9, None, None, Evidence("", "r"))


class Bus:
    """A publisher that is away on the calls that it is told to be, and takes one message at a time."""

    def __init__(self, away: Callable[[int], bool] = lambda call: False) -> None:
        self.taken: list[Any] = []
        self.calls = 0
        self._away = away

    def _take(self, message: Any) -> None:
        self.calls += 1
        if self._away(self.calls):
            raise BusError("bus at 127.0.0.1:6379: connection refused")
        self.taken.append(message)

    def publish_sighting(self, sighting: Sighting) -> None:
        self._take(sighting.id)

    def publish_clip(self, message: dict[str, Any]) -> None:
        if message.get("bad"):
            raise ValueError("Out of range float values are not JSON compliant")
        self._take(message["clip"])

    def publish_health(self, message: dict[str, Any]) -> None:
        self._take(message)

    def publish_view(self, message: dict[str, Any]) -> None:
        self._take(message)


@settings(max_examples=60, deadline=None)
@given(away=st.sets(st.integers(1, 60)), kinds=st.lists(st.sampled_from("scv"), min_size=1, max_size=30))
def test_nothing_that_lasts_is_lost_or_overtakes(away: set[int], kinds: list[str]) -> None:
    bus = Bus(lambda call: call in away)
    sink, told = BusSink(bus, retry_s=0.0005), list[str]()
    sink.start()
    lasting = []
    for number, kind in enumerate(kinds):
        if kind == "s":
            sink.sighting(_sighting(number))
            lasting.append(f"s{number}")
        elif kind == "c":
            sink.clip({"clip": f"c{number}"}, lambda name=f"c{number}": told.append(name))  # type: ignore[misc]  # bound now
            lasting.append(f"c{number}")
        else:
            sink.view({"camera": "gate", "at_s": number})
    eventually(lambda: sink.waiting == 0, every_s=0.0005)
    sink.close()
    assert [message for message in bus.taken if isinstance(message, str)] == lasting
    assert told == [name for name in lasting if name.startswith("c")]
    assert sink.lost == 0


def test_while_the_bus_is_away_calls_return_at_once_and_what_is_stale_gives_way() -> None:
    gone = threading.Event()
    gone.set()
    bus = Bus(lambda call: gone.is_set())
    sink = BusSink(bus, retry_s=0.01)
    with structlog.testing.capture_logs() as logs:
        sink.start()
        began_s = time.monotonic()
        for number in range(200):
            sink.sighting(_sighting(number))
            sink.view({"number": number})
            sink.health({"camera": "gate", "number": number})
        assert time.monotonic() - began_s < 1
        eventually(lambda: bus.calls > 5)
        gone.clear()
        sink.health({"camera": "gate", "number": "newest"})
        eventually(lambda: {"camera": "gate", "number": "newest"} in bus.taken)
        sink.close()
    assert [m for m in bus.taken if isinstance(m, str)] == [f"s{number}" for number in range(200)]
    assert len(bus.taken) <= 200 + KEEP_FLEETING + 1
    assert [entry["event"] for entry in logs] == ["bus.away", "bus.back"]  # not once for each try
    assert logs[0]["reason"] == "bus at 127.0.0.1:6379: connection refused"


def test_the_newest_boxes_win_when_there_are_too_many() -> None:
    bus = Bus()
    sink = BusSink(bus)
    for number in range(KEEP_FLEETING + 20):
        sink.view({"number": number})
    sink.start()
    eventually(lambda: len(bus.taken) == KEEP_FLEETING)
    sink.close()
    assert bus.taken[-1] == {"number": KEEP_FLEETING + 19}


def test_one_message_that_cannot_be_sent_does_not_stop_the_others() -> None:
    bus = Bus()
    sink = BusSink(bus)
    with structlog.testing.capture_logs() as logs:
        sink.start()
        sink.clip({"clip": "bad", "bad": True}, lambda: None)
        sink.sighting(_sighting(1))
        eventually(lambda: bus.taken == ["s1"])
        sink.close()
    assert [entry["event"] for entry in logs] == ["bus.not_sendable"]


def test_a_queue_has_an_end_and_says_so() -> None:
    sink = BusSink(Bus(), keep=3)
    with structlog.testing.capture_logs() as logs:
        for number in range(5):
            sink.sighting(_sighting(number))
    assert (sink.waiting, sink.lost) == (3, 2)
    assert [entry["event"] for entry in logs] == ["bus.queue_full"]


def test_the_end_sends_what_waits_and_does_not_wait_for_a_bus_that_is_away() -> None:
    bus = Bus()
    sink = BusSink(bus)
    for number in range(50):
        sink.sighting(_sighting(number))
    sink.start()
    sink.close()
    assert len(bus.taken) == 50

    away = BusSink(Bus(lambda call: True), retry_s=60)
    with structlog.testing.capture_logs() as logs:
        away.start()
        away.sighting(_sighting(1))
        began_s = time.monotonic()
        away.close()
        assert time.monotonic() - began_s < 1.5
    assert logs[-1] == {"event": "bus.not_sent", "messages": 1, "log_level": "error"}
