"""What has just happened, for those who listen: new rows, and what is under way."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mitmeter import inflight
from mitmeter.dashboard.entry import request
from mitmeter.dashboard.reader import Reader
from mitmeter.dashboard.source import Source, Unreadable
from mitmeter.fleet.address import Address
from mitmeter.inflight import InFlight

PERIOD = 0.25
MISSED = 200
LISTENERS = 64
BEHIND = 1024

compact = json.JSONEncoder(separators=(",", ":")).encode

type Request = dict[str, Any]
type Event = tuple[int, str]


class Full(Exception):
    """No more can listen."""


class Feed:
    """Looks for news while somebody listens; to be used on one event loop.

    An event is the id of the newest row at that time, and the data of a server-sent event.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._ears: set[asyncio.Queue[Event | None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._turns = asyncio.Lock()
        self._newest: int | None = None
        self._requests: dict[str, Request] = {}

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Queue[Event | None]]:
        """Hand out a queue of events, None when there will be no more; raises Full."""
        if len(self._ears) >= LISTENERS:
            raise Full
        ear: asyncio.Queue[Event | None] = asyncio.Queue(BEHIND)
        self._ears.add(ear)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch())
        try:
            yield ear
        finally:
            self._ears.discard(ear)
            if not self._ears and self._task is not None:
                self._task.cancel()
                self._task = self._newest = None

    async def since(self, last: int | None) -> list[Event]:
        """Return what there is to tell at the beginning: what is under way, and the rows after one that was seen."""
        await self._turn()
        newest = self._newest or 0
        missed = [] if last is None else (await self._reader.ask(partial(_look, before=last)) or (0, []))[1]
        begin = message("inflight", {"operation": "snapshot", "requests": list(self._requests.values())})
        return [(newest, begin), *((ident, message("activity", {"id": ident})) for ident in missed)]

    def close(self) -> None:
        """End it for those who listen."""
        for ear in list(self._ears):
            self._drop(ear)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            await self._turn()

    async def _turn(self) -> None:
        """Look, and tell those who listen what is new; one at a time, so that nothing falls between two looks."""
        async with self._turns:
            try:
                found = await self._reader.ask(partial(_look, before=self._newest))
                told = await asyncio.get_running_loop().run_in_executor(None, _under_way, self._reader.place)
            except (Unreadable, OSError):
                return
            last, came = found or (0, [])
            for event in self._news(last, came, {one.flow_id: request(one) for one in told}):
                self._tell(event)

    def _news(self, newest: int, came: list[int], requests: dict[str, Request]) -> Iterator[Event]:
        before, self._newest = self._newest, newest
        known, self._requests = self._requests, requests
        if before is None:
            return
        for ident in came:
            yield ident, message("activity", {"id": ident})
        for flow_id, one in requests.items():
            if _lasting(one) != _lasting(known.get(flow_id)):
                yield newest, message("inflight", {"operation": "upsert", "request": one})
        for flow_id in known.keys() - requests.keys():
            yield newest, message("inflight", {"operation": "remove", "id": flow_id})

    def _tell(self, event: Event) -> None:
        for ear in list(self._ears):
            try:
                ear.put_nowait(event)
            except asyncio.QueueFull:
                # Whoever is that far behind had better begin anew.
                self._drop(ear)

    def _drop(self, ear: asyncio.Queue[Event | None]) -> None:
        self._ears.discard(ear)
        while ear.full():
            ear.get_nowait()
        ear.put_nowait(None)


def newest(source: Source) -> int:
    """Return the id of the row that came last, 0 without any."""
    return source.latest()


def _look(source: Source, before: int | None) -> tuple[int, list[int]]:
    """The id of the row that came last, and those that have come since another one."""
    last = newest(source)
    return last, [] if before in (None, last) else source.after(before or 0, MISSED)


def _under_way(place: Path | Address) -> list[InFlight]:
    return inflight.read(place) if isinstance(place, Path) else []


def _lasting(one: Request | None) -> Request | None:
    """What does not change by itself."""
    return None if one is None else {**one, "elapsed_ms": 0}


def message(kind: str, data: Any) -> str:
    """Return the data of an event as llama-swap writes it: JSON within JSON."""
    return compact({"type": kind, "data": compact(data)})
