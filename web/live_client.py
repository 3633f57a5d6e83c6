"""How web asks the live process: one short connection for each question, so that its restart needs no care here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from streams.feed import (
    Answer,
    Close,
    Done,
    FeedError,
    Message,
    Offer,
    Play,
    Refused,
    Sessions,
    SessionState,
    Status,
    encode,
    receive_async,
)

ANSWER_WITHIN_S = 12.0


class LiveAway(Exception):
    """The live process does not answer: it is starting again, or it is overloaded."""


class LiveClient:
    def __init__(self, path: Path, *, within_s: float = ANSWER_WITHIN_S) -> None:
        self._path = path
        self._within_s = within_s

    async def offer(self, offer: Offer) -> Answer | Refused:
        """Errors: LiveAway."""
        reply = await self._ask(offer)
        if isinstance(reply, Answer | Refused):
            return reply
        raise LiveAway(f"the live process answered an offer with {type(reply).__name__}")

    async def play(self, play: Play) -> Refused | AsyncGenerator[bytes]:
        """The feed as bytes, for browsers that no UDP reaches: what web passes on as an HTTP body, as it is.

        Close the generator to end the session. Errors: LiveAway.
        """
        try:
            async with asyncio.timeout(self._within_s):
                reader, writer = await asyncio.open_unix_connection(str(self._path), limit=1 << 20)
                try:
                    writer.write(encode(play))
                    first = await receive_async(reader)
                except BaseException:
                    writer.close()
                    raise
        except (OSError, FeedError, TimeoutError) as error:
            raise LiveAway(f"the live process does not answer ({error or 'time-out'})") from error
        if first is None or isinstance(first, Refused):
            writer.close()
            if first is None:
                raise LiveAway("the live process hung up")
            return first

        async def body() -> AsyncGenerator[bytes]:
            try:
                yield encode(first)
                while data := await reader.read(1 << 16):
                    yield data
            finally:
                writer.close()

        return body()

    async def close(self, session: str) -> None:
        """Ends the session, if there is one. Errors: LiveAway."""
        if not isinstance(await self._ask(Close(session)), Done):
            raise LiveAway("the live process did not confirm a close")

    async def sessions(self) -> tuple[SessionState, ...]:
        """Errors: LiveAway."""
        reply = await self._ask(Status())
        if isinstance(reply, Sessions):
            return reply.sessions
        raise LiveAway(f"the live process answered a status with {type(reply).__name__}")

    async def _ask(self, message: Message) -> Message:
        try:
            async with asyncio.timeout(self._within_s):
                reader, writer = await asyncio.open_unix_connection(str(self._path), limit=1 << 20)
                try:
                    writer.write(encode(message))
                    await writer.drain()
                    reply = await receive_async(reader)
                finally:
                    writer.close()
        except (OSError, FeedError, TimeoutError) as error:
            raise LiveAway(f"the live process does not answer ({error or 'time-out'})") from error
        if reply is None:
            raise LiveAway("the live process hung up")
        return reply
