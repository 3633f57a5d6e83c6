"""/api/v1/audit: the record. Append-only and chained by hashes; anybody who may read it may also check it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query

from web.accounts_store import SessionRow
from web.deps import Here, requires
from web.incidents import visible
from web.policy import AUDITOR, Permission
from web.problems import Problem, Text

router = APIRouter(prefix="/api/v1", tags=["audit"])


@router.get("/audit", summary="The record of one incident, or (auditors) of everything")
async def audit(
    services: Here,
    session: Annotated[SessionRow, requires(Permission.AUDIT_READ)],
    incident: str | None = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> dict[str, Any]:
    """Every step with actor and time, who watched included. Without `incident` only auditors may ask: the whole chain
    has entries of every jurisdiction, and it can be checked only whole (it holds no pictures and nothing about the public)."""
    if incident is not None:
        await visible(services, session.account, incident)
    elif session.account.role != AUDITOR:
        raise Problem(
            "not_allowed",
            Text(
                "Name an incident that you may see (`?incident=…`): the whole record is for auditors.",
                "请指定您有权查看的警情（`?incident=…`）：完整记录仅供审计员查看。",
            ),
        )
    entries = await services.on_desk(services.desk.audit, incident, limit)
    verdict = await asyncio.to_thread(services.desk.verify_audit)
    return {"entries": [entry.as_json() for entry in entries], "verified": verdict.verified, "verdict": verdict.as_json()}


@router.get("/audit/verify", summary="Check the whole chain now")
async def verify(services: Here, _: Annotated[SessionRow, requires(Permission.AUDIT_VERIFY)]) -> dict[str, Any]:
    """Recomputes every hash: edited, removed, reordered or cut-off entries show. `callout audit verify` needs no server."""
    return (await asyncio.to_thread(services.desk.verify_audit)).as_json()
