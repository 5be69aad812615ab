"""A narrow copy of the rows, for sorting and sums over very many of them.

A row's full width is what a scan of `exchanges` costs, and an index of each number would make every insert dearer. So
whoever sorts or sums has a temporary table of its own: numbers, and text as the number of a name. It is made at the
first question, follows the rows by their ids, and goes with its connection. Time is spent in SQLite, without the GIL.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from mitmeter.store.filters import Filter, conditions, where

NAMED = (
    *("model", "provider", "host", "path", "outcome", "session", "operation", "credential", "client_address"),
    *("client_agent", "content_type", "finish"),
)
NUMBERS = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("draft_tokens", "draft_accepted_tokens", "duration_ms", "first_byte_ms", "first_token_ms"),
    *("prompt_per_second", "tokens_per_second", "cost_usd", "request_bytes", "response_bytes"),
)

_PLAIN = ("started", "status", "stream")
_COLUMNS = (*_PLAIN, *NAMED, *NUMBERS)
_CACHE_KIB = 65_536
_MADE = (
    f"PRAGMA temp.cache_size = -{_CACHE_KIB}",
    "CREATE TEMP TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    f"CREATE TEMP TABLE facts (id INTEGER PRIMARY KEY, {', '.join(_COLUMNS)})",
)
_NEW = "FROM main.exchanges WHERE id > ?1 AND id <= ?2"
_NAMES = "INSERT OR IGNORE INTO names (name) " + " UNION ".join(
    f"SELECT {column} {_NEW} AND {column} IS NOT NULL" for column in NAMED
)
_CHOSEN = (*_PLAIN, *(f"(SELECT id FROM names WHERE name = {column})" for column in NAMED), *NUMBERS)
_FACTS = f"INSERT INTO facts (id, {', '.join(_COLUMNS)}) SELECT id, {', '.join(_CHOSEN)} {_NEW}"
# All of them are counted without a look at each, which `id <= ?` would take.
_THERE = "SELECT (SELECT count(*) FROM main.exchanges) - (SELECT count(*) FROM main.exchanges WHERE id > ?)"
_STEP = 50_000
_RANK_BYTES = 3
_REMEMBERED = 32


class Facts:
    """The copy, on a connection to a database of ours that may be read-only. Raises sqlite3.Error.

    `last_id` is the newest row that is in it, `deletions` changes where rows are gone from it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.last_id = 0
        self.deletions = 0
        self._rows = 0
        self._seen = -1
        self._indexed: set[str] = set()
        self._ranks = b""
        self._sums: dict[Filter, tuple[int, int, Any]] = {}
        for statement in _MADE:
            connection.execute(statement)

    def catch_up(self) -> None:
        """Take in what was added since, and let go of what was deleted."""
        seen = self._one("PRAGMA main.data_version")
        if seen == self._seen:
            return
        newest = self._one("SELECT max(id) FROM main.exchanges") or 0
        while self.last_id < newest:
            until = min(self.last_id + _STEP, newest)
            self.connection.execute("SAVEPOINT more")
            try:
                self.connection.execute(_NAMES, (self.last_id, until))
                added = self.connection.execute(_FACTS, (self.last_id, until)).rowcount
            except sqlite3.Error:
                self.connection.execute("ROLLBACK TO more")
                self.connection.execute("RELEASE more")
                raise
            self.connection.execute("RELEASE more")
            self.last_id, self._rows = until, self._rows + added
        if self._one(_THERE, self.last_id) != self._rows:
            self.connection.execute("DELETE FROM facts WHERE id NOT IN (SELECT id FROM main.exchanges)")
            self._rows = self._one("SELECT count(*) FROM facts")
            self.deletions += 1
        self._seen = seen

    def where(self, wanted: Filter) -> tuple[str, list[Any]]:
        """The condition on `facts`, and its parameters."""
        found, values = conditions(wanted, self._match)
        if wanted.since is None and wanted.until is None:
            return found, values
        # Rows are there in the order of their ids, which time follows but for what was imported: fewer are looked at.
        timed, bound = where(Filter(since=wanted.since, until=wanted.until), self.connection)
        query = f"SELECT min(id), max(id) FROM main.exchanges WHERE {timed}"
        first, last = self.connection.execute(query, bound).fetchone()
        return f"id BETWEEN ? AND ? AND {found}", [first or 0, -1 if last is None else last, *values]

    def index(self, column: str) -> None:
        """Have an index on a column of numbers, for places deep in its order."""
        if column not in self._indexed:
            self.connection.execute(f"CREATE INDEX temp.facts_{column} ON facts ({column})")
            self._indexed.add(column)

    def remembered[T](self, key: Filter, make: Callable[[int | None], T], more: Callable[[T, T], T]) -> T:
        """What `make` makes of all rows, where `more` adds what it makes of those from an id on."""
        known: Any
        at, deletions, known = self._sums.pop(key, (0, -1, None))
        if deletions != self.deletions:
            known = make(key.first)
        elif at < self.last_id:
            known = more(known, make(max(at + 1, key.first or 0)))
        self._sums[key] = self.last_id, self.deletions, known
        if len(self._sums) > _REMEMBERED:
            del self._sums[next(iter(self._sums))]
        return known  # type: ignore[no-any-return]  # each key has results of one type

    def ranks(self) -> bytes:
        """For each name, by its number, 3 bytes that order as the names do."""
        if self._one("SELECT count(*) FROM names") * _RANK_BYTES != len(self._ranks):
            ordered = self.connection.execute("SELECT id FROM names ORDER BY name").fetchall()
            ranks = sorted((number, place) for place, (number,) in enumerate(ordered))
            self._ranks = b"".join(place.to_bytes(_RANK_BYTES) for _, place in ranks)
        return self._ranks

    def _match(self, column: str, text: str, wild: bool) -> tuple[str, list[Any]]:
        query = f"SELECT id FROM names WHERE name {'GLOB' if wild else '='} ?"
        numbers = [str(number) for (number,) in self.connection.execute(query, (text,))]
        return f"{column} IN ({', '.join(numbers)})", []

    def _one(self, query: str, *values: Any) -> Any:
        return self.connection.execute(query, values).fetchone()[0]
