"""Opening and closing a live picture: asked of the live process, on the record, in the list of what is open.

The order is the point: listed first (the reconciliation closes what is not), then asked for, then written into the audit
log, and only then handed to the browser. What cannot be recorded is not shown.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import structlog

from streams.feed import Answer, Offer, Play, Refused
from web.accounts_store import SessionRow
from web.deps import Services
from web.live_client import LiveAway
from web.problems import Problem, Text
from web.watching import Viewing

log = structlog.get_logger(__name__)

VIEWINGS_MAX = 64  # of one login
T = TypeVar("T", Answer, AsyncGenerator[bytes])

REFUSALS: dict[str, Text] = {  # every code that the live process or a stream worker gives, in the reader's language
    "no_camera": Text("The stream workers do not know this camera.", "视频进程中没有该摄像机。"),
    "no_video": Text("The camera sends no pictures now. Its tile says since when.", "该摄像机当前没有画面，起始时间见其画面格。"),
    "b_frames": Text(
        "It sends B-frames, which browsers cannot show over WebRTC. Switch them off in the camera (H.264 Baseline or Main).",
        "其视频含 B 帧，浏览器无法通过 WebRTC 播放。请在摄像机中关闭 B 帧（使用 H.264 Baseline 或 Main）。",
    ),
    "bad_sdp": Text("It offers no H.264 video to receive.", "其中没有可接收的 H.264 视频。"),
    "busy": Text("Close a live picture, then open this one.", "请先关闭一路实时画面，再打开此画面。"),
    "unreachable": Text("The camera does not answer. Is it powered and on the network?", "摄像机没有应答。请检查其电源和网络。"),
    "unauthorised": Text(
        "The camera refuses its user name or password. Correct them in its url.",
        "摄像机拒绝了用户名或密码。请在其 url 中更正。",
    ),
    "not_found": Text("The camera has no such stream. Check the path in its url.", "摄像机没有该视频流。请检查其 url 中的路径。"),
    "not_video": Text("What the camera sends is no video. Check its url.", "摄像机发送的不是视频。请检查其 url。"),
    "unsupported_codec": Text(
        "The camera does not send H.264. Set its stream to H.264.", "摄像机发送的不是 H.264。请将其码流设为 H.264。"
    ),
    "stalled": Text("The camera is connected but sends nothing any more.", "摄像机已连接，但不再发送数据。"),
    "ended": Text("The camera ended the connection. It is connected again.", "摄像机中断了连接，正在重新连接。"),
    "failed": Text("What the camera sent could not be read. It is connected again.", "无法读取摄像机发送的数据，正在重新连接。"),
}
PROBLEM_CODES = {"no_camera": "not_found", "b_frames": "b_frames", "bad_sdp": "bad_sdp", "busy": "busy"}  # others: no_video


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to see, already allowed. `expires_at_s`: the live process itself ends it then."""

    camera: str
    view: Literal["wall", "clear"]
    expires_at_s: float
    incident: str | None = None
    grant: str | None = None


async def offer(services: Services, session: SessionRow, wish: Wish, sdp: str) -> tuple[Viewing, Answer]:
    """Over WebRTC."""
    return await _begin(
        services, session, wish, lambda id_: services.live.offer(Offer(id_, wish.camera, wish.view, sdp, wish.expires_at_s))
    )


async def play(services: Services, session: SessionRow, wish: Wish) -> tuple[Viewing, AsyncGenerator[bytes]]:
    """The same pictures as bytes of the feed protocol, for browsers that no UDP reaches."""
    return await _begin(
        services, session, wish, lambda id_: services.live.play(Play(id_, wish.camera, wish.view, wish.expires_at_s))
    )


async def _begin(
    services: Services, session: SessionRow, wish: Wish, ask: Callable[[str], Awaitable[T | Refused]]
) -> tuple[Viewing, T]:
    if len(services.watching.of_web_session(session.id)) >= VIEWINGS_MAX:
        raise Problem("busy", REFUSALS["busy"])
    now_s = services.now()
    viewing = Viewing(
        secrets.token_urlsafe(18), session.id, session.account, wish.camera, wish.view, wish.incident, wish.grant, now_s
    )
    services.watching.add(viewing)
    try:
        answer = await ask(viewing.session)
    except BaseException as error:
        services.watching.end(viewing.session)
        if isinstance(error, LiveAway):
            raise _away(services, error) from error
        raise
    if isinstance(answer, Refused):
        services.watching.end(viewing.session)
        raise _refused(services, answer)
    try:
        actor = services.actor(session.account)
        await services.on_desk(services.desk.watched, actor, wish.camera, wish.view, wish.incident, viewing.session, now_s)
    except BaseException:
        services.watching.end(viewing.session)
        await _let_go(services, viewing, answer)
        raise
    if services.accounts.session(session.id, services.now()) is None:  # signed out while the live process was thinking
        await end_viewing(services, viewing, "signed_out")
        await _let_go(services, viewing, answer)
        raise Problem("not_signed_in", Text("The session has ended meanwhile.", "会话已结束。"))
    return viewing, answer


async def _let_go(services: Services, viewing: Viewing, answer: Answer | AsyncGenerator[bytes]) -> None:
    with contextlib.suppress(LiveAway):
        await services.live.close(viewing.session)
    if not isinstance(answer, Answer):
        await answer.aclose()


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
    actor = services.actor(viewing.account)
    await services.on_desk(services.desk.record, actor, "live.ended", viewing.camera, detail, now_s, viewing.incident or "")


def _away(services: Services, error: LiveAway) -> Problem:
    services.counters.add("live_refused")
    log.warning("live.away", reason=str(error))
    text = Text("The live process does not answer; it is being started again.", "实时视频进程没有响应，正在重新启动。")
    return Problem("live_down", text, headers={"Retry-After": "3"})


def _refused(services: Services, refused: Refused) -> Problem:
    services.counters.add("live_refused")
    text = REFUSALS.get(refused.code, REFUSALS["no_video"])  # its own words are for the log: they are English alone
    code = PROBLEM_CODES.get(refused.code, "no_video")
    log.info("live.refused", code=refused.code, reason=refused.detail)
    headers = {"Retry-After": "3"} if code in ("no_video", "busy") else None
    return Problem(code, text, headers=headers, extra={"live_code": refused.code})
