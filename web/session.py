"""/api/v1/session: sign in, who am I, sign out."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from configs.schema import Account
from dispatch.views import Actor
from web import auth
from web.accounts_store import SessionRow
from web.deps import Here, Services, requires
from web.policy import Permission, permissions
from web.problems import Problem, Text
from web.viewing import end_viewing

router = APIRouter(prefix="/api/v1", tags=["session"])


NOBODY = Actor("?", "unknown")  # a name that no account has: it has no role either


class Login(BaseModel):
    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


def me(services: Services, session: SessionRow) -> dict[str, Any]:
    account = session.account
    return {
        "name": account.name,
        "display": account.display or account.name,
        "role": account.role,
        "jurisdiction": account.jurisdiction,
        "groups": list(account.groups),
        "csrf": session.csrf,
        "unit": services.scope.units_of.get(account.name),
        "may": permissions(account.role),
        "expires_at_s": session.expires_at_s,
    }


@router.post("/session", summary="Sign in", dependencies=[requires(Permission.SESSION_CREATE)])
async def sign_in(login: Login, request: Request, services: Here) -> JSONResponse:
    """Sets the cookie and returns who you are, with the CSRF token for every further unsafe request. 429 after too many tries."""
    address = request.client.host if request.client else ""
    now_s = services.now()
    wait_s = services.throttle.begin(login.name, address, now_s)
    if wait_s > 0:
        services.counters.add("logins_throttled")
        raise _wait(wait_s)
    account: Account | None = await asyncio.to_thread(services.accounts.verify, login.name, login.password)
    if account is None:
        services.counters.add("logins_failed")
        await _note(services, login.name, "session.refused", address)
        raise Problem(
            "wrong_password",
            Text(
                "The name or the password is not right. After several wrong tries you have to wait before the next one.",
                "用户名或密码不正确。多次输入错误后需等待才能重试。",
            ),
        )
    services.throttle.succeeded(login.name, address)
    opened = services.accounts.open_session(account, now_s, instead_of=request.cookies.get(auth.COOKIE))
    await _note(services, account.name, "session.opened", address)
    response = JSONResponse(me(services, opened.session))
    secure = auth.is_https(request, services.settings.web.public_origins)
    auth.set_cookie(response, opened.token, secure=secure, max_age_s=services.accounts.session_s)
    return response


@router.get("/session", summary="Who is signed in")
async def who_am_i(services: Here, session: Annotated[SessionRow, requires(Permission.SESSION_READ)]) -> dict[str, Any]:
    """Name, role, jurisdiction, camera groups, permissions and the CSRF token; 401 when nobody is."""
    return me(services, session)


@router.delete("/session", summary="Sign out", status_code=204)
async def sign_out(
    request: Request, services: Here, session: Annotated[SessionRow, requires(Permission.SESSION_END)]
) -> Response:
    """Ends the session, its WebSockets and its live pictures."""
    services.accounts.end_session(session.id)
    services.hub.end_session(session.id)
    for viewing in services.watching.of_web_session(session.id):
        await end_viewing(services, viewing, "signed_out")
    await _note(services, session.account.name, "session.ended", request.client.host if request.client else "")
    response = Response(status_code=204)
    auth.clear_cookie(response, secure=auth.is_https(request, services.settings.web.public_origins))
    return response


async def _note(services: Services, name: str, action: str, address: str) -> None:
    """One audit entry. A refused login keeps the name that was tried only where such an account exists (people mistype
    passwords into the name field)."""
    known = services.accounts.store.account(name)
    actor = services.actor(known[0]) if known else NOBODY
    await services.on_desk(services.desk.record, actor, action, "session", {"address": address}, services.now())


def _wait(wait_s: float) -> Problem:
    seconds = max(1, round(wait_s))
    return Problem(
        "too_many",
        Text(f"Too many wrong tries. Try again in {seconds} s.", f"错误次数过多，请在 {seconds} 秒后重试。"),
        headers={"Retry-After": str(seconds)},
        extra={"retry_after_s": seconds},
    )
