"""Puts the web side together: services, guards, routes, pages and background tasks. The composition root calls `create_app`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.requests import Request

from configs.layout import Layout
from configs.schema import Settings
from dispatch.service import Desk
from web import (
    assignments,
    audit,
    cameras,
    grants,
    health,
    incidents,
    media,
    pages,
    public,
    refusals,
    session,
    site,
    units,
    whep,
    ws,
)
from web.accounts import Accounts
from web.accounts_store import SessionRow
from web.auth import Throttle
from web.deps import Counters, Live, Requires, Services, requires
from web.health_book import HealthBook
from web.hub import Hub
from web.policy import Permission, Scope
from web.replays import Replays
from web.security import BodyLimit, SecurityHeaders
from web.tasks import Tasks, WebBus
from web.watching import Watching

BODY_MAX_BYTES = 256 * 1024

RESOURCES = (session, site, cameras, units, grants, incidents, assignments, audit, public, whep, media, ws, health, pages)


def create_app(  # noqa: PLR0917  the doors of the other parts, in the order of the contract
    settings: Settings,
    layout: Layout,
    desk: Desk,
    bus: WebBus | None,
    live_client: Live,
    now: Callable[[], float] = time.time,
    *,
    accounts: Accounts | None = None,
) -> FastAPI:
    """The whole web side. It closes the bus when it ends. `bus` None: no background tasks that need it (tests of routes alone).

    `accounts` defaults to those of the data folder, brought up to date with the settings; the app closes what it opened.
    Raises RuntimeError when a route declares no permission: it would be open to everybody.
    """
    own = accounts is None
    accounts = accounts or Accounts.open(layout.root, session_s=settings.web.session_hours * 3600)
    accounts.ensure_all(settings.account)
    scope = Scope.of(settings)
    services = Services(
        settings=settings, layout=layout, desk=desk, accounts=accounts, live=live_client, now=now, scope=scope, hub=Hub(scope),
        health=HealthBook(), watching=Watching(), throttle=Throttle(), counters=Counters(), replays=Replays(),
        desk_thread=ThreadPoolExecutor(1, thread_name_prefix="desk"),
    )  # fmt: skip
    tasks = Tasks(services, bus)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with tasks.running():
            yield
        if bus is not None:
            await bus.close()
        services.desk_thread.shutdown(wait=True)
        if own:
            accounts.close()

    app = FastAPI(
        title="Callout",
        summary="Cameras see a hazard, a person confirms it, the nearest suitable responder gets there.",
        version="1",
        lifespan=lifespan,
        openapi_url=None,  # served below, under a permission
        docs_url=None,  # FastAPI's page loads scripts from another site
        redoc_url=None,
        # FastAPI records failing requests with their bodies (passwords among them) wherever OpenTelemetry is set up: off.
        telemetry={
            "tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False,
        },
    )  # fmt: skip
    app.state.services = services
    refusals.install(app)
    app.add_middleware(BodyLimit, most_bytes=BODY_MAX_BYTES)
    app.add_middleware(refusals.Faults)
    app.add_middleware(SecurityHeaders, public_origins=settings.web.public_origins)
    for resource in RESOURCES:
        app.include_router(resource.router)
    app.include_router(_openapi())
    unguarded = sorted(path for path, permission in guarded_routes(app) if permission is None)
    if unguarded:
        raise RuntimeError(f"routes without a rule: {', '.join(unguarded)}. Give each `requires(Permission.…)` (web/policy.py)")
    return app


def _openapi() -> APIRouter:
    router = APIRouter()

    @router.get("/api/v1/openapi.json", summary="This interface as OpenAPI", tags=["api"])
    async def openapi(request: Request, _: Annotated[SessionRow, requires(Permission.API_READ)]) -> dict[str, Any]:
        """For integrators: every route with what it takes."""
        schema: dict[str, Any] = request.app.openapi()
        return schema

    return router


def guarded_routes(app: FastAPI) -> Iterator[tuple[str, Permission | None]]:
    """Every route (HTTP, WebSocket, mounts) as "METHOD path" with the permission that it declares, None without one."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        permission = _declared(dependant) if dependant is not None else None
        methods = getattr(route, "methods", None) or {"WS"}
        for method in sorted(methods):
            yield f"{method} {route.path}", permission


def _declared(dependant: Any) -> Permission | None:
    for inner in dependant.dependencies:
        if isinstance(inner.call, Requires):
            return inner.call.permission
        found = _declared(inner)
        if found is not None:
            return found
    return None
