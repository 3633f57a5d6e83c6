"""Idempotency-Key: a repeated request gets the answer of the first, and is not done twice.

The desk remembers the keys of its commands on disk (so that a repeat after a restart is not done twice either); here
the whole answer is kept for a while, and two requests that arrive at once become one. Bounded, in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.responses import Response

from web.problems import Problem, Text

KEEP_S = 3600.0
KEYS_MAX = 5000


@dataclass(slots=True)
class _Entry:
    body_sha256: str
    since_s: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    answer: Response | None = None


class Replays:
    """`key` already names account, method and path, so that a key counts only where it was first used."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[str, ...], _Entry] = OrderedDict()

    async def once(self, key: tuple[str, ...], body: bytes, now_s: float, make: Callable[[], Awaitable[Response]]) -> Response:
        """The answer of `make`, made once for each key. Refusals are not kept: they may have another answer next time."""
        self._forget(now_s)
        digest = hashlib.sha256(body).hexdigest()
        entry = self._entries.setdefault(key, _Entry(digest, now_s))
        if entry.body_sha256 != digest:
            raise Problem(
                "key_reused",
                Text(
                    "The same key came with another body before. Take a new key for each new request.",
                    "该键此前用于内容不同的请求。每个新请求请使用新的键。",
                ),
            )
        async with entry.turn:
            if entry.answer is None:
                try:
                    entry.answer = await make()
                except BaseException:
                    self._entries.pop(key, None)
                    raise
            return entry.answer

    def _forget(self, now_s: float) -> None:
        while self._entries:
            key, oldest = next(iter(self._entries.items()))
            if len(self._entries) < KEYS_MAX and now_s - oldest.since_s < KEEP_S:
                return
            del self._entries[key]
