"""/whep: live pictures by WHEP. The wall (people covered) of one's own cameras; the clear picture under a grant.

Where no UDP reaches the browser it asks the same address with `Accept: application/vnd.callout.feed` and gets the same
pictures as an HTTP body (streams.feed), under the same rules and with the same entries in the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from web import viewing
from web.accounts_store import SessionRow
from web.clear import living_grant
from web.deps import Here, Services, requires
from web.incidents import visible
from web.policy import Permission
from web.problems import Problem, Text, not_found
from web.viewing import Wish, end_viewing
from web.watching import Viewing

router = APIRouter(prefix="/whep", tags=["live video"])

SDP, FEED = "application/sdp", "application/vnd.callout.feed"
SDP_MAX_BYTES = 64 * 1024


@router.post("/wall/{camera}", summary="Watch a camera, people covered", status_code=201)
async def wall(
    camera: str,
    request: Request,
    services: Here,
    session: Annotated[SessionRow, requires(Permission.LIVE_WALL)],
    incident: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """SDP offer in, SDP answer out; `Location` is the session to DELETE. 404 for a camera outside your groups.

    `incident` is the one that the viewer has open: the entries of the record then belong to it."""
    known = services.scope.cameras.get(camera)
    if known is None or not known.enabled or not services.scope.sees_camera(session.account, camera):
        raise not_found(Text("This camera", "该摄像机"))
    if incident is not None and (await visible(services, session.account, incident))["camera"] != camera:
        raise not_found(Text("This incident of the camera", "该摄像机的此警情"))
    return await _watch(request, services, session, Wish(camera, "wall", session.expires_at_s, incident))


@router.post("/clear/{grant}", summary="Watch the clear picture under a grant", status_code=201)
async def clear(
    grant: str, request: Request, services: Here, session: Annotated[SessionRow, requires(Permission.LIVE_CLEAR)]
) -> Response:
    """As the wall, for the camera of the grant; the live process ends the picture when the grant does."""
    living = await living_grant(services, session, grant)
    expires_at_s = min(living.expires_at_s, session.expires_at_s)
    return await _watch(request, services, session, Wish(living.camera, "clear", expires_at_s, living.incident, grant))


@router.delete("/session/{live_session}", summary="Stop watching", status_code=200)
async def stop(live_session: str, services: Here, session: Annotated[SessionRow, requires(Permission.LIVE_END)]) -> Response:
    """Only what you opened yourself."""
    found = services.watching.get(live_session)
    if found is None or found.account.name != session.account.name:
        raise not_found(Text("This live picture", "该实时画面"))
    await end_viewing(services, found, "closed")
    return Response(status_code=200)


async def _watch(request: Request, services: Services, session: SessionRow, wish: Wish) -> Response:
    if FEED in request.headers.get("accept", ""):
        opened, body = await viewing.play(services, session, wish)
        headers = {"Location": f"/whep/session/{opened.session}", "X-Accel-Buffering": "no"}  # proxies: pass it on at once
        return StreamingResponse(_passed_on(services, opened, body), media_type=FEED, headers=headers)
    sdp = await _offer_of(request)
    opened, answer = await viewing.offer(services, session, wish, sdp)
    return Response(answer.sdp, status_code=201, media_type=SDP, headers={"Location": f"/whep/session/{opened.session}"})


async def _passed_on(services: Services, opened: Viewing, body: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The body until the live process ends it, the browser goes, or the server stops."""
    try:
        async for data in body:
            yield data
            if services.stopping:
                break
    finally:
        # In a task of its own: when the browser goes, this generator is cancelled and may not await anything any more.
        ending = asyncio.get_running_loop().create_task(_end(services, opened, body))
        services.endings.add(ending)
        ending.add_done_callback(services.endings.discard)


async def _end(services: Services, opened: Viewing, body: AsyncGenerator[bytes]) -> None:
    await body.aclose()
    await end_viewing(services, opened, "disconnected")


async def _offer_of(request: Request) -> str:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != SDP:
        raise Problem("wrong_type", Text(f"WHEP takes `{SDP}`.", f"WHEP 只接受 `{SDP}`。"))
    body = await request.body()
    if len(body) > SDP_MAX_BYTES:
        raise Problem("too_large", Text(f"An offer has at most {SDP_MAX_BYTES} bytes.", f"请求不得超过 {SDP_MAX_BYTES} 字节。"))
    try:
        sdp = body.decode()
    except UnicodeDecodeError:
        sdp = ""
    if not sdp.startswith("v=0"):
        raise Problem("bad_sdp", Text("The body is no SDP: it must begin with `v=0`.", "内容不是 SDP：须以 `v=0` 开头。"))
    return sdp
