"""The part of Callout's HTTP that a phone speaks, small and strict: what the simulated responders are tested on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

ORIGIN = "http://127.0.0.1:1"
HERE = (60.1700, 24.9400)
SCENE = (60.1718, 24.9400)  # 200 m to the north
_AFTER = {
    ("offered", "accept"): "accepted",
    ("offered", "decline"): None,
    ("accepted", "en_route"): "en_route",
    ("en_route", "on_scene"): "on_scene",
    ("on_scene", "clear"): None,
}


@dataclass
class Site:
    """One unit's server side. Refuses what the real one refuses: no session, no CSRF token, no origin, impossible steps."""

    now_s: float = 1000.0
    password: str = "right"
    position: dict[str, Any] | None = None
    assignment: dict[str, Any] | None = None
    answers: list[str] = field(default_factory=list)
    positions: list[tuple[float, float]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    logins: int = 0
    session: str = ""
    away: bool = False
    keys: set[str] = field(default_factory=set)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=ORIGIN, headers={"Origin": ORIGIN}, transport=httpx.MockTransport(self._answer))

    def offer(self, id_: str = "a1", *, eta_s: float = 110.0, route: bool = True) -> None:
        line = [[HERE[1], HERE[0]], [24.94, 60.1709], [SCENE[1], SCENE[0]]]
        self.assignment = {
            "id": id_, "state": "offered", "eta_s": eta_s, "route": line if route else None,
            "accepted_at_s": None, "on_scene_at_s": None,
        }  # fmt: skip

    def restart(self) -> None:
        """The web process was started anew, or the session has ended."""
        self.session = ""

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("refused", request=request)
        path = request.url.path.removeprefix("/api/v1")
        body = json.loads(request.content) if request.content else {}
        if path == "/session":
            if body != {"name": "sim-one", "password": self.password}:
                return _problem(401)
            self.logins += 1
            self.session = f"s{self.logins}"
            return httpx.Response(
                200, json={"csrf": f"csrf-{self.session}"}, headers={"Set-Cookie": f"callout_session={self.session}; Path=/"}
            )
        if not self.session or f"callout_session={self.session}" not in request.headers.get("Cookie", ""):
            return _problem(401)
        if request.method != "GET" and (
            request.headers.get("X-Callout-CSRF") != f"csrf-{self.session}" or request.headers.get("Origin") != ORIGIN
        ):
            return _problem(403)
        if path == "/units/me":
            return httpx.Response(
                200, json={"unit": {"position": self.position}, "assignment": self.assignment, "incident": None}
            )
        if path == "/units/me/position":
            self.position = {"lat": body["lat"], "lon": body["lon"], "at_s": body["client_time_s"], "accuracy_m": 8.0}
            self.positions.append((body["lat"], body["lon"]))
            return httpx.Response(200, json={})
        if path == "/units/me/state":
            if self.assignment is not None:
                return _problem(409)
            self.states.append(body["state"])
            return httpx.Response(200, json={})
        return self._act(path, body, request.headers.get("Idempotency-Key", ""))

    def _act(self, path: str, body: dict[str, Any], key: str) -> httpx.Response:
        _, _, id_, action = path.split("/")
        mine = self.assignment
        assert key, "what creates or changes carries an Idempotency-Key"
        if mine is None or mine["id"] != id_:
            return _problem(409)
        state = mine["state"]
        if (state, action) not in _AFTER:
            return _problem(409)
        assert action != "decline" or body["reason"]
        self.answers.append(action)
        self.keys.add(key)
        after = _AFTER[state, action]
        self.assignment = None if after is None else {**mine, "state": after}
        if self.assignment is not None and after in {"accepted", "on_scene"}:
            self.assignment[f"{after}_at_s"] = self.now_s
        return httpx.Response(200, json=self.assignment or {})


def _problem(status: int) -> httpx.Response:
    return httpx.Response(status, json={"status": status, "title": "no"}, headers={"Content-Type": "application/problem+json"})
