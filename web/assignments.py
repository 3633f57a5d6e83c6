"""/api/v1/assignments: what the responder of the unit answers, and what the control room takes back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dispatch.errors import NotFound
from web.accounts_store import SessionRow
from web.deps import Here, IdempotencyKey, Services, requires
from web.incidents import etag, once, visible
from web.policy import Permission
from web.problems import Text, not_found

router = APIRouter(prefix="/api/v1", tags=["assignments"])

Answer = Literal["accept", "decline", "en_route", "on_scene", "clear", "unable"]
NO_ASSIGNMENT = Text("This assignment", "该派遣")


class Withdrawal(BaseModel):
    reason: str = Field(default="", max_length=500)


class Reply(BaseModel):
    reason: str = Field(default="", max_length=500)
    client_time_s: float | None = Field(default=None, ge=0, le=1e11, allow_inf_nan=False)


async def _assignment(services: Services, assignment_id: str) -> dict[str, Any]:
    try:
        return (await services.on_desk(services.desk.assignment, assignment_id)).as_json()
    except NotFound:
        raise not_found(NO_ASSIGNMENT) from None


@router.post("/assignments/{assignment_id}/withdraw", summary="Take an assignment back")
async def withdraw(
    *,
    assignment_id: str,
    request: Request,
    services: Here,
    session: Annotated[SessionRow, requires(Permission.ASSIGNMENT_WITHDRAW)],
    withdrawal: Withdrawal | None = None,
    key: IdempotencyKey = None,
) -> Response:
    """Frees the unit. Only for incidents that you may see."""
    found = await _assignment(services, assignment_id)
    await visible(services, session.account, found["incident"])
    reason = withdrawal.reason if withdrawal else ""

    async def make() -> Response:
        view = await services.on_desk(
            services.desk.withdraw,
            assignment_id,
            reason=reason,
            key=key,
            actor=services.actor(session.account),
            now_s=services.now(),
        )
        return JSONResponse(view.as_json(), headers=etag(view.version))

    return await once(services, session, request, key, make)


@router.post("/assignments/{assignment_id}/{action}", summary="Answer an assignment")
async def answer(
    *,
    assignment_id: str,
    action: Answer,
    request: Request,
    services: Here,
    session: Annotated[SessionRow, requires(Permission.ASSIGNMENT_ANSWER)],
    reply: Reply | None = None,
    key: IdempotencyKey = None,
) -> Response:
    """For the responder who carries the unit: accept, decline, en_route, on_scene, clear, unable. Others get 404."""
    found = await _assignment(services, assignment_id)
    if found["unit"] != services.scope.units_of.get(session.account.name):
        raise not_found(NO_ASSIGNMENT)
    reply = reply or Reply()
    said = reply

    async def make() -> Response:
        view = await services.on_desk(
            services.desk.answer,
            assignment_id,
            action,
            key=key,
            reason=said.reason,
            client_time_s=said.client_time_s,
            actor=services.actor(session.account),
            now_s=services.now(),
        )
        return JSONResponse(view.as_json(), headers=etag(view.version))

    return await once(services, session, request, key, make)
