"""The doors that a session goes through: cookie, Origin, CSRF token, and the brake on guessing passwords."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from web.problems import Problem, Text

COOKIE = "callout_session"
CSRF_HEADER = "X-Callout-CSRF"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def set_cookie(response: Response, token: str, *, secure: bool, max_age_s: float) -> None:
    response.set_cookie(COOKIE, token, max_age=int(max_age_s), path="/", secure=secure, httponly=True, samesite="strict")


def clear_cookie(response: Response, *, secure: bool) -> None:
    response.delete_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="strict")


def is_https(connection: HTTPConnection, public_origins: Sequence[str]) -> bool:
    """True also behind a proxy that ends TLS: the browser then names one of our public https origins."""
    origin = connection.headers.get("origin", "")
    return connection.url.scheme in ("https", "wss") or (origin.startswith("https://") and origin in public_origins)


def check_origin(connection: HTTPConnection, public_origins: Sequence[str]) -> None:
    """Refuses what another site's page sent, and what does not say where it comes from.

    `Origin` must be the host that was asked or one of `web.public_origins`; `Sec-Fetch-Site`, where the browser sends
    it, must be same-origin (or come with such a public origin).
    """
    origin, site = connection.headers.get("origin"), connection.headers.get("sec-fetch-site")
    host = connection.headers.get("host", "")
    listed = origin is not None and origin in public_origins
    ours = origin is not None and origin != "null" and urlsplit(origin).netloc.lower() == host.lower() != ""
    if origin is None and site is None:
        raise Problem(
            "wrong_origin",
            Text(
                "The request says neither Origin nor Sec-Fetch-Site. Browsers send them; other programs must send"
                " `Origin` with the address of this server.",
                "请求缺少 Origin 或 Sec-Fetch-Site。浏览器会自动发送；其他程序须以本服务器地址发送 `Origin`。",
            ),
        )
    if (origin is not None and not (ours or listed)) or (site is not None and site != "same-origin" and not listed):
        raise Problem(
            "wrong_origin",
            Text(
                f"It came from {origin or 'another site'}, not from this server. If that is your proxy's address, add it to"
                " `web.public_origins` in the settings.",
                f"请求来自 {origin or '其他网站'}，而非本服务器。若这是您的代理地址，请将其加入设置项 `web.public_origins`。",
            ),
        )


def check_csrf(connection: HTTPConnection, expected: str) -> None:
    given = connection.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise Problem(
            "wrong_csrf",
            Text(
                f"The header {CSRF_HEADER} is missing or old. Reload the page; programs take it from GET /api/v1/session.",
                f"请求头 {CSRF_HEADER} 缺失或已失效。请刷新页面；程序可从 GET /api/v1/session 获取。",
            ),
        )


@dataclass(slots=True)
class _Tries:
    failed: int
    since_s: float
    blocked_until_s: float = 0.0


class Throttle:
    """Slows down guessing: per key, after `free` failures each further one doubles the wait (2 s … 15 min).

    Keys are account+address (nobody can lock a colleague out from elsewhere) and the address alone (one password
    tried on many accounts). An attempt counts as failed when it starts and is struck off when it succeeds, so that
    parallel attempts do not slip through. Kept in memory and bounded; time is a parameter.
    """

    WINDOW_S = 900.0
    KEYS_MAX = 10_000

    def __init__(self, *, free: int = 5, free_by_address: int = 100) -> None:
        self.free, self.free_by_address = free, free_by_address
        self._tries: OrderedDict[tuple[str, str], _Tries] = OrderedDict()

    def begin(self, account: str, address: str, now_s: float) -> float:
        """0 when the attempt may go on (and is counted), otherwise the seconds to wait."""
        keys = (((account, address), self.free), (("", address), self.free_by_address))
        wait_s = max(self._blocked_until_s(key) - now_s for key, _ in keys)
        if wait_s > 0:
            return wait_s
        for key, free in keys:
            tries = self._tries.get(key)
            if tries is None or now_s - tries.since_s > self.WINDOW_S:
                tries = self._tries[key] = _Tries(0, now_s)
            tries.failed += 1
            if tries.failed >= free:
                tries.since_s = now_s
                tries.blocked_until_s = now_s + min(2.0 ** (tries.failed - free + 1), self.WINDOW_S)
            self._tries.move_to_end(key)
        while len(self._tries) > self.KEYS_MAX:
            self._tries.popitem(last=False)
        return 0.0

    def succeeded(self, account: str, address: str) -> None:
        self._tries.pop((account, address), None)
        by_address = self._tries.get(("", address))
        if by_address is not None:
            by_address.failed -= 1
            by_address.blocked_until_s = 0.0

    def _blocked_until_s(self, key: tuple[str, str]) -> float:
        tries = self._tries.get(key)
        return 0.0 if tries is None else tries.blocked_until_s
