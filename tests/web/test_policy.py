"""The one table, and that no route stands outside of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Account
from tests.web.web_kit import House, house, problem, settings
from web import app as web_app
from web.app import guarded_routes
from web.policy import ROLES, RULES, Permission, Scope, may, permissions

ACCOUNT_OF = {"administrator": "admin"}
OWN_RULE = {"GET /metrics"}  # the table's rule or this machine itself: test_health


def routes(app: FastAPI) -> list[tuple[str, Permission | None]]:
    return list(guarded_routes(app))


def test_every_permission_has_a_row_and_every_row_only_known_roles() -> None:
    assert set(RULES) == set(Permission)
    for roles in RULES.values():
        assert roles == {"anyone"} or roles <= set(ROLES)


def test_every_route_declares_a_permission_and_every_permission_is_used(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            found = routes(h.app)
            assert [name for name, permission in found if permission is None] == []
            assert {permission for _, permission in found} == set(Permission)
            names = {name for name, _ in found}
            assert {
                "WS /ws",
                "POST /whep/wall/{camera}",
                "GET /media/clips/{clip}.mp4",
                "GET /",
                "GET /static/{path:path}",
            } <= names

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_route_without_a_rule_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    from fastapi import APIRouter

    class Rogue:
        router = APIRouter()

    if kind == "http":

        @Rogue.router.get("/rogue", summary="open to everybody")
        async def open_to_everybody() -> None: ...
    else:

        @Rogue.router.websocket("/rogue")
        async def rogue() -> None: ...

    monkeypatch.setattr(web_app, "RESOURCES", (*web_app.RESOURCES, Rogue))

    async def run() -> None:
        with pytest.raises(RuntimeError, match="/rogue"):
            async with house(tmp_path):
                pass

    asyncio.run(run())


def test_openapi_describes_every_route(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            schema = (await (await h.signed_in("integrator")).get("/api/v1/openapi.json")).json()
            described = {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}
            wanted = {name.replace(":path", "") for name, _ in routes(h.app) if not name.startswith("WS ")}
            assert described == wanted
            for path, methods in schema["paths"].items():
                for method, operation in methods.items():
                    assert len(operation.get("summary", "")) > 5, (method, path)
                    assert operation["summary"] != operation["operationId"]

    asyncio.run(run())


def filled(path: str) -> str:
    """The route's address with names that do not exist."""
    words = {"{action}": "note" if "incidents" in path else "accept", "{path:path}": "nothing.js", "{sha256}": "0" * 64}
    for name in ("{incident_id}", "{assignment_id}", "{grant_id}", "{grant}", "{camera}", "{live_session}", "{clip}"):
        words[name] = "unknown"
    for word, value in words.items():
        path = path.replace(word, value)
    return path


async def allowed(h: House, role: str | None, method: str, path: str) -> str:
    """`in`, `anonymous` or `refused`: where the guard let the request."""
    client = h.browser() if role is None else await h.signed_in(ACCOUNT_OF.get(role, role))
    answer = await client.request(method, filled(path), json={} if method == "POST" else None)
    if answer.status_code == 401 and answer.json()["code"] == "not_signed_in":
        return "anonymous"
    if answer.status_code == 403 and answer.json()["code"] == "not_allowed" and "role" in answer.json()["detail"]:
        return "refused"
    return "in"


def test_the_table_holds_at_every_door(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            for name, permission in routes(h.app):
                assert permission is not None
                method, path = name.split(" ")
                if method == "WS" or name in OWN_RULE or permission is Permission.SESSION_END:
                    continue
                assert await allowed(h, None, method, path) == ("in" if may(None, permission) else "anonymous"), name
            for role in ROLES:
                client = await h.signed_in(ACCOUNT_OF.get(role, role))
                for name, permission in routes(h.app):
                    assert permission is not None
                    method, path = name.split(" ")
                    if method == "WS" or name in OWN_RULE or permission in (Permission.SESSION_END, Permission.SESSION_CREATE):
                        continue
                    answer = await client.request(method, filled(path), json={} if method == "POST" else None)
                    if may(role, permission):
                        assert answer.status_code != 401, (role, name, answer.text)
                        assert answer.status_code != 403 or answer.json()["code"] != "not_allowed" or path == "/api/v1/audit", (
                            name
                        )
                    else:
                        problem(answer, 403, "not_allowed")

    asyncio.run(run())


def test_no_role_sees_every_camera() -> None:
    site = settings()
    scope = Scope.of(site)
    for role in ROLES:
        bare = Account("somebody", role, "", "city", ())
        assert not any(scope.sees_camera(bare, camera.id) for camera in site.camera), role


def test_group_and_jurisdiction_must_both_fit() -> None:
    scope = Scope.of(settings())
    operator = Account("o", "operator", "", "city", ("square",))
    assert scope.sees_camera(operator, "gate")
    assert not scope.sees_camera(operator, "yard"), "another group"
    assert not scope.sees_camera(operator, "bridge"), "another jurisdiction"
    assert not scope.sees_camera(operator, "nowhere")
    assert not scope.sees_camera(Account("o", "operator", "", "", ("square",)), "gate"), "no jurisdiction is not all of them"


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", *"abcdef"])), st.sampled_from("abcdef"))
def test_covers_ends_also_in_circles(parents: dict[str, str], place: str) -> None:
    scope = Scope(parents=parents, cameras={}, units_of={})
    assert scope.covers(place, place)
    assert not scope.covers("elsewhere", place)
    assert not scope.covers("", place)
    parent = parents.get(place)
    if parent and parent != place:
        assert scope.covers(parent, place)


def test_me_lists_what_the_table_says() -> None:
    assert "incident.act" in permissions("operator")
    assert "incident.act" not in permissions("administrator")
    assert permissions("responder") == sorted(
        {"public.read", "page.read", "health.read", "session.create", "session.read", "session.end", "site.read", "api.read"}
        | {"incident.read", "assignment.answer", "unit.self", "unit.report", "media.thumbnail", "events.receive"}
    )
