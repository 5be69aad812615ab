"""What to look for among the rows, as SQL."""

import sqlite3
from collections.abc import Callable
from typing import Any

from msgspec import Struct

MATCHED = ("model", "provider", "host", "path", "outcome", "session", "credential")
# Each field of text, and its column.
TEXTS = {name: name for name in (*MATCHED, "operation")} | {
    "client": "client_address",
    "agent": "client_agent",
}

_FEW = 100_000
_MORE = "SELECT 1 FROM exchanges WHERE started >= ? AND started < ? LIMIT 1 OFFSET ?"


class Filter(Struct, frozen=True, kw_only=True):
    """Rows that meet every part that is given; of the values of one part any will do.

    `since` <= started < `until`, in epoch seconds. Text may hold the wildcards `*` and `?`. `status` is a code, or
    one digit for its class (`5` for 500 to 599). `idents` are ids of rows, which are from `first` to `last`.
    """

    since: float | None = None
    until: float | None = None
    model: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    operation: tuple[str, ...] = ()
    credential: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    status: tuple[int, ...] = ()
    idents: tuple[int, ...] | None = None
    first: int | None = None
    last: int | None = None
    captured: bool = False


class Window(Struct, frozen=True, kw_only=True):
    """Of the rows `wanted` at most `limit`, after the row of one id and before that of another.

    With `newest` they are the last ones, else the first (to page forward with `after`).
    """

    wanted: Filter = Filter()
    limit: int | None = None
    after: int | None = None
    before: int | None = None
    newest: bool = True


EVERY = Window()

type Match = Callable[[str, str, bool], tuple[str, list[Any]]]


def where(wanted: Filter, connection: sqlite3.Connection) -> tuple[str, list[Any]]:
    """The condition, `1` where there is none, and its parameters; `connection` tells how best to put it."""
    timed = wanted.since is not None or wanted.until is not None
    # SQLite takes an equality for narrower than a time, which a day among months is not: `+` keeps it from that.
    return conditions(wanted, _match, "+" if timed and _few(wanted, connection) else "")


def conditions(wanted: Filter, match: Match, plus: str = "") -> tuple[str, list[Any]]:
    """The condition and its parameters, with `match(column, text, is_pattern)` for the text of a column.

    `plus` goes before columns for whose sake no index is to be used.
    """
    found: list[str] = []
    values: list[Any] = []
    bounds = {
        "started >= ?": wanted.since,
        "started < ?": wanted.until,
        "id >= ?": wanted.first,
        "id <= ?": wanted.last,
    }
    for at, bound in bounds.items():
        if bound is not None:
            found.append(at)
            values.append(bound)
    for name, column in TEXTS.items():
        parts = [match(plus + column, *_pattern(text)) for text in getattr(wanted, name)]
        if parts:
            found.append(f"({' OR '.join(part for part, _ in parts)})")
            values += [value for _, given in parts for value in given]
    if wanted.status:
        found.append(f"({' OR '.join(f'{plus}status BETWEEN ? AND ?' for _ in wanted.status)})")
        for code in wanted.status:
            values += (code * 100, code * 100 + 99) if code < 10 else (code, code)
    if wanted.idents is not None:
        found.append(f"id IN ({', '.join(str(int(ident)) for ident in wanted.idents)})")
    if wanted.captured:
        found.append("EXISTS (SELECT 1 FROM captures WHERE exchange_id = id)")
    return " AND ".join(found) or "1", values


def _few(wanted: Filter, connection: sqlite3.Connection) -> bool:
    since = -1e300 if wanted.since is None else wanted.since
    until = 1e300 if wanted.until is None else wanted.until
    return connection.execute(_MORE, (since, until, _FEW)).fetchone() is None


def _pattern(text: str) -> tuple[str, bool]:
    """The text, as a pattern of GLOB where it holds wildcards, and whether it does."""
    wild = "*" in text or "?" in text
    return text.replace("[", "[[]") if wild else text, wild


def _match(column: str, text: str, wild: bool) -> tuple[str, list[Any]]:
    return f"{column} GLOB ?" if wild else f"{column} = ?", [text]
