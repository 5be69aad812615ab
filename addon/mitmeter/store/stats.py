"""Sums and percentiles over the rows, by group."""

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Literal

from mitmeter.store.filters import Filter, where
from mitmeter.store.rows import Stat

type Group = Literal["model", "provider", "host", "path", "outcome", "status", "session", "credential", "day", "hour"]
type _Found = Iterable[tuple[str | None, float | None, float | None, float | None]]

_GROUPS: dict[str, str] = {
    **{name: name for name in ("model", "provider", "host", "path", "outcome", "session", "credential")},
    "status": "CAST(status AS TEXT)",
    # SQLite would round the end of a day's last millisecond to the next day.
    "day": "strftime('%Y-%m-%d', CAST(started AS INTEGER), 'unixepoch', 'localtime')",
    "hour": "strftime('%Y-%m-%d %H:00', CAST(started AS INTEGER), 'unixepoch', 'localtime')",
}

# The columns of _SUMS, as fields of Stat.
_SUMMED = (
    *("name", "requests", "errors", "aborted"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("total_duration_ms", "cost_usd", "unpriced"),
)

# NOT INDEXED: walking the index on `model` fetches the rows in its order, which takes twice the time of a scan.
_SUMS = """
    SELECT {group}, count(*),
        sum(outcome IN ('error', 'unreachable')), sum(outcome IN ('client_aborted', 'upstream_aborted')),
        sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(reasoning_tokens),
        sum(duration_ms), sum(cost_usd), sum(cost_usd IS NULL AND source IS NOT NULL)
    FROM exchanges {how} WHERE {where} GROUP BY 1 ORDER BY {order}
"""
_VALUES = "SELECT {group}, first_token_ms, duration_ms, tokens_per_second FROM exchanges {how} WHERE {where}"
_ALL = Filter()


def collect(connection: sqlite3.Connection, group: Group, wanted: Filter = _ALL) -> list[Stat]:
    """The stats of every group of the rows that are wanted; about 2 s for a million rows.

    The group with the most requests comes first, days and hours in their order.

    Raises ValueError for a group that there is not, sqlite3.Error where the database cannot be read.
    """
    if group not in _GROUPS:
        raise ValueError(f"exchanges are grouped by one of {', '.join(_GROUPS)}, not by {group!r}")
    condition, bound = where(wanted, connection)
    parts = {
        "group": _GROUPS[group],
        "where": condition,
        "how": "NOT INDEXED" if wanted == _ALL else "",
        "order": "1" if group in ("day", "hour") else "2 DESC, 1",
    }
    connection.execute("BEGIN")
    with connection:
        # In one transaction, so that a row added meanwhile is in both or in neither.
        sums = connection.execute(_SUMS.format(**parts), bound).fetchall()
        spread = _spread(connection.execute(_VALUES.format(**parts), bound))
    stats = []
    for values in sums:
        summed = dict(zip(_SUMMED, values, strict=True))
        for name, digits in (("total_duration_ms", 3), ("cost_usd", 9)):
            if summed[name] is not None:
                summed[name] = round(summed[name], digits)
        stats.append(Stat(**(summed | spread[values[0]])))
    return stats


def _spread(found: _Found) -> dict[str | None, dict[str, float | None]]:
    """Medians and percentiles by group: in SQL, this takes twice as long."""
    values: defaultdict[str | None, list[array[float]]] = defaultdict(lambda: [array("d") for _ in range(3)])
    for name, *measured in found:
        for kept, value in zip(values[name], measured, strict=True):
            if value is not None:
                kept.append(value)
    return {name: _percentiles(*map(sorted, kept)) for name, kept in values.items()}


def _percentiles(first_tokens: list[float], durations: list[float], rates: list[float]) -> dict[str, float | None]:
    return {
        "first_token_ms": _middle(first_tokens),
        "first_token_ms_p95": percentile(first_tokens, 0.95),
        "first_token_ms_p99": percentile(first_tokens, 0.99),
        "duration_ms": _middle(durations),
        "duration_ms_p95": percentile(durations, 0.95),
        "duration_ms_p99": percentile(durations, 0.99),
        "tokens_per_second": _middle(rates),
    }


def _middle(ordered: list[float]) -> float | None:
    # Half of two times of 3 decimals has 4.
    return round(median(ordered), 4) if ordered else None


def percentile(ordered: list[float], level: float) -> float | None:
    """Return the value below which that part of them stays, as it is among them; None of none."""
    return ordered[min(int(level * len(ordered)), len(ordered) - 1)] if ordered else None
