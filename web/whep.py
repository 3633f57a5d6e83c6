"""/whep: live pictures by WHEP. The wall (people covered) of one's own cameras; the clear picture under a grant.

Who watched, what and from when to when is in the audit log: the start is written before the browser gets its answer.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from streams.feed import Offer, Refused
from web.accounts_store import SessionRow
from web.clear import living_grant
from web.deps import Here, Services, requires
from web.live_client import LiveAway
from web.policy import Permission
from web.problems import Problem, Text, not_found
from web.watching import Viewing

router = APIRouter(prefix="/whep", tags=["live video"])
log = structlog.get_logger(__name__)

SDP = "application/sdp"
SDP_MAX_BYTES = 64 * 1024
VIEWINGS_MAX = 64  # of one login
NO_CAMERA = Text("This camera", "该摄像机")

REFUSALS: dict[str, Text] = {
    "no_camera": Text("The stream workers do not know this camera.", "视频进程中没有该摄像机。"),
    "no_video": Text("The camera sends no pictures now. Its tile says since when.", "该摄像机当前没有画面，起始时间见其画面格。"),
    "b_frames": Text(
        "It sends B-frames, which browsers cannot show over WebRTC. Switch them off in the camera (H.264 Baseline or Main).",
        "其视频含 B 帧，浏览器无法通过 WebRTC 播放。请在摄像机中关闭 B 帧（使用 H.264 Baseline 或 Main）。",
    ),
    "bad_sdp": Text("It offers no H.264 video to receive.", "其中没有可接收的 H.264 视频。"),
    "busy": Text("Close a live picture, then open this one.", "请先关闭一路实时画面，再打开此画面。"),
}


@router.post("/wall/{camera}", summary="Watch a camera, people covered", status_code=201)
async def wall(
    camera: str, request: Request, services: Here, session: Annotated[SessionRow, requires(Permission.LIVE_WALL)]
) -> Response:
    """SDP offer in, SDP answer out; `Location` is the session to DELETE. 404 for a camera outside your groups."""
    known = services.scope.cameras.get(camera)
    if known is None or not known.enabled or not services.scope.sees_camera(session.account, camera):
        raise not_found(NO_CAMERA)
    sdp = await _offer_of(request)
    return await _open(services, session, camera=camera, view="wall", sdp=sdp, expires_at_s=session.expires_at_s)


@router.post("/clear/{grant}", summary="Watch the clear picture under a grant", status_code=201)
async def clear(
    grant: str, request: Request, services: Here, session: Annotated[SessionRow, requires(Permission.LIVE_CLEAR)]
) -> Response:
    """As the wall, for the camera of the grant; the live process ends the picture when the grant does."""
    living = await living_grant(services, session, grant)
    sdp = await _offer_of(request)
    expires_at_s = min(living.expires_at_s, session.expires_at_s)
    return await _open(
        services, session, camera=living.camera, view="clear", sdp=sdp, expires_at_s=expires_at_s,
        incident=living.incident, grant=grant,
    )  # fmt: skip


@router.delete("/session/{live_session}", summary="Stop watching", status_code=200)
async def stop(live_session: str, services: Here, session: Annotated[SessionRow, requires(Permission.LIVE_END)]) -> Response:
    """Only what you opened yourself."""
    viewing = services.watching.get(live_session)
    if viewing is None or viewing.account.name != session.account.name:
        raise not_found(Text("This live picture", "该实时画面"))
    await end_viewing(services, viewing, "closed")
    return Response(status_code=200)


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


async def _open(
    services: Services,
    session: SessionRow,
    *,
    camera: str,
    view: Literal["wall", "clear"],
    sdp: str,
    expires_at_s: float,
    incident: str | None = None,
    grant: str | None = None,
) -> Response:
    if len(services.watching.of_web_session(session.id)) >= VIEWINGS_MAX:
        raise Problem("busy", REFUSALS["busy"])
    now_s = services.now()
    live_session = secrets.token_urlsafe(18)
    viewing = Viewing(live_session, session.id, session.account, camera, view, incident, grant, now_s)
    services.watching.add(viewing)
    try:
        answer = await services.live.offer(Offer(live_session, camera, view, sdp, expires_at_s))
    except BaseException as error:
        services.watching.end(live_session)
        if isinstance(error, LiveAway):
            raise _away(services, error) from error
        raise
    if isinstance(answer, Refused):
        services.watching.end(live_session)
        raise _refused(services, answer)
    try:
        await services.on_desk(
            services.desk.watched, services.actor(session.account), camera, view, incident, live_session, now_s
        )
    except BaseException:
        services.watching.end(live_session)  # what cannot be put on the record is not shown
        with contextlib.suppress(LiveAway):
            await services.live.close(live_session)
        raise
    if services.accounts.session(session.id, services.now()) is None:
        await end_viewing(services, viewing, "signed_out")  # signed out while the live process was thinking
        raise Problem("not_signed_in", Text("The session has ended meanwhile.", "会话已结束。"))
    headers = {"Location": f"/whep/session/{live_session}"}
    return Response(answer.sdp, status_code=201, media_type=SDP, headers=headers)


async def end_viewing(services: Services, viewing: Viewing, why: str) -> None:
    """Closes the live session and writes down when the watching ended. Doing it twice writes once."""
    if services.watching.end(viewing.session) is None:
        return
    try:
        await services.live.close(viewing.session)
    except LiveAway as error:
        log.warning("live.close_failed", session=viewing.session, reason=str(error))  # it ends at its term by itself
    now_s = services.now()
    detail = {
        "session": viewing.session,
        "camera": viewing.camera,
        "view": viewing.view,
        "incident": viewing.incident,
        "started_at_s": viewing.started_at_s,
        "ended_at_s": now_s,
        "why": why,
    }
    await services.on_desk(services.desk.record, services.actor(viewing.account), "live.ended", viewing.camera, detail, now_s)


def _away(services: Services, error: LiveAway) -> Problem:
    services.counters.add("live_refused")
    log.warning("live.away", reason=str(error))
    text = Text("The live process does not answer; it is being started again.", "实时视频进程没有响应，正在重新启动。")
    return Problem("live_down", text, headers={"Retry-After": "3"})


def _refused(services: Services, refused: Refused) -> Problem:
    services.counters.add("live_refused")
    text = REFUSALS.get(refused.code, Text(refused.detail, refused.detail))
    code = {"no_camera": "not_found"}.get(refused.code, refused.code if refused.code in REFUSALS else "no_video")
    headers = {"Retry-After": "3"} if code in ("no_video", "busy") else None
    return Problem(code, text, headers=headers, extra={"live_code": refused.code, "live_detail": refused.detail})
