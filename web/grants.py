"""Grants: a bounded look at the clear picture of an incident's camera, with a written purpose, on the record."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dispatch.errors import NotFound
from web.accounts_store import SessionRow
from web.deps import Here, IdempotencyKey, requires
from web.incidents import once, visible
from web.policy import Permission
from web.problems import Text, not_found
from web.viewing import end_viewing

router = APIRouter(prefix="/api/v1", tags=["grants"])

NO_GRANT = Text("This grant", "该授权")


class Purpose(BaseModel):
    purpose: str = Field(min_length=1, max_length=500)


@router.post("/incidents/{incident_id}/grants", summary="Open the clear picture for a written purpose", status_code=201)
async def open_grant(
    *,
    incident_id: str,
    purpose: Purpose,
    request: Request,
    services: Here,
    session: Annotated[SessionRow, requires(Permission.GRANT_OPEN)],
    key: IdempotencyKey = None,
) -> Response:
    """Needs an open incident of a camera in your groups. Ends by itself after `grant_s` of GET /api/v1/site."""
    incident = await visible(services, session.account, incident_id)
    if not services.scope.sees_camera(session.account, incident["camera"]):
        raise not_found(Text("This camera", "该摄像机"))

    async def make() -> Response:
        grant = await services.on_desk(
            services.desk.grant, incident_id, purpose.purpose, actor=services.actor(session.account), now_s=services.now()
        )
        return JSONResponse(grant.as_json(), status_code=201)

    return await once(services, session, request, key, make)


@router.delete("/grants/{grant_id}", summary="End a grant early", status_code=204)
async def end_grant(grant_id: str, services: Here, session: Annotated[SessionRow, requires(Permission.GRANT_END)]) -> Response:
    """Also closes the live pictures that were opened with it. Only your own."""
    try:
        grant = await services.on_desk(services.desk.grant_of, grant_id, services.now())
    except NotFound:
        raise not_found(NO_GRANT) from None
    if grant.actor != session.account.name:
        raise not_found(NO_GRANT)
    await services.on_desk(services.desk.end_grant, grant_id, actor=services.actor(session.account), now_s=services.now())
    for viewing in services.watching.of_grant(grant_id):
        await end_viewing(services, viewing, "grant_ended")
    return Response(status_code=204)
