"""`/api/metrics/stats`, `/series` and `/values`: what rows come to."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from mitmeter.choosing import Choice
from mitmeter.dashboard import asked
from mitmeter.dashboard.activity import Json, Questions
from mitmeter.dashboard.source import Source
from mitmeter.store import figures
from mitmeter.store.filters import Filter
from mitmeter.store.surface import instant

BUCKETS, MOST_BUCKETS = 60, 500
TOP, MOST_TOP = 8, 20

_THEIRS = {
    "total_requests": "requests",
    "total_input_tokens": "input_tokens",
    "total_output_tokens": "output_tokens",
    "total_cache_tokens": "cache_read_tokens",
    "total_cache_write_tokens": "cache_write_tokens",
    "total_reasoning_tokens": "reasoning_tokens",
    "errors": "errors",
    "aborted": "aborted",
}


class Sums(Questions):
    """Answers that may take seconds, of which those to the same question are made once."""

    async def answer(self) -> bytes:
        """Return what was made, or make it."""
        if self.needs_all:
            await self.desk.completed()
        return await self.desk.dear.get(f"{self.request.path}?{self.request.query}", self.make)

    @property
    def needs_all(self) -> bool:
        """Whether any row may be wanted."""
        wanted = self.wanted()
        return wanted.since is None and wanted.until is None and wanted.first is None

    async def make(self) -> bytes:
        """Return the JSON; raises ValueError and Unreadable."""
        raise NotImplementedError

    async def ask[T](self, work: Callable[[Source], T]) -> T | None:
        """Return what is read on the thread for sums."""
        return await self.desk.ask_sums(work, self.gone)

    def wanted(self) -> Filter:
        """Return the filter; raises ValueError where it asks for what only captures tell."""
        choice: Choice = asked.choice(self.given)
        if choice.reads_captures:
            raise ValueError("sums are of rows alone: text and header are for /api/metrics/activity")
        return choice.filter


class Stats(Sums):
    """`/api/metrics/stats`."""

    async def make(self) -> bytes:
        """Return the sums; a piece of work at a time, so that lists need not wait for all of it."""
        wanted, begun = self.wanted(), time.monotonic()
        models, last_id, together = await self.ask(partial(_models, wanted=wanted)) or ([], 0, ())
        total = figures.added(models)
        stats: Json = {name: total[column] or 0 for name, column in _THEIRS.items()}
        stats["total_cost_usd"] = total["cost_usd"]
        stats |= dict.fromkeys(figures.MEASURED)
        for names in together if models else ():
            stats |= await self.ask(partial(_measured, names=names, wanted=wanted)) or {}
        took = round((time.monotonic() - begun) * 1000, 3)
        return msgspec.json.encode(stats | {"models": models, **_as_of(last_id), "took_ms": took})


class Series(Sums):
    """`/api/metrics/series`."""

    async def make(self) -> bytes:
        """Return sums over time."""
        wanted, by = self.wanted(), (self.given.get("by") or ["model"])[0]
        if by not in figures.GROUPS:
            raise ValueError(f"by is one of {', '.join(figures.GROUPS)}")
        buckets = asked.number(self.given, "buckets", BUCKETS, MOST_BUCKETS)
        top = asked.number(self.given, "top", TOP, MOST_TOP)
        body = await self.ask(partial(_series, wanted=wanted, by=by, buckets=buckets, top=top))
        return msgspec.json.encode(_empty(wanted, buckets, 0)) if body is None else body


class Values(Sums):
    """`/api/metrics/values`."""

    needs_all = False

    async def make(self) -> bytes:
        """Return what there is to choose from."""
        found = await self.ask(lambda source: source.choices())
        return msgspec.json.encode(dict.fromkeys(figures.CHOSEN, ()) if found is None else found)


def _as_of(last_id: int) -> dict[str, Any]:
    return {"last_id": last_id, "as_of": instant(time.time())}


def _models(source: Source, wanted: Filter) -> tuple[list[Json], int, Sequence[Sequence[str]]]:
    return source.by_model(wanted), source.last_id, source.together


def _measured(source: Source, names: Sequence[str], wanted: Filter) -> dict[str, Json | None]:
    return source.measured(names, wanted)


def _empty(wanted: Filter, buckets: int, last_id: int) -> Json:
    since, until = wanted.since, wanted.until
    step = (until - since) / buckets if since is not None and until is not None else None
    times = {"since": None if since is None else instant(since), "until": None if until is None else instant(until)}
    return {**times, "step_seconds": step, "series": [], **_as_of(last_id)}


def _series(source: Source, wanted: Filter, by: str, buckets: int, top: int) -> bytes:
    span = source.span(wanted)
    if span is None:
        return msgspec.json.encode(_empty(wanted, buckets, source.last_id))
    since = span[0] if wanted.since is None else wanted.since
    until = max(span[1], since + 1.0) if wanted.until is None else wanted.until
    if wanted.since is not None and wanted.until is None:
        until = max(until, time.time())
    series = source.course(wanted, by, since, until, buckets, top)
    times = {"since": instant(since), "until": instant(until), "step_seconds": (until - since) / buckets}
    return msgspec.json.encode({**times, "series": series, **_as_of(source.last_id)})
