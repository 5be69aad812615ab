"""Answers that cost: making them is to take a small share of time, however often they are asked for."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from msgspec import Struct

from mitmeter.dashboard.source import Unreadable

SHARE = 20
QUICK_SECONDS = 0.025
PATIENCE_SECONDS = 2.0
LAST_SECONDS = 60.0
KEPT = 64


class _Made(Struct):
    """An answer, the newest row then, when it was made and when another may be, on the steady clock."""

    body: bytes
    newest: int | None
    at: float
    due: float


class Dear:
    """Remembers answers by what was asked; to be used on one event loop.

    Without new rows an answer stays for a while. With some it is made anew, but one that took long not at once: whoever
    asks waits for that, or, where it is long, gets the old one, and with it in how many milliseconds to ask again.
    """

    def __init__(self, newest: Callable[[], Awaitable[int | None]]) -> None:
        self._newest = newest
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._making: dict[str, asyncio.Task[bytes]] = {}

    async def get(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return a JSON object that was made for the key, is being made, or is made now; raises what that does."""
        known, wait = self._made.get(key), 0.0
        if known is not None:
            now, newest = time.monotonic(), await self._newest()
            if known.newest == newest and now - known.at < LAST_SECONDS:
                return known.body
            wait = max(0.0, known.due - now)
            if wait > PATIENCE_SECONDS:
                return known.body[:-1] + f',"again_ms":{wait * 1000:.0f}}}'.encode()
        other = self._making.get(key)
        if other is not None:
            try:
                return await asyncio.shield(other)
            except Unreadable:
                # That one may have gone away.
                pass
        task = asyncio.ensure_future(self._make(key, make, wait))
        self._making[key] = task
        try:
            return await task
        finally:
            if self._making.get(key) is task:
                del self._making[key]

    async def _make(self, key: str, make: Callable[[], Awaitable[bytes]], wait: float) -> bytes:
        await asyncio.sleep(wait)
        newest, begun = await self._newest(), time.monotonic()
        body = await make()
        now = time.monotonic()
        self._made.pop(key, None)
        if now - begun > QUICK_SECONDS:
            self._made[key] = _Made(body, newest, now, now + SHARE * (now - begun))
            if len(self._made) > KEPT:
                self._made.popitem(last=False)
        return body
