"""Sums over time, in buckets: of whole minutes where `minutes` has them, else of rows.

A minute that lies in one bucket is in `minutes` already; of those that a bucket's edge cuts the rows are read. By what
has many names, as sessions, the server finds the few to be shown, and sends nothing of the others but their sum.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mitmeter.fleet.wanted import FIRST, LAST, MINUTES_KEY, where
from mitmeter.metered import ALL
from mitmeter.store.filters import TEXTS, Filter

MINUTE = 60
IN_MINUTES = ("model", "provider", "host", "credential")
SUMMED = ("requests", "input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens")

# What stands for all names but those that are shown.
REST = ("rest",)
# As far as two computations of an edge may differ, in seconds.
_CLOSE = 1e-3
_MANY = frozenset(("session", "client", "credential"))
_SUMS = ", ".join(f"ifNull(sum({name}), 0)" for name in SUMMED[1:])
_AT = "toUInt16(least(greatest(({started} - {{begin:Float64}}) / {{width:Float64}}, 0), {last}))"
_WITHIN = "started >= {begin:Float64} AND started <= {end:Float64}"

type Ask = Callable[[str, dict[str, Any]], Sequence[Sequence[Any]]]
type Found = Sequence[Sequence[Any]]


class Tables(Struct, frozen=True):
    """The names of `exchanges` and `minutes`, as SQL writes them."""

    rows: str
    minutes: str


class Course(Struct, frozen=True):
    """Buckets of one width from `since` until `until`, in epoch seconds, by one of TEXTS: the `top` of them."""

    by: str
    since: float
    until: float
    buckets: int
    top: int

    @property
    def width(self) -> float:
        """Seconds of a bucket."""
        return (self.until - self.since) / self.buckets

    def at(self, started: str) -> str:
        """Return the bucket of a time, as SQL."""
        return _AT.format(started=started, last=self.buckets - 1)

    @property
    def given(self) -> dict[str, Any]:
        """The parameters of `at`."""
        return {"begin": self.since, "end": self.until, "width": self.width}

    def cut(self, *bounds: float | None) -> set[int]:
        """Return the minutes that an edge of a bucket or one of these bounds cuts, by their number."""
        exact = self.since.is_integer() and self.width.is_integer()
        edges = [self.since + at * self.width for at in range(self.buckets + 1)]
        # The last second belongs to the last bucket, and the minute that begins with it does not.
        told = [edge for edge in edges[:-1] if not (exact and edge % MINUTE == 0)] + edges[-1:]
        told += [bound for bound in bounds if bound is not None]
        return {math.floor((edge + off) / MINUTE) for edge in told for off in (-_CLOSE, _CLOSE)}


def only(wanted: Filter, *names: str) -> bool:
    """Whether nothing but these fields is given."""
    return all(name in names or getattr(wanted, name) == getattr(ALL, name) for name in wanted.__struct_fields__)


def told_apart(*bounds: float | None) -> bool:
    """Whether what began before a bound is in another minute, and day, than what began after it."""
    return all(bound is None or FIRST < bound < LAST for bound in bounds)


def course(ask: Ask, tables: Tables, wanted: Filter, asked: Course) -> list[dict[str, Any]]:
    """Return the sums of each name in each bucket: the `top` with the most tokens, then the rest."""
    timely = asked.width > 2 * MINUTE and told_apart(asked.since, asked.until)
    if timely and asked.by in IN_MINUTES and only(wanted, "since", "until", *IN_MINUTES):
        found: Found = [*_of_minutes(ask, tables, wanted, asked), *_of_cut(ask, tables, wanted, asked)]
    elif asked.by in _MANY:
        found = _of_many(ask, tables, wanted, asked)
    else:
        found = _of_rows(ask, tables, wanted, asked)
    series: dict[Any, dict[str, list[int]]] = {}
    for name, at, *sums in found:
        lines = series.setdefault(name, {column: [0] * asked.buckets for column in SUMMED})
        for column, value in zip(SUMMED, sums, strict=True):
            lines[column][at] += int(value)
    return _ranked(series, asked.top)


def _ranked(series: dict[Any, dict[str, list[int]]], top: int) -> list[dict[str, Any]]:
    others = [series.pop(REST)] if REST in series else []
    ranked = sorted(series.items(), key=lambda item: (-sum(map(sum, list(item[1].values())[:3])), item[0] or ""))
    shown: list[dict[str, Any]] = [{"name": told, "rest": False, **lines} for told, lines in ranked[:top]]
    if rest := [lines for _, lines in ranked[top:]] + others:
        joined = {column: [sum(at) for at in zip(*(lines[column] for lines in rest), strict=True)] for column in SUMMED}
        shown.append({"name": None, "rest": True, **joined})
    return shown


def _name(by: str) -> str:
    return "nullIf(session, '')" if by == "session" else TEXTS[by]


def _of_rows(ask: Ask, tables: Tables, wanted: Filter, asked: Course, first: str = "1") -> Found:
    condition, given = where(wanted)
    sql = f"""
        SELECT {_name(asked.by)} AS name, {asked.at("started")} AS at, count(), {_SUMS} FROM {tables.rows} FINAL
        PREWHERE {first} WHERE {_WITHIN} AND {condition} GROUP BY name, at
    """
    return ask(sql, given | asked.given)


def _of_many(ask: Ask, tables: Tables, wanted: Filter, asked: Course) -> Found:
    condition, given = where(wanted)
    given |= asked.given
    chosen = f"FROM {tables.rows} FINAL WHERE {_WITHIN} AND {condition}"
    key = f"ifNull(toString({TEXTS[asked.by]}), '')"
    most = "count() + sum(ifNull(input_tokens, 0)) + sum(ifNull(output_tokens, 0))"
    told = ask(f"SELECT {key} AS name {chosen} GROUP BY name ORDER BY {most} DESC, name LIMIT {asked.top}", given)
    names = [name for (name,) in told]
    if not names:
        return []
    given["names"] = names
    number = f"transform({key}, {{names:Array(String)}}, arrayEnumerate({{names:Array(String)}}), 0)"
    found = ask(
        f"SELECT {number} AS name, {asked.at('started')} AS at, count(), {_SUMS} {chosen} GROUP BY name, at", given
    )
    return [(names[name - 1] or None if name else REST, *sums) for name, *sums in found]


def _of_minutes(ask: Ask, tables: Tables, wanted: Filter, asked: Course) -> Found:
    condition, given = where(replace(wanted, since=None, until=None), MINUTES_KEY)
    first = math.ceil(max(asked.since, wanted.since or asked.since) / MINUTE)
    last = math.floor(min(asked.until, asked.until if wanted.until is None else wanted.until) / MINUTE)
    given |= asked.given
    number = f"intDiv(toUInt32(minute), {MINUTE})"
    sql = f"""
        SELECT nullIf(toNullable({asked.by}), '') AS name, {asked.at("toUInt32(minute)")} AS at,
            {", ".join(f"ifNull(sum({column}), 0)" for column in SUMMED)} FROM {tables.minutes}
        WHERE {number} >= {first} AND {number} < {last} AND {number} NOT IN ({_cut(wanted, asked)}) AND {condition}
        GROUP BY name, at
    """
    return ask(sql, given)


def _of_cut(ask: Ask, tables: Tables, wanted: Filter, asked: Course) -> Found:
    # The server looks at this alone first; two rows that are one began at the same time.
    return _of_rows(ask, tables, wanted, asked, f"intDiv(toUInt32(started), {MINUTE}) IN ({_cut(wanted, asked)})")


def _cut(wanted: Filter, asked: Course) -> str:
    return ", ".join(map(str, sorted(asked.cut(wanted.since, wanted.until))))
