"""/healthz (the process runs), /readyz (it can work), /metrics (Prometheus text format 0.0.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog
from fastapi import APIRouter, Depends
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from web.accounts_store import SessionRow
from web.deps import Here, Requires, Services, requires
from web.live_client import LiveAway
from web.policy import Permission

router = APIRouter(tags=["health"])
log = structlog.get_logger(__name__)

CHECK_S = 2.0
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


@router.get("/healthz", summary="The web process runs", dependencies=[requires(Permission.HEALTH_READ)])
async def healthz() -> dict[str, str]:
    """Always 200 while the event loop turns."""
    return {"status": "ok"}


@router.get("/readyz", summary="Everything that work needs is there", dependencies=[requires(Permission.HEALTH_READ)])
async def readyz(services: Here) -> JSONResponse:
    """200 when the store answers and the background tasks run; 503 says which of them does not. Live video is told, but
    incidents can be worked on without it."""
    store, live = await asyncio.gather(_store(services), _live(services))
    parts = {"store": store, **services.tasks_running, "live": live}
    ready = store and all(
        runs for name, runs in services.tasks_running.items() if name != "retention"
    )  # no reason to send nobody here
    return JSONResponse({"ready": ready, "parts": parts}, status_code=200 if ready else 503)


async def _store(services: Services) -> bool:
    try:
        async with asyncio.timeout(CHECK_S):
            await services.on_desk(services.desk.next_due_s)
    except Exception as error:  # noqa: BLE001  whatever it is: the store does not answer, and the probe must say so
        log.warning("ready.store", reason=repr(error))
        return False
    return True


async def _live(services: Services) -> bool:
    try:
        async with asyncio.timeout(CHECK_S):
            await services.live.sessions()
    except (LiveAway, TimeoutError):
        return False
    return True


class ScrapeRule(Requires):
    """As the table says; but a scraper on this machine needs no account (what came through a proxy is not from here)."""

    async def __call__(self, connection: HTTPConnection) -> SessionRow | None:
        host = connection.client.host if connection.client else ""
        proxied = any(name in connection.headers for name in ("forwarded", "x-forwarded-for", "x-forwarded-host", "via"))
        if host in _LOOPBACK and not proxied:
            return None
        return await super().__call__(connection)


@router.get("/metrics", summary="Counts and states for Prometheus", dependencies=[Depends(ScrapeRule(Permission.METRICS_READ))])
async def metrics(services: Here) -> Response:
    """No camera, account or incident is named in it."""
    figures = await services.on_desk(services.desk.figures)
    return Response("".join(_lines(services, figures)), media_type="text/plain; version=0.0.4; charset=utf-8")


COUNTERS = {
    "sightings_received": "Sightings taken from the bus and committed.",
    "sightings_dead": "Sightings that could not be used and were put aside.",
    "clip_events": "Clip events taken from the bus.",
    "task_failures": "Failures of background tasks, each tried again.",
    "outbox_published": "Messages of the outbox given to the consoles.",
    "logins_failed": "Sign-ins refused for a wrong name or password.",
    "logins_throttled": "Sign-ins refused because of too many before.",
    "media_deleted": "Clips and thumbnails deleted on schedule.",
    "live_refused": "Live pictures that could not be opened.",
}

INCIDENT_METRICS = (
    ("callout_incidents", "incidents", "Incidents, by hazard kind."),
    ("callout_incidents_open", "open", "Incidents that are not finished."),
    ("callout_incidents_false_alarm", "false_alarms", "Incidents that a person dismissed as a false alarm."),
)


def _lines(services: Services, figures: dict[str, Any]) -> Iterable[str]:
    for name, help_text in COUNTERS.items():
        yield _metric(f"callout_{name}_total", "counter", help_text, [("", services.counters.counts.get(name, 0))])
    yield _metric("callout_consoles", "gauge", "WebSockets that are open.", [("", len(services.hub))])
    yield _metric("callout_console_resyncs_total", "counter", "Consoles that were too slow.", [("", services.hub.resyncs)])
    yield _metric("callout_live_viewings", "gauge", "Live pictures that are open.", [("", len(services.watching))])
    states = sorted(services.health.states(services.now()).items())
    yield _metric("callout_cameras", "gauge", "Cameras by state.", [(f'{{state="{state}"}}', n) for state, n in states])
    yield _metric("callout_outbox", "gauge", "Messages that wait for the consoles.", [("", figures["outbox"])])
    for name, field, help_text in INCIDENT_METRICS:
        rows = [(f'{{kind="{kind}"}}', row[field]) for kind, row in sorted(figures["kinds"].items())]
        yield _metric(name, "gauge", help_text, rows)


def _metric(name: str, kind: str, help_text: str, values: list[tuple[str, float]]) -> str:
    rows = "".join(f"{name}{labels} {value:g}\n" for labels, value in values)
    return f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n{rows}"
