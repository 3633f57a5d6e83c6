"""The real server: WebSockets end to end, the port that is in use, and a stop that nobody can hold up."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streams import feed
from tests.web.web_kit import PASSWORD, FakeBus, House, house, problem, until
from web.serve import Address, ServeError, bind, run_web


@asynccontextmanager
async def served(h: House) -> AsyncIterator[tuple[Address, threading.Event, threading.Thread]]:
    """The app on a free port, in a thread with its own event loop, as the web process runs it."""
    stop = threading.Event()
    found: list[Address] = []
    thread = threading.Thread(target=run_web, args=(h.app, "127.0.0.1", 0, found.append, stop), daemon=True)
    thread.start()
    try:
        [address] = await until(lambda: list(found), within_s=10)
        yield address, stop, thread
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()


async def cookie(h: House, address: Address, name: str) -> tuple[dict[str, str], httpx.AsyncClient]:
    client = httpx.AsyncClient(base_url=address.url, headers={"Origin": address.url})
    h.clients.append(client)
    answer = await client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.headers["X-Callout-CSRF"] = answer.json()["csrf"]
    return {"Cookie": f"callout_session={client.cookies['callout_session']}"}, client


def socket_of(address: Address, headers: dict[str, str], origin: str | None = None) -> Any:
    url = address.url.replace("http", "ws") + "/ws"
    return connect(url, additional_headers=headers, origin=origin or address.url, open_timeout=5, close_timeout=1, proxy=None)  # type: ignore[arg-type]


async def next_of(ws: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            found: dict[str, Any] = json.loads(await ws.recv())
            if found["type"] == kind:
                return found


async def close_code(ws: ClientConnection) -> int | None:
    """Reads on until the server closes; with which code."""
    async with asyncio.timeout(5):
        try:
            while True:
                await ws.recv()
        except ConnectionClosed as closed:
            return None if closed.rcvd is None else closed.rcvd.code


def test_a_console_hears_of_incidents_and_boxes_over_its_socket(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, bus=FakeBus()) as h, served(h) as (address, _, _):
            headers, client = await cookie(h, address, "operator")
            async with socket_of(address, headers) as ws:
                await next_of(ws, "hello")
                await ws.send(json.dumps({"watch": ["gate", "yard", 5]}))
                from tests.web.web_kit import sighting

                assert h.bus is not None
                h.bus.sightings.append(("1-0", sighting().to_json()))
                shown = (await next_of(ws, "incident"))["incident"]
                assert shown["camera"] == "gate"
                headers_ = {"If-Match": f'"{shown["version"]}"'}
                confirmed = await client.post(f"/api/v1/incidents/{shown['id']}/confirm", json={}, headers=headers_)
                assert confirmed.status_code == 200, confirmed.text
                while (await next_of(ws, "incident"))["incident"]["state"] != "confirmed":
                    pass
                [console] = h.services.hub._consoles
                assert console.watch == {"gate"}, "yard is outside the groups"
                await client.delete("/api/v1/session")
                assert await close_code(ws) == 4401

    asyncio.run(run())


@pytest.mark.parametrize(
    ("who", "origin", "status"),
    [("operator", "http://evil.example", 403), (None, None, 401), ("admin", None, 403), ("auditor", None, 403)],
)
def test_sockets_are_refused_before_they_open(tmp_path: Path, who: str | None, origin: str | None, status: int) -> None:
    async def run() -> None:
        async with house(tmp_path) as h, served(h) as (address, _, _):
            headers: dict[str, str] = {}
            if who:
                headers, _ = await cookie(h, address, who)
            with pytest.raises(InvalidStatus) as refused:
                async with socket_of(address, headers, origin):
                    pass
            answer = refused.value.response
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["x-frame-options"] == "DENY"
            assert json.loads(answer.body or b"{}")["code"] in ("wrong_origin", "not_signed_in", "not_allowed")

    asyncio.run(run())


@pytest.mark.parametrize("text", ["{", "[]", '{"watch": 5}', '{"other": []}', '"x"', "x" * 20_000])
def test_a_client_that_talks_nonsense_is_let_go(tmp_path: Path, text: str) -> None:
    async def run() -> None:
        async with house(tmp_path) as h, served(h) as (address, _, _):
            headers, _ = await cookie(h, address, "operator")
            async with socket_of(address, headers) as ws:
                await ws.send(text)
                assert await close_code(ws) == 4400
            await until(lambda: len(h.services.hub) == 0)

    asyncio.run(run())


@pytest.mark.parametrize("manner", ["reads", "never_reads"])
def test_an_open_socket_does_not_hold_up_the_stop(tmp_path: Path, manner: str) -> None:
    async def run() -> None:
        async with house(tmp_path) as h, served(h) as (address, stop, thread):
            headers, _ = await cookie(h, address, "operator")
            if manner == "never_reads":
                raw = socket.create_connection((address.host, address.port))
                lines = [
                    "GET /ws HTTP/1.1",
                    f"Host: 127.0.0.1:{address.port}",
                    f"Origin: {address.url}",
                    f"Cookie: {headers['Cookie']}",
                    "Upgrade: websocket",
                    "Connection: Upgrade",
                    "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "\r\n",
                ]
                raw.sendall("\r\n".join(lines).encode())
                await until(lambda: len(h.services.hub) == 1)
                started = time.monotonic()
                stop.set()
                await asyncio.to_thread(thread.join, 10)
                took_s = time.monotonic() - started
                raw.close()
            else:
                async with socket_of(address, headers) as ws:
                    await next_of(ws, "hello")
                    started = time.monotonic()
                    stop.set()
                    await asyncio.to_thread(thread.join, 10)
                    took_s = time.monotonic() - started
            assert not thread.is_alive()
            assert took_s < 3

    asyncio.run(run())


def test_the_detour_over_http_has_the_same_rules_and_the_same_record(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h, served(h) as (address, _, _):
            _, client = await cookie(h, address, "operator")
            client.headers["Accept"] = "application/vnd.callout.feed, application/problem+json"
            problem(await client.post("/whep/wall/yard"), 404, "not_found")
            problem(await client.post("/whep/clear/none"), 403, "no_grant")
            problem(await client.post("/whep/wall/gate", headers={"X-Callout-CSRF": ""}), 403, "wrong_csrf")
            h.live.refuse = feed.Refused("no_video", "dark")
            problem(await client.post("/whep/wall/gate"), 503, "no_video")
            h.live.refuse = None
            async with client.stream("POST", "/whep/wall/gate") as answer:
                assert answer.status_code == 200
                assert answer.headers["content-type"] == "application/vnd.callout.feed"
                decoder, got = feed.Decoder(), []
                async for data in answer.aiter_bytes():
                    got += decoder.receive(data)
                    if len(got) > 3:
                        break
                assert isinstance(got[0], feed.Stream)
                assert isinstance(got[1], feed.Packet)
            await until(lambda: len(h.services.watching) == 0 and not h.live.open)  # the browser went away
            async with client.stream("POST", "/whep/wall/gate") as answer:
                await client.delete(answer.headers["location"])
                decoder, got = feed.Decoder(), []
                async for data in answer.aiter_bytes():
                    got += decoder.receive(data)
                assert isinstance(got[-1], feed.Gone)

            def ended() -> bool:
                return [e.detail["why"] for e in h.desk.audit(limit=99) if e.action == "live.ended"] == ["disconnected", "closed"]

            await until(ended)

    asyncio.run(run())


def test_a_feed_that_is_being_watched_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h, served(h) as (address, stop, thread):
            _, client = await cookie(h, address, "operator")
            async with client.stream("POST", "/whep/wall/gate", headers={"Accept": "application/vnd.callout.feed"}) as answer:
                assert answer.status_code == 200
                started = time.monotonic()
                stop.set()
                await asyncio.to_thread(thread.join, 10)
                assert time.monotonic() - started < 3
            assert not thread.is_alive()
            assert [e.action for e in h.desk.audit(limit=99)][-2:] == ["watched", "live.ended"]

    asyncio.run(run())


def test_a_port_in_use_is_named_with_what_to_do(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=rf"port {port} on 127.0.0.1 is in use.*\[web\] port"):
            bind("127.0.0.1", port)
    with pytest.raises(ServeError, match=r"\[web\] host"):
        bind("no-such-host.invalid", 0)
    with pytest.raises(ServeError, match=r"no address 192.0.2.1: \[web\] host"):
        bind("192.0.2.1", 0)


def test_addresses_are_shown_as_a_browser_takes_them() -> None:
    assert Address("0.0.0.0", 80).url == "http://127.0.0.1:80"
    assert Address("::1", 8080).url == "http://[::1]:8080"
    assert Address("::", 8080).url == "http://[::1]:8080"
    assert Address("callout.lan", 8080).url == "http://callout.lan:8080"


def test_metrics_are_for_this_machine_and_for_those_with_the_permission(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h, served(h) as (address, _, _):
            await h.opened()
            async with httpx.AsyncClient(base_url=address.url) as scraper:
                answer = await scraper.get("/metrics")
                assert answer.status_code == 200
                assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
                assert "# TYPE callout_consoles gauge\ncallout_consoles 0\n" in answer.text
                assert "gate" not in answer.text
                assert 'callout_incidents{kind="intrusion"} 1\n' in answer.text
                assert (await scraper.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})).status_code == 401
                assert (await scraper.get("/healthz")).json() == {"status": "ok"}
                ready = await scraper.get("/readyz")
                assert ready.json()["parts"]["live"] is True
                h.live.away = True
                assert (await scraper.get("/readyz")).status_code == 200
            assert (await h.browser().get("/metrics")).status_code == 401
            assert (await (await h.signed_in("operator")).get("/metrics")).status_code == 403
            assert (await (await h.signed_in("integrator")).get("/metrics")).status_code == 200

    asyncio.run(run())
