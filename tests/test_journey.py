"""The main job, from real video to a responder on scene, in two real browsers, on a real server. Works without further assets.

The camera shows each client its clip from the beginning; a person comes onto the closed path 7.5 s into it (by eye).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.brute_routes import BruteRoutes
from tests.journey.browsers import VIDEO_MIME, Complaints, chromium, keep, open_page, plays, sign_in
from tests.journey.running_site import EVENT_AT_S, PASSWORDS, ROOT, UNIT_OF, Phone, RunningSite, running, until

OSM = ROOT / "configs" / "demo" / "helsinki.osm.pbf"
SEEN_WITHIN_S = 5.0


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_the_main_job(tmp_path: Path) -> None:
    with running(tmp_path) as site, chromium() as browser:
        others = {name: on_duty(site, name) for name in ("wanda", "karl")}
        lat, lon = 60.16960, 24.94640  # where the settings have the bicycle
        pocket, phone = open_page(
            browser, width=390, height=844, geolocation={"latitude": lat, "longitude": lon}, permissions=["geolocation"]
        )
        sign_in(phone, site.address, "riku", PASSWORDS["riku"])
        phone.goto(f"{site.address}/r")
        phone.get_by_test_id("set-available").click()
        phone.get_by_test_id("share-position").click()
        _, console = open_page(browser, width=1280, height=720)
        complaints = Complaints(console)
        sign_in(console, site.address, "olga", PASSWORDS["olga"])
        api = Phone(site.address, "olga")
        api.sign_in()

        # detection → incident, within five seconds of the event in the clip
        row = console.get_by_test_id("incident-row").first
        row.wait_for(timeout=45_000)
        incident = api.get("/api/v1/incidents?state=open")["incidents"][0]
        camera = api.get("/api/v1/cameras")["cameras"][0]
        assert camera["health"]["state"] == "live"
        seen_after_s = incident["opened_at_s"] - (camera["health"]["since_s"] + EVENT_AT_S)
        assert -0.5 <= seen_after_s <= SEEN_WITHIN_S, f"the incident came {seen_after_s:.1f} s after the event"
        assert incident["kind"] == "intrusion"
        row.click()

        # live video: covered first, then clear under a grant, beside the clip
        covered = plays(console, "live-video")
        assert covered["height"] == 360
        assert console.evaluate(VIDEO_MIME) == ["video/H264"]
        keep(console, "1-incident-covered")
        console.get_by_test_id("clear-view").click()
        live = console.get_by_test_id("live-video")
        until("the clear picture", lambda: live.evaluate("v => v.videoWidth") == 768)
        plays(console, "live-video")
        clip = plays(console, "clip-video")
        assert clip["width"] == 768
        assert console.evaluate(VIDEO_MIME) == ["video/H264"]
        keep(console, "2-incident-clear")

        # confirm, and the recommended unit is the one with the smallest road ETA
        console.keyboard.press("c")
        console.get_by_test_id("recommendation").wait_for()
        until("confirmed", lambda: api.get(f"/api/v1/incidents/{incident['id']}")["state"] == "confirmed")
        incident, recommendation = until("a recommendation for a place that stands still", lambda: advice(api, incident["id"]))
        check_recommendation(api, incident, recommendation)
        assert recommendation["chosen"] == ["bike"], "the bicycle is there first by road, though the walker stands nearer"
        console.get_by_test_id("candidate-bike").wait_for()
        keep(console, "3-confirmed-recommendation")
        console.keyboard.press("d")
        console.keyboard.press("Enter")

        # the phone: offer, accept, route on the map, on scene, cleared
        phone.get_by_test_id("offer-accept").wait_for()
        keep(phone, "4-phone-offer")
        phone.get_by_test_id("offer-accept").click()
        console.locator("[data-testid=assignment-bike][data-state=accepted]").wait_for()
        route = api.get(f"/api/v1/incidents/{incident['id']}")["assignments"][0]["route"]
        assert len(route) > 3, "the route follows roads"
        until("the route is on the map", lambda: drawn(console), 15)
        phone.get_by_test_id("en-route").click()
        console.locator("[data-testid=assignment-bike][data-state=en_route]").wait_for()
        keep(console, "5-en-route")
        keep(phone, "6-phone-en-route")
        pocket.set_geolocation({"latitude": incident["place"]["lat"], "longitude": incident["place"]["lon"]})
        phone.get_by_test_id("on-scene").click()
        console.locator("[data-testid=assignment-bike][data-state=on_scene]").wait_for()
        keep(console, "7-on-scene")
        phone.get_by_test_id("cleared").click()
        console.locator("[data-testid=assignment-bike][data-state=cleared]").wait_for()
        until("the unit is free again", lambda: unit(api, "bike")["committed_to"] is None)

        # the record: every step, who did it, and who watched
        _, record = open_page(browser, width=1280, height=900)
        sign_in(record, site.address, "ada", PASSWORDS["ada"])
        record.goto(f"{site.address}/audit?incident={incident['id']}")
        record.get_by_test_id("audit-row").first.wait_for()
        record.get_by_test_id("watched-row").first.wait_for()
        keep(record, "8-record")
        entries = api.get(f"/api/v1/audit?incident={incident['id']}")
        assert entries["verified"] is True
        check_record(entries["entries"])
        assert record.get_by_test_id("audit-row").count() >= len(STEPS)
        assert complaints.said == []
        for client in (api, *others.values()):
            client.close()


# what must be on the record, in this order: (part of the action's name, who)
STEPS = (
    ("confirm", "olga"),
    ("offer", "olga"),
    ("accept", "riku"),
    ("en_route", "riku"),
    ("on_scene", "riku"),
    ("clear", "riku"),
)


def check_record(entries: list[dict[str, Any]]) -> None:
    steps = [(entry["action"], entry["actor"]) for entry in sorted(entries, key=lambda e: e["seq"])]
    at = 0
    for word, actor in STEPS:
        at = next((i for i, (action, who) in enumerate(steps) if i >= at and word in action and who == actor), -1)
        assert at >= 0, f"{actor}'s “{word}” is not on the record after what came before it: {steps}"
    assert any("watch" in action or "view" in action for action, _ in steps), "who watched is on the record"
    assert any("grant" in action for action, _ in steps)


def advice(api: Phone, id_: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The incident and its recommendation; None when the place moved on meanwhile, as the person in the picture walks."""
    before = api.get(f"/api/v1/incidents/{id_}")
    answer = api.get(f"/api/v1/incidents/{id_}/recommendation")
    return (before, answer) if api.get(f"/api/v1/incidents/{id_}")["place"] == before["place"] else None


def check_recommendation(api: Phone, incident: dict[str, Any], answer: dict[str, Any]) -> None:
    """Against a computation of its own: the OSM file read anew, plain Dijkstra from each unit, no index, no limit."""
    place = (incident["place"]["lat"], incident["place"]["lon"])
    turnout = {"walker": 20.0, "bike": 10.0, "car": 60.0}
    eta = {}
    for row in api.get("/api/v1/units")["units"]:
        at = (row["position"]["lat"], row["position"]["lon"])
        eta[row["id"]] = BruteRoutes(OSM, row["mode"]).travel_s(at, place) + turnout[row["id"]]
    shown = {c["unit"]: c["eta_s"] for c in answer["candidates"]}
    for name, seconds in eta.items():
        assert shown[name] == pytest.approx(seconds, rel=0.02, abs=2.0), (name, eta, shown)
    assert answer["router"] == "osm"
    assert answer["chosen"][0] == min(eta, key=lambda name: eta[name])


def on_duty(site: RunningSite, name: str) -> Phone:
    phone = Phone(site.address, name)
    phone.sign_in()
    mine = phone.get("/api/v1/units/me")
    lat, lon = mine["unit"]["base"]
    assert mine["unit"]["id"] == UNIT_OF[name]
    phone.post("/api/v1/units/me/state", {"state": "available"})
    phone.post("/api/v1/units/me/position", {"lat": lat, "lon": lon, "accuracy_m": 5.0})
    return phone


def unit(api: Phone, name: str) -> dict[str, Any]:
    row: dict[str, Any] = next(u for u in api.get("/api/v1/units")["units"] if u["id"] == name)
    return row


def drawn(page: Any) -> bool:
    """Whether the map draws a way: the page says how many on the map's own element. The picture is kept for people to look at."""
    return bool(page.evaluate("Number(document.querySelector('[data-testid=map]')?.dataset.ways) > 0"))
