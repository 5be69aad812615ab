"""What to look for among the rows, as SQL."""

import sqlite3
from typing import Any

from msgspec import Struct

MATCHED = ("model", "provider", "host", "path", "outcome", "session")

_FEW = 100_000
_MORE = "SELECT 1 FROM exchanges WHERE started >= ? AND started < ? LIMIT 1 OFFSET ?"


class Filter(Struct, frozen=True, kw_only=True):
    """Rows that meet every part that is given; of the values of one part any will do.

    `since` <= started < `until`, in epoch seconds. Text may hold the wildcards `*` and `?`. `status` is a code, or
    one digit for its class (`5` for 500 to 599). `idents` are ids of rows.
    """

    since: float | None = None
    until: float | None = None
    model: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    status: tuple[int, ...] = ()
    idents: tuple[int, ...] | None = None
    captured: bool = False


def where(wanted: Filter, connection: sqlite3.Connection) -> tuple[str, list[Any]]:
    """The condition, `1` where there is none, and its parameters; `connection` tells how best to put it."""
    timed = wanted.since is not None or wanted.until is not None
    # SQLite takes an equality for narrower than a time, which a day among months is not: `+` keeps it from that.
    plus = "+" if timed and _few(wanted, connection) else ""
    conditions: list[str] = []
    values: list[Any] = []
    for at, bound in (("started >= ?", wanted.since), ("started < ?", wanted.until)):
        if bound is not None:
            conditions.append(at)
            values.append(bound)
    for column in MATCHED:
        _match(plus + column, getattr(wanted, column), conditions, values)
    if wanted.status:
        parts = [f"{plus}status BETWEEN ? AND ?" for _ in wanted.status]
        conditions.append(f"({' OR '.join(parts)})")
        for code in wanted.status:
            values += (code * 100, code * 100 + 99) if code < 10 else (code, code)
    if wanted.idents is not None:
        conditions.append(f"id IN ({', '.join(str(int(ident)) for ident in wanted.idents)})")
    if wanted.captured:
        conditions.append("EXISTS (SELECT 1 FROM captures WHERE exchange_id = id)")
    return " AND ".join(conditions) or "1", values


def _few(wanted: Filter, connection: sqlite3.Connection) -> bool:
    since = -1e300 if wanted.since is None else wanted.since
    until = 1e300 if wanted.until is None else wanted.until
    return connection.execute(_MORE, (since, until, _FEW)).fetchone() is None


def _match(column: str, texts: tuple[str, ...], conditions: list[str], values: list[Any]) -> None:
    if not texts:
        return
    parts = []
    for text in texts:
        wild = "*" in text or "?" in text
        parts.append(f"{column} GLOB ?" if wild else f"{column} = ?")
        values.append(text.replace("[", "[[]") if wild else text)
    conditions.append(f"({' OR '.join(parts)})")
