"""What the page asks of a fleet: rows in any order, and sums, histograms and courses over time, by ClickHouse.

Each answers as its counterpart in `mitmeter.store` does. Sums by model over whole minutes come out of `minutes`.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mitmeter.fleet import schema
from mitmeter.fleet.course import IN_MINUTES, MINUTE, Course, Tables, course, only, told_apart
from mitmeter.fleet.histograms import Histograms
from mitmeter.fleet.remote import Remote
from mitmeter.fleet.wanted import MINUTES_KEY, where
from mitmeter.metered import Metered
from mitmeter.store.figures import CHOSEN, MEASURED
from mitmeter.store.filters import Filter
from mitmeter.store.rows import Row
from mitmeter.store.sorting import SORTS, Order

# As many as the server takes up to the order of one column before it reads the others.
NEWEST = 10_000
LISTED = 200

_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_SUMMED = ("requests", "errors", "aborted", *_TOKENS, "cost_usd")
_BY_ROW = f"""
    SELECT model AS name, count() AS requests, countIf(outcome IN ('error', 'unreachable')) AS errors,
        countIf(outcome IN ('client_aborted', 'upstream_aborted')) AS aborted,
        {", ".join(f"sum({name}) AS {name}" for name in (*_TOKENS, "cost_usd"))}
    FROM {{table}} FINAL WHERE {{where}} GROUP BY name
"""
_BY_MINUTE = f"""
    SELECT nullIf(toNullable(model), '') AS name, {", ".join(f"sum({name})" for name in _SUMMED)}
    FROM {{table}} WHERE {{where}} GROUP BY name
"""


class Figures:
    """Of one fleet, open for reading; `stopped` is not asked, since the server ends what takes too long."""

    together: Sequence[Sequence[str]] = (tuple(MEASURED),)

    def __init__(self, remote: Remote) -> None:
        self.metered: Metered = remote
        self.folder: Path | None = None
        self.stopped: Callable[[], bool] = lambda: False
        self._remote = remote
        self._ask = remote.connection.query
        self._rows, self._minutes = remote.table("exchanges"), remote.table("minutes")
        since = schema.measured_since(remote.connection)
        self._histograms = Histograms(self._ask, self._rows, remote.table("measures"), since)

    @property
    def last_id(self) -> int:
        """The row that came last."""
        return self.latest()

    def complete(self) -> bool:
        """There is nothing to be made ready."""
        return True

    def close(self) -> None:
        """Close the connection."""
        self._remote.close()

    def page(self, wanted: Filter, sort: str, order: Order, limit: int, offset: int) -> tuple[list[Row], int]:
        """Return a page of rows and how many there are: ties by place, unknown before all that is known."""
        condition, given = where(wanted)
        column = "position" if SORTS[sort] == "id" else SORTS[sort]
        unknown = "FIRST" if order == "asc" else "LAST"
        by = f"{column} {order}" if column == "position" else f"{column} {order} NULLS {unknown}, position {order}"
        total = self._remote.requests(wanted)
        # A copy on a page before this one would shift it.
        copied = offset > 0 and self._remote.requests(wanted, copies=True) != total
        chosen = f"WHERE {condition} ORDER BY {by} LIMIT {int(limit)} OFFSET {int(offset)}"
        return self._remote.select(chosen, given, copied=copied), total

    def by_model(self, wanted: Filter) -> list[dict[str, Any]]:
        """Return the sums of each model, that with the most requests first; None where no row says anything."""
        groups: dict[str | None, dict[str, Any]] = {}
        for name, *sums in self._sums(wanted):
            known = groups.setdefault(name, {"model": name, **dict.fromkeys(_SUMMED)})
            for column, value in zip(_SUMMED, sums, strict=True):
                if value is not None:
                    known[column] = value + (known[column] or 0)
        return sorted(groups.values(), key=lambda group: (-group["requests"], group["model"] or ""))

    def _sums(self, wanted: Filter) -> list[Any]:
        """Return sums that are to be added up: of whole minutes, and of the rows before and after them."""
        if not (only(wanted, "since", "until", *IN_MINUTES) and told_apart(wanted.since, wanted.until)):
            return self._by_row(wanted)
        since = None if wanted.since is None else math.ceil(wanted.since / MINUTE) * MINUTE
        until = None if wanted.until is None else math.floor(wanted.until / MINUTE) * MINUTE
        if since is not None and until is not None and since >= until:
            return self._by_row(wanted)
        texts = {name: getattr(wanted, name) for name in IN_MINUTES}
        condition, given = where(Filter(**texts), MINUTES_KEY)
        for sign, bound in ((">=", since), ("<", until)):
            condition += "" if bound is None else f" AND minute {sign} toDateTime({int(bound)}, 'UTC')"
        found = list(self._ask(_BY_MINUTE.format(table=self._minutes, where=condition), given))
        if since is not None and since != wanted.since:
            found += self._by_row(Filter(since=wanted.since, until=float(since), **texts))
        if until is not None and until != wanted.until:
            found += self._by_row(Filter(since=float(until), until=wanted.until, **texts))
        return found

    def _by_row(self, wanted: Filter) -> list[Any]:
        condition, given = where(wanted)
        return list(self._ask(_BY_ROW.format(table=self._rows, where=condition), given))

    def measured(self, names: Sequence[str], wanted: Filter) -> dict[str, dict[str, Any] | None]:
        """Return the histograms of those names."""
        found = self._histograms.of([MEASURED[name] for name in names], wanted)
        return {name: found[MEASURED[name]] for name in names}

    def span(self, wanted: Filter) -> tuple[float, float] | None:
        """Return when the first and the last of the rows began, None without any; epoch seconds."""
        condition, given = where(wanted)
        [[number, first, last]] = self._ask(
            f"SELECT count(), min(started), max(started) FROM {self._rows} WHERE {condition}", given
        )
        return (first, last) if number else None

    def course(
        self, wanted: Filter, by: str, since: float, until: float, buckets: int, top: int
    ) -> list[dict[str, Any]]:
        """Return sums in buckets from `since` until `until`: the `top` with the most tokens, then the rest."""
        tables = Tables(self._rows, self._minutes)
        return course(self._ask, tables, wanted, Course(by, since, until, buckets, top))

    def choices(self) -> dict[str, list[Any]]:
        """Return what the newest rows have for values, by filter: those of the most rows first."""
        chosen = {name: f"nullIf({column}, '')" if name == "session" else column for name, column in CHOSEN.items()}
        newest = f"SELECT {', '.join(CHOSEN.values())} FROM {self._rows} ORDER BY position DESC LIMIT {NEWEST}"
        tops = ", ".join(f"topK({LISTED})({column})" for column in chosen.values())
        [found] = self._ask(f"SELECT {tops} FROM ({newest})")
        return {
            name: [value for value in values if value is not None] for name, values in zip(chosen, found, strict=True)
        }

    def latest(self) -> int:
        """Return the id of the row that came last, 0 where there is none."""
        found = self._ask(f"SELECT id FROM {self._rows} ORDER BY shipped DESC LIMIT 1")
        return int(found[0][0]) if found else 0

    def after(self, ident: int, limit: int) -> list[int]:
        """Return the ids of the rows that have come since one came, at most so many of the newest, oldest first."""
        came = f"shipped > (SELECT max(shipped) FROM {self._rows} WHERE id = {{id:Int64}})"
        newest = f"SELECT DISTINCT id, shipped FROM {self._rows} WHERE {came} ORDER BY shipped DESC LIMIT {int(limit)}"
        return [int(one) for one, _ in reversed(self._ask(newest, {"id": ident}))]
