"""GOP cache and backlog: whatever comes out can be decoded, and memory has a bound."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.gop import Backlog, GopCache, Packet


def packet(number: int, *, key: bool = False, size: int = 10) -> Packet:
    return Packet(number * 6000, key, number / 15, bytes(size))


def decodable(numbers: list[int], keys: set[int], joined_at: int | None = None) -> bool:
    """Each picture is a key frame or follows right on the one before."""
    before = joined_at
    for number in numbers:
        if number not in keys and before != number - 1:
            return False
        before = number
    return True


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy with other work
@given(
    keys=st.sets(st.integers(0, 40)),
    takes=st.lists(st.booleans(), min_size=40, max_size=40),
    sizes=st.lists(st.integers(1, 60), min_size=40, max_size=40),
)
def test_a_slow_reader_gets_decodable_pictures_and_bounded_memory(keys: set[int], takes: list[bool], sizes: list[int]) -> None:
    backlog = Backlog([], max_bytes=200, max_packets=6)
    out: list[int] = []
    for number in range(40):
        backlog.push(packet(number, key=number in keys, size=sizes[number]))
        assert len(backlog) <= 6
        if takes[number] and (got := backlog.pop()) is not None:
            out.append(got.pts_90k // 6000)
    taken = len(out)
    while (got := backlog.pop()) is not None:
        out.append(got.pts_90k // 6000)
    assert decodable(out, keys)
    assert out == sorted(set(out))
    assert taken + backlog.dropped + (len(out) - taken) == 40


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy with other work
@given(st.lists(st.booleans(), max_size=60), st.integers(1, 12))
def test_the_cache_begins_at_the_last_key_frame_or_is_empty(keys: list[bool], most: int) -> None:
    cache = GopCache(max_bytes=most * 10)
    for number, key in enumerate(keys):
        cache.push(packet(number, key=key))
    gop = cache.packets()
    assert sum(len(p.data) for p in gop) <= most * 10
    if gop:
        assert gop[0].key
        assert not any(p.key for p in gop[1:])
        assert gop[-1].pts_90k == (len(keys) - 1) * 6000
        assert all(p.cached for p in gop)


def test_a_gop_older_than_the_bound_is_forgotten() -> None:
    cache = GopCache(max_s=2.0)
    for number in range(40):
        cache.push(packet(number, key=number == 0))
    assert cache.packets() == []


def test_a_reader_begins_with_the_gop_and_may_begin_it_again() -> None:
    cache = GopCache()
    for number in range(3):
        cache.push(packet(number, key=number == 0))
    backlog = Backlog(cache.packets())
    backlog.push(packet(3))
    cache.push(packet(3))
    assert [p.cached for p in iter(backlog.pop, None)] == [True, True, True, False]
    backlog.restart(cache.packets())
    assert [p.pts_90k // 6000 for p in iter(backlog.pop, None)] == [0, 1, 2, 3]
