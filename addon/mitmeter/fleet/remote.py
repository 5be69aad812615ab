"""A fleet's ClickHouse as what was metered: the rows of many meter_dirs, in the order in which exchanges ended."""

import os
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from mitmeter.archive.bodies import Parts, join
from mitmeter.archive.record import Record, RecordError
from mitmeter.fleet import schema
from mitmeter.fleet.address import Address
from mitmeter.fleet.connection import Connection
from mitmeter.fleet.wanted import second_of, where
from mitmeter.metered import ALL, Captured, Mark
from mitmeter.shelf import belonging
from mitmeter.store.filters import EVERY, Filter, Window
from mitmeter.store.rows import COLUMNS, Row, Stat, unflatten
from mitmeter.store.stats import Group

TOGETHER = 16
OVERLAP_SECONDS = 10
DAY_SECONDS = 86_400

HANDED = 1000
_ROW = ", ".join(("id", "captured", *COLUMNS))
_SESSION = COLUMNS.index("session")
_GROUPS = {
    **{name: f"toNullable({name})" for name in ("model", "provider", "host", "path", "outcome", "credential")},
    "status": "toString(status)",
    "session": "nullIf(session, '')",
    "day": "formatDateTime(toDateTime64(started, 3, {zone:String}), '%Y-%m-%d', {zone:String})",
    "hour": "formatDateTime(toDateTime64(started, 3, {zone:String}), '%Y-%m-%d %H:00', {zone:String})",
}
_SUMS = """
    SELECT toNullable({group}) AS name, count() AS requests,
        countIf(outcome IN ('error', 'unreachable')), countIf(outcome IN ('client_aborted', 'upstream_aborted')),
        sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(reasoning_tokens),
        sum(duration_ms), sum(cost_usd), countIf(isNull(cost_usd) AND isNotNull(source)),
        {spreads}
    FROM {table} FINAL WHERE {where} GROUP BY name ORDER BY {order}
"""
_STAT = (
    *("name", "requests", "errors", "aborted"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("total_duration_ms", "cost_usd", "unpriced"),
)
# The two values in the middle, of which the first is the one before where their number is even; then 95 and 99 %.
_LEVELS = "0.4999999999, 0.5, 0.95, 0.99"
_SPREAD = {
    "first_token_ms": ("first_token_ms_p95", "first_token_ms_p99"),
    "duration_ms": ("duration_ms_p95", "duration_ms_p99"),
    "tokens_per_second": (),
}
_SPREADS = ", ".join(f"count({name}), quantilesExact({_LEVELS})({name})" for name in _SPREAD)
_DIGITS = {"first_token_ms": 4, "duration_ms": 4, "tokens_per_second": 4, "total_duration_ms": 3, "cost_usd": 9}
_CAPTURE = "SELECT flow_id, started, head, request_body, response_body, checksum FROM {table} "
_AROUND = (
    "WHERE day IN {days:Array(Date)} AND session IN {sessions:Array(String)} AND flow_id IN {flows:Array(String)} "
    "AND started BETWEEN {first:Float64} AND {last:Float64}"
)


class Seen(Struct, frozen=True):
    """A mark: the server's time of the newest row that was handed out, and those of the last seconds before it."""

    since: datetime
    idents: dict[int, datetime]


class Remote:
    """A fleet open for reading."""

    def __init__(self, address: Address) -> None:
        """Connect; raises FileNotFoundError where nothing was sent yet, FleetError, SchemaError."""
        self.address = address
        self.connection = Connection(address)
        found = schema.version(self.connection)
        if found == 0:
            self.close()
            raise FileNotFoundError(f"no tables at {address}: nothing has been shipped there yet")
        schema.check(found)
        self._rows, self._captures = self.table("exchanges"), self.table("captures")
        # Where pages ended, by id: a row may be gone by the time that one goes on from it.
        self._handed: dict[int, int] = {}

    def table(self, name: str) -> str:
        """Return a table's name as SQL writes it."""
        return f"{schema.quoted(self.address.database)}.{name}"

    @property
    def name(self) -> str:
        """Where it is kept, as people are told."""
        return str(self.address)

    def rows(self, window: Window = EVERY) -> list[Row]:
        """Return the rows of a window in the order in which their exchanges ended."""
        condition, given = where(window.wanted)
        for sign, name, bound in ((">", "after", window.after), ("<", "before", window.before)):
            if bound is not None:
                at = f"SELECT position FROM {self._rows} WHERE id = {{{name}:Int64}} ORDER BY shipped DESC LIMIT 1"
                condition += f" AND position {sign} {self._handed.get(bound, f'({at})')}"
                given[name] = bound
        order = f"ORDER BY position {'DESC' if window.newest else 'ASC'}"
        order += "" if window.limit is None else f" LIMIT {max(0, window.limit)}"
        rows = self.select(f"WHERE {condition} {order}", given)
        if window.newest:
            rows.reverse()
        return rows

    def select(self, chosen: str, given: dict[str, Any], *, copied: bool = False) -> list[Row]:
        """Return rows, each once: to look for copies is dear, and there is hardly ever one.

        `copied` says that there are, before these rows or among them. Those of a meter_dir that was sent again under
        another number have ids of their own.
        """
        for table in (f"{self._rows} FINAL",) if copied else (self._rows, f"{self._rows} FINAL"):
            found = self.connection.query(f"SELECT position, {_ROW} FROM {table} {chosen}", given)
            rows = [_row(*values) for _, *values in found]
            told = (row.exchange for row in rows)
            if len({(one.session, one.started, one.flow_id) for one in told}) == len(rows):
                break
        for position, ident, *_ in (found[0], found[-1]) if found else ():
            self._handed[ident] = int(position)
        while len(self._handed) > HANDED:
            self._handed.pop(next(iter(self._handed)))
        return rows

    def row(self, ident: int) -> Row | None:
        """Return one row, None where there is none of that id."""
        sql = f"SELECT {_ROW} FROM {self._rows} WHERE id = {{id:Int64}} ORDER BY shipped DESC LIMIT 1"
        return next((_row(*values) for values in self.connection.query(sql, {"id": ident})), None)

    def requests(self, wanted: Filter = ALL, *, copies: bool = False) -> int:
        """Return how many rows are wanted, those that are there twice for now once, or with their copies."""
        condition, given = where(wanted)
        once = "" if copies else " FINAL"
        [[number]] = self.connection.query(f"SELECT count() FROM {self._rows}{once} WHERE {condition}", given)
        return int(number)

    def stats(self, group: Group, wanted: Filter = ALL) -> list[Stat]:
        """Return sums and medians by group; days and hours are this machine's."""
        if group not in _GROUPS:
            raise ValueError(f"exchanges are grouped by one of {', '.join(_GROUPS)}, not by {group!r}")
        condition, given = where(wanted)
        order = "name ASC NULLS FIRST" if group in ("day", "hour") else "requests DESC, name ASC NULLS FIRST"
        sql = _SUMS.format(table=self._rows, group=_GROUPS[group], where=condition, order=order, spreads=_SPREADS)
        if "{zone:" in sql:
            given["zone"] = local_zone()
        return [_stat(*values) for values in self.connection.query(sql, given)]

    def counters(self) -> dict[str, int]:
        """Return what was dropped or went wrong, by name, of all meter_dirs together."""
        found = self.connection.query(
            f"SELECT name, sum(value) FROM {self.table('counters')} FINAL GROUP BY name ORDER BY name"
        )
        return {str(name): int(value) for name, value in found}

    def capture(self, ident: int) -> Record | None:
        """Return the capture of a row, None where it has none; raises RecordError where it is damaged."""
        row = self.row(ident)
        for _, record, wrong in self.captures([row]) if row is not None else ():
            if wrong is not None:
                raise RecordError(wrong)
            return record
        return None

    def captures(self, rows: Iterable[Row]) -> Iterator[Captured]:
        """Yield the rows with their captures, in their order."""
        waiting: list[Row] = []
        for row in rows:
            waiting.append(row)
            if len(waiting) == TOGETHER:
                yield from self._captured(waiting)
                waiting = []
        yield from self._captured(waiting)

    def _captured(self, rows: list[Row]) -> Iterator[Captured]:
        wanted = [row.exchange for row in rows if row.has_capture]
        found: dict[tuple[str, float], Parts] = {}
        if wanted:
            times = [exchange.started for exchange in wanted]
            given = {
                "days": sorted({_day(at) for at in times}),
                "sessions": sorted({exchange.session or "" for exchange in wanted}),
                "flows": sorted({exchange.flow_id for exchange in wanted}),
                # Wider than the texts of numbers are exact.
                "first": min(times) - 1,
                "last": max(times) + 1,
            }
            for flow_id, started, *told in self.connection.query(
                _CAPTURE.format(table=self._captures) + _AROUND, given, text=False
            ):
                found[flow_id.decode(), started] = Parts(*told)
        for row in rows:
            parts = found.get((row.exchange.flow_id, row.exchange.started))
            try:
                yield row, None if parts is None else belonging(row, join(parts)), None
            except RecordError as error:
                yield row, None, str(error)

    def arrivals(self, mark: Mark = None, limit: int = 500) -> tuple[list[Row], Mark]:
        """Return rows that the server got since a mark; those of the last seconds are looked at again."""
        if mark is None:
            rows = self.rows(Window(limit=limit))
            [[now]] = self.connection.query("SELECT now64(6, 'UTC')")
            return rows, Seen(now, {row.id: now for row in rows})
        sql = f"""
            SELECT shipped, {_ROW} FROM {self._rows} FINAL
            WHERE shipped > {{since:DateTime64(6, 'UTC')}} - toIntervalSecond({OVERLAP_SECONDS})
            AND id NOT IN {{seen:Array(Int64)}} ORDER BY position LIMIT {limit}
        """
        found = self.connection.query(sql, {"since": mark.since, "seen": list(mark.idents)})
        since = max((mark.since, *(shipped for shipped, *_ in found)))
        known = mark.idents | {ident: shipped for shipped, ident, *_ in found}
        kept = {ident: at for ident, at in known.items() if (since - at).total_seconds() <= OVERLAP_SECONDS + 1}
        return [_row(*values) for _, *values in found], Seen(since, kept)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _row(ident: int, captured: bool, *values: Any) -> Row:
    told = list(values)
    told[_SESSION] = told[_SESSION] or None
    return Row(ident, unflatten(tuple(told)), bool(captured))


def _stat(*values: Any) -> Stat:
    told = dict(zip(_STAT, values, strict=False))
    spreads = values[len(_STAT) :]
    for (name, later), number, (first, second, *ranks) in zip(
        _SPREAD.items(), spreads[::2], spreads[1::2], strict=True
    ):
        # The median of nothing is no number.
        found = [(first + second) / 2, *ranks] if number else [None] * 3
        told |= dict(zip((name, *later), found, strict=False))
    return Stat(**told | {name: None if told[name] is None else round(told[name], n) for name, n in _DIGITS.items()})


def _day(started: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(second_of(started) // DAY_SECONDS * DAY_SECONDS))


def local_zone() -> str:
    """Return the name of this machine's time zone, as the server knows it."""
    for name in (os.environ.get("TZ", "").lstrip(":"), _linked()):
        try:
            return ZoneInfo(name).key if name else "UTC"
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return "UTC"


def _linked() -> str:
    try:
        return str(Path("/etc/localtime").readlink()).rpartition("zoneinfo/")[2]
    except OSError:
        return "UTC"
