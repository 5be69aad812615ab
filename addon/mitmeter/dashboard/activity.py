"""`/api/metrics` and `/api/metrics/activity`: lists of rows."""

import logging
import time
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from mitmeter import choosing
from mitmeter.choosing import Choice
from mitmeter.dashboard import asked
from mitmeter.dashboard.asked import Page
from mitmeter.dashboard.desk import Desked
from mitmeter.dashboard.entry import entry
from mitmeter.dashboard.source import Source, Unreadable, go_on
from mitmeter.store import sorting
from mitmeter.store.filters import Filter, Window
from mitmeter.store.rows import Row

log = logging.getLogger("mitmeter")

OLDER_LIMIT, OLDER_MOST = 1000, 100_000
SEARCHED_TOGETHER = 25

type Json = dict[str, Any]


class Questions(Desked):
    """Answers to questions about rows: what is wrong with one is told with 400, a database that cannot be read 503."""

    async def get(self) -> None:
        """Answer."""
        try:
            body = await self.answer()
        except ValueError as error:
            self.refuse(400, str(error))
        except Unreadable as error:
            self.refuse(503, str(error))
        else:
            self.send(body)

    async def answer(self) -> bytes:
        """Return the JSON; raises ValueError and Unreadable."""
        raise NotImplementedError


def paged(source: Source, wanted: Filter, page: Page) -> bytes:
    """A page with how many there are."""
    rows, total = source.page(wanted, page.sort, page.order, page.limit, (page.number - 1) * page.limit)
    return told(page, [entry(row) for row in rows], total)


def told(page: Page, data: list[Json], total: int, **more: Any) -> bytes:
    """A page in llama-swap's shape."""
    shape = {"data": data, "page": page.number, "limit": page.limit, "total": total}
    return msgspec.json.encode(shape | {"total_pages": -(-total // page.limit)} | more)


class Activity(Questions):
    """`/api/metrics/activity`."""

    async def answer(self) -> bytes:
        """Return a page, or what a search has found."""
        choice, page = asked.choice(self.given), asked.page(self.given)
        if choice.reads_captures:
            return await self._search(choice, page, asked.seconds(self.given))
        narrow = sorting.needs_facts(choice.filter, page.sort, (page.number - 1) * page.limit)
        narrow = narrow and (page.sort != "id" or self.desk.is_complete)
        ask = self.desk.ask_sums if narrow else self.desk.lists.ask
        body = await ask(partial(paged, wanted=choice.filter, page=page), self.gone)
        return told(page, [], 0) if body is None else body

    async def _search(self, choice: Choice, page: Page, seconds: float) -> bytes:
        if (page.sort, page.order, page.number) != ("id", "desc", 1):
            raise ValueError("a search of captures goes by id from the newest, and has no pages: use max_id")
        look = partial(found, choice=choice, page=page, seconds=seconds)
        body = await self.desk.captures.ask(look, self.gone, seconds + 5)
        searched = {"captures": 0, "complete": True, "next_max_id": None}
        return told(page, [], 0, searched=searched) if body is None else body


def found(source: Source, choice: Choice, page: Page, seconds: float) -> bytes:
    """What a search of captures finds in about so many seconds, newest first."""
    deadline, metered = time.monotonic() + seconds, source.metered
    wanted = replace(choice.filter, captured=True)
    before, searched, rows = None, 0, list[Row]()
    while some := metered.rows(Window(limit=SEARCHED_TOGETHER, before=before, wanted=wanted)):
        places = {row.id: -at for at, row in enumerate(some)}
        hits = choosing.matching(metered, some, choice, partial(go_on, source), log.debug)
        rows += sorted((row for row, _ in hits), key=lambda row: places[row.id])
        before, searched = some[0].id, searched + len(some)
        if len(rows) >= page.limit or time.monotonic() > deadline:
            break
    if len(rows) > page.limit:
        rows = rows[: page.limit]
        before = rows[-1].id
    # The ids of a fleet are not in the order of its rows.
    more = before - 1 if some and before and source.folder is not None else None
    state = {"captures": searched, "complete": not some, "next_max_id": more}
    return told(page, [entry(row) for row in rows], len(rows), searched=state)


class Older(Questions):
    """`/api/metrics`, as llama-swap had it before."""

    async def answer(self) -> bytes:
        """Return the newest entries, oldest first."""
        choice = asked.choice(self.given)
        limit = asked.number(self.given, "limit", OLDER_LIMIT, OLDER_MOST)
        body = await self.desk.lists.ask(partial(_older, wanted=choice.filter, limit=limit), self.gone)
        return b"[]" if body is None else body


def _older(source: Source, wanted: Filter, limit: int) -> bytes:
    return msgspec.json.encode([entry(row) for row in source.metered.rows(Window(limit=limit, wanted=wanted))])
