"""What runs beside the requests: sightings and clips from the bus to the desk, health and boxes to the consoles, the outbox,
deadlines, the watch over sessions and live pictures, and the clips that have had their time.

Each loop repeats one step that may raise; the broad catch stands at the top of the loop, logs, counts, backs off and
tries again: a restarted bus or live process, or a full disk, is survived.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

import structlog

from dispatch.bus import CLIPS, SIGHTINGS
from dispatch.errors import Refusal, StoreFailed
from dispatch.views import OutboxRow
from vision.sighting import Sighting
from web.deps import Services
from web.janitor import Janitor
from web.live_client import LiveAway
from web.viewing import end_viewing

log = structlog.get_logger(__name__)

BATCH = 64
WAIT_S = 1.0
BACK_OFF_S = (0.2, 5.0)
STABLE_S = 30.0  # a step that went well for so long begins with the shortest wait again
WATCH_EVERY_S = 3.0
CLEAN_EVERY_S = 3600.0  # clips and thumbnails
BUS_WITHIN_S = 60.0
STARTING_S = 30.0  # an offer may take so long until the live process lists its session
LONGEST_SLEEP_S = 1.0


class WebBus(Protocol):
    """What the tasks need of `dispatch.bus.AsyncBus`. Messages come again until they are acknowledged."""

    async def take_sightings(self, limit: int, wait_s: float) -> Sequence[tuple[str, str]]: ...

    async def take_clips(self, limit: int, wait_s: float) -> Sequence[tuple[str, str]]: ...

    async def ack_sighting(self, message_id: str) -> None: ...

    async def ack_clip(self, message_id: str) -> None: ...

    async def put_aside(self, message_id: str, text: str, why: str, stream: str = SIGHTINGS) -> None: ...

    async def health(self) -> Sequence[dict[str, Any]]: ...

    def published(self) -> AsyncIterator[tuple[str, dict[str, Any]]]: ...

    async def close(self) -> None: ...


class Tasks:
    """All loops of one app. `async with tasks.running():` starts them and ends them again."""

    def __init__(self, services: Services, bus: WebBus | None) -> None:
        self._services = services
        self._bus = bus
        self._silent: set[str] = set()
        self._heard_s = 0.0  # every sighting that was on the bus at this moment has been received
        self._janitor = Janitor(services)
        self._cleaned = False
        self._clean_at_s: float | None = None  # of the loop's clock

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "outbox": self._relay,
            "deadlines": self._deadlines,
            "watch": self._watch,
            "retention": self._retention,
        }
        if self._bus is not None:
            steps |= {
                "sightings": partial(self._sightings, self._bus),
                "clips": partial(self._clips, self._bus),
                "published": partial(self._published, self._bus),
            }
        for name in steps:
            self._services.tasks_running[name] = True
        tasks = [asyncio.create_task(self._forever(name, step), name=name) for name, step in steps.items()]
        try:
            yield
        finally:
            self._services.stopping = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close_viewings()

    async def _forever(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        least_s, most_s = BACK_OFF_S
        wait_s = least_s
        failed = 0
        clock = asyncio.get_running_loop().time
        while True:
            started_s = clock()
            try:
                await step()
            except Exception as error:
                if clock() - started_s > STABLE_S:
                    failed, wait_s = 0, least_s
                failed += 1
                self._services.tasks_running[name] = False
                self._services.counters.add("task_failures")
                if failed & (failed - 1) == 0:  # the 1st, 2nd, 4th, 8th … time: no storm in the log
                    log.error("task.failed", task=name, times=failed, reason=repr(error), exc_info=failed == 1)
                await asyncio.sleep(wait_s)
                wait_s = min(most_s, wait_s * 2)
            else:
                if failed:
                    log.info("task.recovered", task=name, after=failed)
                failed, wait_s = 0, least_s
                self._services.tasks_running[name] = True

    # -- from the bus
    async def _sightings(self, bus: WebBus) -> None:
        asked_s = self._services.now()
        messages = await bus.take_sightings(BATCH, WAIT_S)
        if not messages:
            self._heard_s = asked_s
        for message_id, text in messages:
            try:
                sighting = Sighting.from_json(text)
                await self._services.on_desk(self._services.desk.receive, sighting, self._services.now())
            except StoreFailed:
                raise  # the message stays on the bus until the disk has room again
            except (ValueError, Refusal) as error:
                self._services.counters.add("sightings_dead")
                log.error("sighting.put_aside", message=message_id, reason=str(error))
                await bus.put_aside(message_id, text, str(error))
            else:
                self._services.counters.add("sightings_received")
                await bus.ack_sighting(message_id)

    async def _clips(self, bus: WebBus) -> None:
        for message_id, text in await bus.take_clips(BATCH, WAIT_S):
            try:
                await self._services.on_desk(self._services.desk.clip_event, json.loads(text), self._services.now())
            except StoreFailed:
                raise
            except (ValueError, KeyError, TypeError, Refusal) as error:
                log.error("clip.put_aside", message=message_id, reason=str(error))
                await bus.put_aside(message_id, text, str(error), CLIPS)
            else:
                self._services.counters.add("clip_events")
                await bus.ack_clip(message_id)

    async def _published(self, bus: WebBus) -> None:
        """Health and boxes. What was published while nobody listened is read from the hash first."""
        messages = bus.published()
        try:
            for health in await bus.health():
                self._take_health(health)
            self._services.tasks_running["published"] = True  # this step goes on for as long as the bus does
            async for kind, message in messages:
                if kind == "health":
                    self._take_health(message)
                elif kind == "view":
                    camera = str(message.get("camera", ""))
                    self._services.hub.boxes(camera, {"type": "boxes", **message})
        finally:
            close = getattr(messages, "aclose", None)
            if close is not None:
                await close()

    def _take_health(self, message: dict[str, Any]) -> None:
        camera = self._services.health.put(message)
        if camera is not None:
            self._silent.discard(camera)
            self._publish_health(camera)

    def _publish_health(self, camera: str) -> None:
        health = self._services.health.of(camera, self._services.now())
        self._services.hub.publish({"type": "camera", "camera": camera, "health": health}, camera=camera)

    # -- to the consoles
    async def _relay(self) -> None:
        services = self._services
        services.wake_relay.clear()
        rows = await services.run_on_desk(services.desk.take, 100)
        for row in rows:
            await self._publish(row)
        if rows:
            await services.run_on_desk(services.desk.done, [row.seq for row in rows])
            services.counters.add("outbox_published", len(rows))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SLEEP_S):
                await services.wake_relay.wait()

    async def _publish(self, row: OutboxRow) -> None:
        kind, services = row.message.get("type"), self._services
        if kind == "grant_ended":  # for us, not for the consoles: the id of a grant is its owner's
            for viewing in services.watching.of_grant(str(row.message["grant"])):
                await end_viewing(services, viewing, "grant_ended")
        elif kind == "incident":
            services.hub.publish(row.message, camera=row.camera)
        elif kind is not None:
            services.hub.publish(row.message, camera=row.camera, unit=row.unit)

    # -- time
    async def _deadlines(self) -> None:
        services = self._services
        now_s = services.now()
        due_s = await services.run_on_desk(services.desk.next_due_s)
        if due_s is None or due_s > now_s:
            await asyncio.sleep(LONGEST_SLEEP_S if due_s is None else min(LONGEST_SLEEP_S, max(0.02, due_s - now_s)))
            return
        changes = await services.on_desk(services.desk.due, now_s)
        for change in changes:
            log.info("deadline.done", code=change.code)
        if not changes:
            await asyncio.sleep(0.2)  # a deadline that nothing came of may not turn the loop into a busy one

    async def _retention(self) -> None:
        """At the start, once the bus has been read through (a bus that is away is not waited for), then every hour."""
        now = asyncio.get_running_loop().time()
        if self._bus is None:
            self._heard_s = self._services.now()
        if self._clean_at_s is None:
            self._clean_at_s = now + BUS_WITHIN_S
        if now < self._clean_at_s and (self._cleaned or not self._heard_s):
            await asyncio.sleep(LONGEST_SLEEP_S)
            return
        await self._janitor.clean(self._services.now(), self._heard_s)
        self._cleaned, self._clean_at_s = True, now + CLEAN_EVERY_S

    # -- the watch over sessions, pictures and silent cameras
    async def _watch(self) -> None:
        await asyncio.sleep(WATCH_EVERY_S)
        services = self._services
        now_s = services.now()
        for camera in services.health.silent(now_s):
            if camera not in self._silent:
                self._silent.add(camera)
                self._publish_health(camera)
        for session in services.hub.sessions():
            row = services.accounts.session(session, now_s)
            if row is None:
                services.hub.end_session(session)
            else:
                services.hub.renew(session, row.account)
                services.accounts.used(row, now_s)  # an open console is in use, also when nothing happens
        for viewing in services.watching.all():
            row = services.accounts.session(viewing.web_session, now_s)
            if row is None or not services.scope.sees_camera(row.account, viewing.camera):
                await end_viewing(services, viewing, "signed_out")
        await self._reconcile()

    async def _reconcile(self) -> None:
        """The live process knows which pictures are really open: what is gone there has ended, what is unknown here is closed."""
        services = self._services
        try:
            sessions = await services.live.sessions()
        except LiveAway:
            return  # it is being started again; the sessions that it had are then gone from its list
        living = [one.session for one in sessions]
        for viewing in services.watching.gone(living, started_before_s=services.now() - STARTING_S):
            await end_viewing(services, viewing, "disconnected")
        for orphan in living:
            if services.watching.get(orphan) is None:
                log.warning("live.orphan_closed", session=orphan)
                with contextlib.suppress(LiveAway):
                    await services.live.close(orphan)

    async def _close_viewings(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                for viewing in self._services.watching.all():
                    await end_viewing(self._services, viewing, "server_stopped")
                await asyncio.gather(*self._services.endings)
