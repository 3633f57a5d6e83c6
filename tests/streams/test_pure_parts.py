"""The pure parts of the ingest side: timestamps, back-off, sampler, gate, health, redaction, H.264."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import backoff, gate, h264, health, sampler, timestamps
from streams.redact import redact_url
from streams.source_errors import SourceError, Why
from tests.streams import coded

# -- timestamps ------------------------------------------------------------------------------------------------------------

_raw = st.one_of(st.none(), st.integers(-(2**33), 2**33))


@given(st.lists(st.tuples(_raw, st.floats(-5, 20)), min_size=1, max_size=60))
def test_whatever_a_camera_sends_times_rise_strictly_and_no_step_is_long(steps: list[tuple[int | None, float]]) -> None:
    line, clock, now_s, before = timestamps.Timeline(), timestamps.CaptureClock(), 1e9, None
    for raw, passed_s in steps:
        now_s += passed_s
        line, out = timestamps.step(line, raw, now_s)
        clock, captured_s = timestamps.captured_at(clock, out, now_s)
        assert captured_s <= now_s
        if before is not None:
            assert 0 < out - before <= timestamps.MAX_GAP_S * timestamps.HZ
        before = out


def test_good_steps_stay_as_they_are_after_the_first_key_frame_without_a_time() -> None:
    line, out, times = timestamps.Timeline(), 0, []
    for number, raw in enumerate([None, 9000, 18000, 27000, 36000]):
        line, out = timestamps.step(line, raw, 50.0 + number * 0.1)
        times.append(out)
    assert np.diff(times).tolist() == [9000] * 4


@pytest.mark.parametrize(
    ("before", "after", "passed_s", "step"),
    [
        (2**32 - 3000, 3000, 0.1, 6000),  # the 32-bit wrap is no jump
        (90_000, 90_000 * 3600, 0.1, 9000),  # the camera's clock was set: our clock says what passed
        (90_000, 45_000, 0.1, 9000),  # back
        (90_000, 90_000, 0.1, 9000),  # standing
        (90_000, None, 0.2, 18000),  # missing
        (90_000, 0, -3.0, 1),  # back, and our clock too
        (0, 90_000 * 9, 0.1, 90_000 * 9),  # a pause that the camera reports is believed
    ],
)
def test_each_defect_is_repaired_to_the_time_that_passed(before: int, after: int | None, passed_s: float, step: int) -> None:
    line, first = timestamps.step(timestamps.Timeline(), before, 100.0)
    _, second = timestamps.step(line, after, 100.0 + passed_s)
    assert second - first == step


def test_times_go_on_over_a_reconnect() -> None:
    line, _ = timestamps.step(timestamps.Timeline(), 5_000_000, 10.0)
    line, first = timestamps.step(line, 5_009_000, 10.1)
    line, second = timestamps.step(timestamps.restarted(line), None, 12.1)
    assert second - first == 2 * timestamps.HZ


def test_a_burst_after_a_stall_keeps_its_true_capture_times() -> None:
    clock = timestamps.CaptureClock()
    for number in range(10):
        clock, captured_s = timestamps.captured_at(clock, number * 9000, 100.0 + number * 0.1)
        assert captured_s == pytest.approx(100.0 + number * 0.1, abs=0.01)
    for number in range(10, 20):  # all arrive at once, two seconds late
        clock, captured_s = timestamps.captured_at(clock, number * 9000, 104.0)
        assert captured_s == pytest.approx(100.0 + number * 0.1, abs=0.02)


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_our_own_clock_is_set_and_capture_times_follow_at_once(step_s: float) -> None:
    clock = timestamps.CaptureClock()
    for number in range(100):
        now_s = 10_000.0 + number * 0.1 + (step_s if number >= 50 else 0.0)
        clock, captured_s = timestamps.captured_at(clock, number * 9000, now_s)
        assert captured_s == pytest.approx(now_s, abs=0.01), number


def test_a_slow_camera_clock_does_not_fall_behind_for_ever() -> None:
    clock, captured_s, now_s = timestamps.CaptureClock(), 0.0, 0.0
    for number in range(20_000):  # 200 ppm slow over 33 minutes: 0.4 s
        now_s = number * 0.1 * 1.0002
        clock, captured_s = timestamps.captured_at(clock, number * 9000, now_s)
    assert now_s - captured_s < 0.05


# -- back-off --------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 1)), min_size=1, max_size=50))
def test_backoff_stays_in_its_bounds_and_a_stable_connection_resets_it(attempts: list[tuple[float, float]]) -> None:
    state = backoff.Backoff()
    for held_s, chance in attempts:
        state, wait_s = backoff.failed(state, held_s=held_s, chance=chance)
        assert 0.25 <= wait_s <= 30.0
        if held_s >= backoff.STABLE_S:
            assert wait_s <= 0.5


def test_backoff_doubles_to_its_ceiling() -> None:
    state, waits = backoff.Backoff(), []
    for _ in range(8):
        state, wait_s = backoff.failed(state, held_s=0.0, chance=1.0)
        waits.append(wait_s)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]


# -- sampler and gate ------------------------------------------------------------------------------------------------------


def _chosen(fps: float, seconds: float, *, changed: bool, jitter: float = 0.0) -> list[float]:
    state, times = sampler.Sampler(4.0, 1.0), []
    random = np.random.default_rng(7)
    for number in range(int(fps * seconds)):
        now_s = 1e9 + number / fps + random.uniform(-jitter, jitter)
        state, take = sampler.offer(state, now_s, changed=changed)
        if take:
            times.append(now_s)
    assert state.chosen + state.dropped == int(fps * seconds)
    return times


@pytest.mark.parametrize("fps", [5.0, 10.0, 12.5, 15.0, 25.0, 29.97])
def test_sampler_reaches_its_cap_when_things_move(fps: float) -> None:
    assert len(_chosen(fps, 20, changed=True)) == pytest.approx(80, abs=1)


@pytest.mark.parametrize("fps", [2.0, 10.0, 12.5, 25.0])
def test_sampler_never_starves_a_still_picture(fps: float) -> None:
    times = _chosen(fps, 20, changed=False, jitter=0.2 / fps)
    assert np.diff(times).max() <= 1.0 + 1e-6 + 0.5 / fps
    assert len(times) <= 20 * (1 + 1 / fps) * 1.3 + 2


@given(st.lists(st.tuples(st.floats(-3, 3), st.booleans()), max_size=80))
def test_sampler_survives_any_clock(offers: list[tuple[float, bool]]) -> None:
    state, now_s, chosen = sampler.Sampler(4.0, 1.0), 1e9, 0
    for passed_s, changed in offers:
        now_s += passed_s
        state, take = sampler.offer(state, now_s, changed=changed)
        chosen += take
    assert state.chosen == chosen
    assert state.dropped == len(offers) - chosen


def test_gate_sees_a_small_person_and_not_the_noise() -> None:
    random = np.random.default_rng(3)
    scene = random.integers(80, 120, (576, 768)).astype(np.int16)

    def shot() -> gate.Luma:
        return np.clip(scene + random.normal(0, 3, scene.shape), 0, 255).astype(np.uint8)

    assert gate.changed(gate.Gate(), gate.thumbnail(shot()))  # nothing to compare with: look
    state = gate.looked(gate.thumbnail(shot()))
    assert not gate.changed(state, gate.thumbnail(shot()))
    person = shot()
    person[300:330, 400:412] = 20
    assert gate.changed(state, gate.thumbnail(person))


def test_slow_movement_adds_up() -> None:
    scene = np.full((576, 768), 100, np.uint8)
    state, seen = gate.looked(gate.thumbnail(scene)), 0
    for step in range(40):
        picture = scene.copy()
        picture[300:360, 100 + step : 124 + step] = 30
        thumb = gate.thumbnail(picture)
        if gate.changed(state, thumb):
            seen, state = seen + 1, gate.looked(thumb)
    assert seen >= 3


# -- health ----------------------------------------------------------------------------------------------------------------


def test_health_of_a_camera_through_its_day() -> None:
    state = health.connecting(0.0)
    state = health.failed(state, SourceError(Why.UNREACHABLE, "rtsp://***@cam/1", "connection refused"), 1.0)
    assert (state.state, state.since_s) == (health.State.UNREACHABLE, 1.0)
    assert "refused" in state.reason
    assert "cam" in state.reason_zh
    state = health.failed(state, SourceError(Why.UNREACHABLE, "rtsp://***@cam/1", "no answer in time"), 5.0)
    assert state.since_s == 1.0  # the same trouble, since then
    state = health.packet(state, 10.0)
    assert (state.state, state.since_s, state.reason) == (health.State.LIVE, 10.0, "")
    state = health.packet(state, 11.0)
    assert state.since_s == 10.0
    state = health.with_problem(state, health.frozen_problem(1.0, 11.0), 11.0)
    assert (state.state, state.since_s) == (health.State.DEGRADED, 11.0)
    state = health.without_problem(health.packet(state, 12.0), "frozen", 12.0)
    assert state.state is health.State.LIVE
    assert health.tick(state, 16.0).state is health.State.LIVE
    state = health.tick(state, 18.0)
    assert (state.state, state.since_s) == (health.State.STALLED, 18.0)
    state = health.failed(state, SourceError(Why.ENDED, "x"), 19.0)
    assert state.state is health.State.STALLED  # a tile does not flicker between attempts
    assert health.packet(state, 20.0).state is health.State.LIVE


def test_wrong_password_says_so_and_paused_stays_paused() -> None:
    state = health.failed(health.connecting(0.0), SourceError(Why.UNAUTHORISED, "rtsp://***@cam/1"), 1.0)
    assert state.state is health.State.UNAUTHORISED
    state = health.paused(state, 2.0)
    assert health.packet(state, 3.0).state is health.State.PAUSED


def test_losses_degrade_and_recover() -> None:
    state, now_s = health.packet(health.connecting(0.0), 0.0), 0.0
    for number in range(200):
        now_s += 0.1
        state = health.decoded(health.packet(state, now_s), now_s, corrupt=number % 6 == 0)
    assert state.state is health.State.DEGRADED
    assert "lost" in state.reason
    for _ in range(400):
        now_s += 0.1
        state = health.decoded(health.packet(state, now_s), now_s, corrupt=False)
    assert state.state is health.State.LIVE


def test_the_bus_message_has_exactly_the_agreed_fields() -> None:
    raw = json.loads(health.to_json("gate", health.connecting(5.0), health.Facts(10.0, 4.0, 768, 576, "h264"), 6.0))
    assert set(raw) == {
        "camera", "state", "since_s", "reason", "reason_zh", "fps", "inferred_per_s", "width", "height", "codec", "at_s",
    }  # fmt: skip


def test_freeze_is_the_same_key_frame_again_or_no_change_at_all() -> None:
    def run(digest_of: object, seconds: int = 15) -> float | None:
        state = health.Freeze()
        for number in range(seconds * 10):
            state = health.look(state, digest_of(number), number / 10, key=number % 20 == 0)  # type: ignore[operator]  # a lambda
        return health.frozen_since(state, seconds)

    assert run(lambda n: n) is None
    assert run(lambda n: min(n, 20)) == 2.0
    assert run(lambda n: n % 20) == 0.0  # each GOP the very same: a loop of one second
    assert run(lambda n: 5, seconds=8) is None  # not for long enough


# -- redaction -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://cam:554/a", "rtsp://cam:554/a"),
        ("rtsp://admin:S3cret@cam:554/a", "rtsp://***@cam:554/a"),
        ("rtsp://admin:S3@cret@cam/a", "rtsp://***@cam/a"),
        ("rtsp://admin:S3/cret@cam/a", "rtsp://***@cam/a"),
        ("rtsp://admin:S3?cret#@cam/a", "rtsp://***@cam/a"),
        ("rtsp://cam/a?user=admin&password=S3cret&channel=1", "rtsp://cam/a?user=***&password=***&channel=1"),
        ("rtsp://cam/user=admin_password=S3cret_channel=1_stream=0", "rtsp://cam/user=***_password=***_channel=1_stream=0"),
        ("admin:S3cret@cam/a", "***@cam/a"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=4, max_size=12).filter(
        lambda t: t not in "rtsp://***@camera/stream"
    )
)
def test_no_password_is_shown_whatever_is_in_it(password: str) -> None:
    assert password not in redact_url(f"rtsp://u:{password}@camera/stream")


# -- H.264 -----------------------------------------------------------------------------------------------------------------

_nal = st.binary(min_size=1, max_size=60).map(lambda b: b"\x65" + b.replace(b"\x00", b"\x01") + b"\x80")


@given(st.lists(_nal, max_size=6))
def test_nal_units_survive_both_framings(nals: list[bytes]) -> None:
    assert h264.split_annexb(h264.join_annexb(nals)) == nals
    assert h264.from_lengths(h264.to_lengths(nals), 4) == nals


def test_parameter_sets_size_and_avcc_of_real_streams() -> None:
    sets = coded.packets(1)[0].sets
    assert h264.picture_size(sets.sps[0]) == (160, 96)
    again, length_size = h264.parse_extradata(sets.avcc())
    assert (again, length_size) == (sets, 4)
    assert h264.parse_extradata(sets.annexb()) == (sets, 0)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_size_or_a_value_error(junk: bytes) -> None:
    try:
        width, height = h264.picture_size(b"\x67" + junk)
    except ValueError:
        return
    assert width > 0
    assert height > 0


@given(st.binary(max_size=60))
def test_any_extradata_is_read_or_refused(junk: bytes) -> None:
    try:
        h264.parse_extradata(junk)
    except ValueError:
        return
    assert h264.has_b_slice(junk) in {True, False}
