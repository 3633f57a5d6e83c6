"""The rule of clear pictures: a grant that is alive, one's own, and for a camera that one may still see (SCOPE, "redacted by
default"). Live video and clips both ask here."""

from __future__ import annotations

from dispatch.errors import NotFound
from dispatch.views import Grant
from web.accounts_store import SessionRow
from web.deps import Services
from web.problems import Problem, Text


async def living_grant(services: Services, session: SessionRow, grant_id: str) -> Grant:
    """The account's own grant, still alive and for a camera that it may still see; 403 otherwise, whatever the reason."""
    refusal = Problem(
        "no_grant",
        Text(
            "There is no such grant of yours, or it has ended. Open one from the incident.",
            "您没有该授权，或授权已结束。请从警情页面重新申请。",
        ),
    )
    if not grant_id:
        raise refusal
    try:
        grant = await services.on_desk(services.desk.grant_of, grant_id, services.now())
    except NotFound:
        raise refusal from None
    if grant.actor != session.account.name or not services.scope.sees_camera(session.account, grant.camera):
        raise refusal
    return grant
