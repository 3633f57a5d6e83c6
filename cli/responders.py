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
from dataclasses import dataclass
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
    """What a phone has in mind. All else (what it has accepted, since when it is on scene) it asks the server for."""

    lon_lat: tuple[float, float]
    assignment: str = ""
    answer_at_s: float = 0.0
    arrive: movement.Journey | None = None
    home: movement.Journey | None = None
    set_out_s: float = 0.0


class SimulatedResponder:
    """One phone. `step(now_s)` does one poll and at most one answer; `run` repeats it until told to stop.

    It may be started anew at any moment: it goes on from the place and the assignment that the server knows.
    """

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
        self._signed_in = self._on_duty = False
        self._state = _State(lon_lat=(phone.base[1], phone.base[0]))

    @property
    def lat_lon(self) -> tuple[float, float]:
        return self._state.lon_lat[1], self._state.lon_lat[0]

    def run(self, stop: threading.Event) -> None:
        offline = False
        while not stop.wait(REPORT_EVERY_S):
            try:
                self.step(time.time())
                offline = False
            except httpx.HTTPError as error:
                if not offline:
                    log.warning("responder.offline", account=self._phone.account, reason=_why(error))
                offline = True
                stop.wait(RETRY_S)
            except Exception:
                log.exception("responder.failed", account=self._phone.account)
                stop.wait(RETRY_S)
        self._http.close()

    def step(self, now_s: float) -> None:
        """Raises httpx.HTTPError: no answer, or a refusal. After a 401 the next step signs in again."""
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
        known = self._get("/api/v1/units/me")["unit"]["position"]
        if not self._on_duty and known is not None:
            self._state.lon_lat = (known["lon"], known["lat"])
        self._post("/api/v1/units/me/state", {"state": "available"})
        self._signed_in = self._on_duty = True
        log.info("responder.on_duty", account=self._phone.account)

    def _serve(self, assignment: Mapping[str, Any], now_s: float) -> None:
        state, manner = self._state, self._manner
        if assignment["id"] != state.assignment:
            thought_s = manner.answer_median_s * math.exp(self._rng.gauss(0, manner.answer_spread))
            self._state = state = _State(lon_lat=state.lon_lat, assignment=assignment["id"], answer_at_s=now_s + thought_s)
        if assignment["state"] == "offered" and now_s >= state.answer_at_s:
            accepts = self._rng.random() < manner.acceptance
            self._answer(assignment, *(("accept",) if accepts else ("decline", "busy")), now_s=now_s)
        elif (
            assignment["state"] == "accepted"
            and now_s >= (assignment["accepted_at_s"] or 0) + self._phone.turnout_s / manner.pace
        ):
            self._answer(assignment, "en_route", now_s=now_s)
        elif assignment["state"] == "en_route":
            if state.arrive is None:  # just set out, or started anew: from where we are
                state.arrive, state.set_out_s = self._journey_to(assignment), now_s
            elif movement.at(state.arrive, now_s - state.set_out_s)[1]:
                self._answer(assignment, "on_scene", now_s=now_s)
        elif assignment["state"] == "on_scene" and now_s >= (assignment["on_scene_at_s"] or 0) + manner.on_scene_s / manner.pace:
            self._answer(assignment, "clear", now_s=now_s)

    def _journey_to(self, assignment: Mapping[str, Any]) -> movement.Journey:
        """What is left of the route, in what is left of its time; without a route we are as near as we get."""
        here, pace = self._state.lon_lat, self._manner.pace
        route = [(lon, lat) for lon, lat in assignment["route"] or ()]
        whole_m, travel_s = movement.length_m(route), (assignment["eta_s"] or 0.0) - self._phone.turnout_s
        left = [here, *movement.rest(route, here)]
        known = travel_s > 0 and whole_m > 0
        took_s = travel_s * movement.length_m(left) / whole_m / pace if known else None
        return movement.journey(left, duration_s=took_s, **self._usual())

    def _usual(self) -> dict[str, Any]:
        return {"mode": self._phone.mode, "pace": self._manner.pace}

    def _free(self, now_s: float) -> None:
        state = self._state
        if state.assignment:
            self._state = state = _State(lon_lat=state.lon_lat)
        base = (self._phone.base[1], self._phone.base[0])
        if state.home is None and movement.distance_m(state.lon_lat, base) > 15:
            found = self._route_home((state.lon_lat[1], state.lon_lat[0]), self._phone.base, self._phone.mode)
            points, travel_s = found if found is not None else ([base], None)
            paced_s = None if travel_s is None else travel_s / self._manner.pace
            state.home = movement.journey([state.lon_lat, *points], duration_s=paced_s, **self._usual())
            state.set_out_s = now_s

    def _move(self, now_s: float) -> None:
        state = self._state
        under_way = state.arrive or state.home
        if under_way is not None:
            state.lon_lat, there = movement.at(under_way, now_s - state.set_out_s)
            if there and state.home is not None:
                state.home = None

    def _answer(self, assignment: Mapping[str, Any], action: str, reason: str = "", *, now_s: float) -> None:
        body: dict[str, Any] = {"client_time_s": now_s}
        if reason:
            body["reason"] = reason
        taken = self._post(f"/api/v1/assignments/{assignment['id']}/{action}", body, key=f"{assignment['id']}-{action}")
        if taken is not None:
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


def _why(error: httpx.HTTPError) -> str:
    return f"HTTP {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else type(error).__name__
