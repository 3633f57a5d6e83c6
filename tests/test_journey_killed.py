"""The main journey with the server killed -9 between any two steps. Each step finds the incident where it was."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import httpx

from tests.journey.running_site import UNIT_OF, Phone, RunningSite, running, until


class Desk:
    """Everybody of the journey, signed in anew after each restart: sessions live on, and the test does not rely on it."""

    def __init__(self, site: RunningSite) -> None:
        self.site = site
        self.olga = Phone(site.address, "olga")
        self.phones = {name: Phone(site.address, name) for name in UNIT_OF}
        for phone in (self.olga, *self.phones.values()):
            phone.sign_in()
        for name in UNIT_OF:
            self.on_duty(name)

    def on_duty(self, name: str) -> None:
        phone = self.phones[name]
        mine = phone.get("/api/v1/units/me")
        lat, lon = mine["unit"]["base"]
        if mine["unit"]["state"] == "off_duty":
            phone.post("/api/v1/units/me/state", {"state": "available"})
        phone.post("/api/v1/units/me/position", {"lat": lat, "lon": lon, "accuracy_m": 5.0})

    def incident(self, id_: str) -> dict[str, Any]:
        found: dict[str, Any] = self.olga.get(f"/api/v1/incidents/{id_}")
        return found

    def close(self) -> None:
        for phone in (self.olga, *self.phones.values()):
            phone.close()


def test_killed_between_any_two_steps(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        desk = Desk(site)
        incident = until("the hazard becomes an incident", lambda: first(desk.olga), 45)
        id_, number = incident["id"], incident["number"]
        until("its clip is open", lambda: desk.incident(id_)["clips"], 15)

        desk = killed(site, desk, id_, number, desk.incident(id_)["state"])
        seen = {"Idempotency-Key": "confirm-1", "If-Match": f'"{desk.incident(id_)["version"]}"'}
        desk.olga.post(f"/api/v1/incidents/{id_}/confirm", {"note": "seen"}, **seen)

        desk = killed(site, desk, id_, number, "confirmed")
        clip_plays(desk, id_)
        wanted = desk.olga.get(f"/api/v1/incidents/{id_}/recommendation")["chosen"][0]
        offered = desk.olga.post(f"/api/v1/incidents/{id_}/assignments", {"unit": wanted}, **{"Idempotency-Key": "offer-1"})

        desk = killed(site, desk, id_, number, "dispatching")
        again = desk.olga.post(f"/api/v1/incidents/{id_}/assignments", {"unit": wanted}, **{"Idempotency-Key": "offer-1"})
        assert again["id"] == offered["id"], "the same key gives the same answer, also over a restart"
        responder = desk.phones[next(name for name, unit in UNIT_OF.items() if unit == wanted)]
        assert responder.get("/api/v1/units/me")["assignment"]["state"] == "offered"

        steps = {"accept": "responding", "en_route": "responding", "on_scene": "on_scene", "clear": "controlled"}
        for action, state in steps.items():
            name = responder.name
            desk.phones[name].post(f"/api/v1/assignments/{offered['id']}/{action}", {}, **{"Idempotency-Key": f"k-{action}"})
            expected = desk.incident(id_)["state"]
            assert action == "clear" or expected == state, (action, expected)
            desk = killed(site, desk, id_, number, expected)
        record = [entry["action"] for entry in desk.olga.get(f"/api/v1/audit?incident={id_}")["entries"]]
        desk.close()
        for step in ("accept", "en_route", "on_scene", "clear"):
            assert any(step in action for action in record), (step, record)
    assert "unbroken" in site.run("audit", "verify", "--config", str(site.settings))


def first(operator: Phone) -> dict[str, Any] | None:
    rows = operator.get("/api/v1/incidents?state=open")["incidents"]
    return rows[0] if rows else None


def killed(site: RunningSite, desk: Desk, id_: str, number: int, state: str) -> Desk:
    """kill -9, start again: the incident is there, in its state, under its number, and nobody is booked twice."""
    desk.close()
    site.kill()
    site.start()
    after = Desk(site)
    found = after.incident(id_)
    assert (found["state"], found["number"]) == (state, number)
    units = [a["unit"] for a in found["assignments"] if a["cleared_at_s"] is None]
    assert len(units) == len(set(units))
    return after


def clip_plays(desk: Desk, id_: str) -> None:
    """The clip so far, cut short by kill -9, plays: every picture of it decodes."""
    grant = desk.olga.post(f"/api/v1/incidents/{id_}/grants", {"purpose": "to see what burns"})
    assert grant["clips"], "the incident has a clip"
    response = desk.olga.http.get(grant["clips"][0]["url"])
    assert response.status_code == httpx.codes.OK
    with av.open(io.BytesIO(response.content)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
    assert pictures >= 10
