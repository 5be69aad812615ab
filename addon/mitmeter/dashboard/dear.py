"""Answers that cost: one that was dear is given again for a while, so that making them takes a small share of time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from msgspec import Struct

from mitmeter.dashboard.reader import Unreadable

SHARE = 20
QUICK_SECONDS = 0.025
KEPT = 64


class _Made(Struct):
    """An answer, until when it is given again, on the steady clock."""

    body: bytes
    until: float


class Dear:
    """Remembers answers by what was asked; to be used on one event loop."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._making: dict[str, asyncio.Task[bytes]] = {}

    async def get(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return what was made for the key, or is being made for somebody else, or make it; raises what that does."""
        known = self._made.get(key)
        if known is not None and time.monotonic() < known.until:
            return known.body
        other = self._making.get(key)
        if other is not None:
            try:
                return await asyncio.shield(other)
            except Unreadable:
                # That one may have gone away.
                pass
        task = asyncio.ensure_future(self._make(key, make))
        self._making[key] = task
        try:
            return await task
        finally:
            if self._making.get(key) is task:
                del self._making[key]

    async def _make(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        begun = time.monotonic()
        body = await make()
        took = time.monotonic() - begun
        if took > QUICK_SECONDS:
            self._made[key] = _Made(body, time.monotonic() + SHARE * took)
            self._made.move_to_end(key)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        return body
