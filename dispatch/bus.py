"""The bus between the stream workers and dispatch: Redis Streams, at least once. The home of redis.

`Bus` (blocking) is for the workers, `AsyncBus` for web. Both speak to the embedded Valkey over its unix socket
(`unix:///path`) or to your own Redis or Valkey (`redis://`, `rediss://`), from version 6.2 on.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from vision.sighting import Sighting

SIGHTINGS, CLIPS, DEAD = "callout:sightings", "callout:clips", "callout:dead"
HEALTH, VIEW = "callout:health", "callout:view"
GROUP = "dispatch"
DEAD_KEPT = 10_000  # messages put aside; nothing else is ever trimmed: a trimmed entry that was not acknowledged is lost
STALE_MS = 60_000  # longer than the slowest handler: then another consumer's message is taken over
CLAIM_EVERY_S = 15.0
OLDEST_SERVER = (6, 2)
CONNECT_S, ANSWER_S = 5.0, 10.0

_T = TypeVar("_T")


class BusError(Exception):
    """The bus does not answer or refuses; the message names the server (never its password) and what to do."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    version: tuple[int, ...]
    process_id: int
    folder: str
    loading: bool


def where(url: str) -> str:
    """The server of a URL, without user and password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    return f"{parts.hostname or '?'}:{parts.port or 6379}"


def _error(url: str, error: Exception) -> BusError:
    if isinstance(error, AuthenticationError):
        return BusError(f"bus at {where(url)}: name or password refused. Check [bus] url.")
    words = str(error) or type(error).__name__
    secret = urlsplit(url).password
    return BusError(f"bus at {where(url)}: {words.replace(secret, '…') if secret else words}")


def _options() -> dict[str, Any]:
    return {
        "decode_responses": True,
        "socket_connect_timeout": CONNECT_S,
        "socket_timeout": ANSWER_S,
        "health_check_interval": 30,
    }


class Bus:
    """What a stream worker says. Every method raises BusError when the server is away; the next call connects anew."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self._client = redis.Redis.from_url(url, **_options())
        except ValueError as error:
            raise BusError(f"[bus] url: {error}") from None

    def publish_sighting(self, sighting: Sighting) -> None:
        self._do(lambda: self._client.xadd(SIGHTINGS, {"json": sighting.to_json()}))

    def publish_clip(self, message: Mapping[str, Any]) -> None:
        self._do(lambda: self._client.xadd(CLIPS, {"json": _json(message)}))

    def publish_health(self, message: Mapping[str, Any]) -> None:
        """Kept (the newest of each camera) and published."""
        text = _json(message)

        def send() -> None:
            with self._client.pipeline(transaction=True) as pipe:
                pipe.hset(HEALTH, str(message["camera"]), text)
                pipe.publish(HEALTH, text)
                pipe.execute()

        self._do(send)

    def publish_view(self, message: Mapping[str, Any]) -> None:
        self._do(lambda: self._client.publish(VIEW, _json(message)))

    def check(self) -> ServerInfo:
        """BusError when the server is away, or older than 6.2."""
        info: dict[str, Any] = self._do(self._client.info)
        version = tuple(int(n) for n in str(info["redis_version"]).split(".")[:3] if n.isdigit())
        if version < OLDEST_SERVER:
            raise BusError(f"bus at {where(self._url)}: version {info['redis_version']} is too old; 6.2 is needed")
        folder: dict[str, str] = {}
        with contextlib.suppress(RedisError):  # a managed server may forbid CONFIG
            folder = self._client.config_get("dir")  # type: ignore[assignment]  # the sync client's answer
        return ServerInfo(version, int(info["process_id"]), folder.get("dir", ""), bool(int(info.get("loading", 0))))

    def shut_down(self) -> None:
        """Ends the server; what it holds is on its disk."""
        with contextlib.suppress(RedisError):
            self._client.shutdown(save=False, nosave=True)

    def close(self) -> None:
        self._client.close()

    def _do(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except RedisError as error:
            raise _error(self._url, error) from error


class AsyncBus:
    """What web and dispatch hear. Messages come again until they are acknowledged or put aside.

    `consumer` names this reader in the group: after a restart it is first given what it had not acknowledged."""

    def __init__(self, url: str, consumer: str = "web") -> None:
        self._url, self._consumer = url, consumer
        try:
            # A blocking read waits longer than an ordinary answer may take.
            self._client = redis.asyncio.Redis.from_url(url, **(_options() | {"socket_timeout": ANSWER_S + 30}))
        except ValueError as error:
            raise BusError(f"[bus] url: {error}") from None
        self._grouped: set[str] = set()
        self._claimed_at_s: dict[str, float] = {}

    async def take_sightings(self, limit: int, wait_s: float) -> list[tuple[str, str]]:
        """Up to `limit` (message id, JSON) pairs, oldest first; waits up to `wait_s` when there are none."""
        return await self._take(SIGHTINGS, limit, wait_s)

    async def take_clips(self, limit: int, wait_s: float) -> list[tuple[str, str]]:
        return await self._take(CLIPS, limit, wait_s)

    async def ack_sighting(self, message_id: str) -> None:
        """After the commit: then it is gone from the bus."""
        await self._ack(SIGHTINGS, message_id)

    async def ack_clip(self, message_id: str) -> None:
        await self._ack(CLIPS, message_id)

    async def put_aside(self, message_id: str, text: str, why: str, stream: str = SIGHTINGS) -> None:
        """A message that can never be handled goes to `callout:dead`, with the reason, and is acknowledged."""

        async def move() -> None:
            async with self._client.pipeline(transaction=True) as pipe:
                fields: dict[Any, Any] = {"json": text, "why": why, "stream": stream, "id": message_id}
                pipe.xadd(DEAD, fields, maxlen=DEAD_KEPT, approximate=True)
                pipe.xack(stream, GROUP, message_id)
                pipe.xdel(stream, message_id)
                await pipe.execute()

        await self._do(move)

    async def dead(self, limit: int = 100) -> list[dict[str, str]]:
        """The newest messages that were put aside."""
        found: Any = await self._do(lambda: self._client.xrevrange(DEAD, count=limit))
        return [dict(fields) for _, fields in found]

    async def health(self) -> list[dict[str, Any]]:
        """The newest health of every camera."""
        found: Any = await self._do(lambda: self._client.hgetall(HEALTH))
        return [value for text in found.values() if (value := _object(text)) is not None]

    async def published(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """("health" | "view", message) as published; BusError when the connection breaks. What is not JSON is skipped."""
        pubsub = self._client.pubsub(ignore_subscribe_messages=True)
        try:
            await self._do(lambda: pubsub.subscribe(HEALTH, VIEW))
            while True:
                message = await self._do(lambda: pubsub.get_message(timeout=5.0))
                if message is None or message.get("type") != "message":
                    continue
                value = _object(message["data"])
                if value is not None:
                    yield str(message["channel"]).rpartition(":")[2], value
        finally:
            with contextlib.suppress(RedisError):
                await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    async def close(self) -> None:
        await self._client.aclose()

    async def _take(self, stream: str, limit: int, wait_s: float) -> list[tuple[str, str]]:
        async def read() -> list[tuple[str, str]]:
            await self._group(stream)
            mine = await self._read(stream, "0", limit, None)
            return mine or await self._stale(stream, limit) or await self._read(stream, ">", limit, wait_s)

        try:
            return await self._do(read)
        except BusError as error:
            if "NOGROUP" not in str(error):
                raise
            self._grouped.discard(stream)  # the server lost its data: begin anew
            return await self._do(read)

    async def _group(self, stream: str) -> None:
        if stream in self._grouped:
            return
        try:
            await self._client.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._grouped.add(stream)

    async def _read(self, stream: str, from_id: str, limit: int, wait_s: float | None) -> list[tuple[str, str]]:
        block = None if wait_s is None else max(1, int(wait_s * 1000))
        answer: Any = await self._client.xreadgroup(GROUP, self._consumer, {stream: from_id}, count=limit, block=block)
        return _entries([entry for _, entries in _pairs(answer) for entry in _flat(entries)])

    async def _stale(self, stream: str, limit: int) -> list[tuple[str, str]]:
        """What another consumer took and never finished: it was ended in the middle."""
        now_s = time.monotonic()
        if now_s - self._claimed_at_s.get(stream, float("-inf")) < CLAIM_EVERY_S:
            return []
        self._claimed_at_s[stream] = now_s
        answer: Any = await self._client.xautoclaim(stream, GROUP, self._consumer, STALE_MS, count=limit)
        return _entries(answer[1])

    async def _ack(self, stream: str, message_id: str) -> None:
        async def done() -> None:
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.xack(stream, GROUP, message_id)
                pipe.xdel(stream, message_id)
                await pipe.execute()

        await self._do(done)

    async def _do(self, call: Callable[[], Awaitable[_T]]) -> _T:
        try:
            return await call()
        except RedisError as error:
            raise _error(self._url, error) from error


def _json(message: Mapping[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _object(text: Any) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _pairs(answer: Any) -> list[tuple[str, Any]]:
    """RESP2 answers a list of pairs, RESP3 a map."""
    return list(answer.items()) if isinstance(answer, dict) else list(answer or ())


def _flat(entries: Any) -> list[Any]:
    """RESP3 wraps a stream's entries in one more list."""
    wrapped = len(entries) == 1 and isinstance(entries[0], list) and entries[0] and isinstance(entries[0][0], list | tuple)
    return list(entries[0] if wrapped else entries)


def _entries(raw: Any) -> list[tuple[str, str]]:
    """(id, JSON) pairs; an entry without `json` comes as "", so that its reader puts it aside."""
    return [(str(id_), str((fields or {}).get("json", ""))) for id_, fields in raw]
