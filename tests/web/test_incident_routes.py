"""The queue, decisions, offers and answers over HTTP, on the real desk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from tests.web.web_kit import THUMBNAIL, House, house, problem


async def decide(client: httpx.AsyncClient, incident: dict[str, Any], action: str, **more: Any) -> httpx.Response:
    headers = {"If-Match": f'"{incident["version"]}"', **more.pop("headers", {})}
    return await client.post(f"/api/v1/incidents/{incident['id']}/{action}", json=more, headers=headers)


async def offered(h: House, operator: httpx.AsyncClient, unit: str = "patrol") -> tuple[dict[str, Any], dict[str, Any]]:
    """A confirmed incident and the assignment that was offered to the unit."""
    incident = (await decide(operator, await h.opened(), "confirm")).json()
    answer = await operator.post(f"/api/v1/incidents/{incident['id']}/assignments", json={"unit": unit})
    assert answer.status_code == 201, answer.text
    return incident, answer.json()


def test_an_incident_has_its_version_as_etag_and_is_decided_with_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            opened = await h.opened()
            answer = await operator.get(f"/api/v1/incidents/{opened['id']}")
            assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
            assert answer.headers["cache-control"] == "no-store"
            listed = (await operator.get("/api/v1/incidents")).json()["incidents"]
            assert [one["id"] for one in listed] == [opened["id"]]
            confirmed = await decide(operator, answer.json(), "confirm")
            assert confirmed.status_code == 200
            assert confirmed.json()["state"] == "confirmed"
            assert confirmed.headers["etag"] == f'"{confirmed.json()["version"]}"'

    asyncio.run(run())


def test_a_stale_decision_gets_the_incident_as_it_is_now(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator, commander = await h.signed_in("operator"), await h.signed_in("commander", **{"Accept-Language": "zh-CN"})
            seen = await h.opened()
            await decide(operator, seen, "confirm")
            body = problem(await decide(commander, seen, "dismiss", reason="nothing_there"), 409, "stale")
            assert body["current"]["state"] == "confirmed"
            assert body["current"]["id"] == seen["id"]
            assert "已被他人更改" in body["detail"]
            assert body["title"] == "他人已先行修改"

    asyncio.run(run())


def test_a_decision_says_what_it_saw(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            seen = await h.opened()
            problem(await operator.post(f"/api/v1/incidents/{seen['id']}/confirm", json={}), 428, "needs_version")
            bad = await operator.post(f"/api/v1/incidents/{seen['id']}/confirm", json={}, headers={"If-Match": '"seven"'})
            assert problem(bad, 422, "bad_input")["field"] == "If-Match"

    asyncio.run(run())


def test_refusals_of_the_desk_come_with_their_facts_in_both_languages(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            seen = await h.opened()
            body = problem(await decide(operator, seen, "verify"), 409, "impossible")
            assert body["action"] == "verify"
            assert "confirm" in body["possible"]
            chinese = await decide(operator, seen, "dismiss", headers={"Accept-Language": "fr, zh-Hans;q=0.9, en;q=0.8"})
            body = problem(chinese, 422, "bad_input")
            assert body["field"] == "reason"
            assert any("一" <= letter <= "鿿" for letter in body["detail"])
            operator.cookies.set("callout_lang", "zh", domain="callout.test")
            assert problem(await operator.get("/api/v1/incidents/nothing"), 404, "not_found")["title"] == "未找到"

    asyncio.run(run())


def test_an_unknown_action_and_bad_bodies_say_what_is_wrong(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator", **{"Accept-Language": "zh"})
            seen = await h.opened()
            body = problem(await decide(operator, seen, "explode"), 422, "bad_input")
            assert body["fields"] == ["action"]
            assert "confirm" in body["detail"]
            path = f"/api/v1/incidents/{seen['id']}/assignments"
            assert problem(await operator.post(path, json={}), 422, "bad_input")["detail"] == "unit 缺失。"
            bad = await operator.post(path, content=b"{", headers={"Content-Type": "application/json"})
            problem(bad, 422, "bad_input")
            plain = await operator.post(path, content=b'{"unit":"patrol"}', headers={"Content-Type": "text/plain"})
            problem(plain, 422, "bad_input")
            large = await operator.post(path, json={"unit": "x" * 300_000})
            problem(large, 413, "too_large")

    asyncio.run(run())


def test_a_repeated_decision_gets_the_same_answer_and_happens_once(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator, commander = await h.signed_in("operator"), await h.signed_in("commander")
            seen = await h.opened()
            key = {"Idempotency-Key": "k-1"}
            first = await decide(operator, seen, "confirm", headers=key)
            again = await decide(operator, seen, "confirm", headers=key)
            assert first.status_code == again.status_code == 200
            assert first.text == again.text
            other_body = await decide(operator, seen, "confirm", note="something else", headers=key)
            problem(other_body, 422, "key_reused")
            problem(await decide(commander, seen, "confirm", headers=key), 409, "stale")

    asyncio.run(run())


def test_repeats_at_the_same_moment_and_after_a_restart_happen_once(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            phone = await h.responding()
            incident = (await decide(operator, await h.opened(), "confirm")).json()
            path, key = f"/api/v1/incidents/{incident['id']}/assignments", {"Idempotency-Key": "offer-1"}
            answers = await asyncio.gather(*(operator.post(path, json={"unit": "patrol"}, headers=key) for _ in range(5)))
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.text for answer in answers}) == 1
            h.services.replays.__init__()  # type: ignore[misc]  # what a restart forgets; the desk's own keys stay
            again = await operator.post(path, json={"unit": "patrol"}, headers=key)
            assert again.status_code == 201
            assert again.json()["id"] == answers[0].json()["id"]
            mine = (await phone.get("/api/v1/units/me")).json()
            assert mine["assignment"]["id"] == again.json()["id"]
            found = (await operator.get(f"/api/v1/incidents/{incident['id']}")).json()
            assert len(found["assignments"]) == 1

    asyncio.run(run())


def test_recommendation_offer_and_the_whole_way_of_a_responder(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator, phone = await h.signed_in("operator"), await h.responding()
            incident = (await decide(operator, await h.opened(), "confirm")).json()
            found = (await operator.get(f"/api/v1/incidents/{incident['id']}/recommendation")).json()
            assert found["router"] == "great_circle_degraded"
            assert {"patrol", "engine"} <= {one["unit"] for one in found["candidates"]}
            offer = await operator.post(f"/api/v1/incidents/{incident['id']}/assignments", json={"unit": "patrol"})
            assignment = offer.json()
            assert assignment["state"] == "offered"
            for action, state in (
                ("accept", "accepted"),
                ("en_route", "en_route"),
                ("on_scene", "on_scene"),
                ("clear", "cleared"),
            ):
                h.clock.advance(3)
                answer = await phone.post(f"/api/v1/assignments/{assignment['id']}/{action}", json={"client_time_s": h.clock()})
                assert answer.status_code == 200, answer.text
                assert answer.json()["state"] == state
            for action in ("control", "clear", "verify", "close"):
                now = (await operator.get(f"/api/v1/incidents/{incident['id']}")).json()
                if action in now["next"]:
                    assert (await decide(operator, now, action)).status_code == 200
            done = (await operator.get(f"/api/v1/incidents/{incident['id']}")).json()
            assert done["state"] == "closed"
            assert (await operator.get("/api/v1/incidents")).json()["incidents"] == []
            assert len((await operator.get("/api/v1/incidents?state=all")).json()["incidents"]) == 1

    asyncio.run(run())


def test_a_committed_unit_is_not_taken_twice(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator = await h.signed_in("operator")
            await h.responding()
            await offered(h, operator)
            h.clock.advance(200)
            second = (await decide(operator, await h.opened(number=2), "confirm")).json()
            answer = await operator.post(f"/api/v1/incidents/{second['id']}/assignments", json={"unit": "patrol"})
            assert problem(answer, 409, "taken")["unit"] == "patrol"

    asyncio.run(run())


def test_cameras_and_incidents_outside_the_scope_do_not_exist(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            gate, yard, bridge = await h.opened("gate"), await h.opened("yard"), await h.opened("bridge")
            for name, camera, incident in (
                ("operator", "gate", gate), ("depot-operator", "yard", yard), ("north-operator", "bridge", bridge),
            ):  # fmt: skip
                client = await h.signed_in(name)
                assert [one["id"] for one in (await client.get("/api/v1/cameras")).json()["cameras"]] == [camera]
                assert [one["id"] for one in (await client.get("/api/v1/incidents")).json()["incidents"]] == [incident["id"]]
                for other in (gate, yard, bridge):
                    outside = other["id"] != incident["id"]
                    path = f"/api/v1/incidents/{other['id']}"
                    assert (await client.get(path)).status_code == (404 if outside else 200)
                    if outside:
                        sdp = {"Content-Type": "application/sdp"}
                        problem(
                            await client.post(f"/whep/wall/{other['camera']}", content="v=0\r\n", headers=sdp), 404, "not_found"
                        )
                        problem(await client.get(f"{path}/recommendation"), 404, "not_found")
                        problem(await decide(client, other, "confirm"), 404, "not_found")
                        problem(await client.post(f"{path}/grants", json={"purpose": "look"}), 404, "not_found")
                        problem(await client.post(f"{path}/assignments", json={"unit": "patrol"}), 404, "not_found")
                        problem(await client.get(f"/api/v1/audit?incident={other['id']}"), 404, "not_found")
                        problem(await decide(client, incident, "duplicate", reason=other["id"]), 404, "not_found")
            admin = await h.signed_in("admin")
            assert (await admin.get("/api/v1/cameras")).json()["cameras"] == []
            problem(await admin.get("/api/v1/incidents"), 403, "not_allowed")

    asyncio.run(run())


def test_no_answer_holds_a_cameras_address_or_password(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            incident = await h.opened()
            client = await h.signed_in("commander")
            for path in (
                "cameras",
                "site",
                "incidents",
                f"incidents/{incident['id']}",
                "public",
                "session",
                f"audit?incident={incident['id']}",
            ):
                answer = await client.get(f"/api/v1/{path}")
                assert answer.status_code == 200, path
                assert "rtsp" not in answer.text, path
                assert "hunter2" not in answer.text, path

    asyncio.run(run())


def test_a_responder_sees_the_own_assignment_and_nothing_else(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator, phone = await h.signed_in("operator"), await h.responding()
            other = await h.responding(name="other-responder")
            foreign = await h.opened("yard")
            problem(await phone.get(f"/api/v1/incidents/{foreign['id']}"), 404, "not_found")
            assert (await phone.get("/api/v1/incidents")).json() == {"incidents": []}
            incident, assignment = await offered(h, operator)
            theirs = await operator.post(f"/api/v1/incidents/{incident['id']}/assignments", json={"unit": "engine"})
            mine = (await phone.get("/api/v1/units/me")).json()
            assert mine["unit"]["id"] == "patrol"
            assert mine["assignment"]["id"] == assignment["id"]
            for shown in (mine["incident"], (await phone.get(f"/api/v1/incidents/{incident['id']}")).json()):
                assert [one["unit"] for one in shown["assignments"]] == ["patrol"]
                assert shown["clips"] == []
                assert shown["next"] == []
                assert {entry["actor"] for entry in shown["journal"]} <= {"responder"}
            (h.layout.thumbnails / f"{THUMBNAIL}.jpg").write_bytes(b"covered")
            assert (await phone.get(mine["incident"]["thumbnail"])).content == b"covered"
            path = f"/api/v1/assignments/{theirs.json()['id']}"
            problem(await phone.post(f"{path}/accept", json={}), 404, "not_found")
            problem(await other.post(f"/api/v1/assignments/{assignment['id']}/decline", json={}), 404, "not_found")
            problem(await phone.post(f"{path}/withdraw", json={}), 403, "not_allowed")
            for path in ("units", "cameras", f"audit?incident={incident['id']}", f"incidents/{incident['id']}/recommendation"):
                problem(await phone.get(f"/api/v1/{path}"), 403, "not_allowed")
            await phone.post(f"/api/v1/assignments/{assignment['id']}/decline", json={"reason": "far away"})
            problem(await phone.get(f"/api/v1/incidents/{incident['id']}"), 404, "not_found")

    asyncio.run(run())


def test_withdrawing_frees_the_unit(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            operator, phone = await h.signed_in("operator"), await h.responding()
            _, assignment = await offered(h, operator)
            problem(
                await (await h.signed_in("depot-operator")).post(f"/api/v1/assignments/{assignment['id']}/withdraw"),
                404,
                "not_found",
            )
            answer = await operator.post(f"/api/v1/assignments/{assignment['id']}/withdraw", json={"reason": "closer one found"})
            assert answer.json()["state"] == "withdrawn"
            assert (await phone.get("/api/v1/units/me")).json()["assignment"] is None

    asyncio.run(run())


def test_units_of_other_jurisdictions_are_not_on_the_board(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            board = (await (await h.signed_in("operator")).get("/api/v1/units")).json()["units"]
            assert {unit["id"] for unit in board} == {"patrol", "engine"}
            north = (await (await h.signed_in("north-operator")).get("/api/v1/units")).json()["units"]
            assert {unit["id"] for unit in north} == {"northern"}

    asyncio.run(run())


def test_a_position_must_lie_on_the_globe(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            phone = await h.signed_in("responder")
            for lat, lon in ((91, 0), (0, 181), ("x", 0), (None, 0)):
                body = problem(await phone.post("/api/v1/units/me/position", json={"lat": lat, "lon": lon}), 422, "bad_input")
                assert body["fields"] in (["lat"], ["lon"])
            raw = await phone.post(
                "/api/v1/units/me/position", content=b'{"lat": NaN, "lon": 1}', headers={"Content-Type": "application/json"}
            )
            problem(raw, 422, "bad_input")

    asyncio.run(run())


def test_a_responder_without_a_unit_is_told_so(tmp_path: Path) -> None:
    from configs.schema import Account
    from tests.web.web_kit import PASSWORD

    async def run() -> None:
        async with house(tmp_path) as h:
            h.services.accounts.ensure(Account("newcomer", "responder"), PASSWORD)
            phone = await h.signed_in("newcomer")
            assert "`account`" in problem(await phone.get("/api/v1/units/me"), 404, "not_found")["detail"]
            assert (await phone.get("/api/v1/incidents")).json() == {"incidents": []}

    asyncio.run(run())
