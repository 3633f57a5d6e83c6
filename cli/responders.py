"""Simulated responders, for demo and tests: each is a phone that speaks HTTP, moves along roads, answers like a person.

Nothing here knows more than a phone would: it signs in, shares a position, sees an offer, accepts or declines after a moment's
thought, turns out, drives or walks the route at its mode's speed, works on scene, clears, and goes home.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog

from dispatch import movement

log = structlog.get_logger()

REPORT_EVERY_S = 1.0
RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody behaves: chance to accept, seconds to answer (log-normal median), to turn out, to work on scene."""

    acceptance: float = 0.85
    answer_median_s: float = 4.0
    answer_spread: float = 0.4
    on_scene_s: float = 40.0
    pace: float = 1.0  # 2 moves twice as fast as real


@dataclass(frozen=True, slots=True)
class Phone:
    account: str
    password: str
    base: tuple[float, float]
    mode: str
    turnout_s: float


# from (lat, lon) to (lat, lon) in a mode: the way as (lon, lat), and its seconds; None where there is none
RouteHome = Callable[[tuple[float, float], tuple[float, float], str], tuple[list[tuple[float, float]], float] | None]


@dataclass(slots=True)
class _State:
    lon_lat: tuple[float, float]
    assignment: str = ""
    answer_at_s: float = 0.0
    leave_at_s: float = 0.0
    arrive: movement.Journey | None = None
    set_out_s: float = 0.0
    clear_at_s: float = 0.0
    home: movement.Journey | None = None
    refused: set[str] = field(default_factory=set)


class SimulatedResponder:
    """One phone. `step(now_s)` does one poll and at most one answer; `run` repeats it until told to stop."""

    def __init__(
        self,
        phone: Phone,
        origin: str,
        manner: Manner,
        *,
        rng: random.Random,
        route_home: RouteHome,
        client: httpx.Client | None = None,
    ) -> None:
        self._phone = phone
        self._manner = manner
        self._rng = rng
        self._route_home = route_home
        self._http = client or httpx.Client(base_url=origin, timeout=5.0, headers={"Origin": origin})
        self._signed_in = False
        self._state = _State(lon_lat=(phone.base[1], phone.base[0]))

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(REPORT_EVERY_S):
            try:
                self.step(time.time())
            except httpx.HTTPError as error:
                log.warning("responder.offline", account=self._phone.account, reason=type(error).__name__)
                stop.wait(RETRY_S)

    def step(self, now_s: float) -> None:
        if not self._signed_in:
            self._sign_in()
        self._move(now_s)
        lon, lat = self._state.lon_lat
        self._post("/api/v1/units/me/position", {"lat": lat, "lon": lon, "accuracy_m": 8.0, "client_time_s": now_s})
        mine = self._get("/api/v1/units/me")
        if mine["assignment"] is None:
            self._free(now_s)
        else:
            self._serve(mine["assignment"], now_s)

    def _sign_in(self) -> None:
        me = self._checked(
            self._http.post("/api/v1/session", json={"name": self._phone.account, "password": self._phone.password})
        )
        self._http.headers["X-Callout-CSRF"] = me["csrf"]
        self._signed_in = True
        self._post("/api/v1/units/me/state", {"state": "available"})
        log.info("responder.on_duty", account=self._phone.account)

    def _serve(self, assignment: Mapping[str, Any], now_s: float) -> None:
        state, manner = self._state, self._manner
        if assignment["id"] != state.assignment:
            thought_s = manner.answer_median_s * math.exp(self._rng.gauss(0, manner.answer_spread))
            self._state = state = _State(lon_lat=state.lon_lat, assignment=assignment["id"], answer_at_s=now_s + thought_s)
        if assignment["state"] == "offered" and now_s >= state.answer_at_s:
            if self._rng.random() < manner.acceptance:
                self._answer(assignment, "accept", now_s)
                state.leave_at_s = now_s + self._phone.turnout_s / manner.pace
            else:
                self._answer(assignment, "decline", now_s, reason="cannot_come")
        elif assignment["state"] == "accepted" and now_s >= state.leave_at_s:
            self._answer(assignment, "en_route", now_s)
            state.arrive = self._journey_to(assignment)
            state.set_out_s = now_s
        elif assignment["state"] == "en_route":
            if state.arrive is None:  # after a restart: from where we are
                state.arrive, state.set_out_s = self._journey_to(assignment), now_s
            elif movement.at(state.arrive, now_s - state.set_out_s)[1]:
                self._answer(assignment, "on_scene", now_s)
                state.clear_at_s = now_s + manner.on_scene_s / manner.pace
        elif assignment["state"] == "on_scene" and now_s >= state.clear_at_s:
            self._answer(assignment, "clear", now_s)

    def _journey_to(self, assignment: Mapping[str, Any]) -> movement.Journey:
        route = [(lon, lat) for lon, lat in assignment["route"] or ()]
        points = [self._state.lon_lat, *route] if route else [self._state.lon_lat]
        travel_s = (assignment["eta_s"] or 0.0) - self._phone.turnout_s if route else 0.0
        if travel_s <= 0:
            return movement.journey(points, mode=self._phone.mode)
        return movement.journey(points, duration_s=travel_s / self._manner.pace)

    def _free(self, now_s: float) -> None:
        state = self._state
        if state.assignment:
            self._state = state = _State(lon_lat=state.lon_lat)
        base = (self._phone.base[1], self._phone.base[0])
        if state.home is None and movement.distance_m(state.lon_lat, base) > 15:
            found = self._route_home((state.lon_lat[1], state.lon_lat[0]), self._phone.base, self._phone.mode)
            points, travel_s = found if found is not None else ([base], None)
            paced_s = None if travel_s is None else travel_s / self._manner.pace
            state.home = movement.journey([state.lon_lat, *points], duration_s=paced_s, mode=self._phone.mode)
            state.set_out_s = now_s

    def _move(self, now_s: float) -> None:
        state = self._state
        under_way = state.arrive or state.home
        if under_way is not None:
            state.lon_lat, there = movement.at(under_way, now_s - state.set_out_s)
            if there and state.home is not None:
                state.home = None

    def _answer(self, assignment: Mapping[str, Any], action: str, now_s: float, reason: str = "") -> None:
        body: dict[str, Any] = {"client_time_s": now_s}
        if reason:
            body["reason"] = reason
        self._post(f"/api/v1/assignments/{assignment['id']}/{action}", body, key=f"{assignment['id']}-{action}")
        log.info("responder.answered", account=self._phone.account, action=action)

    def _post(self, path: str, body: Mapping[str, Any], key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return self._checked(self._http.post(path, json=dict(body), headers=headers))

    def _get(self, path: str) -> Any:
        return self._checked(self._http.get(path))

    def _checked(self, response: httpx.Response) -> Any:
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._signed_in = False
        if response.status_code == httpx.codes.CONFLICT:  # withdrawn or timed out meanwhile: look again at the next step
            log.info("responder.overtaken", account=self._phone.account)
            return None
        response.raise_for_status()
        return response.json() if response.content else None
