"""Refusals as application/problem+json (RFC 9457), in the language of the person who meets them.

A cookie `callout_lang` (what was chosen on the page) goes before Accept-Language; English is the fallback.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import HTTPConnection
from starlette.responses import Response

Language = Literal["en", "zh"]
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages of the house."""

    en: str
    zh: str

    def in_(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


# code → (HTTP status, title). A test walks this table; a Problem with an unknown code cannot be made.
KINDS: Mapping[str, tuple[int, Text]] = {
    "bad_request": (400, Text("The request could not be read", "无法读取该请求")),
    "bad_sdp": (400, Text("The browser's video offer could not be read", "无法读取浏览器的视频请求")),
    "not_signed_in": (401, Text("Please sign in", "请先登录")),
    "wrong_password": (401, Text("Name or password is wrong", "用户名或密码错误")),
    "not_allowed": (403, Text("Your role may not do this", "您的角色无权执行此操作")),
    "forbidden": (403, Text("This is not yours to do", "您无权进行该操作")),
    "wrong_origin": (403, Text("This request came from another site", "该请求来自其他网站")),
    "wrong_csrf": (403, Text("This page is out of date", "页面已过期")),
    "no_grant": (403, Text("A clear picture needs a live grant", "查看清晰画面需要有效授权")),
    "not_found": (404, Text("Not found", "未找到")),
    "method_not_allowed": (405, Text("This address does not take that method", "该地址不支持此方法")),
    "stale": (409, Text("Somebody else was quicker", "他人已先行修改")),
    "impossible": (409, Text("That is not possible now", "当前无法执行该操作")),
    "refused": (409, Text("That was refused", "请求被拒绝")),
    "taken": (409, Text("The unit is already committed", "该单位已有任务")),
    "b_frames": (422, Text("This camera's video cannot be passed on as it is", "该摄像机的视频无法直接转发")),
    "deleted": (410, Text("This was deleted on schedule", "该内容已按期删除")),
    "too_large": (413, Text("The request is too large", "请求过大")),
    "wrong_type": (415, Text("The content type is not what this address takes", "内容类型不受支持")),
    "bad_range": (416, Text("That part of the clip does not exist", "请求的片段范围不存在")),
    "bad_input": (422, Text("Something in the request is wrong", "请求中有错误")),
    "key_reused": (422, Text("This Idempotency-Key was used for another request", "该 Idempotency-Key 已用于其他请求")),
    "needs_version": (428, Text("Say which version you are changing", "请注明要修改的版本")),
    "too_many": (429, Text("Too many attempts", "尝试次数过多")),
    "internal": (500, Text("Something broke on our side", "服务器内部错误")),
    "no_video": (503, Text("There is no picture from this camera", "该摄像机暂无画面")),
    "live_down": (503, Text("Live video is not available now", "实时视频暂不可用")),
    "busy": (503, Text("Too many live pictures are open", "已打开的实时画面过多")),
    "store_failed": (507, Text("The record could not be written", "记录无法写入")),
    "not_ready": (503, Text("Callout is not ready", "系统尚未就绪")),
}


class Problem(Exception):
    """A refusal. `detail` says what happened and what to do; `extra` becomes further members of the JSON object."""

    def __init__(
        self,
        code: str,
        detail: Text,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail.en}")
        self.status, self.title = KINDS[code]
        self.code, self.detail = code, detail
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def response(self, language: Language) -> Response:
        body = {
            **self.extra,
            "type": f"urn:callout:problem:{self.code}",
            "title": self.title.in_(language),
            "status": self.status,
            "detail": self.detail.in_(language),
            "code": self.code,
        }
        headers = {**self.headers, "Content-Language": "zh-Hans" if language == "zh" else "en", "Cache-Control": "no-store"}
        content = json.dumps(body, ensure_ascii=False).encode()
        return Response(content, status_code=self.status, media_type=MEDIA_TYPE, headers=headers)


def not_found(what: Text) -> Problem:
    """404 also for what exists outside the account's scope: nobody learns what they may not see."""
    return Problem("not_found", Text(f"{what.en} does not exist, or is not yours to see.", f"{what.zh}不存在，或您无权查看。"))


def language_of(connection: HTTPConnection) -> Language:
    chosen = connection.cookies.get("callout_lang", "")
    if chosen in ("en", "zh"):
        return "zh" if chosen == "zh" else "en"
    return accepted_language(connection.headers.get("accept-language", ""))


def accepted_language(header: str) -> Language:
    """The better of en and zh in an Accept-Language header (RFC 9110 section 12.5.4); unreadable weights count as 0."""
    best: Language = "en"
    best_weight = 0.0
    for part in header[:1000].split(","):
        tag, _, parameters = part.strip().partition(";")
        weight = 1.0
        if parameters.strip().startswith("q="):
            try:
                weight = float(parameters.strip()[2:])
            except ValueError:
                weight = 0.0
        primary = tag.strip().lower().split("-")[0]
        if primary in ("en", "zh") and weight > best_weight:
            best, best_weight = ("zh" if primary == "zh" else "en"), weight
    return best
