"""The clock of one viewer's video."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from web.timeline import AHEAD_TICKS, BEHIND_TICKS, BURST_TICKS, Timeline


def test_a_burst_out_of_the_cache_takes_no_time_and_live_pictures_keep_their_distance() -> None:
    line = Timeline()
    burst = [line.step(number * 6000, cached=True, now_s=100.0) for number in range(30)]
    assert burst == [number * BURST_TICKS for number in range(30)]
    live = [line.step((30 + number) * 6000, cached=False, now_s=100.03 + number / 15) for number in range(60)]
    assert [b - a for a, b in pairwise(live)] == [6000] * 59


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy with other work
@given(st.lists(st.tuples(st.integers(-(2**33), 2**33), st.booleans(), st.floats(0, 3)), min_size=1, max_size=60))
def test_whatever_a_source_sends_timestamps_grow_and_stay_by_the_wall_clock(steps: list[tuple[int, bool, float]]) -> None:
    line, now_s, last, anchor = Timeline(), 50.0, None, (50.0, 0)
    for pts, cached, passed_s in steps:
        now_s += passed_s
        ticks = line.step(pts, cached=cached, now_s=now_s)
        if last is None:
            assert ticks == 0
            anchor = (now_s, 0)
        else:
            assert ticks > last
            if cached:
                anchor = (now_s, ticks)
            else:
                wall = anchor[1] + (now_s - anchor[0]) * 90_000
                assert -BEHIND_TICKS - 1 <= ticks - wall <= AHEAD_TICKS + 1 or ticks == last + BURST_TICKS
        last = ticks


def test_after_a_stall_pictures_are_stamped_now() -> None:
    line = Timeline()
    line.step(0, cached=False, now_s=0.0)
    assert line.step(6000, cached=False, now_s=5.0) == 450_000
