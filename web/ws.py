"""/ws: one WebSocket for each console or phone. The server pushes what the account may see; the client says which
cameras' boxes it wants ({"watch": [camera…]}).

The handler awaits its queue and the client at once: one that awaited only its queue would hold up the shutdown for minutes.
"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected, WebSocketState

from web.accounts_store import SessionRow
from web.deps import Services, requires, services_of
from web.hub import Console
from web.policy import Permission

router = APIRouter(tags=["events"])
log = structlog.get_logger(__name__)

PING_S = 15.0
MESSAGE_MAX = 16 * 1024  # characters of what a client sends
WATCH_MAX = 64
CONSOLES_OF_ONE_SESSION = 16
SESSION_ENDED, TOO_MANY, BAD_MESSAGE = 4401, 4429, 4400


@router.websocket("/ws")
async def events(socket: WebSocket, session: Annotated[SessionRow, requires(Permission.EVENTS_RECEIVE)]) -> None:
    """incident, assignment, unit, camera and boxes messages; `resync` when the client was too slow; `ping` when it is quiet."""
    services = services_of(socket)
    await socket.accept()
    if services.hub.count(session.id) >= CONSOLES_OF_ONE_SESSION:
        await socket.close(TOO_MANY, "too many consoles of one sign-in")
        return
    console = Console(session.id, session.account)
    services.hub.join(console)
    services.accounts.used(session, services.now())
    halves = [
        asyncio.create_task(_send(socket, console, services), name="ws-send"),
        asyncio.create_task(_receive(socket, console, services), name="ws-receive"),
    ]
    try:
        done, _ = await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
    finally:
        services.hub.leave(console)
        for half in halves:
            half.cancel()
        ends = await asyncio.gather(*halves, return_exceptions=True)
    code = next((end for end in ends if isinstance(end, int)), 1000)
    for half in done:
        error = half.exception()
        if error is not None and not isinstance(error, WebSocketDisconnect | WebSocketDisconnected | OSError):
            log.error("ws.failed", reason=repr(error))
            code = 1011
    if socket.client_state is WebSocketState.CONNECTED and socket.application_state is WebSocketState.CONNECTED:
        try:
            await socket.close(code)
        except (RuntimeError, OSError):
            log.debug("ws.closed_twice")


async def _send(socket: WebSocket, console: Console, services: Services) -> int:
    """Returns the code to close with, when the hub ends the console."""
    await socket.send_text(json.dumps({"type": "hello", "at_s": services.now()}))
    while True:
        try:
            async with asyncio.timeout(PING_S):
                text = await console.queue.get()
        except TimeoutError:
            text = json.dumps({"type": "ping", "at_s": services.now()})
        if text is None:
            return SESSION_ENDED if not services.stopping else 1001
        await socket.send_text(text)


async def _receive(socket: WebSocket, console: Console, services: Services) -> int:
    """Takes the `watch` lists until the client goes. Cameras that the account may not see are left out of them."""
    while True:
        text = await socket.receive_text()
        try:
            if len(text) > MESSAGE_MAX:
                return BAD_MESSAGE
            watch = json.loads(text)["watch"]
            wanted = [camera for camera in watch if isinstance(camera, str)][:WATCH_MAX]
        except (ValueError, TypeError, KeyError):
            return BAD_MESSAGE
        console.watch = frozenset(camera for camera in wanted if services.scope.sees_camera(console.account, camera))
