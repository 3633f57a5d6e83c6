"""Simulated responders, as phones on HTTP: they answer, turn out, move, arrive, clear and go home, whatever happens meanwhile."""

from __future__ import annotations

import random
import threading

import httpx
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.responders import Manner, Phone, SimulatedResponder
from dispatch.movement import distance_m
from tests.cli.phone_kit import HERE, ORIGIN, SCENE, Site
from tests.streams.worker_kit import eventually

SURE = Manner(acceptance=1.0, answer_median_s=4.0, answer_spread=0.0, on_scene_s=40.0)
NEVER = Manner(acceptance=0.0, answer_median_s=4.0, answer_spread=0.0)


def _responder(site: Site, manner: Manner = SURE) -> SimulatedResponder:
    phone = Phone("sim-one", "right", HERE, "foot", 10.0)
    way = lambda a, b, mode: None  # noqa: E731  # there is no map here: straight home
    return SimulatedResponder(phone, ORIGIN, manner, rng=random.Random(1), route_home=way, client=site.client())


def _live(site: Site, responder: SimulatedResponder, seconds: int) -> None:
    for _ in range(seconds):
        site.now_s += 1
        responder.step(site.now_s)


def _metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    return distance_m((a[1], a[0]), (b[1], b[0]))


def test_the_whole_way_from_offer_to_home() -> None:
    site = Site()
    responder = _responder(site)
    _live(site, responder, 2)
    assert (site.states, site.logins) == (["available"], 1)
    assert responder.lat_lon == pytest.approx(HERE)
    site.offer(eta_s=110.0)  # 10 s to turn out, 100 s on the way
    _live(site, responder, 3)
    assert site.answers == []  # it thinks first
    _live(site, responder, 3)
    assert site.answers == ["accept"]
    _live(site, responder, 8)
    assert site.answers == ["accept"]  # turning out
    _live(site, responder, 5)
    assert site.answers == ["accept", "en_route"]
    _live(site, responder, 50)
    assert 60 < _metres(responder.lat_lon, HERE) < 140  # about half of 200 m
    _live(site, responder, 60)
    assert site.answers == ["accept", "en_route", "on_scene"]
    assert _metres(responder.lat_lon, SCENE) < 1
    _live(site, responder, 45)
    assert site.answers == ["accept", "en_route", "on_scene", "clear"]
    _live(site, responder, 200)  # 200 m at 1.4 m/s
    assert _metres(responder.lat_lon, HERE) < 1
    assert len(site.keys) == 4
    assert all(_metres(a, b) < 5 for a, b in zip(site.positions, site.positions[1:], strict=False))  # nobody jumps


def test_who_cannot_come_says_so_with_a_reason() -> None:
    site = Site()
    responder = _responder(site, NEVER)
    site.offer()
    _live(site, responder, 8)
    assert site.answers == ["decline"]
    site.offer("a2")
    _live(site, responder, 8)
    assert site.answers == ["decline", "decline"]


@pytest.mark.parametrize("after_s", [2, 10, 40])
def test_an_assignment_withdrawn_meanwhile_ends_in_going_home(after_s: int) -> None:
    site = Site()
    responder = _responder(site)
    site.offer()
    _live(site, responder, after_s)
    site.assignment = None
    _live(site, responder, 120)
    assert _metres(responder.lat_lon, HERE) < 1
    site.offer("a2", eta_s=20.0)
    _live(site, responder, 60)
    assert site.answers[-1] in {"on_scene", "clear"}


def test_an_answer_that_comes_too_late_is_no_failure() -> None:
    site = Site()
    responder = _responder(site)
    site.offer()
    _live(site, responder, 3)
    taken = site.assignment
    assert taken is not None
    shown = dict(taken)
    refuse = httpx.MockTransport(lambda request: _stale(site, shown, request))
    responder._http._transport = refuse  # the offer ends between the phone's look and its answer
    with structlog.testing.capture_logs() as logs:
        _live(site, responder, 3)
    assert [entry["event"] for entry in logs] == ["responder.overtaken"] * len(logs)
    assert logs


def _stale(site: Site, shown: dict[str, object], request: httpx.Request) -> httpx.Response:
    site.assignment = shown
    if request.url.path.endswith("/accept"):
        site.assignment = None
    return site._answer(request)


def test_a_session_that_ended_is_opened_again_and_the_work_goes_on() -> None:
    site = Site()
    responder = _responder(site)
    site.offer()
    _live(site, responder, 8)
    site.restart()
    with pytest.raises(httpx.HTTPStatusError):
        _live(site, responder, 1)
    _live(site, responder, 15)
    assert site.logins == 2
    assert site.answers == ["accept", "en_route"]


def test_a_phone_started_anew_goes_on_where_it_was() -> None:
    site = Site()
    first = _responder(site)
    site.offer()
    _live(site, first, 66)
    assert site.answers == ["accept", "en_route"]
    place = first.lat_lon
    assert _metres(place, HERE) > 60
    second = _responder(site)
    _live(site, second, 1)
    assert _metres(second.lat_lon, place) < 5  # not back at its base
    _live(site, second, 80)
    assert site.answers[:3] == ["accept", "en_route", "on_scene"]
    third = _responder(site)
    arrived_s = site.now_s
    _live(site, third, 45)
    assert site.answers[-1] == "clear"
    assert site.now_s - arrived_s >= 10
    assert all(_metres(a, b) < 15 for a, b in zip(site.positions, site.positions[1:], strict=False))


def test_who_has_no_route_goes_nowhere_and_says_so_by_arriving() -> None:
    site = Site()
    responder = _responder(site)
    site.offer(route=False)
    _live(site, responder, 30)
    assert "on_scene" in site.answers
    assert responder.lat_lon == pytest.approx(HERE)


def test_pace_makes_everything_faster() -> None:
    site = Site()
    responder = _responder(site, Manner(acceptance=1.0, answer_median_s=1.0, answer_spread=0.0, on_scene_s=40.0, pace=10.0))
    site.offer()
    _live(site, responder, 22)
    assert site.answers == ["accept", "en_route", "on_scene", "clear"]
    _live(site, responder, 20)
    assert _metres(responder.lat_lon, HERE) < 1


_event = st.sampled_from(["offer", "withdraw", "restart", "away", "back", "new_phone", "wait", "wait", "wait"])


@settings(max_examples=30, deadline=None)
@given(st.lists(_event, max_size=30), st.integers(0, 100), st.floats(0, 1))
def test_whatever_happens_it_goes_on_and_never_does_what_is_impossible(events: list[str], seed: int, acceptance: float) -> None:
    site, number = Site(), 0
    manner = Manner(acceptance=acceptance, answer_median_s=2.0, on_scene_s=5.0, pace=5.0)

    def phone() -> SimulatedResponder:
        made = Phone("sim-one", "right", HERE, "bicycle", 5.0)
        rng = random.Random(seed)
        return SimulatedResponder(made, ORIGIN, manner, rng=rng, route_home=lambda a, b, mode: None, client=site.client())

    responder = phone()
    for event in events:
        match event:
            case "offer":
                number += 1
                site.offer(f"a{number}")
            case "withdraw":
                site.assignment = None
            case "restart":
                site.restart()
            case "away" | "back":
                site.away = event == "away"
            case "new_phone":
                responder = phone()
        for _ in range(6):
            site.now_s += 1
            try:
                responder.step(site.now_s)
            except httpx.HTTPError:
                continue
    site.away = False
    for _ in range(120):
        site.now_s += 1
        try:
            responder.step(site.now_s)
        except httpx.HTTPError:
            continue
    assert site.assignment is None  # everything was finished
    assert _metres(responder.lat_lon, HERE) < 16
    assert all(_metres(a, b) < 60 for a, b in zip(site.positions, site.positions[1:], strict=False)) or "away" in events


def test_the_loop_survives_a_server_that_is_away_and_a_defect_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.responders.REPORT_EVERY_S", 0.01)
    monkeypatch.setattr("cli.responders.RETRY_S", 0.01)
    site = Site(away=True)
    responder, stop = _responder(site), threading.Event()
    thread = threading.Thread(target=responder.run, args=(stop,), daemon=True)
    with structlog.testing.capture_logs() as logs:
        thread.start()
        try:
            eventually(lambda: any(entry["event"] == "responder.offline" for entry in logs))
            site.away = False
            eventually(lambda: bool(site.positions))
            site.assignment = {"id": "not what was agreed on"}
            eventually(lambda: any(entry["event"] == "responder.failed" for entry in logs))
            site.assignment = None
            reported = len(site.positions)
            eventually(lambda: len(site.positions) > reported)
        finally:
            stop.set()
            thread.join(5)
    assert not thread.is_alive()
    assert sum(entry["event"] == "responder.offline" for entry in logs) == 1
