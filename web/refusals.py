"""Turns every error that can reach the edge into a Problem: dispatch's refusals, bad input, unknown addresses, our own faults."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from dispatch.errors import Refusal, StoreFailed
from web.problems import KINDS, Problem, Text, language_of

log = structlog.get_logger(__name__)

# pydantic's error types in words; what is not listed is said with pydantic's own English sentence.
FIELD_TEXTS: Mapping[str, Text] = {
    "missing": Text("is missing", "缺失"),
    "json_invalid": Text("is not valid JSON", "不是有效的 JSON"),
    "string_type": Text("must be a text", "必须是文本"),
    "string_too_short": Text("is too short (at least {min_length} characters)", "太短（至少 {min_length} 个字符）"),
    "string_too_long": Text("is too long (at most {max_length} characters)", "太长（最多 {max_length} 个字符）"),
    "float_type": Text("must be a number", "必须是数字"),
    "float_parsing": Text("must be a number", "必须是数字"),
    "finite_number": Text("must be a finite number", "必须是有限数值"),
    "int_parsing": Text("must be a whole number", "必须是整数"),
    "greater_than_equal": Text("must be at least {ge}", "不得小于 {ge}"),
    "less_than_equal": Text("must be at most {le}", "不得大于 {le}"),
    "literal_error": Text("must be one of {expected}", "必须是以下之一：{expected}"),
    "model_attributes_type": Text("must be a JSON object, sent as application/json", "必须是 JSON 对象（application/json）"),
    "dict_type": Text("must be a JSON object", "必须是 JSON 对象"),
}  # fmt: skip

BY_STATUS: Mapping[int, tuple[str, Text]] = {
    400: ("bad_request", Text("The request could not be read.", "无法读取该请求。")),
    404: ("not_found", Text("There is nothing at this address.", "该地址不存在。")),
    405: ("method_not_allowed", Text("This address does not take that method.", "该地址不支持此方法。")),
    413: ("too_large", Text("The request is larger than anything that this address needs.", "请求超出该地址允许的大小。")),
}


def of_refusal(refusal: Refusal) -> Problem:
    code = refusal.code if refusal.code in KINDS else "refused"
    return Problem(code, Text(refusal.en, refusal.zh), extra=refusal.facts())


def of_invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Says each field with what is wrong about it; never the value, which may be a password."""
    said: list[tuple[str, Text]] = []
    for error in errors:
        place = [
            str(part) for part in error["loc"] if part not in ("body", "path", "query", "header") and not isinstance(part, int)
        ]
        text = FIELD_TEXTS.get(error["type"], Text(str(error["msg"]), str(error["msg"])))
        context = {key: str(value) for key, value in (error.get("ctx") or {}).items()}
        try:
            text = Text(text.en.format(**context), text.zh.format(**context))
        except (KeyError, IndexError, ValueError):
            log.debug("problem.text_without_values", type=error["type"])
        said.append((".".join(place) or "body", text))
    en = "; ".join(f"{field} {text.en}" for field, text in said) + "."
    zh = "；".join(f"{field} {text.zh}" for field, text in said) + "。"
    return Problem("bad_input", Text(en, zh), extra={"fields": [field for field, _ in said]})


def of_http(error: HTTPException) -> Problem:
    code, text = BY_STATUS.get(error.status_code, BY_STATUS[404] if error.status_code < 500 else ("internal", Text("", "")))
    if code == "internal":
        return of_fault()
    return Problem(code, text, headers=error.headers or {})


def of_fault() -> Problem:
    """A fault of ours: the number joins what the person reports with the log."""
    number = secrets.token_hex(4)
    return Problem(
        "internal",
        Text(
            f"This is our fault, not yours. It is in the log under {number}. Try again; if it stays, report that number.",
            f"这是系统故障，与您的操作无关。日志编号：{number}。请重试；如仍失败，请报告该编号。",
        ),
        extra={"number": number},
    )


def of_unexpected(error: Exception) -> Problem:
    """What came from nobody's refusal: a disk without room under the accounts is no fault of ours; everything else is."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF if isinstance(error, sqlite3.Error) else 0
    if code == sqlite3.SQLITE_FULL:
        return of_refusal(StoreFailed("accounts.db", "the disk is full"))
    if code == sqlite3.SQLITE_IOERR:
        return of_refusal(StoreFailed("accounts.db", str(error)))
    return of_fault()


def install(app: FastAPI) -> None:
    async def problem(connection: HTTPConnection, error: Exception) -> Response | None:
        response = _problem_of(error).response(language_of(connection))
        if isinstance(connection, WebSocket):
            await connection.send_denial_response(response)
            return None
        return response

    for kind in (Problem, Refusal, RequestValidationError, WebSocketRequestValidationError, HTTPException):
        app.add_exception_handler(kind, problem)  # type: ignore[arg-type]  # Starlette's type knows no handler for both kinds


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, Refusal):
        return of_refusal(error)
    if isinstance(error, RequestValidationError | WebSocketRequestValidationError):
        return of_invalid(error.errors())
    if isinstance(error, HTTPException):
        return of_http(error)
    return of_fault()


class Faults:
    """ASGI middleware: what nobody expected becomes a 500 with a number, and a log entry under that number."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if scope["type"] not in ("http", "websocket"):
                raise
            problem = of_unexpected(error)
            log.error("web.fault", number=problem.extra.get("number", ""), path=scope["path"], exc_info=error)
            if begun:
                raise  # the answer is half out: let the server break the connection off
            connection = HTTPConnection(scope)
            await problem.response(language_of(connection))(scope, receive, send)
