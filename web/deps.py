"""What every route gets: the services of the app, who is asking, and the guard that each route must declare."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ParamSpec, Protocol, TypeVar

from fastapi import Depends, Header
from starlette.requests import HTTPConnection

from configs.layout import Layout
from configs.schema import Account, Settings
from dispatch.service import Desk
from dispatch.views import Actor
from streams.feed import Answer, Offer, Play, Refused, SessionState
from web import auth
from web.accounts import Accounts
from web.accounts_store import SessionRow
from web.health_book import HealthBook
from web.hub import Hub
from web.policy import Permission, Scope, may
from web.problems import Problem, Text
from web.replays import Replays
from web.watching import Watching

P = ParamSpec("P")
T = TypeVar("T")


class Live(Protocol):
    """The live process, as the routes see it. `web.live_client.LiveClient` is the real one. All raise LiveAway."""

    async def offer(self, offer: Offer) -> Answer | Refused: ...

    async def play(self, play: Play) -> Refused | AsyncGenerator[bytes]: ...

    async def close(self, session: str) -> None: ...

    async def sessions(self) -> tuple[SessionState, ...]: ...


@dataclass(slots=True)
class Counters:
    """Plain counts for /metrics; each name is described there."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, n: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + n


@dataclass(slots=True)
class Services:
    """Everything that a route or a background task needs; made once by `create_app`."""

    settings: Settings
    layout: Layout
    desk: Desk
    accounts: Accounts
    live: Live
    now: Callable[[], float]
    scope: Scope
    hub: Hub
    health: HealthBook
    watching: Watching
    throttle: auth.Throttle
    counters: Counters
    replays: Replays
    desk_thread: ThreadPoolExecutor
    tasks_running: dict[str, bool] = field(default_factory=dict)
    clips_noted: set[tuple[str, str]] = field(default_factory=set)  # (grant, clip) whose watching is on the record
    public_figures: tuple[float, dict[str, Any]] | None = None
    stopping: bool = False
    endings: set[asyncio.Task[None]] = field(default_factory=set)  # live pictures whose end is being written down
    wake_relay: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_desk(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One of the desk's doors, on the desk's thread; wakes the outbox relay, since it may have left something there."""
        result = await self.run_on_desk(function, *args, **kwargs)
        self.wake_relay.set()
        return result

    async def run_on_desk(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `on_desk`, without waking the relay (for the relay itself)."""
        return await asyncio.get_running_loop().run_in_executor(self.desk_thread, partial(function, *args, **kwargs))

    def actor(self, account: Account) -> Actor:
        return Actor(account.name, account.role)


def services_of(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services


Here = Annotated[Services, Depends(services_of)]


class Requires:
    """The guard of a route: `Depends(Requires(Permission.X))`. It holds, in this order, Origin, session, role, CSRF token.

    Unsafe methods and WebSockets must come from our own pages. What it returns is the session (None where anybody may come).
    """

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, connection: HTTPConnection) -> SessionRow | None:
        services = services_of(connection)
        is_socket = connection.scope["type"] == "websocket"
        unsafe = not is_socket and connection.scope["method"] not in auth.SAFE_METHODS
        if is_socket or unsafe:
            auth.check_origin(connection, services.settings.web.public_origins)
        if may(None, self.permission):
            return None
        now_s = services.now()
        row = services.accounts.find_session(connection.cookies.get(auth.COOKIE, ""), now_s)
        if row is None:
            raise Problem(
                "not_signed_in",
                Text("There is no session, or it has ended. Sign in, then try again.", "会话不存在或已结束。请登录后重试。"),
            )
        if not may(row.account.role, self.permission):
            raise Problem(
                "not_allowed",
                Text(
                    f"{self.permission} is not part of the role {row.account.role}.",
                    f"角色 {row.account.role} 不包含 {self.permission} 权限。",
                ),
            )
        if unsafe:
            auth.check_csrf(connection, row.csrf)
        services.accounts.used(row, now_s)
        return row


def requires(permission: Permission) -> Any:
    """For a signed-in route: `session: Annotated[SessionRow, requires(Permission.X)]`."""
    return Depends(Requires(permission))


def version_of(if_match: Annotated[str | None, Header()] = None) -> int | None:
    """The version in If-Match (`"7"`), None without the header. BadInput when it is something else."""
    if if_match is None:
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise Problem(
            "bad_input",
            Text('If-Match holds the incident\'s version in quotes, as in "7".', 'If-Match 须为带引号的版本号，例如 "7"。'),
            extra={"field": "If-Match"},
        )
    return int(text)


IfMatch = Annotated[int | None, Depends(version_of)]


def key_of(idempotency_key: Annotated[str | None, Header(max_length=128)] = None) -> str | None:
    return idempotency_key or None


IdempotencyKey = Annotated[str | None, Depends(key_of)]
