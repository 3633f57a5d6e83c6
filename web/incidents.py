"""/api/v1/incidents: the queue, one incident, what a person decides about it, and whom to send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from configs.schema import Account
from dispatch.errors import NotFound
from web.accounts_store import SessionRow
from web.deps import Here, IdempotencyKey, IfMatch, Services, requires
from web.policy import AUDITOR, RESPONDER, Permission
from web.problems import Problem, Text, not_found

router = APIRouter(prefix="/api/v1", tags=["incidents"])

Action = Literal[
    "triage", "confirm", "dismiss", "cancel", "control", "clear", "verify", "close", "reopen", "duplicate", "note",
]  # fmt: skip
NO_INCIDENT = Text("This incident", "该警情")


class Decision(BaseModel):
    reason: str = Field(default="", max_length=200)
    note: str = Field(default="", max_length=2000)


class Send(BaseModel):
    unit: str = Field(min_length=1, max_length=200)


def etag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


async def visible(services: Services, account: Account, incident_id: str) -> dict[str, Any]:
    """The incident as JSON, whole; 404 where it does not exist or is outside the account's scope."""
    try:
        incident = (await services.on_desk(services.desk.incident, incident_id)).as_json()
    except NotFound:
        raise not_found(NO_INCIDENT) from None
    if not services.scope.sees_incident(account, incident):
        raise not_found(NO_INCIDENT)
    return incident


@router.get("/incidents", summary="Incidents that you may see")
async def incidents(
    services: Here,
    session: Annotated[SessionRow, requires(Permission.INCIDENT_READ)],
    state: Literal["open", "all"] = "open",
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
) -> dict[str, Any]:
    """Newest first. Responders get the incident of their running assignment and no other."""
    account = session.account
    if account.role == RESPONDER:
        unit = services.scope.units_of.get(account.name)
        mine = None if unit is None else await services.on_desk(services.desk.mine, unit)
        found = [] if mine is None or mine.incident is None else [mine.incident.as_json()]
    else:
        cameras = [camera for camera in services.scope.cameras if _incidents_of(services, account, camera)]
        found = [one.as_json() for one in await services.on_desk(services.desk.incidents, state, cameras, limit)]
    return {
        "incidents": [services.scope.incident_for(account, one) for one in found if services.scope.sees_incident(account, one)]
    }


def _incidents_of(services: Services, account: Account, camera: str) -> bool:
    if account.role == AUDITOR:
        return services.scope.covers(account.jurisdiction, services.scope.cameras[camera].jurisdiction)
    return services.scope.sees_camera(account, camera)


@router.get("/incidents/{incident_id}", summary="One incident, with its version as ETag")
async def incident(
    incident_id: str, services: Here, session: Annotated[SessionRow, requires(Permission.INCIDENT_READ)]
) -> JSONResponse:
    """Sightings, clips, assignments, journal and the actions that are possible next."""
    found = await visible(services, session.account, incident_id)
    return JSONResponse(services.scope.incident_for(session.account, found), headers=etag(found["version"]))


@router.get("/incidents/{incident_id}/recommendation", summary="Whom to send, and why")
async def recommendation(
    incident_id: str, services: Here, session: Annotated[SessionRow, requires(Permission.RECOMMENDATION_READ)]
) -> dict[str, Any]:
    """Units by road ETA, the suitable ones ranked, each with its reasons."""
    await visible(services, session.account, incident_id)
    found = await services.on_desk(services.desk.recommend, incident_id, services.now())
    return found.as_json()


@router.post("/incidents/{incident_id}/assignments", summary="Offer the incident to a unit", status_code=201)
async def offer(
    *,
    incident_id: str,
    send: Send,
    request: Request,
    services: Here,
    session: Annotated[SessionRow, requires(Permission.ASSIGNMENT_OFFER)],
    key: IdempotencyKey = None,
) -> Response:
    """Reserves the unit and offers the assignment to its responder. 409 when the unit is committed elsewhere."""
    await visible(services, session.account, incident_id)

    async def make() -> Response:
        view = await services.on_desk(
            services.desk.offer,
            incident_id,
            send.unit,
            key=key,
            actor=services.actor(session.account),
            now_s=services.now(),
        )
        return JSONResponse(view.as_json(), status_code=201, headers=etag(view.version))

    return await once(services, session, request, key, make)


@router.post("/incidents/{incident_id}/{action}", summary="Decide about an incident")
async def act(
    *,
    incident_id: str,
    action: Action,
    request: Request,
    services: Here,
    session: Annotated[SessionRow, requires(Permission.INCIDENT_ACT)],
    decision: Decision | None = None,
    expected_version: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Needs If-Match with the version that you saw: 409 with the current incident when somebody else was quicker.
    `dismiss` needs a reason of the site's list, `duplicate` the other incident's id as reason, `note` a note."""
    decision = decision or Decision()
    await visible(services, session.account, incident_id)
    if action == "duplicate":
        await visible(services, session.account, decision.reason)
    if expected_version is None and action != "note":
        raise Problem(
            "needs_version",
            Text(
                "Send If-Match with the ETag of the incident that you decided on, so that nobody overrules a colleague unseen.",
                "请在 If-Match 中发送您所依据的警情版本（ETag），以免在不知情时覆盖同事的决定。",
            ),
        )

    async def make() -> Response:
        view = await services.on_desk(
            services.desk.act,
            incident_id,
            action,
            expected_version=expected_version,
            key=key,
            reason=decision.reason,
            note=decision.note,
            actor=services.actor(session.account),
            now_s=services.now(),
        )
        return JSONResponse(view.as_json(), headers=etag(view.version))

    return await once(services, session, request, key, make)


async def once(services: Services, session: SessionRow, request: Request, key: str | None, make: Any) -> Response:
    """The answer to a command: made now, or the one that this account got for the same key, address and body before."""
    if key is None:
        answer: Response = await make()
        return answer
    body = await request.body()
    where = (session.account.name, request.method, request.url.path, key)
    seen = request.headers.get("if-match", "").encode()
    return await services.replays.once(where, seen + b"\n" + canonical(body), services.now(), make)


def canonical(body: bytes) -> bytes:
    """The body without differences that mean nothing (spaces, order of members)."""
    try:
        parsed: Mapping[str, Any] = json.loads(body or b"{}")
    except ValueError:
        return body
    return json.dumps(parsed, sort_keys=True).encode()
