"""A narrow copy of the rows, for sorting and sums over very many of them.

A row's full width is what a scan of `exchanges` costs, and an index of each number would make every insert dearer. So
whoever sorts or sums has a temporary table of its own: numbers, and text as the number of a name. It is made as far
as it is needed, follows the rows by their ids, and goes with its connection. Time is spent in SQLite, without the GIL.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

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
_NEW = "FROM main.exchanges WHERE id >= ?1 AND id <= ?2"
_NAMES = (
    f"WITH told AS (SELECT DISTINCT {', '.join(NAMED)} {_NEW}) INSERT OR IGNORE INTO names (name) "
    + " UNION ".join(f"SELECT {column} FROM told WHERE {column} IS NOT NULL" for column in NAMED)
)
_CHOSEN = (*_PLAIN, *(f"(SELECT id FROM names WHERE name = {column})" for column in NAMED), *NUMBERS)
_FACTS = f"INSERT INTO facts (id, {', '.join(_COLUMNS)}) SELECT id, {', '.join(_CHOSEN)} {_NEW}"
# All of them are counted without a look at each, which `id <= ?` would take.
_THERE = "SELECT (SELECT count(*) FROM main.exchanges) - (SELECT count(*) FROM main.exchanges WHERE id > ?)"
_FROM = "SELECT count(*) FROM main.exchanges WHERE id >= ? AND id <= ?"
_NEWEST = "SELECT coalesce(max(id), 0) FROM main.exchanges"
_OLDEST = "SELECT coalesce(min(id), 1) FROM main.exchanges"
_STEP = 20_000
_RANK_BYTES = 3
_REMEMBERED = 32


class Facts:
    """The copy, on a connection to a database of ours that may be read-only. Raises sqlite3.Error.

    It has the rows from `first_id` to `last_id`, the newest ones first; `deletions` counts how often some were gone.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.deletions = 0
        self._rows = 0
        self._seen = -1
        self._indexed: set[str] = set()
        self._ranks = b""
        self._sums: dict[tuple[str, Filter], tuple[int, int, Any]] = {}
        for statement in _MADE:
            connection.execute(statement)
        self.last_id: int = self._one(_NEWEST)
        self.first_id: int = self.last_id + 1

    def __len__(self) -> int:
        return self._rows

    def catch_up(self) -> None:
        """Take in what was added since, and let go of what was deleted."""
        seen = self._one("PRAGMA main.data_version")
        if seen == self._seen:
            return
        newest = self._one(_NEWEST)
        while self.last_id < newest:
            until = min(self.last_id + _STEP, newest)
            self._take(self.last_id + 1, until)
            self.last_id = until
        there = self._one(_THERE, self.last_id) if self.first_id == 1 else self._one(_FROM, self.first_id, self.last_id)
        if there != self._rows:
            self.connection.execute("DELETE FROM facts WHERE id NOT IN (SELECT id FROM main.exchanges)")
            self._rows = self._one("SELECT count(*) FROM facts")
            self.deletions += 1
        self._seen = seen

    def cover(self, first: int = 1) -> None:
        """Take in what is older, back to an id."""
        while self.first_id > max(1, first):
            self.cover_more()

    def cover_more(self) -> bool:
        """Take in some of what is older; whether that was all."""
        oldest: int = self._one(_OLDEST)
        if oldest < self.first_id:
            start = max(oldest, self.first_id - _STEP)
            self._take(start, self.first_id - 1)
            self.first_id = start
        if self.first_id <= oldest:
            self.first_id = 1
        return self.first_id == 1

    def _take(self, first: int, last: int) -> None:
        self.connection.execute("SAVEPOINT more")
        try:
            self.connection.execute(_NAMES, (first, last))
            self._rows += self.connection.execute(_FACTS, (first, last)).rowcount
        except sqlite3.Error:
            self.connection.execute("ROLLBACK TO more")
            raise
        finally:
            self.connection.execute("RELEASE more")

    def where(self, wanted: Filter) -> tuple[str, list[Any]]:
        """The condition on `facts`, and its parameters, once all that may meet it is there."""
        if wanted.since is None and wanted.until is None:
            self.cover(wanted.first or 1)
            return conditions(wanted, self._match)
        # Time follows the ids, but for what was imported: so fewer rows are needed, and looked at.
        timed, bound = where(Filter(since=wanted.since, until=wanted.until), self.connection)
        query = f"SELECT min(id), max(id) FROM main.exchanges WHERE {timed}"
        begin, end = self.connection.execute(query, bound).fetchone()
        begin, end = (self.last_id + 1, 0) if begin is None else (begin, end)
        self.cover(max(wanted.first or 1, begin))
        # What it names may only have come with that.
        found, values = conditions(wanted, self._match)
        return f"id BETWEEN ? AND ? AND {found}", [begin, end, *values]

    def index(self, column: str) -> bool:
        """Have an index on a column of numbers, for places deep in its order; whether it was there."""
        if column in self._indexed:
            return True
        self.connection.execute(f"CREATE INDEX temp.facts_{column} ON facts ({column})")
        self._indexed.add(column)
        return False

    def remembered[T](self, what: str, wanted: Filter, make: Callable[[Filter], T], more: Callable[[T, T], T]) -> T:
        """What `make` makes of the rows that are wanted, where `more` adds what it makes of those that came since."""
        if wanted.since is not None or wanted.until is not None or wanted.last is not None or wanted.captured:
            return make(wanted)
        known: Any
        key = (what, wanted)
        at, deletions, known = self._sums.pop(key, (0, -1, None))
        if deletions != self.deletions:
            known = make(wanted)
        elif at < self.last_id:
            known = more(known, make(replace(wanted, first=max(at + 1, wanted.first or 0))))
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
