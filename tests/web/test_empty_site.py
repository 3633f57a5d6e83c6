"""Sites on which something is not there: no map, no cameras, no units, no accounts, or a camera that was taken out again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.web import web_kit
from tests.web.web_kit import house, problem, settings


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    def take_out(*tables: str) -> None:
        made = settings()
        accounts = made.account if "account" not in tables else ()
        if "camera" in tables:
            accounts = tuple(replace(one, groups=()) for one in accounts)
        empty = replace(made, **{"account": accounts, **{name: () for name in tables if name != "account"}})
        monkeypatch.setattr(web_kit, "settings", lambda **_: empty)

    return take_out


READ = ("site", "cameras", "incidents", "incidents?state=all", "units", "audit/verify", "public", "session")


@pytest.mark.parametrize("tables", [("camera",), ("unit",), ("camera", "unit"), ("camera", "unit", "jurisdiction")])
def test_every_page_has_its_data_where_a_table_is_empty(tmp_path: Path, without: Any, tables: tuple[str, ...]) -> None:
    without(*tables)

    async def run() -> None:
        async with house(tmp_path, background=True) as h:
            commander = await h.signed_in("commander")
            for path in READ:
                answer = await commander.get(f"/api/v1/{path}")
                assert answer.status_code == 200, (path, answer.text)
            place = (await commander.get("/api/v1/site")).json()["map"]
            (south, west), (north, east) = place["bounds"]
            assert south < place["center"][0] < north
            assert west < place["center"][1] < east
            assert place["basemap_url"] is None
            assert "make it with" in problem(await commander.get("/api/v1/map/basemap"), 404, "not_found")["detail"]
            auditor = await h.signed_in("auditor")
            assert (await auditor.get("/api/v1/audit")).json()["verified"]
            phone = await h.signed_in("responder")
            mine = await phone.get("/api/v1/units/me")
            assert mine.status_code == (404 if "unit" in tables else 200)
            assert (await h.browser().get("/readyz")).json()["ready"]
            assert (await commander.get("/")).status_code == 200

    asyncio.run(run())


def test_an_incident_on_a_site_without_units_says_that_nobody_can_come(tmp_path: Path, without: Any) -> None:
    without("unit")

    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            seen = await h.opened()
            path = f"/api/v1/incidents/{seen['id']}"
            done = await operator.post(f"{path}/confirm", json={}, headers={"If-Match": f'"{seen["version"]}"'})
            assert done.status_code == 200
            found = (await operator.get(f"{path}/recommendation")).json()
            assert (found["chosen"], found["candidates"]) == ([], [])
            assert found["needed"]["count"] >= 1
            problem(await operator.post(f"{path}/assignments", json={"unit": "patrol"}), 404, "not_found")
            version = done.json()["version"]
            ended = await operator.post(f"{path}/cancel", json={}, headers={"If-Match": f'"{version}"'})
            assert ended.json()["state"] == "cancelled"

    asyncio.run(run())


def test_without_accounts_nobody_comes_in_but_the_public_page_is_there(tmp_path: Path, without: Any) -> None:
    without("account", "unit")

    async def run() -> None:
        async with house(tmp_path) as h:
            nobody = h.browser()
            problem(
                await nobody.post("/api/v1/session", json={"name": "operator", "password": "whatever it is"}),
                401,
                "wrong_password",
            )
            assert (await nobody.get("/api/v1/public")).status_code == 200
            assert (await nobody.get("/public")).status_code == 200
            assert h.desk.audit()[-1].role == "unknown"

    asyncio.run(run())


def test_what_a_camera_raised_before_it_was_taken_out_stays_on_the_record(tmp_path: Path, without: Any) -> None:
    async def before() -> dict[str, Any]:
        async with house(tmp_path) as h:
            return await h.opened()

    seen = asyncio.run(before())
    without("camera", "unit")

    async def after() -> None:
        async with house(tmp_path, background=True) as h:
            commander = await h.signed_in("commander")
            assert (await commander.get("/api/v1/incidents", params={"state": "all"})).json() == {"incidents": []}
            problem(await commander.get(f"/api/v1/incidents/{seen['id']}"), 404, "not_found")
            auditor = await h.signed_in("auditor")
            entries = (await auditor.get("/api/v1/audit")).json()["entries"]
            assert seen["id"] in {entry["entity"] for entry in entries}
            assert h.desk.incident(seen["id"]).journal[0].text
            assert (await h.browser().get("/api/v1/public")).json()["alarms"]["kinds"]["intrusion"]["incidents"] == 0

    asyncio.run(after())
